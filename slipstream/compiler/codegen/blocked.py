"""Code for contractions whose operands leave a level of the cache: the sum cut into blocks.

What the tiles of a group read of one block stays in the second level while they are computed;
the totals wait in memory for the next block (Goto and van de Geijn 2008; Van Zee and van de Geijn
2015). A tile is always the same thread's, and its blocks are added in order, so the result does
not depend on the number of threads.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from llvmlite import ir

from slipstream.compiler.codegen.contraction import Places, Tiles
from slipstream.compiler.codegen.finish import Finish
from slipstream.compiler.codegen.tile_shape import AT_ONCE, Tile, lanes
from slipstream.compiler.codegen.vector import I64, LINE, Writer
from slipstream.compiler.kernels import Blocks, Contraction
from slipstream.compiler.target import Target

MOST_AT_ONCE = 16  # lines that a tile asks for: so many may be under way


def write_blocked(module: ir.Module, name: str, kernel: Contraction, target: Target) -> Any:
    """The function of a contraction in blocks."""
    assert kernel.blocks is not None
    writer = Writer(module, name, kernel.buffers, lanes(kernel, target))
    _Blocked(writer, kernel, target, kernel.blocks).write()
    writer.b.ret_void()
    return writer.function


class _Passing(NamedTuple):
    """Lines of an operand that a tile asks for: where its share of the block's first turn is."""

    side: str
    place: Any
    lines: int


