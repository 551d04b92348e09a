"""What a smaller last batch costs: seconds of the first and of a later epoch, with and without one.

python benchmarks/last_batch.py                # the MLP and the CNN of the table, no code cached
python benchmarks/last_batch.py cnn --warm     # with the code of an earlier process

`behind` compiles the second size while the first steps are made, as `fit` does; `in line` where it
is first needed. `single` is a call of `train_on_batch` for a first batch size, and for a second.
Every figure is from a process of its own; the smallest of some rounds. The time that passes is what
counts on a quiet machine; beside it stands the main thread's own, to which others add little.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from frameworks.keras_programs import MAKE
from workloads import WORKLOADS, inputs, targets

import slipstream as tf
from slipstream.keras.models.epochs import Steps

CASES = ("even", "behind", "in line", "single")
REST = 17  # samples of the smaller batch


Seconds = tuple[float, float]  # that pass, and of the main thread


def seconds(action: Callable[[], object]) -> Seconds:
    start = time.perf_counter(), time.thread_time()
    action()
    return time.perf_counter() - start[0], time.thread_time() - start[1]


def measured(name: str, case: str, steps: int) -> list[Seconds]:
    """The first epoch and a later one; for `single` the first call and one of another size."""
    work = replace(WORKLOADS[name], steps=steps)
    if case == "in line":
        Steps.prepare = lambda *_: None  # type: ignore[method-assign]
    given = inputs(work, steps * work.batch + (REST if case != "even" else 0))
    wanted = targets(work, given)
    x: Any = given if work.inputs > 1 else given[0]
    model = MAKE[work.model](tf.keras, tf.keras.layers, work)
    model.compile("adam", tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    if case == "single":
        sizes = (work.batch, REST)
        return [seconds(lambda n=n: model.train_on_batch(x[:n], wanted[:n])) for n in sizes]

    def fit() -> None:
        model.fit(x, wanted, batch_size=work.batch, verbose=0)

    return [seconds(fit) for _ in range(2)]


def in_a_process(name: str, case: str, steps: int, home: str) -> list[float]:
    """The seconds of both, flat."""
    command = [sys.executable, __file__, name, "--case", case, "--steps", str(steps)]
    environment = os.environ | {"SLIPSTREAM_HOME": home}
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    return [float(s) for pair in json.loads(done.stdout) for s in pair]


def shown(name: str, case: str, steps: int, warm: bool, rounds: int) -> str:
    found = []
    with tempfile.TemporaryDirectory() as kept:
        if warm:
            in_a_process(name, case, steps, kept)
        for _ in range(rounds):
            with tempfile.TemporaryDirectory() as empty:
                found.append(in_a_process(name, case, steps, kept if warm else empty))
    first, own, second, later = (min(column) for column in zip(*found, strict=True))
    parts = f"first {first:7.3f} s ({own:.3f})   second {second:7.3f} s ({later:.3f})"
    return f"{name:>12} {case:<8} {parts}"


def main() -> None:
    """Print a line for each case, or as a child one case in JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=["mlp", "cnn"])
    parser.add_argument("--steps", type=int, default=100, help="whole batches an epoch")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--warm", action="store_true")
    parser.add_argument("--case", choices=CASES, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.case:
        print(json.dumps(measured(given.names[0], given.case, given.steps)))
        return
    for name in given.names:
        for case in CASES:
            print(shown(name, case, given.steps, given.warm, given.rounds), flush=True)


if __name__ == "__main__":
    main()
