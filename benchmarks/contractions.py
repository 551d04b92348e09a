"""Contractions cut into blocks beside the same ones uncut: share of the machine's peak.

    python benchmarks/contractions.py [--threads 1] [--seconds 3] [names]

Both run in turn, and the shortest of many runs counts. With one thread that is processor time, so
other programs disturb little but the caches.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Sequence
from typing import Any
from unittest import mock

import numpy as np

from slipstream.compiler.passes import block
from slipstream.compiler.peak import peak
from slipstream.compiler.pipeline import schedule
from slipstream.compiler.program import Program
from slipstream.ir.dtypes import from_numpy
from slipstream.ir.types import TensorType
from slipstream.primitives import REGISTRY
from slipstream.primitives.tracing import trace

Array = np.ndarray[Any, Any]
Labels = tuple[int, ...]
Case = tuple[Callable[..., Any], list[Array], float]  # the operation, its operands, its products
LEFT, RIGHT, OUT, SHARED = (0, 1), (1, 2), (0, 2), 3
SINGLE = {"strides": (1, 1), "dilation": (1, 1), "low": (0, 0), "high": (0, 0), "groups": 1}


def numbers(*shape: int, dtype: Any = np.float32) -> Array:
    return np.random.default_rng(0).random(shape, dtype=dtype)


def product(
    m: int, k: int, n: int, left: Labels = LEFT, right: Labels = RIGHT, **kind: Any
) -> Case:
    """Matrices; `batch` of them, if that is given."""
    batch = kind.get("batch")
    sizes = {0: m, 1: k, 2: n, SHARED: batch}
    first = () if batch is None else (SHARED,)
    labels = [(*first, *own) for own in (left, right, OUT)]
    names = dict(zip(("x_labels", "y_labels", "out_labels"), labels, strict=True))
    arrays = [
        numbers(*(sizes[i] for i in own), dtype=kind.get("dtype", np.float32)) for own in labels[:2]
    ]
    return lambda x, y: REGISTRY["contract"](x, y, **names), arrays, (batch or 1) * m * k * n


def convolution(images: int, size: int, channels: int, filters: int) -> Case:
    arrays = [numbers(images, size + 2, size + 2, channels), numbers(3, 3, channels, filters)]
    work = images * size**2 * 9 * channels * filters
    return lambda x, w: REGISTRY["convolution"](x, w, **SINGLE), arrays, work


def by_filter(images: int, size: int, channels: int, filters: int) -> Case:
    arrays = [numbers(images, size + 2, size + 2, channels), numbers(images, size, size, filters)]
    shape = (3, 3, channels, filters)
    gradient = REGISTRY["convolution_filter_gradient"]
    work = images * size**2 * 9 * channels * filters
    return lambda x, g: gradient(x, g, filter_shape=shape, **SINGLE), arrays, work


CASES: dict[str, Callable[[], Case]] = {
    **{
        str(n): lambda n=n: product(n, n, n)
        for n in (256, 384, 512, 768, 1000, 1023, 1024, 1537, 2048)
    },  # type: ignore[misc]
    "1024, left turned": lambda: product(1024, 1024, 1024, left=(1, 0)),
    "1024, right turned": lambda: product(1024, 1024, 1024, right=(2, 1)),
    "1024, both turned": lambda: product(1024, 1024, 1024, (1, 0), (2, 1)),
    "1024, float64": lambda: product(1024, 1024, 1024, dtype=np.float64),
    "16 of 256": lambda: product(256, 256, 256, batch=16),
    "4 of 768": lambda: product(768, 768, 768, batch=4),
    "36 of 1024x64x32": lambda: product(1024, 64, 32, batch=36),
    "36 of 32x576x64, left turned": lambda: product(32, 576, 64, left=(1, 0), batch=36),
    "36 of 64x576x32, left turned": lambda: product(64, 576, 32, left=(1, 0), batch=36),
    "36 of 576x32x64": lambda: product(576, 32, 64, batch=36),
    "128 of 64x32x64": lambda: product(64, 32, 64, batch=128),
    "128 of 64x64x32": lambda: product(64, 64, 32, batch=128),
    "64x1600x128": lambda: product(64, 1600, 128),
    "1600x64x128, left turned": lambda: product(1600, 64, 128, left=(1, 0)),
    "64x128x512": lambda: product(64, 128, 512),
    "64x512x128": lambda: product(64, 512, 128),
    "2048x128x512": lambda: product(2048, 128, 512),
    "2048x512x128": lambda: product(2048, 512, 128),
    "128x2048x512, left turned": lambda: product(128, 2048, 512, left=(1, 0)),
    "64x784x128": lambda: product(64, 784, 128),
    "128x2048x2048": lambda: product(128, 2048, 2048),
    "2048x2048x128": lambda: product(2048, 2048, 128),
    "288x43000x64, left turned": lambda: product(288, 43_000, 64, left=(1, 0)),
    "convolution 26x26, 1 to 32": lambda: convolution(64, 26, 1, 32),
    "filter gradient 26x26, 1 by 32": lambda: by_filter(64, 26, 1, 32),
    "convolution 28x28, 64 to 64": lambda: convolution(32, 28, 64, 64),
    "convolution 7x7, 512 to 512": lambda: convolution(32, 7, 512, 512),
    "filter gradient 26x26, 32 by 64": lambda: by_filter(64, 26, 32, 64),
}


def rates(case: Case, threads: int, seconds: float) -> list[float]:
    """GFLOP/s uncut and in blocks, if that is another program; neither is found again by name."""
    function, arrays, work = case
    types = [TensorType(a.shape, from_numpy(a.dtype)) for a in arrays]
    graph = trace(function, types, "contraction")
    with mock.patch.object(block, "is_large", lambda *_: False):
        programs = [Program(schedule(graph, ()), ())]
    programs.append(Program(schedule(graph, ()), ()))
    clock = time.thread_time if threads == 1 else time.perf_counter
    best = [float("inf")] * 2
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or max(best) == float("inf"):
        for number, program in enumerate(programs):
            start = clock()
            program(arrays)
            best[number] = min(best[number], clock() - start)
    return [2 * work / spent / 1e9 for spent in best]


def main(names: Sequence[str], threads: int, seconds: float) -> None:
    os.environ["SLIPSTREAM_THREADS"] = str(threads)
    most = peak(threads)
    print(f"peak {most:.0f} GFLOP/s, {threads} threads")
    print("| | uncut | in blocks |\n| --- | ---: | ---: |")
    for name in names or CASES:
        case = CASES[name]()
        scale = 100 / most * (2 if case[1][0].dtype == np.float64 else 1)
        uncut, cut = (
            f"{rate:.0f} ({rate * scale:.0f} %)" for rate in rates(case, threads, seconds)
        )
        print(f"| {name} | {uncut} | {cut} |", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="contractions in blocks beside the same uncut")
    parser.add_argument("names", nargs="*", help=f"of {', '.join(CASES)}; all if none")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=3.0, help="for each")
    options = parser.parse_args()
    main(options.names, options.threads, options.seconds)
