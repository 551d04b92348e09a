"""Picking elements by indices: gather and gather_nd."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from slipstream.ir.dtypes import int32, int64
from slipstream.ir.graph import Array
from slipstream.ir.types import Shape, TensorType
from slipstream.primitives.base import REGISTRY, Primitive, Pull, define, misfit
from slipstream.primitives.families import no_gradient
from slipstream.primitives.operand import zeros
from slipstream.primitives.rows import Rows
from slipstream.primitives.samples import integers, reals, sample
from slipstream.primitives.structure import concat, iota, reshape, transpose


def able_to_hold(indices: Any, limit: int) -> Any:
    """Indices in int32, or int64 if they need it, so that arithmetic up to `limit` fits."""
    dtype = indices.dtype
    if dtype is int64 or (dtype is int32 and limit <= int32.max):
        return indices
    narrow = dtype.size < int32.size and limit <= int32.max
    return REGISTRY["cast"](indices, dtype=int32 if narrow else int64)


def check_bounds(name: str, indices: Array, size: int | Array) -> None:
    """InvalidArgumentError that names the first index outside [0, size).

    One size for all, or one for each place of the last axis.
    """
    outside = (indices < 0) | (indices >= size)
    if outside.any():
        place = np.unravel_index(int(np.argmax(outside)), indices.shape) if indices.ndim else ()
        where = f"[{','.join(str(int(i)) for i in place)}]" if place else ""
        limit = int(np.broadcast_to(size, indices.shape)[place])
        raise misfit(
            name,
            f"indices{where} = {int(indices[place])} is not in [0, {limit})",
            indices=f"shape {indices.shape}",
        )


def _gather_rule(x: TensorType, indices: TensorType, *, axis: int, batch_dims: int) -> TensorType:
    if not indices.dtype.is_integer:
        raise misfit("gather", "the indices are not integers", indices=indices)
    if not 0 <= batch_dims <= axis < x.rank or batch_dims > indices.rank:
        raise misfit("gather", "there are no such axes", x=x, axis=axis, batch_dims=batch_dims)
    if x.shape[:batch_dims] != indices.shape[:batch_dims]:
        raise misfit("gather", "the batch dimensions differ", x=x, indices=indices)
    return x.with_shape((*x.shape[:axis], *indices.shape[batch_dims:], *x.shape[axis + 1 :]))


def _gather(x: Array, indices: Array, *, axis: int, batch_dims: int) -> Array:
    check_bounds("gather", indices, x.shape[axis])
    if not batch_dims:
        return np.asarray(np.take(x, indices, axis=axis))
    # batches in front, as one; the axis next; what lies between after it
    count = math.prod(x.shape[:batch_dims])
    middle, tail = x.shape[batch_dims:axis], x.shape[axis + 1 :]
    flat = x.reshape(count, math.prod(middle), x.shape[axis], math.prod(tail))
    wanted = indices.reshape(count, -1)
    batch = np.arange(count)[:, None]
    picked = flat[batch, :, wanted]  # [count, wanted, middle, tail]
    moved = np.moveaxis(picked, 1, 2)
    return moved.reshape(*x.shape[:axis], *indices.shape[batch_dims:], *tail)


def _gather_derivative(pull: Pull) -> list[Any]:
    x, indices = pull.inputs
    axis, batch_dims = pull.params["axis"], pull.params["batch_dims"]
    if batch_dims:
        return [_batched_pullback(pull.g, x, indices, axis, batch_dims), None]
    flat = reshape(indices, shape=(indices.type.size,))
    rank, extra = len(x.shape), len(indices.shape)
    order = (*range(axis, axis + extra), *range(axis), *range(axis + extra, rank + extra - 1))
    moved = transpose(pull.g, permutation=order)
    rest = (*x.shape[:axis], *x.shape[axis + 1 :])
    values = reshape(moved, shape=(flat.shape[0], *rest))
    if axis == 0:
        return [Rows(flat, values, x.type), None]
    front = TensorType((x.shape[axis], *rest), x.dtype)
    summed = REGISTRY["scatter_add"](zeros(front), flat, values)
    back = (*range(1, axis + 1), 0, *range(axis + 1, rank))
    return [transpose(summed, permutation=back), None]


def _batched_pullback(g: Any, x: Any, indices: Any, axis: int, batch_dims: int) -> Any:
    """The rows of all batches in one table: batch b's row i is row b n + i."""
    batch, size = x.shape[:batch_dims], x.shape[axis]
    count, wanted = math.prod(batch), math.prod(indices.shape[batch_dims:])
    middle, tail = x.shape[batch_dims:axis], x.shape[axis + 1 :]
    cotangent = reshape(g, shape=(count, math.prod(middle), wanted, math.prod(tail)))
    rows = transpose(cotangent, permutation=(0, 2, 1, 3))
    rows = reshape(rows, shape=(count * wanted, math.prod(middle), math.prod(tail)))
    indices = able_to_hold(indices, count * size)
    first = iota(shape=(count, wanted), axis=0, dtype=indices.dtype) * size
    flat = reshape(reshape(indices, shape=(count, wanted)) + first, shape=(count * wanted,))
    table = TensorType((count * size, math.prod(middle), math.prod(tail)), x.dtype)
    summed = REGISTRY["scatter_add"](zeros(table), flat, rows)
    parts = reshape(summed, shape=(count, size, math.prod(middle), math.prod(tail)))
    return reshape(transpose(parts, permutation=(0, 2, 1, 3)), shape=x.shape)


