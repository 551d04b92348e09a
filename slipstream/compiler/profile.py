"""Programs that measure themselves: the time of every kernel, of every call to NumPy.

A program is compiled with marks between its kernels: thread 0 reads the clock when all threads have
done the kernel. So each kernel runs as it does without them, by the team and within one native
call, but alone: none begins while another thread is at the one before.
"""

from __future__ import annotations

import ctypes
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from slipstream.compiler.accesses import walks
from slipstream.compiler.codegen.emit import Calls, Segment
from slipstream.compiler.codegen.mark import SECOND, OfClock, OfEntry
from slipstream.compiler.describe import (
    bare_kind,
    bare_text,
    bytes_touched,
    flops,
    kind_of,
    node_text,
    products,
    text_of,
)
from slipstream.compiler.kernels import (
    Chain,
    Contraction,
    Kernel,
    Mark,
    TimeLoop,
    is_for_all,
    is_shared,
)
from slipstream.compiler.kernels import Entry as TableEntry
from slipstream.compiler.passes.lay import Call
from slipstream.compiler.passes.picked import FAULT
from slipstream.compiler.pipeline import KernelStep, Schedule, schedule
from slipstream.compiler.program import Frame, Program, is_idle
from slipstream.ir.graph import Array, Graph, Node, Value


@dataclass(frozen=True)
class Entry:
    """What is timed: a kernel, a call to NumPy, a loop."""

    kind: str
    text: str
    origin: str | None = None  # the user's file:line
    is_shared: bool = False  # by all threads
    flops: int | None = None  # of one call, if it is a contraction
    bytes: int | None = None  # that one call reads and writes, if that is known
    is_double: bool = False  # in float64, of which half as many go at once


class Measured(NamedTuple):
    """How often an entry has run, how many nanoseconds in all, and how many the fastest time."""

    entry: Entry
    calls: int
    total: int
    least: int


@lru_cache(maxsize=1)
def _clock() -> tuple[int, int | None, float]:
    """The address of the system's clock, what it is asked for, nanoseconds a tick."""
    if sys.platform == "win32":
        kernel = ctypes.windll.kernel32
        ticks = ctypes.c_int64()
        kernel.QueryPerformanceFrequency(ctypes.byref(ticks))
        return _address(kernel.QueryPerformanceCounter), None, SECOND / ticks.value
    return _address(ctypes.CDLL(None).clock_gettime), time.CLOCK_MONOTONIC, 1.0


def _address(function: Any) -> int:
    return ctypes.cast(function, ctypes.c_void_p).value or 0


