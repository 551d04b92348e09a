"""Graphs drawn anew, node by node, some of them in another way."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from slipstream.ir.builder import Builder
from slipstream.ir.graph import Constant, Graph, Node, Value

Otherwise = Callable[[Node, Sequence[Value], Builder], "Sequence[Value] | None"]


def redrawn(graph: Graph, otherwise: Otherwise) -> Graph:
    """The graph with what `otherwise(node, inputs, builder)` adds; None leaves a node as it is."""
    builder = Builder(graph.name)
    known: dict[Value, Value] = {value: builder.input(value.type) for value in graph.inputs}

    def read(value: Value) -> Value:
        return value if isinstance(value, Constant) else known[value]

    for node in graph.nodes:
        inputs = [read(v) for v in node.inputs]
        outputs = otherwise(node, inputs, builder)
        if outputs is None:
            outputs = builder.add(node.operation, inputs, node.params, node.origin)
        known.update(zip(node.outputs, outputs, strict=True))
    return builder.graph([read(v) for v in graph.outputs])
