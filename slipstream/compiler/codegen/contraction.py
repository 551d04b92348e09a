"""Code for contractions: matrix products and convolutions as outer products held in registers.

A tile of `rows` scalars of one operand times `vectors` vectors of the other is accumulated over
the inner loops without touching memory (Goto and van de Geijn 2008). Edges are masked.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from llvmlite import ir

from slipstream.compiler.codegen.finish import Finish
from slipstream.compiler.codegen.tile_shape import (
    AT_ONCE,
    SHORT,
    Tile,
    is_by_rows,
    lanes,
    steps,
    tile_shape,
)
from slipstream.compiler.codegen.vector import I8, I64, LINE, Writer
from slipstream.compiler.kernels import Contraction, Loop
from slipstream.compiler.target import Target

LONG = {True: 32, False: 48}  # steps of the sum: enough for memory to come nearer meanwhile
# A tile of few registers takes fewer cycles to store, and as many lines.


class Places(NamedTuple):
    """Offsets into the operands, and the counters of the loops of the result."""

    left: Any
    right: Any
    counters: tuple[Any, ...]


def write_contraction(module: ir.Module, name: str, kernel: Contraction, target: Target) -> Any:
    """The function of a contraction that is not cut into blocks."""
    writer = Writer(module, name, kernel.buffers, lanes(kernel, target))
    Tiles(writer, kernel, target, *tile_shape(kernel, target, writer.lanes)).write()
    writer.b.ret_void()
    return writer.function


class Tiles:
    """The tiles of a contraction under construction."""

    def __init__(
        self, writer: Writer, kernel: Contraction, target: Target, rows: int, vectors: int
    ) -> None:
        self.w, self.kernel, self.target = writer, kernel, target
        self.rows, self.vectors = rows, vectors
        self.left, self.right, *_ = writer.buffers
        self.zero = writer.constant(kernel.dtype, 0)
        self.across = self.tiles(kernel.columns, self.width)

    def write(self) -> None:
        """Tiles are numbered, and divided among the threads.

        Columns are slowest, so that tiles share what they read of the right operand. Where all of
        that stays in the first level anyway, rows are: the left operand is read once, in order.
        """
        start, outer, rows = self.start(), self.kernel.outer, self.kernel.rows
        by_rows = is_by_rows(self.kernel, self.target)
        pair = [self.tiles(rows, self.rows), self.across]
        sizes = [*(loop.size for loop in outer), *(pair if by_rows else reversed(pair))]

        def once(number: Any) -> None:
            *counters, first, second = self.w.digits(number, sizes)
            row, column = (first, second) if by_rows else (second, first)
            places = start
            for position, counter in enumerate(counters):
                places = self.moved(places, position, counter)
            if by_rows:
                self._fetch_rows(places, column, row)
            self.columns(places, column, row)

        self.w.each_of_mine(math.prod(sizes), once)

    def _fetch_rows(self, places: Places, column: Any, row: Any) -> None:
        """Ask for the next tile's rows, each tile of columns for its share.

        The processor sees no order in rows that are soon over.
        """
        rows, inner = self.kernel.rows, self.kernel.inner
        line = LINE // self.kernel.dtype.size
        if rows.left == 1 or len(inner) > 1 or inner[0].left != 1:
            return
        share = -(-self.rows // self.across)
        places = self.moved(places, len(self.kernel.outer), self._times(row, self.rows))
        first = self.w.offset(places.left, column, share * rows.left)
        for ahead in range(self.rows, self.rows + share):
            for turn in range(0, inner[0].size, line):
                place = self.w.offset(first, I64(1), ahead * rows.left + turn)
                self.w.prefetch(self.left, place, self.kernel.dtype, is_written=False)

    def start(self) -> Places:
        """Where the operands begin."""
        left, right = self.kernel.offsets
        return Places(I64(left), I64(right), (I64(0),) * len(self.kernel.walked))

    @property
    def width(self) -> int:
        """Columns of a tile."""
        return self.w.lanes * self.vectors

    def tiles(self, loop: Loop, step: int) -> int:
        """How many parts of so many turns a loop has."""
        return -(-loop.size // step)

    def moved(self, places: Places, position: int, counter: Any) -> Places:
        """The places at a counter of a loop of the result."""
        loop = self.kernel.walked[position]
        before, after = places.counters[:position], places.counters[position + 1 :]
        return self.summed(places, loop, counter)._replace(counters=(*before, counter, *after))

    def summed(self, places: Places, loop: Loop, counter: Any) -> Places:
        """The places at a counter of any loop, as far as the operands go."""
        left = self.w.offset(places.left, counter, loop.left)
        right = self.w.offset(places.right, counter, loop.right)
        return places._replace(left=left, right=right)

    def columns(self, places: Places, column: Any, row: Any) -> None:
        """The tile's columns, of which the last tile has fewer."""
        rest = self.kernel.columns.size % self.width
        full = Tile(self.rows, self.vectors, None)
        places = self.at_columns(places, column)
        vectors = -(-rest // self.w.lanes)
        edge = Tile(self.rows, vectors, rest % self.w.lanes or None)
        self._cases(
            column, self.across, int(bool(rest)),
            lambda: self._rows(full, places, row), lambda: self._rows(edge, places, row),
        )  # fmt: skip

    def _rows(self, tile: Tile, places: Places, row: Any) -> None:
        """The tile's rows: the last tiles have one fewer, so that none has but a few."""
        size, most = self.kernel.rows.size, tile.rows
        count = self.tiles(self.kernel.rows, most)
        fewer = count * most - size
        position, full = len(self.kernel.outer), count - fewer

        def whole() -> None:
            self.tile(tile, self.moved(places, position, self._times(row, most)))

        def edge() -> None:
            first = self.w.offset(self._times(row, most - 1), I64(1), full)
            self.tile(tile._replace(rows=most - 1), self.moved(places, position, first))

        self._cases(row, count, fewer, whole, edge)

    def at_columns(self, places: Places, number: Any) -> Places:
        """Where a tile of columns begins."""
        return self.moved(places, len(self.kernel.outer) + 1, self._times(number, self.width))

    def _times(self, counter: Any, step: int) -> Any:
        return self.w.offset(I64(0), counter, step)

    def _cases(
        self, counter: Any, count: int, edges: int, whole: Callable[[], None],
        edge: Callable[[], None],
    ) -> None:  # fmt: skip
        """The code of a whole tile, or of the last ones, which are not whole."""
        if not edges:
            return whole()
        if count == edges:
            return edge()
        is_last = self.w.b.icmp_unsigned(">=", counter, I64(count - edges))
        with self.w.b.if_else(is_last) as (last, others):
            with last:
                edge()
            with others:
                whole()
        return None

    def tile(self, tile: Tile, places: Places) -> None:
        """The totals of a tile, and what follows them."""
        zeros = [self.zero] * (tile.rows * tile.vectors)
        finish = Finish(self.w, self.kernel, places.counters)
        if steps(self.kernel) >= LONG[self.target.has_few_registers]:
            finish.prefetch(tile)
        self.finished(finish, tile, self.inner(self.kernel.inner, places, tile, zeros))

    def finished(self, finish: Finish, tile: Tile, sums: Sequence[Any]) -> None:
        """What follows the totals."""
        for index, total in enumerate(sums):
            row, vector = divmod(index, tile.vectors)
            finish.write(row, vector, total, self._mask(tile, vector))

    def inner(
        self, loops: Sequence[Loop], places: Places, tile: Tile, sums: Sequence[Any]
    ) -> Sequence[Any]:
        """The sums with all turns of these loops added."""
        if not loops:
            return self.step(places, tile, sums)

        def once(counter: Any, carried: Sequence[Any]) -> Sequence[Any]:
            return self.inner(loops[1:], self.summed(places, loops[0], counter), tile, carried)

        return self.turned(loops[0].size, once, sums, self._at_once(loops, tile))

    def _at_once(self, loops: Sequence[Loop], tile: Tile) -> int:
        """How many turns of the first of these loops are written out."""
        if not self.target.has_few_registers:
            return 1
        held = tile.rows * tile.vectors + tile.rows + tile.vectors
        is_short = math.prod(loop.size for loop in loops) <= SHORT
        if is_short and held <= self.target.registers:  # else what steps share would be spilled
            return loops[0].size
        return AT_ONCE if len(loops) == 1 else 1

    def turned(
        self, count: Any, once: Callable[[Any, Sequence[Any]], Sequence[Any]],
        sums: Sequence[Any], at_once: int,
    ) -> Sequence[Any]:  # fmt: skip
        """The sums after so many turns, some of them written out one after the other.

        A count that is not known now is a multiple of `at_once`.
        """
        rest = count % at_once if isinstance(count, int) else 0

        def several(counter: Any, carried: Sequence[Any], turns: int = at_once) -> Sequence[Any]:
            for turn in range(turns):
                carried = once(self.w.offset(counter, I64(1), turn), carried)
            return carried

        if not isinstance(count, int) or count > rest:
            whole = count - rest if rest else count
            sums = self.w.loop(whole, several, sums, at_once)
        return several(I64(count - rest), sums, rest) if rest else sums

    def step(self, places: Places, tile: Tile, sums: Sequence[Any]) -> list[Any]:
        """One outer product, added to the sums; what is fewer is held, the other comes in turn."""
        w, dtype = self.w, self.kernel.dtype
        left = w.address(self.left, places.left, I8, dtype.size)
        right = w.address(self.right, places.right, I8, dtype.size)

        def scalar(row: int) -> Any:
            return w.splat(w.load(left, I64(row * self.kernel.rows.left), dtype))

        def vector(number: int) -> Any:
            return w.load_vector(right, I64(number * w.lanes), dtype, self._mask(tile, number))

        results = [*sums]

        def add(row: int, column: int, scalar: Any, vector: Any) -> None:
            at = row * tile.vectors + column
            results[at] = w.fma(scalar, vector, sums[at])

        if tile.rows < tile.vectors:
            down = [scalar(row) for row in range(tile.rows)]
            for column in range(tile.vectors):
                loaded = vector(column)
                for row, held in enumerate(down):
                    add(row, column, held, loaded)
            return results
        across = [vector(column) for column in range(tile.vectors)]
        for row in range(tile.rows):
            loaded = scalar(row)
            for column, held in enumerate(across):
                add(row, column, loaded, held)
        return results

    def _mask(self, tile: Tile, vector: int) -> Any:
        is_last = vector == tile.vectors - 1
        return self.w.mask(tile.last) if is_last and tile.last is not None else None
