"""Arrays put in places of another: padding, mosaics, and the ways back from windows.

Each is a kernel that fills what nothing else writes, then one for each part that is put in.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from slipstream.compiler.kernels import (
    Access,
    Apply,
    Counter,
    Instruction,
    Kernel,
    Load,
    LoopNest,
    Number,
    Store,
)
from slipstream.compiler.passes.fuse import Plan
from slipstream.compiler.views import View, row_major
from slipstream.ir.dtypes import bool_, int32
from slipstream.ir.graph import Constant, Node, Value
from slipstream.ir.types import Shape
from slipstream.primitives import elementwise as e
from slipstream.primitives import structure as s
from slipstream.primitives import window as w
from slipstream.primitives.base import Primitive
from slipstream.primitives.mosaic import mosaic, stops_of

Call = tuple[Kernel, tuple[Value, ...]]  # a kernel and its buffers, in order


class Region(NamedTuple):
    """Elements of the result: of this shape, from `start` on, `strides` apart."""

    shape: Shape
    start: int
    strides: Shape


def laid(plan: Plan, node: Node) -> tuple[Call, ...]:
    """The kernels of a node."""
    writer: Any = LAYERS[node.operation]  # type: ignore[index]
    return tuple(writer(plan, node))


def copied(source: View, out: Value) -> Call:
    """A view of the same shape put in all of `out`."""
    return _copy(source, _whole(out), out)


def _copy(source: View, region: Region, out: Value) -> Call:
    """Elements of a view put in a region of the same shape."""
    writer = _Writer(out)
    return writer.call(region, writer.read(source))


class _Writer:
    """The body of one nest that writes a region of `out`."""

    def __init__(self, out: Value) -> None:
        self.out, self.dtype = out, out.type.dtype
        self.buffers: list[Value] = []
        self.body: list[Instruction] = []

    def add(self, instruction: Instruction) -> int:
        self.body.append(instruction)
        return len(self.body) - 1

    def buffer(self, value: Value) -> int:
        if value not in self.buffers:
            self.buffers.append(value)
        return self.buffers.index(value)

    def read(self, source: View) -> int:
        root = source.root
        if isinstance(root, Constant) and root.type.size == 1:
            return self.number(root.array)
        access = Access(self.buffer(root), source.offset, source.strides)
        return self.add(Load(access, root.type.dtype))

    def number(self, value: Any, dtype: Any = None) -> int:
        dtype = dtype or self.dtype
        return self.add(Number(np.asarray(value, dtype.numpy).tobytes(), dtype))

    def apply(self, operation: Primitive, *arguments: int, of: Any, to: Any) -> int:
        return self.add(Apply(operation, arguments, of, to))

    def call(self, region: Region, value: int, is_added: bool = False) -> Call:
        """The nest; `is_added` adds to what lies there."""
        access = Access(self.buffer(self.out), region.start, region.strides)
        if is_added:
            kinds = (self.dtype, self.dtype)
            old = self.add(Load(access, self.dtype))
            value = self.apply(e.add, old, value, of=kinds, to=self.dtype)
        store = Store(access, value, self.dtype)
        nest = LoopNest(region.shape, (False,) * len(region.shape), tuple(self.body), (store,))
        return nest, tuple(self.buffers)


def _fill(value: View, region: Region, out: Value) -> Call:
    """One number in a region."""
    return _copy(View(value.root, value.offset, (0,) * len(region.shape)), region, out)


def _zeros(region: Region, out: Value) -> Call:
    writer = _Writer(out)
    return writer.call(region, writer.number(0))


def _whole(out: Value) -> Region:
    return Region(out.type.shape, 0, row_major(out.type.shape))


def _padding(plan: Plan, node: Node) -> list[Call]:
    """The padding everywhere, then what is padded in its place; negative padding crops."""
    (x, value), (out,) = node.inputs, node.outputs
    shape, own = out.type.shape, row_major(out.type.shape)
    fill = _fill(plan.view(value), _whole(out), out)
    view, steps = plan.view(x), tuple(n + 1 for n in node.params["interior"])
    offset, start, sizes = view.offset, 0, []
    for n, size, a, step, theirs, ours in zip(
        x.type.shape, shape, node.params["low"], steps, view.strides, own, strict=True
    ):
        first = max(0, -(a // step))  # the first element that is not cropped
        last = min(n, (size - 1 - a) // step + 1)
        offset += first * theirs
        start += (a + first * step) * ours
        sizes.append(last - first)
    if min(sizes, default=1) <= 0:
        return [fill]
    places = tuple(a * b for a, b in zip(own, steps, strict=True))
    source = View(view.root, offset, view.strides)
    return [fill, _copy(source, Region(tuple(sizes), start, places), out)]


def region_of(part: Shape, starts: Shape, steps: Shape, shape: Shape) -> Region:
    """Where a part of a mosaic lies."""
    own = row_major(shape)
    start = sum(a * b for a, b in zip(starts, own, strict=True))
    return Region(part, start, tuple(a * b for a, b in zip(steps, own, strict=True)))


def regions_of(node: Node) -> list[Region]:
    """Where the parts of a mosaic lie."""
    rows = zip(node.inputs, node.params["starts"], node.params["steps"], strict=True)
    return [region_of(v.type.shape, *place, node.outputs[0].type.shape) for v, *place in rows]


def box_of(node: Node) -> tuple[Shape, Shape] | None:
    """The (starts, ends) of the box that the parts of a mosaic fill; None where they leave gaps."""
    places = [*zip(node.inputs, node.params["starts"], node.params["steps"], strict=True)]
    ends = [stops_of(v.type.shape, starts, steps) for v, starts, steps in places]
    first = tuple(map(min, zip(*(starts for _, starts, _ in places), strict=True)))
    last = tuple(map(max, zip(*ends, strict=True)))
    filled = sum(v.type.size for v, _, _ in places)
    box = math.prod(b - a for a, b in zip(first, last, strict=True))
    return (first, last) if filled == box else None


def _mosaic(plan: Plan, node: Node) -> list[Call]:
    """Zeros around the box that the parts fill, or first everywhere; then each part."""
    (out,), box = node.outputs, box_of(node)
    calls = [_zeros(_whole(out), out)] if box is None else _around(out, *box)
    for value, region in zip(node.inputs, regions_of(node), strict=True):
        calls.append(_copy(plan.view(value), region, out))
    return calls


def _around(out: Value, starts: Shape, ends: Shape) -> list[Call]:
    """Zeros outside a box: before and behind it, axis by axis."""
    calls, own, shape = [], row_major(out.type.shape), [*out.type.shape]
    begin = 0
    for axis, (start, end, size) in enumerate(zip(starts, ends, out.type.shape, strict=True)):
        for first, last in ((0, start), (end, size)):
            if first < last:
                rest = (*shape[:axis], last - first, *shape[axis + 1 :])
                calls.append(_zeros(Region(rest, begin + first * own[axis], own), out))
        shape[axis], begin = end - start, begin + start * own[axis]
    return calls


class _Taps:
    """Where the taps of windows fall in the result, and what each of them puts there."""

    def __init__(self, plan: Plan, node: Node) -> None:
        params = {n: v for n, v in node.params.items() if n != "input_shape"}
        (self.out,), self.windows = node.outputs, w.Windows(**params)
        self.views = [plan.view(v) for v in node.inputs]
        self.counts = node.inputs[0].type.shape
        self.own = row_major(self.out.type.shape)

    def calls(self) -> list[Call]:
        windows = self.windows
        sizes = (windows.window, windows.strides, windows.dilation)
        whole = all(k == n and d == 1 for k, n, d in zip(*sizes, strict=True))
        if whole and not any((*windows.low, *windows.high)):
            return [*self._rest(), self._together()]
        taps = [self._tap(number, tap) for number, tap in enumerate(np.ndindex(*windows.window))]
        return [_zeros(_whole(self.out), self.out), *(call for call in taps if call is not None)]

    def _rest(self) -> list[Call]:
        """Zeros where no window reaches, axis by axis."""
        calls, shape = [], [*self.out.type.shape]
        for axis, (count, size) in enumerate(
            zip(self.counts[1:-1], self.windows.window, strict=True), start=1
        ):
            covered = count * size
            if covered < shape[axis]:
                rest = (*shape[:axis], shape[axis] - covered, *shape[axis + 1 :])
                region = Region(rest, covered * self.own[axis], self.own)
                calls.append(_zeros(region, self.out))
            shape[axis] = covered
        return calls

    def _together(self) -> Call:
        """All taps of windows that tile the result: each element is written once."""
        first, *spatial, last = self.own
        steps = tuple(a * n for a, n in zip(spatial, self.windows.strides, strict=True))
        shape = (*self.counts[:-1], *self.windows.window, self.counts[-1])
        region = Region(shape, 0, (first, *steps, *spatial, last))
        taps = row_major(self.windows.window)
        numbers = (0,) * (1 + len(steps)) + taps + (0,)
        return self._put(region, [self._spread(v) for v in self.views], numbers, False)

    def _spread(self, view: View) -> View:
        """The same element beside every tap."""
        none = (0,) * len(self.windows.window)
        return View(view.root, view.offset, (*view.strides[:-1], *none, view.strides[-1]))

    def _tap(self, number: int, tap: Shape) -> Call | None:
        """One tap, added to what lies there; what falls on the padding is dropped."""
        firsts, sizes, start = [], [], 0
        rows = zip(
            tap, self.windows.dilation, self.windows.strides, self.windows.low, self.counts[1:-1],
            self.out.type.shape[1:-1], self.own[1:-1], strict=True,
        )  # fmt: skip
        for at, dilation, stride, low, count, size, own in rows:
            place = at * dilation - low  # of the first window
            first = max(0, -(place // stride))
            last = min(count, (size - 1 - place) // stride + 1)
            firsts.append(first)
            sizes.append(last - first)
            start += (place + first * stride) * own
        if min(sizes) <= 0:
            return None
        steps = (a * n for a, n in zip(self.own[1:-1], self.windows.strides, strict=True))
        strides = (self.own[0], *steps, self.own[-1])
        shape = (self.counts[0], *sizes, self.counts[-1])
        return self._put(
            Region(shape, start, strides), [self._from(v, firsts) for v in self.views], number, True
        )

    def _from(self, view: View, firsts: Sequence[int]) -> View:
        skipped = sum(a * b for a, b in zip(firsts, view.strides[1:-1], strict=True))
        return View(view.root, view.offset + skipped, view.strides)

    def _put(
        self, region: Region, views: Sequence[View], number: int | Shape, is_added: bool
    ) -> Call:
        """The cotangent, where the index (if there is one) is the tap's number."""
        writer = _Writer(self.out)
        value = writer.read(views[0])
        if len(views) == 2:
            index, kind = writer.read(views[1]), writer.dtype
            if isinstance(number, int):
                tap = writer.number(number, int32)
            else:
                tap = writer.add(Counter(Access(-1, 0, number), int32))
            mine = writer.apply(e.equal, index, tap, of=(int32, int32), to=bool_)
            value = writer.apply(
                e.select, mine, value, writer.number(0), of=(bool_, kind, kind), to=kind
            )
        return writer.call(region, value, is_added)


def _windows(plan: Plan, node: Node) -> list[Call]:
    return _Taps(plan, node).calls()


LAYERS: dict[Primitive, Callable[[Plan, Node], list[Call]]] = {
    s.pad: _padding,
    mosaic: _mosaic,
    w.window_place: _windows,
    w.window_spread: _windows,
}
