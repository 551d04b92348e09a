"""Tracing parts of a program: the branches of a condition, the body of a loop.

Several functions of the same operands are traced side by side, so that their graphs take the same
inputs: the operands,
then whatever any of them captures from around. A cell that any of them writes is an output of all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from slipstream.ir.graph import Graph, Value
from slipstream.ir.types import TensorType
from slipstream.primitives.base import LEVEL, interpreting
from slipstream.primitives.operand import Operand
from slipstream.runtime.convert import convert
from slipstream.runtime.structure import flatten
from slipstream.runtime.tracer import Tracer
from slipstream.runtime.variable import Cell


@dataclass(frozen=True)
class Branches:
    """Sub-programs with common inputs: graph(operands..., captures...) -> (results..., written
    cells...).

    `structures` are what the functions returned.
    """

    graphs: tuple[Graph, ...]
    captures: tuple[Operand, ...]
    cells: tuple[Cell, ...]
    structures: tuple[Any, ...]

    def write(self, operands: Sequence[Operand]) -> None:
        """Write the cells from the outputs after the results."""
        for cell, operand in zip(self.cells, operands, strict=True):
            cell.write(operand)


def trace_branches(
    functions: Sequence[Callable[..., Any]],
    types: Sequence[TensorType],
    *,
    carry_cells: bool = False,
) -> Branches:
    """Trace each function on operands of `types`, under the current tracer.

    With `carry_cells`, as the body of a loop needs it, written cells come as inputs after the
    operands, before the
    captures, in the order of `Branches.cells`.
    """
    tracers = [Tracer(getattr(f, "__name__", "branch"), LEVEL.interpreter) for f in functions]
    returned = [_returned(t, f, types) for t, f in zip(tracers, functions, strict=True)]
    cells = tuple(dict.fromkeys(cell for tracer in tracers for cell in tracer.written))
    outputs = [
        [t.lift(r) for r in results] + [_content(t, cell) for cell in cells]
        for t, (_, results) in zip(tracers, returned, strict=True)
    ]
    carried = cells if carry_cells else ()
    captures = _captures(tracers, carried)
    graphs = tuple(
        _aligned(t, len(types), carried, captures, o) for t, o in zip(tracers, outputs, strict=True)
    )
    operands = tuple(operand for operand, _ in captures.values())
    return Branches(graphs, operands, cells, tuple(structure for structure, _ in returned))


def _returned(
    tracer: Tracer, function: Callable[..., Any], types: Sequence[TensorType]
) -> tuple[Any, list[Any]]:
    arguments = [tracer.argument(t) for t in types]
    tracer.variables = None
    with interpreting(tracer):
        structure = function(*arguments)
        return structure, [convert(leaf) for leaf in flatten(structure) if leaf is not None]


def content(cell: Cell) -> Any:
    """A cell's content, read so that the tapes know whose it is."""
    variable = cell.variable()
    return cell.read() if variable is None else variable.value()


def _content(tracer: Tracer, cell: Cell) -> Value:
    with interpreting(tracer):
        return tracer.lift(tracer.read_cell(cell))


def _captures(tracers: Sequence[Tracer], carried: Sequence[Cell]) -> dict[Any, tuple[Operand, Any]]:
    """What the tracers take from around: captured operands, and cells that are not carried."""
    found: dict[Any, tuple[Operand, Any]] = {}
    for tracer in tracers:
        for identity, (operand, value) in tracer.captures.items():
            found.setdefault(identity, (operand, value))
        for cell, value in tracer.cells.items():
            if cell not in carried and cell not in found:
                found[cell] = (content(cell), value)
    return found


def _aligned(
    tracer: Tracer,
    arguments: int,
    carried: Sequence[Cell],
    captures: dict[Any, tuple[Operand, Any]],
    outputs: list[Value],
) -> Graph:
    inputs = list(tracer.builder.inputs[:arguments])
    inputs += [tracer.cells.get(cell) or Value(cell.type) for cell in carried]
    for key, (operand, _) in captures.items():
        mine = tracer.cells.get(key) if isinstance(key, Cell) else None
        if mine is None and key in tracer.captures:
            mine = tracer.captures[key][1]
        inputs.append(mine or Value(operand.type))
    drawn = tracer.builder.graph(outputs)
    return Graph(tuple(inputs), drawn.nodes, drawn.outputs, tracer.builder.name)
