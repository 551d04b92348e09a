"""Code for contractions: matrix products and convolutions as outer products held in registers.

A tile of `rows` scalars of one operand times `vectors` vectors of the other is accumulated over
the inner loops without touching memory (Goto and van de Geijn 2008). Edges are masked.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from llvmlite import ir

from slipstream.compiler.codegen.scalars import emit
from slipstream.compiler.codegen.vector import I8, I64, LINE, Writer
from slipstream.compiler.kernels import (
    Access,
    Apply,
    Contraction,
    Load,
    Loop,
    Number,
    Store,
    Total,
)
from slipstream.compiler.target import Target

LONG = 128  # steps of the sum: enough for memory to come nearer meanwhile


class Places(NamedTuple):
    """Offsets into the operands, and the counters of the loops of the result."""

    left: Any
    right: Any
    counters: tuple[Any, ...]


class Tile(NamedTuple):
    """How many rows and vectors are held; `last` lanes of the last vector count, all if None."""

    rows: int
    vectors: int
    last: int | None


def lanes(kernel: Contraction, target: Target) -> int:
    """Elements in a vector: no more than the columns need."""
    return min(target.lanes(kernel.dtype.bits), 1 << (kernel.columns.size - 1).bit_length())


def even_share(size: int, most: int) -> int:
    """The part size of the fewest parts of at most `most`, as even as they go."""
    parts = -(-size // most)
    return -(-size // parts)


def tile_shape(kernel: Contraction, target: Target, width: int) -> tuple[int, int]:
    """(rows, vectors) that fit the registers, beside the vectors and a scalar being multiplied."""
    needed = -(-kernel.columns.size // width)
    best, most = (1, 1), 0.0
    for vectors in range(1, min(4, needed) + 1):
        rows = even_share(kernel.rows.size, (target.registers - vectors - 2) // vectors)
        busy = kernel.rows.size / (rows * -(-kernel.rows.size // rows))
        busy *= needed / (vectors * -(-needed // vectors))
        value = busy * rows * vectors / (rows + vectors)  # products a load
        if value > most:
            best, most = (rows, vectors), value
    return best


def write_contraction(module: ir.Module, name: str, kernel: Contraction, target: Target) -> Any:
    """The function of a contraction that is not cut into blocks."""
    writer = Writer(module, name, kernel.buffers, lanes(kernel, target))
    Tiles(writer, kernel, *tile_shape(kernel, target, writer.lanes)).write()
    writer.b.ret_void()
    return writer.function


class Tiles:
    """The tiles of a contraction under construction."""

    def __init__(self, writer: Writer, kernel: Contraction, rows: int, vectors: int) -> None:
        self.w, self.kernel, self.rows, self.vectors = writer, kernel, rows, vectors
        self.left, self.right, *_ = writer.buffers
        self.zero = writer.constant(kernel.dtype, 0)

    def write(self) -> None:
        """Tiles are numbered, columns slowest, and divided among the threads."""
        start = self.start()
        columns, rows = (
            self.tiles(self.kernel.columns, self.width),
            self.tiles(self.kernel.rows, self.rows),
        )
        sizes = [*(loop.size for loop in self.kernel.outer), columns, rows]

        def once(number: Any) -> None:
            *counters, column, row = self.w.digits(number, sizes)
            places = start
            for position, counter in enumerate(counters):
                places = self.moved(places, position, counter)
            self.columns(places, column, row)

        self.w.each_of_mine(math.prod(sizes), once)

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
            column, self.tiles(self.kernel.columns, self.width), bool(rest),
            lambda: self._rows(full, places, row), lambda: self._rows(edge, places, row),
        )  # fmt: skip

    def _rows(self, tile: Tile, places: Places, row: Any) -> None:
        """The tile's rows, of which the last tile has fewer."""
        rows = self.kernel.rows
        rest = rows.size % tile.rows
        places = self.moved(places, len(self.kernel.outer), self._times(row, tile.rows))
        edge = tile._replace(rows=rest)
        self._cases(
            row, self.tiles(rows, tile.rows), bool(rest),
            lambda: self.tile(tile, places), lambda: self.tile(edge, places),
        )  # fmt: skip

    def at_columns(self, places: Places, number: Any) -> Places:
        """Where a tile of columns begins."""
        return self.moved(places, len(self.kernel.outer) + 1, self._times(number, self.width))

    def _times(self, counter: Any, step: int) -> Any:
        return self.w.offset(I64(0), counter, step)

    def _cases(
        self, counter: Any, count: int, has_edge: bool, whole: Callable[[], None],
        edge: Callable[[], None],
    ) -> None:  # fmt: skip
        """The code of a whole tile, or where the last one is not whole, that of the edge."""
        if not has_edge:
            return whole()
        if count == 1:
            return edge()
        is_last = self.w.b.icmp_unsigned("==", counter, I64(count - 1))
        with self.w.b.if_else(is_last) as (last, others):
            with last:
                edge()
            with others:
                whole()
        return None

    def tile(self, tile: Tile, places: Places) -> None:
        """The totals of a tile, and what follows them."""
        zeros = [self.zero] * (tile.rows * tile.vectors)
        finish = Finish(self.w, self.kernel, places)
        if math.prod(loop.size for loop in self.kernel.inner) >= LONG:
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

        def once(counter: Any, carried: list[Any]) -> Sequence[Any]:
            return self.inner(loops[1:], self.summed(places, loops[0], counter), tile, carried)

        return self.w.loop(loops[0].size, once, sums)

    def step(self, places: Places, tile: Tile, sums: Sequence[Any]) -> list[Any]:
        """One outer product, added to the sums."""
        w, dtype = self.w, self.kernel.dtype
        left = w.address(self.left, places.left, I8, dtype.size)
        right = w.address(self.right, places.right, I8, dtype.size)
        across = [
            w.load_vector(right, I64(vector * w.lanes), dtype, self._mask(tile, vector))
            for vector in range(tile.vectors)
        ]
        results = []
        for row in range(tile.rows):
            scalar = w.splat(w.load(left, I64(row * self.kernel.rows.left), dtype))
            for vector, columns in enumerate(across):
                results.append(w.fma(scalar, columns, sums[row * tile.vectors + vector]))
        return results

    def _mask(self, tile: Tile, vector: int) -> Any:
        is_last = vector == tile.vectors - 1
        return self.w.mask(tile.last) if is_last and tile.last is not None else None


