"""Reductions: where each begins, how two vectors combine, and how the lanes of one do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from llvmlite import ir

from slipstream.compiler.codegen.scalars import NUMBERS, extremum
from slipstream.compiler.codegen.vector import I32, Writer
from slipstream.ir.dtypes import DType, bool_
from slipstream.primitives import reduction as r
from slipstream.primitives.base import Primitive


class Reducer(NamedTuple):
    """`start(dtype)` changes nothing when `step(writer, total, value, dtype)` combines it."""

    start: Callable[[DType], Any]
    step: Callable[[Writer, Any, Any, DType], Any]
    dtypes: tuple[DType, ...]


def _lowest(dtype: DType) -> Any:
    return float("-inf") if dtype.is_floating else dtype.min


def _highest(dtype: DType) -> Any:
    return float("inf") if dtype.is_floating else dtype.max


def _add(w: Writer, total: Any, value: Any, dtype: DType) -> Any:
    return w.b.fadd(total, value) if dtype.is_floating else w.b.add(total, value)


def _multiply(w: Writer, total: Any, value: Any, dtype: DType) -> Any:
    return w.b.fmul(total, value) if dtype.is_floating else w.b.mul(total, value)


REDUCERS: dict[Primitive, Reducer] = {
    r.sum_: Reducer(lambda d: 0, _add, NUMBERS),
    r.product: Reducer(lambda d: 1, _multiply, NUMBERS),
    r.max_: Reducer(_lowest, lambda w, t, v, d: extremum(w, ">=", t, v, d), NUMBERS),
    r.min_: Reducer(_highest, lambda w, t, v, d: extremum(w, "<=", t, v, d), NUMBERS),
    r.all_: Reducer(lambda d: 1, lambda w, t, v, d: w.b.and_(t, v), (bool_,)),
    r.any_: Reducer(lambda d: 0, lambda w, t, v, d: w.b.or_(t, v), (bool_,)),
}


def identity(w: Writer, operation: Primitive, dtype: DType) -> Any:
    """A vector to begin with."""
    return w.constant(dtype, REDUCERS[operation].start(dtype))


def combine(w: Writer, operation: Primitive, total: Any, value: Any, dtype: DType) -> Any:
    """The total with one more vector."""
    return REDUCERS[operation].step(w, total, value, dtype)


def horizontal(w: Writer, operation: Primitive, total: Any, dtype: DType) -> Any:
    """A vector whose first lane combines all lanes: halves, then quarters, in a fixed order."""
    nothing = ir.Constant(total.type, ir.Undefined)
    width = w.lanes // 2
    while width:
        order = [min(i + width, w.lanes - 1) for i in range(w.lanes)]
        shuffle = ir.Constant(ir.VectorType(I32, w.lanes), order)
        moved = w.b.shuffle_vector(total, nothing, shuffle)
        total = combine(w, operation, total, moved, dtype)
        width //= 2
    return total
