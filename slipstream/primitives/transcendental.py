"""Powers, exponentials, logarithms, angles and hyperbolic functions.

What a compiler has no code for expands into what it has (`slipstream info --ops` tells which), in
forms exact near zero that overflow only where the function does.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np

from slipstream.ir.dtypes import FLOATS, DType
from slipstream.ir.graph import Array
from slipstream.primitives.arithmetic import absolute, maximum, minimum, rsqrt, sign, sqrt
from slipstream.primitives.base import Primitive, misfit
from slipstream.primitives.comparison import equal, greater, less
from slipstream.primitives.complex import conj
from slipstream.primitives.families import CONTINUOUS, NUMERIC, elementwise, where
from slipstream.primitives.samples import between, positive, reals, sample

COST = 10  # as many additions, or more
function = partial(elementwise, cost=COST)


def _power(x: Array, y: Array) -> Array:
    if x.dtype.kind == "i" and np.any(y < 0):
        raise misfit("power", "an integer to a negative power is not an integer")
    return np.asarray(np.power(x, y))


def _power_by_exponent(g: Any, x: Any, y: Any, z: Any) -> Any:
    if x.dtype.is_complex:
        return g * conj(z * log(x))
    return g * z * log(where(greater(x, x.coerce(0)), x, 1))


power: Primitive = function(
    "power",
    _power,
    (sample(positive(3, 5), positive(3, 5)), sample(positive(4, 1), between(0, 2, 3))),
    derivative=(lambda g, x, y, z: g * conj(y * power(x, y - 1)), _power_by_exponent),
    dtypes=NUMERIC,
    doc="x to the power y",
)
exp = function(
    "exp", np.exp, [reals(3, 17)], derivative=lambda g, x, y: g * conj(y), dtypes=CONTINUOUS,
    doc="e to the power x",
)  # fmt: skip
expm1 = function(
    "expm1", np.expm1, [reals(3, 17)], derivative=lambda g, x, y: g * conj(y + 1),
    dtypes=CONTINUOUS, doc="exp(x) - 1, exact near zero",
)  # fmt: skip
log = function(
    "log", np.log, [positive(3, 17)], derivative=lambda g, x, y: g / conj(x), dtypes=CONTINUOUS,
    doc="The natural logarithm",
)  # fmt: skip
log1p = function(
    "log1p", np.log1p, [positive(3, 17)], derivative=lambda g, x, y: g / conj(x + 1),
    dtypes=CONTINUOUS, doc="log(1 + x), exact near zero",
)  # fmt: skip


def _sigmoid(x: Array) -> Array:
    if x.dtype.kind == "c":
        return np.asarray(1 / (1 + np.exp(-x)))
    z = np.exp(-np.abs(x))
    return np.asarray(np.where(x >= 0, np.ones_like(z), z) / (1 + z), x.dtype)


sigmoid = function(
    "sigmoid", _sigmoid, [reals(3, 17)], derivative=lambda g, x, y: g * conj(y * (1 - y)),
    dtypes=CONTINUOUS, expand=lambda x: 1 / (1 + exp(-x)), doc="1 / (1 + exp(-x))",
)  # fmt: skip
tanh = function(
    "tanh", np.tanh, [reals(3, 17)], derivative=lambda g, x, y: g * conj(1 - y * y),
    dtypes=CONTINUOUS, doc="The hyperbolic tangent",
)  # fmt: skip


def _softplus(x: Array) -> Array:
    return np.asarray(np.logaddexp(x, np.zeros_like(x)), x.dtype)


softplus = function(
    "softplus", _softplus, [reals(3, 17)], derivative=lambda g, x, y: g * sigmoid(x),
    dtypes=FLOATS, expand=lambda x: maximum(x, x.coerce(0)) + log1p(exp(-absolute(x))),
    doc="log(1 + exp(x))",
)  # fmt: skip
sin = function(
    "sin", np.sin, [reals(3, 17)], derivative=lambda g, x, y: g * conj(cos(x)),
    dtypes=CONTINUOUS, doc="The sine of an angle in radians",
)  # fmt: skip
cos: Primitive = function(
    "cos", np.cos, [reals(3, 17)], derivative=lambda g, x, y: -g * conj(sin(x)),
    dtypes=CONTINUOUS, doc="The cosine of an angle in radians",
)  # fmt: skip
tan = function(
    "tan", np.tan, [between(-1, 1, 3, 17)], derivative=lambda g, x, y: g * conj(1 + y * y),
    dtypes=CONTINUOUS, expand=lambda x: sin(x) / cos(x), doc="The tangent",
)  # fmt: skip
arctan2 = function(
    "arctan2",
    np.arctan2,
    (sample(positive(3, 5), reals(3, 5)),),
    derivative=(
        lambda g, y, x, z: g * x / (x * x + y * y),
        lambda g, y, x, z: -g * y / (x * x + y * y),
    ),
    dtypes=FLOATS,
    doc="The angle of the point (x, y): arctan2(y, x)",
)
arctan = function(
    "arctan", np.arctan, [reals(3, 5)], derivative=lambda g, x, y: g / conj(1 + x * x),
    dtypes=CONTINUOUS, doc="The inverse tangent",
)  # fmt: skip


def _cosine_of_arcsine(x: Any) -> Any:
    """sqrt(1 - x x), without cancellation near 1."""
    return sqrt((1 - x) * (1 + x))


arcsin = function(
    "arcsin", np.arcsin, [between(-0.9, 0.9, 3, 5)], dtypes=CONTINUOUS,
    derivative=lambda g, x, y: g * conj(rsqrt(1 - x * x)),
    expand=lambda x: arctan2(x, _cosine_of_arcsine(x)), doc="The inverse sine",
)  # fmt: skip
arccos = function(
    "arccos", np.arccos, [between(-0.9, 0.9, 3, 5)], dtypes=CONTINUOUS,
    derivative=lambda g, x, y: -g * conj(rsqrt(1 - x * x)),
    expand=lambda x: arctan2(_cosine_of_arcsine(x), x), doc="The inverse cosine",
)  # fmt: skip


def _largest_logarithm(dtype: DType) -> float:
    return {"float16": 11.0, "float64": 709.0}.get(dtype.name, 88.0)


def _with_sign(size: Any, x: Any) -> Any:
    """The size with the sign of x; x itself, of either sign, where it is 0."""
    return where(equal(x, x.coerce(0)), x, sign(x) * size)


def _sinh_expanded(x: Any) -> Any:
    """2 sinh(a/2) cosh(a/2) of a = |x|, both by expm1(a/2), which overflows later than exp(a)."""
    t = expm1(minimum(absolute(x) * 0.5, x.coerce(_largest_logarithm(x.dtype))))
    e = t + 1
    return _with_sign((0.5 * (t + t / e)) * (e + 1 / e), x)


def _cosh_expanded(x: Any) -> Any:
    """(e e + 1 / (e e)) / 2 of e = exp(|x|/2), which overflows later than exp(|x|)."""
    e = exp(absolute(x) * 0.5)
    return 0.5 * e * e + 0.5 / e / e


sinh = function(
    "sinh", np.sinh, [reals(3, 5)], derivative=lambda g, x, y: g * conj(cosh(x)),
    dtypes=CONTINUOUS, expand=_sinh_expanded, doc="The hyperbolic sine",
)  # fmt: skip
cosh: Primitive = function(
    "cosh", np.cosh, [reals(3, 5)], derivative=lambda g, x, y: g * conj(sinh(x)),
    dtypes=CONTINUOUS, expand=_cosh_expanded, doc="The hyperbolic cosine",
)  # fmt: skip


def _far(dtype: DType) -> float:
    """From here on log(2 a) stands for arcsinh and arccosh of a; a a does not overflow before."""
    bits, largest = {
        "float16": (10, 2.0**15), "bfloat16": (7, 2.0**127), "float32": (23, 2.0**127),
    }.get(dtype.name, (52, 2.0**1023))  # fmt: skip
    return min(4 * 2.0**bits, 0.9 * math.sqrt(largest))


def _log1p_or_far(a: Any, near: Any) -> Any:
    """log1p(near), or log(2 a) where a is far."""
    far = greater(a, a.coerce(_far(a.dtype)))
    return log1p(where(far, a, near)) + where(far, a.coerce(math.log(2)), 0)


def _arcsinh_expanded(x: Any) -> Any:
    a = absolute(x)
    square = a * a
    return _with_sign(_log1p_or_far(a, a + square / (1 + sqrt(square + 1))), x)


def _arccosh_expanded(x: Any) -> Any:
    """log1p(t + sqrt(t (t + 2))) of t = x - 1, exact near 1; nan below 1."""
    t = where(less(x, x.coerce(1)), x.coerce(math.nan), x - 1)
    return _log1p_or_far(x, t + sqrt(t * (t + 2)))


def _arctanh_expanded(x: Any) -> Any:
    a = absolute(x)
    return _with_sign(0.5 * log1p(2 * a / (1 - a)), x)


arcsinh = function(
    "arcsinh", np.arcsinh, [reals(3, 5)], derivative=lambda g, x, y: g * conj(rsqrt(x * x + 1)),
    dtypes=CONTINUOUS, expand=_arcsinh_expanded, doc="The inverse hyperbolic sine",
)  # fmt: skip
arccosh = function(
    "arccosh", np.arccosh, [between(1.2, 3, 3, 5)], dtypes=CONTINUOUS,
    derivative=lambda g, x, y: g * conj(rsqrt(x - 1) * rsqrt(x + 1)), expand=_arccosh_expanded,
    doc="The inverse hyperbolic cosine",
)  # fmt: skip
arctanh = function(
    "arctanh", np.arctanh, [between(-0.9, 0.9, 3, 5)], dtypes=CONTINUOUS,
    derivative=lambda g, x, y: g / conj(1 - x * x), expand=_arctanh_expanded,
    doc="The inverse hyperbolic tangent",
)  # fmt: skip
