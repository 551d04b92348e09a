"""From a graph to the steps of a program, pass by pass."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from slipstream.compiler.collapse import tidied
from slipstream.compiler.passes.assemble import assemble
from slipstream.compiler.passes.expand import expand, separate
from slipstream.compiler.passes.fuse import Group, Plan, fuse, stored_values
from slipstream.compiler.passes.hoist import hoist
from slipstream.compiler.passes.lay import Call
from slipstream.compiler.passes.lower import lower
from slipstream.compiler.passes.picked import Checks
from slipstream.compiler.passes.place import Places, Step, place
from slipstream.compiler.passes.settle import settle
from slipstream.ir.graph import Graph, Node, Value
from slipstream.ir.verifier import verify

# name, pass, what holds after it; the verifier runs after each
PASSES: tuple[tuple[str, Callable[[Graph], Graph], str], ...] = (
    ("expand", expand, "what has no code of its own, but an expansion that has, is expanded"),
    ("hoist", hoist, "what all steps of a loop add up is one operation after it"),
    ("assemble", assemble, "what is put together of parts is so where it is needed whole"),
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


def schedule(graph: Graph, in_place: Iterable[tuple[int, int]]) -> Schedule:
    """The program of a graph: passes over the graph, then groups, kernels, parts, places."""
    for name, step, _ in PASSES:
        graph = verify(step(graph), name)
    plan = fuse(graph)
    stored = stored_values(plan)
    lowered = {g: lower(plan, g, stored[g]) for g in plan.groups if g.kind != "call" and stored[g]}
    moved = settle(plan, lowered)
    steps: list[KernelStep | CallStep] = []
    touched: list[Step] = []
    checks = Checks()
    for group in plan.groups:
        if group.kind == "call":
            (node,) = group.nodes
            steps.append(CallStep(node))
            touched.append(Step(False, tuple(plan.view(v).root for v in node.inputs), node.outputs))
        elif group in lowered:
            calls, in_step, scratch = lowered[group]
            calls = tuple((tidied(kernel), values) for kernel, values in calls)
            before = checks.before(plan, group.nodes[0]) if group.kind == "pick" else []
            written = tuple(dict.fromkeys(moved.get(v, v) for v in stored[group]))
            writes = (*written, *scratch)
            reads = tuple(v for _, buffers in calls for v in buffers if v not in writes)
            steps.append(KernelStep((*before, *calls), written, group))
            touched.append(Step(True, reads, writes, in_step, may_fail=bool(before)))
    return Schedule(graph, plan, steps, place(graph, touched, in_place), checks)