class ProfiledProgram(Program):
    """A program that counts and times its runs and what they are made of."""

    def __init__(self, planned: Schedule, in_place: Sequence[tuple[int, int]]) -> None:
        self.entries: list[Entry] = []
        self._timers: dict[int, _Timed] = {}  # of those entries that run in Python
        self.runs_made = self.nanoseconds = 0
        self._clock = Value(FAULT)  # a slot for the words of the clock
        self._marks: dict[int, Value] = {}  # and for those of the entries that marks time
        self._words: list[Array] = []  # of the entries, in each frame
        self._steps = {
            call: s for s in planned.steps if isinstance(s, KernelStep) for call in s.calls
        }
        super().__init__(planned, in_place)

    def _segment(self, calls: list[Call]) -> Segment:
        calls = [call for call in calls if not is_idle(call[0], self._slots(call))]
        plain, entries = super()._segment(calls), [self._entry(call) for call in calls]
        return Segment(*self._marked(plain.calls, entries, self._slot, is_loop=False))

    def _marked(
        self, calls: Calls, entries: Sequence[Entry], place: Callable[[Value], int], is_loop: bool
    ) -> tuple[tuple[Any, ...], tuple[int, ...]]:
        """The calls with a mark after every kernel, and the numbers of those that threads wait for.

        All wait before a mark that any of them could pass too early: where all work on the kernel
        before it, or on the one after. These are all the barriers that there need be.
        """
        asked, clock = _clock()[1], place(self._clock)
        start = Mark(True, asked), (clock,)
        made: list[Any] = [start]
        barriers = []
        for number, ((kernel, places), entry) in enumerate(zip(calls, entries, strict=True)):
            after = [*calls[number + 1 :], *(calls[:1] if is_loop else ())][:1]
            if isinstance(kernel, TimeLoop | Chain):
                looped, more = self._marked_loop(kernel, entry, place)
                made.append((looped, (*places, *more)))
                mark: Any = start
            else:
                made.append((kernel, places))
                mark = Mark(False, asked), (clock, place(self._mark(entry)))
            if is_for_all(kernel) or any(is_for_all(following) for following, _ in after):
                barriers.append(len(made))
            made.append(mark)
        return tuple(made), tuple(barriers)

    def _marked_loop(
        self, loop: TimeLoop | Chain, entry: Entry, place: Callable[[Value], int]
    ) -> tuple[TimeLoop | Chain, list[int]]:
        """A loop with marks between the kernels of a turn, and where the buffers it needs more are.

        What it does itself, between two turns, is of no entry. In a chain, and in a
        loop in parts, thread 0 has the clock: an entry is one kernel on the parts that it does.
        """
        values: list[Value] = []

        def within(value: Value) -> int:
            if value not in values:
                values.append(value)
            return len(loop.entries) + values.index(value)

        entries = [_step_entry(kernel, loop, entry) for kernel, _ in loop.calls]
        calls, barriers = self._marked(loop.calls, entries, within, is_loop=True)
        own = tuple(TableEntry(loop.buffers + number) for number in range(len(values)))
        looped = replace(loop, calls=calls, entries=(*loop.entries, *own))
        if isinstance(looped, TimeLoop) and looped.parts == 1:
            looped = replace(looped, barriers=barriers)
        elif isinstance(looped, TimeLoop):
            looped = replace(looped, shares=(*looped.shares, *(0 for _ in own)))
        return looped, [place(value) for value in values]

    def _mark(self, entry: Entry) -> Value:
        """What stands for the words of a new entry."""
        mark = self._marks[len(self.entries)] = Value(FAULT)
        self.entries.append(entry)
        return mark

    def _entry(self, call: Call) -> Entry:
        kernel, values = call
        step = self._steps[call]
        wide = any(v.type.dtype.bits == 64 and v.type.dtype.is_floating for v in values)
        return Entry(
            kind_of(kernel, step.group), text_of(call, step), step.group.nodes[0].origin,
            is_shared(kernel), flops(kernel, step.group), bytes_touched(call), wide,
        )  # fmt: skip

    def _called(self, node: Node) -> Callable[[Frame], None]:
        timed = self._timers[len(self.entries)] = _Timed(super()._called(node))
        self.entries.append(Entry("call-out", node_text(node), node.origin))
        return timed

    def _frame(self) -> Frame:
        frame = super()._frame()
        if self._marks:
            clock = np.zeros(len(OfClock), np.int64)
            clock[OfClock.ADDRESS] = _clock()[0]
            frame.put(self.slots[self._clock], clock)
            words = np.zeros((len(self.entries), len(OfEntry)), np.int64)
            self._words.append(words)
            for number, mark in self._marks.items():
                frame.put(self.slots[mark], words[number])
        return frame

    # running

    def __call__(self, arrays: Sequence[Array]) -> list[Array]:
        with self._timed(1):
            return super().__call__(arrays)

    def repeat(self, arrays: Sequence[Array], moving: int, steps: int) -> list[Array]:
        """As the program does, which calls itself where it is not one function."""
        if not self.is_one_function:
            return super().repeat(arrays, moving, steps)
        with self._timed(steps):
            return super().repeat(arrays, moving, steps)

    @contextmanager
    def _timed(self, runs: int) -> Iterator[None]:
        begun = time.perf_counter_ns()
        try:
            yield
        finally:
            self.nanoseconds += time.perf_counter_ns() - begun
            self.runs_made += runs

    # what came of it

    def measured(self) -> list[Measured]:
        """The entries that have run; of a loop those of its kernels."""
        found = []
        for number, entry in enumerate(self.entries):
            timer = self._timers.get(number)
            found += self._found(number, entry) if timer is None else timer.measured(entry)
        return found

    def _found(self, number: int, entry: Entry) -> list[Measured]:
        """What marks have found for an entry, in all frames."""
        tick, parts = _clock()[2], [words[number] for words in self._words]
        parts = [part for part in parts if part[OfEntry.COUNT]]
        if not parts:
            return []
        total, calls, _ = np.sum(parts, axis=0)
        least = np.min(parts, axis=0)[OfEntry.LEAST]
        return [Measured(entry, int(calls), int(total * tick), int(least * tick))]


class _Timed:
    """What runs in Python, with its time."""

    def __init__(self, run: Callable[[Frame], None]) -> None:
        self.run = run
        self.times: list[int] = []

    def __call__(self, frame: Frame) -> None:
        begun = time.perf_counter_ns()
        try:
            self.run(frame)
        finally:
            self.times.append(time.perf_counter_ns() - begun)

    def measured(self, entry: Entry) -> list[Measured]:
        """The entry with its time."""
        if not self.times:
            return []
        return [Measured(entry, len(self.times), sum(self.times), min(self.times))]


def _step_entry(kernel: Kernel, loop: TimeLoop | Chain, whole: Entry) -> Entry:
    """The entry of a kernel in a loop, of which no group is known."""
    product, is_chain = isinstance(kernel, Contraction), isinstance(loop, Chain)
    is_alone = is_chain or (isinstance(loop, TimeLoop) and loop.parts > 1)
    return Entry(
        f"{'part' if is_chain else 'step'}: {bare_kind(kernel)}", bare_text(kernel), whole.origin,
        is_shared(kernel) and not is_alone,
        products(kernel) if product else None, sum(w.count * w.item for w in walks(kernel)),
        product and kernel.dtype.bits == 64,
    )  # fmt: skip


class Loaded(NamedTuple):
    """A program, and the seconds that it took to plan it and to make its code (or to find it)."""

    program: ProfiledProgram
    planning: float
    coding: float


class Profile:
    """The programs that were loaded while it was in force."""

    def __init__(self) -> None:
        self.loaded: list[Loaded] = []

    def load(self, graph: Graph, in_place: tuple[tuple[int, int], ...] = ()) -> ProfiledProgram:
        """The compiled program of a graph, which measures itself."""
        begun = time.perf_counter()
        planned = schedule(graph, in_place)
        ready = time.perf_counter()
        program = ProfiledProgram(planned, in_place)
        self.loaded.append(Loaded(program, ready - begun, time.perf_counter() - ready))
        return program
