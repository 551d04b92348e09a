"""One step's operation as the operation on all steps, whose elements lie along a leading axis.

Which nodes of a loop's body are done so before it, and how.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from slipstream.compiler.operations import is_elementwise
from slipstream.ir.builder import Builder
from slipstream.ir.graph import Constant, Node, Value
from slipstream.primitives import structure as s
from slipstream.primitives.contraction import contract

Rule = Callable[[Builder, Node, Sequence[Value], Sequence[bool], int], tuple[Value, ...]]


def _elementwise(
    builder: Builder, node: Node, inputs: Sequence[Value], stacked: Sequence[bool], length: int
) -> tuple[Value, ...]:
    """Elements of fewer axes than the result get axes of size 1 after the leading one."""
    rank, aligned = node.outputs[0].type.rank, []
    for value, own, is_stacked in zip(inputs, node.inputs, stacked, strict=True):
        if is_stacked and own.type.rank < rank:
            shape = (length, *(1,) * (rank - own.type.rank), *own.type.shape)
            (value,) = builder.add(s.reshape, (value,), {"shape": shape})
        aligned.append(value)
    return builder.add(node.operation, aligned, node.params, node.origin)


def _contraction(
    builder: Builder, node: Node, inputs: Sequence[Value], stacked: Sequence[bool], length: int
) -> tuple[Value, ...]:
    labels = [node.params[name] for name in ("x_labels", "y_labels", "out_labels")]
    step = 1 + max((n for own in labels for n in own), default=0)
    x, y, out = (
        (step, *own) if is_in else own for own, is_in in zip(labels, (*stacked, True), strict=True)
    )
    params = {"x_labels": x, "y_labels": y, "out_labels": out}
    return builder.add(contract, inputs, params, node.origin)


def _view(params: Callable[[Node, int], dict[str, Any]]) -> Rule:
    def rule(
        builder: Builder, node: Node, inputs: Sequence[Value], stacked: Sequence[bool], length: int
    ) -> tuple[Value, ...]:
        return builder.add(node.operation, inputs, params(node, length), node.origin)

    return rule


def _bounds(node: Node, length: int) -> dict[str, Any]:
    starts, stops, steps = (node.params[name] for name in ("starts", "stops", "steps"))
    return {"starts": (0, *starts), "stops": (length, *stops), "steps": (1, *steps)}


def _order(node: Node, length: int) -> dict[str, Any]:
    return {"permutation": (0, *(axis + 1 for axis in node.params["permutation"]))}


RULES: dict[Any, Rule] = {
    contract: _contraction,
    s.reshape: _view(lambda node, length: {"shape": (length, *node.outputs[0].type.shape)}),
    s.transpose: _view(_order),
    s.slice_: _view(_bounds),
}


def rule_of(node: Node) -> Rule | None:
    """How a node is done for all steps at once; None where that is not known."""
    if is_elementwise(node) and node.inputs:
        return _elementwise
    return RULES.get(node.operation)


def early(nodes: Sequence[Node], xs: Sequence[Value], fixed: Sequence[Value]) -> list[Node]:
    """The contractions of elements that a loop is given, what they need, and what follows them."""
    moving, able = {*xs}, []
    followed: set[Value] = set()
    for node in nodes:
        mine = [v for v in node.inputs if v not in fixed and not isinstance(v, Constant)]
        if mine and moving.issuperset(mine) and rule_of(node) is not None:
            able.append(node)
            moving.update(node.outputs)
    for node in able:
        (out,) = node.outputs
        if node.operation is contract or _follows(node, followed, xs, fixed):
            followed.add(out)
    needed = {*followed}
    for node in reversed(able):
        if node.outputs[0] in needed:
            needed.update(node.inputs)
    return [node for node in able if node.outputs[0] in needed]


def _follows(node: Node, followed: set[Value], xs: Sequence[Value], fixed: Sequence[Value]) -> bool:
    """Whether a node is done element by element on what is moved anyway."""
    moved = [v for v in node.inputs if v in followed]
    others = (
        v in xs or v in fixed or isinstance(v, Constant) for v in node.inputs if v not in moved
    )
    same = any(v.type.shape == node.outputs[0].type.shape for v in moved)
    return is_elementwise(node) and same and all(others)
