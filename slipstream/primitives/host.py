"""Acting outside the program: calling Python, printing, and checking what must hold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from slipstream.errors import InvalidArgumentError
from slipstream.ir.dtypes import bool_, float64
from slipstream.ir.graph import Array
from slipstream.ir.types import TensorType
from slipstream.primitives.base import Primitive, Pull, define, misfit
from slipstream.primitives.control import placed
from slipstream.primitives.families import no_gradient
from slipstream.primitives.samples import Spec, reals, sample
from slipstream.primitives.tracing import as_tuple

Function = Callable[..., Any]


def _py_function_rule(
    *inputs: TensorType,
    function: Function,
    types: tuple[TensorType, ...],
    pullback: Function | None,
) -> tuple[TensorType, ...]:
    return types


def _py_function(
    *inputs: Array,
    function: Function,
    types: tuple[TensorType, ...],
    pullback: Function | None,
) -> Any:
    returned = function(*inputs)
    several = returned if isinstance(returned, (tuple, list)) else (returned,)
    if len(several) != len(types):
        raise misfit(
            "py_function", "the function returned another number of arrays",
            str(len(types)), returned=len(several),
        )  # fmt: skip
    arrays = tuple(_fitting(a, t) for a, t in zip(several, types, strict=True))
    return arrays[0] if len(arrays) == 1 else arrays


def _fitting(returned: Any, type: TensorType) -> Array:
    """A returned value as the array that was announced."""
    array = np.asarray(returned, type.dtype.numpy)
    if array.shape != type.shape:
        raise misfit(
            "py_function", "the function returned another shape", str(type), returned=array.shape
        )
    return array


def _py_function_derivative(pull: Pull) -> list[Any]:
    """A call of `pullback`, which has no derivative itself; none flows where there is none."""
    flags = [x.dtype.is_differentiable for x in pull.inputs]
    moving = [x.type for x, flag in zip(pull.inputs, flags, strict=True) if flag]
    function = pull.params["pullback"]
    if function is None or not moving:
        return [None] * len(pull.inputs)
    found = py_function(
        *pull.inputs, *pull.cotangents, function=function, types=tuple(moving), pullback=_once_only
    )
    return placed(iter(as_tuple(found)), flags)


def _once_only(*arrays: Array) -> Any:
    raise LookupError("[py_function] the gradient of a call of Python code is not derived again")


def _print(*inputs: Array, write: Function) -> tuple[()]:
    write(*inputs)
    return ()


def _assert(condition: Array, *shown: Array, message: str) -> tuple[()]:
    if not np.all(condition):
        values = "".join(f"\n  {value}" for value in shown)
        raise InvalidArgumentError(f"{message}{values}")
    return ()


def _assert_rule(condition: TensorType, *shown: TensorType, message: str) -> tuple[()]:
    if not condition.dtype.is_bool:
        raise misfit("assert", "the condition is not boolean", condition=condition)
    return ()


def _double(x: Array) -> Array:
    return np.asarray(x + x)


def _double_pullback(x: Array, g: Array) -> Array:
    return np.asarray(g + g)


def _nowhere(x: Array) -> None:
    """Where the sample prints to."""


TRUTHS = Spec((3,), dtype=bool_, make=lambda generator, shape: np.ones(shape))

py_function: Primitive = define(
    Primitive(
        "py_function",
        "host",
        _py_function_rule,
        _py_function,
        _py_function_derivative,
        samples=(
            sample(
                reals(3),
                smooth=False,
                function=_double,
                types=(TensorType((3,), float64),),
                pullback=_double_pullback,
            ),
        ),
        effect=True,
        facts={"dtypes": (float64,)},
        doc="function(*arrays), a Python function of NumPy arrays that returns arrays of `types`; "
        "pullback(*arrays, *cotangents), if there is one, gives cotangents of the floating inputs",
    )
)
print_ = define(
    Primitive(
        "print",
        "host",
        lambda *types, write: (),
        _print,
        no_gradient,
        samples=(sample(reals(3), smooth=False, write=_nowhere),),
        effect=True,
        doc="write(*arrays), a Python function that shows them somewhere",
    )
)
assert_ = define(
    Primitive(
        "assert",
        "host",
        _assert_rule,
        _assert,
        no_gradient,
        samples=(sample(TRUTHS, reals(2), smooth=False, message="not all hold"),),
        effect=True,
        doc="Raise InvalidArgumentError, showing the other inputs, unless the condition holds",
    )
)
