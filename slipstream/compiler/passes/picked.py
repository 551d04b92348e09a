"""Nodes that pick rows by integers, as kernels: gather, and adding to or replacing rows.

All arrays lie in rows; `fuse` has laid out those that did not. Indices are checked once, before
anything is done with them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from slipstream.compiler.kernels import Bounds, LastPlaces, Picked
from slipstream.compiler.operations import SCATTERS
from slipstream.compiler.passes.fuse import Plan
from slipstream.compiler.passes.lay import Call, copied
from slipstream.compiler.views import is_whole
from slipstream.ir.dtypes import int32, int64
from slipstream.ir.graph import Node, Value
from slipstream.ir.types import TensorType
from slipstream.primitives.indexing import last_places

FAULT = TensorType((), int64)  # the word that a failed check leaves its number in


def indices_of(node: Node) -> Value:
    """The integers that name rows."""
    return node.inputs[0 if node.operation is last_places else 1]


def limit_of(node: Node) -> int:
    """What all the integers must be less than."""
    size: int = node.params.get("limit") or node.inputs[0].type.shape[node.params.get("axis", 0)]
    return size


@dataclass
class Checks:
    """The checks of a program: each of indices that no other one before has found in bounds.

    Number n, from 1 on, is of `nodes[n - 1]`; a check that fails puts it in `fault`.
    """

    fault: Value = field(default_factory=lambda: Value(FAULT))
    nodes: list[Node] = field(default_factory=list)
    known: dict[Value, int] = field(default_factory=dict)  # indices that are less than this

    def before(self, plan: Plan, node: Node) -> list[Call]:
        """The check that a node needs, if any."""
        indices, limit = plan.view(indices_of(node)).root, limit_of(node)
        if node.operation is last_places:
            self.known[node.outputs[0]] = indices.type.size
        if self.known.get(indices, limit + 1) <= limit:
            return []
        self.known[indices] = limit
        self.nodes.append(node)
        dtype = indices.type.dtype
        return [(Bounds(indices.type.size, limit, dtype, len(self.nodes)), (indices, self.fault))]


def picked(plan: Plan, node: Node) -> list[Call]:
    """The kernels of a node. A scatter copies the table first: nothing, where both are one."""
    table, indices, *updates = (plan.view(v) for v in node.inputs)
    (out,), size = node.outputs, node.inputs[1].type.size
    shape = node.inputs[0].type.shape
    axis, batch = node.params.get("axis", 0), node.params.get("batch_dims", 0)
    batches = math.prod(shape[:batch])
    record = Picked(
        SCATTERS.get(node.operation, "gather"), batches, math.prod(shape[batch:axis]),
        size // batches, shape[axis], math.prod(shape[axis + 1 :]), indices.root.type.dtype,
        out.type.dtype,
    )  # fmt: skip
    if not updates:
        return [(record, (indices.root, table.root, out))]
    return [copied(table, out), (record, (indices.root, updates[0].root, out))]


def placed_last(plan: Plan, node: Node) -> tuple[Call, Value]:
    """The kernel that finds the last of equal indices, and the memory that it needs."""
    indices, (out,) = plan.view(node.inputs[0]).root, node.outputs
    scratch = Value(TensorType((node.params["limit"],), int32))
    return (LastPlaces(indices.type.size, indices.type.dtype), (indices, scratch, out)), scratch


def overwritten(plan: Plan, node: Node) -> frozenset[Value]:
    """The table of a scatter, if the result may be written over it."""
    x, *others = node.inputs
    table = plan.view(x)
    is_own = is_whole(table, x.type.shape) and table.root not in {plan.view(v).root for v in others}
    return frozenset({table.root}) if is_own and len(others) == 2 else frozenset()
