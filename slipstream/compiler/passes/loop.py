"""A loop over time as one kernel: its body's kernels, and where they find their buffers each turn.

An element of a stacked array is found by adding to an address. A carry that the loop also gives as
an element is read where the last turn wrote it; another goes to and fro between two places, such
that the last turn writes where the result is to be.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from slipstream.compiler.kernels import Entry, Kernel, TimeLoop, sharing
from slipstream.compiler.passes.fuse import Plan
from slipstream.compiler.passes.lay import Call, copied
from slipstream.compiler.passes.lower import Lowered
from slipstream.compiler.passes.meet import Region, Touched, barriers_of_turns, touched_by
from slipstream.compiler.passes.place import Places
from slipstream.compiler.views import View, row_major
from slipstream.ir.dtypes import uint8
from slipstream.ir.graph import Graph, Node, Value
from slipstream.ir.types import Shape, TensorType

Entries = Sequence[tuple[Kernel, tuple[int, ...]]]  # kernels, and the entries they are called with
ENOUGH_TURNS = 4  # what meets in these meets in all: places repeat after two


class Body(NamedTuple):
    """A body as kernels: of the graph that `needed` gives."""

    graph: Graph
    calls: Sequence[Call]
    places: Places
    fault: Value


class Needs(NamedTuple):
    """What a loop must give: for each carry the element it is too, if any; and the elements."""

    shared: tuple[int | None, ...]
    elements: tuple[int, ...]


def needs_of(node: Node, stored: Sequence[Value]) -> Needs:
    """Which elements of a scan somebody reads, and which carries are among them."""
    carry, outputs = node.params["carry"], node.params["body"].outputs
    elements = [k for k, v in enumerate(node.outputs[carry:]) if v in stored]
    given = {outputs[carry + k]: k for k in reversed(elements)}
    return Needs(tuple(given.get(v) for v in outputs[:carry]), tuple(elements))


def needed(node: Node, needs: Needs) -> Graph:
    """The body with each value that it must give once: carries of their own, then elements."""
    carry, body = node.params["carry"], node.params["body"]
    own = [v for v, k in zip(body.outputs[:carry], needs.shared, strict=True) if k is None]
    elements = [body.outputs[carry + k] for k in needs.elements]
    return Graph(body.inputs, body.nodes, (*own, *elements), body.name)


def looped(plan: Plan, node: Node, stored: Sequence[Value], needs: Needs, body: Body) -> Lowered:
    """The kernels of a scan; what it gives but nobody stores is not kept."""
    return _Looping(plan, node, stored, body).run(needs)


class _Looping:
    def __init__(self, plan: Plan, node: Node, stored: Sequence[Value], body: Body) -> None:
        self.plan, self.node, self.stored, self.body = plan, node, stored, body
        self.length, self.carry = node.params["length"], node.params["carry"]
        self.reverse = node.params["reverse"]
        self.buffers: list[Value] = []
        self.entries: list[Entry] = []
        self.known: dict[Value, int] = {}  # the entry of a value of the body
        self.follows: list[tuple[int, int]] = []
        self.written: set[int] = set()
        self.scratch: list[Value] = []
        self.before: list[Call] = []
        self.after: list[Call] = []
        self.arena = Value(TensorType((body.places.arena_bytes,), uint8))

    def run(self, needs: Needs) -> Lowered:
        last = self.carry + self.node.params["xs"]
        self._elements_read(last)
        for value, given in zip(
            self.body.graph.inputs[last:], self.node.inputs[last:], strict=True
        ):
            self._add(value, *self._in_rows(self.plan.view(given), given.type.shape))
        outputs = iter(self.body.graph.outputs)
        own = [next(outputs) if k is None else None for k in needs.shared]
        elements = dict(zip(needs.elements, outputs, strict=True))
        for k, value in elements.items():
            self._element_written(value, self.node.outputs[self.carry + k])
        for i, (new, shared) in enumerate(zip(own, needs.shared, strict=True)):
            read, result = self._first(i), self.node.outputs[i]
            if new is not None:
                self._to_and_fro(read, new, result)
            elif shared is not None:
                self._among_elements(read, self.known[elements[shared]], result)
        calls = tuple(self._called(kernel, values) for kernel, values in self.body.calls)
        loop = TimeLoop(
            self.length, calls, self._barriers(calls), tuple(self.entries), tuple(self.follows),
            tuple(sorted(self.written)),
        )  # fmt: skip
        whole = (*self.before, (loop, tuple(self.buffers)), *self.after)
        return Lowered(whole, scratch=tuple(self.scratch))

    # entries

    def _buffer(self, value: Value) -> int:
        if value not in self.buffers:
            self.buffers.append(value)
        return self.buffers.index(value)

    def _place(self, type: TensorType) -> Value:
        """Memory of the loop's own."""
        value = Value(type)
        self.scratch.append(value)
        return value

    def _add(self, value: Value | None, root: Value, offset: int = 0, step: int = 0) -> int:
        """An entry, which `value` of the body is found by."""
        self.entries.append(Entry(self._buffer(root), offset, step))
        number = len(self.entries) - 1
        if value is not None:
            self.known[value] = number
        return number

    def _called(self, kernel: Kernel, values: Sequence[Value]) -> tuple[Kernel, tuple[int, ...]]:
        """A kernel with one number for each buffer it writes, and the entries of its buffers."""
        entries = [self._entry(v) for v in values]
        shared = sharing(kernel, entries)
        return shared, tuple(entries[: shared.buffers])

    def _entry(self, value: Value) -> int:
        """The entry of a value that a kernel of the body is called with."""
        if value not in self.known:
            offset = self.body.places.arena.get(value)
            if offset is None:  # a constant, or the word of a fault
                return self._add(value, value)
            if self.arena not in self.scratch:
                self.scratch.append(self.arena)
            self.written.add(self._buffer(self.arena))
            self._add(value, self.arena, offset)
        return self.known[value]

    # what comes

    def _in_rows(self, view: View, shape: Shape) -> tuple[Value, int]:
        """(array, offset in bytes) of elements in rows: those of the view, or a copy of them."""
        item = view.root.type.dtype.size
        if _is_in_rows(view.strides, shape):
            return view.root, view.offset * item
        copy = self._place(TensorType(shape, view.root.type.dtype))
        self.before.append(copied(view, copy))
        return copy, 0

    def _elements_read(self, last: int) -> None:
        first = self.carry
        pairs = zip(self.body.graph.inputs[first:last], self.node.inputs[first:last], strict=True)
        for value, given in pairs:
            view, shape = self.plan.view(given), given.type.shape
            item, (step, *strides) = given.type.dtype.size, view.strides
            if not step:
                root, offset = self._in_rows(
                    View(view.root, view.offset, tuple(strides)), shape[1:]
                )
            elif _is_in_rows(strides, shape[1:]):
                root, offset = view.root, view.offset * item
            else:
                (root, offset), step = self._in_rows(view, shape), row_major(shape)[0]
            self._add_moving(value, root, offset, step * item)

    def _add_moving(self, value: Value, root: Value, offset: int, step: int) -> None:
        first = (self.length - 1) * step if self.reverse else 0
        self._add(value, root, offset + first, -step if self.reverse else step)

    # what goes

    def _element_written(self, value: Value, given: Value) -> None:
        self._add_moving(value, given, 0, value.type.bytes)
        self.written.add(self._buffer(given))

    def _first(self, index: int) -> int:
        """The entry that a carry is read by: in the first turn, what the loop is given."""
        given = self.node.inputs[index]
        first = self._in_rows(self.plan.view(given), given.type.shape)
        return self._add(self.body.graph.inputs[index], *first)

    def _to_and_fro(self, read: int, new: Value, result: Value) -> None:
        """Two places in turn, of which the last is the result."""
        last = result if result in self.stored else self._place(result.type)
        other = self._place(result.type) if self.length > 1 else last
        places = (last, other) if self.length % 2 else (other, last)
        written, spare = self._add(new, places[0]), self._add(None, places[1])
        self.follows += [(read, written), (written, spare), (spare, read)]
        self.written |= {self._buffer(last), self._buffer(other)}

    def _among_elements(self, read: int, element: int, result: Value) -> None:
        """Read from the element that was written last; the result is a copy of the last one."""
        self.follows.append((read, element))
        if result in self.stored:
            stacked = self.buffers[self.entries[element].buffer]
            last = 0 if self.reverse else (self.length - 1) * result.type.size
            view = View(stacked, last, row_major(result.type.shape))
            self.after.append(copied(view, result))

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

    def _sizes(self, calls: Entries) -> list[int]:
        """The bytes that each entry is the first of."""
        sizes = [0] * len(self.entries)
        for value, number in self.known.items():
            sizes[number] = max(sizes[number], value.type.bytes)
        return sizes

    def _tables(self) -> Iterator[list[tuple[int, int]]]:
        """What the table holds in each of the first turns: buffers and offsets."""
        table = [(entry.buffer, entry.offset) for entry in self.entries]
        for _ in range(min(self.length, ENOUGH_TURNS)):
            yield [*table]
            for a, b in self.follows:
                table[a] = table[b]
            steps = (entry.step for entry in self.entries)
            table = [(b, n + step) for (b, n), step in zip(table, steps, strict=True)]


def _is_in_rows(strides: Sequence[int], shape: Shape) -> bool:
    own = row_major(shape)
    return all(n == 1 or a == b for n, a, b in zip(shape, strides, own, strict=True))
