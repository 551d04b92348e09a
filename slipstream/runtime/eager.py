"""Eager: an operation is its primitive's NumPy meaning, now."""

from __future__ import annotations

import contextvars
import operator
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from slipstream.ir.dtypes import from_numpy
from slipstream.ir.graph import Array, Params
from slipstream.ir.types import TensorType
from slipstream.primitives.base import Primitive, set_default_interpreter
from slipstream.primitives.operand import Operand
from slipstream.runtime.tensor import EagerTensor

_fitting: set[Any] = set()  # applications whose rule has been passed once, by `_application`
REMEMBERED = 10_000
_ARRAY, _DTYPE = operator.attrgetter("array"), operator.attrgetter("dtype.num")
RUNS_PYTHON = ("host", "control")  # families whose meanings may come back here


class Eager:
    """The interpreter outside any trace."""

    def apply(self, primitive: Primitive, inputs: tuple[Operand, ...], params: Params) -> Any:
        try:
            arrays = [*map(_ARRAY, inputs)]
        except AttributeError:
            return self._handed_over(primitive, inputs, params)
        plain = primitive.family == "elementwise"
        key = (
            (primitive, *map(_DTYPE, arrays))  # NumPy finds out itself what does not broadcast
            if plain
            else _application(primitive, arrays, params)
        )
        if key not in _fitting:
            self._infer(primitive, arrays, params)
            _remember(key)
        try:
            run = _in_errstate if primitive.family in RUNS_PYTHON else _QUIET.run
            result = run(primitive.meaning, *arrays, **params)
        except ValueError:
            self._infer(primitive, arrays, params)  # says what does not fit, if the shapes do not
            raise
        if type(result) is np.ndarray:
            return EagerTensor(result)
        if isinstance(result, tuple):
            return tuple([EagerTensor(np.asarray(r)) for r in result])
        return EagerTensor(np.asarray(result))

    def constant(self, array: Array) -> EagerTensor:
        return EagerTensor(array)

    def read_cell(self, cell: Any) -> EagerTensor:
        return cell.tensor()

    def write_cell(self, cell: Any, operand: EagerTensor) -> None:
        cell.replace(operand.array)

    symbolic: type | None = None  # a kind of argument that takes operations over, once there is one

    def compose(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if self.symbolic is not None:
            stranger = _stranger(self.symbolic, (*args, *kwargs.values()))
            if stranger is not None:
                return stranger.take_over(function, args, kwargs)
        return function(*args, **kwargs)

    def _infer(self, primitive: Primitive, arrays: Sequence[Array], params: Params) -> None:
        primitive.infer(tuple(TensorType(a.shape, from_numpy(a.dtype)) for a in arrays), params)

    def _handed_over(
        self, primitive: Primitive, inputs: tuple[Operand, ...], params: Params
    ) -> Any:
        """An input that is no eager tensor takes the operation over, if it can."""
        stranger: Any = next(x for x in inputs if not hasattr(x, "array"))
        if hasattr(stranger, "take_over"):
            return stranger.take_over(primitive, inputs, dict(params))
        raise TypeError(
            f"[{primitive.name}] {stranger!r} belongs to a program that is being traced, and was "
            "used outside it; return it from the traced function instead"
        )


class _Quiet(threading.local):
    """`run` calls a function where NumPy does not warn of overflow and the like, one a thread.

    NumPy 2 keeps that in a context variable, so a context made once does; to enter `np.errstate`
    takes longer than a small sum.
    """

    def __init__(self) -> None:
        with np.errstate(all="ignore"):
            self.run: Callable[..., Any] = contextvars.copy_context().run
        if self.run(np.geterr)["over"] != "ignore":
            self.run = _in_errstate


def _in_errstate(meaning: Callable[..., Any], *arrays: Array, **params: Any) -> Any:
    with np.errstate(all="ignore"):
        return meaning(*arrays, **params)


_QUIET = _Quiet()


def _application(primitive: Primitive, arrays: Sequence[Array], params: Params) -> Any:
    """What decides whether a primitive's rule is met; None if that cannot be looked up."""
    key = primitive, *[(a.shape, a.dtype.num) for a in arrays], *params.items()
    try:
        hash(key)
    except TypeError:
        return None
    return key


def _remember(key: Any) -> None:
    if key is not None:
        if len(_fitting) >= REMEMBERED:
            _fitting.clear()
        _fitting.add(key)


def _stranger(kind: type, arguments: Any) -> Any:
    """The first argument of a kind, also in short sequences; None if there is none."""
    for argument in arguments:
        if isinstance(argument, kind):
            return argument
        if type(argument) in (list, tuple) and len(argument) < 100:
            found = _stranger(kind, argument)
            if found is not None:
                return found
    return None


EAGER = Eager()
set_default_interpreter(EAGER)
