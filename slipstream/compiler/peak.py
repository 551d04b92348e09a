"""What the machine can do at most: float32 multiply-adds a second of one core and of several.

A loop keeps twelve independent sums in vector registers and does nothing but multiply and add:
enough to hide the latency of a multiply-add, few enough for 16 registers.
"""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Callable
from functools import lru_cache

from llvmlite import ir

from slipstream.compiler import cache
from slipstream.compiler.code import compiled
from slipstream.compiler.codegen.image import Image, LinkedByLLVM, linked
from slipstream.compiler.codegen.machine import module_text
from slipstream.compiler.target import Target, target

SUMS, TURNS = 12, 400_000
INTEGER, FLOAT = ir.IntType(64), ir.FloatType()
FUSED = ("contract",)  # one multiply-add, where the instruction set has it


def loop(width: int) -> ir.Module:
    """`float peak(long turns, float x)`: `sum = x * x + sum` for every sum, in every turn."""
    vector = ir.VectorType(FLOAT, width)
    module = ir.Module()
    peak = ir.Function(module, ir.FunctionType(FLOAT, [INTEGER, FLOAT]), "peak")
    turns, x = peak.args
    start, turn, end = (peak.append_basic_block(name) for name in ("start", "turn", "end"))
    b = ir.IRBuilder(start)
    factor = vector(ir.Undefined)
    for lane in range(width):
        factor = b.insert_element(factor, x, INTEGER(lane))
    b.branch(turn)
    b.position_at_end(turn)
    count = b.phi(INTEGER)
    count.add_incoming(INTEGER(0), start)
    sums = [b.phi(vector) for _ in range(SUMS)]
    added: list[ir.Value] = []
    for number, total in enumerate(sums):  # unequal, or the compiler would keep only one
        total.add_incoming(vector([FLOAT(number)] * width), start)
        # The factor is the sum before, so that the product stays in the loop.
        product = b.fmul(factor, total, flags=FUSED)
        added.append(b.fadd(product, factor, flags=FUSED))
        total.add_incoming(added[-1], turn)
    following = b.add(count, INTEGER(1))
    count.add_incoming(following, turn)
    b.cbranch(b.icmp_unsigned("<", following, turns), turn, end)
    b.position_at_end(end)
    whole = added[0]
    for total in added[1:]:
        whole = b.fadd(whole, total)
    b.ret(b.extract_element(whole, INTEGER(0)))
    return module


@lru_cache(maxsize=2)
def _function(chosen: Target) -> tuple[Image | LinkedByLLVM, Callable[[int, float], float]]:
    """The machine code, which must live as long as the function, and the function."""
    wanted = {cache.key_of("peak", chosen): lambda: module_text(loop(chosen.lanes(32)), chosen)}
    machine = linked(compiled(wanted, chosen), chosen)
    kind = ctypes.CFUNCTYPE(ctypes.c_float, ctypes.c_int64, ctypes.c_float)
    return machine, kind(machine.address("peak"))


def peak(threads: int = 1, repeats: int = 100) -> float:
    """GFLOP/s of so many threads at once, of the instruction set that programs are compiled for.

    The best of many runs of each thread, as others only take time away.
    """
    chosen = target()
    _machine, function = _function(chosen)
    work = 2 * SUMS * chosen.lanes(32) * TURNS / 1e9
    found = []

    def repeat() -> None:
        times = []
        for _ in range(repeats):
            start = time.perf_counter()
            function(TURNS, 0.5)  # gives up the interpreter's lock, so the threads run at once
            times.append(time.perf_counter() - start)
        found.append(work / min(times))

    workers = [threading.Thread(target=repeat) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return sum(found)
