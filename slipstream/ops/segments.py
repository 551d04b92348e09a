"""Reductions over segments: rows that share a number."""

from __future__ import annotations

from typing import Any

from slipstream.ir.dtypes import bool_, float32
from slipstream.ir.types import TensorType
from slipstream.ops.array import number_of
from slipstream.ops.indexing import known_array
from slipstream.primitives import segment, sorting
from slipstream.primitives.base import REGISTRY, misfit
from slipstream.primitives.indexing import taken
from slipstream.primitives.operand import ones, zeros
from slipstream.primitives.structure import pad, reshape, slice_along
from slipstream.runtime.convert import convert
from slipstream.runtime.dispatch import operation


def _flat(name: str, data: Any, segment_ids: Any) -> tuple[Any, Any]:
    """(rows, one number a row)"""
    x, ids = convert(data), convert(segment_ids)
    if x.type.shape[: ids.ndim] != ids.type.shape:
        raise misfit(name, "not one segment number a row", data=x.type, segment_ids=ids.type)
    rows = reshape(x, shape=(ids.type.size, *x.type.shape[ids.ndim :]))
    return rows, reshape(ids, shape=(ids.type.size,))


@operation
def unsorted_segment_sum(
    data: Any, segment_ids: Any, num_segments: Any, name: str | None = None
) -> Any:
    """[num_segments, ...]: the sum of the rows of each segment; 0 where there is none.

    segment_ids has the leading axes of data. Rows with a negative number are left out; a number
    not below num_segments is an InvalidArgumentError. So for all the unsorted functions.

    >>> unsorted_segment_sum([1, 2, 4], [1, 0, 1], 3).numpy().tolist()
    [2, 5, 0]
    """
    rows, ids = _flat("unsorted_segment_sum", data, segment_ids)
    return segment.segment_sum(rows, ids, num_segments=number_of("num_segments", num_segments))


@operation
def unsorted_segment_max(
    data: Any, segment_ids: Any, num_segments: Any, name: str | None = None
) -> Any:
    """The largest of each segment; the lowest number of the dtype where there is none."""
    rows, ids = _flat("unsorted_segment_max", data, segment_ids)
    return segment.segment_max(rows, ids, num_segments=number_of("num_segments", num_segments))


@operation
def unsorted_segment_min(
    data: Any, segment_ids: Any, num_segments: Any, name: str | None = None
) -> Any:
    """The smallest of each segment; the highest number of the dtype where there is none."""
    rows, ids = _flat("unsorted_segment_min", data, segment_ids)
    return segment.segment_min(rows, ids, num_segments=number_of("num_segments", num_segments))


@operation
def unsorted_segment_prod(
    data: Any, segment_ids: Any, num_segments: Any, name: str | None = None
) -> Any:
    """The product of each segment; 1 where there is none."""
    rows, ids = _flat("unsorted_segment_prod", data, segment_ids)
    count = number_of("num_segments", num_segments)
    order = sorting.argsort(ids, descending=False)
    ids = taken(ids, order, axis=0)
    products = _running_products(taken(rows, order, axis=0), ids)
    final = REGISTRY["logical_not"](_equal_ahead(ids, 1))
    last = REGISTRY["select"](_as_column(final, rows), products, products.coerce(0))
    total = segment.segment_sum(last, ids, num_segments=count)
    present = _as_column(_sizes(ids, count) > 0, total)
    return REGISTRY["select"](present, total, total.coerce(1))


def _running_products(rows: Any, ids: Any) -> Any:
    """The product of each row with those of its segment before it, by doubling their number.

    Without a division, so that zeros and the derivatives through them are right.
    """
    size, step = ids.type.size, 1
    while step < size:
        nothing = (0,) * (rows.ndim - 1)
        head = slice_along(rows, 0, 0, size - step)
        before = pad(
            head, rows.coerce(1), low=(step, *nothing), high=(0, *nothing),
            interior=(0, *nothing),
        )  # fmt: skip
        same = REGISTRY["reverse"](
            _equal_ahead(REGISTRY["reverse"](ids, axes=(0,)), step), axes=(0,)
        )
        rows = rows * REGISTRY["select"](_as_column(same, rows), before, rows.coerce(1))
        step *= 2
    return rows


def _equal_ahead(ids: Any, step: int) -> Any:
    """Whether the number `step` places on is the same; false where there is none."""
    size = ids.type.size
    if not size:
        return zeros(TensorType((0,), bool_))
    same = REGISTRY["equal"](slice_along(ids, 0, 0, size - step), slice_along(ids, 0, step, size))
    return pad(same, convert(False), low=(0,), high=(step,), interior=(0,))


