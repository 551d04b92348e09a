"""Tracing: the interpreter that draws what a Python function does as a graph.

Tensors from outside become inputs of the graph (captures). Cells are read through it: the first
reading of a cell adds
its content as an input, later ones see what was written last, and what was written is returned in
the end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from slipstream.errors import InvalidArgumentError, message
from slipstream.ir.builder import Builder
from slipstream.ir.dtypes import as_dtype
from slipstream.ir.graph import Array, Constant, Graph, Value, pruned
from slipstream.ir.types import TensorType
from slipstream.primitives.base import LEVEL, interpreting
from slipstream.primitives.evaluate import evaluate
from slipstream.primitives.operand import Operand
from slipstream.primitives.tracing import GraphInterpreter
from slipstream.runtime.convert import TensorLike, convert
from slipstream.runtime.eager import EAGER
from slipstream.runtime.tensor import EagerTensor, SymbolicTensor
from slipstream.runtime.variable import Cell

CONSTANT_LIMIT = 64  # bytes: a larger captured array is an input, not a constant of the program


class Tracer(GraphInterpreter):
    """Draws a graph. `outer` is the interpreter around the trace: another tracer, or eager."""

    def __init__(self, name: str = "graph", outer: Any = EAGER) -> None:
        super().__init__(Builder(name))
        self.outer = outer
        self.captures: dict[int, tuple[Operand, Value]] = {}
        self.cells: dict[Cell, Value] = {}  # the input that holds a cell's old content
        self.state: dict[Cell, Operand] = {}  # a cell's content now
        self.written: dict[Cell, None] = {}  # in the order of first writing
        self.variables: list[Any] | None = None  # those created; None: none may be

    @property
    def seed_scope(self) -> Any:
        """Whose seeds random operations draw by; None for the global ones."""
        return getattr(self.outer, "seed_scope", None)

    def argument(self, type: TensorType) -> SymbolicTensor:
        """A new input of the program."""
        return SymbolicTensor(self.builder.input(type), self)

    def wrap(self, value: Value) -> SymbolicTensor:
        return SymbolicTensor(value, self)

    def resolve(self, operand: Any) -> Any:
        """The tensor that a tensor of a recorded graph stands for in this trace."""
        return self.outer.resolve(operand) if isinstance(self.outer, Tracer) else operand

    def lift(self, operand: Operand) -> Value:
        operand = operand if isinstance(operand, SymbolicTensor) else self.resolve(operand)
        if isinstance(operand, SymbolicTensor) and operand.tracer is self:
            return operand.value
        if isinstance(operand, EagerTensor) and operand.array.nbytes <= CONSTANT_LIMIT:
            return self.builder.constant(operand.array)
        if isinstance(operand, SymbolicTensor) and isinstance(operand.value, Constant):
            return operand.value
        return self._captured(operand)

    def _captured(self, operand: Operand) -> Value:
        if operand.identity not in self.captures:
            if isinstance(operand, SymbolicTensor) and not self._encloses(operand.tracer):
                raise TypeError(
                    message(
                        "trace",
                        "a tensor of another traced function is used here",
                        received={"tensor": operand.type},
                        hint="return it from that function, and pass it in",
                    )
                )
            self.captures[operand.identity] = operand, self.builder.input(operand.type)
        return self.captures[operand.identity][1]

    def _encloses(self, tracer: Any) -> bool:
        outer = self.outer
        while outer is not tracer and isinstance(outer, Tracer):
            outer = outer.outer
        return outer is tracer

    def constant(self, array: Array) -> SymbolicTensor:
        if array.nbytes > CONSTANT_LIMIT and not array.dtype.hasobject:
            return self.wrap(self._captured(EagerTensor(array)))
        return self.wrap(self.builder.constant(array))

    def compose(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return function(*args, **kwargs)

    def read_cell(self, cell: Cell) -> Operand:
        if cell not in self.state:
            self.cells[cell] = self.builder.input(cell.type)
            self.state[cell] = self.wrap(self.cells[cell])
        return self.state[cell]

    def write_cell(self, cell: Cell, operand: Operand) -> None:
        self.state[cell] = self.wrap(self.lift(operand))
        self.written[cell] = None

    def variable_created(self, variable: Any) -> None:
        if self.variables is None:
            raise ValueError(
                "tf.function only supports singleton tf.Variables created on the first call. "
                "Make sure the tf.Variable is only created once or created outside tf.function."
            )
        self.variables.append(variable)

    def initial_array(self, initial_value: Any, dtype: Any) -> Array:
        """What a variable created inside the trace begins with, computed outside the program."""
        wanted = None if dtype is None else as_dtype(dtype)
        if callable(initial_value) and not isinstance(initial_value, TensorLike):
            with outside_trace():
                return np.array(convert(initial_value(), wanted).array)
        if not isinstance(initial_value, SymbolicTensor):
            with outside_trace():
                return np.array(convert(initial_value, wanted).array)
        return np.array(self._value_now(initial_value))

    def _value_now(self, tensor: SymbolicTensor) -> Array:
        graph = pruned(Graph((), tuple(self.builder.nodes), (self.lift(tensor),)))
        defined = {value for node in graph.nodes for value in node.outputs}
        known = {
            value: op.array for op, value in self.captures.values() if isinstance(op, EagerTensor)
        }
        known |= {value: cell.array for cell, value in self.cells.items()}
        needed = [v for node in graph.nodes for v in node.inputs] + list(graph.outputs)
        free = [
            v for v in dict.fromkeys(needed) if v not in defined and not isinstance(v, Constant)
        ]
        if any(value not in known for value in free):
            raise InvalidArgumentError(
                message(
                    "Variable",
                    "the initial value depends on the arguments of the traced function",
                    hint="a function without arguments as the initial value",
                )
            )
        return evaluate(Graph(tuple(free), graph.nodes, graph.outputs), [known[v] for v in free])[0]


def outside_trace() -> Any:
    """Within the block operations happen eagerly, even while a function is traced
    (`tf.init_scope`).
    """
    return interpreting(EAGER)


def trace_into(tracer: Tracer, function: Callable[[], Any], recorders: Sequence[Any] = ()) -> Any:
    """What `function` returns when its operations go to `tracer`."""
    with interpreting(tracer):
        LEVEL.recorders.extend(recorders)
        return function()


def is_tracing() -> bool:
    """Whether operations are drawn now rather than done."""
    return LEVEL.interpreter is not EAGER
