"""Reductions over segments: rows that share a number, in any order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from slipstream.ir.dtypes import from_numpy
from slipstream.ir.graph import Array
from slipstream.ir.types import TensorType
from slipstream.primitives.base import Primitive, Pull, define, misfit
from slipstream.primitives.elementwise import (
    NUMERIC,
    REAL,
    cast,
    equal,
    greater_equal,
    logical_and,
    maximum,
)
from slipstream.primitives.families import where
from slipstream.primitives.indexing import check_bounds, taken
from slipstream.primitives.operand import ones, zeros
from slipstream.primitives.samples import Sample, distinct, integers, reals, sample
from slipstream.primitives.scattering import combine_rows
from slipstream.primitives.structure import reshape


def _rule(name: str) -> Callable[..., TensorType]:
    def rule(x: TensorType, ids: TensorType, *, num_segments: int) -> TensorType:
        if not ids.dtype.is_integer or ids.rank != 1 or x.shape[:1] != ids.shape:
            raise misfit(name, "not one segment number a row", data=x, segment_ids=ids)
        if num_segments < 0:
            raise misfit(name, "a negative number of segments", num_segments=num_segments)
        return x.with_shape((num_segments, *x.shape[1:]))

    return rule


def _reduced(name: str, ufunc: Any, start: Any, data: Array, ids: Array, count: int) -> Array:
    """Rows combined by segment; those with negative numbers are left out."""
    valid = ids >= 0
    if not valid.all():
        data, ids = data[valid], ids[valid]
    check_bounds(name, ids, count)
    begin = np.full((count, *data.shape[1:]), start, data.dtype)
    return combine_rows(ufunc, begin, ids, data)


def _valid(ids: Any, like: Any) -> Any:
    """Which rows count, in the rank of `like` so that it broadcasts."""
    flags = greater_equal(ids, zeros(ids.type))
    return reshape(flags, shape=(*ids.shape, *(1 for _ in like.shape[1:])))


def spread(rows: Any, ids: Any) -> Any:
    """For each number the row of its segment; zeros for negative numbers."""
    if not rows.shape[0]:  # then all are negative
        return zeros(rows.type.with_shape((*ids.shape, *rows.shape[1:])))
    picked = taken(rows, maximum(ids, zeros(ids.type)), axis=0)
    return where(_valid(ids, picked), picked, 0)


WITH_EMPTY = integers(-1, 4, 6)  # of five segments: one row left out, and an empty segment
SAMPLES: tuple[Sample, ...] = (
    sample(distinct(6, 3), WITH_EMPTY, num_segments=5),
    sample(distinct(7), integers(0, 2, 7), num_segments=2),
    sample(reals(0, 2), integers(0, 2, 0), num_segments=3),
    sample(reals(3), integers(-2, 0, 3), num_segments=0),
)
segment_sum = define(
    Primitive(
        "segment_sum",
        "segment",
        _rule("segment_sum"),
        lambda data, ids, num_segments: _reduced("segment_sum", np.add, 0, data, ids, num_segments),
        lambda pull: [spread(pull.g, pull.inputs[1]), None],
        samples=SAMPLES,
        facts={"dtypes": NUMERIC},
        doc="The sum of each segment's rows; rows with negative numbers are left out",
    )
)


def _extremum_derivative(pull: Pull) -> list[Any]:
    """The cotangent goes to where the extreme value came from; equal ones share it."""
    data, ids = pull.inputs
    found = equal(data, spread(pull.outputs[0], ids))
    mine = logical_and(found, _valid(ids, data))
    count = segment_sum(cast(mine, dtype=data.dtype), ids, **pull.params)
    share = pull.g / maximum(count, ones(count.type))
    return [where(mine, spread(share, ids), 0), None]


def _extremum(name: str, ufunc: Any, start: Callable[[Any], Any], doc: str) -> Primitive:
    def meaning(data: Array, ids: Array, *, num_segments: int) -> Array:
        empty = start(from_numpy(data.dtype))
        return _reduced(name, ufunc, empty, data, ids, num_segments)

    return define(
        Primitive(
            name, "segment", _rule(name), meaning, _extremum_derivative, samples=SAMPLES,
            facts={"dtypes": REAL}, doc=doc,
        )
    )  # fmt: skip


segment_max = _extremum(
    "segment_max", np.maximum, lambda d: d.min, "The largest of each segment, or the lowest number"
)
segment_min = _extremum(
    "segment_min", np.minimum, lambda d: d.max, "The smallest of each segment, or the highest"
)
