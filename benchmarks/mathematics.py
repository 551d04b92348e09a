"""What functions of mathematics cost: nanoseconds an element on one thread, and errors in ulp.

    python benchmarks/mathematics.py [name ...]

Each function is compiled alone for two sizes of array that stay in the second cache level; their
difference is free of what a call costs. NumPy's time is that of the primitive's NumPy meaning.
Errors are of float32 against that meaning in float64, over every 9973rd bit pattern.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from llvmlite import ir

from slipstream.compiler.codegen.scalars import emit, is_native
from slipstream.compiler.codegen.vector import Writer, element_type
from slipstream.compiler.kernels import Apply
from slipstream.compiler.program import load
from slipstream.compiler.target import target
from slipstream.ir.dtypes import DType, float32, float64
from slipstream.ir.types import TensorType
from slipstream.primitives import REGISTRY
from slipstream.primitives.tracing import trace

RANGES: dict[str, tuple[float, float]] = {  # arguments that programs have
    "exp": (-10, 10), "expm1": (-10, 10), "log": (0.01, 10), "log1p": (-0.9, 10),
    "sigmoid": (-10, 10), "tanh": (-5, 5), "softplus": (-10, 10), "erf": (-3, 3), "erfc": (-3, 3),
    "sin": (-7, 7), "cos": (-7, 7), "tan": (-7, 7), "arctan": (-5, 5), "arcsin": (-1, 1),
    "arccos": (-1, 1), "sinh": (-5, 5), "cosh": (-5, 5), "arcsinh": (-5, 5), "arccosh": (1, 10),
    "arctanh": (-1, 1), "sqrt": (0, 10), "rsqrt": (0.01, 10), "erfinv": (-1, 1),
    "power": (0.01, 5), "arctan2": (-5, 5),
}  # fmt: skip
BINARY = ("power", "arctan2")
SIZES, REPEATS = (1 << 12, 1 << 15), 200
HEAD = (
    "function", "float32: ns", "NumPy ns", "ulp", "instructions", "float64: ns", "NumPy ns",
)  # fmt: skip


def compiled(name: str, size: int, dtype: DType) -> Any:
    """The function of so many numbers, as machine code."""
    arguments = [TensorType((size,), dtype)] * (2 if name in BINARY else 1)
    return load(trace(REGISTRY[name], arguments, name))


def seconds(run: Callable[[Sequence[Any]], Any], arrays: Sequence[Any], repeats: int) -> float:
    """The shortest of many runs, as others only take time away."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run(arrays)
        times.append(time.perf_counter() - start)
    return min(times)


def nanoseconds(name: str, dtype: DType, is_compiled: bool) -> float:
    """What one more element costs."""
    random, found = np.random.default_rng(0), []
    for size in SIZES:
        count = 2 if name in BINARY else 1
        arrays = [random.uniform(*RANGES[name], size).astype(dtype.numpy) for _ in range(count)]
        if is_compiled:
            found.append(seconds(compiled(name, size, dtype), arrays, REPEATS))
        else:
            meaning = REGISTRY[name]
            found.append(seconds(lambda a, p=meaning: p.compute(tuple(a), {}), arrays, 20))
    small, large = found
    return (large - small) / (SIZES[1] - SIZES[0]) * 1e9


def error(name: str) -> float:
    """The largest error in float32, in ulp, of what is finite."""
    x = np.arange(0, 2**32, 9973, dtype=np.uint64).astype(np.uint32).view("float32")
    arrays = [x, np.random.default_rng(0).permutation(x)] if name in BINARY else [x]
    (found,) = compiled(name, len(x), float32)(arrays)
    with np.errstate(all="ignore"):
        (exact,) = REGISTRY[name].compute(tuple(a.astype("float64") for a in arrays), {})
        wanted = exact.astype("float32")
        off = np.abs(found - exact) / np.spacing(np.abs(wanted)).astype("float64")
    return float(off[np.isfinite(wanted)].max())


def instructions(name: str, dtype: DType) -> str:
    """How many LLVM instructions one application is, if it is not expanded."""
    count = 2 if name in BINARY else 1
    if not is_native(REGISTRY[name], [dtype] * count, [dtype]):
        return "expanded"
    writer = Writer(ir.Module(), "application", 1, target().lanes(dtype.bits))
    given = [ir.Constant(writer.vector(element_type(dtype)), ir.Undefined)] * count
    emit(writer, Apply(REGISTRY[name], tuple(range(count)), (dtype,) * count, dtype), given)
    return str(sum(len(block.instructions) for block in writer.function.blocks))


def row(name: str) -> tuple[str, ...]:
    """A function's line of the table."""
    times = [nanoseconds(name, d, c) for d in (float32, float64) for c in (True, False)]
    single, numpy_single, double, numpy_double = (f"{t:.2f}" for t in times)
    counted = instructions(name, float32)
    return name, single, numpy_single, f"{error(name):.2f}", counted, double, numpy_double


def main(names: Sequence[str]) -> None:
    """Print the table, a line as it is measured."""
    for cells in (HEAD, ("---",) * len(HEAD)):
        print(f"| {' | '.join(cells)} |")
    for name in names:
        print(f"| {' | '.join(row(name))} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:] or [*RANGES])
