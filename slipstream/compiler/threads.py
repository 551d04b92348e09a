"""The team of threads that runs programs in lockstep.

The caller is thread 0; the others are Python threads inside native code, where they spin for some
hundred microseconds after each program, and sleep on a lock when it stays quiet.
"""

from __future__ import annotations

import atexit
import ctypes
import os
import sys
import threading
from functools import lru_cache
from typing import Any

import numpy as np

from slipstream import settings
from slipstream.compiler import cache
from slipstream.compiler.code import compiled
from slipstream.compiler.codegen.image import linked
from slipstream.compiler.codegen.team import LINE, TeamWriter, Word
from slipstream.compiler.target import target

WORDS_A_LINE = LINE // 8


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
        self.worker = ctypes.CFUNCTYPE(word, pointer, word, word)(address("worker"))


@lru_cache(maxsize=1)
def _native() -> _Native:
    return _Native()


def _yield_address() -> int:
    """The system's way to give the processor to others."""
    if sys.platform == "win32":
        function: Any = ctypes.windll.kernel32.SwitchToThread
    else:
        function = ctypes.CDLL(None).sched_yield
    return ctypes.cast(function, ctypes.c_void_p).value or 0


class Team:
    """`count` threads, of which the caller is one."""

    def __init__(self, count: int) -> None:
        self.count, self.native = count, _native()
        self.busy = threading.Lock()
        self.guard = threading.Lock()  # who sleeps
        self.asleep: list[threading.Lock] = []
        memory = np.zeros(WORDS_A_LINE * (len(Word) + 1), np.int64)
        self.words = memory[-memory.ctypes.data % LINE // 8 :][::WORDS_A_LINE]
        self.address = self.words.ctypes.data
        self.wake = ctypes.CFUNCTYPE(None)(self._wake)
        self.words[Word.THREADS] = count
        self.words[Word.BARRIER] = self.native.barrier
        self.words[Word.YIELD] = _yield_address()
        self.words[Word.WAKE] = ctypes.cast(self.wake, ctypes.c_void_p).value or 0
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

    def _work(self, number: int) -> None:
        seen = 0
        while True:
            seen = self.native.worker(self.address, number, seen)
            if self.words[Word.STOP]:
                return
            bell = threading.Lock()
            bell.acquire()
            with self.guard:
                self.asleep.append(bell)
                self.words[Word.ASLEEP] = len(self.asleep)
            if self.words[Word.GENERATION] != seen:  # who began before that rings no bell
                self._wake()
            bell.acquire()

    def _wake(self) -> None:
        with self.guard:
            for bell in self.asleep:
                bell.release()
            self.asleep.clear()
            self.words[Word.ASLEEP] = 0

    def stop(self) -> None:
        """Let the workers end."""
        self.words[Word.STOP] = 1
        self._wake()


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
