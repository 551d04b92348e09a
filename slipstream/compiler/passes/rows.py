"""Tables of which a batch names a few rows: no gradient as large as the table is made.

A scatter adds rows to an array of zeros, and element-wise work (an optimizer's update) reads that
and arrays of its size. Here the work is done to all rows as if there had been only zeros, and to
the rows that are named, taken aside before, with what was added; these are put where they belong.
Each number is computed by the same operations as before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from slipstream.compiler.kernels import (
    Access,
    Counter,
    Instruction,
    LastPlaces,
    Load,
    LoopNest,
    Number,
    Picked,
    Store,
)
from slipstream.compiler.passes.lay import Call
from slipstream.compiler.passes.made import KernelStep, Made, made, only_call
from slipstream.ir.dtypes import DType, int32
from slipstream.ir.graph import Constant, Graph, Value
from slipstream.ir.types import TensorType

LARGE = 1 << 16  # elements of a table
FEW = 8  # rows of a table for each one that is named


class _Sums(NamedTuple):
    """A step that adds rows to zeros: what it does before, the scatter, and its three buffers."""

    before: tuple[Call, ...]
    record: Picked
    indices: Value
    given: Value
    table: Value


class _Named(NamedTuple):
    """The rows that are named: their number, their sums, and where each finds its own."""

    sums: Value
    places: Value


def by_rows(found: Sequence[Made], graph: Graph) -> list[Made]:
    """The steps, of which those that make and read such a gradient are others."""
    result = [*found]
    for number, one in enumerate(found):
        sums = _sums(one)
        if sums is None or sums.table in graph.outputs:
            continue
        readers = [n for n, other in enumerate(found) if sums.table in other.touched.reads]
        if len(readers) != 1 or not _is_update(result[readers[0]], sums):
            continue
        result[number], named = _added(one, sums)
        result[readers[0]] = _updated(result[readers[0]], sums, named)
    return result


def _sums(one: Made) -> _Sums | None:
    """The scatter of a step into zeros, if it names few rows of a large table."""
    step = one.step
    if not isinstance(step, KernelStep) or len(step.calls) < 2:
        return None
    *before, zeros, (record, values) = step.calls
    if not isinstance(record, Picked) or record.how != "add" or not _is_zero(zeros, record.dtype):
        return None
    is_large = record.rows * record.width >= LARGE and record.rows >= FEW * record.count
    return _Sums(tuple(before), record, *values) if is_large else None


def _is_zero(call: Call, dtype: DType) -> bool:
    """Whether a kernel only writes zeros."""
    nest, values = call
    if not isinstance(nest, LoopNest) or len(nest.body) != 1:
        return False
    (only,) = nest.body
    given = values[only.access.buffer] if isinstance(only, Load) else None
    if isinstance(given, Constant):
        return not any(given.array.tobytes())
    return only == _zero(dtype)


def _zero(dtype: DType) -> Number:
    return Number(bytes(dtype.size), dtype)


def _is_update(one: Made, sums: _Sums) -> bool:
    """Whether a step is element-wise work on the table and arrays that lie as it does."""
    nest, values = only_call(one) or (None, ())
    size = sums.record.rows * sums.record.width
    if not isinstance(nest, LoopNest) or nest.shape != (size,) or any(nest.reduced):
        return False
    items: list[Instruction | Store] = [*nest.body, *nest.stores]
    accesses = [i.access for i in items if isinstance(i, Load | Store)]
    are_whole = all(
        a.strides == (0,)
        or (a.strides == (1,) and not a.offset and values[a.buffer].type.size == size)
        for a in accesses
    )
    are_stored = all(store.access.strides == (1,) for store in nest.stores)
    return are_whole and are_stored and not any(isinstance(i, Counter) for i in nest.body)


def _added(one: Made, sums: _Sums) -> tuple[Made, _Named]:
    """The step that sums up only the rows that are named, those of equal indices at the last."""
    assert one.step is not None
    record, count = sums.record, sums.record.count
    places = Value(TensorType((count,), int32))
    last = Value(TensorType((record.rows,), int32))
    total = Value(TensorType((count, record.width), record.dtype))
    zeros = LoopNest(
        (count * record.width,), (False,), (_zero(record.dtype),),
        (Store(Access(0, 0, (1,)), 0, record.dtype),),
    )  # fmt: skip
    calls: tuple[Call, ...] = (
        *sums.before,
        (LastPlaces(count, record.index), (sums.indices, last, places)),
        (zeros, (total,)),
        (replace(record, rows=count, index=int32), (places, sums.given, total)),
    )
    step = made(calls, (total, places), one.step.group, (last,), may_fail=one.touched.may_fail)
    return step, _Named(total, places)


def _updated(one: Made, sums: _Sums, named: _Named) -> Made:
    """The update of all rows as if nothing had been added, then of those that are named."""
    assert isinstance(one.step, KernelStep)
    ((nest, values),) = one.step.calls
    record, count = sums.record, sums.record.count
    aside = {value: value for value in values}  # of the arrays, the rows that are named
    scratch: list[Value] = []

    def rows_of(value: Value) -> Value:
        if aside[value] is value:
            aside[value] = Value(TensorType((count, record.width), value.type.dtype))
            scratch.append(aside[value])
        return aside[value]

    def moved(how: str, index: DType, rows: int, dtype: DType) -> Picked:
        return Picked(how, 1, 1, count, rows, record.width, index, dtype)

    taken: list[Call] = []
    for load in {i.access.buffer: i for i in nest.body if isinstance(i, Load)}.values():
        value = values[load.access.buffer]
        if load.access.strides != (1,) or aside[value] is not value:
            continue
        own = rows_of(value)
        if value is sums.table:
            kernel = moved("gather", int32, count, load.dtype)
            taken.append((kernel, (named.places, named.sums, own)))
        else:
            kernel = moved("gather", record.index, record.rows, load.dtype)
            taken.append((kernel, (sums.indices, value, own)))
    put: list[Call] = []
    for store in nest.stores:
        value = values[store.access.buffer]
        kernel = moved("put", record.index, record.rows, store.dtype)
        put.append((kernel, (sums.indices, rows_of(value), value)))
    all_rows, kept = _without(nest, values, sums.table)
    few = replace(nest, shape=(count * record.width,))
    calls = (*taken, (all_rows, kept), (few, tuple(aside[v] for v in values)), *put)
    in_step = one.touched.in_step - {sums.table}
    return made(calls, one.step.written, one.step.group, tuple(scratch), in_step)


def _without(
    nest: LoopNest, values: Sequence[Value], table: Value
) -> tuple[LoopNest, tuple[Value, ...]]:
    """The nest with zero for what it reads of the table, which is no buffer of it any longer."""
    gone = list(values).index(table)

    def moved(item: Instruction | Store) -> Instruction | Store:
        if not isinstance(item, Load | Store):
            return item
        if item.access.buffer == gone:
            return _zero(item.dtype)
        after = item.access.buffer - (item.access.buffer > gone)
        return replace(item, access=replace(item.access, buffer=after))

    body = tuple(map(moved, nest.body))
    stores = tuple(map(moved, nest.stores))
    kept = tuple(value for value in values if value is not table)
    return replace(nest, body=body, stores=stores), kept
