"""Values that are cheaper made again than kept: what an instruction or two make of a kept array.

A normalisation's deviations from the mean are read on the way back, as is the array they come of:
to write them is a way through memory that no reader is spared. So each kernel that reads such a
value makes it for itself. That is known only once it is known what shares a kernel.
"""

from __future__ import annotations

from dataclasses import replace

from slipstream.compiler.operations import is_cheap, is_nest, is_reduction, is_view
from slipstream.compiler.passes.fuse import Group, Plan, stored_values
from slipstream.ir.graph import Constant, Graph, Node, Value, pruned

LARGE = 1 << 18  # bytes: smaller values stay near
SMALL = 16  # times smaller is what may be read beside the array
MOST = 3  # nodes for a value


def made_again(plan: Plan) -> Graph:
    """The graph of a plan with such nodes for each kernel that reads them, or the same graph."""
    found = _Again(plan)
    return found.graph() if found.chosen else plan.graph


class _Again:
    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.home = {v: group for group in plan.groups for v in group.values}
        self.maker = {v: node for node in plan.graph.nodes for v in node.outputs}
        self.kept = {v for values in stored_values(plan).values() for v in values}
        self.readers: dict[Value, list[Group]] = {}
        for group in plan.groups:
            for value in plan.reads(group):
                self.readers.setdefault(value, []).append(group)
        self.chosen: dict[Value, int] = {}  # values that are made again: of how many nodes
        outputs = {plan.view(v).root for v in plan.graph.outputs}
        for node in plan.graph.nodes:
            if len(node.outputs) == 1 and {*node.outputs} <= self.kept - outputs:
                self._choose(node.outputs[0], node)

    def _choose(self, value: Value, node: Node) -> None:
        """Take a value, if one array that is kept anyway, and little beside it, make it."""
        is_cheap_nest = is_nest(node) and is_cheap(node) and not is_view(node)
        if value.type.bytes < LARGE or is_reduction(node) or not is_cheap_nest:
            return
        large = {v for v in node.inputs if v.type.size * SMALL > value.type.size}
        small = {v for v in node.inputs if v not in large and not isinstance(v, Constant)}
        if len(large) != 1 or not all(self._is_kept(v) for v in small):
            return
        (source,) = large
        nodes = 1 + self.chosen.get(source, 0)
        is_same_size = source.type.bytes == value.type.bytes
        is_there = source in self.chosen or self._is_kept(source)
        readers = self.readers.get(value, [])
        if (
            is_same_size
            and is_there
            and nodes <= MOST
            and all(self._may_make(group, value) for group in readers)
        ):
            self.chosen[value] = nodes

    def _is_kept(self, value: Value) -> bool:
        """Whether a value lies in memory anyway; not in a variable, which is written meanwhile."""
        return self.plan.view(value).root in self.kept

    def _may_make(self, group: Group, value: Value) -> bool:
        """Whether a group reads the value as it is, in nodes of its own."""
        reading = (v for node in group.nodes for v in node.inputs)
        return group.kind == "nest" and all(
            v is value for v in reading if self.plan.view(v).root is value
        )

    def graph(self) -> Graph:
        graph, nodes = self.plan.graph, []
        known: dict[tuple[int, Value], Value] = {}  # what a group has made for itself
        homes = {node: self.home.get(v) for node in graph.nodes for v in node.outputs[:1]}
        for node in graph.nodes:
            group = homes[node]
            inputs = tuple(
                self._made(v, group, known, nodes) if group is not None else v for v in node.inputs
            )
            nodes.append(replace(node, inputs=inputs) if inputs != node.inputs else node)
        return pruned(Graph(graph.inputs, tuple(nodes), graph.outputs, graph.name))

    def _made(
        self, value: Value, group: Group, known: dict[tuple[int, Value], Value], nodes: list[Node]
    ) -> Value:
        """The value as a group reads it: its own, if it is made again."""
        if value not in self.chosen or self.home[value] is group:
            return value
        key = group.number, value
        if key not in known:
            node = self.maker[value]
            inputs = tuple(self._made(v, group, known, nodes) for v in node.inputs)
            known[key] = Value(value.type)
            nodes.append(Node(node.operation, inputs, node.params, (known[key],), node.origin))
        return known[key]
