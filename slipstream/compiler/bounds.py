"""Checks of a planned program before it runs: bounds of every access, and who lies where when."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from slipstream.compiler.accesses import Walk, walks
from slipstream.compiler.describe import MANY, kind_of, text_of
from slipstream.compiler.kernels import Chain, TimeLoop, written_buffers
from slipstream.compiler.passes.lay import Call
from slipstream.compiler.pipeline import CallStep, KernelStep, Schedule
from slipstream.errors import InternalError, message
from slipstream.ir.graph import Constant, Node, Value
from slipstream.ir.printer import value_names

FIRST = 4  # turns
HINT = "to report it with what `slipstream show` writes"


class Place(NamedTuple):
    """A kernel in a program: its number, as `slipstream show` counts, and the step it is of."""

    number: int
    call: Call
    step: KernelStep

    @property
    def node(self) -> Node:
        return self.step.group.nodes[0]

    @property
    def makes(self) -> list[Value]:
        """The values that a kernel writes all or a part of, but for mere scratch memory."""
        found = [self.call[1][number] for number in sorted(written_buffers(self.call[0]))]
        return [value for value in found if value in self.step.written]

    def __str__(self) -> str:
        kind, text = kind_of(self.call[0], self.step.group), text_of(self.call, self.step)
        return f"kernel {self.number} ({kind}: {text})"


def fault(planned: Schedule, place: Place, what: str, value: Value, expected: str) -> InternalError:
    """The error of a kernel that does something to a buffer that it should not."""
    name = value_names(planned.graph).get(value, "what the compiler adds")
    text = message(
        place.node.operation.name, f"{place} {what}", expected=expected, hint=HINT,
        received={"buffer": f"{name}: {value.type}"}, line=place.node.origin,
    )  # fmt: skip
    return InternalError(text)


def check_bounds(planned: Schedule, place: Place) -> None:
    """Raises InternalError if an access of a kernel leaves its buffer, in any turn of a loop."""
    kernel, values = place.call
    if isinstance(kernel, TimeLoop | Chain):
        return _check_turns(planned, place, kernel)
    for walk in walks(kernel):
        value = values[walk.buffer]
        first, last = walk.reach
        if first >= 0 and last < max(value.type.size, 1) and walk.item == value.type.dtype.size:
            continue
        what = f"{_verb(walk)} elements {first} to {last} of {walk.item} bytes"
        expected = f"0 to {value.type.size - 1} of {value.type.dtype.size} bytes"
        raise fault(planned, place, what, value, expected)
    return None


def _check_turns(planned: Schedule, place: Place, loop: TimeLoop | Chain) -> None:
    """The accesses of a loop's kernels, at the addresses that its table holds in each turn."""
    values = place.call[1]
    calls = (*loop.calls, *(loop.last if isinstance(loop, TimeLoop) else ()))
    touched = [(n, entries[w.buffer], w) for n, (kernel, entries) in enumerate(calls)
               for w in walks(kernel)]  # fmt: skip
    for turn, table in enumerate(tables(loop)):
        for number, entry, walk in touched:
            buffer, offset = table[entry]
            first, last = walk.reach
            begin, end = offset + first * walk.item, offset + (last + 1) * walk.item
            if begin < 0 or end > values[buffer].type.bytes:
                what = f"in turn {turn}, step {number}, {_verb(walk)} bytes {begin} to {end - 1}"
                expected = f"0 to {values[buffer].type.bytes - 1}"
                raise fault(planned, place, what, values[buffer], expected)


def tables(loop: TimeLoop | Chain) -> Iterator[list[tuple[int, int]]]:
    """What the table of a loop holds in each turn: buffers, and bytes from their beginnings.

    In a loop of any number of turns nothing moves for ever: the first ones show all places. Of a
    chain with as many threads as parts each part is a thread's first one. Of a loop in parts, the
    first part and then the last.
    """
    ends = (0, loop.parts - 1) if isinstance(loop, TimeLoop) and loop.parts > 1 else (0,)
    for part in ends:
        shares = loop.shares if isinstance(loop, TimeLoop) and part else ()
        moved = (part * share for share in shares or (0,) * len(loop.entries))
        entries = zip(loop.entries, moved, strict=True)
        yield from _turns(loop, [(entry.buffer, entry.offset + by) for entry, by in entries])


def _turns(loop: TimeLoop | Chain, table: list[tuple[int, int]]) -> Iterator[list[tuple[int, int]]]:
    """What the table holds turn by turn, if it begins so."""
    for _ in range(loop.length if loop.length < MANY else FIRST):
        yield table
        table = [*table]
        for one, other in loop.follows if isinstance(loop, TimeLoop) else ():
            table[one] = table[other]
        steps = (entry.step for entry in loop.entries)
        table = [(buffer, n + step) for (buffer, n), step in zip(table, steps, strict=True)]


def _verb(walk: Walk) -> str:
    return "writes" if walk.writes else "reads"


class Owners:
    """Whose content every part of a program's memory holds, as its kernels write it."""

    def __init__(self, planned: Schedule) -> None:
        self.planned = planned
        self.given = {*planned.graph.inputs, planned.checks.fault}
        self.owners: dict[object, list[tuple[int, int, Value]]] = {}

    def check(self, place: Place) -> None:
        """Raises InternalError if a kernel reads what is not there, or no longer."""
        kernel, values = place.call
        written = written_buffers(kernel)
        for number, value in enumerate(values):
            if number not in written and not self.holds(value):
                what = "reads what is not in memory any more, or not yet"
                raise fault(self.planned, place, what, value, "its content")
        for number in written:
            self.put(values[number])

    def holds(self, value: Value) -> bool:
        """Whether a value's place holds its content, all of it."""
        block, begin, end = self._region(value)
        owners = [v for a, b, v in self.owners.get(block, []) if a < end and begin < b]
        is_given = value in self.given or isinstance(value, Constant)
        return owners == [value] or (is_given and not owners)

    def put(self, value: Value) -> None:
        """A value is written in its place: what lay there is gone."""
        block, begin, end = self._region(value)
        others = [o for o in self.owners.get(block, []) if not (o[0] < end and begin < o[1])]
        self.owners[block] = [*others, (begin, end, value)]

    def _region(self, value: Value) -> tuple[object, int, int]:
        places = self.planned.places
        offset = places.arena.get(value)
        if offset is not None:
            return _ARENA, offset, offset + max(value.type.bytes, 1)
        return places.written.get(value, value), 0, 1


_ARENA = object()


def check_plan(planned: Schedule) -> None:
    """Raises InternalError where a kernel leaves a buffer, or reads what another one has undone."""
    owners = Owners(planned)
    for place in placed(planned):
        if isinstance(place, Place):
            check_bounds(planned, place)
            owners.check(place)
        else:
            for value in place.outputs:
                owners.put(value)


def placed(
    planned: Schedule, is_kept: Callable[[Call], bool] = lambda call: True
) -> Iterator[Place | Node]:
    """The kernels of a program in order, those kept, and the nodes that NumPy computes."""
    number = 0
    for step in planned.steps:
        if isinstance(step, CallStep):
            yield step.node
            continue
        for call in filter(is_kept, step.calls):
            number += 1
            yield Place(number, call, step)
