"""What a kernel computes, before there is code for it: plain records, equal for equal code."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
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
class Blocks:
    """How a contraction is cut where its operands leave a level of the cache.

    A tile is `rows` by `columns`; the columns of the next one lie `panel` elements further on in
    the right operand. `group` tiles of rows follow each other in one tile of columns. Of the inner
    loops, each turn of those before number `depth` is a block of the sum, and each `step` turns of
    that one. Totals wait for the next block in buffer `sums`, None if there is one block. If
    `fetches`, tiles ask for the numbers of the next block while they read those of theirs.
    """

    rows: int
    columns: int
    panel: int
    group: int
    depth: int
    step: int
    sums: int | None = None
    fetches: bool = False


@dataclass(frozen=True)
class Contraction:
    """The sum of left * right over the inner loops, then for each such total: body and stores.

    Buffers 0 and 1 are left and right. `rows` has no stride in `right`, and `columns` none in
    `left` and 1 in the others. `outer` loops have a stride in the result, `inner` ones have none:
    they are summed over. Accesses of the body and the stores have a stride for each of `walked`,
    over the columns 0 or 1.
    """

    outer: tuple[Loop, ...]
    rows: Loop
    columns: Loop
    inner: tuple[Loop, ...]
    offsets: tuple[int, int]
    dtype: DType
    body: tuple[Instruction, ...] = ()
    stores: tuple[Store, ...] = ()
    blocks: Blocks | None = None

    @property
    def walked(self) -> tuple[Loop, ...]:
        """The loops that go through the result."""
        return (*self.outer, self.rows, self.columns)

    @property
    def is_dense(self) -> bool:
        """Whether the totals fill a stretch of memory."""
        size = math.prod(n.size for n in self.walked)
        return sum((n.size - 1) * n.out for n in self.walked) == size - 1

    @property
    def waiting(self) -> int:
        """How many totals wait between blocks: those of whole tiles."""
        if self.blocks is None or self.blocks.sums is None:
            return 0
        rows, columns = self.blocks.rows, self.blocks.columns
        across = -(-self.rows.size // rows) * -(-self.columns.size // columns)
        return math.prod(loop.size for loop in self.outer) * across * rows * columns

    @property
    def buffers(self) -> int:
        """How many buffers the kernel is called with."""
        loads = [i.access.buffer for i in self.body if isinstance(i, Load)]
        return 1 + max([*loads, *written_buffers(self)])


@dataclass(frozen=True)
class Picked:
    """Rows that integers name: buffers are the indices, the rows given, and the rows written.

    `gather`: out[b, o, i] = x[b, o, indices[b, i]]. `add` and `put`: out[indices[i]] takes x[i], in
    the order of i. The indices are within bounds: a `Bounds` has run before.
    """

    how: str
    batch: int
    outer: int
    count: int  # indices, of each batch
    rows: int  # of the table
    width: int  # elements of a row
    index: DType
    dtype: DType
    buffers = 3


@dataclass(frozen=True)
class LastPlaces:
    """For each index the last place of an equal one: buffers are indices, a place an index that
    need not hold anything, and the result in int32.
    """

    count: int
    index: DType
    buffers = 3


@dataclass(frozen=True)
class Bounds:
    """Whether all indices are in [0, limit); if not, `number` is put in the second buffer.

    Every thread looks at all of them, so that all know, and leave the program together.
    """

    count: int
    limit: int
    index: DType
    number: int
    buffers = 2


@dataclass(frozen=True)
class Mark:
    """Adds the time since the last mark to an entry of a profile, or only starts the clock.

    Buffers are words that `codegen.mark` describes: the clock's, and the entry's but at the start.
    `clock` is what the system's clock is asked for, if anything.
    """

    is_start: bool
    clock: int | None

    @property
    def buffers(self) -> int:
        """How many buffers the kernel is called with."""
        return 1 if self.is_start else 2


@dataclass(frozen=True)
class Entry:
    """An address that a loop's body is called with: a buffer, and how far in; in bytes."""

    buffer: int
    offset: int = 0
    step: int = 0  # how far it moves from turn to turn


@dataclass(frozen=True)
class TimeLoop:
    """Kernels that are called again and again, on the entries of a table of addresses.

    Before the first turn the table holds `entries`. After a turn, for each pair (a, b) of
    `follows`, in order, entry a becomes what b is; then all move by their steps. Before the calls
    in `barriers` all threads wait for each other, before call 0 only from the second turn on. When
    the turns are over, or a `Look` has ended them, the calls of `last` are made once.

    If there are more `parts` than one, threads divide them as those of a chain: each goes through
    all turns, and none waits. Entries of part p begin p times their `shares` further on, in bytes.
    """

    length: int
    calls: tuple[tuple[Kernel, tuple[int, ...]], ...]
    barriers: tuple[int, ...]
    entries: tuple[Entry, ...]
    follows: tuple[tuple[int, int], ...]
    written: tuple[int, ...]  # buffers
    last: tuple[tuple[Kernel, tuple[int, ...]], ...] = ()
    parts: int = 1
    shares: tuple[int, ...] = ()

    @property
    def turns(self) -> int:
        """How often the calls are made, those of all parts together."""
        return self.parts * self.length

    @property
    def buffers(self) -> int:
        """How many buffers the loop is called with."""
        return 1 + max(entry.buffer for entry in self.entries)


