"""The logarithm of the gamma function and its derivatives: digamma, polygamma; Hurwitz's zeta."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from slipstream.ir.dtypes import FLOATS
from slipstream.ir.graph import Array
from slipstream.primitives.approximations import DIGAMMA, LOG_GAMMA, NUMPY, on_interval
from slipstream.primitives.base import Primitive
from slipstream.primitives.families import elementwise
from slipstream.primitives.samples import between, integers, positive, sample

DIGAMMA_ROOT = (1.4616321449683622, 9.549995429965697e-17)  # rounded, and the rest
# B(2k) / (2k (2k - 1)), of Stirling's series; B(2k) / 2k, of its derivative; B(2k) / (2k)!
STIRLING = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156, -3617 / 122400)
DIGAMMA_SERIES = (1 / 12, -1 / 120, 1 / 252, -1 / 240, 1 / 132, -691 / 32760, 1 / 12, -3617 / 8160)
BERNOULLI = (
    1 / 12, -1 / 720, 1 / 30240, -1 / 1209600, 1 / 47900160, -691 / 1307674368000,
    1 / 74724249600, -3617 / 10670622842880000, 43867 / 5109094217170944000,
    -174611 / 802857662698291200000,
)  # fmt: skip
FACTORIALS = np.array([float(math.factorial(n)) for n in range(171)])
Vectors = Callable[..., Array]


def in_float64(function: Vectors) -> Callable[..., Array]:
    """A function of float64 vectors as the meaning of an element-wise primitive of any float."""

    def meaning(*arrays: Array) -> Array:
        wide = np.broadcast_arrays(*(a.astype(np.float64) for a in arrays))
        out = function(*(a.reshape(-1) for a in wide))
        return out.reshape(wide[0].shape).astype(arrays[0].dtype)

    return meaning


def piecewise(cases: Sequence[tuple[Array, Vectors]], *vectors: Array) -> Array:
    """Each element by the function of the first case that holds for it; nan where none does."""
    out = np.full(vectors[0].shape, np.nan)
    left = np.ones(vectors[0].shape, bool)
    for condition, function in cases:
        here = left & condition
        if here.any():
            out[here] = function(*(v[here] for v in vectors))
        left &= ~condition
    return out


def horner(x: Array, coefficients: Sequence[float]) -> Array:
    """c[0] + c[1] x + c[2] x x + ..."""
    total = np.zeros_like(x)
    for coefficient in reversed(coefficients):
        total = total * x + coefficient
    return total


def sine_of_pi(x: Array) -> Array:
    """sin(pi x), exactly zero at integers."""
    rest = x - 2 * np.rint(x / 2)
    return np.asarray(np.where(np.abs(rest) == 1, 0.0, np.sin(np.pi * rest)))


# log gamma


def stirling_rest(x: Array) -> Array:
    """log gamma(x) - ((x - 1/2) log x - x + log(2 pi) / 2), for x >= 10 (DLMF 5.11.1)."""
    return horner(1 / (x * x), STIRLING) / x


def _log_gamma_stirling(x: Array) -> Array:
    constant = 0.5 * math.log(2 * math.pi) - 0.5
    return np.asarray((x - 0.5) * (np.log(x) - 1) + constant + stirling_rest(x))


def _log_gamma_middle(x: Array) -> Array:
    """x in [3, 10): from [2, 3) by gamma(x) = (x - 1) gamma(x - 1)."""
    product = np.ones_like(x)
    while (x >= 3).any():
        product = np.where(x >= 3, product * (x - 1), product)
        x = np.where(x >= 3, x - 1, x)
    return np.asarray(np.log(product) + _log_gamma_near(x))


def _log_gamma_near(x: Array) -> Array:
    """x in [1, 3]; the factors keep the digits at its zeros, where + 0.0 takes the sign away."""
    return np.asarray((x - 1) * (x - 2) * on_interval(x, 1.0, 3.0, LOG_GAMMA, NUMPY) + 0.0)


def _log_gamma_below(x: Array) -> Array:
    """x in (0, 1), from x + 1, whose distance to 2 is taken before it is rounded."""
    above = x * (x - 1) * on_interval(x + 1, 1.0, 3.0, LOG_GAMMA, NUMPY)
    return np.asarray(above - np.log(x))


def _log_gamma_reflected(x: Array) -> Array:
    """x < 0, by gamma(x) gamma(-x) = -pi / (x sin(pi x)) (DLMF 5.5.3)."""
    return np.asarray(np.log(np.pi / np.abs(x * sine_of_pi(x))) - log_gamma(-x))


def log_gamma(x: Array) -> Array:
    """log |gamma(x)|; infinite at 0, -1, -2, ..."""
    return piecewise(
        [
            (np.isinf(x) | ((x <= 0) & (x == np.floor(x))), lambda v: np.full(v.shape, np.inf)),
            (x < 0, _log_gamma_reflected),
            (x < 1, _log_gamma_below),
            (x < 3, _log_gamma_near),
            (x < 10, _log_gamma_middle),
            (x >= 10, _log_gamma_stirling),
        ],
        x,
    )


# digamma, zeta, polygamma


def _digamma_near(x: Array) -> Array:
    """x in [1, 3]; the distance to the root keeps its digits."""
    distance = (x - DIGAMMA_ROOT[0]) - DIGAMMA_ROOT[1]
    return np.asarray(distance * on_interval(x, 1.0, 3.0, DIGAMMA, NUMPY))


def _digamma_middle(x: Array) -> Array:
    """x in [3, 10): from [2, 3) by digamma(x) = digamma(x - 1) + 1 / (x - 1)."""
    total = np.zeros_like(x)
    while (x >= 3).any():
        total = np.where(x >= 3, total + 1 / (x - 1), total)
        x = np.where(x >= 3, x - 1, x)
    return np.asarray(total + _digamma_near(x))


def _digamma_far(x: Array) -> Array:
    """x >= 10 (DLMF 5.11.2)."""
    square = 1 / (x * x)
    return np.asarray(np.log(x) - 0.5 / x - square * horner(square, DIGAMMA_SERIES))


def _digamma_reflected(x: Array) -> Array:
    """x < 0 (DLMF 5.5.4)."""
    rest = x - np.rint(x)
    return np.asarray(digamma_of(1 - x) - np.pi / np.tan(np.pi * rest))


def digamma_of(x: Array) -> Array:
    """The derivative of log gamma; nan at -1, -2, ... and infinite at 0."""
    return piecewise(
        [
            (x == 0, lambda v: -1 / v),
            ((x < 0) & (x == np.floor(x)), lambda v: np.full(v.shape, np.nan)),
            (x < 0, _digamma_reflected),
            (x < 1, lambda v: _digamma_near(v + 1) - 1 / v),
            (x < 3, _digamma_near),
            (x < 10, _digamma_middle),
            (x >= 10, _digamma_far),
        ],
        x,
    )


def _zeta_positive(s: Array, q: Array) -> Array:
    """sum over k >= 0 of (q + k)^-s, q > 0, by Euler and Maclaurin's formula (DLMF 25.11.5)."""
    total = np.zeros_like(s)
    for k in range(10):
        total = total + np.power(q + k, -s)
    end = q + 10
    power = np.power(end, -s)
    total += end * power / (s - 1) + 0.5 * power
    rising = s * power / end
    for k, coefficient in enumerate(BERNOULLI):
        total += coefficient * rising
        rising = rising * (s + 2 * k + 1) * (s + 2 * k + 2) / (end * end)
    return np.asarray(np.where(np.isinf(q), 0.0, total))


