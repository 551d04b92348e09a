"""What every framework's programs share: the command line, the clock and the line of JSON.

    python -m frameworks.torch_programs eager mlp --steps 100 --epochs 3

It runs in the peers' environments, so it needs nothing but the standard library and NumPy.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from workloads import WORKLOADS, Array, Workload, inputs, targets

Action = Callable[[], object]


@dataclass(frozen=True)
class Program:
    """`first` compiles (one step, or one call); `action` is an epoch of steps, or one call.

    Both return only when the work is done.
    """

    first: Action
    action: Action


Prepare = Callable[[str, Workload], Program]


def timed(action: Action) -> float:
    """Milliseconds of one call."""
    start = time.perf_counter()
    action()
    return (time.perf_counter() - start) * 1e3


def measure(program: Program, work: Workload, epochs: int) -> dict[str, object]:
    """Seconds of the first step, and milliseconds of a step: of each epoch, or of each call.

    The first epoch (the first calls) is thrown away.
    """
    first = timed(program.first) / 1e3
    if work.kind == "train":
        program.action()
        found = [timed(program.action) / work.steps for _ in range(epochs)]
    else:
        for _ in range(max(2, work.steps // 10)):
            program.action()
        found = [timed(program.action) for _ in range(work.steps)]
    return {"ms": found, "first_s": first}


def data(work: Workload) -> tuple[list[Array], Array]:
    """An epoch's inputs and targets."""
    given = inputs(work, work.steps * work.batch)
    return given, targets(work, given)


def batches(work: Workload) -> Iterator[Array]:
    """The samples of each batch of an epoch, shuffled, as `fit` does by default."""
    order = np.random.default_rng().permutation(work.steps * work.batch)
    return iter(order.reshape(work.steps, work.batch))


def main(prepare: Prepare, version: Callable[[str], str]) -> None:
    """Measure what the command line names; print one line of JSON, with the error if it failed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("name", help="the framework, or the way of using it")
    parser.add_argument("work", choices=WORKLOADS)
    parser.add_argument("--steps", type=int, help="instead of the workload's own")
    parser.add_argument("--epochs", type=int, default=3)
    given = parser.parse_args()
    work = WORKLOADS[given.work]
    work = replace(work, steps=given.steps or work.steps)
    try:
        found = measure(prepare(given.name, work), work, given.epochs)
        found["version"] = version(given.name)
    except Exception as problem:  # whatever a framework raises belongs in the table
        traceback.print_exc()
        first_line = (str(problem).strip().splitlines() or ["no message"])[0]
        found = {"error": f"{type(problem).__name__}: {first_line}"}
    found["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(found), flush=True)
