"""How each operation runs in a compiled program: the table of `slipstream info --ops`."""

from __future__ import annotations

from collections.abc import Iterator

from slipstream.compiler.operations import is_native_node
from slipstream.compiler.pipeline import CallStep, schedule
from slipstream.ir.dtypes import float32, from_numpy
from slipstream.ir.types import TensorType
from slipstream.primitives.base import REGISTRY, Primitive
from slipstream.primitives.tracing import trace


def how(primitive: Primitive) -> str:
    """native, expanded (into operations that are) or call-out (NumPy), in its first dtype."""
    dtypes = primitive.facts.get("dtypes", (float32,))
    dtype = float32 if float32 in dtypes else dtypes[0]
    sample = primitive.samples[0]
    types = [TensorType(a.shape, from_numpy(a.dtype)) for a in sample.arrays(dtype)]
    graph = trace(lambda *xs: primitive(*xs, **sample.params), types, primitive.name)
    planned = schedule(graph, ())
    if any(isinstance(step, CallStep) for step in planned.steps):
        return "call-out"
    is_there = any(node.operation is primitive for node in planned.graph.nodes)
    return "native" if is_there or all(map(is_native_node, graph.nodes)) else "expanded"


def coverage() -> Iterator[tuple[str, str, str]]:
    """(operation, family, how it runs) of each operation that has a sample."""
    for name, primitive in sorted(REGISTRY.items()):
        if primitive.samples:
            yield name, primitive.family, how(primitive)
