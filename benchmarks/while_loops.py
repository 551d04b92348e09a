"""A while loop and its gradient, by the number of its turns: python benchmarks/while_loops.py

The time of one call of a traced function: where the number of turns is an input, and where it is
known while tracing, so that the loop is a scan.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import slipstream as tf

TURNS = (50, 100, 200, 400)
CALLS = 5  # of which the fastest counts


def loop(x: Any, turns: Any) -> Any:
    """y = 0.999 y + 0.001 sin(y), so many times."""
    return tf.while_loop(
        lambda i, y: i < turns, lambda i, y: (i + 1, 0.999 * y + 0.001 * tf.sin(y)), (0, x)
    )[1]


def slope(x: Any, turns: Any) -> Any:
    """The gradient of the sum of what the loop gives."""
    with tf.GradientTape() as tape:
        tape.watch(x)
        total = tf.reduce_sum(loop(x, turns))
    return tape.gradient(total, x)


def milliseconds(function: Callable[[], Any]) -> float:
    """The fastest call, after one that traces and compiles."""
    function()
    times = []
    for _ in range(CALLS):
        begun = time.perf_counter()
        function()
        times.append(time.perf_counter() - begun)
    return 1e3 * min(times)


def main() -> None:
    x = tf.ones([1000])
    print(f"{'turns':>8}{'loop, ms':>12}{'known':>10}{'gradient, ms':>16}{'known':>10}")
    for turns in TURNS:
        row = []
        for made in (loop, slope):
            known = tf.function(partial(made, turns=turns))
            row.append(milliseconds(partial(tf.function(made), x, tf.constant(turns))))
            row.append(milliseconds(partial(known, x)))
        print("{:8}{:12.3f}{:10.3f}{:16.3f}{:10.3f}".format(turns, *row))


if __name__ == "__main__":
    main()
