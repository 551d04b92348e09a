"""Arithmetic: sums, products, quotients, remainders, extrema, signs, squares and rounding."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from slipstream.ir.dtypes import FLOATS
from slipstream.ir.graph import Array
from slipstream.primitives.base import Primitive, misfit
from slipstream.primitives.comparison import equal, greater, less, logical_and, not_equal
from slipstream.primitives.complex import conj
from slipstream.primitives.families import CONTINUOUS, NUMERIC, PAIR, REAL, elementwise, where
from slipstream.primitives.samples import between, distinct, positive, reals, sample

DISTINCT_PAIR = (sample(distinct(3, 5), between(2.5, 4.0, 5)), sample(distinct(4), reals(3, 4)))

add = elementwise(
    "add", np.add, PAIR, derivative=(lambda g, x, y, z: g, lambda g, x, y, z: g), dtypes=NUMERIC,
    doc="x + y",
)  # fmt: skip
subtract = elementwise(
    "subtract", np.subtract, PAIR, dtypes=NUMERIC,
    derivative=(lambda g, x, y, z: g, lambda g, x, y, z: -g), doc="x - y",
)  # fmt: skip
multiply = elementwise(
    "multiply", np.multiply, PAIR, dtypes=NUMERIC,
    derivative=(lambda g, x, y, z: g * conj(y), lambda g, x, y, z: g * conj(x)), doc="x y",
)  # fmt: skip
divide = elementwise(
    "divide",
    np.true_divide,
    (sample(reals(3, 17), positive(3, 17)), sample(reals(4, 1), positive(5))),
    derivative=(lambda g, x, y, z: g / conj(y), lambda g, x, y, z: -g * conj(z / y)),
    dtypes=CONTINUOUS,
    doc="x / y",
)


def _checked(name: str, ufunc: Callable[[Array, Array], Any]) -> Callable[[Array, Array], Array]:
    """The ufunc, but an integer divided by zero is an error, as it is in TensorFlow."""

    def meaning(x: Array, y: Array) -> Array:
        if x.dtype.kind in "iu" and not np.all(y):
            raise misfit(name, "integer division by zero")
        return np.asarray(ufunc(x, y))

    return meaning


_QUOTIENTS = (sample(reals(3, 5), positive(3, 5), smooth=False),)


def _floor_mod_expanded(x: Any, y: Any) -> Any:
    """The remainder of truncation, moved by y where its sign is not that of y."""
    rest = truncated_mod(x, y)
    zero = rest.coerce(0)
    wrong = logical_and(not_equal(rest, zero), not_equal(less(rest, zero), less(y, zero)))
    return where(wrong, rest + y, rest)


floor_divide = elementwise(
    "floor_divide", _checked("floor_divide", np.floor_divide), _QUOTIENTS, dtypes=REAL,
    doc="The largest integer not above x / y",
)  # fmt: skip
floor_mod = elementwise(
    "floor_mod",
    _checked("floor_mod", np.mod),
    _QUOTIENTS,
    derivative=(lambda g, x, y, z: g, lambda g, x, y, z: -g * floor(x / y)),
    dtypes=REAL,
    expand=_floor_mod_expanded,
    doc="The remainder with the sign of y",
)
truncated_mod: Primitive = elementwise(
    "truncated_mod",
    _checked("truncated_mod", np.fmod),
    _QUOTIENTS,
    derivative=(lambda g, x, y, z: g, lambda g, x, y, z: -g * truncate(x / y)),
    dtypes=REAL,
    doc="The remainder with the sign of x, as C's fmod and %",
)


def _first_wins(g: Any, x: Any, y: Any, z: Any) -> Any:
    return where(equal(x, z), g, 0)


def _second_wins(g: Any, x: Any, y: Any, z: Any) -> Any:
    return where(equal(x, z), 0, g)


maximum = elementwise(
    "maximum", np.maximum, DISTINCT_PAIR, derivative=(_first_wins, _second_wins), dtypes=REAL,
    doc="The larger of x and y; nan if one is",
)  # fmt: skip
minimum = elementwise(
    "minimum", np.minimum, DISTINCT_PAIR, derivative=(_first_wins, _second_wins), dtypes=REAL,
    doc="The smaller of x and y; nan if one is",
)  # fmt: skip
relu = elementwise(
    "relu", lambda x: np.maximum(x, np.zeros((), x.dtype)), [distinct(3, 16)],
    derivative=lambda g, x, y: where(greater(y, y.coerce(0)), g, 0), dtypes=REAL,
    expand=lambda x: maximum(x, x.coerce(0)),
    doc="The larger of x and 0; its derivative at 0 is 0",
)  # fmt: skip
nextafter = elementwise(
    "nextafter", np.nextafter, (sample(reals(3, 5), reals(3, 5), smooth=False),),
    derivative=(lambda g, x, y, z: g, None), dtypes=FLOATS[2:],
    doc="The next representable number after x towards y",
)  # fmt: skip

negative = elementwise(
    "negative", np.negative, [reals(3, 17)], derivative=lambda g, x, y: -g, dtypes=NUMERIC,
    doc="-x",
)  # fmt: skip
absolute = elementwise(
    "absolute", np.abs, [distinct(3, 16)], derivative=lambda g, x, y: g * sign(x), dtypes=REAL,
    doc="|x| of a real number",
)  # fmt: skip
sign: Primitive = elementwise(
    "sign", np.sign, [reals(3, 5)], dtypes=REAL, doc="-1, 0 or 1; nan of nan"
)
square = elementwise(
    "square", np.square, [reals(3, 17)], derivative=lambda g, x, y: g * conj(x + x),
    dtypes=NUMERIC, expand=lambda x: x * x, doc="x x",
)  # fmt: skip
sqrt = elementwise(
    "sqrt", np.sqrt, [positive(3, 17)], derivative=lambda g, x, y: g * 0.5 / conj(y),
    dtypes=CONTINUOUS, doc="The square root",
)  # fmt: skip


def _rsqrt(x: Array) -> Array:
    return np.asarray(np.reciprocal(np.sqrt(x)))


rsqrt = elementwise(
    "rsqrt", _rsqrt, [positive(3, 17)], derivative=lambda g, x, y: g * -0.5 * conj(y / x),
    dtypes=CONTINUOUS, expand=lambda x: 1 / sqrt(x), doc="1 / sqrt(x)",
)  # fmt: skip
reciprocal = elementwise(
    "reciprocal", np.reciprocal, [positive(3, 17)], derivative=lambda g, x, y: -g * conj(y * y),
    dtypes=CONTINUOUS, expand=lambda x: 1 / x, doc="1 / x",
)  # fmt: skip

floor: Primitive = elementwise(
    "floor", np.floor, [reals(3, 5)], dtypes=FLOATS, doc="Down to an integer"
)
ceil = elementwise("ceil", np.ceil, [reals(3, 5)], dtypes=FLOATS, doc="Up to an integer")
round_ = elementwise(
    "round", np.rint, [reals(3, 5)], dtypes=FLOATS, doc="To the nearest integer, halves to even"
)
truncate: Primitive = elementwise(
    "truncate", np.trunc, [reals(3, 5)], dtypes=FLOATS, doc="Towards zero"
)
