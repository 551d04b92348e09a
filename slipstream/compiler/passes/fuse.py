"""Which nodes share a kernel: groups, such that no group waits for itself.

Nodes of one iteration space join where one makes what the other uses, element by element; spaces
that differ in where axes are split are one, by their common refinement. Who reads a view reads its
root, with other strides.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field, replace

from slipstream.compiler.kernels import Contraction
from slipstream.compiler.operations import (
    is_contraction,
    is_filled,
    is_laid,
    is_nest,
    is_pick,
    is_reduction,
    is_view,
)
from slipstream.compiler.passes.contract import (
    Product,
    kernel,
    rearranged,
    to_rearrange,
    walk_of,
)
from slipstream.compiler.passes.products import product_of
from slipstream.compiler.spaces import is_in_order, refined, refined_axes, refinement
from slipstream.compiler.views import View, broadcast_strides, is_whole, view_of, whole
from slipstream.ir.graph import Graph, Node, Value
from slipstream.ir.types import Shape, TensorType
from slipstream.primitives.structure import identity, iota

MOST_FOLLOWERS = 16
AHEAD = 4  # numbers of a node's groups: its own, and those of operands laid out before
MOST_NODES = 500  # in a group: a tile of a convolution takes some 300


@dataclass(eq=False)
class Group:
    """Nodes that run together.

    `kind` is nest, copy (a view that must be laid out), product, lay (arrays put in places of
    another), pick (rows that integers name) or call.
    """

    number: int
    kind: str
    nodes: list[Node]
    shape: Shape = ()
    axes: tuple[int, ...] | None = None
    source: View | None = None  # of a copy: what is laid out, over the shape
    product: Product | None = None
    needs: set[int] = field(default_factory=set)  # groups whose results it reads from memory

    @property
    def values(self) -> list[Value]:
        return [v for node in self.nodes for v in node.outputs]

    def axes_over(self, space: Shape) -> tuple[int, ...] | None:
        """The axes summed over, as those of a refinement of the shape."""
        return None if self.axes is None else refined_axes(self.axes, self.shape, space)


def space_of(node: Node) -> Shape:
    """What a node of a nest walks: its input if it is a reduction, else its output."""
    return (node.inputs if is_reduction(node) else node.outputs)[0].type.shape


@dataclass
class Plan:
    """The groups of a program in the order they run, and the views its values are."""

    graph: Graph
    groups: list[Group]
    views: dict[Value, View]

    def view(self, value: Value) -> View:
        return self.views.get(value) or whole(value)

    def reads(self, group: Group) -> set[Value]:
        """The values a group finds in memory."""
        made = set(group.values)
        if group.product is not None:
            operands = {group.product.left.root, group.product.right.root}
            rest = group.nodes[1:]  # what follows in the same kernel
            return operands | {self.view(v).root for n in rest for v in n.inputs} - made
        if group.source is not None:
            return {group.source.root}
        return {self.view(v).root for node in group.nodes for v in node.inputs} - made


def fuse(graph: Graph) -> Plan:
    """The plan of a graph."""
    return _Fusion(graph).run()


class _Fusion:
    def __init__(self, graph: Graph) -> None:
        self.graph, self.outputs = graph, set(graph.outputs)
        self.views: dict[Value, View] = {}
        self.wholes: dict[Value, View] = {}  # of values that are no views
        self.groups: dict[int, Group] = {}
        self.home: dict[Value, int] = {}  # group that makes a value
        self.before: dict[int, int] = {}  # all groups that must run before one, as bits
        self.users: dict[int, set[int]] = {}  # groups that need one
        self.rearranged: dict[object, Value] = {}
        self.effect: int | None = None  # the last group that acts on the world

    def run(self) -> Plan:
        for index, node in enumerate(self.graph.nodes):
            self._take(AHEAD * (index + 1), node)
        return Plan(self.graph, self._ordered(), self.views)

    def _take(self, number: int, node: Node) -> None:
        view = view_of(node, self.views) if is_view(node) else None
        if view is not None and node.outputs[0] not in self.outputs:
            self.views[node.outputs[0]] = view
            return
        group = self._single(number, node, view)
        if is_filled(node) and is_contraction(node):
            group = self._product(number, node)
        elif is_filled(node) and is_pick(node):
            group = self._pick(number, node)
        self._enter(group)
        if group.kind == "nest":
            self._join(group, node)

    def _enter(self, group: Group) -> None:
        """Let a new group wait for those whose results it reads."""
        number = group.number
        group.needs = self._homes(group)
        if group.kind == "call" and group.nodes[0].operation.effect:
            group.needs |= set() if self.effect is None else {self.effect}
            self.effect = number
        self.groups[number] = group
        self.before[number] = self._bits(group.needs)
        self.users[number] = set()
        for needed in group.needs:
            self.users[needed].add(number)
        self.home.update((v, number) for v in group.values)

    def _product(self, number: int, node: Node) -> Group:
        """A contraction; an operand that the tiles cannot read is laid out first."""
        product = product_of(node, self._view)
        name = to_rearrange(product)
        if name is not None:
            product, source, shape = rearranged(product, name)
            value = self._laid_out(number - 1, source, TensorType(tuple(shape), product.dtype))
            product = replace(product, **{name: whole(value)})
        return Group(number, "product", [node], product=product)

    def _laid_out(self, number: int, source: View, type: TensorType) -> Value:
        """What a view shows, as an array in rows; made once."""
        key = (source, *type.shape)
        if key not in self.rearranged:
            value = Value(type)
            copy = Node(identity, (source.root,), {}, (value,))
            self.rearranged[key] = value
            self._enter(Group(number, "copy", [copy], type.shape, source=source))
        return self.rearranged[key]

    def _pick(self, number: int, node: Node) -> Group:
        """Rows that integers name, of arrays that lie in rows; a table that is copied need not."""
        inputs = [*node.inputs]
        first = 1 if len(inputs) == 3 else 0  # a scatter's table comes before
        for place, value in enumerate(inputs[first:], start=first):
            view = self.views.get(value)
            if view is not None and not is_whole(view, value.type.shape):
                inputs[place] = self._laid_out(number - 1 - place, view, value.type)
        return Group(number, "pick", [replace(node, inputs=tuple(inputs))])

    def _single(self, number: int, node: Node, view: View | None) -> Group:
        if is_nest(node):
            axes = node.params["axes"] if is_reduction(node) else None
            return Group(number, "nest", [node], space_of(node), axes)
        if view is not None:
            return Group(number, "copy", [node], node.outputs[0].type.shape, source=view)
        if is_view(node) and node.outputs[0].type.size:
            source = self._view(node.inputs[0])
            return Group(number, "copy", [node], node.inputs[0].type.shape, source=source)
        return Group(number, "lay" if is_laid(node) and is_filled(node) else "call", [node])

    def _homes(self, group: Group) -> set[int]:
        roots = Plan(self.graph, [], self.views).reads(group)
        return {self.home[r] for r in roots if r in self.home}

    def _bits(self, groups: set[int]) -> int:
        bits = 0
        for number in groups:
            bits |= self.before[number] | 1 << number
        return bits

    # joining

    def _join(self, group: Group, node: Node) -> None:
        """Unite a new group with those that make its inputs, where nothing forbids it."""
        for value in node.inputs:
            maker = self.groups.get(self.home.get(self._view(value).root, -1))
            if maker is None or maker is group or group.kind != "nest":
                continue
            if maker.kind == "product":
                space = group.shape if self._can_follow(maker, group) else None
            else:
                space = self._common_space(maker, group)
            if space is not None:
                self._unite(maker, group, space)
                group = maker

    def _view(self, value: Value) -> View:
        known = self.views.get(value) or self.wholes.get(value)
        if known is None:
            known = self.wholes[value] = whole(value)
        return known

    def _common_space(self, maker: Group, group: Group) -> Shape | None:
        """The iteration space of both together; None where they must stay apart."""
        if maker.kind != "nest" or len(maker.nodes) + len(group.nodes) > MOST_NODES:
            return None
        space = refinement(maker.shape, group.shape)
        if space is None:
            return None
        summed = maker.axes_over(space), group.axes_over(space)
        if None not in summed and summed[0] != summed[1]:
            return None
        apart = not self._reads_own_elements(maker, group, space) or self._waits(maker, group)
        return None if apart else space

    def _can_follow(self, maker: Group, group: Group) -> bool:
        """Whether the totals of a contraction can go through a nest before they are stored."""
        assert maker.product is not None
        record, _ = kernel(maker.product)
        shape = maker.nodes[0].outputs[0].type.shape
        if not isinstance(record, Contraction) or group.kind != "nest" or group.axes is not None:
            return False
        if group.shape != shape or len(maker.nodes) + len(group.nodes) > MOST_FOLLOWERS:
            return False
        made = {v for node in (*maker.nodes, *group.nodes) for v in node.outputs}
        for node in group.nodes:
            if node.operation is iota:
                return False
            for value in node.inputs:
                view = self._view(value)
                walk = walk_of(view, value.type.shape, shape, record)
                if walk is None or (view.root in made and value not in made):
                    return False
        return not self._waits(maker, group)

    def _reads_own_elements(self, maker: Group, group: Group, space: Shape) -> bool:
        """Whether neither reads results of the other but element by element."""
        for first, second in ((maker, group), (group, maker)):
            made = {v for node in first.nodes for v in node.outputs}
            totals = {v for node in first.nodes if is_reduction(node) for v in node.outputs}
            for node in second.nodes:
                for value in node.inputs:
                    view = self._view(value)
                    if view.root in totals:
                        return False
                    if view.root in made and not _in_step(view, value, node, space):
                        return False
        return True

    def _waits(self, one: Group, other: Group) -> bool:
        """Whether a third group runs after the one and before the other."""
        for first, second in ((one, other), (other, one)):
            bit = 1 << first.number
            if any(self.before[n] & bit for n in second.needs if n != first.number):
                return True
        return False

    def _unite(self, kept: Group, gone: Group, space: Shape) -> None:
        kept.nodes += gone.nodes
        axes = kept.axes_over(space)
        kept.axes = axes if axes is not None else gone.axes_over(space)
        kept.shape = space
        self._order_as_one(kept.number, gone.number)
        for number in gone.needs - {kept.number}:
            self.users[number] = (self.users[number] - {gone.number}) | {kept.number}
        for number in self.users[gone.number] - {kept.number}:
            user = self.groups[number]
            user.needs = (user.needs - {gone.number}) | {kept.number}
        both = {kept.number, gone.number}
        kept.needs = (kept.needs | gone.needs) - both
        self.users[kept.number] = (self.users[kept.number] | self.users.pop(gone.number)) - both
        del self.groups[gone.number]
        self.home.update((v, kept.number) for v in gone.values)
        if self.effect == gone.number:
            self.effect = kept.number

    def _order_as_one(self, kept: int, gone: int) -> None:
        """Let all that follow either of two groups follow both, which are one from here on."""
        own = 1 << kept | 1 << gone
        bits = (self.before[kept] | self.before.pop(gone)) & ~own
        waiting = [*self.users[gone]]
        if bits != self.before[kept]:
            waiting += self.users[kept]
        self.before[kept] = bits
        found = {kept, gone}
        while waiting:
            number = waiting.pop()
            if number not in found:
                found.add(number)
                self.before[number] = (self.before[number] | bits | own) & ~(1 << gone)
                waiting += self.users[number]

    # the order

    def _ordered(self) -> list[Group]:
        """Each group after those it needs, else as the nodes stand in the graph."""
        place = {node: i for i, node in enumerate(self.graph.nodes)}  # of those that join
        users: dict[int, list[int]] = {number: [] for number in self.groups}
        waiting = {number: len(group.needs) for number, group in self.groups.items()}
        for number, group in self.groups.items():
            first = [] if group.product is None else [group.nodes[0]]  # what the others follow
            rest = group.nodes[len(first) :]
            group.nodes = first + sorted(rest, key=lambda node: place.get(node, 0))
            for needed in group.needs:
                users[needed].append(number)
        ready = [n for n, count in waiting.items() if not count]
        heapq.heapify(ready)
        ordered = []
        while ready:
            number = heapq.heappop(ready)
            ordered.append(self.groups[number])
            for user in users[number]:
                waiting[user] -= 1
                if not waiting[user]:
                    heapq.heappush(ready, user)
        return ordered


def _in_step(view: View, value: Value, node: Node, space: Shape) -> bool:
    """Whether a node is at the very element of the root that it reads, all along a refinement."""
    own = space_of(node)
    strides = broadcast_strides(view.strides, value.type.shape, own)
    return not view.offset and is_in_order(refined(strides, own, space), space)


def stored_values(plan: Plan) -> dict[Group, list[Value]]:
    """What each group puts in memory: what other groups or the caller read."""
    read = {plan.view(v).root for v in plan.graph.outputs}
    for group in plan.groups:
        read |= plan.reads(group)
    return {g: [v for v in g.values if v in read] for g in plan.groups}
