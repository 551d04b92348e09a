"""A group of nodes as the record of a loop nest, and the values that are its buffers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from slipstream.compiler.kernels import (
    Access,
    Apply,
    Counter,
    Instruction,
    Load,
    LoopNest,
    Number,
    Store,
)
from slipstream.compiler.operations import is_reduction
from slipstream.compiler.passes.contract import Product, finished, kernel
from slipstream.compiler.passes.fuse import Group, Plan, space_of
from slipstream.compiler.passes.lay import Call, laid
from slipstream.compiler.passes.picked import overwritten, picked, placed_last
from slipstream.compiler.spaces import refined
from slipstream.compiler.views import View, broadcast_strides, row_major
from slipstream.ir.dtypes import DType
from slipstream.ir.graph import Constant, Node, Value
from slipstream.ir.types import Shape
from slipstream.primitives.indexing import last_places
from slipstream.primitives.structure import iota


class Lowered(NamedTuple):
    """Kernels that run one after the other, and the values they are called with."""

    calls: tuple[Call, ...]
    in_step: frozenset[Value] = frozenset()  # read only where an element is written
    scratch: tuple[Value, ...] = ()  # memory that is nothing before and after


def lower(plan: Plan, group: Group, stored: Sequence[Value]) -> Lowered:
    """The kernels of a group that put these values in memory."""
    if group.product is not None:
        return _product(plan, group, group.product, stored)
    if group.kind == "lay":
        return Lowered(laid(plan, group.nodes[0]))
    if group.kind == "pick":
        (node,) = group.nodes
        if node.operation is last_places:
            call, scratch = placed_last(plan, node)
            return Lowered((call,), scratch=(scratch,))
        return Lowered(tuple(picked(plan, node)), overwritten(plan, node))
    return _Lowering(plan, group).run(stored)


def _product(plan: Plan, group: Group, product: Product, stored: Sequence[Value]) -> Lowered:
    record, (left, right) = kernel(product)
    operands = left.root, right.root
    if isinstance(record, LoopNest):
        return Lowered(((record, (*operands, *stored)),))
    node, *rest = group.nodes
    whole, buffers, in_step = finished(record, node.outputs[0], rest, stored, plan.view)
    return Lowered(((whole, (*operands, *buffers)),), in_step - {*operands})


class _Lowering:
    def __init__(self, plan: Plan, group: Group) -> None:
        self.plan, self.group = plan, group
        self.buffers: dict[Value, int] = {}
        self.body: list[Instruction] = []
        self.known: dict[object, int] = {}  # instruction or value -> place in the body
        self.reductions: dict[Value, tuple[Node, int]] = {}

    def run(self, stored: Sequence[Value]) -> Lowered:
        for node in self.group.nodes:
            self._take(node)
        stores = [self._store(value) for value in stored]
        shape, axes = self.group.shape, self.group.axes or ()
        reduced = tuple(i in axes for i in range(len(shape)))
        nest = LoopNest(shape, reduced, tuple(self.body), tuple(stores))
        return Lowered(((nest, tuple(self.buffers)),), self._in_step())

    def _take(self, node: Node) -> None:
        (out,) = node.outputs
        if self.group.source is not None:
            shape = self.group.shape
            self.known[out] = self._read_view(self.group.source, shape, shape, out.type.dtype)
        elif is_reduction(node):
            self.reductions[out] = node, self._read(node.inputs[0], node)
        elif node.operation is iota:
            axis, shape = node.params["axis"], out.type.shape
            strides = self._over_group([int(i == axis) for i in range(len(shape))], shape)
            self.known[out] = self._add(Counter(Access(-1, 0, strides), out.type.dtype))
        else:
            arguments = tuple(self._read(v, node) for v in node.inputs)
            dtypes = tuple(v.type.dtype for v in node.inputs)
            application = Apply(node.operation, arguments, dtypes, out.type.dtype)
            self.known[out] = self._add(application)

    def _add(self, instruction: Instruction) -> int:
        if instruction not in self.known:
            self.known[instruction] = len(self.body)
            self.body.append(instruction)
        return self.known[instruction]

    def _read(self, value: Value, node: Node) -> int:
        view = self.plan.view(value)
        if view.root in self.known:  # made in this group, and read element by element
            return self.known[view.root]
        return self._read_view(view, value.type.shape, space_of(node), value.type.dtype)

    def _read_view(self, view: View, shape: Shape, own: Shape, dtype: DType) -> int:
        """A view of `shape` as a node reads it that walks the shape `own`."""
        if isinstance(view.root, Constant) and view.root.type.size == 1:
            return self._add(Number(view.root.array.tobytes(), dtype))
        buffer = self.buffers.setdefault(view.root, len(self.buffers))
        strides = self._over_group(broadcast_strides(view.strides, shape, own), own)
        return self._add(Load(Access(buffer, view.offset, strides), dtype))

    def _over_group(self, strides: Sequence[int], shape: Shape) -> Shape:
        return refined(strides, shape, self.group.shape)

    def _store(self, value: Value) -> Store:
        buffer = self.buffers.setdefault(value, len(self.buffers))
        dtype = value.type.dtype
        if value not in self.reductions:
            access = Access(buffer, 0, row_major(self.group.shape))
            return Store(access, self.known[value], dtype)
        node, read = self.reductions[value]
        return Store(Access(buffer, 0, self._reduced_strides()), read, dtype, node.operation)

    def _reduced_strides(self) -> Shape:
        """Those of the result, over the axes that are kept."""
        axes = self.group.axes or ()
        kept = [i for i in range(len(self.group.shape)) if i not in axes]
        own = dict(zip(kept, row_major(tuple(self.group.shape[i] for i in kept)), strict=True))
        return tuple(own.get(i, 0) for i in range(len(self.group.shape)))

    def _in_step(self) -> frozenset[Value]:
        """Buffers whose every access is at the element that the nest is at."""
        if self.group.axes:
            return frozenset()
        own = row_major(self.group.shape)
        apart = {
            i.access.buffer
            for i in self.body
            if isinstance(i, Load) and not _same_walk(i.access, own, self.group.shape)
        }
        return frozenset(v for v, number in self.buffers.items() if number not in apart)


def _same_walk(access: Access, own: Shape, shape: Shape) -> bool:
    equal = all(n == 1 or a == b for n, a, b in zip(shape, access.strides, own, strict=True))
    return equal and not access.offset
