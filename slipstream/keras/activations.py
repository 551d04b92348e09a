"""Activation functions, by function or name: each element, or each slice along an axis, by itself.

Floats keep their dtype. The piecewise ones are written so that both sides stay finite.
"""

from __future__ import annotations

import math
from typing import Any

from slipstream.keras.registry import get_by_name, serialize_keras_object
from slipstream.ops import activations as operations
from slipstream.ops import elementary
from slipstream.ops.arithmetic import abs as absolute
from slipstream.ops.arithmetic import clip_by_value, maximum, minimum, sign, sqrt, square
from slipstream.ops.array import range as numbers
from slipstream.ops.comparison import greater, greater_equal
from slipstream.ops.conversion import cast
from slipstream.ops.indexing import where
from slipstream.ops.reduction import cumsum, reduce_sum
from slipstream.ops.shaping import reshape, split, transpose
from slipstream.ops.sorting import sort
from slipstream.runtime.convert import convert


def linear(x: Any) -> Any:
    """x itself."""
    return x


def relu(
    x: Any, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0
) -> Any:
    """x above the threshold, at most `max_value`; below it negative_slope (x - threshold).

    >>> relu([-2.0, 1.0, 5.0], negative_slope=0.5, max_value=4.0).numpy().tolist()
    [-1.0, 1.0, 4.0]
    """
    x = convert(x)
    if negative_slope == 0 and threshold == 0:
        if max_value is None:
            return operations.relu(x)
        return operations.relu6(x) if max_value == 6 else clip_by_value(x, 0, max_value)
    below = (x - threshold) * negative_slope
    above = x if max_value is None else minimum(x, max_value)
    return where(greater(x, threshold), above, below)


def leaky_relu(x: Any, negative_slope: float = 0.2) -> Any:
    """x where it is positive, else negative_slope x (Maas, Hannun and Ng 2013)."""
    return operations.leaky_relu(x, alpha=negative_slope)


def relu6(x: Any) -> Any:
    """min(max(x, 0), 6)."""
    return operations.relu6(x)


def elu(x: Any, alpha: float = 1.0) -> Any:
    """x where it is positive, else alpha (exp(x) - 1) (Clevert and others 2016)."""
    x = convert(x)
    return where(greater(x, 0), x, elementary.expm1(minimum(x, 0)) * alpha)


def celu(x: Any, alpha: float = 1.0) -> Any:
    """max(x, 0) + min(0, alpha (exp(x / alpha) - 1)) (Barron 2017), smooth."""
    x = convert(x)
    return where(greater(x, 0), x, elementary.expm1(minimum(x, 0) / alpha) * alpha)


def selu(x: Any) -> Any:
    """The scaled `elu` that keeps mean 0 and variance 1 (Klambauer and others 2017)."""
    return operations.selu(x)


def gelu(x: Any, approximate: bool = False) -> Any:
    """x times the normal distribution function of x, or that with tanh (Hendrycks, Gimpel 2016)."""
    return operations.gelu(x, approximate)


def silu(x: Any) -> Any:
    """x sigmoid(x), also called swish (Ramachandran and others 2017)."""
    return operations.silu(x)


def glu(x: Any, axis: int = -1) -> Any:
    """The first half along an axis, gated by the sigmoid of the second (Dauphin and others 2017).

    ValueError unless the axis has an even size.
    """
    x = convert(x)
    if x.shape[axis] % 2:
        raise ValueError(f"axis size must be divisible by 2. Received: x.shape={x.shape}")
    values, gates = split(x, 2, axis=axis)
    return values * elementary.sigmoid(gates)


def sigmoid(x: Any) -> Any:
    """1 / (1 + exp(-x))."""
    return elementary.sigmoid(x)


def log_sigmoid(x: Any) -> Any:
    """log(sigmoid(x)), without underflow."""
    return elementary.log_sigmoid(x)


def hard_sigmoid(x: Any) -> Any:
    """relu6(x + 3) / 6."""
    return operations.hard_sigmoid(x)


def hard_silu(x: Any) -> Any:
    """x hard_sigmoid(x), also called hard_swish (Howard and others 2019)."""
    x = convert(x)
    return x * operations.hard_sigmoid(x)


def tanh(x: Any) -> Any:
    """The hyperbolic tangent."""
    return elementary.tanh(x)


def hard_tanh(x: Any) -> Any:
    """x, kept within [-1, 1]."""
    return clip_by_value(convert(x), -1, 1)


def tanh_shrink(x: Any) -> Any:
    """x - tanh(x)."""
    x = convert(x)
    return x - elementary.tanh(x)


def hard_shrink(x: Any, threshold: float = 0.5) -> Any:
    """0 within [-threshold, threshold], else x."""
    x = convert(x)
    return where(greater(absolute(x), threshold), x, 0)