class _Blocked(Tiles):
    """The tiles of one block after the other. `turns` of the cut loop are in this block."""

    number: Any  # of the tile, among all
    block: Any
    turns: Any
    passing: tuple[_Passing, ...] = ()
    fetched: Sequence[_Passing] = ()  # the same, with the way there from the tile's own place

    def __init__(self, writer: Writer, kernel: Contraction, target: Target, blocks: Blocks) -> None:
        super().__init__(writer, kernel, target, blocks.rows, blocks.columns // writer.lanes)
        self.blocks = blocks
        loops = [*enumerate(kernel.outer)]
        self.beside = {i: n.size for i, n in loops if n.right}  # have a right operand of their own
        self.down = {i: n.size for i, n in loops if not n.right}  # more rows, as it were
        self.heights = [*self.down.values(), self.tiles(kernel.rows, self.rows)]
        self.each = math.prod(self.heights) * self.across  # tiles of one right operand
        *before, self.cut = kernel.inner[: blocks.depth + 1]
        self.before = before
        self.counts = [*(n.size for n in before), self.tiles(self.cut, blocks.step)]
        self.last = math.prod(self.counts) - 1
        self.ahead = self._ahead()

    # the order

    def write(self) -> None:
        """This thread's tiles: one right operand after the other, and of each block by block."""
        b, each = self.w.b, I64(self.each)
        rights = math.prod(self.beside.values())
        first, end = self.w.share(rights * self.each)
        with b.if_then(b.icmp_unsigned("<", first, end)):
            if rights == 1:
                return self._blocks(first, end)
            low = b.udiv(first, each)
            high = b.udiv(b.sub(end, I64(1)), each)

            def one(number: Any, _: Sequence[Any]) -> None:
                begin = b.mul(b.add(low, number), each)
                stop = b.add(begin, each)
                begin = b.select(b.icmp_unsigned(">", begin, first), begin, first)
                self._blocks(begin, b.select(b.icmp_unsigned("<", stop, end), stop, end))

            self.w.loop(b.add(b.sub(high, low), I64(1)), one)
        return None

    def _blocks(self, first: Any, end: Any) -> None:
        """The tiles from one number to another, block by block."""
        self.w.loop(self.last + 1, lambda block, _: self._block(block, first, end))

    def _block(self, block: Any, first: Any, end: Any) -> None:
        places = self.start()
        *counters, part = self.w.digits(block, self.counts)
        for loop, counter in zip(self.before, counters, strict=True):
            places = self.summed(places, loop, counter)
        step = self.blocks.step
        places = self.summed(places, self.cut, self.w.offset(I64(0), part, step))
        self.block = block
        self.turns = self._size(part, self.cut.size, step)

        def once(number: Any, _: Sequence[Any]) -> None:
            self._numbered(places, self.w.b.add(first, number))

        self.w.loop(self.w.b.sub(end, first), once)

    def _size(self, part: Any, whole: int, step: int) -> Any:
        """How much of `whole` is in a part of it: `step`, or less in the last one."""
        rest = whole % step
        if not rest:
            return step
        is_last = self.w.b.icmp_unsigned("==", part, I64(whole // step))
        return self.w.b.select(is_last, I64(rest), I64(step))

    def _numbered(self, places: Places, number: Any) -> None:
        """One tile: a group of rows is slowest, then columns, then the rows of the group."""
        b, rows, self.number = self.w.b, math.prod(self.heights), number
        sizes = [*self.beside.values(), self.each]
        *counters, number = self.w.digits(number, sizes)
        for position, counter in zip(self.beside, counters, strict=True):
            places = self.moved(places, position, counter)
        self._fetch_block(places, number)
        self.passing = self._passing(places, number)
        group, number = self._divided(number, self.blocks.group * self.across)
        column, row = self._divided(number, self._size(group, rows, self.blocks.group))
        row = b.add(b.mul(group, I64(self.blocks.group)), row)
        *counters, row = self.w.digits(row, self.heights)
        for position, counter in zip(self.down, counters, strict=True):
            places = self.moved(places, position, counter)
        self.columns(places, column, row)

    def _divided(self, number: Any, by: Any) -> tuple[Any, Any]:
        by = I64(by) if isinstance(by, int) else by
        return self.w.b.udiv(number, by), self.w.b.urem(number, by)

    # a tile

    def _fetch_block(self, places: Places, number: Any) -> None:
        """Ask for the next block, each tile for its share, as its first tiles would wait for it.

        Behind an operand's last block lies the first one of the next of many operands.
        """
        if not self.target.has_few_registers or not self.beside or self.before:
            return
        dtype = self.kernel.dtype
        line = LINE // dtype.size
        for buffer, place, stride in (
            (self.left, places.left, self.cut.left), (self.right, places.right, self.cut.right),
        ):  # fmt: skip
            size = self.blocks.step * stride
            share = -(-abs(size) // line // self.each)
            if share > MOST_AT_ONCE:
                continue
            place = self.w.offset(self.w.offset(place, I64(1), size), number, share * line)
            for turn in range(share):
                self.w.prefetch(buffer, self.w.offset(place, I64(1), turn * line), dtype, False)

    def _passing(self, places: Places, number: Any) -> tuple[_Passing, ...]:
        """What a tile asks for in each turn: its share of the next block's lines of that turn.

        Behind the last block lies the first one of the next of many operands.
        """
        if not self.blocks.fetches or self.before:
            return ()
        *_, beside = (self.kernel.outer[i] for i in self.beside)
        is_last = self.w.b.icmp_unsigned("==", self.block, I64(self.last))
        line = LINE // self.kernel.dtype.size
        found = []
        for side, size in (("left", self.kernel.rows.size), ("right", self.kernel.columns.size)):
            step, lines = self.blocks.step * getattr(self.cut, side), -(-size // line)
            share = -(-lines // self.each)
            first = self.w.b.mul(number, I64(share))
            first = self.w.b.select(
                self.w.b.icmp_unsigned("<", first, I64(lines - share)), first, I64(lines - share)
            )
            on = self.w.b.select(is_last, I64(getattr(beside, side) - self.last * step), I64(step))
            place = self.w.offset(self.w.b.add(getattr(places, side), on), first, line)
            found.append(_Passing(side, place, share))
        return tuple(found)

    def _ahead(self) -> int:
        """How far beside a row the next tiles' numbers are fetched meanwhile; 0: not at all.

        Where rows lie together, and turns of the sum apart, the processor sees no order in that.
        """
        line = LINE // self.kernel.dtype.size
        is_strided = self.kernel.rows.left == 1 and abs(self.kernel.inner[-1].left) > line
        return line if is_strided and not self.target.has_few_registers else 0

    def at_columns(self, places: Places, number: Any) -> Places:
        """Where a tile of columns begins, and its panel."""
        moved = super().at_columns(places, number)
        return moved._replace(right=self.w.offset(places.right, number, self.blocks.panel))

    def tile(self, tile: Tile, places: Places) -> None:
        """This block's part of the totals of a tile; after the last block, what follows them."""
        rest = self.kernel.inner[self.blocks.depth + 1 :]
        self.fetched = [
            one._replace(place=self.w.b.sub(one.place, getattr(places, one.side)))
            for one in self.passing
        ]
        finish = Finish(self.w, self.kernel, places.counters)
        if not self.last:
            finish.prefetch(tile)

        def once(counter: Any, carried: Sequence[Any]) -> Sequence[Any]:
            return self.inner(rest, self.summed(places, self.cut, counter), tile, carried)

        sums = self.turned(self.turns, once, self._begun(tile), self._turns_at_once(tile))
        if not self.last:
            return self.finished(finish, tile, sums)
        is_last = self.w.b.icmp_unsigned("==", self.block, I64(self.last))
        with self.w.b.if_else(is_last) as (last, others):
            with last:
                self.finished(finish, tile, sums)
            with others:
                self._waiting(tile, lambda index, at: self._put(sums[index], at))
        return None

    def _turns_at_once(self, tile: Tile) -> int:
        """How many turns of the cut loop are written out: a divisor of their number in a block."""
        at_once = self._at_once(self.kernel.inner[self.blocks.depth :], tile)
        if isinstance(self.turns, int):
            return at_once
        is_even = at_once == AT_ONCE and not (self.cut.size % at_once or self.blocks.step % at_once)
        return at_once if is_even else 1

    def step(self, places: Places, tile: Tile, sums: Sequence[Any]) -> list[Any]:
        """One outer product, and a look ahead."""
        if self.ahead:
            place = self.w.offset(places.left, I64(1), self.ahead)
            self.w.prefetch(self.left, place, self.kernel.dtype, is_written=False)
        line = LINE // self.kernel.dtype.size
        for side, apart, lines in self.fetched:
            place = self.w.b.add(getattr(places, side), apart)
            for turn in range(lines):
                at = self.w.offset(place, I64(1), turn * line)
                self.w.prefetch(getattr(self, side), at, self.kernel.dtype, is_written=False)
        return super().step(places, tile, sums)

    def _begun(self, tile: Tile) -> list[Any]:
        """What the blocks before have summed up."""
        zeros = [self.zero] * (tile.rows * tile.vectors)
        if not self.last:
            return zeros
        b, dtype = self.w.b, self.kernel.dtype
        before, more, after = b.block, b.append_basic_block(), b.append_basic_block()
        b.cbranch(b.icmp_unsigned("==", self.block, I64(0)), after, more)
        b.position_at_end(more)
        known = self._waiting(tile, lambda _, at: self.w.load_vector(self._sums, at, dtype))
        b.branch(after)
        b.position_at_end(after)
        phis = [b.phi(zero.type) for zero in zeros]
        for phi, zero, value in zip(phis, zeros, known, strict=True):
            phi.add_incoming(zero, before)
            phi.add_incoming(value, more)
        return phis

    @property
    def _sums(self) -> Any:
        assert self.blocks.sums is not None
        return self.w.buffers[self.blocks.sums]

    def _put(self, value: Any, at: Any) -> None:
        self.w.store_vector(value, self._sums, at, self.kernel.dtype)

    def _waiting(self, tile: Tile, act: Callable[[int, Any], Any]) -> list[Any]:
        """Act on each vector of totals, and where it waits: tiles lie as they are numbered."""
        base = self.w.offset(I64(0), self.number, self.rows * self.width)
        done = []
        for index in range(tile.rows * tile.vectors):
            row, vector = divmod(index, tile.vectors)
            place = row * self.width + vector * self.w.lanes
            done.append(act(index, self.w.offset(base, I64(1), place)))
        return done
