"""Convolutions of 3 x 3 taps, plain and in tiles: time of one core, and error beside float64.

python benchmarks/convolutions.py
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

os.environ["SLIPSTREAM_THREADS"] = "1"

import numpy as np

from slipstream.compiler.passes import winograd
from slipstream.compiler.pipeline import schedule
from slipstream.compiler.program import Program
from slipstream.ir.dtypes import from_numpy
from slipstream.ir.graph import Graph
from slipstream.ir.types import TensorType
from slipstream.primitives import REGISTRY
from slipstream.primitives.evaluate import evaluate
from slipstream.primitives.tracing import trace

SIZES = [  # batch, side, channels in and out, padding
    (64, 13, 32, 64, 0),
    (32, 32, 32, 32, 1),
    (32, 16, 64, 64, 1),
    (32, 8, 128, 128, 1),
]
Array = np.ndarray[Any, Any]
RUNS = 30


def ways(x: Array, w: Array, padding: int) -> dict[str, Callable[..., Any]]:
    """The convolution and its gradients, as functions of x, w and the cotangent."""
    edge = (padding, padding)
    p = {"strides": (1, 1), "low": edge, "high": edge, "dilation": (1, 1), "groups": 1}
    apply = REGISTRY.__getitem__
    by_input, by_filter = (apply(f"convolution_{name}_gradient") for name in ("input", "filter"))
    return {
        "forward": lambda x, w, g: apply("convolution")(x, w, **p),
        "by input": lambda x_, w, g: by_input(g, w, input_shape=x.shape, **p),
        "by filter": lambda x, w_, g: by_filter(x, g, filter_shape=w.shape, **p),
    }


def drawn(function: Callable[..., Any], arrays: list[Array]) -> Graph:
    types = [TensorType(a.shape, from_numpy(a.dtype)) for a in arrays]
    return trace(function, types, "convolution")


def measured(graph: Graph, arrays: list[Array], exact: Array) -> tuple[float, float]:
    """Milliseconds of the processor at the least, and the error beside the largest result."""
    program, best = Program(schedule(graph, ()), ()), float("inf")  # planned anew
    for _ in range(RUNS):
        start = time.thread_time()
        (found,) = program(arrays)
        best = min(best, time.thread_time() - start)
    return best * 1e3, float(np.abs(found - exact).max() / np.abs(exact).max())


def main() -> None:
    worth = winograd.WORTH
    print("| convolution | way | plain, ms | tiles, ms | times | error, plain | error, tiles |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for n, side, ci, co, padding in SIZES:
        random = np.random.default_rng(0)
        out = side + 2 * padding - 2
        x = random.normal(size=(n, side, side, ci))
        w = random.normal(size=(3, 3, ci, co)) / np.sqrt(9 * ci)
        wide = [x, w, random.normal(size=(n, out, out, co))]
        arrays = [a.astype(np.float32) for a in wide]
        for name, function in ways(x, w, padding).items():
            exact_arrays = [a.astype(np.float64) for a in arrays]
            (exact,) = evaluate(drawn(function, exact_arrays), exact_arrays)
            found = []
            for limit in (1 << 60, worth):
                winograd.WORTH = limit
                found.append(measured(drawn(function, arrays), arrays, exact))
            (plain, wrong), (tiles, off) = found
            title = f"{n} x {side} x {side}, {ci} to {co}"
            ratio = plain / tiles
            print(f"| {title} | {name} | {plain:.2f} | {tiles:.2f} | {ratio:.2f} |"
                  f" {wrong:.1e} | {off:.1e} |", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
