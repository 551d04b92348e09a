"""Order: sort, argsort, top_k, unique, searchsorted."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from slipstream.ir.dtypes import as_dtype
from slipstream.ops.array import number_of
from slipstream.ops.axes import axis_of
from slipstream.ops.indexing import known_array
from slipstream.primitives import sorting
from slipstream.primitives.base import REGISTRY, misfit
from slipstream.primitives.operand import constant
from slipstream.primitives.structure import transpose
from slipstream.runtime.convert import convert, convert_together
from slipstream.runtime.dispatch import operation
from slipstream.runtime.tensor import constant_value


def _last(x: Any, axis: int) -> Any:
    """The tensor with an axis exchanged with the last one; the exchange is its own inverse."""
    order = list(range(x.ndim))
    order[axis], order[-1] = order[-1], order[axis]
    return x if axis == x.ndim - 1 else transpose(x, permutation=tuple(order))


def _descending(direction: str) -> bool:
    if direction not in ("ASCENDING", "DESCENDING"):
        raise misfit(
            "sort", "no such direction", "ASCENDING or DESCENDING", direction=repr(direction)
        )
    return direction == "DESCENDING"


@operation
def sort(values: Any, axis: Any = -1, direction: str = "ASCENDING", name: str | None = None) -> Any:
    """The elements in order along an axis.

    >>> sort([3.0, 1.0, 2.0], direction="DESCENDING").numpy().tolist()
    [3.0, 2.0, 1.0]
    """
    x = convert(values)
    place = axis_of(axis, x.ndim, "sort")
    moved = _last(x, place)
    order = sorting.argsort(moved, descending=_descending(direction))
    return _last(sorting.along_last(moved, order), place)


@operation
def argsort(
    values: Any, axis: Any = -1, direction: str = "ASCENDING", stable: bool = False,
    name: str | None = None,
) -> Any:  # fmt: skip
    """The int32 indices that put an axis in order; equal elements stay in theirs."""
    x = convert(values)
    place = axis_of(axis, x.ndim, "argsort")
    return _last(sorting.argsort(_last(x, place), descending=_descending(direction)), place)


class TopK(NamedTuple):
    """The largest elements, and where they were."""

    values: Any
    indices: Any


@operation
def top_k(
    input: Any, k: Any = 1, sorted: bool = True, index_type: Any = "int32", name: str | None = None
) -> TopK:
    """The k largest of the last axis in order, and their indices; of equal ones the first.

    >>> top_k([1, 7, 3, 7], 2).indices.numpy().tolist()
    [1, 3]
    """
    values, indices = sorting.top_k(convert(input), k=number_of("top_k", k))
    wanted = as_dtype(index_type)
    if wanted is not indices.dtype:
        indices = REGISTRY["cast"](indices, dtype=wanted)
    return TopK(values, indices)


@operation
def in_top_k(targets: Any, predictions: Any, k: Any, name: str | None = None) -> Any:
    """[batch]: whether fewer than k predictions [batch, classes] are larger than the target's.

    False for targets that are no class, and where a prediction is not finite.

    >>> in_top_k([0, 1], [[0.1, 0.9], [0.1, 0.9]], 1).numpy().tolist()
    [False, True]
    """
    scores, classes = convert(predictions), convert(targets)
    if scores.ndim != 2 or classes.type.shape != scores.type.shape[:1]:
        text = "not one target a row of predictions"
        raise misfit("in_top_k", text, targets=classes.type, predictions=scores.type)
    count = scores.type.shape[1]
    valid = (classes >= 0) & (classes < count)
    safe = REGISTRY["select"](valid, classes, convert(0, classes.dtype))
    column = REGISTRY["reshape"](safe, shape=(safe.type.size, 1))
    mine = sorting.along_last(scores, column)
    larger = REGISTRY["cast"](scores > mine, dtype=as_dtype("int32"))
    ahead = REGISTRY["sum"](larger, axes=(1,))
    finite = REGISTRY["all"](REGISTRY["is_finite"](scores), axes=(1,))
    return (ahead < number_of("in_top_k", k)) & valid & finite


@operation
def searchsorted(
    sorted_sequence: Any, values: Any, side: str = "left", out_type: Any = "int32",
    name: str | None = None,
) -> Any:  # fmt: skip
    """Where values belong in a sorted sequence along the last axis."""
    if side not in ("left", "right"):
        raise misfit("searchsorted", "no such side", "left or right", side=repr(side))
    sequence, wanted = convert_together(sorted_sequence, values)
    found = sorting.searchsorted(sequence, wanted, side=side)
    return REGISTRY["cast"](found, dtype=as_dtype(out_type))


class Unique(NamedTuple):
    """The different elements, and which of them each element is."""

    y: Any
    idx: Any


class UniqueCounts(NamedTuple):
    """The different elements, which of them each element is, and how often each is there."""

    y: Any
    idx: Any
    count: Any


def _unique(name: str, x: Any) -> tuple[Any, Any, Any]:
    """In the order of first appearance."""
    array = known_array(name, x)
    if array.ndim != 1:
        raise misfit(name, "this takes a vector", x=f"shape {array.shape}")
    _, first, inverse, counts = np.unique(
        array, return_index=True, return_inverse=True, return_counts=True
    )
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return array[first[order]], rank[inverse.reshape(-1)], counts[order]


@operation
def unique(x: Any, out_idx: Any = "int32", name: str | None = None) -> Unique:
    """The different elements of a vector as they first appear. Eager: its size is by values.

    >>> unique([4, 2, 4]).idx.numpy().tolist()
    [0, 1, 0]
    """
    y, idx, _ = _unique("unique", x)
    return Unique(constant(y), constant(idx.astype(as_dtype(out_idx).numpy)))


@operation
def unique_with_counts(x: Any, out_idx: Any = "int32", name: str | None = None) -> UniqueCounts:
    """`unique`, with the number of times each element is there."""
    y, idx, counts = _unique("unique_with_counts", x)
    kind = as_dtype(out_idx).numpy
    return UniqueCounts(constant(y), constant(idx.astype(kind)), constant(counts.astype(kind)))


@operation
def invert_permutation(x: Any, name: str | None = None) -> Any:
    """The permutation that undoes a permutation of 0 .. n - 1.

    InvalidArgumentError if it is none, as far as its numbers are known.
    """
    x = convert(x)
    numbers = constant_value(x)
    wrong = numbers is not None and (np.sort(numbers) != np.arange(numbers.size)).any()
    if x.ndim != 1 or not x.dtype.is_integer or wrong:
        shown = x.type if numbers is None else numbers.tolist()
        raise misfit("invert_permutation", "that is no permutation of 0 .. n - 1", x=shown)
    return REGISTRY["cast"](sorting.argsort(x, descending=False), dtype=x.dtype)
