"""Which nodes become kernels, and of which kind; every other node is a call to NumPy."""

from __future__ import annotations

from typing import Any

from slipstream.compiler.codegen import math  # enters its emitters
from slipstream.compiler.codegen.reducers import REDUCERS
from slipstream.compiler.codegen.scalars import EMITTERS, NUMBERS, is_native
from slipstream.compiler.kernels import NATIVE
from slipstream.compiler.passes.products import is_product
from slipstream.compiler.views import VIEWS
from slipstream.ir.graph import Node
from slipstream.primitives.base import Primitive
from slipstream.primitives.indexing import gather, gather_nd, last_places
from slipstream.primitives.mosaic import mosaic
from slipstream.primitives.scattering import scatter_add, scatter_nd_add, scatter_nd_update
from slipstream.primitives.structure import concat, iota, pad
from slipstream.primitives.window import window_place, window_spread

LAID: tuple[Primitive, ...] = (pad, concat, mosaic, window_place, window_spread)
SCATTERS: dict[Any, str] = {scatter_add: "add", scatter_nd_add: "add", scatter_nd_update: "put"}


def has_native_types(node: Node) -> bool:
    """Whether code is made for the dtypes of a node."""
    return all(v.type.dtype in NATIVE for v in (*node.inputs, *node.outputs))


def is_filled(node: Node) -> bool:
    """Whether there is something to compute, and from something."""
    return all(v.type.size for v in (*node.inputs, *node.outputs))


def is_view(node: Node) -> bool:
    """Whether the node only arranges elements."""
    return node.operation in VIEWS and has_native_types(node)  # type: ignore[comparison-overlap]


def is_reduction(node: Node) -> bool:
    """Whether the node is a reduction that a loop nest computes."""
    known = REDUCERS.get(node.operation)  # type: ignore[call-overload]
    return known is not None and node.inputs[0].type.dtype in known.dtypes


def is_elementwise(node: Node) -> bool:
    """Whether the node is a scalar operation that a loop nest computes."""
    dtypes = [v.type.dtype for v in node.inputs], [v.type.dtype for v in node.outputs]
    return (node.operation is iota and has_native_types(node)) or is_native(node.operation, *dtypes)


def is_cheap(node: Node) -> bool:
    """Whether the node only arranges elements, or is an instruction or two for each."""
    known: Any = EMITTERS.get(node.operation)  # type: ignore[call-overload]
    return is_view(node) or (is_elementwise(node) and known[0].__module__ != math.__name__)


def is_nest(node: Node) -> bool:
    """Whether a loop nest computes the node, alone or with others."""
    return is_filled(node) and (is_elementwise(node) or is_reduction(node))


def is_contraction(node: Node) -> bool:
    """Whether a kernel sums products for the node."""
    return is_product(node) and node.outputs[0].type.dtype in NUMBERS


def is_laid(node: Node) -> bool:
    """Whether the node puts arrays in places of another."""
    return node.operation in LAID and has_native_types(node)  # type: ignore[comparison-overlap]


def is_pick(node: Node) -> bool:
    """Whether the node moves rows that integers name."""
    operation: Any = node.operation
    if operation is gather_nd or operation in (scatter_nd_add, scatter_nd_update):
        single = node.inputs[1].type.shape[-1] == 1  # not vectors of several indices
    else:
        single = operation in (gather, scatter_add, last_places)
    return single and has_native_types(node)


def is_native_node(node: Node) -> bool:
    """Whether the node needs no NumPy."""
    single = is_view(node) or is_elementwise(node) or is_reduction(node)
    return single or is_contraction(node) or is_laid(node) or is_pick(node)
