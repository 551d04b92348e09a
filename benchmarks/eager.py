"""What an eager operation costs over the NumPy function it calls: `python benchmarks/eager.py`.

On tensors of 4x4, the least of many repetitions, in the processor's time.
"""

from __future__ import annotations

import time
import timeit
from collections.abc import Callable

import numpy as np

import slipstream as tf

REPETITIONS, CALLS = 25, 4000


def microseconds(function: Callable[[], object]) -> float:
    """How long one call takes."""
    timed = timeit.repeat(function, number=CALLS, repeat=REPETITIONS, timer=time.process_time)
    return min(timed) / CALLS * 1e6


def main() -> None:
    """Print a table."""
    a = np.ones((4, 4), np.float32)
    x = tf.constant(a)
    v = tf.Variable(a)
    pairs: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
        "x + x": (lambda: a + a, lambda: x + x),
        "x + 1.5": (lambda: a + 1.5, lambda: x + 1.5),
        "x + variable": (lambda: a + a, lambda: x + v),
        "x < x": (lambda: a < a, lambda: x < x),
        "tf.add(x, x)": (lambda: np.add(a, a), lambda: tf.add(x, x)),
        "tf.nn.relu(x)": (lambda: np.maximum(a, 0), lambda: tf.nn.relu(x)),
        "tf.matmul(x, x)": (lambda: a @ a, lambda: tf.matmul(x, x)),
        "tf.reduce_sum(x)": (lambda: np.sum(a), lambda: tf.reduce_sum(x)),
    }
    print(f"{'operation':18} {'NumPy':>8} {'eager':>8} {'over':>8}   microseconds")
    for name, (plain, eager) in pairs.items():
        least, most = microseconds(plain), microseconds(eager)
        print(f"{name:18} {least:8.2f} {most:8.2f} {most - least:8.2f}")


if __name__ == "__main__":
    main()
