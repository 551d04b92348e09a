"""The native executor: programs as machine code. The compiler loads with the first program."""

from __future__ import annotations

from slipstream.compiler import program
from slipstream.ir.graph import Graph


class NativeExecutor:
    """Compiles graphs; variables are updated where they lie."""

    name = "native"
    in_place = True

    def load(self, graph: Graph, in_place: tuple[tuple[int, int], ...] = ()) -> program.Program:
        """The compiled program."""
        return program.load(graph, in_place)
