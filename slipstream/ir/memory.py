"""Memory that begins at a cache line, and memory for results, used again.

Large arrays come from the system page by page, each set to zero when it is first written: of a
product of two matrices of 1024 x 1024, that is a quarter of the time. So some blocks that results
lie in are remembered, and used again once no array refers to them.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from functools import partial

import numpy as np

from slipstream.ir.graph import Array
from slipstream.ir.types import TensorType

LINE = 64  # bytes of a line of the cache; also of the largest vector
LARGE = 1 << 17  # bytes: smaller ones the C library keeps for itself
MOST = 1 << 26  # bytes that are remembered at most
UNUSED = 3  # references to a block that only the list has: by it, the loop, and the count

_lock = threading.Lock()
_known: list[Array] = []  # blocks, the newest at the end


def aligned(size: int) -> Array:
    """Bytes, as they come, of which the first lies at a multiple of 64."""
    return _from_line(_new(size), size)


def allocator(type: TensorType) -> Callable[[], Array]:
    """What makes arrays of a type, with anything in them; large ones where earlier ones were."""
    dtype, size = np.dtype(type.dtype.numpy), type.bytes
    if not LARGE <= size <= MOST:
        return partial(np.empty, type.shape, dtype)
    return lambda: _from_line(_block(size), size).view(dtype).reshape(type.shape)


def copied(array: Array) -> Array:
    """A copy of an array, its elements in rows; a large one where an earlier one was."""
    size = array.nbytes
    if not LARGE <= size <= MOST or array.dtype.hasobject:
        return array.copy()
    return _filled(_from_line(_block(size), size), array)


def aligned_copy(array: Array) -> Array:
    """A copy of an array that begins at a multiple of 64 bytes, its elements in rows."""
    return array.copy() if array.dtype.hasobject else _filled(aligned(array.nbytes), array)


def _filled(memory: Array, array: Array) -> Array:
    copy = memory.view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy


def _new(size: int) -> Array:
    """Bytes of which at least `size` follow the beginning of a line."""
    return np.empty(size + LINE, np.uint8)


def _from_line(block: Array, size: int) -> Array:
    start = -block.ctypes.data % LINE
    return block[start : start + size]


def _block(size: int) -> Array:
    """One that no array refers to: a remembered one of that size, or a new one."""
    with _lock:
        for block in reversed(_known):
            if block.nbytes == size + LINE and sys.getrefcount(block) <= UNUSED:
                return block
        block = _new(size)
        _known.append(block)
        while sum(known.nbytes for known in _known) > MOST:
            del _known[0]  # whoever has it keeps it
        return block


def _unlock() -> None:
    """A forked process has none of the threads that may have held the lock."""
    global _lock
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_unlock)
