"""Long sums over the first axis in two steps, of which threads share the first.

The parts and their order do not depend on how many threads there are, so nor does the result.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from slipstream.compiler.operations import is_filled, is_reduction
from slipstream.compiler.passes.redraw import redrawn
from slipstream.ir.builder import Builder
from slipstream.ir.graph import Graph, Node, Value
from slipstream.ir.types import Shape
from slipstream.primitives.reduction import sum_
from slipstream.primitives.structure import reshape

LONG = 2048  # terms: less is soon done by one thread
FEW = 4096  # results: more than that are shared as they are
PARTS = (8, 64)  # at least, at most


def split(graph: Graph) -> Graph:
    """The graph with its long sums in two steps."""
    if not any(node.operation is sum_ for node in graph.nodes):
        return graph
    return redrawn(graph, _in_two)


def _in_two(node: Node, inputs: Sequence[Value], builder: Builder) -> Sequence[Value] | None:
    """The sum of partial sums; None where the node is none, or short."""
    operation: Any = node.operation
    if operation is not sum_ or not is_reduction(node) or not is_filled(node):
        return None
    axes, shape, results = node.params["axes"], inputs[0].type.shape, node.outputs[0].type.size
    if 0 not in axes or results > FEW or math.prod(shape[a] for a in axes) < LONG:
        return None
    parted = _parted(shape, axes)
    if parted is None:
        return None
    (whole,) = builder.add(reshape, inputs, {"shape": parted}, node.origin)
    inner = tuple(a + len(parted) - len(shape) for a in axes if a or len(parted) > len(shape))
    (partial,) = builder.add(sum_, (whole,), {"axes": inner}, node.origin)
    return builder.add(sum_, (partial,), {"axes": (0,)}, node.origin)


def _parted(shape: Shape, axes: Sequence[int]) -> Shape | None:
    """The shape with the parts as its first axis: the first itself, if there are others to sum."""
    least, most = PARTS
    if len([a for a in axes if shape[a] > 1]) > 1 and least <= shape[0] <= 8 * most:
        return shape
    parts = max((n for n in range(least, most + 1) if shape[0] % n == 0), default=0)
    return (parts, shape[0] // parts, *shape[1:]) if 0 < parts < shape[0] else None
