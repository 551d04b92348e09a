"""A while loop as one kernel: its condition's kernels, a look at what they found, its body's."""

from __future__ import annotations

from collections.abc import Sequence

from slipstream.compiler.collapse import tidied
from slipstream.compiler.kernels import Kernel, Look
from slipstream.compiler.passes.fuse import Plan
from slipstream.compiler.passes.lay import copied
from slipstream.compiler.passes.lower import Lowered
from slipstream.compiler.passes.table import Body, Entries, Table
from slipstream.compiler.views import whole
from slipstream.ir.graph import Node, Value

UNBOUNDED = 1 << 62  # turns


def turning(
    plan: Plan, node: Node, stored: Sequence[Value], condition: Body, body: Body
) -> Lowered:
    """The kernels of a while loop; a variable that nobody reads in the end is not given."""
    maximum = node.params["maximum"]
    turns = UNBOUNDED if maximum is None else maximum
    return _Turning(plan, node, stored, turns).run(condition, body)


class _Turning(Table):
    def run(self, condition: Body, body: Body) -> Lowered:
        """Variables go to and fro between two places; after the loop the last ones are copied."""
        for number, given in enumerate(self.node.inputs):
            root, offset = self.in_rows(self.plan.view(given), given.type.shape)
            entry = self.add(body.graph.inputs[number], root, offset)
            self.known[condition.graph.inputs[number]] = entry
        for number, new in enumerate(body.graph.outputs):
            first, second = (self.place(new.type) for _ in range(2))
            self.to_and_fro(self.known[body.graph.inputs[number]], new, first, second)
        (truth,) = condition.graph.outputs
        flag = self.add(truth, self.place(truth.type))
        self.written.add(self.entries[flag].buffer)
        calls = self.calls_of(condition)
        calls += [(Look(), (flag,)), *self.calls_of(body)]
        return self.lowered(calls, self._results(body))

    def _results(self, body: Body) -> Entries:
        found: list[tuple[Kernel, tuple[int, ...]]] = []
        for value, result in zip(body.graph.inputs, self.node.outputs, strict=False):
            if result in self.stored:
                place = self.add(None, result)
                self.written.add(self.entries[place].buffer)
                kernel, _ = copied(whole(value), result)
                found.append((tidied(kernel), (self.known[value], place)))
        return found
