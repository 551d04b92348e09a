"""What a loop has computed is kept for a later loop over the same steps: most often its way back.

The body of a scan's derivative begins with the forward body, computed anew. Here each of its values
is found in the forward body, by the operation and what it is applied to; what is not a few
instructions away from what the later loop is given anyway becomes an element of the earlier loop.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import replace

from slipstream.compiler.operations import is_cheap
from slipstream.ir.builder import frozen
from slipstream.ir.graph import Constant, Graph, Node, Value, pruned
from slipstream.ir.types import TensorType
from slipstream.primitives.loops import scan
from slipstream.primitives.structure import concat, reshape, slice_

Known = dict[Value, Value]  # a value of the later body -> the same one of the earlier body


def keep(graph: Graph) -> Graph:
    """The graph, in which no loop computes anew what an earlier one has computed."""
    graph = _merged(graph)
    count = len(_scans(graph))
    for later in range(1, count):
        for earlier in range(later):
            scans = _scans(graph)
            graph = _kept(graph, scans[earlier], scans[later])
    return graph


def _scans(graph: Graph) -> list[Node]:
    return [node for node in graph.nodes if node.operation is scan]


class _Body:
    """The body of a scan, and by what its inputs are called outside."""

    def __init__(self, node: Node) -> None:
        self.node, self.params = node, node.params
        self.graph: Graph = node.params["body"]
        self.carry: int = node.params["carry"]
        self.last: int = self.carry + node.params["xs"]
        given = zip(node.outputs[self.carry :], self.graph.outputs[self.carry :], strict=True)
        self.elements: dict[Value, Value] = dict(given)

    def seen(self, stacked: Value, makers: Mapping[Value, Node]) -> Value | None:
        """The value of the body of which `stacked` holds each step's, if it is one."""
        if stacked in self.elements:
            return self.elements[stacked]
        given = self.node.inputs[self.carry : self.last]
        place: int | None = None
        if stacked in given:
            place = self.carry + given.index(stacked)
        else:
            holds = (i for i in range(self.carry) if self._holds_carry(stacked, i, makers))
            place = next(holds, None)
        return None if place is None else self.graph.inputs[place]

    def _holds_carry(self, stacked: Value, index: int, makers: Mapping[Value, Node]) -> bool:
        """Whether an array is the carry as each step receives it.

        That is what the loop began with, and each step's element but the last, in their order.
        """
        node = makers.get(stacked)
        if node is None or node.operation is not concat or len(node.inputs) != 2:
            return False
        reverse, length = self.params["reverse"], self.params["length"]
        head, rest = reversed(node.inputs) if reverse else node.inputs
        taken = makers.get(rest)
        if taken is None or taken.operation is not slice_ or node.params["axis"] != 0:
            return False
        element = self.elements.get(taken.inputs[0])
        bounds = zip(*(taken.params[name] for name in ("starts", "stops", "steps")), strict=True)
        _, *whole = [(0, size, 1) for size in taken.inputs[0].type.shape]
        first, end = (1, length) if reverse else (0, length - 1)
        return (
            element is self.graph.outputs[index]
            and [*bounds] == [(first, end, 1), *whole]
            and _is_one(head, self.node.inputs[index], makers)
        )


def _is_one(head: Value, first: Value, makers: Mapping[Value, Node]) -> bool:
    """Whether an array is another one with a leading axis of size 1."""
    if head.type.shape != (1, *first.type.shape):
        return False
    if isinstance(head, Constant) and isinstance(first, Constant):
        return head.array.tobytes() == first.array.tobytes()
    node = makers.get(head)
    return node is not None and node.operation is reshape and node.inputs[0] is first


# --- which values are the same ---


def _same(earlier: _Body, later: _Body, makers: Mapping[Value, Node]) -> Known:
    """The values of a later body that an earlier one has at the same step."""
    last = earlier.last
    pairs = zip(earlier.node.inputs[last:], earlier.graph.inputs[last:], strict=True)
    fixed = {_identity(given): value for given, value in pairs}
    known: Known = {}
    for place, value in enumerate(later.graph.inputs[later.carry :], start=later.carry):
        given, is_fixed = later.node.inputs[place], place >= later.last
        found = fixed.get(_identity(given)) if is_fixed else earlier.seen(given, makers)
        if found is not None:
            known[value] = found
    return _numbered(earlier.graph, later.graph, known)


def _numbered(earlier: Graph, later: Graph, known: Known) -> Known:
    """The nodes of the later graph that are nodes of the earlier one too, given what is known."""
    made = {_key(n, n.inputs): n.outputs for n in earlier.nodes if not n.operation.effect}
    for node in later.nodes:
        inputs = [v if isinstance(v, Constant) else known.get(v) for v in node.inputs]
        if None not in inputs:
            outputs = made.get(_key(node, [v for v in inputs if v is not None]))
            known.update(zip(node.outputs, outputs or (), strict=False))
    return known


def _key(node: Node, inputs: Sequence[Value]) -> Hashable:
    return node.operation, tuple(map(_identity, inputs)), frozen(dict(node.params))


def _identity(value: Value) -> Hashable:
    """A value, or what a constant is."""
    return (value.type, frozen(value.array)) if isinstance(value, Constant) else value


# --- loops over the same arrays ---


