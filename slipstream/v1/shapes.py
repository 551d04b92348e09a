"""The shapes of what a step gives, found by tracing it with stand-ins for what it takes."""

from __future__ import annotations

import re
from typing import Any

from slipstream.errors import OpError
from slipstream.ir.types import TensorType
from slipstream.primitives.base import interpreting
from slipstream.runtime.abstract import STAND_INS, merged_specs, specs_of
from slipstream.runtime.function import TensorSpec
from slipstream.runtime.structure import flatten, map_structure
from slipstream.runtime.tracer import Tracer
from slipstream.runtime.variable import Cell

RANKS = (0, 1, 2, 3, 4)  # tried where the rank of a tensor is open


class StandIns(Tracer):
    """Traces one step; tensors of the graph become arguments, with `size` for unknown sizes."""

    def __init__(self, size: int, rank: int = 0) -> None:
        super().__init__("abstract")
        self.size, self.rank = size, rank
        self.found: dict[int, tuple[Any, Any]] = {}
        self.variables = []

    def resolve(self, operand: Any) -> Any:
        spec = getattr(operand, "spec", None)
        if spec is None:
            return operand
        if id(operand) not in self.found:
            sizes = (None,) * self.rank if spec.shape is None else spec.shape
            shape = tuple(self.size if n is None else n for n in sizes)
            argument = self.argument(TensorType(shape, spec.dtype))
            self.found[id(operand)] = operand, argument
        return self.found[id(operand)][1]


def infer_step(op: Any) -> tuple[Any, list[Any], list[Cell]]:
    """The specs of a step's result in its structure, the graph's tensors and the cells it uses."""
    first = StandIns(STAND_INS[0])
    try:
        result = _run(first, op)
    except (OpError, ValueError, TypeError) as error:
        if _has_open_rank(first):
            return _infer_open(op, error)
        raise _with_open_sizes(error) from error.__cause__
    if _has_open_rank(first):
        return _infer_open(op)
    used = [tensor for tensor, _ in first.found.values()]
    cells = list(dict.fromkeys([*first.cells, *first.written]))
    if not any(None in tensor.spec.shape for tensor in used):
        return specs_of(result), used, cells
    return merged_specs(result, _run(StandIns(STAND_INS[1]), op)), used, cells


def _has_open_rank(tracer: StandIns) -> bool:
    return any(tensor.spec.shape is None for tensor, _ in tracer.found.values())


def _infer_open(op: Any, error: Exception | None = None) -> tuple[Any, list[Any], list[Cell]]:
    """The same where the rank of an input is open: what is alike for the ranks that work."""
    works: list[tuple[Any, StandIns]] = []
    for rank in RANKS:
        tracer, other = (StandIns(size, rank) for size in STAND_INS)
        try:
            works.append((merged_specs(_run(tracer, op), _run(other, op)), tracer))
        except (OpError, ValueError, TypeError) as found:
            error = found
    if not works:
        raise _with_open_sizes(error or ValueError("no rank works")) from None
    leaves = [flatten(specs) for specs, _ in works]
    known = [len(works) > 1 and all(a == b for b in same[1:]) for same, a in _columns(leaves)]
    flags = iter(known)
    specs = map_structure(lambda leaf: leaf if next(flags) else _opened(leaf), works[0][0])
    tracer = works[0][1]
    used = [tensor for tensor, _ in tracer.found.values()]
    return specs, used, list(dict.fromkeys([*tracer.cells, *tracer.written]))


def _columns(rows: list[list[Any]]) -> list[tuple[tuple[Any, ...], Any]]:
    """Each leaf of several results, and that of the first."""
    return [(column, column[0]) for column in zip(*rows, strict=True)]


def _opened(leaf: Any) -> Any:
    return TensorSpec(None, leaf.dtype) if isinstance(leaf, TensorSpec) else leaf


def _with_open_sizes(error: Exception) -> Exception:
    """The error, with question marks in the place of stand-ins."""
    stand_ins = "|".join(map(str, STAND_INS))
    error.args = tuple(
        re.sub(rf"(?<=[\[(, ])({stand_ins})(?=[\]),])", "?", a) if isinstance(a, str) else a
        for a in error.args
    )
    return error


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
