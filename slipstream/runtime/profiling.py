"""Profiling: while it is on, every program that runs measures itself.

    with profiling() as profile:
        model.fit(x, y)
    print_profile(profile)

Programs that were compiled before are compiled anew for it, and run unmeasured after it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from slipstream.compiler.profile import Profile, ProfiledProgram
from slipstream.ir.graph import Graph
from slipstream.runtime.executor import EXECUTORS


class ProfilingExecutor:
    """Loads programs that measure themselves."""

    name = "native"
    in_place = True

    def __init__(self) -> None:
        self.profile = Profile()

    def load(self, graph: Graph, in_place: tuple[tuple[int, int], ...] = ()) -> ProfiledProgram:
        """The compiled program."""
        return self.profile.load(graph, in_place)


@contextmanager
def profiling() -> Iterator[Profile]:
    """Measure all that the native executor runs; the programs and their times.

    Nothing is measured where `SLIPSTREAM_EXECUTOR` names another executor.
    """
    before = EXECUTORS.get("native")
    measuring = ProfilingExecutor()
    EXECUTORS["native"] = measuring
    try:
        yield measuring.profile
    finally:
        if before is None:
            del EXECUTORS["native"]
        else:
            EXECUTORS["native"] = before
