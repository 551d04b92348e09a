"""Loops over time whose samples have nothing to do with each other: threads divide the samples.

Then a thread goes through all turns with its samples, and waits for nobody.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from slipstream.compiler.accesses import walks
from slipstream.compiler.collapse import tidied
from slipstream.compiler.kernels import Kernel, Look, TimeLoop, written_buffers
from slipstream.compiler.portions import Portion, portion
from slipstream.ir.types import TensorType

PARTS = (16, 8, 4, 2)  # the first that is worth it

Calls = Sequence[tuple[Kernel, tuple[int, ...]]]


def divided(
    loop: TimeLoop, types: Sequence[TensorType | None], arenas: Mapping[int, int], near: int
) -> TimeLoop:
    """The loop in parts, if all its kernels can be; entries hold values of these types.

    `arenas` are buffers where values have places one after the other, and their bytes: each part
    needs one of its own. What all parts read should stay in a cache of so many bytes.
    """
    if any(isinstance(kernel, Look) for kernel, _ in loop.calls):
        return loop
    for parts in PARTS:
        found = _Dividing(loop, types, arenas, parts).run(near)
        if found is not None:
            return found
    return loop


class _Dividing:
    def __init__(
        self,
        loop: TimeLoop,
        types: Sequence[TensorType | None],
        arenas: Mapping[int, int],
        parts: int,
    ) -> None:
        self.loop, self.types, self.arenas, self.parts = loop, types, arenas, parts
        self.kin = [*range(len(types))]  # an entry that stands for all that follow each other
        for a, b in loop.follows:
            old, new = self.kin[a], self.kin[b]
            self.kin = [new if n == old else n for n in self.kin]
        self.shares: dict[int, int] = {}
        calls = (*loop.calls, *loop.last)
        self.written = {
            self.kin[entries[n]] for kernel, entries in calls for n in written_buffers(kernel)
        }

    def run(self, near: int) -> TimeLoop | None:
        """The loop in parts; None where a kernel has none, or they touch each other's."""
        calls, last = (self._cut(calls, near) for calls in (self.loop.calls, self.loop.last))
        if calls is None or last is None:
            return None
        shares = tuple(self.shares.get(kin, 0) for kin in self.kin)
        return replace(
            self.loop, calls=calls, last=last, barriers=(), parts=self.parts, shares=shares
        )

    def _cut(self, calls: Calls, near: int) -> tuple[tuple[Kernel, tuple[int, ...]], ...] | None:
        found = []
        for kernel, entries in calls:
            types = [self.types[n] for n in entries]
            sizes = [t.size if t is not None else 0 for t in types]
            cut = portion(kernel, sizes, self.parts, near)
            if cut is None or not self._agrees(cut, entries):
                return None
            found.append((tidied(cut.kernel), entries))
        return tuple(found)

    def _agrees(self, cut: Portion, entries: Sequence[int]) -> bool:
        """Whether what it touches moves as for the other kernels, each part on its own."""
        for number in {walk.buffer for walk in walks(cut.kernel)}:
            entry, step = entries[number], cut.steps[number]
            kin, type = self.kin[entry], self.types[entry]
            share = step * type.dtype.size if type is not None else 0
            share = self.arenas.get(self.loop.entries[entry].buffer, share)
            if self.shares.setdefault(kin, share) != share:
                return False
            if kin in self.written and number not in cut.apart:
                return False
        return True
