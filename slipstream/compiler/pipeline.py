"""From a graph to the steps of a program, pass by pass."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from slipstream.compiler.collapse import tidied
from slipstream.compiler.operations import has_native_types, is_filled
from slipstream.compiler.passes.assemble import assemble
from slipstream.compiler.passes.expand import expand, separate
from slipstream.compiler.passes.fuse import Group, Plan, fuse, stored_values
from slipstream.compiler.passes.hoist import hoist
from slipstream.compiler.passes.keep import keep
from slipstream.compiler.passes.lay import Call
from slipstream.compiler.passes.loop import looped, needed, needs_of
from slipstream.compiler.passes.lower import Lowered, lower
from slipstream.compiler.passes.picked import Checks
from slipstream.compiler.passes.place import Places, Step, place
from slipstream.compiler.passes.settle import settle
from slipstream.compiler.passes.split import split
from slipstream.compiler.passes.table import Body
from slipstream.compiler.passes.turning import turning
from slipstream.ir.graph import Graph, Node, Value
from slipstream.ir.verifier import verify
from slipstream.primitives.loops import scan, while_loop

# name, pass, what holds after it; the verifier runs after each
PASSES: tuple[tuple[str, Callable[[Graph], Graph], str], ...] = (
    ("expand", expand, "what has no code of its own, but an expansion that has, is expanded"),
    ("keep", keep, "no loop computes anew what an earlier one has computed"),
    ("hoist", hoist, "what all steps of a loop add up is one operation after it"),
    ("assemble", assemble, "what is put together of parts is so where it is needed whole"),
    ("split", split, "a long sum over the first axis is a sum of parts"),
    ("separate", separate, "each output is made by a node, and by no other output's"),
)


@dataclass(frozen=True)
class KernelStep:
    """The kernels of a group, each with the values it is called with."""

    calls: tuple[Call, ...]
    written: tuple[Value, ...]
    group: Group


@dataclass(frozen=True)
class CallStep:
    """A node that NumPy computes."""

    node: Node


@dataclass
class Schedule:
    """What runs, in order, and where the values lie."""

    graph: Graph
    plan: Plan
    steps: list[KernelStep | CallStep]
    places: Places
    checks: Checks


def schedule(
    graph: Graph, in_place: Iterable[tuple[int, int]], checks: Checks | None = None
) -> Schedule:
    """The program of a graph: passes over the graph, then groups, kernels, parts, places."""
    known: set[Node] = set()
    for name, step, _ in PASSES:
        graph = verify(step(graph), name, known)
    plan = fuse(graph)
    stored = stored_values(plan)
    lowered = {g: lower(plan, g, stored[g]) for g in plan.groups if g.kind != "call" and stored[g]}
    moved = settle(plan, lowered)
    writer = _Steps(plan, checks or Checks())
    for group in plan.groups:
        if group.kind == "call":
            writer.call(group, stored[group])
        elif group in lowered:
            checked = writer.checks.before(plan, group.nodes[0]) if group.kind == "pick" else []
            written = tuple(dict.fromkeys(moved.get(v, v) for v in stored[group]))
            writer.kernels(group, lowered[group], written, checked)
    places = place(graph, writer.touched, in_place)
    return Schedule(graph, plan, writer.steps, places, writer.checks)


class _Steps:
    """The steps of a program, and what each of them touches."""

    def __init__(self, plan: Plan, checks: Checks) -> None:
        self.plan, self.checks = plan, checks
        self.steps: list[KernelStep | CallStep] = []
        self.touched: list[Step] = []

    def call(self, group: Group, stored: Sequence[Value]) -> None:
        """A node that NumPy computes, or a loop."""
        (node,) = group.nodes
        loop = self._loop(node, stored)
        if loop is None:
            self.steps.append(CallStep(node))
            reads = tuple(self.plan.view(v).root for v in node.inputs)
            self.touched.append(Step(False, reads, node.outputs))
            return
        self.kernels(group, loop, tuple(stored))
        if self.checks.nodes[-1:] == [node]:  # it may fail when it has begun to write
            self.touched.append(Step(True, (), (), may_fail=True))

    def kernels(
        self, group: Group, lowered: Lowered, written: tuple[Value, ...],
        before: Sequence[Call] = (),
    ) -> None:  # fmt: skip
        """Kernels that write these values."""
        calls = tuple((tidied(kernel), values) for kernel, values in lowered.calls)
        writes = (*written, *lowered.scratch)
        reads = tuple(v for _, buffers in calls for v in buffers if v not in writes)
        self.steps.append(KernelStep((*before, *calls), written, group))
        self.touched.append(Step(True, reads, writes, lowered.in_step, may_fail=bool(before)))

    def _loop(self, node: Node, stored: Sequence[Value]) -> Lowered | None:
        """A loop as a native one; None if a sub-program needs NumPy, or there is nothing to do."""
        is_ready = has_native_types(node) and is_filled(node)
        if node.operation is scan and is_ready and node.params["length"]:
            needs = needs_of(node, stored)
            bodies = self._bodies(node, needed(node, needs))
            return looped(self.plan, node, stored, needs, *bodies) if bodies else None
        if node.operation is while_loop and is_ready and node.params["maximum"] != 0:
            bodies = self._bodies(node, node.params["cond_graph"], node.params["body_graph"])
            return turning(self.plan, node, stored, *bodies) if bodies else None
        return None

    def _bodies(self, node: Node, *graphs: Graph) -> list[Body] | None:
        """The sub-programs of a loop as kernels; None if one of them needs NumPy."""
        checks = Checks(self.checks.fault, [*self.checks.nodes])
        found = []
        for graph in graphs:
            inner = schedule(graph, (), checks)
            if any(isinstance(step, CallStep) for step in inner.steps):
                return None
            calls = [c for step in inner.steps if isinstance(step, KernelStep) for c in step.calls]
            found.append(Body(inner.graph, calls, inner.places, checks.fault))
        count = len(checks.nodes) - len(self.checks.nodes)
        self.checks.nodes += [node] * count  # what fails inside is told by the meaning of the loop
        return found
