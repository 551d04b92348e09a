"""Which elements of its buffers a kernel touches, read from its record."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from slipstream.compiler.kernels import (
    Bounds,
    Contraction,
    Kernel,
    LastPlaces,
    Load,
    Loop,
    LoopNest,
    Picked,
)
from slipstream.ir.dtypes import int32, int64
from slipstream.ir.types import Shape


@dataclass(frozen=True)
class Walk:
    """Elements offset + sum(i * stride) of a buffer, for all i below the sizes."""

    buffer: int
    writes: bool
    offset: int
    sizes: Shape
    strides: Shape
    item: int  # bytes of an element

    @property
    def count(self) -> int:
        """How many elements: one along each axis that has no stride."""
        count = 1
        for size, stride in zip(self.sizes, self.strides, strict=True):
            count *= size if stride else 1
        return count

    @property
    def reach(self) -> tuple[int, int]:
        """The first element touched, and the last."""
        ends = [(n - 1) * stride for n, stride in zip(self.sizes, self.strides, strict=True)]
        return self.offset + sum(min(e, 0) for e in ends), self.offset + sum(
            max(e, 0) for e in ends
        )


def walks(kernel: Kernel) -> Iterator[Walk]:
    """All that a kernel touches. Rows that integers name may be any of the table's."""
    if isinstance(kernel, LoopNest):
        yield from _of_body(kernel, kernel.shape)
    elif isinstance(kernel, Contraction):
        yield from _operands(kernel)
        yield from _of_body(kernel, tuple(loop.size for loop in kernel.walked))
    elif isinstance(kernel, Picked):
        yield from _picked(kernel)
    elif isinstance(kernel, LastPlaces):
        yield _row(0, False, kernel.count, kernel.index.size)
        yield _row(2, True, kernel.count, int32.size)
    elif isinstance(kernel, Bounds):
        yield _row(0, False, kernel.count, kernel.index.size)
        yield _row(1, True, 1, int64.size)


def _row(buffer: int, writes: bool, count: int, item: int) -> Walk:
    return Walk(buffer, writes, 0, (count,), (1,), item)


def _of_body(kernel: LoopNest | Contraction, sizes: Shape) -> Iterator[Walk]:
    for load in kernel.body:
        if isinstance(load, Load):
            at = load.access
            yield Walk(at.buffer, False, at.offset, sizes, at.strides, load.dtype.size)
    for store in kernel.stores:
        at = store.access
        yield Walk(at.buffer, True, at.offset, sizes, at.strides, store.dtype.size)


def _operands(kernel: Contraction) -> Iterator[Walk]:
    loops = _loops(kernel)
    sizes, item = tuple(loop.size for loop in loops), kernel.dtype.size
    for buffer, strides in enumerate(
        (tuple(loop.left for loop in loops), tuple(loop.right for loop in loops))
    ):
        yield Walk(buffer, False, kernel.offsets[buffer], sizes, strides, item)
    if kernel.blocks is not None and kernel.blocks.sums is not None:
        numbers = _row(kernel.blocks.sums, True, kernel.waiting, item)
        yield from (numbers, replace(numbers, writes=False))


def _loops(kernel: Contraction) -> tuple[Loop, ...]:
    """The loops that walk the operands; those over columns in panels are two."""
    loops = (*kernel.walked, *kernel.inner)
    blocks, columns = kernel.blocks, kernel.columns
    if blocks is None or blocks.panel == blocks.columns:
        return loops
    panels = Loop(-(-columns.size // blocks.columns), 0, blocks.panel, 0)
    within = replace(columns, size=min(columns.size, blocks.columns))
    outer = len(kernel.outer) + 1
    return (*loops[:outer], panels, within, *kernel.inner)


def _picked(kernel: Picked) -> Iterator[Walk]:
    yield _row(0, False, kernel.batch * kernel.count, kernel.index.size)
    table = kernel.batch * kernel.outer * kernel.rows * kernel.width
    moved = kernel.batch * kernel.outer * kernel.count * kernel.width
    given, made = (table, moved) if kernel.how == "gather" else (moved, table)
    yield _row(1, False, given, kernel.dtype.size)
    yield _row(2, True, made, kernel.dtype.size)
