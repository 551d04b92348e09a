"""Work that leaves a loop of known length.

What does not depend on the step is done before the loop, and so are, for all steps at once, the
contractions of elements that the loop is given. A contraction whose result the loop only gives is
done after it. A carry to which each step only adds a contraction or a sum of values of that step
becomes one contraction or sum over all steps after the loop: the gradients of weights that all
steps share. An operand that every step would lay out anew for its contraction is laid out once
before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from slipstream.compiler.operations import is_view
from slipstream.compiler.passes.expand import expand
from slipstream.compiler.passes.redraw import redrawn
from slipstream.compiler.passes.stack import early, rule_of
from slipstream.ir.builder import Builder
from slipstream.ir.graph import Constant, Graph, Node, Value, pruned
from slipstream.ir.types import TensorType
from slipstream.primitives.contraction import contract
from slipstream.primitives.elementwise import add
from slipstream.primitives.loops import scan
from slipstream.primitives.reduction import sum_
from slipstream.primitives.structure import broadcast_to, reshape, transpose


def hoist(graph: Graph) -> Graph:
    """The graph with less inside its loops."""
    if all(node.operation is not scan for node in graph.nodes):
        return graph
    return redrawn(graph, _hoisted)


def _hoisted(node: Node, inputs: Sequence[Value], builder: Builder) -> Sequence[Value] | None:
    return _Hoisting(node, inputs, builder).run() if node.operation is scan else None


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
        wanted, firsts = [*self.ys], [*self.first]
        if self.params["length"]:
            self._forget_repeats()
            self._advance_fixed()
            self._advance_elements()
        sums = {i: term for i in range(len(self.carries)) if (term := self._term(i)) is not None}
        late = self._late(wanted) if self.params["length"] else {}
        needed = [v for node in (*sums.values(), *late.values()) for v in node.inputs]
        given = {*self.xs, *late}
        self.ys = [*dict.fromkeys(v for v in (*wanted, *needed) if v not in given)]
        kept = [i for i in range(len(self.carries)) if i not in sums]
        self.carries, self.first, self.after = (
            [part[i] for i in kept] for part in (self.carries, self.first, self.after)
        )
        self._lay_out()
        outputs = self._scan()
        stacked = dict(zip(self.xs, self.stacked, strict=True))
        stacked.update(zip(self.ys, outputs[len(kept) :], strict=True))
        finals: dict[int, Value] = dict(zip(kept, outputs, strict=False))
        for i, term in sums.items():
            finals[i] = self._total(firsts[i], term, [stacked[v] for v in term.inputs])
        for value, node in late.items():
            (stacked[value],) = self._on_all(node, stacked)
        return [*(finals[i] for i in range(len(finals))), *(stacked[v] for v in wanted)]

    # before the loop

    def _forget_repeats(self) -> None:
        """Elements that are the same in each step come from what they were repeated of."""
        makers = {v: node for node in self.builder.nodes for v in node.outputs}
        for value, given in zip([*self.xs], [*self.stacked], strict=True):
            node = makers.get(given)
            if node is None or node.operation is not broadcast_to:
                continue
            (source,), rank = node.inputs, given.type.rank
            if source.type.rank == rank and source.type.shape[0] > 1:
                continue
            if source.type.rank == rank:
                (source,) = self._add(reshape, (source,), shape=source.type.shape[1:])
            inner = source if isinstance(source, Constant) else self._new_fixed(source)
            repeat = Node(broadcast_to, (inner,), {"shape": value.type.shape}, (value,))
            self._take_out([value])
            self._prepend(repeat)

    def _new_fixed(self, given: Value) -> Value:
        value = Value(given.type)
        self.fixed.append(value)
        self.given.append(given)
        return value

    def _take_out(self, values: Sequence[Value]) -> None:
        """The loop is not given these elements any more."""
        pairs = zip(self.xs, self.stacked, strict=True)
        rest = [(v, given) for v, given in pairs if v not in values]
        self.xs, self.stacked = [v for v, _ in rest], [given for _, given in rest]

    def _prepend(self, node: Node) -> None:
        self.nodes.insert(0, node)
        self.maker[node.outputs[0]] = node

    def _advance_fixed(self) -> None:
        """Do before the loop what does not depend on the step."""
        given = dict(zip(self.fixed, self.given, strict=True))
        for node in [*self.nodes]:
            known = all(v in given or isinstance(v, Constant) for v in node.inputs)
            grows = is_view(node) and node.outputs[0].type.size > node.inputs[0].type.size
            if not known or not node.inputs or grows or node.operation.effect:
                continue
            inputs = [given.get(v, v) for v in node.inputs]
            outputs = self.builder.add(node.operation, inputs, node.params, node.origin)
            given.update(zip(node.outputs, outputs, strict=True))
            self.fixed += node.outputs
            self.given += outputs
            self._drop(node)

    def _drop(self, node: Node) -> None:
        self.nodes.remove(node)
        for value in node.outputs:
            del self.maker[value]

    def _advance_elements(self) -> None:
        """Do before the loop, for all steps, the contractions of what the loop is given."""
        stacked = dict(zip(self.xs, self.stacked, strict=True))
        for node in early(self.nodes, self.xs, self.fixed):
            outputs = self._on_all(node, stacked)
            stacked.update(zip(node.outputs, outputs, strict=True))
            self.xs += node.outputs
            self.stacked += outputs
            self._drop(node)

    def _on_all(self, node: Node, stacked: Mapping[Value, Value]) -> tuple[Value, ...]:
        """A node of the body on the elements of all steps."""
        rule = rule_of(node)
        assert rule is not None
        given = dict(zip(self.fixed, self.given, strict=True))
        own = [v in stacked for v in node.inputs]
        inputs = [stacked.get(v) or given.get(v, v) for v in node.inputs]
        return rule(self.builder, node, inputs, own, self.params["length"])

    # after the loop

    def _late(self, wanted: Sequence[Value]) -> dict[Value, Node]:
        """Contractions with what is the same in each step that are only given, not used inside."""
        inside = {v for node in self.nodes for v in node.inputs} | {*self.after}
        nodes = {v: self.maker[v] for v in wanted if v in self.maker and v not in inside}
        return {v: n for v, n in nodes.items() if n.operation is contract and self._is_late(n)}

    def _is_late(self, node: Node) -> bool:
        fixed = [v in self.fixed for v in node.inputs]
        return any(fixed) and any(v in self.maker for v in node.inputs)

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
