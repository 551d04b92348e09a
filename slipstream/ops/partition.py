"""Taking tensors apart and putting them together by numbers that must be known: their sizes depend
on values, so these are eager, or work on constants.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from slipstream.ir.dtypes import as_dtype
from slipstream.ops.array import number_of, sizes_of
from slipstream.ops.indexing import known_array
from slipstream.primitives.base import REGISTRY, misfit
from slipstream.primitives.indexing import check_bounds, taken
from slipstream.primitives.operand import constant
from slipstream.primitives.structure import concat, reshape
from slipstream.runtime.convert import convert, convert_together
from slipstream.runtime.dispatch import operation
from slipstream.runtime.tensor import constant_value


def _rows(x: Any, numbers: Any) -> Any:
    return taken(x, constant(np.asarray(numbers, np.int32)), axis=0)


@operation
def dynamic_partition(
    data: Any, partitions: Any, num_partitions: Any, name: str | None = None
) -> list[Any]:
    """num_partitions tensors: of part i the slices of data whose number in `partitions` is i.

    partitions has the leading axes of data. A number outside [0, num_partitions) is an
    InvalidArgumentError.

    >>> [part.numpy().tolist() for part in dynamic_partition([5, 6, 7], [1, 0, 1], 2)]
    [[6], [5, 7]]
    """
    x, numbers = convert(data), known_array("dynamic_partition", partitions)
    count = number_of("dynamic_partition", num_partitions)
    if x.type.shape[: numbers.ndim] != numbers.shape or numbers.dtype.kind not in "iu":
        text = "not one partition number a slice"
        raise misfit("dynamic_partition", text, data=x.type, partitions=f"shape {numbers.shape}")
    check_bounds("dynamic_partition", numbers, count)
    flat = reshape(x, shape=(numbers.size, *x.type.shape[numbers.ndim :]))
    return [_rows(flat, np.flatnonzero(numbers == i)) for i in range(count)]


@operation
def dynamic_stitch(indices: Sequence[Any], data: Sequence[Any], name: str | None = None) -> Any:
    """One tensor with data[m][i, ...] at place indices[m][i]; of equal places the last counts.

    >>> dynamic_stitch([[0, 2], [1]], [[10, 30], [20]]).numpy().tolist()
    [10, 20, 30]
    """
    if not len(indices) or len(indices) != len(data):
        raise misfit("dynamic_stitch", "not as many indices as data", indices=len(indices))
    places = [known_array("dynamic_stitch", i) for i in indices]
    tensors = convert_together(*data)
    for place, x in zip(places, tensors, strict=True):
        if x.type.shape[: place.ndim] != place.shape:
            text = "not one place a slice"
            raise misfit("dynamic_stitch", text, indices=f"shape {place.shape}", data=x.type)
    pairs = zip(places, tensors, strict=True)
    parts = [reshape(x, shape=(i.size, *x.type.shape[i.ndim :])) for i, x in pairs]
    numbers = np.concatenate([i.reshape(-1) for i in places])
    if numbers.size and numbers.min() < 0:
        raise misfit("dynamic_stitch", "a place is negative", indices=numbers.tolist())
    source = np.full(numbers.max(initial=-1) + 1, -1)
    source[numbers] = np.arange(numbers.size)
    if (source < 0).any():
        missing = int(np.argmin(source))
        raise misfit("dynamic_stitch", f"nothing belongs at place {missing}")
    return _rows(concat(*parts, axis=0) if len(parts) > 1 else parts[0], source)


class Difference(NamedTuple):
    """What is in one list and not in another, and where it was."""

    out: Any
    idx: Any


@operation
def setdiff1d(x: Any, y: Any, index_dtype: Any = "int32", name: str | None = None) -> Difference:
    """The elements of vector x that are not in y, in their order, and their indices.

    >>> setdiff1d([1, 2, 3, 2], [3, 1]).idx.numpy().tolist()
    [1, 3]
    """
    first, second = convert_together(x, y)
    found = known_array("setdiff1d", first)
    kept = np.flatnonzero(~np.isin(found, known_array("setdiff1d", second)))
    return Difference(constant(found[kept]), constant(kept.astype(as_dtype(index_dtype).numpy)))


@operation
def unravel_index(indices: Any, dims: Any, name: str | None = None) -> Any:
    """The index vectors, as columns, of numbers of elements of a tensor of shape `dims`.

    >>> unravel_index([2, 5, 7], [3, 3]).numpy().tolist()
    [[0, 1, 2], [2, 2, 1]]

    InvalidArgumentError where there is no such element, as far as the numbers are known.
    """
    numbers, sizes = convert(indices), sizes_of("unravel_index", dims)
    array = constant_value(numbers)
    if array is not None:
        check_bounds("unravel_index", array, math.prod(sizes))
    columns, rest = [], numbers
    for size in reversed(sizes):
        width = rest.coerce(size)
        columns.append(REGISTRY["floor_mod"](rest, width))
        rest = REGISTRY["floor_divide"](rest, width)
    shape = (1, *numbers.type.shape)
    return concat(*(reshape(c, shape=shape) for c in reversed(columns)), axis=0)
