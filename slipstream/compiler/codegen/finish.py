"""What follows the totals of a tile of a contraction, and the memory it touches."""

from __future__ import annotations

from typing import Any

from slipstream.compiler.codegen.scalars import emit
from slipstream.compiler.codegen.tile_shape import Tile
from slipstream.compiler.codegen.vector import I64, LINE, Writer
from slipstream.compiler.kernels import Access, Apply, Contraction, Load, Number, Store, Total

Counters = tuple[Any, ...]  # of the loops of the result, where the tile begins


class Finish:
    """What happens to the totals of a tile: the body of the kernel, then its stores."""

    def __init__(self, writer: Writer, kernel: Contraction, counters: Counters) -> None:
        self.w, self.kernel, self.counters = writer, kernel, counters
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
            for counter, stride in zip(self.counters, access.strides, strict=True):
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
