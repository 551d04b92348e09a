"""Which nodes are contractions, and their loops."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from slipstream.compiler.kernels import Loop
from slipstream.compiler.passes.contract import Product, fewest
from slipstream.compiler.views import View, row_major
from slipstream.ir.graph import Node, Value
from slipstream.primitives import contraction as c
from slipstream.primitives import convolution as v
from slipstream.primitives.base import Primitive


def _contract(node: Node, x: View, y: View) -> list[Loop]:
    labels = [node.params[name] for name in ("x_labels", "y_labels", "out_labels")]
    arrays = (*node.inputs, *node.outputs)
    sizes: dict[int, int] = {}
    for own, value in zip(labels, arrays, strict=True):
        sizes.update(zip(own, value.type.shape, strict=True))
    every = (x.strides, y.strides, row_major(node.outputs[0].type.shape))
    steps = [
        dict(zip(own, strides, strict=True)) for own, strides in zip(labels, every, strict=True)
    ]
    return [Loop(size, *(own.get(label, 0) for own in steps)) for label, size in sizes.items()]


def _convolution(node: Node, x: View, w: View) -> list[Loop]:
    out, filters = node.outputs[0].type.shape, node.inputs[1].type.shape
    y, p, groups = row_major(out), node.params, node.params["groups"]
    inner, columns = filters[-2], filters[-1] // groups
    loops = [Loop(out[0], x.strides[0], 0, y[0])]
    for i, (stride, dilation) in enumerate(zip(p["strides"], p["dilation"], strict=True)):
        loops.append(Loop(out[i + 1], x.strides[i + 1] * stride, 0, y[i + 1]))
        loops.append(Loop(filters[i], x.strides[i + 1] * dilation, w.strides[i], 0))
    across, down = x.strides[-1], w.strides[-1]
    return [
        *loops,
        Loop(groups, across * inner, down * columns, columns),
        Loop(inner, across, w.strides[-2], 0),
        Loop(columns, 0, down, 1),
    ]


def _by_filter(node: Node, x: View, g: View) -> list[Loop]:
    places, filters = node.inputs[1].type.shape, node.outputs[0].type.shape
    dw, p, groups = row_major(filters), node.params, node.params["groups"]
    inner, columns = filters[-2], filters[-1] // groups
    loops = [Loop(places[0], x.strides[0], g.strides[0], 0)]
    for i, (stride, dilation) in enumerate(zip(p["strides"], p["dilation"], strict=True)):
        loops.append(Loop(places[i + 1], x.strides[i + 1] * stride, g.strides[i + 1], 0))
        loops.append(Loop(filters[i], x.strides[i + 1] * dilation, 0, dw[i]))
    across, down = x.strides[-1], g.strides[-1]
    return [
        *loops,
        Loop(groups, across * inner, down * columns, columns),
        Loop(inner, across, 0, dw[-2]),
        Loop(columns, 0, down, 1),
    ]


PRODUCTS: dict[Primitive, Callable[[Node, View, View], list[Loop]]] = {
    c.contract: _contract,
    v.convolution: _convolution,
    v.convolution_filter_gradient: _by_filter,
}


def is_product(node: Node) -> bool:
    """Whether the node is a contraction that a kernel computes: padding must be apart."""
    padded = any((*node.params.get("low", ()), *node.params.get("high", ())))
    return node.operation in PRODUCTS and not padded  # type: ignore[comparison-overlap]


def product_of(node: Node, view: Callable[[Value], View]) -> Product:
    """The loops of a node on its operands as they lie."""
    left, right = map(view, node.inputs)
    writer: Any = PRODUCTS[node.operation]  # type: ignore[index]
    loops = fewest(writer(node, left, right))
    return Product(left, right, loops, node.outputs[0].type.dtype)
