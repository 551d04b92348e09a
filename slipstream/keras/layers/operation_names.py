"""What Keras' files call the operations of functional models: `x + y` is an `Add` of
`keras.src.ops.numpy`, with the operation's own options in its configuration.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from slipstream.ops import activations, arithmetic, comparison, elementary, reduction, shaping
from slipstream.ops.conversion import cast
from slipstream.ops.indexing import getitem
from slipstream.ops.linear import matmul

Function = Callable[..., Any]

# without options: these are written by their names too
PLAIN: dict[str, dict[str, Function]] = {
    "numpy": {
        "Add": arithmetic.add,
        "Subtract": arithmetic.subtract,
        "Multiply": arithmetic.multiply,
        "Divide": arithmetic.truediv,
        "FloorDivide": arithmetic.floordiv,
        "Mod": arithmetic.floormod,
        "Power": arithmetic.pow,
        "Matmul": matmul,
        "Less": comparison.less,
        "LessEqual": comparison.less_equal,
        "Greater": comparison.greater,
        "GreaterEqual": comparison.greater_equal,
        "LogicalAnd": comparison.logical_and,
        "LogicalOr": comparison.logical_or,
        "LogicalNot": comparison.logical_not,
        "Negative": arithmetic.negative,
        "Absolute": arithmetic.abs,
        "Maximum": arithmetic.maximum,
        "Minimum": arithmetic.minimum,
        "Square": arithmetic.square,
        "Sqrt": arithmetic.sqrt,
        "Exp": elementary.exp,
        "Log": elementary.log,
        "Sin": elementary.sin,
        "Cos": elementary.cos,
        "Tanh": elementary.tanh,
        "GetItem": getitem,
    },
    "nn": {"Relu": activations.relu, "Sigmoid": elementary.sigmoid},
}

# with options, by their names there and here: read only
OPTIONS: dict[str, tuple[Function, dict[str, str]]] = {
    "Mean": (reduction.reduce_mean, {"axis": "axis", "keepdims": "keepdims"}),
    "Sum": (reduction.reduce_sum, {"axis": "axis", "keepdims": "keepdims"}),
    "Max": (reduction.reduce_max, {"axis": "axis", "keepdims": "keepdims"}),
    "Min": (reduction.reduce_min, {"axis": "axis", "keepdims": "keepdims"}),
    "Softmax": (activations.softmax, {"axis": "axis"}),
    "Concatenate": (shaping.concat, {"axis": "axis"}),
    "Stack": (shaping.stack, {"axis": "axis"}),
    "ExpandDims": (shaping.expand_dims, {"axis": "axis"}),
    "Squeeze": (shaping.squeeze, {"axis": "axis"}),
    "Reshape": (shaping.reshape, {"newshape": "shape"}),
    "Transpose": (shaping.transpose, {"axes": "perm"}),
    "Cast": (cast, {"dtype": "dtype"}),
}
ALIASES = {"TrueDivide": "Divide", "Abs": "Absolute"}

_BY_NAME = {name: function for table in PLAIN.values() for name, function in table.items()}
_BY_FUNCTION = {  # by what `@operation` wraps
    inspect.unwrap(function): (f"keras.src.ops.{module}", name)
    for module, table in PLAIN.items()
    for name, function in table.items()
}


def place_of(function: Function) -> tuple[str, str] | None:
    """The module and class that Keras' files name for a function; None if there is none."""
    return _BY_FUNCTION.get(inspect.unwrap(function))


def function_of(name: str, config: dict[str, Any]) -> tuple[Function, dict[str, Any]] | None:
    """The function of a class name of Keras, and the options a configuration gives it."""
    name = ALIASES.get(name, name)
    if name in _BY_NAME:
        return _BY_NAME[name], {}
    if name not in OPTIONS:
        return None
    function, names = OPTIONS[name]
    return function, {names[key]: value for key, value in config.items() if key in names}
