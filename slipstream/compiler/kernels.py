"""What a kernel computes, before there is code for it: plain records, equal for equal code."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from slipstream.ir.dtypes import ALL, DType
from slipstream.ir.types import Shape

NATIVE: tuple[DType, ...] = tuple(
    d for d in ALL if d.is_bool or d.is_integer or (d.is_floating and d.bits >= 32)
)  # those that code is made for; the others are NumPy's


@dataclass(frozen=True)
class Access:
    """Elements of a buffer by the counters of a loop nest: offset + sum(counter * stride)."""

    buffer: int
    offset: int
    strides: Shape


@dataclass(frozen=True)
class Load:
    access: Access
    dtype: DType


@dataclass(frozen=True)
class Number:
    """One number everywhere, as its bytes: nan equals itself."""

    bytes: bytes
    dtype: DType


@dataclass(frozen=True)
class Counter:
    """The index that an access would have, as a number."""

    access: Access
    dtype: DType


@dataclass(frozen=True)
class Apply:
    """A scalar operation on earlier values of the body."""

    operation: Any
    arguments: tuple[int, ...]
    dtypes: tuple[DType, ...]
    dtype: DType


@dataclass(frozen=True)
class Total:
    """What a contraction has summed up."""

    dtype: DType


Instruction = Load | Number | Counter | Apply | Total


@dataclass(frozen=True)
class Store:
    """A value of the body that goes to memory; `reduction` combines it over the reduced axes."""

    access: Access
    value: int
    dtype: DType
    reduction: Any = None


@dataclass(frozen=True)
class LoopNest:
    """For every index of `shape`: the body, then the stores. `reduced` are axes summed over."""

    shape: Shape
    reduced: tuple[bool, ...]
    body: tuple[Instruction, ...]
    stores: tuple[Store, ...]

    @property
    def buffers(self) -> int:
        """How many buffers the kernel is called with."""
        loads = [i.access.buffer for i in self.body if isinstance(i, Load)]
        return 1 + max([*loads, *(s.access.buffer for s in self.stores)])


@dataclass(frozen=True)
class Loop:
    """An axis of a contraction: its size, and its strides in both operands and the result."""

    size: int
    left: int
    right: int
    out: int


@dataclass(frozen=True)
class Contraction:
    """The sum of left * right over the inner loops, then for each such total: body and stores.

    Buffers 0 and 1 are left and right. `rows` has no stride in `right`, and `columns` none in
    `left` and 1 in the others. `outer` loops have a stride in the result, `inner` ones have none:
    they are summed over. An access of the body has two strides: over the place in the result, and
    over the column.
    """

    outer: tuple[Loop, ...]
    rows: Loop
    columns: Loop
    inner: tuple[Loop, ...]
    offsets: tuple[int, int, int]
    dtype: DType
    body: tuple[Instruction, ...] = ()
    stores: tuple[Store, ...] = ()

    @property
    def buffers(self) -> int:
        """How many buffers the kernel is called with."""
        loads = [i.access.buffer for i in self.body if isinstance(i, Load)]
        return 1 + max([*loads, *(s.access.buffer for s in self.stores)])


Kernel = LoopNest | Contraction

WORTH_SHARING = 100_000  # scalar operations: below it, threads would wait longer than they work


def work(kernel: Kernel) -> int:
    """About how many scalar operations a kernel is."""
    if isinstance(kernel, LoopNest):
        return math.prod(kernel.shape) * (2 * len(kernel.body) + len(kernel.stores))
    loops = (*kernel.outer, kernel.rows, kernel.columns, *kernel.inner)
    return 2 * math.prod(loop.size for loop in loops) // 16  # many at once


def is_shared(kernel: Kernel) -> bool:
    """Whether all threads work on a kernel; else thread 0 does it alone."""
    return work(kernel) >= WORTH_SHARING and not (
        isinstance(kernel, LoopNest) and all(kernel.reduced)
    )


def written_buffers(kernel: Kernel) -> frozenset[int]:
    """The numbers of the buffers a kernel writes."""
    return frozenset(store.access.buffer for store in kernel.stores)
