"""Code for copies that turn an array: squares of it go through registers.

One element at a time, each would cost a line of the cache. A square is as many vectors as a vector
has lanes, read along one axis and written along the other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from llvmlite import ir

from slipstream.compiler.codegen.vector import I32, I64, Writer
from slipstream.compiler.kernels import Access, Load, LoopNest
from slipstream.compiler.target import Target

FEWEST = 4  # elements along both axes
MOST_LANES = 16  # vectors of a square, which must stay in registers
ENOUGH_TURNS = 64  # that threads divide


class Turn(NamedTuple):
    """The axis along which elements are read in a row, and that along which they are written."""

    read: int
    written: int


def turn_of(nest: LoopNest) -> Turn | None:
    """The two axes of a nest that does nothing but turn an array; None if it does not."""
    load, store = nest.body[0], nest.stores[0]
    if len(nest.body) > 1 or len(nest.stores) > 1 or not isinstance(load, Load):
        return None
    if store.reduction is not None or load.dtype != store.dtype or load.dtype.is_bool:
        return None
    read, written = (_along(nest, a) for a in (load.access, store.access))
    if read is None or written is None or load.access.strides[written] in (0, 1):
        return None
    return Turn(read, written)


def _along(nest: LoopNest, access: Access) -> int | None:
    axes = zip(access.strides, nest.shape, strict=True)
    return next((i for i, (stride, n) in enumerate(axes) if stride == 1 and n >= FEWEST), None)


def write_transposition(
    module: ir.Module, name: str, nest: LoopNest, turn: Turn, target: Target
) -> Any:
    """The function of a nest that turns an array."""
    fewest = min(nest.shape[axis] for axis in turn)
    lanes = min(target.lanes(nest.stores[0].dtype.bits), MOST_LANES)
    writer = Writer(module, name, nest.buffers, min(lanes, 1 << (fewest - 1).bit_length()))
    _Transposition(writer, nest, turn).write()
    writer.b.ret_void()
    return writer.function


class _Transposition:
    """Squares are `lanes` on a side, or as large as the array. Places are offsets in both arrays.

    The last square of an axis begins where it ends with the axis: some elements are copied twice.
    """

    def __init__(self, writer: Writer, nest: LoopNest, turn: Turn) -> None:
        self.w, self.nest, self.turn = writer, nest, turn
        load: Any = nest.body[0]
        self.accesses = load.access, nest.stores[0].access
        self.dtype = nest.stores[0].dtype
        self.others = [i for i in range(len(nest.shape)) if i not in turn]

    def write(self) -> None:
        """Threads divide rows of squares; squares, where the rows are few."""
        shape, (read, written) = self.nest.shape, self.turn
        sizes = [*(shape[axis] for axis in self.others), self._squares(written)]
        many = math.prod(sizes) >= ENOUGH_TURNS
        inside = self._squares(read) if many else 1
        sizes += [] if many else [self._squares(read)]

        def once(number: Any) -> None:
            *others, row, first = [*self.w.digits(number, sizes), *([I64(0)] if many else [])]
            places = [I64(access.offset) for access in self.accesses]
            for axis, counter in zip(self.others, others, strict=True):
                places = self._moved(places, axis, counter)
            places = self._moved(places, written, self._begin(written, row))

            def square(counter: Any, _: Sequence[Any]) -> None:
                at = counter if many else first
                self._square(self._moved(places, read, self._begin(read, at)))

            self.w.loop(inside, square)

        self.w.each_of_mine(math.prod(sizes), once)

    def _squares(self, axis: int) -> int:
        return -(-self.nest.shape[axis] // self.w.lanes)

    def _side(self, axis: int) -> int:
        return min(self.w.lanes, self.nest.shape[axis])

    def _begin(self, axis: int, number: Any) -> Any:
        """Where a square begins along an axis."""
        place, last = self.w.offset(I64(0), number, self.w.lanes), self.nest.shape[axis]
        if not last % self.w.lanes or last < self.w.lanes:
            return place
        end = I64(last - self.w.lanes)
        return self.w.b.select(self.w.b.icmp_unsigned("<", place, end), place, end)

    def _moved(self, places: Sequence[Any], axis: int, counter: Any) -> list[Any]:
        return [
            self.w.offset(place, counter, access.strides[axis])
            for place, access in zip(places, self.accesses, strict=True)
        ]

    def _square(self, places: Sequence[Any]) -> None:
        """Read vectors along one axis, and write as many as they are wide along the other."""
        width, height = (self._side(axis) for axis in self.turn)
        w = self.w
        (source, target), (old, new) = self.accesses, places
        step, stride = source.strides[self.turn.written], target.strides[self.turn.read]
        masks = [None if n == w.lanes else w.mask(n) for n in (width, height)]
        rows = [
            w.load_vector(
                w.buffers[source.buffer], w.offset(old, I64(1), row * step), self.dtype, masks[0]
            )
            for row in range(height)
        ]
        rows += [w.constant(self.dtype, 0)] * (w.lanes - height)
        for row, turned in enumerate(self._turned(rows)[:width]):
            place = w.offset(new, I64(1), row * stride)
            w.store_vector(turned, w.buffers[target.buffer], place, self.dtype, masks[1])

    def _turned(self, rows: Sequence[Any]) -> list[Any]:
        """Lane i of vector j where lane j of vector i was: bit after bit of both is exchanged."""
        lanes, distance, rows = self.w.lanes, self.w.lanes // 2, [*rows]
        while distance:
            low = [i if not i & distance else i - distance + lanes for i in range(lanes)]
            high = [i + distance if not i & distance else i + lanes for i in range(lanes)]
            for first in range(lanes):
                if not first & distance:
                    pair = rows[first], rows[first + distance]
                    rows[first], rows[first + distance] = (
                        self._mixed(pair, n) for n in (low, high)
                    )
            distance //= 2
        return rows

    def _mixed(self, pair: tuple[Any, Any], order: Sequence[int]) -> Any:
        mask = ir.Constant(ir.VectorType(I32, self.w.lanes), [*order])
        return self.w.b.shuffle_vector(*pair, mask)
