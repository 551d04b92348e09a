"""What the machine can do at most: float32 multiply-adds a second of one core and of all.

    python benchmarks/peak.py

A loop that LLVM makes keeps twelve independent sums in vector registers and does nothing but
multiply and add: enough to hide the latency of a multiply-add, few enough for 16 registers.
"""

from __future__ import annotations

import ctypes
import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir

SUMS, TURNS, REPEATS, ATTEMPTS = 12, 400_000, 100, 3
INTEGER, FLOAT = ir.IntType(64), ir.FloatType()


def lanes() -> int:
    """Float32 numbers in a vector register of this processor."""
    features = llvm.get_host_cpu_features()
    if features.get("avx512f"):
        return 16
    return 8 if features.get("avx2") else 4


def loop(width: int) -> ir.Module:
    """`float peak(long turns, float x)`: `sum = x * x + sum` for every sum, in every turn."""
    vector = ir.VectorType(FLOAT, width)
    module = ir.Module()
    multiply_add = ir.Function(
        module, ir.FunctionType(vector, [vector] * 3), f"llvm.fma.v{width}f32"
    )
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
        added.append(b.call(multiply_add, [factor, factor, total]))
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


def compiled(module: ir.Module) -> tuple[Any, Callable[[int, float], float]]:
    """The engine, which must live as long as the function, and the function."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    machine = llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(), opt=2
    )
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(str(module)), machine)
    engine.finalize_object()
    kind = ctypes.CFUNCTYPE(ctypes.c_float, ctypes.c_int64, ctypes.c_float)
    return engine, kind(engine.get_function_address("peak"))


def rates(function: Callable[[int, float], float], count: int, work: float) -> list[float]:
    """The best rate of each of so many threads, all at it at once."""
    found = []

    def repeat() -> None:
        times = []
        for _ in range(REPEATS):
            start = time.perf_counter()
            function(TURNS, 0.5)  # gives up the interpreter's lock, so the threads run at once
            times.append(time.perf_counter() - start)
        found.append(work / min(times))

    threads = [threading.Thread(target=repeat) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def cores() -> int:
    """Cores this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def processor() -> str:
    """The processor's name and family, as the system tells them, and LLVM's name for it."""
    facts = Path("/proc/cpuinfo")
    lines = facts.read_text().splitlines() if facts.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else 'processor'} ({llvm.get_host_cpu_name()})"


def measured() -> dict[str, Any]:
    """GFLOP/s of one core and of all: the best of many runs, as others only take time away."""
    width = lanes()
    _engine, function = compiled(loop(width))
    work = 2 * SUMS * width * TURNS / 1e9
    return {
        "core": sum(rates(function, 1, work)),
        "all": max(sum(rates(function, cores(), work)) for _ in range(ATTEMPTS)),
        "cores": cores(),
        "processor": processor(),
    }


if __name__ == "__main__":
    print(json.dumps(measured()))