class Finish:
    """What happens to the totals of a tile: the body of the kernel, then its stores."""

    def __init__(self, writer: Writer, kernel: Contraction, places: Places) -> None:
        self.w, self.kernel, self.places = writer, kernel, places
        self.known: dict[Any, Any] = {}  # loads that rows or vectors share
        self.begins: dict[Any, Any] = {}  # offsets where the tile begins, by offset and strides

    def write(self, row: int, vector: int, total: Any, mask: Any) -> None:
        values: list[Any] = []
        for instruction in self.kernel.body:
            if isinstance(instruction, Total):
                values.append(total)
            elif isinstance(instruction, Apply):
                arguments = [values[i] for i in instruction.arguments]
                values.append(emit(self.w, instruction, arguments))
            elif isinstance(instruction, Number):
                values.append(self.w.stored_number(instruction.bytes, instruction.dtype))
            else:
                values.append(self._loaded(instruction, row, vector, mask))
        for store in self.kernel.stores:
            buffer, place = self.w.buffers[store.access.buffer], self._at(store.access, row, vector)
            self.w.store_vector(values[store.value], buffer, place, store.dtype, mask)

    def prefetch(self, tile: Tile) -> None:
        """Ask for the memory that the tile is going to touch: stores wait in line for theirs."""
        touched = [i for i in self.kernel.body if isinstance(i, Load)]
        for item in (*touched, *self.kernel.stores):
            down, across = item.access.strides[-2:]
            per_line = max(1, LINE // (self.w.lanes * item.dtype.size))
            vectors = range(0, tile.vectors, per_line) if across else range(1)
            for row in range(tile.rows) if down else range(1):
                for vector in vectors:
                    place = self._at(item.access, row, vector)
                    is_written = isinstance(item, Store)
                    buffer = self.w.buffers[item.access.buffer]
                    self.w.prefetch(buffer, place, item.dtype, is_written)

    def _at(self, access: Access, row: int, vector: int) -> Any:
        """The offset of a row and vector of the tile."""
        key = access.offset, access.strides
        if key not in self.begins:
            place: Any = I64(access.offset)
            for counter, stride in zip(self.places.counters, access.strides, strict=True):
                place = self.w.offset(place, counter, stride)
            self.begins[key] = place
        down, across = access.strides[-2:]
        return self.w.offset(self.begins[key], I64(1), row * down + vector * self.w.lanes * across)

    def _loaded(self, load: Load, row: int, vector: int, mask: Any) -> Any:
        down, across = load.access.strides[-2:]
        key = load, down and row, across and vector
        if key not in self.known:
            buffer, place = self.w.buffers[load.access.buffer], self._at(load.access, row, vector)
            if across:
                self.known[key] = self.w.load_vector(buffer, place, load.dtype, mask)
            else:
                self.known[key] = self.w.splat(self.w.load(buffer, place, load.dtype))
        return self.known[key]
