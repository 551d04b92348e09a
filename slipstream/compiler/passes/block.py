"""Contractions whose operands leave the cache: cut into blocks, with operands laid out in panels.

A panel is what a tile reads of one operand, in the order it is read. Laid out so, it needs one
address translation a page instead of one a row, and does not crowd a few sets of the cache where
rows lie a power of two apart.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from slipstream.compiler.codegen.tile_shape import (
    AT_ONCE,
    even_share,
    is_right_near,
    lanes,
    steps,
    tile_shape,
)
from slipstream.compiler.codegen.vector import LINE
from slipstream.compiler.collapse import collapsed
from slipstream.compiler.kernels import Access, Blocks, Contraction, Load, Loop, LoopNest, Store
from slipstream.compiler.passes.contract import fewest
from slipstream.compiler.passes.lay import Call
from slipstream.compiler.target import Target
from slipstream.compiler.views import row_major
from slipstream.ir.graph import Value
from slipstream.ir.types import TensorType

WAYS = 8  # lines that a set of the first level holds
FAR = 1024  # bytes from one turn to the next: hardly a page is read twice before it is forgotten
FEWEST_ROWS, FEWEST_COLUMNS = 64, 16  # that use what is read of the other operand
FEWEST_USES = {"left": 384, "right": 128}  # of a number, for which it is worth laying out
MOST_USES = 128  # of a number that passes by: more take longer than its way from memory
FEW_ROWS = 24  # are enough for blocks of a long sum, where registers are few


class Blocked(NamedTuple):
    """A contraction in blocks after the kernels that lay out its operands; memory for them."""

    calls: tuple[Call, ...]
    scratch: tuple[Value, ...]


def in_blocks(record: Contraction, values: tuple[Value, ...], target: Target) -> Blocked | None:
    """The kernels of a contraction, called with `values`, that is worth cutting; None if not."""
    if not is_large(record, target):
        return None
    return _Blocking(record, values, target).run()


def is_large(record: Contraction, target: Target) -> bool:
    """Whether the tiles read more than stays in the second level, and read it many times.

    Where registers are few, that is half of it, and a long sum is reason enough: a tile has but
    six cycles for the lines of a step, so they must be near.
    """
    if _is_passing(record, target):
        return True
    rows, few = _height(record), target.has_few_registers
    if record.columns.size < FEWEST_COLUMNS or (few and is_right_near(record, target)):
        return False
    if few and rows >= FEW_ROWS and steps(record) >= 2 * _near(record, target):
        return True
    loops = [*record.inner, record.rows, record.columns]
    loops += [n for n in record.outer if not n.right]
    numbers = sum(
        math.prod(n.size for n in loops if getattr(n, name)) for name in ("left", "right")
    )
    cache = target.second_cache // 2 if few else target.second_cache
    return rows >= FEWEST_ROWS and numbers * record.dtype.size > cache


def _is_passing(record: Contraction, target: Target) -> bool:
    """Whether many operands pass by, too many for the second level, each used a little.

    A turn of the sum reads a row of either. The tiles of one operand ask for the next one's rows
    meanwhile, for which they must have a step of few cycles to spare: there are registers enough.
    """
    rows, columns = record.rows, record.columns
    beside = [n for n in record.outer if n.left and n.right]
    if target.has_few_registers or not beside or len(beside) < len(record.outer):
        return False
    size = math.prod(n.size for n in (*beside, *record.inner)) * (rows.size + columns.size)
    in_rows = rows.left == 1 and columns.right == 1 and columns.size >= FEWEST_COLUMNS
    is_used_little = max(rows.size, columns.size) <= MOST_USES
    return in_rows and is_used_little and size * record.dtype.size > target.second_cache


def _near(record: Contraction, target: Target) -> int:
    """How many steps of the sum find their lines near, where registers are few.

    A tile's strip of the right operand fills the first level; what left rows that lie together
    bring beside, most of which is other tiles', crowds some of its sets. Where totals that wait
    would leave the second level, a sum of twice the length is not worth cutting, one of four times
    the length with such rows.
    """
    lines = target.first_cache // LINE
    near, dear = (lines // WAYS, 4) if record.rows.left == 1 else (lines, 2)
    totals = _height(record) * record.columns.size * record.dtype.size
    is_dear = totals > target.second_cache and steps(record) <= dear * near
    return dear * near if is_dear else near


def _down(record: Contraction) -> int:
    """How many sets of rows use the same right operand."""
    return math.prod(n.size for n in record.outer if not n.right)


def _height(record: Contraction) -> int:
    """How many rows use the same right operand."""
    return _down(record) * record.rows.size


class _Axis(NamedTuple):
    """An axis of an operand that is laid out: its size, its strides there and here."""

    size: int
    old: int
    new: int


class _Blocking:
    """The record as it becomes, with its buffers."""

    def __init__(self, record: Contraction, values: Sequence[Value], target: Target) -> None:
        self.record, self.values, self.target = record, [*values], target
        width = lanes(record, target)
        self.rows, vectors = tile_shape(record, target, width)
        self.columns = vectors * width
        self.calls: list[Call] = []
        self.scratch: list[Value] = []

    def run(self) -> Blocked:
        self._left()
        self._cut(self._right())
        return Blocked((*self.calls, (self.record, tuple(self.values))), tuple(self.scratch))

    # operands

    def _left(self) -> None:
        """Lay the left operand out in rows if that is worth it."""
        rows, (*_, last) = self.record.rows, self.record.inner
        is_turned = rows.left == 1 and self._is_far(last.left)
        is_used = self.record.columns.size >= FEWEST_USES["left"]
        if (is_turned or self._crowds(rows.left)) and is_used and self._lies_once("left", rows):
            self._apart()

    def _right(self) -> int:
        """Lay the right operand out in panels if that is worth it; how far they lie apart."""
        columns, (*_, last) = self.record.columns, self.record.inner
        if self._pays(last.right) and self._lies_once("right", columns):
            return self._panels()
        return self.columns

    def _pays(self, stride: int) -> bool:
        """Whether the right operand's numbers are used often enough for panels.

        Where registers are few, the further apart its rows are the fewer uses are enough.
        """
        uses, apart = _height(self.record), abs(stride) * self.record.dtype.size
        if self.target.has_few_registers:
            return apart >= FAR // 2 and apart * uses >= FAR * FEWEST_ROWS
        return self._is_far(stride) and uses >= FEWEST_USES["right"]

    def _lies_once(self, name: str, along: Loop) -> bool:
        """Whether each number of an operand lies there once, as those of windows do not."""
        loops = [*self._own(name), along]
        whole: int = self.values[name == "right"].type.size
        return len({*loops}) == len(loops) and math.prod(n.size for n in loops) <= whole

    def _own(self, name: str) -> list[Loop]:
        """The outer and inner loops that move in an operand, in that order."""
        return [n for n in (*self.record.outer, *self.record.inner) if getattr(n, name)]

    def _is_far(self, stride: int) -> bool:
        return abs(stride) * self.record.dtype.size >= FAR

    def _crowds(self, stride: int) -> bool:
        """Whether rows so far apart leave the right operand hardly a line in some sets."""
        sets = self.target.first_cache // LINE // WAYS
        size = self.record.dtype.size
        lines = {row * stride * size // LINE for row in range(self.rows)}
        places = [line % sets for line in lines]
        return max(map(places.count, places)) > WAYS - 2

    def _panels(self) -> int:
        """Lay the right operand out by outer loops, panels, inner loops, and columns of a tile.

        From panel to panel are so many elements as returned. The last panel may end in nothing.
        """
        columns, width, own = self.record.columns, self.columns, self._own("right")
        outer = sum(n in self.record.outer for n in own)
        shape = [n.size for n in own]
        shape[outer:outer] = [-(-columns.size // width)]
        (*steps, _) = row_major((*shape, width))
        step = steps.pop(outer)
        value = self._memory(math.prod(shape) * width)
        axes = [_Axis(n.size, n.right, new) for n, new in zip(own, steps, strict=True)]
        whole, rest = divmod(columns.size, width)
        if whole:
            self._copy("right", value, [*axes, _Axis(whole, width, step), _Axis(width, 1, 1)])
        if rest:
            self._copy("right", value, [*axes, _Axis(rest, 1, 1)], (whole * width, whole * step))
        self._use("right", value, dict(zip((*own, columns), (*steps, 1), strict=True)))
        return step

    def _apart(self) -> None:
        """Lay the left operand out in rows of an odd number of lines."""
        inner = [n for n in self.record.inner if n.left]
        outer = [n for n in self.record.outer if n.left]
        line = LINE // self.record.dtype.size
        length = (-(-math.prod(n.size for n in inner) // line) | 1) * line
        rows = row_major((*(n.size for n in outer), self.record.rows.size))
        steps = [*(length * n for n in rows), *row_major(tuple(n.size for n in inner))]
        loops = [*outer, self.record.rows, *inner]
        axes = [_Axis(n.size, n.left, new) for n, new in zip(loops, steps, strict=True)]
        value = self._memory(axes[0].size * axes[0].new)
        self._copy("left", value, axes)
        self._use("left", value, dict(zip(loops, steps, strict=True)))

    def _memory(self, size: int) -> Value:
        self.scratch.append(Value(TensorType((size,), self.record.dtype)))
        return self.scratch[-1]

    def _copy(
        self, name: str, value: Value, axes: Sequence[_Axis], starts: tuple[int, int] = (0, 0)
    ) -> None:
        number, dtype = int(name == "right"), self.record.dtype
        shape, old, new = (tuple(found) for found in zip(*axes, strict=True))
        load = Load(Access(0, self.record.offsets[number] + starts[0], old), dtype)
        store = Store(Access(1, starts[1], new), 0, dtype)
        nest = LoopNest(shape, (False,) * len(shape), (load,), (store,))
        self.calls.append((collapsed(nest), (self.values[number], value)))

    def _use(self, name: str, value: Value, steps: dict[Loop, int]) -> None:
        """Let the contraction read an operand where it has been laid out."""

        def moved(loops: Sequence[Loop]) -> tuple[Loop, ...]:
            return tuple(replace(n, **{name: steps.get(n, 0)}) for n in loops)

        record, number = self.record, int(name == "right")
        offsets = [*record.offsets]
        offsets[number], self.values[number] = 0, value
        rows, columns = moved((record.rows, record.columns))
        self.record = replace(
            record, outer=moved(record.outer), rows=rows, columns=columns,
            inner=moved(record.inner), offsets=tuple(offsets),
        )  # fmt: skip

    # the sum

    def _walks_far(self) -> bool:
        """Whether what follows the sum goes through more memory than twice the second level.

        An optimizer's update does: it had better walk along rows, one row of tiles at a time.
        """
        record = self.record
        items = [i for i in (*record.body, *record.stores) if isinstance(i, Load | Store)]
        size = _height(record) * record.columns.size
        bytes_ = sum(i.dtype.size * size for i in items if i.access.strides[-1])
        return bytes_ > 2 * self.target.second_cache

    def _cut(self, panel: int) -> None:
        """A panel of one block takes a quarter of the second level, those of a group the rest.

        Rows that are read in place share lines with other tiles, so all of them must stay.
        """
        record, size, cache = self.record, self.record.dtype.size, self.target.second_cache
        inner = fewest(record.inner) or record.inner
        most = min(cache // 4 // self.columns, cache // 2 // max(1, abs(inner[-1].left))) // size
        unit, fetches = 1, _is_passing(record, self.target)
        if fetches:  # one block is used, the next one comes
            most = min(most, cache // 4 // size // (record.rows.size + record.columns.size))
        if self.target.has_few_registers:
            most, cache = min(most, _near(record, self.target)), cache * 3 // 4
            unit = AT_ONCE
        depth, step, places = _cut_sum(inner, most, unit)
        fitting = (cache - places * self.columns * size) // (places * self.rows * size)
        tiles = _down(record) * -(-record.rows.size // self.rows)
        is_single = self.target.has_few_registers and self._walks_far()
        group = 1 if is_single else even_share(tiles, max(1, fitting))
        sums = len(self.values) if depth or step < inner[0].size else None
        blocks = Blocks(self.rows, self.columns, panel, group, depth, step, sums, fetches)
        self.record = replace(record, inner=inner, blocks=blocks)
        if sums is not None:
            self.values.append(self._memory(self.record.waiting))


def _cut_sum(inner: Sequence[Loop], most: int, unit: int) -> tuple[int, int, int]:
    """(loop to cut, turns of it in a block, places in a block) for blocks of `most` places.

    Turns of the innermost loop are a multiple of `unit`.
    """
    depth, places = len(inner) - 1, 1
    while depth and places * inner[depth].size <= most:
        places *= inner[depth].size
        depth -= 1
    step = even_share(inner[depth].size, max(1, most // places))
    if places == 1:
        step = min(inner[depth].size, -(-step // unit) * unit)
    return depth, step, places * step
