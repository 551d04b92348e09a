"""The regularised incomplete gamma and beta functions, by power series and continued fractions.

Derivatives by a shape parameter come from the same series evaluated at a + ih, whose imaginary part
is h times the derivative, without cancellation (Squire and Trapp, SIAM Review 40, 1998).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from slipstream.ir.dtypes import FLOATS
from slipstream.ir.graph import Array
from slipstream.primitives.base import Primitive
from slipstream.primitives.families import elementwise
from slipstream.primitives.gamma import (
    digamma,
    digamma_of,
    in_float64,
    lgamma,
    log_gamma,
    piecewise,
    stirling_rest,
)
from slipstream.primitives.samples import between, positive, sample
from slipstream.primitives.transcendental import exp, log, log1p

STEPS = 100_000  # of a series, at most; about 10 sqrt(a) are needed
TINY = 1e-300
IMAGINARY = 1e-30j
EPSILON = 2.0**-54


def _log1p_rest(m: Array) -> Array:
    """log1p(m) - m, exact near zero: with r = m / (2 + m), 2 artanh(r) - m."""
    r = m / (2 + m)
    square, power, total = r * r, np.ones_like(m), np.zeros_like(m)
    for k in range(20):
        total = total + power / (2 * k + 3)
        power = power * square
    near = -r * m + 2 * r * square * total
    return np.asarray(np.where(np.abs(m) < 0.5, near, np.log1p(m) - m))


def _weight(a: Array, x: Array) -> Array:
    """x^a exp(-x) / gamma(a + 1), without forming the large powers."""

    def small(a: Array, x: Array) -> Array:
        return np.asarray(np.power(x, a) * np.exp(-x - log_gamma(a + 1)))

    def large(a: Array, x: Array) -> Array:
        exponent = a * _log1p_rest((x - a) / a) - stirling_rest(a)
        return np.asarray(np.exp(exponent) / np.sqrt(2 * np.pi * a))

    return piecewise([(a < 10, small), (a >= 10, large)], a, x)


def _gamma_series(a: Array, x: Array) -> Array:
    """sum of x^n / ((a + 1) ... (a + n)) (DLMF 8.7.1)."""
    term = np.ones_like(a)
    total = np.ones_like(a)
    for n in range(1, STEPS):
        term = term * (x / (a + n))
        total = total + term
        if np.all(np.abs(term) <= EPSILON * np.abs(total)):
            break
    return total


def _lentz(numerator: Any, denominator: Any, like: Array) -> Array:
    """b0 + a1 / (b1 + a2 / (b2 + ...)), modified Lentz (Thompson and Barnett 1986)."""
    value = np.where(denominator(0) == 0, TINY, denominator(0)) + 0 * like
    c, d = value, np.zeros_like(value)
    for n in range(1, STEPS):
        d = denominator(n) + numerator(n) * d
        c = denominator(n) + numerator(n) / c
        d = 1 / np.where(d == 0, TINY, d)
        c = np.where(c == 0, TINY, c)
        value = value * (c * d)
        if np.all(np.abs(c * d - 1) <= 4 * EPSILON):
            break
    return np.asarray(value)


def _gamma_fraction(a: Array, x: Array) -> Array:
    """Gamma(a, x) exp(x) x^-a (DLMF 8.9.2, contracted)."""
    return 1 / _lentz(lambda n: -n * (n - a), lambda n: x + (2 * n + 1) - a, a)


def _lower(a: Array, x: Array) -> Array:
    return piecewise(
        [
            ((a <= 0) | (x < 0) | np.isnan(a) | np.isnan(x), lambda a, x: a * np.nan),
            ((x == 0) | np.isinf(a), lambda a, x: np.where(np.isinf(x) & np.isinf(a), np.nan, 0.0)),
            (np.isinf(x), lambda a, x: np.ones_like(a)),
            (x < a + 1, lambda a, x: _weight(a, x) * _gamma_series(a, x)),
            (x >= a + 1, lambda a, x: 1 - _weight(a, x) * a * _gamma_fraction(a, x)),
        ],
        a,
        x,
    )


def _upper(a: Array, x: Array) -> Array:
    series = (x < a + 1) | np.isinf(x) | ~(a > 0) | ~(x >= 0) | np.isinf(a)
    return piecewise(
        [
            (series, lambda a, x: 1 - _lower(a, x)),
            (~series, lambda a, x: _weight(a, x) * a * _gamma_fraction(a, x)),
        ],
        a,
        x,
    )


def _lower_by_shape(a: Array, x: Array) -> Array:
    """The derivative of the lower function by a."""

    def series(a: Array, x: Array) -> Array:
        total = _gamma_series(a + IMAGINARY, x)
        slope = total.imag / IMAGINARY.imag
        slope += (np.log(x) - digamma_of(a + 1)) * total.real
        return np.asarray(_weight(a, x) * slope)

    def fraction(a: Array, x: Array) -> Array:
        value = _gamma_fraction(a + IMAGINARY, x)
        slope = value.imag / IMAGINARY.imag
        slope += (np.log(x) - digamma_of(a)) * value.real
        return np.asarray(-_weight(a, x) * a * slope)

    outside = ~(a > 0) | ~(x >= 0) | np.isinf(a)
    return piecewise(
        [
            (outside, lambda a, x: a * np.nan),
            ((x == 0) | np.isinf(x), lambda a, x: np.zeros_like(a)),
            (x < a + 1, series),
            (x >= a + 1, fraction),
        ],
        a,
        x,
    )


def _density(a: Any, x: Any) -> Any:
    """x^(a-1) exp(-x) / gamma(a): the derivative of the lower function by x."""
    return exp((a - 1) * log(x) - x - lgamma(a))


# by its shape igamma has a first derivative and no second: not smooth to the registry's test
_SHAPED = (sample(positive(3, 5), positive(3, 5), smooth=False),)

igamma_by_shape: Primitive = elementwise(
    "igamma_by_shape",
    in_float64(_lower_by_shape),
    _SHAPED,
    derivative=(None, lambda g, a, x, y: g * _density(a, x) * (log(x) - digamma(a))),
    dtypes=FLOATS,
    doc="The derivative of igamma by its first argument",
)
igamma = elementwise(
    "igamma",
    in_float64(_lower),
    _SHAPED,
    derivative=(
        lambda g, a, x, y: g * igamma_by_shape(a, x),
        lambda g, a, x, y: g * _density(a, x),
    ),
    dtypes=FLOATS,
    doc="The lower regularised incomplete gamma function P(a, x)",
)
igammac = elementwise(
    "igammac",
    in_float64(_upper),
    _SHAPED,
    derivative=(
        lambda g, a, x, y: -g * igamma_by_shape(a, x),
        lambda g, a, x, y: -g * _density(a, x),
    ),
    dtypes=FLOATS,
    doc="The upper regularised incomplete gamma function Q(a, x) = 1 - P(a, x)",
)


# the incomplete beta function


def _beta_fraction(a: Array, b: Array, x: Array) -> Array:
    """The continued fraction 1 / (1 + d1 / (1 + d2 / ...)) (DLMF 8.17.22)."""

    def numerator(n: int) -> Array:
        m = n // 2
        if n % 2:
            return np.asarray(-(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)))
        return np.asarray(m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)))

    one = np.ones_like(a)
    return 1 / _lentz(numerator, lambda n: one, one)


def _beta_part(a: Array, b: Array, x: Array, rest: Array) -> Array:
    """I_x(a, b) where x is small enough; `rest` is 1 - x."""
    scale = log_gamma(a + b) - log_gamma(a) - log_gamma(b)
    weight = np.exp(a * np.log(x) + b * np.log(rest) + scale) / a
    return np.asarray(weight * _beta_fraction(a, b, x))


def _beta(a: Array, b: Array, x: Array) -> Array:
    below = x < (a + 1) / (a + b + 2)
    return piecewise(
        [
            (~((a > 0) & (b > 0) & (x >= 0) & (x <= 1)), lambda a, b, x: x * np.nan),
            ((x == 0) | (x == 1), lambda a, b, x: x),
            (below, lambda a, b, x: _beta_part(a, b, x, 1 - x)),
            (~below, lambda a, b, x: 1 - _beta_part(b, a, 1 - x, x)),
        ],
        a,
        b,
        x,
    )


def _beta_density(a: Any, b: Any, x: Any) -> Any:
    scale = lgamma(a + b) - lgamma(a) - lgamma(b)
    return exp((a - 1) * log(x) + (b - 1) * log1p(-x) + scale)


betainc = elementwise(
    "betainc",
    in_float64(_beta),
    (sample(positive(3, 5), positive(3, 5), between(0.1, 0.9, 3, 5), smooth=False),),
    derivative=(None, None, lambda g, a, b, x, y: g * _beta_density(a, b, x)),
    dtypes=FLOATS,
    doc="The regularised incomplete beta function I_x(a, b); no derivative by a and b",
)
