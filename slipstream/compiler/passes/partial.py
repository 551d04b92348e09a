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
from slipstream.compiler.passes.made import KernelStep, Made, made
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
    step = one.step
    if not isinstance(step, KernelStep) or len(step.calls) != 1:
        return [one]
    ((record, values),) = step.calls
    if not isinstance(record, Contraction):
        return [one]
    loop = _samples(record, values)
    return [one] if loop is None else _parts(one, step, record, loop)


def _samples(record: Contraction, values: Sequence[Value]) -> Loop | None:
    """The loop over samples, if each is worth a result of its own."""
    loop = max(record.inner, key=lambda n: abs(n.left))
    size = math.prod(n.size for n in record.walked)
    is_dense = sum((n.size - 1) * n.out for n in record.walked) == size - 1
    long = math.prod(n.size for n in record.inner) >= LONG
    enough = WORTH * loop.size * size <= sum(v.type.size for v in values[:2])
    is_whole = loop.left and loop.right and loop.size >= FEWEST_SAMPLES
    return loop if is_dense and long and enough and is_whole else None


def _parts(one: Made, step: KernelStep, record: Contraction, loop: Loop) -> list[Made]:
    ((_, values),) = step.calls
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
    following: Call = after(record, outs), (total, *values[2:])
    return [
        made(((parts, (*values[:2], each)),), (), step.group, (each,)),
        made(((added, (each, total)),), (), step.group, (total,)),
        made((following,), step.written, step.group, in_step=one.touched.in_step),
    ]


def after(record: Contraction, outs: tuple[int, ...]) -> LoopNest:
    """What follows the sum, which is buffer 0 then."""

    def moved(access: Access) -> Access:
        return replace(access, buffer=access.buffer - 1)

    def read(item: Instruction) -> Instruction:
        if isinstance(item, Total):
            return Load(Access(0, 0, outs), record.dtype)
        return replace(item, access=moved(item.access)) if isinstance(item, Load) else item

    shape = tuple(n.size for n in record.walked)
    stores = tuple(replace(store, access=moved(store.access)) for store in record.stores)
    return LoopNest(shape, (False,) * len(shape), tuple(map(read, record.body)), stores)
