"""Code that threads meet in: the barrier, the caller's entry, and the loop a worker waits in.

A team is an array of 64-bit words, each on a cache line of its own; `Word` numbers them. All wait
by spinning a while, then by sleeping in the system. A short sleep lets the next wait spin longer,
a long one makes it short: on a loaded machine others have the processor. Giving it away without
sleeping (`sched_yield`) is no help: threads that wait so give it to each other.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import Any

from llvmlite import ir

from slipstream.compiler.codegen.machine import module_text
from slipstream.compiler.codegen.vector import BYTES, I8, I32, I64, LINE
from slipstream.compiler.target import Target

WORD = 8
LEAST_SPINS = 100  # before a thread sleeps: some microseconds
MOST_AT_BARRIER, MOST_BETWEEN = 1_200, 10_000  # between programs Python has something to do
SPIN = 50  # nanoseconds, or a little less: a sleep no longer than all spins was not worth it
SEGMENT = ir.FunctionType(ir.VoidType(), [BYTES, I64, I64, BYTES])  # table, number, threads, team
BARRIER = ir.FunctionType(ir.VoidType(), [BYTES])
WAIT = ir.FunctionType(ir.VoidType(), [BYTES, I64, BYTES, I64])  # word, what it was, spins, most
WAKE = ir.FunctionType(ir.VoidType(), [BYTES])  # all who wait on a word
CLOCK = ir.FunctionType(I32, [I32, I64.as_pointer()])  # clock_gettime(clock, seconds and rest)
TOGETHER = "seq_cst"
YIELD_HINT = 1  # the number of AArch64's instruction `yield` among its hints
FUTEX = {"x86_64": 202, "aarch64": 98}  # the number of Linux's system call
FUTEX_WAIT, FUTEX_WAKE, EVERYBODY = 128, 129, 2**31 - 1  # in one process
MONOTONIC, SECOND = 1, 1_000_000_000


class Word(IntEnum):
    """What the words of a team hold."""

    GENERATION = 0  # counts the programs run
    ARRIVED = 1  # threads at the barrier
    PASSED = 2  # counts the barriers passed
    THREADS = 3
    STOP = 4
    SEGMENT = 5  # the address of the program
    TABLE = 6  # and of its table
    BARRIER = 7  # the address of the barrier
    WAIT = 8  # of what sleeps on a word
    WAKE = 9  # of what wakes those who do
    IDLE = 10  # how many sleep between programs
    SPINS_BETWEEN = 11  # before they do
    WAITING = 12  # how many sleep at a barrier
    SPINS_AT_BARRIER = 13  # before they do


class Turns(IntEnum):
    """What the words of a description of many runs of one program hold."""

    SEGMENT = 0  # the address of the program
    TABLE = 1  # and of its table, which stays as it is
    SLOTS = 2  # entries in the table
    STEPS = 3  # how many runs
    MOVING = 4  # the entry that is another one in each run
    BYTES = 5  # by how much
    FAULT = 6  # the address of the word that tells of a fault


class TeamWriter:
    """Writes the functions of a team in a module of their own."""

    def __init__(self, target: Target) -> None:
        self.target, self.module = target, ir.Module()

    def write(self) -> str:
        number = futex(self.target)
        if number is not None:
            self._futex(number)
        self._barrier()
        self._run()
        self._worker()
        self._repeat()
        return module_text(self.module, self.target)

    def _begin(self, name: str, kind: ir.FunctionType) -> Any:
        function = ir.Function(self.module, kind, name)
        self.b = ir.IRBuilder(function.append_basic_block())
        return function

    def _pause(self) -> None:
        """A hint that this is a loop which waits."""
        hint: list[Any] = []
        name = "llvm.x86.sse2.pause"
        if self.target.triple.startswith(("aarch64", "arm64")):
            name, hint = "llvm.aarch64.hint", [I32(YIELD_HINT)]
        known = self.module.globals.get(name)
        if known is None:
            kind = ir.FunctionType(ir.VoidType(), [argument.type for argument in hint])
            known = ir.Function(self.module, kind, name)
        self.b.call(known, hint)

    def _wait(self, word: Word, old: Any, asleep: Word, spins: Word, most: int) -> None:
        """Until a word is not what it was: spin, then sleep."""
        b = self.b
        limit = self._load(spins)
        before, look = b.block, b.append_basic_block()
        spin, sleep, again, after = (b.append_basic_block() for _ in range(4))
        b.branch(look)
        b.position_at_end(look)
        count = b.phi(I64)
        b.cbranch(b.icmp_unsigned("!=", self._load(word), old), after, spin)
        b.position_at_end(spin)
        self._pause()
        more = b.add(count, I64(1))
        b.cbranch(b.icmp_unsigned(">", more, limit), sleep, again)
        b.position_at_end(sleep)
        self._add(asleep, 1)
        self._call(Word.WAIT, WAIT, [self._bytes(word), old, self._bytes(spins), I64(most)])
        self._add(asleep, -1)
        b.branch(again)
        b.position_at_end(again)
        count.add_incoming(I64(0), before)
        count.add_incoming(more, again)
        b.branch(look)
        b.position_at_end(after)

    def _wake(self, word: Word, asleep: Word) -> None:
        """Wake those who sleep on a word, which has changed."""
        with self.b.if_then(self.b.icmp_unsigned("!=", self._load(asleep), I64(0)), likely=False):
            self._call(Word.WAKE, WAKE, [self._bytes(word)])

    def _bytes(self, word: Word) -> Any:
        return self.b.bitcast(self._place(word), BYTES)

    def _futex(self, number: int) -> None:
        """What sleeps on a word and what wakes, by the system call that Linux has for it."""
        system = ir.Function(self.module, ir.FunctionType(I64, [I64], var_arg=True), "syscall")
        clock = ir.Function(self.module, CLOCK, "clock_gettime")
        word, old, spins, most = self._begin("futex_wait", WAIT).args
        b, forever = self.b, ir.Constant(BYTES, None)
        time = b.alloca(I64, size=I64(2))

        def now() -> Any:
            b.call(clock, [I32(MONOTONIC), time])
            rest = b.load(b.gep(time, [I64(1)], source_etype=I64), typ=I64)
            return b.add(b.mul(b.load(time, typ=I64), I64(SECOND)), rest)

        begun = now()
        b.call(system, [I64(number), word, I32(FUTEX_WAIT), b.trunc(old, I32), forever])
        is_short = b.icmp_signed("<", b.sub(now(), begun), b.mul(most, I64(SPIN)))
        spins = b.bitcast(spins, I64.as_pointer())
        twice = b.mul(b.load_atomic(spins, TOGETHER, 8, typ=I64), I64(2))
        twice = b.select(b.icmp_signed("<", twice, most), twice, most)
        b.store_atomic(b.select(is_short, twice, I64(LEAST_SPINS)), spins, TOGETHER, 8)
        b.ret_void()
        (word,) = self._begin("futex_wake", WAKE).args
        self.b.call(system, [I64(number), word, I32(FUTEX_WAKE), I32(EVERYBODY)])
        self.b.ret_void()

    def _place(self, word: Word) -> Any:
        return team_word(self.b, self.team, word)

    def _load(self, word: Word) -> Any:
        return self.b.load_atomic(self._place(word), TOGETHER, 8, typ=I64)

    def _store(self, word: Word, value: Any) -> None:
        self.b.store_atomic(value, self._place(word), TOGETHER, 8)

    def _add(self, word: Word, number: int) -> Any:
        """What was there before."""
        return self.b.atomic_rmw("add", self._place(word), I64(number), TOGETHER)

    def _call(self, word: Word, kind: ir.FunctionType, arguments: list[Any]) -> Any:
        address = self._load(word)
        return self.b.call(self.b.inttoptr(address, kind.as_pointer()), arguments)

    def _barrier(self) -> None:
        """Nobody goes on before all have come; whoever comes last lets the others go."""
        (self.team,) = self._begin("barrier", BARRIER).args
        b = self.b
        passed = self._load(Word.PASSED)
        mine = b.add(self._add(Word.ARRIVED, 1), I64(1))
        with b.if_else(b.icmp_unsigned("==", mine, self._load(Word.THREADS))) as (last, others):
            with last:
                self._store(Word.ARRIVED, I64(0))
                self._store(Word.PASSED, b.add(passed, I64(1)))
                self._wake(Word.PASSED, Word.WAITING)
            with others:
                how = Word.WAITING, Word.SPINS_AT_BARRIER, MOST_AT_BARRIER
                self._wait(Word.PASSED, passed, *how)
        b.ret_void()

    def _run(self) -> None:
        """run(team, segment, table): by the caller, who is thread 0."""
        kind = ir.FunctionType(ir.VoidType(), [BYTES, I64, BYTES])
        self.team, segment, table = self._begin("run", kind).args
        b = self.b
        self._store(Word.SEGMENT, segment)
        self._store(Word.TABLE, b.ptrtoint(table, I64))
        self._add(Word.GENERATION, 1)
        self._wake(Word.GENERATION, Word.IDLE)
        self._work(I64(0))
        b.ret_void()

    def _work(self, number: Any) -> None:
        """The program, and a barrier: when the caller returns, all is done."""
        table = self.b.inttoptr(self._load(Word.TABLE), BYTES)
        arguments = [table, number, self._load(Word.THREADS), self.team]
        self._call(Word.SEGMENT, SEGMENT, arguments)
        self._call(Word.BARRIER, BARRIER, [self.team])

    def _repeat(self) -> None:
        """repeat(description, number, threads, team): a program that runs programs.

        Each thread has a table of its own, so that none waits for another to change it.
        """
        description, number, threads, self.team = self._begin("repeat", SEGMENT).args
        b = self.b

        def word(which: Turns) -> Any:
            place = b.gep(description, [I64(which * WORD)], source_etype=I8)
            return b.load(b.bitcast(place, I64.as_pointer()), typ=I64)

        slots, moving, steps = word(Turns.SLOTS), word(Turns.MOVING), word(Turns.STEPS)
        shared = b.inttoptr(word(Turns.TABLE), I64.as_pointer())
        fault = b.inttoptr(word(Turns.FAULT), I64.as_pointer())
        segment = b.inttoptr(word(Turns.SEGMENT), SEGMENT.as_pointer())
        mine = b.alloca(I64, size=slots)

        def copy(slot: Any) -> None:
            entry = b.load(b.gep(shared, [slot], source_etype=I64), typ=I64)
            b.store(entry, b.gep(mine, [slot], source_etype=I64))

        each(b, slots, copy)
        entry = b.gep(mine, [moving], source_etype=I64)
        size, table = word(Turns.BYTES), b.bitcast(mine, BYTES)

        def turn(_: Any) -> None:
            b.call(segment, [table, number, threads, self.team])
            with b.if_then(b.icmp_unsigned("!=", b.load(fault, typ=I64), I64(0)), likely=False):
                b.ret_void()
            b.store(b.add(b.load(entry, typ=I64), size), entry)
            with b.if_then(b.icmp_unsigned(">", threads, I64(1))):
                call_barrier(b, self.team)

        each(b, steps, turn)
        b.ret_void()

    def _worker(self) -> None:
        """worker(team, number): work whenever there is a program, until the team is stopped."""
        self.team, number = self._begin("worker", ir.FunctionType(ir.VoidType(), [BYTES, I64])).args
        b = self.b
        entry = b.block
        look, work, end = (b.append_basic_block() for _ in range(3))
        b.branch(look)
        b.position_at_end(look)
        seen = b.phi(I64)
        self._wait(Word.GENERATION, seen, Word.IDLE, Word.SPINS_BETWEEN, MOST_BETWEEN)
        now = b.add(seen, I64(1))  # nobody begins the next before this one is through
        b.cbranch(b.icmp_unsigned("!=", self._load(Word.STOP), I64(0)), end, work)
        b.position_at_end(work)
        self._work(number)
        seen.add_incoming(I64(0), entry)
        seen.add_incoming(now, b.block)
        b.branch(look)
        b.position_at_end(end)
        b.ret_void()


def futex(target: Target) -> int | None:
    """The number of the system call that threads sleep in; None where the system has none."""
    kind, _, rest = target.triple.partition("-")
    return FUTEX.get(kind) if "linux" in rest else None


def team_word(b: Any, team: Any, word: Word) -> Any:
    """The address of a word of a team."""
    place = b.gep(team, [I64(word * LINE)], source_etype=I8)
    return b.bitcast(place, I64.as_pointer())


def call_barrier(b: Any, team: Any) -> None:
    """A barrier in a program. A team of nobody has none."""
    address = b.load(team_word(b, team, Word.BARRIER), typ=I64)
    b.call(b.inttoptr(address, BARRIER.as_pointer()), [team])


def each(b: Any, end: Any, body: Callable[[Any], None], first: Any = None) -> None:
    """body(i) for i in range(first or 0, end), of which there is one at least."""
    before, inside, after = b.block, b.append_basic_block(), b.append_basic_block()
    b.branch(inside)
    b.position_at_end(inside)
    counter = b.phi(I64)
    body(counter)
    following = b.add(counter, I64(1))
    counter.add_incoming(I64(0) if first is None else first, before)
    counter.add_incoming(following, b.block)
    b.cbranch(b.icmp_unsigned("<", following, end), inside, after)
    b.position_at_end(after)
