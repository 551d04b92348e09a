"""Modified Bessel functions of the first kind, of orders 0 and 1, also scaled by exp(-|x|)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from slipstream.primitives.approximations import (
    I0E_FAR,
    I0E_NEAR,
    I1E_FAR,
    I1E_NEAR,
    Functions,
    on_interval,
)
from slipstream.primitives.arithmetic import sign
from slipstream.primitives.base import Primitive
from slipstream.primitives.comparison import equal
from slipstream.primitives.error_functions import special
from slipstream.primitives.families import where
from slipstream.primitives.samples import Spec, reals

SAMPLES = Spec((3, 17), -12.0, 12.0)


def _scaled_zero(x: Any, f: Functions) -> Any:
    a = f.absolute(x)
    beyond = f.maximum(a, 8.0)
    far = on_interval(1 / beyond, 0.0, 0.125, I0E_FAR, f) / f.sqrt(beyond)
    return f.where(f.less(a, 8.0), on_interval(a, 0.0, 8.0, I0E_NEAR, f) / (1 + a), far)


def _scaled_one(x: Any, f: Functions) -> Any:
    a = f.absolute(x)
    beyond = f.maximum(a, 8.0)
    far = on_interval(1 / beyond, 0.0, 0.125, I1E_FAR, f) / f.sqrt(beyond)
    near = x * on_interval(a, 0.0, 8.0, I1E_NEAR, f) / (1 + a)
    return f.where(f.less(a, 8.0), near, f.where(f.less(x, 0.0), -far, far))


def _unscaled(x: Any, scaled: Callable[[Any, Functions], Any], f: Functions) -> Any:
    """Times exp(|x|), in two factors: the function overflows a little later than that does."""
    half = f.exp(f.absolute(x) * 0.5)
    finite = f.minimum(f.maximum(x, -1e4), 1e4)  # beyond, the product is infinite anyway
    return (scaled(finite, f) * half) * half


def _quotient(i1: Any, x: Any, at_zero: float) -> Any:
    """i1 / x, which has a limit at zero."""
    zero = equal(x, x.coerce(0))
    return where(zero, x.coerce(at_zero), i1 / where(zero, 1, x))


bessel_i0e: Primitive = special(
    "bessel_i0e",
    _scaled_zero,
    SAMPLES,
    lambda g, x, y: g * (bessel_i1e(x) - sign(x) * y),
    "exp(-|x|) I0(x)",
)
bessel_i1e: Primitive = special(
    "bessel_i1e",
    _scaled_one,
    SAMPLES,
    lambda g, x, y: g * (bessel_i0e(x) - sign(x) * y - _quotient(y, x, 0.5)),
    "exp(-|x|) I1(x)",
)
bessel_i0: Primitive = special(
    "bessel_i0",
    lambda x, f: _unscaled(x, _scaled_zero, f),
    reals(3, 17),
    lambda g, x, y: g * bessel_i1(x),
    "The modified Bessel function I0",
)
bessel_i1: Primitive = special(
    "bessel_i1",
    lambda x, f: _unscaled(x, _scaled_one, f),
    reals(3, 17),
    lambda g, x, y: g * (bessel_i0(x) - _quotient(y, x, 0.5)),
    "The modified Bessel function I1",
)