gather = define(
    Primitive(
        "gather",
        "gather",
        _gather_rule,
        _gather,
        _gather_derivative,
        samples=(
            sample(reals(5, 3), integers(0, 5, 4), axis=0, batch_dims=0),
            sample(reals(2, 5, 3), integers(0, 5, 2, 2), axis=1, batch_dims=0),
            sample(reals(2, 4, 5, 3), integers(0, 5, 2, 3), axis=2, batch_dims=1),
            sample(reals(5), integers(0, 5), axis=0, batch_dims=0),
            sample(reals(5, 2), integers(0, 5, 0), axis=0, batch_dims=0),
        ),
        doc="x[..., indices, ...] along an axis; leading axes may be paired",
    )
)


def _last_places_rule(indices: TensorType, *, limit: int) -> TensorType:
    if not indices.dtype.is_integer or indices.rank != 1:
        raise misfit("last_places", "not integers along one axis", indices=indices)
    return TensorType(indices.shape, int32)


def _last_places(indices: Array, *, limit: int) -> Array:
    check_bounds("last_places", indices, limit)
    last = np.zeros(limit, np.int32)
    last[indices] = np.arange(indices.size, dtype=np.int32)
    return np.asarray(last[indices])


last_places = define(
    Primitive(
        "last_places",
        "gather",
        _last_places_rule,
        _last_places,
        no_gradient,
        samples=(
            sample(integers(0, 5, 9), limit=5),
            sample(integers(0, 5, 1), limit=7),
            sample(integers(0, 5, 0), limit=5),
        ),
        doc="For each index, all less than a limit, the last place where an equal one stands",
    )
)


def taken(x: Any, indices: Any, *, axis: int) -> Any:
    """A gather whose gradient is a whole tensor: for operations that use one without its name.

    Only tables users look up rows in are worth a list of rows, and handing those out otherwise
    would be a surprise.
    """
    if axis:
        return gather(x, indices, axis=axis, batch_dims=0)
    wide = gather(reshape(x, shape=(1, *x.shape)), indices, axis=1, batch_dims=0)
    return reshape(wide, shape=tuple(wide.shape[1:]))


def _gather_nd_rule(x: TensorType, indices: TensorType) -> TensorType:
    check_nd("gather_nd", x, indices)
    depth = indices.shape[-1]
    return x.with_shape((*indices.shape[:-1], *x.shape[depth:]))


def check_nd(name: str, x: TensorType, indices: TensorType) -> None:
    """Index vectors along the last axis, no longer than x has axes."""
    if not indices.dtype.is_integer or not indices.rank or indices.shape[-1] > x.rank:
        raise misfit(name, "the index vectors do not fit", x=x, indices=indices)


def flat_indices(name: str, shape: Shape, indices: Array) -> Array:
    """The row numbers of index vectors in an array flattened over its indexed axes."""
    depth = indices.shape[-1]
    check_bounds(name, indices, np.array(shape[:depth], np.int64))
    columns = np.moveaxis(indices, -1, 0)
    numbers = np.zeros(indices.shape[:-1], np.int64)
    for i in range(depth):
        numbers = numbers * shape[i] + columns[i]
    return numbers


def _gather_nd(x: Array, indices: Array) -> Array:
    depth = indices.shape[-1]
    rows = x.reshape(math.prod(x.shape[:depth]), *x.shape[depth:])
    return np.asarray(rows[flat_indices("gather_nd", x.shape, indices)])


gather_nd = define(
    Primitive(
        "gather_nd",
        "gather",
        _gather_nd_rule,
        _gather_nd,
        lambda pull: [
            REGISTRY["scatter_nd_add"](zeros(pull.inputs[0].type), pull.inputs[1], pull.g),
            None,
        ],
        samples=(
            sample(reals(3, 3, 2), integers(0, 3, 4, 2)),
            sample(reals(3, 2), integers(0, 2, 5, 1)),
            sample(reals(2, 2), integers(0, 2, 3, 2)),
        ),
        doc="x[i, j, ...] for each index vector (i, j, ...)",
    )
)


def batched_indices(indices: Any, batch_dims: int) -> Any:
    """Index vectors with the numbers of their leading axes put in front."""
    shape = (*indices.shape[:-1], 1)
    indices = able_to_hold(indices, max(shape))
    numbers = [iota(shape=shape, axis=i, dtype=indices.dtype) for i in range(batch_dims)]
    return concat(*numbers, indices, axis=len(shape) - 1) if numbers else indices
