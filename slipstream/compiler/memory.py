"""Memory in which mistakes show: a guard zone around every array, and a pattern that nobody writes.

The pattern is a quiet NaN of its own for floats, so what is computed from it holds it, too; bytes
of 0xCB for integers and truths.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from slipstream.ir.dtypes import DType
from slipstream.ir.graph import Array
from slipstream.ir.memory import LINE, aligned
from slipstream.ir.types import TensorType

GUARD = 128  # bytes before an array, and after it: two of the widest vectors
WORD = 8
FLOATS = {32: 0x7FCBCBCB_7FCBCBCB, 64: 0x7FFBCBCB_CBCBCBCB}
OTHERS = 0xCBCBCBCB_CBCBCBCB
FEW = 8  # elements of which all hold the pattern are none that chance has made


class Trespass(NamedTuple):
    """The first byte of a guard zone that was written: beside which array, and how far from it."""

    slot: int
    distance: int  # 1 is the byte after its last one, -1 that before its first one


class Memory:
    """Arrays by number, all in one block; all hold the pattern at first."""

    def __init__(self, types: Mapping[int, TensorType]) -> None:
        self.types, end = dict(types), 0
        self.places: dict[int, tuple[int, int]] = {}  # of each array its bytes from and to
        for slot, type in self.types.items():
            begin = _up(end + GUARD, LINE)
            self.places[slot] = begin, begin + type.bytes
            end = _up(begin + type.bytes, WORD) + GUARD
        self.bytes = aligned(end)
        self.bytes[:] = OTHERS & 0xFF
        self.arrays = {slot: self._array(slot) for slot in self.types}
        for slot in self.types:
            self.poison(slot)
        self.zones = self._zones()
        self.expected = self.bytes[self.zones]

    def _array(self, slot: int) -> Array:
        begin, end = self.places[slot]
        type = self.types[slot]
        return self.bytes[begin:end].view(type.dtype.numpy).reshape(type.shape)

    def poison(self, slot: int) -> None:
        """The pattern in an array and its guard zones: nothing there is known."""
        begin, end = self.places[slot]
        zone = self.bytes[begin - GUARD : _up(end, WORD) + GUARD]
        zone.view(np.uint64)[:] = pattern(self.types[slot].dtype)

    def _zones(self) -> Array:
        """The numbers of all bytes that are of no array."""
        ends = [0, *(end for _, end in self.places.values())]
        begins = [*(begin for begin, _ in self.places.values()), len(self.bytes)]
        parts = [np.arange(a, b) for a, b in zip(ends, begins, strict=True)]
        return np.concatenate(parts)

    def trespass(self) -> Trespass | None:
        """The first byte of a guard zone that is not as it was."""
        found = self.bytes[self.zones] != self.expected
        if not found.any():
            return None
        return self._beside(int(self.zones[np.argmax(found)]))

    def _beside(self, place: int) -> Trespass:
        """The array that a byte of a guard zone is nearest to."""
        near = [
            Trespass(slot, distance)
            for slot, (begin, end) in self.places.items()
            for distance in ([place - begin] if place < begin else [place - end + 1])
        ]
        return min(near, key=lambda trespass: abs(trespass.distance))

    def changed(self, before: Array, allowed: set[int]) -> int | None:
        """An array that is not what it was, but for those allowed; `before` is a copy of all."""
        different = self.bytes != before
        for slot in allowed & self.places.keys():
            begin, end = self.places[slot]
            different[begin:end] = False
        if not different.any():
            return None
        place = int(np.argmax(different))
        inside = [slot for slot, (begin, end) in self.places.items() if begin <= place < end]
        return inside[0] if inside else None


def pattern(dtype: DType) -> int:
    """The eight bytes that arrays of a dtype are filled with."""
    return FLOATS.get(dtype.bits, OTHERS) if dtype.is_floating else OTHERS


def unwritten(array: Array, dtype: DType) -> int | None:
    """The number of an element that holds the pattern, if no chance explains it.

    Random integers of 32 bits may hold it once, smaller ones often: of these all elements must.
    """
    bits = array.reshape(-1).view(f"u{dtype.size}")
    found = np.flatnonzero(bits == pattern(dtype) & ((1 << 8 * dtype.size) - 1))
    if dtype.is_integer and dtype.size < 4:
        enough = max(FEW, bits.size)
    else:
        enough = min(2, bits.size) if dtype.is_integer and dtype.size == 4 else 1
    return int(found[0]) if bits.size and len(found) >= enough else None


def _up(size: int, multiple: int) -> int:
    return -(-size // multiple) * multiple
