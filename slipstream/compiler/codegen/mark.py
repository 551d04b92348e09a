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


class OfClock(IntEnum):
    """The words of the clock."""

    ADDRESS = 0  # of the system's clock
    LAST = 1  # the time of the last mark


class OfEntry(IntEnum):
    """The words of an entry."""

    TOTAL = 0  # time
    COUNT = 1
    LEAST = 2  # time of one call


def write_mark(module: ir.Module, name: str, record: Mark, target: Target) -> Any:
    """The function of a mark."""
    w = Writer(module, name, record.buffers, 1)
    b, clock = w.b, w.buffers[0]
    last = _word(b, clock, OfClock.LAST)
    now = _now(b, b.load(_word(b, clock, OfClock.ADDRESS), typ=I64), record.clock)
    if not record.is_start:
        _enter(b, w.buffers[1], b.sub(now, b.load(last, typ=I64)))
    b.store(now, last)
    b.ret_void()
    return w.function


def _word(b: Any, words: Any, number: int) -> Any:
    """The address of a word."""
    place = b.gep(words, [I64(number * WORD)], source_etype=I8)
    return b.bitcast(place, I64.as_pointer())


def _enter(b: Any, entry: Any, took: Any) -> None:
    """One call more of an entry, which took so long."""
    places = [_word(b, entry, which) for which in OfEntry]
    total, count, least = (b.load(place, typ=I64) for place in places)
    is_first = b.icmp_unsigned("==", count, I64(0))
    is_least = b.or_(is_first, b.icmp_signed("<", took, least))
    b.store(b.add(total, took), places[OfEntry.TOTAL])
    b.store(b.add(count, I64(1)), places[OfEntry.COUNT])
    b.store(b.select(is_least, took, least), places[OfEntry.LEAST])


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
