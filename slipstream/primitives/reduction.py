"""Sums, products, extrema, arg-extrema and cumulative sums along axes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from slipstream.ir.dtypes import FLOATS, DType, bool_, from_numpy, int64
from slipstream.ir.graph import Array
from slipstream.ir.types import Shape, TensorType
from slipstream.primitives.base import REGISTRY, Primitive, Pull, define, misfit
from slipstream.primitives.elementwise import (
    NUMERIC,
    REAL,
    cast,
    conj,
    equal,
    exp,
    greater,
    log,
    logical_and,
)
from slipstream.primitives.families import no_gradient, where
from slipstream.primitives.samples import Sample, booleans, distinct, positive, reals, sample


def reduced_shape(x: TensorType, axes: Sequence[int]) -> Shape:
    return tuple(n for i, n in enumerate(x.shape) if i not in axes)


def spread(y: Any, like: Any, axes: Sequence[int]) -> Any:
    """A reduced operand repeated over the axes that it was reduced by."""
    kept = tuple(1 if i in axes else n for i, n in enumerate(like.shape))
    back = REGISTRY["reshape"](y, shape=kept)
    return REGISTRY["broadcast_to"](back, shape=like.shape)


def _reduction(
    name: str,
    meaning: Callable[..., Any],
    samples: Sequence[Sample],
    dtypes: Sequence[DType],
    derivative: Callable[[Pull], list[Any]] = no_gradient,
    doc: str = "",
) -> Primitive:
    def rule(x: TensorType, *, axes: tuple[int, ...]) -> TensorType:
        if x.dtype not in dtypes:
            raise misfit(name, "the dtype cannot be reduced so", x=x)
        if any(not 0 <= axis < x.rank for axis in axes) or len(set(axes)) != len(axes):
            raise misfit(name, "the axes are not distinct axes of the input", x=x, axes=axes)
        return x.with_shape(reduced_shape(x, axes))

    return define(
        Primitive(
            name, "reduction", rule, meaning, derivative, None, tuple(samples),
            facts={"dtypes": tuple(dtypes)}, doc=doc,
        )
    )  # fmt: skip


def _sum_derivative(pull: Pull) -> list[Any]:
    return [spread(pull.g, pull.inputs[0], pull.params["axes"])]


def _extremum_derivative(pull: Pull) -> list[Any]:
    """The cotangent goes to the extreme element; equal ones share it."""
    x, axes = pull.inputs[0], pull.params["axes"]
    hits = equal(x, spread(pull.outputs[0], x, axes))
    count = sum_(cast(hits, dtype=x.dtype), axes=axes)
    return [where(hits, spread(pull.g / count, x, axes), x.coerce(0))]


def _product_derivative(pull: Pull) -> list[Any]:
    """The product of the others, by exclusive products from both sides: right where zeros are."""
    x, axes = pull.inputs[0], pull.params["axes"]
    if not axes:
        return [pull.g]
    kept = tuple(i for i in range(len(x.shape)) if i not in axes)
    order = kept + tuple(axes)
    moved = REGISTRY["transpose"](x, permutation=order)
    flat = REGISTRY["reshape"](moved, shape=(*(x.shape[i] for i in kept), -1 if x.type.size else 0))
    last = len(kept)
    before = cumulative_product(flat, axis=last, exclusive=True, reverse=False)
    after = cumulative_product(flat, axis=last, exclusive=True, reverse=True)
    others = REGISTRY["reshape"](before * after, shape=moved.shape)
    inverse = tuple(int(i) for i in np.argsort(order))
    return [spread(pull.g, x, axes) * conj(REGISTRY["transpose"](others, permutation=inverse))]


def _accumulator(x: Array) -> Any:
    """The dtype in which elements are added up: 16-bit floats in float32."""
    return np.float32 if x.itemsize == 2 and x.dtype.kind not in "iu" else x.dtype


def _sum(x: Array, *, axes: tuple[int, ...]) -> Array:
    return np.asarray(np.sum(x, axis=axes, dtype=_accumulator(x))).astype(x.dtype, copy=False)


def _product(x: Array, *, axes: tuple[int, ...]) -> Array:
    return np.asarray(np.prod(x, axis=axes, dtype=_accumulator(x))).astype(x.dtype, copy=False)


def _extremum(ufunc: Any, highest: bool) -> Callable[..., Array]:
    def meaning(x: Array, *, axes: tuple[int, ...]) -> Array:
        if x.size:
            return np.asarray(ufunc.reduce(x, axis=axes)) if axes else x
        dtype = from_numpy(x.dtype)
        bound = dtype.min if highest else dtype.max
        infinite = -np.inf if highest else np.inf
        start = infinite if dtype.is_floating else bound
        return np.full(reduced_shape(TensorType(x.shape, dtype), axes), start, x.dtype)

    return meaning


SUMMED = (
    sample(reals(3, 17), axes=(1,)),
    sample(reals(2, 3, 4), axes=(0, 2)),
    sample(reals(5), axes=(0,)),
    sample(reals(0, 3), axes=(0,)),
)
EXTREMES = (sample(distinct(3, 17), axes=(1,)), sample(distinct(2, 3, 4), axes=(0, 2)))
TRUTHS = (sample(booleans(3, 5), axes=(1,)), sample(booleans(2, 3), axes=(0, 1)))

sum_ = _reduction("sum", _sum, SUMMED, NUMERIC, _sum_derivative, "The sum along axes")
product = _reduction(
    "product",
    _product,
    (sample(positive(3, 4), axes=(1,)), sample(positive(2, 3, 2), axes=(0, 2))),
    NUMERIC,
    _product_derivative,
    "The product along axes",
)
max_ = _reduction(
    "max", _extremum(np.maximum, True), EXTREMES, REAL, _extremum_derivative, "The largest"
)
min_ = _reduction(
    "min", _extremum(np.minimum, False), EXTREMES, REAL, _extremum_derivative, "The smallest"
)
all_ = _reduction(
    "all", lambda x, axes: np.all(x, axis=axes), TRUTHS, (bool_,), doc="Whether all hold"
)
any_ = _reduction(
    "any", lambda x, axes: np.any(x, axis=axes), TRUTHS, (bool_,), doc="Whether one holds"
)


def _arg_extremum(name: str, function: Callable[..., Any], doc: str, extremum: str) -> Primitive:
    def rule(x: TensorType, *, axis: int, dtype: DType) -> TensorType:
        if not 0 <= axis < x.rank or x.shape[axis] == 0 or not dtype.is_integer:
            raise misfit(name, "there is no such non-empty axis", x=x, axis=axis, dtype=dtype)
        return TensorType(reduced_shape(x, (axis,)), dtype)

    def meaning(x: Array, *, axis: int, dtype: DType) -> Array:
        return np.asarray(function(x, axis=axis)).astype(dtype.numpy)

    def expand(x: Any, *, axis: int, dtype: DType) -> Any:
        """The least index whose element is the extremum, or is nan: then the extremum is."""
        best = spread(REGISTRY[extremum](x, axes=(axis,)), x, (axis,))
        found = REGISTRY["equal"](x, best)
        if x.dtype.is_floating:
            found = REGISTRY["logical_or"](found, REGISTRY["not_equal"](x, x))
        index = REGISTRY["iota"](shape=x.shape, axis=axis, dtype=dtype)
        last = REGISTRY["broadcast_to"](index.coerce(x.shape[axis] - 1), shape=x.shape)
        return REGISTRY["min"](REGISTRY["select"](found, index, last), axes=(axis,))

    return define(
        Primitive(
            name, "reduction", rule, meaning, no_gradient, expand,
            (sample(distinct(3, 17), axis=1, dtype=int64),), facts={"dtypes": REAL}, doc=doc,
        )
    )  # fmt: skip


argmax = _arg_extremum(
    "argmax", np.argmax, "The index of the first largest element along an axis", "max"
)
argmin = _arg_extremum("argmin", np.argmin, "The index of the first smallest element", "min")


def _cumulative(
    name: str,
    ufunc: Any,
    start: float,
    derivative: Callable[[Pull], list[Any]],
    dtypes: Sequence[DType],
    doc: str,
) -> Primitive:
    def rule(x: TensorType, *, axis: int, exclusive: bool, reverse: bool) -> TensorType:
        if not 0 <= axis < x.rank or x.dtype not in dtypes:
            raise misfit(name, "there is no such axis of numbers", x=x, axis=axis)
        return x

    def meaning(x: Array, *, axis: int, exclusive: bool, reverse: bool) -> Array:
        y = np.flip(x, axis) if reverse else x
        y = ufunc.accumulate(y.astype(_accumulator(x), copy=False), axis=axis)
        if exclusive and x.shape[axis]:
            first = np.full_like(np.take(y, [0], axis), start)
            y = np.concatenate([first, np.delete(y, -1, axis)], axis)
        return np.asarray(np.flip(y, axis) if reverse else y).astype(x.dtype, copy=False)

    samples = tuple(
        sample(positive(3, 5), axis=axis, exclusive=exclusive, reverse=reverse)
        for axis, exclusive, reverse in ((1, False, False), (0, True, False), (1, True, True))
    )
    return define(
        Primitive(
            name, "scan", rule, meaning, derivative, None, samples,
            facts={"dtypes": tuple(dtypes)}, doc=doc,
        )
    )  # fmt: skip


def _turned(pull: Pull) -> dict[str, Any]:
    """The parameters of the same scan from the other side."""
    return {**pull.params, "reverse": not pull.params["reverse"]}


def _cumulative_sum_derivative(pull: Pull) -> list[Any]:
    return [cumulative_sum(pull.g, **_turned(pull))]


def _cumulative_product_derivative(pull: Pull) -> list[Any]:
    """sum over later j of g_j y_j / x_i, which needs x without zeros, as TensorFlow's does."""
    x, y = pull.inputs[0], pull.outputs[0]
    return [cumulative_sum(conj(y) * pull.g, **_turned(pull)) / conj(x)]


def _cumulative_logsumexp_derivative(pull: Pull) -> list[Any]:
    """sum over later j of g_j exp(x_i - y_j); positive and negative terms apart, as logarithms."""
    x, y = pull.inputs[0], pull.outputs[0]
    finite = greater(y, y.coerce(-np.inf))

    def part(g: Any) -> Any:
        positive = logical_and(greater(g, g.coerce(0)), finite)
        logarithm = where(positive, log(where(positive, g, 1)) - y, -np.inf)
        return exp(x + cumulative_logsumexp(logarithm, **_turned(pull)))

    return [part(pull.g) - part(-pull.g)]


cumulative_sum = _cumulative(
    "cumulative_sum", np.add, 0, _cumulative_sum_derivative, NUMERIC, "Partial sums along an axis"
)
cumulative_product = _cumulative(
    "cumulative_product", np.multiply, 1, _cumulative_product_derivative, NUMERIC,
    "Partial products along an axis",
)  # fmt: skip
cumulative_logsumexp: Primitive = _cumulative(
    "cumulative_logsumexp", np.logaddexp, -np.inf, _cumulative_logsumexp_derivative, FLOATS,
    "The logarithms of partial sums of exponentials along an axis",
)  # fmt: skip
