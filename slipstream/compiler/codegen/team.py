"""Code that threads meet in: the barrier, the caller's entry, and the loop a worker waits in.

A team is an array of 64-bit words, each on a cache line of its own; `Word` numbers them. All wait
by spinning a while, then by giving the processor to others.
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
SPINS_AT_BARRIER = 2_000  # before the processor is offered to others
SPINS_BEFORE_SLEEP = 10_000  # between programs: some hundred microseconds
SEGMENT = ir.FunctionType(ir.VoidType(), [BYTES, I64, I64, BYTES])  # table, number, threads, team
BARRIER = ir.FunctionType(ir.VoidType(), [BYTES])
WAKE = ir.FunctionType(ir.VoidType(), [])
YIELD = ir.FunctionType(I32, [])
TOGETHER = "seq_cst"
YIELD_HINT = 1  # the number of AArch64's instruction `yield` among its hints


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
    YIELD = 8  # of what gives the processor to others
    WAKE = 9  # of what wakes the workers that sleep
    ASLEEP = 10  # how many do


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

    def _wait(self, is_over: Callable[[], Any], spins: int) -> None:
        """Spin until it is over, then again and again give the processor away."""
        b = self.b
        before, look = b.block, b.append_basic_block()
        spin, offer, again = (b.append_basic_block() for _ in range(3))
        after = b.append_basic_block()
        b.branch(look)
        b.position_at_end(look)
        count = b.phi(I64)
        b.cbranch(is_over(), after, spin)
        b.position_at_end(spin)
        self._pause()
        more = b.add(count, I64(1))
        b.cbranch(b.icmp_unsigned(">", more, I64(spins)), offer, again)
        b.position_at_end(offer)
        self._call(Word.YIELD, YIELD, [])
        b.branch(again)
        b.position_at_end(again)
        count.add_incoming(I64(0), before)
        count.add_incoming(more, again)
        b.branch(look)
        b.position_at_end(after)

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
            with others:
                self._wait(
                    lambda: b.icmp_unsigned("!=", self._load(Word.PASSED), passed),
                    SPINS_AT_BARRIER,
                )
        b.ret_void()

    def _run(self) -> None:
        """run(team, segment, table): by the caller, who is thread 0."""
        kind = ir.FunctionType(ir.VoidType(), [BYTES, I64, BYTES])
        self.team, segment, table = self._begin("run", kind).args
        b = self.b
        self._store(Word.SEGMENT, segment)
        self._store(Word.TABLE, b.ptrtoint(table, I64))
        self._add(Word.GENERATION, 1)
        with b.if_then(b.icmp_unsigned("!=", self._load(Word.ASLEEP), I64(0)), likely=False):
            self._call(Word.WAKE, WAKE, [])
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
        """worker(team, number, seen): work until it is quiet; then what was seen, to sleep on."""
        kind = ir.FunctionType(I64, [BYTES, I64, I64])
        function = self._begin("worker", kind)
        self.team, number, first = function.args
        b = self.b
        entry, look = b.block, b.append_basic_block()
        work, spin, rest, again = (b.append_basic_block() for _ in range(4))
        b.branch(look)
        b.position_at_end(look)
        seen, count = b.phi(I64), b.phi(I64)
        now = self._load(Word.GENERATION)
        b.cbranch(b.icmp_unsigned("!=", now, seen), work, spin)
        b.position_at_end(work)
        self._work(number)
        worked = b.block
        b.branch(look)
        b.position_at_end(spin)
        self._pause()
        more = b.add(count, I64(1))
        is_stopped = b.icmp_unsigned("!=", self._load(Word.STOP), I64(0))
        is_long = b.icmp_unsigned(">", more, I64(SPINS_BEFORE_SLEEP))
        b.cbranch(b.or_(is_stopped, is_long), rest, again)
        b.position_at_end(again)
        b.branch(look)
        b.position_at_end(rest)
        b.ret(seen)
        for phi, values in (
            (seen, (first, now, seen)),
            (count, (I64(0), I64(0), more)),
        ):
            for value, block in zip(values, (entry, worked, again), strict=True):
                phi.add_incoming(value, block)


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
