"""Order: sorting and the largest elements, along the last axis."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from slipstream.ir.dtypes import int32, int64
from slipstream.ir.graph import Array
from slipstream.ir.types import TensorType
from slipstream.primitives.base import Primitive, Pull, define, misfit
from slipstream.primitives.families import REAL, no_gradient
from slipstream.primitives.indexing import check_bounds, gather, taken
from slipstream.primitives.samples import distinct, integers, sample
from slipstream.primitives.scattering import combine_rows


def _order(x: Array, descending: bool) -> Array:
    """The stable permutation that sorts: equal elements stay in theirs; nan is the largest."""
    if not descending:
        return np.argsort(x, axis=-1, kind="stable")
    backwards = np.argsort(x[..., ::-1], axis=-1, kind="stable")[..., ::-1]
    return np.asarray(x.shape[-1] - 1 - backwards)


def _check_axis(name: str, x: TensorType) -> None:
    if not x.rank or x.dtype not in REAL:
        raise misfit(name, "only real numbers along an axis are ordered", x=x)


def _argsort_rule(x: TensorType, *, descending: bool) -> TensorType:
    _check_axis("argsort", x)
    return x.with_dtype(int32)


argsort = define(
    Primitive(
        "argsort",
        "sort",
        _argsort_rule,
        lambda x, descending: _order(x, descending).astype(np.int32),
        no_gradient,
        samples=(
            sample(distinct(3, 7), descending=False),
            sample(distinct(2, 3, 5), descending=True),
            sample(distinct(0), descending=False),
        ),
        facts={"dtypes": REAL},
        doc="The stable permutation that sorts the last axis",
    )
)


def _top_k_rule(x: TensorType, *, k: int) -> tuple[TensorType, TensorType]:
    _check_axis("top_k", x)
    if not 0 <= k <= x.shape[-1]:
        raise misfit("top_k", f"the last axis does not have {k} elements", x=x, k=k)
    shape = (*x.shape[:-1], k)
    return x.with_shape(shape), TensorType(shape, int32)


def _top_k(x: Array, *, k: int) -> tuple[Array, Array]:
    size = x.shape[-1]
    few = size > 64 and 4 * k < size  # below that, sorting all is faster
    places = _largest(x, k) if few else _order(x, descending=True)[..., :k]
    return np.take_along_axis(x, places, axis=-1), places.astype(np.int32)


def _largest(x: Array, k: int) -> Array:
    """The first k places of the descending order, without sorting the rest."""
    size = x.shape[-1]
    if not k or np.isnan(x.sum(dtype=np.float64)):  # nan has no place among thresholds
        return _order(x, descending=True)[..., :k]
    least = np.partition(x, size - k, axis=-1)[..., size - k, None]
    above, level = x > least, x == least
    room = k - above.sum(axis=-1, keepdims=True)
    chosen = above | (level & (np.cumsum(level, axis=-1) <= room))  # of equal ones the first
    places = np.nonzero(chosen)[-1].reshape(*x.shape[:-1], k)
    best = _order(np.take_along_axis(x, places, axis=-1), descending=True)
    return np.take_along_axis(places, best, axis=-1)


def along_last(x: Any, places: Any) -> Any:
    """x[..., places[...]]: elements of the last axis by indices of the same leading shape."""
    rank = len(x.shape)
    if rank == 1:
        return taken(x, places, axis=0)
    return gather(x, places, axis=rank - 1, batch_dims=rank - 1)


def _top_k_derivative(pull: Pull) -> list[Any]:
    """The cotangents back in the places that were chosen."""
    x, places = pull.inputs[0], pull.outputs[1]
    return [put_along_last(pull.g, places, size=x.shape[-1])]


top_k = define(
    Primitive(
        "top_k",
        "sort",
        _top_k_rule,
        _top_k,
        _top_k_derivative,
        samples=(
            sample(distinct(3, 7), k=3),
            sample(distinct(2, 65), k=3),
            sample(distinct(5), k=1),
            sample(distinct(2, 3, 4), k=4),
        ),
        facts={"dtypes": REAL},
        doc="The k largest of the last axis, in order, and their int32 indices",
    )
)


def _put_rule(values: TensorType, places: TensorType, *, size: int) -> TensorType:
    if values.shape != places.shape or not values.rank or not places.dtype.is_integer:
        raise misfit("put_along_last", "not one place a value", values=values, places=places)
    return values.with_shape((*values.shape[:-1], size))


def _put(values: Array, places: Array, *, size: int) -> Array:
    check_bounds("put_along_last", places, size)
    rows = math.prod(values.shape[:-1])
    first = np.arange(rows, dtype=np.int64)[:, None] * size
    numbers = (places.reshape(rows, values.shape[-1]) + first).reshape(-1)
    empty = np.zeros(rows * size, values.dtype)
    return combine_rows(np.add, empty, numbers, values).reshape(*values.shape[:-1], size)


put_along_last = define(
    Primitive(
        "put_along_last",
        "scatter",
        _put_rule,
        _put,
        lambda pull: [along_last(pull.g, pull.inputs[1]), None],
        samples=(
            sample(distinct(3, 4), integers(0, 6, 3, 4), size=6),
            sample(distinct(4), integers(0, 5, 4), size=5),
        ),
        doc="Zeros with values added at places of the last axis",
    )
)


def _searchsorted_rule(sorted_: TensorType, values: TensorType, *, side: str) -> TensorType:
    if sorted_.shape[:-1] != values.shape[:-1] or not sorted_.rank:
        raise misfit("searchsorted", "the leading axes differ", sequence=sorted_, values=values)
    return values.with_dtype(int64)


def _searchsorted(sorted_: Array, values: Array, *, side: str) -> Array:
    if sorted_.ndim == 1:
        return np.searchsorted(sorted_, values, side="left" if side == "left" else "right")
    rows = sorted_.reshape(-1, sorted_.shape[-1])
    wanted = values.reshape(len(rows), values.shape[-1])
    found = [_searchsorted(a, b, side=side) for a, b in zip(rows, wanted, strict=True)]
    return np.array(found, np.int64).reshape(values.shape)


searchsorted = define(
    Primitive(
        "searchsorted",
        "sort",
        _searchsorted_rule,
        _searchsorted,
        no_gradient,
        samples=(
            sample(distinct(5), distinct(3), side="left"),
            sample(distinct(2, 5), distinct(2, 3), side="right"),
            sample(distinct(0, 5), distinct(0, 3), side="left"),
        ),
        facts={"dtypes": REAL},
        doc="Where values belong in a sorted sequence along the last axis",
    )
)
