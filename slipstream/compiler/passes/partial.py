"""Contractions that sum much and give little, like a filter's gradient: sample by sample.

The sum of each sample is a result of its own, so threads share the samples, each of which is read
while it is near; then the results are added up. Neither depends on how many threads there are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from slipstream.compiler.kernels import (
    Access,
    Contraction,
    Instruction,
    Load,
    Loop,
    LoopNest,
    Store,
    Total,
)
from slipstream.compiler.passes.lay import Call
from slipstream.compiler.passes.made import KernelStep, Made, made, only_call
from slipstream.ir.graph import Value
from slipstream.ir.types import TensorType
from slipstream.primitives.reduction import sum_

FEWEST_SAMPLES = 8
LONG = 4096  # terms of a sum
WORTH = 8  # numbers of the operands for each one of the results


def in_parts(found: Sequence[Made]) -> list[Made]:
    """The steps, those of contractions that are worth it in three.

    The sums of samples come as soon as what they read is there: other work on the samples is near.
    """
    result: list[Made] = []
    for one in found:
        first, *others = _in_parts(one)
        result.insert(_earliest(first, result) if others else len(result), first)
        result += others
    return result


def _earliest(one: Made, before: Sequence[Made]) -> int:
    """The place behind all that makes what a step reads."""
    makers = (
        n
        for n, other in enumerate(before)
        if not {*one.touched.reads}.isdisjoint(other.touched.writes)
    )
    return 1 + max(makers, default=-1)


def _in_parts(one: Made) -> list[Made]:
    """A step, or those that take its place."""
    record, values = only_call(one) or (None, ())
    loop = _samples(record, values) if isinstance(record, Contraction) else None
    return [one] if loop is None else _parts(one, record, values, loop)


def _samples(record: Contraction, values: Sequence[Value]) -> Loop | None:
    """The loop over samples, if each is worth a result of its own."""
    loop = max(record.inner, key=lambda n: abs(n.left))
    size = math.prod(n.size for n in record.walked)
    long = math.prod(n.size for n in record.inner) >= LONG
    enough = WORTH * loop.size * size <= sum(v.type.size for v in values[:2])
    is_whole = loop.left and loop.right and loop.size >= FEWEST_SAMPLES
    return loop if record.is_dense and long and enough and is_whole else None


def _parts(one: Made, record: Contraction, values: Sequence[Value], loop: Loop) -> list[Made]:
    assert one.step is not None
    size, dtype = math.prod(n.size for n in record.walked), record.dtype
    each = Value(TensorType((loop.size, size), dtype))
    total = Value(TensorType((size,), dtype))
    outs = tuple(n.out for n in record.walked)
    parts = replace(
        record,
        outer=(Loop(loop.size, loop.left, loop.right, size), *record.outer),
        inner=tuple(n for n in record.inner if n is not loop) or (Loop(1, 0, 0, 0),),
        body=(Total(dtype),),
        stores=(Store(Access(2, 0, (size, *outs)), 0, dtype),),
    )
    added = LoopNest(
        (loop.size, size), (True, False), (Load(Access(0, 0, (size, 1)), dtype),),
        (Store(Access(1, 0, (0, 1)), 0, dtype, sum_),),
    )  # fmt: skip
    return [
        made(((parts, (*values[:2], each)),), (), one.step.group, (each,)),
        made(((added, (each, total)),), (), one.step.group, (total,)),
        after(one, record, (total, *values[2:])),
    ]


def after(one: Made, record: Contraction, values: tuple[Value, ...]) -> Made:
    """The step of what follows the sum in another step; the sum is the first of the values."""
    assert isinstance(one.step, KernelStep)
    calls: tuple[Call, ...] = ((_following(record), values),)
    return made(calls, one.step.written, one.step.group, in_step=one.touched.in_step)


def _following(record: Contraction) -> LoopNest:
    """What follows the sum, which is buffer 0 then."""
    outs = tuple(n.out for n in record.walked)

    def moved(access: Access) -> Access:
        return replace(access, buffer=access.buffer - 1)

    def read(item: Instruction) -> Instruction:
        if isinstance(item, Total):
            return Load(Access(0, 0, outs), record.dtype)
        return replace(item, access=moved(item.access)) if isinstance(item, Load) else item

    shape = tuple(n.size for n in record.walked)
    stores = tuple(replace(store, access=moved(store.access)) for store in record.stores)
    return LoopNest(shape, (False,) * len(shape), tuple(map(read, record.body)), stores)
