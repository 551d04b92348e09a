"""Code for contractions: matrix products and convolutions as outer products held in registers.

A tile of `rows` scalars of one operand times `vectors` vectors of the other is accumulated over
the inner loops without touching memory (Goto and van de Geijn 2008). Edges are masked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

from llvmlite import ir

from slipstream.compiler.codegen.vector import I8, I64, Writer
from slipstream.compiler.kernels import Contraction, Loop
from slipstream.compiler.target import Target


class Places(NamedTuple):
    """Offsets into the operands and the result."""

    left: Any
    right: Any
    out: Any


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
    """The function of a contraction."""
    writer = Writer(module, name, kernel.buffers, lanes(kernel, target))
    _Tiles(writer, kernel, *tile_shape(kernel, target, writer.lanes)).write()
    writer.b.ret_void()
    return writer.function


class _Tiles:
    def __init__(self, writer: Writer, kernel: Contraction, rows: int, vectors: int) -> None:
        self.w, self.kernel, self.rows, self.vectors = writer, kernel, rows, vectors
        self.left, self.right, self.out = writer.function.args
        self.zero = writer.constant(kernel.dtype, 0)

    def write(self) -> None:
        left, right, out = self.kernel.offsets
        self._around(self.kernel.outer, Places(I64(left), I64(right), I64(out)), self._columns)

    def _moved(self, places: Places, loop: Loop, counter: Any) -> Places:
        strides = (loop.left, loop.right, loop.out)
        return Places(*(map(self.w.offset, places, (counter,) * 3, strides)))

    def _around(
        self, loops: Sequence[Loop], places: Places, body: Callable[[Places], None]
    ) -> None:
        if not loops:
            return body(places)

        def once(counter: Any, _: Any) -> None:
            self._around(loops[1:], self._moved(places, loops[0], counter), body)

        self.w.loop(loops[0].size, once)
        return None

    def _columns(self, places: Places) -> None:
        """Tiles of columns, the last of them narrower."""
        width = self.w.lanes * self.vectors
        whole = self.kernel.columns.size // width * width
        full = Tile(self.rows, self.vectors, None)
        self._split(whole, width, self.kernel.columns, places, partial(self._rows, full))
        rest = self.kernel.columns.size - whole
        if rest:
            vectors = -(-rest // self.w.lanes)
            tile = Tile(self.rows, vectors, rest % self.w.lanes or None)
            self._rows(tile, self._moved(places, self.kernel.columns, I64(whole)))

    def _rows(self, tile: Tile, places: Places) -> None:
        """Tiles of rows, the last of them lower."""
        rows = self.kernel.rows
        whole = rows.size // tile.rows * tile.rows
        self._split(whole, tile.rows, rows, places, partial(self._tile, tile))
        if rows.size > whole:
            last = tile._replace(rows=rows.size - whole)
            self._tile(last, self._moved(places, rows, I64(whole)))

    def _split(
        self, whole: int, step: int, loop: Loop, places: Places, body: Callable[[Places], None]
    ) -> None:
        if not whole:
            return

        def once(counter: Any, _: Any) -> None:
            body(self._moved(places, loop, counter))

        self.w.loop(whole, once, (), step)

    def _tile(self, tile: Tile, places: Places) -> None:
        zeros = [self.zero] * (tile.rows * tile.vectors)
        sums = self._inner(self.kernel.inner, places, tile, zeros)
        out = self.w.address(self.out, places.out, I8, self.kernel.dtype.size)
        for index, total in enumerate(sums):
            row, vector = divmod(index, tile.vectors)
            shift = row * self.kernel.rows.out + vector * self.w.lanes
            mask = self._mask(tile, vector)
            self.w.store_vector(total, out, I64(shift), self.kernel.dtype, mask)

    def _inner(
        self, loops: Sequence[Loop], places: Places, tile: Tile, sums: Sequence[Any]
    ) -> Sequence[Any]:
        if not loops:
            return self._step(places, tile, sums)

        def once(counter: Any, carried: list[Any]) -> Sequence[Any]:
            return self._inner(loops[1:], self._moved(places, loops[0], counter), tile, carried)

        return self.w.loop(loops[0].size, once, sums)

    def _step(self, places: Places, tile: Tile, sums: Sequence[Any]) -> list[Any]:
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
