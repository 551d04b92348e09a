"""The table of addresses that the kernels of a loop's turns are called with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from slipstream.compiler.kernels import Entry, Kernel, TimeLoop, sharing
from slipstream.compiler.passes.divide import divided
from slipstream.compiler.passes.fuse import Plan
from slipstream.compiler.passes.lay import Call, copied
from slipstream.compiler.passes.lower import Lowered
from slipstream.compiler.passes.meet import Region, Touched, barriers_of_turns, touched_by
from slipstream.compiler.passes.place import Places
from slipstream.compiler.target import target
from slipstream.compiler.views import View, row_major
from slipstream.ir.dtypes import uint8
from slipstream.ir.graph import Graph, Node, Value
from slipstream.ir.types import Shape, TensorType

Entries = Sequence[tuple[Kernel, tuple[int, ...]]]  # kernels, and the entries they are called with
ENOUGH_TURNS = 4  # what meets in these meets in all: places repeat after two


class Body(NamedTuple):
    """A sub-program of a loop as kernels."""

    graph: Graph
    calls: Sequence[Call]
    places: Places
    fault: Value


class Table:
    """A loop under construction: what it is called with, and its entries before the first turn."""

    def __init__(self, plan: Plan, node: Node, stored: Sequence[Value], turns: int) -> None:
        self.plan, self.node, self.stored, self.turns = plan, node, stored, turns
        self.buffers: list[Value] = []
        self.entries: list[Entry] = []
        self.known: dict[Value, int] = {}  # the entry of a value of a body
        self.follows: list[tuple[int, int]] = []
        self.written: set[int] = set()
        self.scratch: list[Value] = []
        self.arenas: list[Value] = []  # of these
        self.before: list[Call] = []
        self.after: list[Call] = []

    def lowered(self, calls: Entries, last: Entries = ()) -> Lowered:
        """The loop over these calls, after which others are made once."""
        loop = TimeLoop(
            self.turns, tuple(calls), self._barriers(calls), tuple(self.entries),
            tuple(self.follows), tuple(sorted(self.written)), tuple(last),
        )  # fmt: skip
        arenas = {self.buffer(v): v.type.bytes for v in self.arenas}
        loop = divided(loop, self._types(), arenas, target().second_cache // 2)
        for arena in self.arenas:
            self._repeat(arena, loop.parts)
        whole = (*self.before, (loop, tuple(self.buffers)), *self.after)
        return Lowered(whole, scratch=tuple(self.scratch))

    def _repeat(self, arena: Value, times: int) -> None:
        """An arena for each part."""
        wide = Value(TensorType((arena.type.size * times,), uint8))
        self.buffers[self.buffer(arena)] = self.scratch[self.scratch.index(arena)] = wide

    def calls_of(self, body: Body) -> list[tuple[Kernel, tuple[int, ...]]]:
        """The kernels of a sub-program, whose inputs and outputs have entries."""
        arena = Value(TensorType((body.places.arena_bytes,), uint8))
        return [self._called(kernel, values, body, arena) for kernel, values in body.calls]

    # entries

    def buffer(self, value: Value) -> int:
        if value not in self.buffers:
            self.buffers.append(value)
        return self.buffers.index(value)

    def place(self, type: TensorType) -> Value:
        """Memory of the loop's own."""
        value = Value(type)
        self.scratch.append(value)
        return value

    def add(self, value: Value | None, root: Value, offset: int = 0, step: int = 0) -> int:
        """An entry, which `value` of the body is found by."""
        self.entries.append(Entry(self.buffer(root), offset, step))
        number = len(self.entries) - 1
        if value is not None:
            self.known[value] = number
        return number

    def _called(
        self, kernel: Kernel, values: Sequence[Value], body: Body, arena: Value
    ) -> tuple[Kernel, tuple[int, ...]]:
        """A kernel with one number for each buffer it writes, and the entries of its buffers."""
        entries = [self._entry(v, body, arena) for v in values]
        shared = sharing(kernel, entries)
        return shared, tuple(entries[: shared.buffers])

    def _entry(self, value: Value, body: Body, arena: Value) -> int:
        """The entry of a value that a kernel of the body is called with."""
        if value not in self.known:
            offset = body.places.arena.get(value)
            if offset is None:  # a constant, or the word of a fault
                return self.add(value, value)
            if arena not in self.scratch:
                self.scratch.append(arena)
                self.arenas.append(arena)
            self.written.add(self.buffer(arena))
            self.add(value, arena, offset)
        return self.known[value]

    # what comes

    def in_rows(self, view: View, shape: Shape) -> tuple[Value, int]:
        """(array, offset in bytes) of elements in rows: those of the view, or a copy of them."""
        item = view.root.type.dtype.size
        if is_in_rows(view.strides, shape):
            return view.root, view.offset * item
        copy = self.place(TensorType(shape, view.root.type.dtype))
        self.before.append(copied(view, copy))
        return copy, 0

    def to_and_fro(self, read: int, new: Value, first: Value, second: Value) -> None:
        """The turns write a value in two places in turn, and read it where it was written last."""
        written, spare = self.add(new, first), self.add(None, second)
        self.follows += [(read, written), (written, spare), (spare, read)]
        self.written |= {self.buffer(first), self.buffer(second)}

    # who waits for whom

    def _barriers(self, calls: Entries) -> tuple[int, ...]:
        sizes = self._sizes(calls)
        turns: list[list[Touched]] = []
        for table in self._tables():
            regions = [
                Region(buffer, offset, offset + size)
                for (buffer, offset), size in zip(table, sizes, strict=True)
            ]
            turns.append([touched_by(k, [regions[n] for n in numbers]) for k, numbers in calls])
        return tuple(sorted(barriers_of_turns(turns)))

    def _types(self) -> list[TensorType | None]:
        """What each entry is the first byte of; a spare place is of the type of the other one."""
        types: list[TensorType | None] = [None] * len(self.entries)
        for value, number in self.known.items():
            types[number] = value.type
        return types

    def _sizes(self, calls: Entries) -> list[int]:
        """The bytes that each entry is the first of."""
        sizes = [0] * len(self.entries)
        for value, number in self.known.items():
            sizes[number] = max(sizes[number], value.type.bytes)
        return sizes

    def _tables(self) -> Iterator[list[tuple[int, int]]]:
        """What the table holds in each of the first turns: buffers and offsets."""
        table = [(entry.buffer, entry.offset) for entry in self.entries]
        for _ in range(min(self.turns, ENOUGH_TURNS)):
            yield [*table]
            for a, b in self.follows:
                table[a] = table[b]
            steps = (entry.step for entry in self.entries)
            table = [(b, n + step) for (b, n), step in zip(table, steps, strict=True)]


def is_in_rows(strides: Sequence[int], shape: Shape) -> bool:
    """Whether elements with these strides lie one after the other."""
    own = row_major(shape)
    return all(n == 1 or a == b for n, a, b in zip(shape, strides, own, strict=True))