def _as_column(flags: Any, like: Any) -> Any:
    """[n] as [n, 1, ...] in the rank of `like`."""
    return reshape(flags, shape=(*flags.type.shape, *(1 for _ in like.type.shape[1:])))


def _sizes(ids: Any, count: int, dtype: Any = float32) -> Any:
    """[count]: how many rows each segment has."""
    return segment.segment_sum(ones(TensorType(ids.type.shape, dtype)), ids, num_segments=count)


def _divisors(data: Any, segment_ids: Any, total: Any) -> Any:
    """How many rows each segment has, at least 1, in the rank of `total`."""
    _, ids = _flat("unsorted_segment_mean", data, segment_ids)
    dtype = total.dtype.real_dtype if total.dtype.is_differentiable else float32
    sizes = _sizes(ids, total.type.shape[0], dtype)
    least = REGISTRY["maximum"](sizes, sizes.coerce(1))
    return _as_column(least if dtype is total.dtype else _cast(least, total.dtype), total)


def _cast(x: Any, dtype: Any) -> Any:
    return REGISTRY["cast"](x, dtype=dtype)


@operation
def unsorted_segment_mean(
    data: Any, segment_ids: Any, num_segments: Any, name: str | None = None
) -> Any:
    """The mean of each segment; 0 where there is none. Of integers, float64."""
    total = unsorted_segment_sum(data, segment_ids, num_segments)
    return total / _divisors(data, segment_ids, total)


@operation
def unsorted_segment_sqrt_n(
    data: Any, segment_ids: Any, num_segments: Any, name: str | None = None
) -> Any:
    """The sum of each segment divided by the square root of its size."""
    total = unsorted_segment_sum(data, segment_ids, num_segments)
    return total / REGISTRY["sqrt"](_divisors(data, segment_ids, total))


def _segment_count(name: str, segment_ids: Any) -> int:
    """One more than the last number; InvalidArgumentError unless they are known and sorted."""
    ids = known_array(name, segment_ids, f"tf.math.unsorted_{name}, which is told their number")
    if ids.ndim != 1 or ids.dtype.kind not in "iu":
        raise misfit(name, "segment ids are a vector of integers", segment_ids=f"shape {ids.shape}")
    if (ids[1:] < ids[:-1]).any() or (ids[:1] < 0).any():
        raise misfit(name, "segment ids are not increasing from 0 on", segment_ids=ids.tolist())
    return int(ids[-1]) + 1 if ids.size else 0


@operation
def segment_sum(data: Any, segment_ids: Any, name: str | None = None) -> Any:
    """The sum of each segment; 0 where there is none.

    The numbers of the sorted functions are a vector, increasing, and known while tracing, for the
    last one says how many segments there are.
    """
    return unsorted_segment_sum(data, segment_ids, _segment_count("segment_sum", segment_ids))


@operation
def segment_prod(data: Any, segment_ids: Any, name: str | None = None) -> Any:
    """The product of each segment; 1 where there is none."""
    return unsorted_segment_prod(data, segment_ids, _segment_count("segment_prod", segment_ids))


@operation
def segment_mean(data: Any, segment_ids: Any, name: str | None = None) -> Any:
    """The mean of each segment; 0 where there is none. Of integers, cut off towards zero."""
    count = _segment_count("segment_mean", segment_ids)
    mean = unsorted_segment_mean(data, segment_ids, count)
    x = convert(data)
    return _cast(mean, x.dtype) if x.dtype.is_integer else mean


def _present(extreme: Any, segment_ids: Any) -> Any:
    """Zeros where a segment has no rows."""
    sizes = _sizes(convert(segment_ids), extreme.type.shape[0])
    return REGISTRY["select"](_as_column(sizes > 0, extreme), extreme, extreme.coerce(0))


@operation
def segment_max(data: Any, segment_ids: Any, name: str | None = None) -> Any:
    """The largest of each segment; 0 where there is none."""
    count = _segment_count("segment_max", segment_ids)
    return _present(unsorted_segment_max(data, segment_ids, count), segment_ids)


@operation
def segment_min(data: Any, segment_ids: Any, name: str | None = None) -> Any:
    """The smallest of each segment; 0 where there is none."""
    count = _segment_count("segment_min", segment_ids)
    return _present(unsorted_segment_min(data, segment_ids, count), segment_ids)
