"""Milliseconds of the NumPy meanings of convolution and pooling, without any compiler.

The best of several runs: other programs on the machine only ever add time.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from slipstream.primitives.base import REGISTRY
from slipstream.primitives.window import Windows, kept

# input, filter, padding on each side, groups
CONVOLUTIONS = (
    ((64, 13, 13, 32), (3, 3, 32, 64), 0, 1),
    ((64, 28, 28, 1), (3, 3, 1, 32), 0, 1),
    ((64, 28, 28, 3), (3, 3, 3, 32), 1, 1),
    ((32, 32, 32, 64), (3, 3, 64, 64), 1, 1),
    ((64, 14, 14, 64), (1, 1, 64, 128), 0, 1),
    ((64, 14, 14, 32), (3, 3, 1, 32), 1, 32),
)
POOLS = (((64, 26, 26, 32), 2, 2), ((64, 26, 26, 32), 3, 2))


def best(function: Callable[..., Any], *arrays: Any, **given: Any) -> float:
    """The shortest time of one call, in milliseconds."""
    times = []
    for _ in range(15):
        start = time.perf_counter()
        for _ in range(3):
            function(*arrays, **given)
        times.append((time.perf_counter() - start) / 3)
    return min(times) * 1e3


def convolutions(generator: np.random.Generator) -> None:
    names = ("convolution", "convolution_input_gradient", "convolution_filter_gradient")
    forward, by_input, by_filter = (REGISTRY[name].meaning for name in names)
    for shape, filter_shape, padding, groups in CONVOLUTIONS:
        x = generator.normal(size=shape).astype(np.float32)
        w = generator.normal(size=filter_shape).astype(np.float32)
        sides = {"low": (padding,) * 2, "high": (padding,) * 2}
        given = {"strides": (1, 1), "dilation": (1, 1), "groups": groups, **sides}
        g = forward(x, w, **given)
        times = (
            best(forward, x, w, **given),
            best(by_input, g, w, input_shape=shape, **given),
            best(by_filter, x, g, filter_shape=filter_shape, **given),
        )
        print(f"{shape} by {filter_shape}: " + " / ".join(f"{t:.2f}" for t in times))


def pools(generator: np.random.Generator) -> None:
    names = ("window_max", "window_argmax", "window_place")
    maximum, argmax, place = (REGISTRY[name].meaning for name in names)
    for shape, size, stride in POOLS:
        x = generator.normal(size=shape).astype(np.float32)
        given = Windows((size,) * 2, (stride,) * 2, (0, 0), (0, 0), (1, 1))._asdict()
        y, index = maximum(x, **given), argmax(x, **given)
        times = (
            best(maximum, x, **given),
            best(argmax, x, **given),
            best(place, y, index, input_shape=shape, **given),
        )
        print(f"{shape} pooled {size}/{stride}: " + " / ".join(f"{t:.2f}" for t in times))
        mask = index == 1
        print(f"  kept {best(kept, y, mask):.2f}, np.where {best(np.where, mask, y, 0):.2f}")


def main() -> None:
    generator = np.random.default_rng(0)
    print("convolution / by input / by filter")
    convolutions(generator)
    print("maximum / its place / its gradient")
    pools(generator)


if __name__ == "__main__":
    main()
