"""The team of threads that runs programs in lockstep.

The caller is thread 0; the others are Python threads that stay inside native code, where they spin
a little after each program, and then sleep in the system.
"""

from __future__ import annotations

import atexit
import ctypes
import os
import threading
from functools import lru_cache
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from slipstream import settings
from slipstream.compiler import cache
from slipstream.compiler.code import compiled
from slipstream.compiler.codegen.image import linked
from slipstream.compiler.codegen.team import (
    LEAST_SPINS,
    LINE,
    MOST_AT_BARRIER,
    MOST_BETWEEN,
    SPIN,
    TeamWriter,
    Word,
    futex,
)
from slipstream.compiler.target import target
from slipstream.ir.memory import aligned

WORDS_A_LINE = LINE // 8
AWAKE = 5e-4  # seconds: about as long as workers spin between programs
WAIT = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p, ctypes.c_int64)
WAKE = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


class Sleep(NamedTuple):
    """How threads sleep on a word while it holds something, and wake the others."""

    wait: Any
    wake: Any


class _Native:
    """The functions that threads meet in."""

    def __init__(self) -> None:
        chosen = target()
        wanted = {cache.key_of("team", chosen): TeamWriter(chosen).write}
        self.code = linked(compiled(wanted, chosen), chosen)
        address = self.code.address
        pointer, word = ctypes.c_void_p, ctypes.c_int64
        self.barrier, self.repeat = address("barrier"), address("repeat")
        self.run = ctypes.CFUNCTYPE(None, pointer, word, pointer)(address("run"))
        self.worker = ctypes.CFUNCTYPE(None, pointer, word)(address("worker"))
        self.sleep: Sleep | None = None
        if futex(chosen) is not None:
            self.sleep = Sleep(WAIT(address("futex_wait")), WAKE(address("futex_wake")))


class Bell:
    """What threads sleep on where the system has no call for it."""

    def __init__(self) -> None:
        self.condition = threading.Condition()
        self.sleep = Sleep(WAIT(self._wait), WAKE(self._wake))

    def _wait(self, address: int, old: int, spins: int, most: int) -> None:
        word, patience = map(ctypes.c_int64.from_address, (address, spins))
        begun = perf_counter()
        with self.condition:
            while word.value == old:
                self.condition.wait()
        is_short = (perf_counter() - begun) * 1e9 < most * SPIN
        patience.value = min(2 * patience.value, most) if is_short else LEAST_SPINS

    def _wake(self, _: int) -> None:
        with self.condition:
            self.condition.notify_all()


@lru_cache(maxsize=1)
def _native() -> _Native:
    return _Native()


def _address_of(function: Any) -> int:
    return ctypes.cast(function, ctypes.c_void_p).value or 0


class Team:
    """`count` threads, of which the caller is one."""

    def __init__(self, count: int) -> None:
        self.count, self.native = count, _native()
        self.busy = threading.Lock()
        self.asked = 0.0  # when somebody did, on the system's clock
        self.words = aligned(LINE * len(Word)).view(np.int64)[::WORDS_A_LINE]
        self.words[:] = 0
        self.address = self.words.ctypes.data
        self.words[Word.THREADS] = count
        self.words[Word.BARRIER] = self.native.barrier
        self.words[Word.SPINS_BETWEEN] = MOST_BETWEEN
        self.words[Word.SPINS_AT_BARRIER] = MOST_AT_BARRIER
        self.sleep = self.native.sleep or Bell().sleep
        self.words[Word.WAIT], self.words[Word.WAKE] = map(_address_of, self.sleep)
        for number in range(1, count):
            name = f"slipstream-{number}"
            threading.Thread(target=self._work, args=(number,), name=name, daemon=True).start()

    def run(self, function: int, table: int) -> bool:
        """Run a program by all threads; False, and nothing done, if the team is at work."""
        if not self.busy.acquire(blocking=False):
            return False
        try:
            self.native.run(self.address, function, table)
        finally:
            self.busy.release()
        return True

    def rests(self) -> bool:
        """Whether nobody has asked lately, so that workers sleep or are about to."""
        now = perf_counter()
        before, self.asked = self.asked, now
        return now - before > AWAKE

    def _work(self, number: int) -> None:
        self.native.worker(self.address, number)

    def stop(self) -> None:
        """Let the workers end."""
        self.words[Word.STOP] = 1
        self.words[Word.GENERATION] += 1
        self.sleep.wake(self.words[Word.GENERATION :].ctypes.data)


def repeater() -> int:
    """The address of the program that runs a program again and again."""
    return _native().repeat


TEAMS: dict[int, Team] = {}
MAKING = threading.Lock()


def team() -> Team | None:
    """The team of as many threads as `SLIPSTREAM_THREADS` says; None where that is one."""
    count = settings.thread_count()
    if count == 1:
        return None
    known = TEAMS.get(count)
    if known is None:
        with MAKING:
            known = TEAMS.get(count) or TEAMS.setdefault(count, Team(count))
    return known


@atexit.register
def _stop_all() -> None:
    for known in TEAMS.values():
        known.stop()


def _forget() -> None:
    """A forked process has none of its parent's threads."""
    global MAKING
    TEAMS.clear()
    MAKING = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