def _zeta_negative(s: Array, q: Array) -> Array:
    """q < 0, no integer, s an integer: the terms left of zero are the head of a mirrored series."""
    first = q + np.ceil(-q)  # the first positive base
    mirrored = _zeta_positive(s, 1 - first) - _zeta_positive(s, 1 - q)
    sign = np.where(np.mod(s, 2) == 0, 1.0, -1.0)
    return np.asarray(sign * mirrored + _zeta_positive(s, first))


def zeta_of(s: Array, q: Array) -> Array:
    """Hurwitz's zeta function; nan where s < 1, or where q < 0 and s is no integer."""
    pole = (s == 1) | ((q <= 0) & (q == np.floor(q)))
    return piecewise(
        [
            (np.isnan(s) | np.isnan(q) | (s < 1), lambda s, q: s * np.nan),
            (pole, lambda s, q: np.full(s.shape, np.inf)),
            (q > 0, _zeta_positive),
            (s == np.floor(s), _zeta_negative),
        ],
        s,
        q,
    )


def polygamma_of(n: Array, x: Array) -> Array:
    """The n-th derivative of digamma, (-1)^(n+1) n! zeta(n + 1, x) (DLMF 5.15.2)."""

    def higher(n: Array, x: Array) -> Array:
        sign = np.where(np.mod(n, 2) == 0, -1.0, 1.0)
        return np.asarray(sign * FACTORIALS[n.astype(int)] * zeta_of(n + 1, x))

    whole = (n == np.floor(n)) & (n < len(FACTORIALS))
    return piecewise([(n == 0, lambda n, x: digamma_of(x)), (whole & (n > 0), higher)], n, x)


_AROUND = (sample(positive(3, 17)), sample(between(-1.9, -1.1, 3, 5)))

lgamma = elementwise(
    "lgamma", in_float64(log_gamma), _AROUND, dtypes=FLOATS,
    derivative=lambda g, x, y: g * digamma(x), doc="log |gamma(x)|",
)  # fmt: skip
digamma: Primitive = elementwise(
    "digamma", in_float64(digamma_of), _AROUND, dtypes=FLOATS,
    derivative=lambda g, x, y: g * polygamma(x.coerce(1), x), doc="The derivative of lgamma",
)  # fmt: skip
polygamma: Primitive = elementwise(
    "polygamma",
    in_float64(polygamma_of),
    (sample(integers(0, 4, 3, 5, dtype=None), positive(3, 5), smooth=False),),
    derivative=(None, lambda g, n, x, y: g * polygamma(n + 1, x)),
    dtypes=FLOATS,
    doc="The n-th derivative of digamma; nan where n is no integer from 0 to 170",
)
zeta: Primitive = elementwise(
    "zeta",
    in_float64(zeta_of),
    (sample(between(1.5, 4.0, 3, 5), positive(3, 5), smooth=False),),
    derivative=(None, lambda g, s, q, y: g * (-s * zeta(s + 1, q))),
    dtypes=FLOATS,
    doc="Hurwitz's zeta function: the sum of (q + k)^-s over k = 0, 1, ...",
)
