"""The native executor: programs as machine code. The compiler loads with the first program."""

from __future__ import annotations

from slipstream import settings
from slipstream.compiler import collector, program
from slipstream.ir.graph import Graph


class NativeExecutor:
    """Compiles graphs; variables are updated where they lie."""

    name = "native"
    in_place = True

    def load(self, graph: Graph, in_place: tuple[tuple[int, int], ...] = ()) -> program.Program:
        """The compiled program; with `SLIPSTREAM_DEBUG=1` one that checks its memory."""
        if settings.is_debugging():
            from slipstream.compiler import guards

            return guards.load(graph, in_place)
        with collector.paused():
            return program.load(graph, in_place)
