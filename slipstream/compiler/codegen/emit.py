"""The modules of a program: one a kernel, and one of the functions that call them in turn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llvmlite import ir

from slipstream.compiler.codegen.blocked import write_blocked
from slipstream.compiler.codegen.contraction import write_contraction
from slipstream.compiler.codegen.loop_nest import write_loop_nest
from slipstream.compiler.codegen.machine import module_text
from slipstream.compiler.codegen.mark import write_mark
from slipstream.compiler.codegen.picked import write_bounds, write_last_places, write_picked
from slipstream.compiler.codegen.team import SEGMENT, call_barrier, each
from slipstream.compiler.codegen.transposed import turn_of, write_transposition
from slipstream.compiler.codegen.vector import BYTES, I8, I64, share_of
from slipstream.compiler.kernels import (
    Bounds,
    Chain,
    Contraction,
    Kernel,
    LastPlaces,
    Look,
    LoopNest,
    Mark,
    Picked,
    TimeLoop,
    is_for_all,
    is_shared,
    work,
)
from slipstream.compiler.target import Target

WRITERS: dict[type, Any] = {
    LoopNest: write_loop_nest,
    Contraction: write_contraction,
    Picked: write_picked,
    LastPlaces: write_last_places,
    Bounds: write_bounds,
    Mark: write_mark,
}
SHORT = 2_000_000  # scalar operations, of which one thread does a dozen in a nanosecond
POINTER = 8  # bytes of an address in a table of buffers
Calls = Sequence[tuple[Kernel, tuple[int, ...]]]


@dataclass(frozen=True)
class Segment:
    """Kernels in a row, each with the numbers of its buffers in the table.

    Before the calls in `barriers` all threads wait for each other.
    """

    calls: tuple[tuple[Kernel, tuple[int, ...]], ...]
    barriers: tuple[int, ...]

    @property
    def is_shared(self) -> bool:
        """Whether there is work for many threads."""
        return any(is_shared(kernel) for kernel, _ in self.calls)

    @property
    def is_short(self) -> bool:
        """Whether one thread is through with it before others that sleep would be awake."""
        return sum(work(kernel) for kernel, _ in self.calls) < SHORT


def kernel_text(record: Kernel, name: str, target: Target) -> str:
    """The module of one kernel, whose function has this name."""
    module = ir.Module()
    _written(module, name, record, target).linkage = "external"
    return module_text(module, target)


def _written(module: ir.Module, name: str, record: Kernel, target: Target) -> Any:
    """The function of a kernel; some records have writers of their own."""
    if isinstance(record, Contraction) and record.blocks is not None:
        return write_blocked(module, name, record, target)
    turn = turn_of(record) if isinstance(record, LoopNest) else None
    if isinstance(record, LoopNest) and turn is not None:
        return write_transposition(module, name, record, turn, target)
    return WRITERS[type(record)](module, name, record, target)


class SegmentWriter:
    """Writes the functions that call kernels, which are known here by name."""

    def __init__(self, target: Target, names: Mapping[Kernel, str]) -> None:
        self.target, self.module, self.names = target, ir.Module(), names
        self.segments: list[str] = []
        self.is_alone = False  # in a part that one thread goes through

    def kernel(self, record: Kernel) -> Any:
        """The function of a kernel, declared when it is first asked for."""
        known = self.module.globals.get(self.names[record])
        if known is None:
            kind = ir.FunctionType(ir.VoidType(), [BYTES] * record.buffers + [I64, I64])
            known = ir.Function(self.module, kind, self.names[record])
        return known

    def text(self) -> str:
        """The module."""
        return module_text(self.module, self.target)

    def segment(self, segment: Segment) -> str:
        """A function that takes a table of addresses and calls kernels on entries of it.

        Small kernels are the work of thread 0 alone.
        """
        name = f"segment{len(self.segments)}"
        self.function = ir.Function(self.module, SEGMENT, name)
        self.b = ir.IRBuilder(self.function.append_basic_block())
        self.table, self.number, self.threads, self.team = self.function.args
        self.left: Any = None  # the block after the loop that is being written
        self._calls(segment.calls, segment.barriers)
        self.b.ret_void()
        self.segments.append(name)
        return name

    def _calls(self, calls: Calls, barriers: Sequence[int], turn: Any = None) -> None:
        """Kernels on entries of the table; in the first turn of a loop no barrier is before all."""
        for index, (record, entries) in enumerate(calls):
            if index in barriers and (index or turn is None):
                self._barrier()
            elif index in barriers:
                with self.b.if_then(self.b.icmp_unsigned("!=", turn, I64(0))):
                    self._barrier()
            if isinstance(record, TimeLoop):
                self._loop(record, entries)
            elif isinstance(record, Chain):
                self._chain(record, entries)
            elif isinstance(record, Look):
                self._look(self._entry(entries[0], self.table))
            else:
                self._call(self.kernel(record), record, entries)

    def _loop(self, record: TimeLoop, buffers: Sequence[int]) -> None:
        """The turns of a loop, on a table of its own that each thread has."""
        with self.b.goto_entry_block():
            mine = self.b.alloca(I64, size=len(record.entries))
        outer, self.table = self.table, self.b.bitcast(mine, BYTES)
        places = [self._place(n) for n in range(len(record.entries))]
        starts = []
        for entry in record.entries:
            base = self.b.ptrtoint(self._entry(buffers[entry.buffer], outer), I64)
            starts.append(self.b.add(base, I64(entry.offset)))
        if record.parts == 1:
            self._turns(record, places, starts)
        else:
            self._my_parts(record, record.parts, lambda part, _: self._part(
                record, places, starts, part))  # fmt: skip
        self.table = outer

    def _part(
        self, record: TimeLoop, places: Sequence[Any], starts: Sequence[Any], part: Any
    ) -> None:
        """All turns of a part, by this thread alone."""
        b = self.b
        own = [
            b.add(start, b.mul(part, I64(share)))
            for start, share in zip(starts, record.shares, strict=True)
        ]
        self.is_alone = True
        self._turns(record, places, own)
        self.is_alone = False

    def _turns(self, record: TimeLoop, places: Sequence[Any], starts: Sequence[Any]) -> None:
        """The turns, in the first of which the table holds these addresses."""
        for place, start in zip(places, starts, strict=True):
            self.b.store(start, place)

        def turn(counter: Any) -> None:
            self._calls(record.calls, record.barriers, counter)
            for a, b in record.follows:
                self.b.store(self.b.load(places[b], typ=I64), places[a])
            for place, entry in zip(places, record.entries, strict=True):
                if entry.step:
                    moved = self.b.add(self.b.load(place, typ=I64), I64(entry.step))
                    self.b.store(moved, place)

        left, self.left = self.left, self.function.append_basic_block()
        each(self.b, I64(record.length), turn)
        self.b.branch(self.left)
        self.b.position_at_end(self.left)
        self.left = left
        if record.last:
            self._barrier()
        self._calls(record.last, ())

    def _chain(self, record: Chain, buffers: Sequence[int]) -> None:
        """The parts of a chain that are this thread's."""
        starts = [self._entry(buffers[entry.buffer], self.table) for entry in record.entries]

        def once(part: Any, first: Any) -> None:
            table = []
            for number, (start, entry) in enumerate(zip(starts, record.entries, strict=True)):
                at = first if number in record.own else part
                moved = self.b.add(I64(entry.offset), self.b.mul(at, I64(entry.step)))
                table.append(self.b.gep(start, [moved], source_etype=I8))
            for kernel, entries in record.calls:
                self._call_alone(self.kernel(kernel), kernel, [table[n] for n in entries])

        self._my_parts(record, record.length, once)

    def _my_parts(self, record: Kernel, count: int, body: Callable[[Any, Any], None]) -> None:
        """body(part, this thread's first part), for each; thread 0 has all if there is little."""
        if is_shared(record):
            first, end = share_of(self.b, count, self.number, self.threads)
        else:
            is_first = self.b.icmp_unsigned("==", self.number, I64(0))
            first, end = I64(0), self.b.select(is_first, I64(count), I64(0))
        with self.b.if_then(self.b.icmp_unsigned("<", first, end)):
            each(self.b, end, lambda part: body(part, first), first)

    def _call_alone(self, kernel: Any, record: Kernel, addresses: Sequence[Any]) -> None:
        """All of a kernel by one thread; only thread 0 has a clock."""
        if isinstance(record, Mark):
            with self.b.if_then(self.b.icmp_unsigned("==", self.number, I64(0))):
                self.b.call(kernel, [*addresses, I64(0), I64(1)])
            return
        self.b.call(kernel, [*addresses, I64(0), I64(1)])

    def _look(self, place: Any) -> None:
        """Leave the loop if a boolean is false."""
        truth = self.b.load(place, typ=I8)
        further = self.function.append_basic_block()
        self.b.cbranch(self.b.icmp_unsigned("!=", truth, I8(0)), further, self.left)
        self.b.position_at_end(further)

    def _barrier(self) -> None:
        if self.is_alone:
            return
        with self.b.if_then(self.b.icmp_unsigned(">", self.threads, I64(1))):
            call_barrier(self.b, self.team)

    def _call(self, kernel: Any, record: Kernel, entries: Sequence[int]) -> None:
        if self.is_alone:
            self._call_alone(kernel, record, [self._entry(n, self.table) for n in entries])
            return
        if is_for_all(record):
            addresses = [self._entry(n, self.table) for n in entries]
            self.b.call(kernel, [*addresses, self.number, self.threads])
            if isinstance(record, Bounds):
                self._leave_at_fault(addresses[1])
            return
        with self.b.if_then(self.b.icmp_unsigned("==", self.number, I64(0))):
            addresses = [self._entry(n, self.table) for n in entries]
            self.b.call(kernel, [*addresses, I64(0), I64(1)])

    def _leave_at_fault(self, fault: Any) -> None:
        """End here if a number was put in this word: by this thread then, as by all others."""
        word = self.b.load(self.b.bitcast(fault, I64.as_pointer()), typ=I64)
        with self.b.if_then(self.b.icmp_unsigned("!=", word, I64(0)), likely=False):
            self.b.ret_void()

    def _place(self, number: int) -> Any:
        """Where an entry of the table lies."""
        place = self.b.gep(self.table, [I64(number * POINTER)], source_etype=I8)
        return self.b.bitcast(place, I64.as_pointer())

    def _entry(self, number: int, table: Any) -> Any:
        place = self.b.gep(table, [I64(number * POINTER)], source_etype=I8)
        return self.b.load(self.b.bitcast(place, BYTES.as_pointer()), typ=BYTES)
