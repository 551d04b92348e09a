"""A traced program, ready to run: the graph, what its inputs are bound to, and where its outputs
go.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from slipstream.ir.graph import Array, Graph
from slipstream.primitives.base import LEVEL, REGISTRY
from slipstream.primitives.control import acts
from slipstream.primitives.tracing import as_tuple
from slipstream.runtime.behind import Behind
from slipstream.runtime.eager import EAGER
from slipstream.runtime.executor import Executor, Loaded, executor
from slipstream.runtime.halves import Halves
from slipstream.runtime.tensor import EagerTensor
from slipstream.runtime.tracer import Tracer
from slipstream.runtime.variable import Cell


class Program:
    """What a trace left: graph(arguments, captured tensors, cells) -> (results, new contents of
    cells).

    Called with the arguments, it writes the cells and returns the results.
    """

    def __init__(self, tracer: Tracer, arguments: int, results: Sequence[Any]) -> None:
        self.cells = list(tracer.cells)
        self.written = list(tracer.written)
        self.captured = [operand for operand, _ in tracer.captures.values()]
        for cell in self.written:  # a cell written before it was read has no input yet
            if cell not in tracer.cells:
                tracer.cells[cell] = tracer.builder.input(cell.type)
                self.cells.append(cell)
        builder = tracer.builder
        captures = [value for _, value in tracer.captures.values()]
        inputs = [*builder.inputs[:arguments], *captures, *(tracer.cells[c] for c in self.cells)]
        outputs = [tracer.lift(r) for r in results]
        outputs += [tracer.lift(tracer.state[cell]) for cell in self.written]
        drawn = builder.graph(outputs)
        self.graph = Graph(tuple(inputs), drawn.nodes, drawn.outputs, builder.name)
        self.results = len(results)
        self._arguments = arguments
        self._overwritten = frozenset(self.written)
        self._loaded: Any = None
        self._halves: dict[tuple[bool, ...], Halves] = {}
        self._coming: Behind | None = None

    @property
    def in_place(self) -> tuple[tuple[int, int], ...]:
        """(input, output) of each written cell."""
        first = len(self.graph.inputs) - len(self.cells)
        place = {cell: first + i for i, cell in enumerate(self.cells)}
        return tuple((place[c], self.results + i) for i, c in enumerate(self.written))

    def run(
        self, arguments: Sequence[Array], storage: Callable[[Cell], Cell] = lambda cell: cell
    ) -> list[Array]:
        """Run on arrays: the results as arrays; the cells are written.

        `storage` says where a cell's content really lies: a session keeps contents of its own.
        """
        chosen, loaded = self._ready()
        outputs = loaded(self._bound(arguments, storage, chosen.in_place))
        for cell, array in zip(self.written, outputs[self.results :], strict=True):
            storage(cell).replace(array, owned=chosen.in_place)
        return list(outputs[: self.results])

    def repeat(self, arguments: Sequence[Array], moving: int) -> list[Array]:
        """One run for each element of `arguments[moving]`, which is that argument in it.

        The results of the last run; the cells are written.
        """
        chosen, loaded = self._ready()
        bound = self._bound(arguments, lambda cell: cell, chosen.in_place)
        outputs = loaded.repeat(bound, moving, len(arguments[moving]))
        for cell, array in zip(self.written, outputs[self.results :], strict=True):
            cell.replace(array, owned=chosen.in_place)
        return list(outputs[: self.results])

    def prepare(self) -> None:
        """Begin to load the program, in a thread of its own. The first run waits for it, and
        raises what goes wrong.
        """
        if self._loaded is None and self._coming is None:
            chosen = executor()
            self._coming = Behind(lambda: self._load(chosen))

    def _ready(self) -> tuple[Executor, Loaded]:
        """The executor in force, and its program."""
        chosen = executor()
        coming, self._coming = self._coming, None
        if coming is not None:
            self._loaded = coming.result()
        if self._loaded is None or self._loaded[0] is not chosen:
            self._loaded = self._load(chosen)
        return self._loaded  # type: ignore[no-any-return]

    def _load(self, chosen: Executor) -> tuple[Executor, Loaded]:
        loaded = chosen.load(self.graph, self.in_place)
        loaded.hold(self._arguments)
        return chosen, loaded

    def _bound(
        self, arguments: Sequence[Array], storage: Callable[[Cell], Cell], in_place: bool
    ) -> list[Array]:
        captured = [operand.array for operand in self.captured]  # type: ignore[attr-defined]
        cells = [storage(cell) for cell in self.cells]
        if in_place and self.written:
            own = zip(self.cells, cells, strict=True)
            held = [c.exclusive() if cell in self._overwritten else c.array for cell, c in own]
        else:
            held = [c.array for c in cells]
        return [*arguments, *captured, *held]

    def __call__(self, arguments: Sequence[EagerTensor]) -> list[Any]:
        """Run on eager tensors, so that tapes see it as one operation."""
        if is_eager() and not LEVEL.recorders:
            return self._run_eagerly(arguments)
        operands = [*arguments, *self.captured, *(_read(cell) for cell in self.cells)]
        if not is_eager() or acts(self.graph):
            return self._written(as_tuple(REGISTRY["call"](*operands, graph=self.graph)))
        wanted = tuple(map(_is_followed, operands))
        if not any(wanted):
            return self._run_eagerly(arguments)
        if wanted not in self._halves:
            self._halves[wanted] = Halves(self.graph, wanted)
        return self._written(self._halves[wanted](operands))

    def _run_eagerly(self, arguments: Sequence[EagerTensor]) -> list[Any]:
        return [EagerTensor(a) for a in self.run([t.array for t in arguments])]

    def _written(self, outputs: Sequence[Any]) -> list[Any]:
        """The results, once the new contents are in their cells."""
        for cell, operand in zip(self.written, outputs[self.results :], strict=True):
            cell.write(operand)
        return list(outputs[: self.results])


def _is_followed(operand: Any) -> bool:
    """Whether a tape follows an operand that has a derivative."""
    differentiable = operand.dtype.is_differentiable
    return differentiable and any(r.follows(operand) for r in LEVEL.recorders)


def _read(cell: Cell) -> Any:
    """A cell's content as the tapes know it: by its variable, if one reads it."""
    variable = cell.variable()
    return cell.read() if variable is None else variable.value()


def is_eager() -> bool:
    """Whether nothing is being traced."""
    return LEVEL.interpreter is EAGER
