"""Numbers as rows of flags: one_hot and sequence_mask."""

from __future__ import annotations

from typing import Any

import numpy as np

from slipstream.errors import InvalidArgumentError, NotWhileTracing, message
from slipstream.ir.dtypes import as_dtype, float32
from slipstream.ops.array import number_of, shape_of
from slipstream.ops.axes import axis_of
from slipstream.primitives.base import REGISTRY
from slipstream.primitives.indexing import able_to_hold
from slipstream.primitives.operand import constant as known
from slipstream.runtime.convert import convert
from slipstream.runtime.dispatch import operation
from slipstream.runtime.tensor import constant_value


def _integers(operation: str, value: Any) -> Any:
    tensor = convert(value)
    if not tensor.dtype.is_integer:
        raise InvalidArgumentError(
            message(operation, "these must be integers", received={"value": tensor.type})
        )
    return tensor


@operation
def one_hot(
    indices: Any, depth: Any, on_value: Any = None, off_value: Any = None, axis: int | None = None,
    dtype: Any = None, name: str | None = None,
) -> Any:  # fmt: skip
    """on_value (1) where the new axis has the index, off_value (0) elsewhere.

    The new axis of size `depth` is the last, unless `axis` says. An index outside [0, depth) is
    nowhere on. Of the dtype of the values if any is given, else float32.

    >>> one_hot([2, 0], 3).numpy().tolist()
    [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]
    """
    (count,) = shape_of("one_hot", depth)
    indices = able_to_hold(_integers("one_hot", indices), count)
    given = [v for v in (on_value, off_value) if v is not None]
    kind = as_dtype(dtype) if dtype is not None else convert(given[0]).dtype if given else float32
    on, off = (
        known(np.asarray(default, kind.numpy)) if value is None else convert(value, kind)
        for value, default in ((on_value, 1), (off_value, 0))
    )
    place = axis_of(-1 if axis is None else axis, indices.ndim + 1, "one_hot")
    spread = (*indices.type.shape[:place], 1, *indices.type.shape[place:])
    full_shape = (*indices.type.shape[:place], count, *indices.type.shape[place:])
    numbers = REGISTRY["iota"](shape=full_shape, axis=place, dtype=indices.dtype)
    hit = REGISTRY["equal"](numbers, REGISTRY["reshape"](indices, shape=spread))
    return REGISTRY["select"](hit, on, off)


@operation
def sequence_mask(
    lengths: Any, maxlen: Any = None, dtype: Any = "bool", name: str | None = None
) -> Any:
    """[*lengths.shape, maxlen]: whether each place comes before the length."""
    lengths = _integers("sequence_mask", lengths)
    if maxlen is None:
        array = constant_value(lengths)
        if array is None:
            raise NotWhileTracing(
                message("sequence_mask", "maxlen depends on values not known while tracing",
                        hint="maxlen=")
            )  # fmt: skip
        maxlen = array.max(initial=0)
    count = number_of("sequence_mask", maxlen)
    lengths = able_to_hold(lengths, count)
    full_shape = (*lengths.type.shape, count)
    numbers = REGISTRY["iota"](shape=full_shape, axis=lengths.ndim, dtype=lengths.dtype)
    column = REGISTRY["reshape"](lengths, shape=(*lengths.type.shape, 1))
    mask = REGISTRY["less"](numbers, column)
    wanted = as_dtype(dtype)
    return mask if wanted.is_bool else REGISTRY["cast"](mask, dtype=wanted)
