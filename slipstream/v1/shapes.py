"""The shapes of what a step gives, found by tracing it with stand-ins for what it takes."""

from __future__ import annotations

from typing import Any

from slipstream.ir.types import TensorType
from slipstream.primitives.base import interpreting
from slipstream.runtime.abstract import STAND_INS, merged_specs, specs_of
from slipstream.runtime.structure import flatten, map_structure
from slipstream.runtime.tracer import Tracer
from slipstream.runtime.variable import Cell


class StandIns(Tracer):
    """Traces one step; tensors of the graph become arguments, with `size` for unknown sizes."""

    def __init__(self, size: int) -> None:
        super().__init__("abstract")
        self.size = size
        self.found: dict[int, tuple[Any, Any]] = {}
        self.variables = []

    def resolve(self, operand: Any) -> Any:
        spec = getattr(operand, "spec", None)
        if spec is None:
            return operand
        if id(operand) not in self.found:
            shape = tuple(self.size if n is None else n for n in spec.shape)
            argument = self.argument(TensorType(shape, spec.dtype))
            self.found[id(operand)] = operand, argument
        return self.found[id(operand)][1]


def infer_step(op: Any) -> tuple[Any, list[Any], list[Cell]]:
    """The specs of a step's result in its structure, the graph's tensors and the cells it uses."""
    first = StandIns(STAND_INS[0])
    result = _run(first, op)
    used = [tensor for tensor, _ in first.found.values()]
    cells = list(dict.fromkeys([*first.cells, *first.written]))
    if not any(None in tensor.spec.shape for tensor in used):
        return specs_of(result), used, cells
    return merged_specs(result, _run(StandIns(STAND_INS[1]), op)), used, cells


def _run(tracer: StandIns, op: Any) -> Any:
    with interpreting(tracer):
        args, kwargs = resolved(op)
        return op.function(*args, **kwargs)


def resolved(op: Any) -> tuple[Any, Any]:
    """The step's arguments, with the tensors of the graph as the current trace knows them."""

    def leaf(item: Any) -> Any:
        return item._operand() if getattr(item, "spec", None) is not None else item

    return (
        map_structure(leaf, (op.args, op.kwargs))
        if flatten((op.args, op.kwargs))
        else (op.args, op.kwargs)
    )
