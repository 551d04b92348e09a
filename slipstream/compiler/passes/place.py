"""Where the values of a program lie: in the caller's arrays, in fresh ones, or in the arena.

An arena is one block of memory a running program has; values that do not live together share it.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from slipstream.ir.graph import Constant, Graph, Value

ALIGNMENT = 64  # bytes: a cache line


class Step(NamedTuple):
    """What one step touches. `in_step` values are read only where an element is written.

    One that `may_fail` does so before it writes.
    """

    native: bool
    reads: tuple[Value, ...]
    writes: tuple[Value, ...]
    in_step: frozenset[Value] = frozenset()
    may_fail: bool = False


@dataclass
class Places:
    """`arena` holds offsets in bytes; `written` the inputs that outputs are written into."""

    arena: dict[Value, int] = field(default_factory=dict)
    arena_bytes: int = 0
    written: dict[Value, Value] = field(default_factory=dict)


def place(graph: Graph, steps: Sequence[Step], in_place: Iterable[tuple[int, int]]) -> Places:
    """Places for all that the native steps write, but outputs without one get fresh arrays."""
    places = Places()
    last = _last_reads(steps)
    risky = [n for n, step in enumerate(steps) if not step.native or step.may_fail]
    safe = max(risky, default=-1)  # until all that may fail has run, variables keep their contents
    makers: dict[Value, list[int]] = {}  # several steps, where parts lie in one array
    for number, step in enumerate(steps):
        for v in step.writes:
            makers.setdefault(v, []).append(number)
    maker = {v: numbers[0] for v, numbers in makers.items()}
    for i, j in in_place:
        old, new = graph.inputs[i], graph.outputs[j]
        if maker.get(new, -1) < safe or len(makers[new]) > 1:
            continue
        if _may_overwrite(old, steps[maker[new]], maker[new], last):
            places.written[new] = old
    temporary = [v for v in maker if steps[maker[v]].native and v not in graph.outputs]
    _fill_arena(places, {v: (maker[v], max(last.get(v, 0), makers[v][-1])) for v in temporary})
    return places


def _last_reads(steps: Sequence[Step]) -> dict[Value, int]:
    """The last step that reads a value."""
    return {
        v: number
        for number, step in enumerate(steps)
        for v in step.reads
        if not isinstance(v, Constant)
    }


def _may_overwrite(old: Value, step: Step, number: int, last: Mapping[Value, int]) -> bool:
    """Whether nobody needs the old content once the step writes the new one."""
    if not step.native or last.get(old, -1) > number:
        return False
    return old not in step.reads or old in step.in_step


def places_of(lives: Mapping[Value, tuple[int, int]]) -> Places:
    """An arena for values that live from one step to another."""
    places = Places()
    _fill_arena(places, lives)
    return places


def _fill_arena(places: Places, lives: Mapping[Value, tuple[int, int]]) -> None:
    """The largest first, each at the lowest offset that is free while it lives."""
    placed: list[tuple[int, int, int, int]] = []  # offset, end, first and last step; in order
    by_size = sorted(lives, key=lambda v: (-v.type.bytes, lives[v]))
    for value in by_size:
        first, last = lives[value]
        size = -(-value.type.bytes // ALIGNMENT) * ALIGNMENT
        offset = 0
        for begin, end, born, dies in placed:
            if born <= last and first <= dies and begin < offset + size and offset < end:
                offset = end
        insort(placed, (offset, offset + size, first, last))
        places.arena[value] = offset
        places.arena_bytes = max(places.arena_bytes, offset + size)
