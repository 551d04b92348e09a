"""Code that reads the system's clock between kernels, for profiles."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

from llvmlite import ir

from slipstream.compiler.codegen.vector import I8, I32, I64, Writer
from slipstream.compiler.kernels import Mark
from slipstream.compiler.target import Target

WORD = 8  # bytes
GETTIME = ir.FunctionType(I32, [I32, I64.as_pointer()])  # clock_gettime(clock, seconds and rest)
COUNTER = ir.FunctionType(I32, [I64.as_pointer()])  # QueryPerformanceCounter(ticks)
SECOND = 1_000_000_000


class Words(IntEnum):
    """What the words of a profile hold."""

    CLOCK = 0  # the address of the system's clock
    LAST = 1  # the time of the last mark
    ENTRIES = 2  # from here on those of each entry


class OfEntry(IntEnum):
    """The words of an entry."""

    TOTAL = 0  # time
    COUNT = 1
    LEAST = 2  # time of one call


def write_mark(module: ir.Module, name: str, record: Mark, target: Target) -> Any:
    """The function of a mark."""
    w = Writer(module, name, record.buffers, 1)
    b = w.b

    def word(number: int) -> Any:
        place = b.gep(w.buffers[0], [I64(number * WORD)], source_etype=I8)
        return b.bitcast(place, I64.as_pointer())

    last = b.load(word(Words.LAST), typ=I64)
    now = _now(b, b.load(word(Words.CLOCK), typ=I64), record.clock)
    if record.number >= 0:
        entry = Words.ENTRIES + len(OfEntry) * record.number
        took, places = b.sub(now, last), [word(entry + which) for which in OfEntry]
        total, count, least = (b.load(place, typ=I64) for place in places)
        is_first = b.icmp_unsigned("==", count, I64(0))
        is_least = b.or_(is_first, b.icmp_signed("<", took, least))
        b.store(b.add(total, took), places[OfEntry.TOTAL])
        b.store(b.add(count, I64(1)), places[OfEntry.COUNT])
        b.store(b.select(is_least, took, least), places[OfEntry.LEAST])
    b.store(now, word(Words.LAST))
    b.ret_void()
    return w.function


def _now(b: Any, address: Any, clock: int | None) -> Any:
    """Nanoseconds, or ticks of the counter where the clock has no number."""
    time = b.alloca(I64, size=I64(2))
    if clock is None:
        b.call(b.inttoptr(address, COUNTER.as_pointer()), [time])
        return b.load(time, typ=I64)
    b.call(b.inttoptr(address, GETTIME.as_pointer()), [I32(clock), time])
    seconds = b.load(time, typ=I64)
    rest = b.load(b.gep(time, [I64(1)], source_etype=I64), typ=I64)
    return b.add(b.mul(seconds, I64(SECOND)), rest)
