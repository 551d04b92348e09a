"""The error function, its complement and the inverses of both, within a few ulp.

Each formula is one text for NumPy arrays (computed in float64) and operands (the expansion).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from slipstream.ir.dtypes import FLOATS, as_dtype, float32
from slipstream.ir.graph import Array
from slipstream.primitives.approximations import (
    ERF,
    ERFCX,
    ERFINV_FAR,
    ERFINV_NEAR,
    ERFINV_TAIL,
    NUMPY,
    Functions,
    chebyshev,
    on_interval,
)
from slipstream.primitives.arithmetic import absolute, maximum, minimum, round_, sqrt
from slipstream.primitives.base import Primitive
from slipstream.primitives.comparison import less
from slipstream.primitives.complex import cast
from slipstream.primitives.families import elementwise, where
from slipstream.primitives.samples import Spec, between, reals
from slipstream.primitives.transcendental import COST, exp, log

Formula = Callable[[Any, Functions], Any]
TWO_BY_ROOT_PI = 2 / math.sqrt(math.pi)
ROOT_FIVE = math.sqrt(5)

PRIMITIVES = Functions(
    exp,
    log,
    sqrt,
    absolute,
    round_,
    lambda x, y: minimum(x, x.coerce(y)),
    lambda x, y: maximum(x, x.coerce(y)),
    lambda x, y: less(x, x.coerce(y)),
    where,
    2.0**-27,
)


def in_float64(formula: Formula) -> Callable[[Array], Array]:
    """The formula as a NumPy meaning: computed in float64, rounded once."""

    def meaning(x: Array) -> Array:
        return np.asarray(formula(x.astype(np.float64), NUMPY), x.dtype)

    return meaning


def expanded(formula: Formula) -> Callable[[Any], Any]:
    """The formula as an expansion: 16-bit floats in float32, the others in their own dtype."""

    def expand(x: Any) -> Any:
        dtype = x.dtype
        if dtype is as_dtype("float64"):
            return formula(x, PRIMITIVES._replace(precision=NUMPY.precision))
        if dtype is float32:
            return formula(x, PRIMITIVES)
        return cast(formula(cast(x, dtype=float32), PRIMITIVES), dtype=dtype)

    return expand


def special(
    name: str, formula: Formula, samples: Spec, derivative: Callable[..., Any], doc: str
) -> Primitive:
    """A function of one real number, defined by a formula."""
    return elementwise(
        name,
        in_float64(formula),
        [samples],
        derivative=derivative,
        expand=expanded(formula),
        dtypes=FLOATS,
        cost=COST,
        doc=doc,
    )


def _erf_near(x: Any, f: Functions) -> Any:
    """erf(x) where |x| < 1."""
    return x * on_interval(x * x, 0.0, 1.0, ERF, f)


def _scaled_complement(a: Any, f: Functions) -> Any:
    """exp(a a) erfc(a) where a >= 0."""
    return chebyshev((a - 3.75) / (a + 3.75), ERFCX, f.precision) / (1 + 2 * a)


def _erf(x: Any, f: Functions) -> Any:
    a = f.absolute(x)
    b = f.minimum(a, 6.0)
    far = 1 - f.exp(-b * b) * _scaled_complement(b, f)
    return f.where(f.less(a, 1.0), _erf_near(x, f), f.where(f.less(x, 0.0), -far, far))


def _erfc(x: Any, f: Functions) -> Any:
    """The square in exp(-a a) is split, so that its rounding does not grow in the tail."""
    a = f.absolute(x)
    b = f.minimum(a, 28.0)
    coarse = f.round(b * 16) * (1 / 16)
    square = f.exp(-coarse * coarse) * f.exp((coarse - b) * (coarse + b))
    tail = square * _scaled_complement(b, f)
    far = f.where(f.less(x, 0.0), 2 - tail, tail)
    return f.where(f.less(a, 0.5), 1 - _erf_near(x, f), far)


def _inverse(x: Any, product: Any, f: Functions) -> Any:
    """erfinv(x), where `product` is (1 - x)(1 + x) without cancellation."""
    w = -f.log(product)
    s = f.sqrt(f.maximum(w, 0.0))
    near = x * on_interval(w, 0.0, 5.0, ERFINV_NEAR, f)
    tail = on_interval(s, ROOT_FIVE, 6.05, ERFINV_TAIL, f)
    far = on_interval(s, 6.05, 27.5, ERFINV_FAR, f)
    size = f.where(f.less(s, 6.05), tail, f.where(f.less(-w, -800.0), w, far))
    return f.where(f.less(w, 5.0), near, f.where(f.less(x, 0.0), -size, size))


erf = special(
    "erf",
    _erf,
    reals(3, 17),
    lambda g, x, y: g * (TWO_BY_ROOT_PI * exp(-(x * x))),
    "The error function: 2 / sqrt(pi) times the integral of exp(-t t) from 0 to x",
)
erfc = special(
    "erfc",
    _erfc,
    reals(3, 17),
    lambda g, x, y: g * (-TWO_BY_ROOT_PI * exp(-(x * x))),
    "1 - erf(x), exact where it is small",
)
erfinv = special(
    "erfinv",
    lambda x, f: _inverse(x, (1 - x) * (1 + x), f),
    between(-0.98, 0.98, 3, 17),
    lambda g, x, y: g * (exp(y * y) / TWO_BY_ROOT_PI),
    "The y whose erf is x; infinite at -1 and 1",
)
erfcinv = special(
    "erfcinv",
    lambda x, f: _inverse(1 - x, x * (2 - x), f),
    between(0.02, 1.98, 3, 17),
    lambda g, x, y: g * (-exp(y * y) / TWO_BY_ROOT_PI),
    "The y whose erfc is x; infinite at 0 and 2",
)
