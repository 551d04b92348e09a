"""Work that leaves a loop of known length.

A carry to which each step only adds a contraction or a sum of values of that step becomes one
contraction or sum over all steps after the loop: the gradients of weights that all steps share.
An operand that every step would lay out anew for its contraction is laid out once before.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from slipstream.compiler.passes.expand import expand
from slipstream.ir.builder import Builder
from slipstream.ir.graph import Constant, Graph, Node, Value, pruned
from slipstream.ir.types import TensorType
from slipstream.primitives.contraction import contract
from slipstream.primitives.elementwise import add
from slipstream.primitives.loops import scan
from slipstream.primitives.reduction import sum_
from slipstream.primitives.structure import transpose


def hoist(graph: Graph) -> Graph:
    """The graph with less inside its loops."""
    if all(node.operation is not scan for node in graph.nodes):
        return graph
    builder = Builder(graph.name)
    known = {value: builder.input(value.type) for value in graph.inputs}

    def read(value: Value) -> Value:
        return value if isinstance(value, Constant) else known[value]

    for node in graph.nodes:
        inputs = [read(v) for v in node.inputs]
        if node.operation is scan:
            outputs: Sequence[Value] = _Hoisting(node, inputs, builder).run()
        else:
            outputs = builder.add(node.operation, inputs, node.params, node.origin)
        known.update(zip(node.outputs, outputs, strict=True))
    return builder.graph([read(v) for v in graph.outputs])


class _Hoisting:
    """One scan under construction: its body's parts, and what they are called with."""

    def __init__(self, node: Node, operands: Sequence[Value], builder: Builder) -> None:
        self.node, self.builder = node, builder
        self.params = dict(node.params)
        carry, xs = self.params["carry"], self.params["xs"]
        body = expand(self.params["body"])
        self.body = body
        self.carries, self.xs, self.fixed = _split(body.inputs, carry, xs)
        self.first, self.stacked, self.given = _split(operands, carry, xs)
        self.after, self.ys = [*body.outputs[:carry]], [*body.outputs[carry:]]
        self.nodes = [*body.nodes]
        self.maker = {v: n for n in body.nodes for v in n.outputs}

    def run(self) -> list[Value]:
        """The outputs that the scan had, drawn anew."""
        count = len(self.ys)
        sums = {i: term for i in range(len(self.carries)) if (term := self._term(i)) is not None}
        elements = {i: [self._element(v) for v in term.inputs] for i, term in sums.items()}
        firsts = [*self.first]
        kept = [i for i in range(len(self.carries)) if i not in sums]
        self.carries, self.first, self.after = (
            [part[i] for i in kept] for part in (self.carries, self.first, self.after)
        )
        self._lay_out()
        outputs = self._scan()
        carried, ys = outputs[: len(kept)], outputs[len(kept) :]
        finals: dict[int, Value] = dict(zip(kept, carried, strict=True))
        for i, term in sums.items():
            arrays = [ys[place] if own else self.stacked[place] for own, place in elements[i]]
            finals[i] = self._total(firsts[i], term, arrays)
        return [*(finals[i] for i in range(len(finals))), *ys[:count]]

    def _term(self, index: int) -> Node | None:
        """What a carry only adds up, if every step's part can be had after the loop."""
        carry, after = self.carries[index], self.after[index]
        sum_node = self.maker.get(after)
        if sum_node is None or sum_node.operation is not add or carry not in sum_node.inputs:
            return None
        uses = [n for n in self.nodes if carry in n.inputs or after in n.inputs]
        outputs = [*self.after, *self.ys]
        if uses != [sum_node] or carry in outputs or outputs.count(after) != 1:
            return None
        first, second = sum_node.inputs
        term = self.maker.get(second if first is carry else first)
        if term is None or term.operation not in (contract, sum_) or carry in term.inputs:  # type: ignore[comparison-overlap]
            return None
        if term.outputs[0].type != carry.type:
            return None
        return term if all(v in self.maker or v in self.xs for v in term.inputs) else None

    def _element(self, value: Value) -> tuple[bool, int]:
        """(true, y) of a value that the loop gives each step, or (false, x) of one it is given."""
        if value in self.xs:
            return False, self.xs.index(value)
        if value not in self.ys:
            self.ys.append(value)
        return True, self.ys.index(value)

    def _total(self, first: Value, term: Node, arrays: Sequence[Value]) -> Value:
        """All steps' parts, in one operation, added to what the carry began with."""
        if term.operation is sum_:  # type: ignore[comparison-overlap]
            axes = (0, *(axis + 1 for axis in term.params["axes"]))
            (total,) = self._add(sum_, arrays, axes=axes)
        else:
            x, y, out = (term.params[name] for name in ("x_labels", "y_labels", "out_labels"))
            step = 1 + max((*x, *y), default=0)
            (total,) = self._add(
                contract, arrays, x_labels=(step, *x), y_labels=(step, *y), out_labels=out
            )
        return self._add(add, (first, total))[0]

    def _lay_out(self) -> None:
        """Transpose, before the loop, invariant operands whose columns do not lie in rows."""
        for place, node in enumerate(self.nodes):
            if node.operation is contract:  # type: ignore[comparison-overlap]
                self.nodes[place] = self._with_columns_last(node)

    def _with_columns_last(self, node: Node) -> Node:
        params, inputs = dict(node.params), [*node.inputs]
        for i, name in enumerate(("x_labels", "y_labels")):
            labels, out = params[name], params["out_labels"]
            if not out or inputs[i] not in self.fixed or out[-1] not in labels[:-1]:
                continue
            order = sorted(range(len(labels)), key=lambda axis: labels[axis] == out[-1])
            shape = tuple(inputs[i].type.shape[axis] for axis in order)
            given = self.given[self.fixed.index(inputs[i])]
            inputs[i] = Value(TensorType(shape, inputs[i].type.dtype))
            self.fixed.append(inputs[i])
            self.given += self._add(transpose, (given,), permutation=tuple(order))
            params[name] = tuple(labels[axis] for axis in order)
        return Node(node.operation, tuple(inputs), params, node.outputs, node.origin)

    def _scan(self) -> tuple[Value, ...]:
        outputs = (*self.after, *self.ys)
        nodes = pruned(Graph((), tuple(self.nodes), outputs)).nodes
        used = {v for n in nodes for v in n.inputs} | {*outputs}
        xs, stacked = _used(self.xs, self.stacked, used)
        fixed, given = _used(self.fixed, self.given, used)
        body = Graph((*self.carries, *xs, *fixed), nodes, outputs, self.body.name)
        params = {**self.params, "body": body, "carry": len(self.carries), "xs": len(xs)}
        return self._add(scan, (*self.first, *stacked, *given), **params)

    def _add(self, operation: Any, inputs: Sequence[Value], **params: Any) -> tuple[Value, ...]:
        return self.builder.add(operation, inputs, params, self.node.origin)


def _used(
    values: Sequence[Value], given: Sequence[Value], used: set[Value]
) -> tuple[list[Value], list[Value]]:
    """The inputs of a body that something in it uses, and what it is called with for them."""
    places = [i for i, v in enumerate(values) if v in used]
    return [values[i] for i in places], [given[i] for i in places]


def _split(values: Sequence[Value], carry: int, xs: int) -> tuple[list[Value], ...]:
    return [*values[:carry]], [*values[carry : carry + xs]], [*values[carry + xs :]]
