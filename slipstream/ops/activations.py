"""Activation functions, as `tf.nn` has them; `hard_sigmoid` and `mish` are those of Keras 3."""

from __future__ import annotations

import math
from typing import Any

from slipstream.ir.dtypes import float32
from slipstream.ops.axes import axis_of, kept
from slipstream.ops.elementary import log_sigmoid, sigmoid, softplus, tanh
from slipstream.primitives import elementwise as p
from slipstream.primitives import reduction as r
from slipstream.primitives.error_functions import erf
from slipstream.primitives.structure import concat, stop_gradient
from slipstream.runtime.convert import convert
from slipstream.runtime.dispatch import operation

__all__ = [
    "crelu",
    "elu",
    "gelu",
    "hard_sigmoid",
    "leaky_relu",
    "log_sigmoid",
    "log_softmax",
    "mish",
    "relu",
    "relu6",
    "selu",
    "sigmoid",
    "silu",
    "softmax",
    "softplus",
    "softsign",
    "swish",
    "tanh",
]

# Klambauer and others, Self-normalizing neural networks, 2017
SELU_ALPHA = 1.6732632423543772848170429916717
SELU_SCALE = 1.0507009873554804934193349852946


@operation
def relu(features: Any, name: str | None = None) -> Any:
    """max(x, 0), of real numbers; the derivative at 0 is 0.

    >>> import slipstream as tf
    >>> tf.nn.relu([-1., 0., 2.]).numpy().tolist()
    [0.0, 0.0, 2.0]
    """
    return p.relu(convert(features))


def capped(x: Any, limit: float) -> Any:
    """min(max(x, 0), limit), with a derivative of 0 at both ends."""
    return p.where(p.greater_equal(x, x.coerce(limit)), limit, p.relu(x))


@operation
def relu6(features: Any, name: str | None = None) -> Any:
    """min(max(x, 0), 6); the derivative at 0 and 6 is 0."""
    return capped(convert(features), 6)


@operation
def leaky_relu(features: Any, alpha: float = 0.2, name: str | None = None) -> Any:
    """x where it is positive, else alpha x; integers become float32.

    >>> import slipstream as tf
    >>> tf.nn.leaky_relu([-1., 2.], alpha=0.5).numpy().tolist()
    [-0.5, 2.0]
    """
    x = convert(features)
    x = p.cast(x, dtype=float32) if x.dtype.is_integer else x
    slope = convert(alpha, x.dtype)
    return p.where(p.greater(x, x.coerce(0)), x, p.multiply(x, slope))


def elu_of(x: Any, alpha: float) -> Any:
    """x where it is positive, else alpha (exp(x) - 1)."""
    positive = p.greater(x, x.coerce(0))
    below = p.expm1(p.minimum(x, x.coerce(0)))  # no overflow where it is not chosen
    return p.where(positive, x, p.multiply(below, x.coerce(alpha)))


@operation
def elu(features: Any, name: str | None = None) -> Any:
    """x where it is positive, else exp(x) - 1 (Clevert, Unterthiner and Hochreiter 2016)."""
    return elu_of(convert(features), 1.0)


@operation
def selu(features: Any, name: str | None = None) -> Any:
    """The scaled `elu` that keeps mean 0 and variance 1 (Klambauer and others 2017)."""
    x = convert(features)
    return p.multiply(elu_of(x, SELU_ALPHA), x.coerce(SELU_SCALE))


@operation
def gelu(features: Any, approximate: bool = False, name: str | None = None) -> Any:
    """x times the standard normal distribution function of x (Hendrycks and Gimpel 2016).

    `approximate` takes the form with tanh instead of erf.

    >>> import slipstream as tf
    >>> round(float(tf.nn.gelu(1.0)), 4)
    0.8413
    """
    x = convert(features)
    half = p.multiply(x, x.coerce(0.5))
    if approximate:
        cubic = p.multiply(p.multiply(p.square(x), x), x.coerce(0.044715))
        inner = p.multiply(p.add(x, cubic), x.coerce(math.sqrt(2 / math.pi)))
        return p.multiply(half, p.add(p.tanh(inner), x.coerce(1)))
    return p.multiply(half, p.add(erf(p.multiply(x, x.coerce(math.sqrt(0.5)))), x.coerce(1)))


@operation
def silu(features: Any, beta: Any = 1.0, name: str | None = None) -> Any:
    """x sigmoid(beta x), also called swish (Ramachandran, Zoph and Le 2017)."""
    x = convert(features)
    scaled = x if isinstance(beta, (int, float)) and beta == 1 else p.multiply(
        x, convert(beta, x.dtype)
    )  # fmt: skip
    return p.multiply(x, p.sigmoid(scaled))


swish = silu


@operation
def crelu(features: Any, axis: Any = -1, name: str | None = None) -> Any:
    """relu(x) and relu(-x) one after the other along an axis, which doubles."""
    x = convert(features)
    number = axis_of(axis, len(x.shape), "crelu")
    return concat(p.relu(x), p.relu(p.negative(x)), axis=number)


@operation
def softsign(features: Any, name: str | None = None) -> Any:
    """x / (1 + |x|)"""
    x = convert(features)
    return p.divide(x, p.add(p.absolute(x), x.coerce(1)))


@operation
def mish(features: Any, name: str | None = None) -> Any:
    """x tanh(softplus(x)) (Misra 2019)."""
    x = convert(features)
    return p.multiply(x, p.tanh(p.softplus(x)))


@operation
def hard_sigmoid(features: Any, name: str | None = None) -> Any:
    """relu6(x + 3) / 6, a sigmoid of straight lines."""
    x = convert(features)
    return p.divide(capped(p.add(x, x.coerce(3)), 6), x.coerce(6))


def shifted_exponentials(x: Any, axis: int) -> tuple[Any, Any, Any]:
    """x - max, exp of it, and the sum of that along the axis (kept as a size of 1)."""
    peak = kept(stop_gradient(r.max_(x, axes=(axis,))), x, (axis,), True)
    shifted = p.subtract(x, peak)
    exponentials = p.exp(shifted)
    return shifted, exponentials, kept(r.sum_(exponentials, axes=(axis,)), x, (axis,), True)


@operation
def softmax(logits: Any, axis: Any = None, name: str | None = None) -> Any:
    """exp(x) over its sum along an axis (None is the last), without overflow.

    Raises InvalidArgumentError for integers and for an axis that does not exist.

    >>> import slipstream as tf
    >>> tf.nn.softmax([1000., 1000.]).numpy().tolist()
    [0.5, 0.5]
    """
    x = convert(logits)
    number = axis_of(-1 if axis is None else axis, len(x.shape), "softmax")
    _, exponentials, total = shifted_exponentials(x, number)
    return p.divide(exponentials, total)


def surprise(x: Any, axis: int) -> Any:
    """-log(softmax(x)) along an axis counted from 0: what each class would cost."""
    shifted, _, total = shifted_exponentials(x, axis)
    return p.subtract(p.log(total), shifted)


@operation
def log_softmax(logits: Any, axis: Any = None, name: str | None = None) -> Any:
    """log(softmax(x)) along an axis (None is the last), without overflow or underflow."""
    x = convert(logits)
    number = axis_of(-1 if axis is None else axis, len(x.shape), "log_softmax")
    shifted, _, total = shifted_exponentials(x, number)
    return p.subtract(shifted, p.log(total))
