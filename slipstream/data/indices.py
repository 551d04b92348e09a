"""Pipelines over arrays that stay lists of indices until a batch is gathered.

`slices -> shuffle -> repeat -> batch` over arrays in memory moves no element by itself: each stage
transforms a stream of
index arrays, and a batch is one gather an array.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from slipstream.ir.graph import Array

Indices = np.ndarray[tuple[int], np.dtype[np.int64]]
BLOCK = 65536


@dataclass(frozen=True)
class IndexStream:
    """Rows of `arrays` in the order of `blocks`, arrays of indices one after the other."""

    arrays: tuple[Array, ...]
    blocks: Iterator[Indices]

    def gather(self, indices: Indices) -> tuple[Array, ...]:
        """The rows of these indices, one array a leaf."""
        return tuple(np.take(a, indices, axis=0) for a in self.arrays)


def counted(size: int) -> Iterator[Indices]:
    """0, 1, ..., size - 1."""
    for start in range(0, size, BLOCK):
        yield np.arange(start, min(size, start + BLOCK))


def rechunked(blocks: Iterator[Indices], size: int, drop_remainder: bool) -> Iterator[Indices]:
    """The same indices in blocks of `size`; the last may be smaller."""
    held: list[Indices] = []
    count = 0
    for block in blocks:
        held.append(block)
        count += len(block)
        if count >= size:
            joined = np.concatenate(held) if len(held) > 1 else block
            whole = count // size * size
            for start in range(0, whole, size):
                yield joined[start : start + size]
            held, count = ([joined[whole:]], count - whole) if whole < count else ([], 0)
    if count and not drop_remainder:
        yield np.concatenate(held)


def limited(blocks: Iterator[Indices], count: int) -> Iterator[Indices]:
    """The first `count` indices."""
    for block in blocks:
        if count <= 0:
            return
        yield block[:count]
        count -= len(block)


def skipped(blocks: Iterator[Indices], count: int) -> Iterator[Indices]:
    """All but the first `count` indices."""
    for block in blocks:
        if count < len(block):
            yield block[count:]
        count = max(0, count - len(block))


def shuffled(
    blocks: Iterator[Indices], buffer_size: int, generator: np.random.Generator
) -> Iterator[Indices]:
    """Each index drawn at random from a buffer of `buffer_size` that is filled from the stream."""
    chunks = rechunked(blocks, buffer_size, drop_remainder=False)
    buffer = next(chunks, None)
    if buffer is None:
        return
    buffer = buffer.copy()
    for chunk in chunks:
        places = generator.integers(0, len(buffer), len(chunk)).tolist()
        held = buffer.tolist()
        out = []
        for place, index in zip(places, chunk.tolist(), strict=True):
            out.append(held[place])
            held[place] = index
        buffer = np.array(held)
        yield np.array(out)
    yield generator.permutation(buffer)
