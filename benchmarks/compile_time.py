"""How long the first step of ResNet-50's training takes, in Slipstream and in Keras on JAX.

    python benchmarks/compile_time.py --rounds 2

Pictures of 64 x 64, batch 8, Adam. A cold first step compiles all; a warm one is that of a second
process, which finds compiled code where there is a cache for it (JAX is given one, too).
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from peers import install

STAGES = ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2))  # filters, blocks, first stride
CLASSES, SIDE, BATCH = 1000, 64, 8
FRAMEWORKS = {"slipstream": "Slipstream", "jax": "JAX, Keras"}


def resnet50(keras: Any) -> Any:
    """He et al. 2015, with the stride in the block's 3 x 3 convolution."""
    layers = keras.layers

    def normalised(x: Any, filters: int, size: int, stride: int = 1) -> Any:
        convolution = layers.Conv2D(filters, size, stride, padding="same", use_bias=False)
        return layers.BatchNormalization()(convolution(x))

    def bottleneck(x: Any, filters: int, stride: int, is_first: bool) -> Any:
        y = layers.ReLU()(normalised(x, filters, 1))
        y = layers.ReLU()(normalised(y, filters, 3, stride))
        y = normalised(y, 4 * filters, 1)
        shortcut = normalised(x, 4 * filters, 1, stride) if is_first else x
        return layers.ReLU()(layers.Add()([shortcut, y]))

    start = layers.Input((SIDE, SIDE, 3))
    x = layers.ReLU()(normalised(start, 64, 7, 2))
    x = layers.MaxPooling2D(3, 2, padding="same")(x)
    for filters, blocks, stride in STAGES:
        for number in range(blocks):
            x = bottleneck(x, filters, stride if number == 0 else 1, number == 0)
    return keras.Model(start, layers.Dense(CLASSES)(layers.GlobalAveragePooling2D()(x)))


def steps(framework: str) -> dict[str, float]:
    """Seconds of making the model, of its first step and of a later one; peak memory in MB.

    `used` is the time of the first step that processors spent on it, whatever else ran beside.
    """
    os.environ["KERAS_BACKEND"] = framework
    found = import_module("slipstream" if framework == "slipstream" else "keras")
    keras = found.keras if framework == "slipstream" else found
    random = np.random.default_rng(0)
    x = random.random((BATCH, SIDE, SIDE, 3), np.float32)
    y = random.integers(0, CLASSES, BATCH)
    start = time.perf_counter()
    model = resnet50(keras)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(), loss)
    times, used = [time.perf_counter() - start], time.process_time()
    for number in range(3):
        start = time.perf_counter()
        model.train_on_batch(x, y)
        times.append(time.perf_counter() - start)
        if number == 0:
            used = time.process_time() - used
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "model": times[0], "first": times[1], "used": used, "later": times[3], "peak_mb": peak,
    }  # fmt: skip


def child(framework: str, cache: str) -> dict[str, float]:
    """`steps` in a process of its own, whose compiled code is kept in a folder."""
    python = sys.executable if framework == "slipstream" else str(install(framework))
    kept = {"JAX_COMPILATION_CACHE_DIR": cache, "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
    done = subprocess.run(
        [python, __file__, "--child", framework],
        env={**os.environ, **kept, "SLIPSTREAM_HOME": cache},
        cwd=Path(__file__).parent,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.strip().splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--framework", choices=FRAMEWORKS, help="this one alone")
    parser.add_argument("--child", choices=FRAMEWORKS, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        print(json.dumps(steps(given.child)))
        return
    chosen = [given.framework] if given.framework else [*FRAMEWORKS]
    results: dict[tuple[str, str], list[dict[str, float]]] = {}
    for _ in range(given.rounds):
        for name in chosen:
            with tempfile.TemporaryDirectory() as cache:
                for state in ("cold", "warm"):
                    results.setdefault((name, state), []).append(child(name, cache))
    print(table(results))


HEAD = """| ResNet-50 | first step, s | of processors, s | model, s | later step, s | peak, MB |
| --- | --- | --- | --- | --- | --- |"""


def table(results: dict[tuple[str, str], list[dict[str, float]]]) -> str:
    """Medians, a line a framework and state of the cache."""
    lines = [HEAD]
    for (name, state), found in results.items():
        mid = {key: median(one[key] for one in found) for key in found[0]}
        lines.append(
            f"| {FRAMEWORKS[name]}, {state} | {mid['first']:.1f} | {mid['used']:.1f}"
            f" | {mid['model']:.1f} | {mid['later']:.2f} | {mid['peak_mb']:.0f} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
