"""Where threads must wait for each other: before a kernel that touches what others work on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from slipstream.compiler.kernels import Kernel, is_for_all, written_buffers
from slipstream.compiler.passes.lay import Call
from slipstream.ir.graph import Value


class Region(NamedTuple):
    """Bytes of a block of memory; an end of None is all of it."""

    block: object
    begin: int = 0
    end: int | None = None

    def meets(self, other: Region) -> bool:
        """Whether both hold a byte."""
        if self.block != other.block:
            return False
        if self.end is None or other.end is None:
            return True
        return self.begin < other.end and other.begin < self.end


class Touched(NamedTuple):
    """What a kernel reads and writes, and whether all threads work on it."""

    reads: Sequence[Region]
    writes: Sequence[Region]
    shared: bool

    def conflicts(self, other: Touched) -> bool:
        if not self.shared and not other.shared:  # one thread does both, in order
            return False
        return (
            _meet(self.writes, other.writes)
            or _meet(self.writes, other.reads)
            or _meet(self.reads, other.writes)
        )


def _meet(some: Sequence[Region], others: Sequence[Region]) -> bool:
    return any(a.meets(b) for a in some for b in others)


def touched_by(kernel: Kernel, regions: Sequence[Region]) -> Touched:
    """What a kernel does to the regions that it is called with."""
    written = written_buffers(kernel)
    reads = [r for i, r in enumerate(regions) if i not in written]
    return Touched(reads, [regions[i] for i in written], is_for_all(kernel))


def barriers(calls: Sequence[Call], region: Callable[[Value], Region]) -> set[int]:
    """The numbers of the calls that threads wait before."""
    return barriers_of_turns([[touched_by(kernel, [*map(region, vs)]) for kernel, vs in calls]])


def barriers_of_turns(turns: Sequence[Sequence[Touched]]) -> set[int]:
    """The numbers of the calls that threads wait before in every turn of a loop."""
    found: set[int] = set()
    known = -1
    while known < len(found):  # a new one early in a turn may make others needless, never needed
        known = len(found)
        since: list[Touched] = []  # the last barrier
        for turn in turns:
            for number, touched in enumerate(turn):
                if number in found or any(touched.conflicts(other) for other in since):
                    found.add(number)
                    since = []
                since.append(touched)
    return found
