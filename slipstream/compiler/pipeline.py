"""From a graph to the steps of a program, pass by pass."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from slipstream.compiler.kernels import Contraction, TimeLoop, plain
from slipstream.compiler.operations import has_native_types, is_filled
from slipstream.compiler.passes.again import made_again
from slipstream.compiler.passes.assemble import assemble
from slipstream.compiler.passes.block import is_large
from slipstream.compiler.passes.chain import chained
from slipstream.compiler.passes.expand import expand, separate
from slipstream.compiler.passes.fuse import Group, Plan, fuse, stored_values
from slipstream.compiler.passes.hoist import hoist
from slipstream.compiler.passes.keep import keep
from slipstream.compiler.passes.lay import Call
from slipstream.compiler.passes.loop import looped, needed, needs_of
from slipstream.compiler.passes.lower import Lowered, lower
from slipstream.compiler.passes.made import CallStep, KernelStep, Made, cut, made
from slipstream.compiler.passes.partial import in_parts
from slipstream.compiler.passes.picked import Checks
from slipstream.compiler.passes.place import Places, Step, place
from slipstream.compiler.passes.rows import by_rows
from slipstream.compiler.passes.settle import settle
from slipstream.compiler.passes.split import split
from slipstream.compiler.passes.table import Body
from slipstream.compiler.passes.turning import turning
from slipstream.compiler.passes.update import update_apart
from slipstream.compiler.target import target
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
CACHE_OF_A_PART = 0.75  # of the second level: what a kernel of a chain goes through in a part


@dataclass
class Schedule:
    """What runs, in order, and where the values lie."""

    graph: Graph
    plan: Plan
    steps: list[KernelStep | CallStep]
    places: Places
    checks: Checks


def schedule(
    graph: Graph,
    in_place: Iterable[tuple[int, int]],
    checks: Checks | None = None,
    *,
    in_blocks: bool = True,
) -> Schedule:
    """The program of a graph: passes over the graph, then groups, kernels, parts, places.

    With `checks` it is a part of a loop, which may not have its contractions in blocks.
    """
    known: set[Node] = set()
    for name, step, _ in PASSES:
        graph = verify(step(graph), name, known)
    plan = fuse(graph)
    again = made_again(plan)
    if again is not graph:
        graph = verify(again, "again", known)
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
    chosen, in_place = target(), [*in_place]
    found = in_parts(writer.made)
    if not chosen.has_few_registers:
        found = [part for one in found for part in update_apart(one)]
    found = by_rows(found, graph)
    if checks is None:  # no part of a loop
        found = chained(found, graph, in_place, int(CACHE_OF_A_PART * chosen.second_cache))
    found = [cut(one, chosen) for one in found] if in_blocks else found
    places = place(graph, [one.touched for one in found], in_place)
    steps = [one.step for one in found if one.step is not None]
    return Schedule(graph, plan, steps, places, writer.checks)


class _Steps:
    """The steps of a program, and what each of them touches."""

    def __init__(self, plan: Plan, checks: Checks) -> None:
        self.plan, self.checks = plan, checks
        self.made: list[Made] = []

    def call(self, group: Group, stored: Sequence[Value]) -> None:
        """A node that NumPy computes, or a loop."""
        (node,) = group.nodes
        loop = self._loop(node, stored)
        if loop is None:
            reads = tuple(self.plan.view(v).root for v in node.inputs)
            self.made.append(Made(CallStep(node), Step(False, reads, node.outputs)))
            return
        self.kernels(group, loop, tuple(stored))
        if self.checks.nodes[-1:] == [node]:  # it may fail when it has begun to write
            self.made.append(Made(None, Step(True, (), (), may_fail=True)))

    def kernels(
        self, group: Group, lowered: Lowered, written: tuple[Value, ...],
        before: Sequence[Call] = (),
    ) -> None:  # fmt: skip
        """Kernels that write these values."""
        calls = (*before, *lowered.calls)
        self.made.append(
            made(calls, written, group, lowered.scratch, lowered.in_step, may_fail=bool(before))
        )

    def _loop(self, node: Node, stored: Sequence[Value]) -> Lowered | None:
        """A loop as a native one; None if a sub-program needs NumPy, or there is nothing to do.

        Where threads do not divide its samples, large contractions are cut into blocks: if there
        are any, its sub-programs are planned once more.
        """
        if node.operation not in (scan, while_loop):
            return None
        checked = [*self.checks.nodes]
        whole = self._turns(node, stored, in_blocks=False)
        if whole is None or any(k.parts > 1 for k, _ in whole.calls if isinstance(k, TimeLoop)):
            return whole
        products = (k for k in plain(whole.calls) if isinstance(k, Contraction))
        if not any(k.blocks is None and is_large(k, target()) for k in products):
            return whole
        self.checks.nodes[:] = checked
        return self._turns(node, stored, in_blocks=True)

    def _turns(self, node: Node, stored: Sequence[Value], in_blocks: bool) -> Lowered | None:
        is_ready = has_native_types(node) and is_filled(node)
        if node.operation is scan and is_ready and node.params["length"]:
            needs = needs_of(node, stored)
            bodies = self._bodies(node, needed(node, needs), in_blocks=in_blocks)
            return looped(self.plan, node, stored, needs, *bodies) if bodies else None
        if node.operation is while_loop and is_ready and node.params["maximum"] != 0:
            graphs = node.params["cond_graph"], node.params["body_graph"]
            bodies = self._bodies(node, *graphs, in_blocks=in_blocks)
            return turning(self.plan, node, stored, *bodies) if bodies else None
        return None

    def _bodies(self, node: Node, *graphs: Graph, in_blocks: bool) -> list[Body] | None:
        """The sub-programs of a loop as kernels; None if one of them needs NumPy."""
        checks = Checks(self.checks.fault, [*self.checks.nodes])
        found = []
        for graph in graphs:
            inner = schedule(graph, (), checks, in_blocks=in_blocks)
            if any(isinstance(step, CallStep) for step in inner.steps):
                return None
            calls = [c for step in inner.steps if isinstance(step, KernelStep) for c in step.calls]
            found.append(Body(inner.graph, calls, inner.places, checks.fault))
        count = len(checks.nodes) - len(self.checks.nodes)
        self.checks.nodes += [node] * count  # what fails inside is told by the meaning of the loop
        return found
