"""What one sample costs, part by part: microseconds of `predict`, and of what happens in it.

python benchmarks/one_sample.py            # the MLP and the CNN of the table
python benchmarks/one_sample.py --calls 5000

Each part holds the ones below it. Other work on the machine only adds, so the fast end counts:
2 of 100 calls took less than what is shown.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

from frameworks.keras_programs import MAKE
from workloads import WORKLOADS, inputs

import slipstream as tf

Parts = dict[str, Callable[[], object]]


def microseconds(call: Callable[[], object], calls: int) -> float:
    """What 2 of 100 calls took less than. Two calls before them are not counted."""
    call(), call()
    found = []
    for _ in range(calls):
        start = time.perf_counter()
        call()
        found.append(time.perf_counter() - start)
    return sorted(found)[calls // 50] * 1e6


def parts(name: str) -> Parts:
    """The parts of a workload's `predict`, the whole first; then other ways to the same numbers."""
    work = WORKLOADS[name]
    model = MAKE[work.model](tf.keras, tf.keras.layers, work)
    (sample,) = inputs(work, 1)
    tensor = tf.constant(sample)
    batch: Any = (tensor, None, None)
    model.predict(sample, verbose=0)
    step = model._step("predict")
    traced = step.get_concrete_function(batch)
    executor, loaded = traced.program._ready()
    arrays = traced.program._bound([sample], lambda cell: cell, executor.in_place)
    frame = loaded._filled(arrays)
    function = tf.function(lambda x: model(x))
    return {
        "predict(array)": lambda: model.predict(sample, verbose=0),
        "  the step, cached by signature": lambda: step(batch),
        "    a traced function": lambda: traced.run([tensor]),
        "      its program on arrays": lambda: loaded(arrays),
        "        native code": lambda: [run(frame) for run in loaded.runs],
        "predict_on_batch(array)": lambda: model.predict_on_batch(sample),
        "tf.function(model)(tensor)": lambda: function(tensor),
        "model(tensor), eagerly": lambda: model(tensor),
    }


def main() -> None:
    """Print a table for each workload of one sample."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=2000)
    calls = parser.parse_args().calls
    for name in ("predict-mlp", "predict-cnn"):
        print(name)
        for part, call in parts(name).items():
            print(f"  {part:<36}{microseconds(call, calls):8.1f} us")


if __name__ == "__main__":
    main()