def soft_shrink(x: Any, threshold: float = 0.5) -> Any:
    """x moved towards 0 by the threshold, 0 within it."""
    x = convert(x)
    return sign(x) * operations.relu(absolute(x) - threshold)


def threshold(x: Any, threshold: float, default_value: float) -> Any:
    """x where it is above the threshold, else `default_value`."""
    x = convert(x)
    return where(greater(x, threshold), x, default_value)


def softplus(x: Any) -> Any:
    """log(1 + exp(x))."""
    return elementary.softplus(x)


def squareplus(x: Any, b: float = 4) -> Any:
    """(x + sqrt(x² + b)) / 2, a softplus without exponentials (Barron 2021)."""
    x = convert(x)
    return (x + sqrt(square(x) + b)) / 2


def softsign(x: Any) -> Any:
    """x / (1 + |x|)."""
    return operations.softsign(x)


def sparse_plus(x: Any) -> Any:
    """0 up to -1, (x + 1)² / 4 up to 1, then x."""
    x = convert(x)
    return where(greater_equal(x, 1), x, square(maximum(x + 1, 0)) / 4)


def sparse_sigmoid(x: Any) -> Any:
    """(x + 1) / 2, kept within [0, 1]: the derivative of `sparse_plus`."""
    return (clip_by_value(convert(x), -1, 1) + 1) / 2


def mish(x: Any) -> Any:
    """x tanh(softplus(x)) (Misra 2019)."""
    return operations.mish(x)


def exponential(x: Any) -> Any:
    """exp(x)."""
    return elementary.exp(x)


def softmax(x: Any, axis: Any = -1) -> Any:
    """exp(x) / sum(exp(x)) along an axis, or along several as if they were one.

    >>> softmax([[0.0, 0.0]]).numpy().tolist()
    [[0.5, 0.5]]
    """
    x = convert(x)
    if not isinstance(axis, (tuple, list)):
        return operations.softmax(x, axis=axis)
    rank = len(x.shape)
    axes = [number % rank for number in axis]
    order = [number for number in range(rank) if number not in axes] + axes
    moved = transpose(x, order)
    sizes = [int(n) for n in moved.shape]
    flat = reshape(moved, [*sizes[: rank - len(axes)], math.prod(sizes[rank - len(axes) :])])
    shares = reshape(operations.softmax(flat, axis=-1), sizes)
    return transpose(shares, [order.index(number) for number in range(rank)])


def log_softmax(x: Any, axis: int = -1) -> Any:
    """log(softmax(x)) along an axis, without overflow or underflow."""
    return operations.log_softmax(x, axis=axis)


def sparsemax(x: Any, axis: int = -1) -> Any:
    """The closest probabilities to x along an axis, many of them 0 (Martins and Astudillo 2016).

    >>> sparsemax([[1.0, 2.0, 2.5]]).numpy().tolist()
    [[0.0, 0.25, 0.75]]
    """
    x = convert(x)
    rank, size = len(x.shape), int(x.shape[axis])
    ordered = sort(x, axis=axis, direction="DESCENDING")
    sizes = [size if number == axis % rank else 1 for number in range(rank)]
    places = reshape(cast(numbers(1, size + 1), x.dtype), sizes)
    inside = cast(greater(ordered * places + 1, cumsum(ordered, axis=axis)), x.dtype)
    count = reduce_sum(inside, axis=axis, keepdims=True)
    level = (reduce_sum(ordered * inside, axis=axis, keepdims=True) - 1) / count
    return operations.relu(x - level)


FUNCTIONS = (
    celu, elu, exponential, gelu, glu, hard_shrink, hard_sigmoid, hard_silu, hard_tanh, leaky_relu,
    linear, log_sigmoid, log_softmax, mish, relu, relu6, selu, sigmoid, silu, soft_shrink, softmax,
    softplus, softsign, sparse_plus, sparse_sigmoid, sparsemax, squareplus, tanh, tanh_shrink,
    threshold,
)  # fmt: skip
swish, hard_swish = silu, hard_silu
NAMES: dict[str, Any] = {function.__name__: function for function in FUNCTIONS}
NAMES |= {"swish": silu, "hard_swish": hard_silu}


def get(identifier: Any) -> Any:
    """The function of a name, a config or a function; `linear` for None."""
    if identifier is None:
        return linear
    return get_by_name(identifier, NAMES, "activation function")


def serialize(activation: Any) -> Any:
    """The name of a function of this module, else its configuration."""
    if NAMES.get(getattr(activation, "__name__", "")) is activation:
        return activation.__name__
    return serialize_keras_object(activation)


def deserialize(config: Any, custom_objects: Any = None) -> Any:
    """The function of what `serialize` gave."""
    return get(config)
