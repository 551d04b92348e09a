"""A loop over time as one kernel: its body's kernels, and where they find their buffers each turn.

An element of a stacked array is found by adding to an address. A carry that the loop also gives as
an element is read where the last turn wrote it; another goes to and fro between two places, such
that the last turn writes where the result is to be.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from slipstream.compiler.passes.fuse import Plan
from slipstream.compiler.passes.lay import copied
from slipstream.compiler.passes.lower import Lowered
from slipstream.compiler.passes.table import Body, Table, is_in_rows
from slipstream.compiler.views import View, row_major
from slipstream.ir.graph import Graph, Node, Value


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


class _Looping(Table):
    def __init__(self, plan: Plan, node: Node, stored: Sequence[Value], body: Body) -> None:
        super().__init__(plan, node, stored, node.params["length"])
        self.body, self.carry = body, node.params["carry"]
        self.reverse = node.params["reverse"]

    def run(self, needs: Needs) -> Lowered:
        last = self.carry + self.node.params["xs"]
        self._elements_read(last)
        for value, given in zip(
            self.body.graph.inputs[last:], self.node.inputs[last:], strict=True
        ):
            self.add(value, *self.in_rows(self.plan.view(given), given.type.shape))
        outputs = iter(self.body.graph.outputs)
        own = [next(outputs) if k is None else None for k in needs.shared]
        elements = dict(zip(needs.elements, outputs, strict=True))
        for k, value in elements.items():
            self._element_written(value, self.node.outputs[self.carry + k])
        for i, (new, shared) in enumerate(zip(own, needs.shared, strict=True)):
            read, result = self._first(i), self.node.outputs[i]
            if new is not None:
                self.to_and_fro(read, new, *self._two_places(result))
            elif shared is not None:
                self._among_elements(read, self.known[elements[shared]], result)
        return self.lowered(self.calls_of(self.body))

    def _first(self, index: int) -> int:
        """The entry that a carry is read by: in the first turn, what the loop is given."""
        given = self.node.inputs[index]
        first = self.in_rows(self.plan.view(given), given.type.shape)
        return self.add(self.body.graph.inputs[index], *first)

    def _elements_read(self, last: int) -> None:
        first = self.carry
        pairs = zip(self.body.graph.inputs[first:last], self.node.inputs[first:last], strict=True)
        for value, given in pairs:
            view, shape = self.plan.view(given), given.type.shape
            item, (step, *strides) = given.type.dtype.size, view.strides
            if not step:
                root, offset = self.in_rows(View(view.root, view.offset, tuple(strides)), shape[1:])
            elif is_in_rows(strides, shape[1:]):
                root, offset = view.root, view.offset * item
            else:
                (root, offset), step = self.in_rows(view, shape), row_major(shape)[0]
            self._add_moving(value, root, offset, step * item)

    def _add_moving(self, value: Value, root: Value, offset: int, step: int) -> None:
        first = (self.turns - 1) * step if self.reverse else 0
        self.add(value, root, offset + first, -step if self.reverse else step)

    def _element_written(self, value: Value, given: Value) -> None:
        self._add_moving(value, given, 0, value.type.bytes)
        self.written.add(self.buffer(given))

    def _two_places(self, result: Value) -> tuple[Value, Value]:
        """Where a carry is written in the first turn and in the next: at last, to the result."""
        last = result if result in self.stored else self.place(result.type)
        other = self.place(result.type) if self.turns > 1 else last
        return (last, other) if self.turns % 2 else (other, last)

    def _among_elements(self, read: int, element: int, result: Value) -> None:
        """Read from the element that was written last; the result is a copy of the last one."""
        self.follows.append((read, element))
        if result in self.stored:
            stacked = self.buffers[self.entries[element].buffer]
            last = 0 if self.reverse else (self.turns - 1) * result.type.size
            view = View(stacked, last, row_major(result.type.shape))
            self.after.append(copied(view, result))
