"""What every graph must satisfy, checked after each pass of the compiler and in the tests."""

from __future__ import annotations

from slipstream.errors import InternalError
from slipstream.ir.graph import Constant, Graph, Node, Value, subgraphs


def verify(graph: Graph, after: str = "building", known: set[Node] | None = None) -> Graph:
    """`graph` itself, if each value is defined once, before its use, with the type of its rule.

    Rules are not asked again about the nodes in `known`, to which those that were asked about are
    added: most nodes go through most passes as they are. Raises InternalError naming the node and
    the pass (`after`) that broke it.
    """
    known = set() if known is None else known
    defined: set[Value] = set()
    for value in graph.inputs:
        _define(value, defined, graph, after)
    for node in graph.nodes:
        for value in node.inputs:
            _use(value, defined, node.operation.name, after)
        if node not in known:
            _check_types(node, after)
        for value in node.outputs:
            _define(value, defined, graph, after)
        for inner in subgraphs(node.params):
            verify(inner, after, known)
        known.add(node)
    for value in graph.outputs:
        _use(value, defined, "return", after)
    return graph


def _check_types(node: Node, after: str) -> None:
    inferred = node.operation.infer(tuple(v.type for v in node.inputs), node.params)
    if inferred != tuple(v.type for v in node.outputs):
        held = ", ".join(str(v.type) for v in node.outputs)
        rule = ", ".join(map(str, inferred))
        raise InternalError(f"after {after}: {node.operation.name} gives {rule}, not {held}")


def _define(value: Value, defined: set[Value], graph: Graph, after: str) -> None:
    if value in defined:
        raise InternalError(f"after {after}: a value of {graph.name} is defined twice")
    defined.add(value)


def _use(value: Value, defined: set[Value], user: str, after: str) -> None:
    if value not in defined and not isinstance(value, Constant):
        raise InternalError(f"after {after}: {user} uses a {value.type} before it is defined")