@dataclass(frozen=True)
class Chain:
    """Kernels that run one after the other on a part of the samples, then on the next part.

    Threads divide the parts, and none waits for another: each call is the work of one thread, on
    the entries of a table of addresses. They move by their steps from part to part; those that are
    `own` do so only from thread to thread: each part of a thread is where its first one was.
    """

    length: int
    calls: tuple[tuple[Kernel, tuple[int, ...]], ...]
    entries: tuple[Entry, ...]
    own: tuple[int, ...]  # entries
    written: tuple[int, ...]  # buffers

    @property
    def turns(self) -> int:
        """How often the calls are made: once a part."""
        return self.length

    @property
    def buffers(self) -> int:
        """How many buffers the chain is called with."""
        return 1 + max(entry.buffer for entry in self.entries)


@dataclass(frozen=True)
class Look:
    """In a loop's turn: the end of the loop, if the boolean in the buffer is false.

    Every thread looks, so that all leave the loop together.
    """

    buffers = 1


Kernel = LoopNest | Contraction | Picked | LastPlaces | Bounds | Mark | Look | TimeLoop | Chain


def plain(calls: Iterable[tuple[Kernel, Any]]) -> Iterator[Kernel]:
    """The kernels that have code of their own: a loop's are those of its turns."""
    for kernel, _ in calls:
        if isinstance(kernel, TimeLoop):
            yield from plain((*kernel.calls, *kernel.last))
        elif isinstance(kernel, Chain):
            yield from plain(kernel.calls)
        elif not isinstance(kernel, Look):
            yield kernel


WORTH_SHARING = 100_000  # scalar operations: below it, threads would wait longer than they work


def work(kernel: Kernel) -> int:
    """About how many scalar operations a kernel is."""
    if isinstance(kernel, LoopNest):
        costs = (
            i.operation.facts.get("cost", 1) if isinstance(i, Apply) else 1 for i in kernel.body
        )
        return math.prod(kernel.shape) * (2 * sum(costs) + len(kernel.stores))
    if isinstance(kernel, Picked):
        return 4 * kernel.batch * kernel.outer * kernel.count * kernel.width
    if isinstance(kernel, Mark | Look):
        return 0
    if isinstance(kernel, Bounds | LastPlaces):
        return 2 * kernel.count
    if isinstance(kernel, TimeLoop | Chain):
        return kernel.turns * sum(work(inner) for inner, _ in kernel.calls)
    loops = (*kernel.outer, kernel.rows, kernel.columns, *kernel.inner)
    return 2 * math.prod(loop.size for loop in loops) // 16  # many at once


def is_shared(kernel: Kernel) -> bool:
    """Whether all threads work on a kernel; else thread 0 does it alone."""
    if isinstance(kernel, TimeLoop) and kernel.parts == 1:
        return any(is_shared(inner) for inner, _ in (*kernel.calls, *kernel.last))
    if work(kernel) < WORTH_SHARING or isinstance(kernel, Bounds | LastPlaces):
        return False
    if isinstance(kernel, Chain | TimeLoop):
        return True
    if isinstance(kernel, Picked):
        return kernel.how == "gather"
    return not (isinstance(kernel, LoopNest) and all(kernel.reduced))


def is_for_all(kernel: Kernel) -> bool:
    """Whether all threads run it: what they share, or what each must know."""
    if isinstance(kernel, TimeLoop) and kernel.parts == 1:
        return any(is_for_all(inner) for inner, _ in kernel.calls)
    return is_shared(kernel) or isinstance(kernel, Bounds | Look)


def written_buffers(kernel: Kernel) -> frozenset[int]:
    """The numbers of the buffers a kernel writes that others wait for."""
    if isinstance(kernel, TimeLoop | Chain):
        return frozenset(kernel.written)
    if isinstance(kernel, LastPlaces):
        return frozenset({1, 2})
    if isinstance(kernel, Picked):
        return frozenset({2})
    if isinstance(kernel, Bounds | Mark | Look):  # threads that find a fault all write the same
        return frozenset()
    stored = frozenset(store.access.buffer for store in kernel.stores)
    blocks = kernel.blocks if isinstance(kernel, Contraction) else None
    return stored if blocks is None or blocks.sums is None else stored | {blocks.sums}


def sharing(kernel: Kernel, places: Sequence[int]) -> Kernel:
    """The kernel with one number for all buffers in a place that it writes.

    Code takes buffers of different numbers for different memory.
    """
    if not isinstance(kernel, LoopNest | Contraction):
        return kernel
    numbers: dict[int, int] = {}
    for n in sorted(written_buffers(kernel)):
        numbers.setdefault(places[n], n)

    def moved(item: Any) -> Any:
        if not isinstance(item, Load | Store):
            return item
        number = numbers.get(places[item.access.buffer], item.access.buffer)
        return replace(item, access=replace(item.access, buffer=number))

    return replace(
        kernel, body=tuple(map(moved, kernel.body)), stores=tuple(map(moved, kernel.stores))
    )
