"""The steps of a program as they are made: what runs, and what it touches."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

from slipstream.compiler.collapse import tidied
from slipstream.compiler.kernels import Contraction
from slipstream.compiler.passes.block import in_blocks
from slipstream.compiler.passes.fuse import Group
from slipstream.compiler.passes.lay import Call
from slipstream.compiler.passes.place import Step
from slipstream.compiler.target import Target
from slipstream.ir.graph import Node, Value


@dataclass(frozen=True)
class KernelStep:
    """The kernels of a group, each with the values it is called with; of a chain its steps, too."""

    calls: tuple[Call, ...]
    written: tuple[Value, ...]
    group: Group
    chained: tuple[KernelStep, ...] = ()


@dataclass(frozen=True)
class CallStep:
    """A node that NumPy computes."""

    node: Node


class Made(NamedTuple):
    """A step, and what it touches. Where there is no step, something may fail there."""

    step: KernelStep | CallStep | None
    touched: Step


def made(
    calls: tuple[Call, ...],
    written: tuple[Value, ...],
    group: Group,
    scratch: tuple[Value, ...] = (),
    in_step: frozenset[Value] = frozenset(),
    may_fail: bool = False,
) -> Made:
    """The step of kernels that write these values, and nothing that lasts besides."""
    calls = tuple((tidied(kernel), values) for kernel, values in calls)
    writes = (*written, *scratch)
    reads = tuple(v for _, buffers in calls for v in buffers if v not in writes)
    return Made(KernelStep(calls, written, group), Step(True, reads, writes, in_step, may_fail))


def only_call(one: Made) -> Call | None:
    """The kernel of a step that has no other, with its values."""
    is_single = isinstance(one.step, KernelStep) and len(one.step.calls) == 1
    return one.step.calls[0] if is_single else None  # type: ignore[union-attr]


def cut(one: Made, target: Target) -> Made:
    """The step with those of its contractions in blocks whose operands leave the cache."""
    step, touched = one
    if not isinstance(step, KernelStep):
        return one
    calls: list[Call] = []
    for kernel, values in step.calls:
        blocked = in_blocks(kernel, values, target) if isinstance(kernel, Contraction) else None
        if blocked is None:
            calls.append((kernel, values))
            continue
        calls += blocked.calls
        touched = touched._replace(
            writes=(*touched.writes, *blocked.scratch), in_step=touched.in_step - {*values[:2]}
        )
    return Made(replace(step, calls=tuple(calls)), touched)