def _merged(graph: Graph) -> Graph:
    """The graph in which a loop that another one contains is not run."""
    gone: dict[Value, Value] = {}
    nodes: list[Node] = []
    loops: list[int] = []  # where scans are in `nodes`
    for node in graph.nodes:
        if not gone.keys().isdisjoint(node.inputs):
            node = replace(node, inputs=tuple(gone.get(v, v) for v in node.inputs))
        if node.operation is scan:
            for place in loops:
                found = _contained(nodes[place], node) if _is_alike(nodes[place], node) else None
                if found is not None:
                    nodes[place], outputs = found
                    gone.update(zip(node.outputs, outputs, strict=True))
                    break
            else:
                loops.append(len(nodes))
                nodes.append(node)
        else:
            nodes.append(node)
    outputs = tuple(gone.get(v, v) for v in graph.outputs)
    return replace(graph, nodes=tuple(nodes), outputs=outputs)


def _is_alike(one: Node, other: Node) -> bool:
    names = ("length", "carry", "xs", "reverse")
    return one.inputs == other.inputs and all(one.params[n] == other.params[n] for n in names)


def _contained(earlier: Node, later: Node) -> tuple[Node, Sequence[Value]] | None:
    """The earlier loop with what the later one gives, and where that is; None if it is another."""
    one, other = _Body(earlier), _Body(later)
    pairs = zip(other.graph.inputs, one.graph.inputs, strict=True)
    known = _numbered(one.graph, other.graph, dict(pairs))
    wanted = [known.get(v) for v in other.graph.outputs]
    if None in wanted or tuple(wanted[: one.carry]) != one.graph.outputs[: one.carry]:
        return None
    elements = [v for v in wanted[one.carry :] if v is not None]
    earlier, found = _giving(earlier, elements)
    return earlier, (*earlier.outputs[: one.carry], *found)


def _giving(node: Node, values: Iterable[Value]) -> tuple[Node, list[Value]]:
    """A scan that gives these values of its body, too, and the stacked arrays of them."""
    carry, body, length = (node.params[name] for name in ("carry", "body", "length"))
    inner, outer = [*body.outputs[carry:]], [*node.outputs[carry:]]
    found = []
    for value in values:
        if value not in inner:
            inner.append(value)
            outer.append(Value(TensorType((length, *value.type.shape), value.type.dtype)))
        found.append(outer[inner.index(value)])
    body = replace(body, outputs=(*body.outputs[:carry], *inner))
    outputs = (*node.outputs[:carry], *outer)
    return replace(node, params={**node.params, "body": body}, outputs=outputs), found


# --- what the way back needs ---


def _kept(graph: Graph, earlier: Node, later: Node) -> Graph:
    """The graph in which the later loop is given what it would compute like the earlier one."""
    if earlier.params["length"] != later.params["length"]:
        return graph
    makers = {v: node for node in graph.nodes for v in node.outputs}
    one, other = _Body(earlier), _Body(later)
    known = _same(one, other, makers)
    values = _Choice(other, known).run()
    if not values:
        return graph
    forward, stacked = _giving(earlier, [known[v] for v in values])
    changed = {earlier: forward, later: _given(other, values, stacked)}
    return replace(graph, nodes=tuple(changed.get(n, n) for n in graph.nodes))


def _given(body: _Body, values: Sequence[Value], stacked: Sequence[Value]) -> Node:
    """The scan with these values of its body as elements that it is given."""
    node, graph, last = body.node, body.graph, body.last
    new = {v: Value(v.type) for v in values}
    nodes = (replace(n, inputs=tuple(new.get(v, v) for v in n.inputs)) for n in graph.nodes)
    outputs = tuple(new.get(v, v) for v in graph.outputs)
    inputs = (*graph.inputs[:last], *new.values(), *graph.inputs[last:])
    drawn = pruned(Graph(inputs, tuple(nodes), outputs, graph.name))
    params = {**node.params, "body": drawn, "xs": node.params["xs"] + len(values)}
    return replace(node, inputs=(*node.inputs[:last], *stacked, *node.inputs[last:]), params=params)


class _Choice:
    """Which of the known values of a later body are kept: the others are a few instructions."""

    def __init__(self, body: _Body, known: Known) -> None:
        self.body, self.known = body, known
        self.maker = {v: node for node in body.graph.nodes for v in node.outputs}
        self.free = self._free()
        self.chosen: dict[Value, None] = {}

    def _free(self) -> set[Value]:
        """What the loop is given, and what does not depend on the step."""
        fixed = set(self.body.graph.inputs[self.body.last :])
        for node in self.body.graph.nodes:
            if all(v in fixed or isinstance(v, Constant) for v in node.inputs):
                fixed.update(node.outputs)
        return fixed | set(self.body.graph.inputs)

    def run(self) -> list[Value]:
        """What is kept, in the order of the body."""
        needed = self._needed()
        for value in needed:
            if value in self.maker and self._sources(value) == {value}:
                self.chosen[value] = None
        for value in needed:
            missing = self._sources(value) - {*self.chosen}
            if missing and sum(v.type.bytes for v in missing) >= value.type.bytes:
                missing = {value}
            self.chosen.update(dict.fromkeys(v for v in self.maker if v in missing))
        return [v for v in self.maker if v in self.chosen]

    def _needed(self) -> list[Value]:
        """The known values that what is not known is computed from."""
        made = {v for v in self.known if v in self.maker}
        used = [v for n in self.body.graph.nodes if made.isdisjoint(n.outputs) for v in n.inputs]
        return [*dict.fromkeys(v for v in (*used, *self.body.graph.outputs) if v in made)]

    def _sources(self, value: Value) -> set[Value]:
        """What must be kept so that a value is a few instructions away."""
        found: set[Value] = set()
        seen: set[Value] = set()
        waiting = [value]
        while waiting:
            value = waiting.pop()
            if value in seen or value in self.free or isinstance(value, Constant):
                continue
            seen.add(value)
            if value in self.chosen or not is_cheap(self.maker[value]):
                found.add(value)
            else:
                waiting += self.maker[value].inputs
        return found
