"""The meaning of a whole graph, which every compiler must meet: each node's meaning, in order."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from slipstream.ir.graph import Array, Constant, Graph, Value


def evaluate(graph: Graph, arrays: Sequence[Array]) -> tuple[Array, ...]:
    """The outputs of `graph` for its inputs; a value is dropped after its last use."""
    known: dict[Value, Array] = dict(zip(graph.inputs, arrays, strict=True))

    def read(value: Value) -> Array:
        return value.array if isinstance(value, Constant) else known[value]

    last = last_uses(graph)
    for index, node in enumerate(graph.nodes):
        outputs = node.operation.compute(tuple(read(v) for v in node.inputs), node.params)
        known.update(zip(node.outputs, outputs, strict=True))
        for value in last[index]:
            known.pop(value, None)
    return tuple(read(v) for v in graph.outputs)


@lru_cache(maxsize=512)
def last_uses(graph: Graph) -> list[list[Value]]:
    """For each node, the values nobody reads after it."""
    last: list[list[Value]] = [[] for _ in graph.nodes]
    seen = set(graph.outputs)
    for index in range(len(graph.nodes) - 1, -1, -1):
        node = graph.nodes[index]
        for value in (*node.inputs, *node.outputs):
            if value not in seen:
                seen.add(value)
                last[index].append(value)
    return last
