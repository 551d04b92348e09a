"""Exponentials, logarithms, angles and hyperbolic functions of `tf.math`, element by element.

They take floats and, unless said otherwise, complex numbers; integers raise InvalidArgumentError.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from slipstream.ops.arithmetic import quotient_or_zero
from slipstream.primitives import elementwise as p
from slipstream.runtime.convert import convert, convert_together
from slipstream.runtime.dispatch import operation


@operation
def exp(x: Any, name: str | None = None) -> Any:
    """e to the power x."""
    return p.exp(convert(x))


@operation
def expm1(x: Any, name: str | None = None) -> Any:
    """exp(x) - 1, exact near zero."""
    return p.expm1(convert(x))


@operation
def log(x: Any, name: str | None = None) -> Any:
    """The natural logarithm: -inf at 0, nan below."""
    return p.log(convert(x))


@operation
def log1p(x: Any, name: str | None = None) -> Any:
    """log(1 + x), exact near zero."""
    return p.log1p(convert(x))


@operation
def sigmoid(x: Any, name: str | None = None) -> Any:
    """1 / (1 + exp(-x)), which overflows nowhere."""
    return p.sigmoid(convert(x))


@operation
def log_sigmoid(x: Any, name: str | None = None) -> Any:
    """log(sigmoid(x)), without the underflow of sigmoid: -softplus(-x).

    >>> import slipstream as tf
    >>> tf.math.log_sigmoid([-1000., 0.]).numpy().round(4).tolist()
    [-1000.0, -0.6930999755859375]
    """
    return p.negative(p.softplus(p.negative(convert(x))))


@operation
def softplus(features: Any, name: str | None = None) -> Any:
    """log(1 + exp(x)) of floats, which overflows nowhere."""
    return p.softplus(convert(features))


@operation
def tanh(x: Any, name: str | None = None) -> Any:
    """The hyperbolic tangent."""
    return p.tanh(convert(x))


@operation
def sinh(x: Any, name: str | None = None) -> Any:
    """The hyperbolic sine."""
    return p.sinh(convert(x))


@operation
def cosh(x: Any, name: str | None = None) -> Any:
    """The hyperbolic cosine."""
    return p.cosh(convert(x))


@operation
def asinh(x: Any, name: str | None = None) -> Any:
    """The inverse hyperbolic sine."""
    return p.arcsinh(convert(x))


@operation
def acosh(x: Any, name: str | None = None) -> Any:
    """The inverse hyperbolic cosine; nan below 1."""
    return p.arccosh(convert(x))


@operation
def atanh(x: Any, name: str | None = None) -> Any:
    """The inverse hyperbolic tangent; infinite at -1 and 1, nan beyond."""
    return p.arctanh(convert(x))


@operation
def sin(x: Any, name: str | None = None) -> Any:
    """The sine of an angle in radians."""
    return p.sin(convert(x))


@operation
def cos(x: Any, name: str | None = None) -> Any:
    """The cosine of an angle in radians."""
    return p.cos(convert(x))


@operation
def tan(x: Any, name: str | None = None) -> Any:
    """The tangent of an angle in radians."""
    return p.tan(convert(x))


@operation
def asin(x: Any, name: str | None = None) -> Any:
    """The angle in [-pi/2, pi/2] whose sine is x; nan outside [-1, 1]."""
    return p.arcsin(convert(x))


@operation
def acos(x: Any, name: str | None = None) -> Any:
    """The angle in [0, pi] whose cosine is x; nan outside [-1, 1]."""
    return p.arccos(convert(x))


@operation
def atan(x: Any, name: str | None = None) -> Any:
    """The angle in [-pi/2, pi/2] whose tangent is x."""
    return p.arctan(convert(x))


@operation
def atan2(y: Any, x: Any, name: str | None = None) -> Any:
    """The angle in [-pi, pi] of the point (x, y), of floats."""
    return p.arctan2(*convert_together(y, x))


@operation
def xlogy(x: Any, y: Any, name: str | None = None) -> Any:
    """x log(y), but 0 where x is 0.

    >>> import slipstream as tf
    >>> tf.math.xlogy([0., 2.], [0., 1.]).numpy().tolist()
    [0.0, 0.0]
    """
    x, y = convert_together(x, y)
    zero = p.equal(x, x.coerce(0))
    return p.where(zero, 0, p.multiply(x, p.log(p.where(zero, 1, y))))


@operation
def xlog1py(x: Any, y: Any, name: str | None = None) -> Any:
    """x log(1 + y), but 0 where x is 0."""
    x, y = convert_together(x, y)
    zero = p.equal(x, x.coerce(0))
    return p.where(zero, 0, p.multiply(x, p.log1p(p.where(zero, 0, y))))


@operation
def xdivy(x: Any, y: Any, name: str | None = None) -> Any:
    """x / y, but 0 where x is 0."""
    x, y = convert_together(x, y)
    return quotient_or_zero(x, y, p.equal(x, x.coerce(0)))


@operation
def polyval(coeffs: Sequence[Any], x: Any, name: str | None = None) -> Any:
    """The polynomial whose coefficients, highest power first, are `coeffs`, at x (Horner).

    Raises ValueError where `coeffs` is no list.

    >>> import slipstream as tf
    >>> float(tf.math.polyval([2., 0., 1.], 3.))
    19.0
    """
    if not isinstance(coeffs, list):
        raise ValueError(f"Argument coeffs must be list type. Received type {type(coeffs)}.")
    x, *tensors = convert_together(x, *coeffs)
    if not tensors:
        return p.multiply(x, x.coerce(0))
    total = tensors[0]
    for coefficient in tensors[1:]:
        total = p.add(p.multiply(total, x), coefficient)
    return total
