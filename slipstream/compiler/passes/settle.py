"""Parts of a mosaic are stored where they belong by the kernels that make them.

The kernel that would copy a part goes, and whoever reads the part reads its place in the mosaic.
That needs each access to walk along the axes of the part, which are apart in the mosaic.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from slipstream.compiler.kernels import (
    Access,
    Contraction,
    Instruction,
    Kernel,
    Load,
    LoopNest,
    Store,
)
from slipstream.compiler.passes.fuse import Group, Plan
from slipstream.compiler.passes.lay import Region, box_of, regions_of
from slipstream.compiler.passes.lower import Lowered
from slipstream.compiler.views import is_whole, row_major
from slipstream.ir.graph import Node, Value
from slipstream.primitives.mosaic import mosaic


class Axis(NamedTuple):
    """An axis of a part: its size, and its strides in the part and in the mosaic."""

    size: int
    own: int
    new: int


@dataclass(frozen=True)
class Home:
    """Where a value lies instead: in another, from `start` on."""

    value: Value
    start: int
    axes: tuple[Axis, ...]

    def moved(
        self, offset: int, strides: Sequence[int], sizes: Sequence[int]
    ) -> tuple[int, tuple[int, ...]] | None:
        """The offset and strides of the same elements; None where a walk crosses axes."""
        place, low = self.start, []
        for axis in self.axes:
            at, offset = divmod(offset, axis.own)
            low.append(at)
            place += at * axis.new
        high, found = [*low], []
        for stride, size in zip(strides, sizes, strict=True):
            along = self._along(stride, size)
            if along is None:
                return None
            number, times = along
            low[number] += min(0, times * (size - 1))
            high[number] += max(0, times * (size - 1))
            found.append(times * self.axes[number].new)
        inside = all(a >= 0 and b < n.size for a, b, n in zip(low, high, self.axes, strict=True))
        return (place, tuple(found)) if inside else None

    def _along(self, stride: int, size: int) -> tuple[int, int] | None:
        """The axis that a walk goes along, and by how many of its elements a step."""
        if stride == 0 or size == 1:
            return len(self.axes) - 1, 0
        for number, axis in enumerate(self.axes):
            if stride % axis.own == 0:
                return number, stride // axis.own
        return None


def _home(out: Value, region: Region) -> Home:
    axes: list[Axis] = []
    for axis in map(Axis, region.shape, row_major(region.shape), region.strides):
        if axis.size == 1:
            continue
        if axes and axes[-1].new == axis.new * axis.size:
            axes[-1] = Axis(axes[-1].size * axis.size, axis.own, axis.new)
        else:
            axes.append(axis)
    return Home(out, region.start, tuple(axes) or (Axis(1, 1, 1),))


def settle(plan: Plan, lowered: dict[Group, Lowered]) -> dict[Value, Value]:
    """Let parts lie in their mosaics where that can be; what lies where then. Changes `lowered`."""
    settling = _Settling(plan, lowered)
    for group in plan.groups:
        if group.kind == "lay" and group.nodes[0].operation is mosaic:
            settling.take(group, group.nodes[0])
    for group, kernels in lowered.items():
        left = tuple(c for n, c in enumerate(kernels.calls) if (group, n) not in settling.done)
        lowered[group] = kernels._replace(calls=left)
    return settling.moved


class _Settling:
    def __init__(self, plan: Plan, lowered: dict[Group, Lowered]) -> None:
        self.plan, self.lowered = plan, lowered
        self.moved: dict[Value, Value] = {}
        self.done: set[tuple[Group, int]] = set()  # calls that have nothing to do any more
        self.users: dict[Value, list[tuple[Group, int]]] = {}  # the calls that have it as a buffer
        for group, kernels in lowered.items():
            for number, (_, values) in enumerate(kernels.calls):
                for value in dict.fromkeys(values):
                    self.users.setdefault(value, []).append((group, number))
        self.fixed = set(plan.graph.outputs) | set(plan.graph.inputs)
        for group in plan.groups:
            if group.kind == "call":
                self.fixed |= plan.reads(group)
        self.makers = {v: g for g in lowered for v in g.values if g.kind in ("nest", "product")}

    def take(self, group: Group, node: Node) -> None:
        """Settle the parts of one mosaic, where zeros do not come over them."""
        if box_of(node) is None:
            return
        (out,) = node.outputs
        for value, region in zip(node.inputs, regions_of(node), strict=True):
            view = self.plan.view(value)
            good = is_whole(view, value.type.shape) and view.root.type.size == value.type.size
            last = [s for n, s in zip(region.shape, region.strides, strict=True) if n > 1][-1:]
            if good and last == [1] and view.root in self.makers and view.root not in self.fixed:
                self._settle(group, view.root, _home(out, region))

    def _settle(self, group: Group, value: Value, home: Home) -> None:
        """Move one value, if all kernels that touch it can follow."""
        if value in self.moved:
            return
        changed: list[tuple[Group, int, Kernel]] = []
        copies = []
        for user, number in self.users[value]:
            kernel, values = self.lowered[user].calls[number]
            if user is group and _copies(kernel, values, value, home):
                copies.append((user, number))
                continue
            followed = _followed(kernel, [n for n, v in enumerate(values) if v is value], home)
            if followed is None:
                return
            changed.append((user, number, followed))
        self.done.update(copies)
        self.moved[value] = home.value
        self.fixed.add(home.value)  # what others lie in does not move itself
        for user, number, kernel in changed:
            calls = [*self.lowered[user].calls]
            calls[number] = kernel, tuple(home.value if v is value else v for v in calls[number][1])
            self.lowered[user] = self.lowered[user]._replace(calls=tuple(calls))


def _copies(kernel: Kernel, values: Sequence[Value], value: Value, home: Home) -> bool:
    """Whether a kernel of the mosaic puts the value where its new home is."""
    put = isinstance(kernel, LoopNest) and kernel.stores[0].access.offset == home.start
    return put and tuple(values) == (value, home.value)


def _followed(kernel: Kernel, buffers: Sequence[int], home: Home) -> Kernel | None:
    """The kernel with accesses of these buffers moved."""
    if isinstance(kernel, LoopNest):
        return _with_accesses(kernel, buffers, kernel.shape, home)
    if not isinstance(kernel, Contraction):
        return None
    for number, side in enumerate(("left", "right")):
        if number in buffers:
            moved = _moved_operand(kernel, number, side, home)
            if moved is None:
                return None
            kernel = moved
    return _with_accesses(kernel, buffers, [n.size for n in kernel.walked], home)


def _moved_operand(kernel: Contraction, number: int, side: str, home: Home) -> Contraction | None:
    loops = (*kernel.walked, *kernel.inner)
    found = home.moved(
        kernel.offsets[number], [getattr(n, side) for n in loops], [n.size for n in loops]
    )
    if found is None:
        return None
    offset, strides = found
    offsets = (offset, kernel.offsets[1]) if number == 0 else (kernel.offsets[0], offset)
    new = [replace(n, **{side: step}) for n, step in zip(loops, strides, strict=True)]
    if side == "right" and new[len(kernel.outer) + 1].right != 1:
        return None
    outer = len(kernel.outer)
    return replace(
        kernel, outer=tuple(new[:outer]), rows=new[outer], columns=new[outer + 1],
        inner=tuple(new[outer + 2 :]), offsets=offsets,
    )  # fmt: skip


def _with_accesses(
    kernel: LoopNest | Contraction, buffers: Sequence[int], sizes: Sequence[int], home: Home
) -> LoopNest | Contraction | None:
    body: list[Instruction] = []
    stores: list[Store] = []
    for items, found in ((kernel.body, body), (kernel.stores, stores)):
        for item in items:
            if not isinstance(item, Load | Store) or item.access.buffer not in buffers:
                found.append(item)  # type: ignore[arg-type]
                continue
            moved = home.moved(item.access.offset, item.access.strides, sizes)
            if moved is None:
                return None
            access = Access(item.access.buffer, *moved)
            found.append(replace(item, access=access))  # type: ignore[arg-type]
    return replace(kernel, body=tuple(body), stores=tuple(stores))
