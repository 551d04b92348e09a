"""Who runs a graph: the executors, by name, and which one is in force.

An executor turns a graph into a function from input arrays to output arrays. `in_place` pairs (i,
j) say that output j is
the new content of the variable that comes as input i, so that it may be written where that lies.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from slipstream import settings
from slipstream.compiler import collector
from slipstream.ir.graph import Array, Graph
from slipstream.runtime.reference import ReferenceExecutor


class Loaded(Protocol):
    """A program, ready to run."""

    def hold(self, first: int) -> None:
        """From input `first` on, what is given stays alive and where it is: variables."""

    def __call__(self, arrays: Sequence[Array]) -> Sequence[Array]:
        """The outputs, for one array an input."""

    def repeat(self, arrays: Sequence[Array], moving: int, steps: int) -> Sequence[Array]:
        """Run n of so many has `arrays[moving][n]` as that input, and as the other variables what
        the run before made of them; the outputs of the last.
        """


class Executor(Protocol):
    """A way to run graphs. `in_place` is true if it writes into the variables' own arrays."""

    name: str
    in_place: bool

    def load(self, graph: Graph, in_place: tuple[tuple[int, int], ...]) -> Loaded:
        """The program of a graph."""


NAMES = ("native", "reference")
EXECUTORS: dict[str, Executor] = {"reference": ReferenceExecutor()}


def executor() -> Executor:
    """The executor that `SLIPSTREAM_EXECUTOR` names; ValueError if there is none such."""
    name = settings.read("SLIPSTREAM_EXECUTOR", "native")
    if name not in NAMES:
        raise ValueError(f"SLIPSTREAM_EXECUTOR={name} is no executor; they are {[*NAMES]}")
    if name not in EXECUTORS:
        EXECUTORS[name] = _native()
    return EXECUTORS[name]


def _native() -> Executor:
    """The compiler's executor, which brings LLVM with it: it loads when it is first asked for."""
    with collector.paused():
        from slipstream.runtime.native import NativeExecutor

    return NativeExecutor()
