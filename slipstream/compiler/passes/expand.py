"""Operations without code of their own become those that have it, by their expansions.

An expansion is used only if all of it is native: half of one would cost more than NumPy's meaning.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any

from slipstream.compiler.operations import has_native_types, is_filled, is_native_node
from slipstream.compiler.passes.rewrite import rewrite_of
from slipstream.compiler.views import is_trivial
from slipstream.ir.builder import Builder, frozen
from slipstream.ir.graph import Constant, Graph, Node, Value
from slipstream.primitives.base import Primitive
from slipstream.primitives.structure import identity
from slipstream.primitives.tracing import trace

Expansions = dict[Hashable, Graph | None]


def expand(graph: Graph) -> Graph:
    """The graph with every expansion in place, and calls of sub-programs inlined."""
    builder = Builder(graph.name)
    inputs = [builder.input(v.type) for v in graph.inputs]
    expansions: Expansions = {}
    outputs = _copied(graph, inputs, builder, expansions)
    return builder.graph(outputs)


def _copied(
    graph: Graph, inputs: Sequence[Value], builder: Builder, expansions: Expansions
) -> list[Value]:
    """The outputs of `graph` on `inputs`, drawn into the builder."""
    known = dict(zip(graph.inputs, inputs, strict=True))

    def read(value: Value) -> Value:
        return value if isinstance(value, Constant) else known[value]

    for node in graph.nodes:
        arguments = [read(v) for v in node.inputs]
        if is_trivial(node):
            known[node.outputs[0]] = arguments[0]
            continue
        inner = _expansion(node, expansions)
        if inner is None:
            outputs: Sequence[Value] = builder.add(
                node.operation, arguments, node.params, node.origin
            )
        else:
            outputs = _copied(inner, arguments, builder, expansions)
        known.update(zip(node.outputs, outputs, strict=True))
    return [read(v) for v in graph.outputs]


def _expansion(node: Node, expansions: Expansions) -> Graph | None:
    """What stands for a node; None where it stays."""
    operation = node.operation
    if not isinstance(operation, Primitive):
        return None
    function = rewrite_of(node)
    if function is None:
        if is_native_node(node) or operation.expand is None:
            return None
        function = operation.expand
    inline = bool(operation.facts.get("inline"))  # the sub-program takes the place of the call
    if not inline and not (has_native_types(node) and is_filled(node)):
        return None
    key = (operation, tuple(v.type for v in node.inputs), frozen(dict(node.params)))
    if inline or key not in expansions:
        inner = _drawn(function, node)
        good = inline or all(is_native_node(n) or _expansion(n, expansions) for n in inner.nodes)
        expansions[key] = inner if good else None
    return expansions[key]


def _drawn(function: Callable[..., Any], node: Node) -> Graph:
    types = [v.type for v in node.inputs]
    return trace(lambda *operands: function(*operands, **node.params), types, node.operation.name)


def separate(graph: Graph) -> Graph:
    """The graph with a node of its own for each output: inputs, constants, repeats are copied."""
    made = {v for node in graph.nodes for v in node.outputs}
    nodes, outputs = list(graph.nodes), []
    for value in graph.outputs:
        if value in made and value not in outputs:
            outputs.append(value)
            continue
        copy = Value(value.type)
        nodes.append(Node(identity, (value,), {}, (copy,)))
        outputs.append(copy)
    return Graph(graph.inputs, tuple(nodes), tuple(outputs), graph.name)
