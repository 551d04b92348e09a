"""The modules of a program: one a kernel, and one of the functions that call them in turn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llvmlite import ir

from slipstream.compiler.codegen.contraction import write_contraction
from slipstream.compiler.codegen.loop_nest import write_loop_nest
from slipstream.compiler.codegen.machine import module_text
from slipstream.compiler.codegen.mark import write_mark
from slipstream.compiler.codegen.picked import write_bounds, write_last_places, write_picked
from slipstream.compiler.codegen.team import SEGMENT, call_barrier
from slipstream.compiler.codegen.vector import BYTES, I8, I64
from slipstream.compiler.kernels import (
    Bounds,
    Contraction,
    Kernel,
    LastPlaces,
    LoopNest,
    Mark,
    Picked,
    is_for_all,
    is_shared,
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
POINTER = 8  # bytes of an address in a table of buffers


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


def kernel_text(record: Kernel, name: str, target: Target) -> str:
    """The module of one kernel, whose function has this name."""
    module = ir.Module()
    WRITERS[type(record)](module, name, record, target).linkage = "external"
    return module_text(module, target)


class SegmentWriter:
    """Writes the functions that call kernels, which are known here by name."""

    def __init__(self, target: Target, names: Mapping[Kernel, str]) -> None:
        self.target, self.module, self.names = target, ir.Module(), names
        self.segments: list[str] = []

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
        functions = [self.kernel(record) for record, _ in segment.calls]
        function = ir.Function(self.module, SEGMENT, name)
        self.b = ir.IRBuilder(function.append_basic_block())
        self.table, self.number, self.threads, self.team = function.args
        for index, (record, entries) in enumerate(segment.calls):
            if index in segment.barriers:
                self._barrier()
            self._call(functions[index], record, entries)
        self.b.ret_void()
        self.segments.append(name)
        return name

    def _barrier(self) -> None:
        with self.b.if_then(self.b.icmp_unsigned(">", self.threads, I64(1))):
            call_barrier(self.b, self.team)

    def _call(self, kernel: Any, record: Kernel, entries: Sequence[int]) -> None:
        if is_for_all(record):
            addresses = [self._entry(n) for n in entries]
            self.b.call(kernel, [*addresses, self.number, self.threads])
            if isinstance(record, Bounds):
                self._leave_at_fault(addresses[1])
            return
        with self.b.if_then(self.b.icmp_unsigned("==", self.number, I64(0))):
            self.b.call(kernel, [*map(self._entry, entries), I64(0), I64(1)])

    def _leave_at_fault(self, fault: Any) -> None:
        """End here if a number was put in this word: by this thread then, as by all others."""
        word = self.b.load(self.b.bitcast(fault, I64.as_pointer()), typ=I64)
        with self.b.if_then(self.b.icmp_unsigned("!=", word, I64(0)), likely=False):
            self.b.ret_void()

    def _entry(self, number: int) -> Any:
        place = self.b.gep(self.table, [I64(number * POINTER)], source_etype=I8)
        return self.b.load(self.b.bitcast(place, BYTES.as_pointer()), typ=BYTES)
