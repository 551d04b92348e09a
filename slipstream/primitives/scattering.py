"""Putting elements by indices: adding to rows, adding, replacing and comparing by index vectors."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from slipstream.ir.dtypes import bool_
from slipstream.ir.graph import Array
from slipstream.ir.types import TensorType
from slipstream.primitives.base import Primitive, Pull, define, misfit
from slipstream.primitives.elementwise import NUMERIC, REAL, cast, equal, maximum
from slipstream.primitives.families import no_gradient, same_dtype, where
from slipstream.primitives.indexing import check_bounds, check_nd, flat_indices, gather, gather_nd
from slipstream.primitives.operand import ones, zeros
from slipstream.primitives.samples import Sample, distinct, integers, reals, sample
from slipstream.primitives.structure import broadcast_to, reshape


def _scatter_add_rule(x: TensorType, indices: TensorType, updates: TensorType) -> TensorType:
    same_dtype("scatter_add", (x, updates))
    fits = indices.rank == 1 and x.rank and updates.shape == (*indices.shape, *x.shape[1:])
    if not fits or not indices.dtype.is_integer:
        raise misfit("scatter_add", "not one row an index", x=x, indices=indices, updates=updates)
    return x


BLOCK = 1 << 20  # elements combined at once, which bounds the memory of their numbers


def combine_rows(ufunc: Any, table: Array, rows: Array, updates: Array) -> Array:
    """`table` with `updates[i]` combined into row `rows[i]`, one after the other.

    Over flat arrays: `ufunc.at` is many times faster on one axis than on rows.
    """
    width = math.prod(table.shape[1:])
    out = np.array(table, order="C").reshape(-1)  # one copy, even of a broadcast table
    if not rows.size or not width:
        return out.reshape(table.shape)
    flat, within = updates.reshape(rows.size, width), np.arange(width)
    step = max(1, BLOCK // width)
    for first in range(0, rows.size, step):
        some = rows[first : first + step].astype(np.int64)
        numbers = some if width == 1 else (some[:, None] * width + within).reshape(-1)
        ufunc.at(out, numbers, flat[first : first + step].reshape(-1))
    return out.reshape(table.shape)


def _scatter_add(x: Array, indices: Array, updates: Array) -> Array:
    check_bounds("scatter_add", indices, x.shape[0])
    return combine_rows(np.add, x, indices, updates)


scatter_add = define(
    Primitive(
        "scatter_add",
        "scatter",
        _scatter_add_rule,
        _scatter_add,
        lambda pull: [
            pull.g,
            None,
            gather(pull.g, pull.inputs[1], axis=0, batch_dims=0),
        ],
        samples=(
            sample(reals(5, 3), integers(0, 5, 7), reals(7, 3)),
            sample(reals(5), integers(0, 5, 4), reals(4)),
            sample(reals(5, 2), integers(0, 5, 0), reals(0, 2)),
        ),
        facts={"dtypes": NUMERIC},
        doc="x with updates[i] added to row indices[i]; equal indices add up",
    )
)


def _nd_rule(name: str) -> Callable[..., TensorType]:
    def rule(x: TensorType, indices: TensorType, updates: TensorType) -> TensorType:
        same_dtype(name, (x, updates))
        check_nd(name, x, indices)
        if updates.shape != (*indices.shape[:-1], *x.shape[indices.shape[-1] :]):
            raise misfit(name, "not one update an index", x=x, indices=indices, updates=updates)
        return x

    return rule


def _flattened(name: str, x: Array, indices: Array, updates: Array) -> tuple[Array, Array, Array]:
    """The same as rows of a table: (table, row numbers, updates)."""
    depth = indices.shape[-1]
    tail = x.shape[depth:]
    numbers = flat_indices(name, x.shape, indices).reshape(-1)
    table = x.reshape(math.prod(x.shape[:depth]), *tail)
    return table, numbers, updates.reshape(numbers.size, *tail)


def _scatter_nd_add(x: Array, indices: Array, updates: Array) -> Array:
    flat = _flattened("scatter_nd_add", x, indices, updates)
    return combine_rows(np.add, *flat).reshape(x.shape)


def _scatter_nd_update(x: Array, indices: Array, updates: Array) -> Array:
    table, numbers, rows = _flattened("scatter_nd_update", x, indices, updates)
    out = table.copy()
    out[numbers] = rows  # of equal indices the last counts
    return out.reshape(x.shape)


def _last_ones(indices: Array, count: int) -> Array:
    """Which of the index vectors no later one overwrites."""
    last = np.full(count, -1)
    last[indices] = np.arange(indices.size)
    return np.asarray(last[indices] == np.arange(indices.size))


def _update_derivative(pull: Pull) -> list[Any]:
    """What was overwritten has no part; of equal indices the last one has."""
    x, indices, updates = pull.inputs
    kept = scatter_nd_update(pull.g, indices, zeros(updates.type))
    winners = scatter_winners(indices, shape=x.shape)
    wide = _spread_over(winners, updates)
    picked = gather_nd(pull.g, indices)
    return [kept, None, where(wide, picked, picked.coerce(0))]


def _spread_over(flags: Any, like: Any) -> Any:
    ones_after = (1,) * (len(like.shape) - len(flags.shape))
    return broadcast_to(reshape(flags, shape=(*flags.shape, *ones_after)), shape=like.shape)


def _winners_rule(indices: TensorType, *, shape: tuple[int, ...]) -> TensorType:
    return TensorType(indices.shape[:-1], bool_)


def _winners(indices: Array, *, shape: tuple[int, ...]) -> Array:
    numbers = flat_indices("scatter_nd_update", shape, indices)
    count = math.prod(shape[: indices.shape[-1]])
    return _last_ones(numbers.reshape(-1), count).reshape(numbers.shape)


scatter_winners = define(
    Primitive(
        "scatter_winners",
        "scatter",
        _winners_rule,
        _winners,
        no_gradient,
        samples=(sample(integers(0, 3, 5, 1), shape=(3, 2)),),
        doc="Which index vectors no later equal one overwrites in an array of a shape",
    )
)
ND_SAMPLES: tuple[Sample, ...] = (
    sample(reals(4, 3), integers(0, 4, 5, 1), reals(5, 3)),
    sample(reals(3, 3, 2), integers(0, 3, 2, 2, 2), reals(2, 2, 2)),
    sample(reals(2, 2), integers(0, 2, 3, 2), reals(3)),
)
scatter_nd_add = define(
    Primitive(
        "scatter_nd_add",
        "scatter",
        _nd_rule("scatter_nd_add"),
        _scatter_nd_add,
        lambda pull: [pull.g, None, gather_nd(pull.g, pull.inputs[1])],
        samples=ND_SAMPLES,
        facts={"dtypes": NUMERIC},
        doc="x with an update added at each index vector; equal ones add up",
    )
)
scatter_nd_update = define(
    Primitive(
        "scatter_nd_update",
        "scatter",
        _nd_rule("scatter_nd_update"),
        _scatter_nd_update,
        _update_derivative,
        samples=ND_SAMPLES,
        doc="x with an update in place at each index vector; of equal ones the last counts",
    )
)


def _scatter_extremum(name: str, ufunc: Any, doc: str) -> Primitive:
    def meaning(x: Array, indices: Array, updates: Array) -> Array:
        return combine_rows(ufunc, *_flattened(name, x, indices, updates)).reshape(x.shape)

    def derivative(pull: Pull) -> list[Any]:
        """The cotangent goes to where the extreme value came from; equal ones share it."""
        x, indices, updates = pull.inputs
        y = pull.outputs[0]
        mine = equal(updates, gather_nd(y, indices))
        kept = cast(equal(x, y), dtype=x.dtype)
        count = scatter_nd_add(kept, indices, cast(mine, dtype=x.dtype))
        share = pull.g / maximum(count, ones(count.type))
        picked = gather_nd(share, indices)
        return [share * kept, None, where(mine, picked, picked.coerce(0))]

    samples = (
        sample(distinct(4, 3), integers(0, 4, 5, 1), reals(5, 3)),
        sample(distinct(2, 2), integers(0, 2, 3, 2), reals(3)),
    )
    return define(
        Primitive(
            name, "scatter", _nd_rule(name), meaning, derivative, None, samples,
            facts={"dtypes": REAL}, doc=doc,
        )
    )  # fmt: skip


scatter_nd_max = _scatter_extremum("scatter_nd_max", np.maximum, "The larger of x and the updates")
scatter_nd_min = _scatter_extremum("scatter_nd_min", np.minimum, "The smaller of both")
