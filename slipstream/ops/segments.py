"""Reductions over segments: rows that share a number."""

from __future__ import annotations

from typing import Any

from slipstream.errors import InvalidArgumentError, message
from slipstream.ir.dtypes import float32
from slipstream.ir.types import TensorType
from slipstream.ops.array import number_of
from slipstream.ops.indexing import known_array
from slipstream.primitives.base import REGISTRY
from slipstream.primitives.operand import full, ones
from slipstream.runtime.convert import convert
from slipstream.runtime.dispatch import operation


def _flat(data: Any, segment_ids: Any) -> tuple[Any, Any]:
    """(rows, one number a row)"""
    x, ids = convert(data), convert(segment_ids)
    covered = x.type.shape[: ids.ndim]
    if covered != ids.type.shape:
        raise InvalidArgumentError(
            message("segment", "not one segment a row", received={"data": x.type, "ids": ids.type})
        )
    rows = REGISTRY["reshape"](x, shape=(ids.type.size, *x.type.shape[ids.ndim :]))
    return rows, REGISTRY["reshape"](ids, shape=(ids.type.size,))


def _scattered(primitive: str, data: Any, segment_ids: Any, count: Any, start: Any) -> Any:
    rows, ids = _flat(data, segment_ids)
    shape = (number_of("segment", count), *rows.type.shape[1:])
    begin = full(TensorType(shape, rows.dtype), start(rows.dtype) if callable(start) else start)
    column = REGISTRY["reshape"](ids, shape=(ids.type.size, 1))
    return REGISTRY[primitive](begin, column, rows)


@operation
def unsorted_segment_sum(
    data: Any, segment_ids: Any, num_segments: Any, name: str | None = None
) -> Any:
    """[num_segments, ...]: the sum of the rows of each segment; 0 where there is none."""
    return _scattered("scatter_nd_add", data, segment_ids, num_segments, 0)


@operation
def unsorted_segment_max(
    data: Any, segment_ids: Any, num_segments: Any, name: str | None = None
) -> Any:
    """The largest of each segment; the lowest number where there is none."""
    return _scattered("scatter_nd_max", data, segment_ids, num_segments, lambda d: d.min)


@operation
def unsorted_segment_min(
    data: Any, segment_ids: Any, num_segments: Any, name: str | None = None
) -> Any:
    """The smallest of each segment; the highest number where there is none."""
    return _scattered("scatter_nd_min", data, segment_ids, num_segments, lambda d: d.max)


def _counts(data: Any, segment_ids: Any, count: Any) -> Any:
    rows, ids = _flat(data, segment_ids)
    dtype = rows.dtype if rows.dtype.is_floating else float32
    each = ones(TensorType(ids.type.shape, dtype))
    total = _scattered("scatter_nd_add", each, ids, count, 0)
    spread = (number_of("segment", count), *(1 for _ in rows.type.shape[1:]))
    least = REGISTRY["maximum"](total, total.coerce(1))
    return REGISTRY["reshape"](least, shape=spread)


@operation
def unsorted_segment_mean(
    data: Any, segment_ids: Any, num_segments: Any, name: str | None = None
) -> Any:
    """The mean of each segment; 0 where there is none."""
    total = _scattered("scatter_nd_add", data, segment_ids, num_segments, 0)
    return total / _counts(data, segment_ids, num_segments)


@operation
def unsorted_segment_sqrt_n(
    data: Any, segment_ids: Any, num_segments: Any, name: str | None = None
) -> Any:
    """The sum of each segment divided by the square root of its size."""
    total = _scattered("scatter_nd_add", data, segment_ids, num_segments, 0)
    return total / REGISTRY["sqrt"](_counts(data, segment_ids, num_segments))


def _segment_count(segment_ids: Any) -> int:
    """One more than the last number, which must be known; InvalidArgumentError unless sorted."""
    ids = known_array("segment", segment_ids)
    if (ids[1:] < ids[:-1]).any():
        raise InvalidArgumentError(message("segment", "segment ids are not increasing"))
    return int(ids[-1]) + 1 if ids.size else 0


@operation
def segment_sum(data: Any, segment_ids: Any, name: str | None = None) -> Any:
    """The sum of each segment, by sorted ids that are known while tracing."""
    return unsorted_segment_sum(data, segment_ids, _segment_count(segment_ids))


@operation
def segment_mean(data: Any, segment_ids: Any, name: str | None = None) -> Any:
    """The mean of each segment, by sorted ids that are known while tracing."""
    return unsorted_segment_mean(data, segment_ids, _segment_count(segment_ids))


def _present(extreme: Any, data: Any, segment_ids: Any, count: int) -> Any:
    """Zeros where a segment has no rows."""
    rows, ids = _flat(data, segment_ids)
    each = ones(TensorType(ids.type.shape, float32))
    total = _scattered("scatter_nd_add", each, ids, count, 0)
    spread = REGISTRY["reshape"](total, shape=(count, *(1 for _ in rows.type.shape[1:])))
    return REGISTRY["select"](spread > 0, extreme, convert(0, extreme.dtype))


@operation
def segment_max(data: Any, segment_ids: Any, name: str | None = None) -> Any:
    """The largest of each segment (0 where there is none), by sorted ids that are known."""
    count = _segment_count(segment_ids)
    found = unsorted_segment_max(data, segment_ids, count)
    return _present(found, data, segment_ids, count)


@operation
def segment_min(data: Any, segment_ids: Any, name: str | None = None) -> Any:
    """The smallest of each segment (0 where there is none), by sorted ids that are known."""
    count = _segment_count(segment_ids)
    found = unsorted_segment_min(data, segment_ids, count)
    return _present(found, data, segment_ids, count)
