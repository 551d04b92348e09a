"""What is common to all of Keras: floatx, epsilon, the order of axes, names. And the functions of
tensors that programs for Keras 2 know by `from keras import backend as K`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from slipstream.ir.dtypes import float32
from slipstream.keras import activations, losses
from slipstream.keras.config import (
    epsilon,
    floatx,
    image_data_format,
    set_epsilon,
    set_floatx,
    set_image_data_format,
)
from slipstream.keras.naming import get_uid
from slipstream.keras.naming import reset_names as clear_session
from slipstream.keras.symbolic import is_keras_tensor
from slipstream.ops.arithmetic import (
    abs,
    clip_by_value,
    maximum,
    minimum,
    pow,
    round,
    sign,
    sqrt,
    square,
)
from slipstream.ops.comparison import equal, greater, greater_equal, less, less_equal, not_equal
from slipstream.ops.conversion import cast
from slipstream.ops.elementary import cos, exp, log, sigmoid, sin, tanh
from slipstream.ops.encoding import one_hot
from slipstream.ops.indexing import gather
from slipstream.ops.linear import matmul
from slipstream.ops.normalization import l2_normalize
from slipstream.ops.reduction import (
    argmax,
    argmin,
    reduce_all,
    reduce_any,
    reduce_logsumexp,
    reduce_max,
    reduce_mean,
    reduce_min,
    reduce_prod,
    reduce_sum,
)
from slipstream.ops.shaping import (
    concat,
    expand_dims,
    reshape,
    squeeze,
    stack,
    tile,
    transpose,
)
from slipstream.runtime.convert import convert
from slipstream.runtime.variable import Variable

sum, max, min = reduce_sum, reduce_max, reduce_min
prod, any, all, logsumexp = reduce_prod, reduce_any, reduce_all, reduce_logsumexp
clip, concatenate, dot = clip_by_value, concat, matmul
elu, relu, selu, softmax = activations.elu, activations.relu, activations.selu, activations.softmax
softplus, softsign = activations.softplus, activations.softsign
hard_sigmoid = activations.hard_sigmoid


def backend() -> str:
    """The name of the engine below Keras."""
    return "slipstream"


def mean(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The mean along axes; of truth values, how often they hold."""
    tensor = x if is_keras_tensor(x) else convert(x)
    numbers = cast(tensor, floatx()) if tensor.dtype.is_bool else tensor
    return reduce_mean(numbers, axis=axis, keepdims=keepdims)


def get_value(x: Any) -> Any:
    """The content of a variable or tensor, as a NumPy array."""
    return convert(x).numpy()


def set_value(x: Variable, value: Any) -> None:
    """Give a variable another content."""
    x.assign(value)


def batch_get_value(tensors: Iterable[Any]) -> list[Any]:
    """The contents of several variables or tensors."""
    return [get_value(tensor) for tensor in tensors]


def batch_set_value(pairs: Iterable[tuple[Variable, Any]]) -> None:
    """Give several variables other contents."""
    for variable, value in pairs:
        set_value(variable, value)


def int_shape(x: Any) -> tuple[int | None, ...]:
    """The shape as a tuple; None for sizes that are open."""
    return tuple(x.shape)


def shape(x: Any) -> Any:
    """The shape as a tensor."""
    return convert(list(x.shape))


def ndim(x: Any) -> int:
    """How many axes there are."""
    return len(x.shape)


def dtype(x: Any) -> str:
    """The name of the dtype."""
    return str(x.dtype.name)


def variable(value: Any, dtype: Any = None, name: str | None = None) -> Variable:
    """A variable with this content."""
    return Variable(value, dtype=dtype or float32, name=name)


def constant(value: Any, dtype: Any = None, name: str | None = None) -> Any:
    """A tensor with this content."""
    return convert(value, dtype or float32)


def flatten(x: Any) -> Any:
    """All elements along one axis."""
    return reshape(x, [-1])


def batch_flatten(x: Any) -> Any:
    """All elements of each sample along one axis."""
    return reshape(x, [int(x.shape[0]), -1])


def binary_crossentropy(target: Any, output: Any, from_logits: bool = False) -> Any:
    """That of each element: 0 or 1 against a probability, or with `from_logits` a logit."""
    return losses.binary_crossentropy(
        expand_dims(target, -1), expand_dims(output, -1), from_logits=from_logits
    )


def categorical_crossentropy(
    target: Any, output: Any, from_logits: bool = False, axis: int = -1
) -> Any:
    """-sum(target log output) along an axis."""
    return losses.categorical_crossentropy(target, output, from_logits=from_logits, axis=axis)


__all__ = [
    "abs",
    "all",
    "any",
    "argmax",
    "argmin",
    "backend",
    "batch_flatten",
    "batch_get_value",
    "batch_set_value",
    "binary_crossentropy",
    "cast",
    "categorical_crossentropy",
    "clear_session",
    "clip",
    "concatenate",
    "constant",
    "cos",
    "dot",
    "dtype",
    "elu",
    "epsilon",
    "equal",
    "exp",
    "expand_dims",
    "flatten",
    "floatx",
    "gather",
    "get_uid",
    "get_value",
    "greater",
    "greater_equal",
    "hard_sigmoid",
    "image_data_format",
    "int_shape",
    "is_keras_tensor",
    "l2_normalize",
    "less",
    "less_equal",
    "log",
    "logsumexp",
    "max",
    "maximum",
    "mean",
    "min",
    "minimum",
    "ndim",
    "not_equal",
    "one_hot",
    "pow",
    "prod",
    "relu",
    "reshape",
    "round",
    "selu",
    "set_epsilon",
    "set_floatx",
    "set_image_data_format",
    "set_value",
    "shape",
    "sigmoid",
    "sign",
    "sin",
    "softmax",
    "softplus",
    "softsign",
    "sqrt",
    "square",
    "squeeze",
    "stack",
    "sum",
    "tanh",
    "tile",
    "transpose",
    "variable",
]
