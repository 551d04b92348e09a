"""Special functions of `tf.math` and `tf.math.special`, of real floats, element by element."""

from __future__ import annotations

import math
from typing import Any

from slipstream.primitives import elementwise as p
from slipstream.primitives import reduction
from slipstream.primitives.bessel import bessel_i0 as _i0
from slipstream.primitives.bessel import bessel_i0e as _i0e
from slipstream.primitives.bessel import bessel_i1 as _i1
from slipstream.primitives.bessel import bessel_i1e as _i1e
from slipstream.primitives.error_functions import erf as _erf
from slipstream.primitives.error_functions import erfc as _erfc
from slipstream.primitives.error_functions import erfcinv as _erfcinv
from slipstream.primitives.error_functions import erfinv as _erfinv
from slipstream.primitives.gamma import digamma as _digamma
from slipstream.primitives.gamma import lgamma as _lgamma
from slipstream.primitives.gamma import polygamma as _polygamma
from slipstream.primitives.gamma import zeta as _zeta
from slipstream.primitives.incomplete_gamma import betainc as _betainc
from slipstream.primitives.incomplete_gamma import igamma as _igamma
from slipstream.primitives.incomplete_gamma import igammac as _igammac
from slipstream.runtime.convert import convert, convert_together
from slipstream.runtime.dispatch import operation


@operation
def erf(x: Any, name: str | None = None) -> Any:
    """The error function: 2 / sqrt(pi) times the integral of exp(-t t) from 0 to x."""
    return _erf(convert(x))


@operation
def erfc(x: Any, name: str | None = None) -> Any:
    """1 - erf(x), exact where that is small."""
    return _erfc(convert(x))


@operation
def erfinv(x: Any, name: str | None = None) -> Any:
    """The y whose erf is x; infinite at -1 and 1, nan beyond."""
    return _erfinv(convert(x))


@operation
def erfcinv(x: Any, name: str | None = None) -> Any:
    """The y whose erfc is x; infinite at 0 and 2, nan beyond."""
    return _erfcinv(convert(x))


@operation
def ndtri(x: Any, name: str | None = None) -> Any:
    """The quantile function of the standard normal distribution.

    >>> import slipstream as tf
    >>> round(float(tf.math.ndtri(0.975)), 4)
    1.96
    """
    x = convert(x)
    return p.multiply(_erfcinv(p.add(x, x)), x.coerce(-math.sqrt(2)))


@operation
def lgamma(x: Any, name: str | None = None) -> Any:
    """log |gamma(x)|; infinite at 0, -1, -2, ..."""
    return _lgamma(convert(x))


@operation
def digamma(x: Any, name: str | None = None) -> Any:
    """The derivative of `lgamma`."""
    return _digamma(convert(x))


@operation
def polygamma(a: Any, x: Any, name: str | None = None) -> Any:
    """The a-th derivative of `digamma` at x; nan where `a` is no whole number, 0 or more."""
    return _polygamma(*convert_together(a, x))


@operation
def zeta(x: Any, q: Any, name: str | None = None) -> Any:
    """Hurwitz's zeta function: the sum of (q + k)^-x over k = 0, 1, ...; the derivative is by q."""
    return _zeta(*convert_together(x, q))


@operation
def lbeta(x: Any, name: str | None = None) -> Any:
    """log |Beta(x)| of vectors along the last axis: sum of lgamma(x) - lgamma(sum of x).

    >>> import slipstream as tf
    >>> round(float(tf.math.lbeta([1., 2.])), 4)
    -0.6931
    """
    x = convert(x)
    axes = (len(x.shape) - 1,)
    apart = reduction.sum_(_lgamma(x), axes=axes)
    return p.subtract(apart, _lgamma(reduction.sum_(x, axes=axes)))


@operation
def igamma(a: Any, x: Any, name: str | None = None) -> Any:
    """The lower regularised incomplete gamma function P(a, x); nan unless a > 0 and x >= 0."""
    return _igamma(*convert_together(a, x))


@operation
def igammac(a: Any, x: Any, name: str | None = None) -> Any:
    """The upper regularised incomplete gamma function Q(a, x) = 1 - P(a, x)."""
    return _igammac(*convert_together(a, x))


@operation
def betainc(a: Any, b: Any, x: Any, name: str | None = None) -> Any:
    """The regularised incomplete beta function I_x(a, b); the derivative is by x only."""
    return _betainc(*convert_together(a, b, x))


@operation
def bessel_i0(x: Any, name: str | None = None) -> Any:
    """The modified Bessel function of order 0."""
    return _i0(convert(x))


@operation
def bessel_i0e(x: Any, name: str | None = None) -> Any:
    """exp(-|x|) bessel_i0(x), which does not overflow."""
    return _i0e(convert(x))


@operation
def bessel_i1(x: Any, name: str | None = None) -> Any:
    """The modified Bessel function of order 1."""
    return _i1(convert(x))


@operation
def bessel_i1e(x: Any, name: str | None = None) -> Any:
    """exp(-|x|) bessel_i1(x), which does not overflow."""
    return _i1e(convert(x))
