"""Code that moves rows which integers name, and that checks the integers first."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from llvmlite import ir

from slipstream.compiler.codegen.scalars import emit
from slipstream.compiler.codegen.vector import I32, I64, Writer
from slipstream.compiler.kernels import Apply, Bounds, LastPlaces, Picked
from slipstream.compiler.target import Target
from slipstream.ir.dtypes import DType, int32, int64
from slipstream.primitives.elementwise import add


def write_picked(module: ir.Module, name: str, record: Picked, target: Target) -> Any:
    """The function of a kernel that gathers or scatters rows."""
    lanes = min(target.lanes(record.dtype.bits), 1 << (record.width - 1).bit_length())
    writer = Writer(module, name, record.buffers, lanes)
    write = _gather if record.how == "gather" else _scatter
    write(writer, record)
    writer.b.ret_void()
    return writer.function


def _index(w: Writer, place: Any, dtype: DType) -> Any:
    """An index as a number of 64 bits."""
    index = w.load(w.buffers[0], place, dtype)
    if dtype.bits == int64.bits:
        return index
    return w.b.zext(index, I64) if dtype.is_unsigned else w.b.sext(index, I64)


def _gather(w: Writer, record: Picked) -> None:
    """Threads divide the rows of the result."""
    _, given, out = w.buffers

    def row(number: Any) -> None:
        batch, outer, i = w.digits(number, (record.batch, record.outer, record.count))
        index = _index(w, w.offset(i, batch, record.count), record.index)
        table = w.offset(w.offset(index, outer, record.rows), batch, record.outer * record.rows)
        begin, end = (w.offset(I64(0), n, record.width) for n in (table, number))

        def move(place: Any, count: int | None) -> None:
            mask = None if count is None else w.mask(count)
            value = w.load_vector(given, w.b.add(begin, place), record.dtype, mask)
            w.store_vector(value, out, w.b.add(end, place), record.dtype, mask)

        _along(w, record.width, move)

    w.each_of_mine(record.batch * record.outer * record.count, row)


def _scatter(w: Writer, record: Picked) -> None:
    """Row by row in order, so that sums of equal indices are the same each time."""
    _, given, out = w.buffers
    kind = record.dtype
    addition = Apply(add, (0, 1), (kind, kind), kind)

    def row(i: Any, _: Any) -> None:
        index = _index(w, i, record.index)
        begin, end = (w.offset(I64(0), n, record.width) for n in (i, index))
        _along(w, record.width, partial(move, begin, end))

    def move(begin: Any, end: Any, place: Any, count: int | None) -> None:
        mask = None if count is None else w.mask(count)
        value = w.load_vector(given, w.b.add(begin, place), record.dtype, mask)
        to = w.b.add(end, place)
        if record.how == "add":
            old = w.load_vector(out, to, record.dtype, mask)
            value = emit(w, addition, (old, value))
        w.store_vector(value, out, to, record.dtype, mask)

    w.loop(record.count, row)


def _along(w: Writer, width: int, move: Callable[[Any, int | None], None]) -> None:
    """move(place, lanes in force) for the vectors of a row."""
    whole = width - width % w.lanes
    if whole:
        w.loop(whole, lambda place, _: move(place, None), step=w.lanes)
    if width > whole:
        move(I64(whole), width - whole)


def write_last_places(module: ir.Module, name: str, record: LastPlaces, target: Target) -> Any:
    """Each place is put where its index says, then found there: by then the last one is."""
    w = Writer(module, name, record.buffers, 1)
    _, scratch, out = w.buffers

    def put(i: Any, _: Any) -> None:
        w.store(w.b.trunc(i, I32), scratch, _index(w, i, record.index), int32)

    def find(i: Any, _: Any) -> None:
        w.store(w.load(scratch, _index(w, i, record.index), int32), out, i, int32)

    w.loop(record.count, put)
    w.loop(record.count, find)
    w.b.ret_void()
    return w.function


def write_bounds(module: ir.Module, name: str, record: Bounds, target: Target) -> Any:
    """The function of a check: one comparison an index, for negative ones are large unsigned."""
    w = Writer(module, name, record.buffers, 1)

    def look(i: Any, found: list[Any]) -> list[Any]:
        index = _index(w, i, record.index)
        return [w.b.or_(found[0], w.b.icmp_unsigned(">=", index, I64(record.limit)))]

    (outside,) = w.loop(record.count, look, [ir.Constant(ir.IntType(1), 0)])
    with w.b.if_then(outside, likely=False):
        w.store(I64(record.number), w.buffers[1], I64(0), int64)
    w.b.ret_void()
    return w.function
