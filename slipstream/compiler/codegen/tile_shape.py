"""How large the tiles of a contraction are: what is held in registers, and how ends are shared."""

from __future__ import annotations

import math
from typing import NamedTuple

from slipstream.compiler.kernels import Contraction
from slipstream.compiler.target import Target

SHORT = 16  # steps of a sum: its tiles read and write more than they multiply
AT_ONCE = 4  # turns of the innermost loop that are written out, where registers are few
LATENCY = 8  # sums that keep the multipliers busy: each waits four cycles, and there are two
WIDE = 3  # what a vector costs in place of a scalar: tiles share lines of scalars


class Tile(NamedTuple):
    """How many rows and vectors are held; `last` lanes of the last vector count, all if None."""

    rows: int
    vectors: int
    last: int | None


def lanes(kernel: Contraction, target: Target) -> int:
    """Elements in a vector: no more than the columns need."""
    return min(target.lanes(kernel.dtype.bits), 1 << (kernel.columns.size - 1).bit_length())


def steps(kernel: Contraction) -> int:
    """How long the sum is."""
    return math.prod(loop.size for loop in kernel.inner)


def is_right_near(kernel: Contraction, target: Target) -> bool:
    """Whether all tiles of rows find the right operand in half of the first level."""
    return _right_bytes(kernel) <= target.first_cache // 2


def is_by_rows(kernel: Contraction, target: Target) -> bool:
    """Whether tiles follow each other in rows, and threads divide the result so.

    A gradient by weights has rows that lie together on the left. Its threads had better write what
    they update afterwards, and no lines between those of another thread, which the processor
    fetches beside them.
    """
    if kernel.rows.left == 1 and not target.has_few_registers:
        return _right_bytes(kernel) <= target.first_cache
    return target.has_few_registers and is_right_near(kernel, target)


def _right_bytes(kernel: Contraction) -> int:
    loops = [*kernel.inner, kernel.columns]
    return math.prod(n.size for n in loops if n.right) * kernel.dtype.size


def even_share(size: int, most: int) -> int:
    """The part size of the fewest parts of at most `most`, as even as they go."""
    parts = -(-size // most)
    return -(-size // parts)


def tile_shape(kernel: Contraction, target: Target, width: int) -> tuple[int, int]:
    """(rows, vectors) that fit the registers."""
    needed = -(-kernel.columns.size // width)
    if target.has_few_registers and steps(kernel) > SHORT:
        return _tight_shape(kernel.rows.size, needed, target.registers)
    best, most = (1, 1), 0.0
    for vectors in range(1, min(4, needed) + 1):
        # beside the vectors and a scalar being multiplied
        rows = even_share(kernel.rows.size, (target.registers - vectors - 2) // vectors)
        busy = kernel.rows.size / (rows * -(-kernel.rows.size // rows))
        busy *= needed / (vectors * -(-needed // vectors))
        value = busy * rows * vectors / (rows + vectors)  # products a load
        if value > most:
            best, most = (rows, vectors), value
    return best


def _tight_shape(size: int, needed: int, registers: int) -> tuple[int, int]:
    """The shape where registers are few, and all are used.

    Beside the sums stand either the vectors or the scalars of a step, whichever are fewer, and one
    of the others.
    """
    best, most = (1, 1), 0.0
    for vectors in range(1, min(4, needed) + 1):
        fitting = [n for n in range(1, registers) if n * vectors + min(n, vectors) < registers]
        rows = even_share(size, max(fitting))
        mean = size / -(-size // rows)  # rows of a tile
        value = mean * vectors / (mean + WIDE * vectors)  # products by what is read
        value *= min(1, mean * vectors / LATENCY) * needed / (vectors * -(-needed // vectors))
        if value > most:
            best, most = (rows, vectors), value
    return best
