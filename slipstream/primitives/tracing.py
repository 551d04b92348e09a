"""Applying operations into a graph: how derivatives, expansions and sub-programs are made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from slipstream.errors import user_line
from slipstream.ir.builder import Builder
from slipstream.ir.graph import Array, Constant, Graph, Params, Value
from slipstream.ir.types import TensorType
from slipstream.primitives.base import Primitive, interpreting
from slipstream.primitives.operand import Operand, constant


class Traced(Operand):
    """An operand that stands for a value of a graph."""

    __slots__ = ("value",)

    def __init__(self, value: Value) -> None:
        self.value = value

    @property
    def type(self) -> TensorType:
        return self.value.type

    @property
    def identity(self) -> int:
        return id(self.value)

    def __repr__(self) -> str:
        return f"<traced {self.type}>"


class GraphInterpreter:
    """Adds each application to a builder."""

    def __init__(self, builder: Builder) -> None:
        self.builder = builder

    def apply(self, primitive: Primitive, inputs: tuple[Operand, ...], params: Params) -> Any:
        values = [self.lift(operand) for operand in inputs]
        outputs = self.builder.add(primitive, values, params, user_line())
        wrapped = tuple(self.wrap(v) for v in outputs)
        return wrapped[0] if len(wrapped) == 1 else wrapped

    def constant(self, array: Array) -> Operand:
        return self.wrap(self.builder.constant(array))

    def wrap(self, value: Value) -> Operand:
        """The operand for a value of the graph."""
        return Traced(value)

    def lift(self, operand: Operand) -> Value:
        """The value of the graph for an operand."""
        if not isinstance(operand, Traced):
            raise TypeError(f"{operand!r} does not belong to the program that is being built")
        return operand.value


def as_tuple(outputs: Any) -> tuple[Any, ...]:
    """One operand or several, as a tuple."""
    return tuple(outputs) if isinstance(outputs, (tuple, list)) else (outputs,)


def trace(function: Callable[..., Any], types: Sequence[TensorType], name: str = "graph") -> Graph:
    """The graph that `function` draws when it is called on operands of the given types."""
    builder = Builder(name)
    interpreter = GraphInterpreter(builder)
    inputs = [Traced(builder.input(t)) for t in types]
    with interpreting(interpreter):
        outputs = as_tuple(function(*inputs))
    return builder.graph([interpreter.lift(o) for o in outputs])


def replay(graph: Graph, operands: Sequence[Operand]) -> tuple[Any, ...]:
    """Apply each node of `graph` under the current interpreter, its inputs being `operands`."""
    known: dict[Value, Any] = dict(zip(graph.inputs, operands, strict=True))

    def read(value: Value) -> Any:
        if isinstance(value, Constant) and value not in known:
            known[value] = constant(value.array)
        return known[value]

    for node in graph.nodes:
        primitive = node.operation
        assert isinstance(primitive, Primitive)
        outputs = primitive(*(read(v) for v in node.inputs), **node.params)
        known.update(zip(node.outputs, as_tuple(outputs), strict=True))
    return tuple(read(v) for v in graph.outputs)
