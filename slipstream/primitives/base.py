"""What an operation is: one record with its shape rule, NumPy meaning, derivative and expansion.

`apply` is the only way an operation happens. The current interpreter decides what that means:
compute it now, or add it to a graph. Recorders (gradient tapes) see every application that happens
at their level.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from slipstream.errors import InvalidArgumentError, message
from slipstream.ir.graph import Array, Graph, Params
from slipstream.ir.types import TensorType
from slipstream.primitives.samples import Sample

if TYPE_CHECKING:
    from slipstream.primitives.operand import Operand

Types = TensorType | tuple[TensorType, ...]


@dataclass(frozen=True, eq=False)
class Pull:
    """What a derivative is given: cotangents of the outputs, and the application they belong to.

    `wanted[i]` says whether the cotangent of input i is asked for. `differentiate(graph, wanted)`
    turns a sub-program f(x...) -> y... into its pullback (x..., cotangents of y...) -> cotangents
    of the wanted x.
    """

    cotangents: tuple[Operand, ...]
    inputs: tuple[Operand, ...]
    outputs: tuple[Operand, ...]
    params: Params
    wanted: tuple[bool, ...]
    differentiate: Callable[[Graph, tuple[bool, ...]], Graph]

    @property
    def g(self) -> Operand:
        """The cotangent of the only (or first) output."""
        return self.cotangents[0]


Derivative = Callable[[Pull], Sequence[Any]]


@dataclass(frozen=True, eq=False)
class Primitive:
    """An operation, whole.

    rule        rule(*types, **params): the output type, or a tuple of them for several outputs
    meaning     meaning(*arrays, **params): the same outputs as NumPy arrays; this is the definition
    derivative  derivative(pull): a cotangent (or None) an input; without one, that of `expand`
    expand      expand(*operands, **params): the same outputs composed of other primitives
    family      which kernel generator it belongs to
    samples     valid inputs, from which its tests follow
    effect      it acts outside the program: never shared, folded, dropped or reordered
    """

    name: str
    family: str
    rule: Callable[..., Types]
    meaning: Callable[..., Any]
    derivative: Derivative | None = None
    expand: Callable[..., Any] | None = None
    samples: tuple[Sample, ...] = ()
    effect: bool = False
    facts: dict[str, Any] = field(default_factory=dict)
    doc: str = ""

    def __call__(self, *inputs: Operand, **params: Any) -> Any:
        """Apply it: one operand where the rule gives one type, else a tuple."""
        interpreter = LEVEL.interpreter or current()
        outputs = interpreter.apply(self, inputs, params)
        if LEVEL.recorders:
            _show(self, inputs, params, outputs)
        return outputs

    def infer(self, inputs: tuple[TensorType, ...], params: Params) -> tuple[TensorType, ...]:
        types = self.rule(*inputs, **params)
        return (types,) if isinstance(types, TensorType) else types

    def compute(self, inputs: tuple[Array, ...], params: Params) -> tuple[Array, ...]:
        with np.errstate(all="ignore"):
            result = self.meaning(*inputs, **params)
        results = result if isinstance(result, tuple) else (result,)
        return tuple(np.asarray(r) for r in results)

    def __repr__(self) -> str:
        return f"<primitive {self.name}>"


REGISTRY: dict[str, Primitive] = {}


def define(primitive: Primitive) -> Primitive:
    """Enter a primitive in the registry, which the tests, the documentation and the parser walk."""
    if primitive.name in REGISTRY:
        raise ValueError(f"primitive {primitive.name} is defined twice")
    REGISTRY[primitive.name] = primitive
    return primitive


class Interpreter(Protocol):
    """What applying an operation means now."""

    def apply(self, primitive: Primitive, inputs: tuple[Operand, ...], params: Params) -> Any:
        """The outputs: one operand, or a tuple of them."""

    def constant(self, array: Array) -> Operand:
        """An operand for a known array."""


class Recorder(Protocol):
    """Who watches applications: a gradient tape."""

    def record(
        self, primitive: Primitive, inputs: tuple[Operand, ...], params: Params, outputs: Any
    ) -> None: ...

    def follows(self, operand: Operand) -> bool:
        """Whether what becomes of an operand is recorded."""


class _Level(threading.local):
    """The current interpreter and its recorders, one a thread."""

    default: Interpreter | None = None

    def __init__(self) -> None:
        self.interpreter = _Level.default
        self.recorders: list[Recorder] = []


LEVEL = _Level()


def set_default_interpreter(interpreter: Interpreter) -> None:
    """What operations mean outside any `interpreting` block, in every thread."""
    _Level.default = interpreter
    LEVEL.interpreter = interpreter


def current() -> Interpreter:
    """The interpreter in force."""
    interpreter = LEVEL.interpreter
    if interpreter is None:
        raise RuntimeError("no interpreter: import slipstream, or work inside interpreting(...)")
    return interpreter


@contextmanager
def interpreting(interpreter: Interpreter) -> Iterator[None]:
    """Within the block operations mean what `interpreter` says, unseen by the recorders outside."""
    outer = LEVEL.interpreter, LEVEL.recorders
    LEVEL.interpreter, LEVEL.recorders = interpreter, []
    try:
        yield
    finally:
        LEVEL.interpreter, LEVEL.recorders = outer


def apply(primitive: Primitive, inputs: tuple[Operand, ...], params: Params) -> Any:
    """Apply a primitive under the current interpreter, and show it to the recorders."""
    return primitive(*inputs, **params)


def _show(primitive: Primitive, inputs: tuple[Operand, ...], params: Params, outputs: Any) -> None:
    for recorder in LEVEL.recorders:
        recorder.record(primitive, inputs, params, outputs)


def misfit(operation: str, happened: str, expected: str = "", **received: object) -> Exception:
    """The error a rule raises where its inputs do not fit; `received` names types or values."""
    shown = {name: str(value) for name, value in received.items()}
    return InvalidArgumentError(message(operation, happened, expected=expected, received=shown))
