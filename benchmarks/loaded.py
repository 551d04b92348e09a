"""What waiting threads cost a loaded machine: other programs' turns, and two trainings at once.

    python benchmarks/loaded.py                           # everything, some minutes
    python benchmarks/loaded.py --only python,numpy --rounds 15 --seconds 1

`beside`: one and two processes that are always busy, alone, then beside one that answers a
`predict` of one sample every 2 ms with a thread for each core, then with one thread. `trainings`:
the MLP and the CNN of the table at once, with two threads each, then with one each; the sum is of
the products' and additions' rates. All processes live from the first round to the last, and sleep
where it is not their turn. In a round everyone has a turn, and a number is the median over the
rounds, with the middle half of them in parentheses. Processor time stands beside it, since it does
not depend on what else the machine does: what a `predict` takes, and what a second of it trains.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace

import numpy as np
from workloads import WORKLOADS, inputs, targets

PERIOD = 2e-3  # seconds from one `predict` to the next
CHUNKS = {"mlp": 300, "cnn": 20}  # steps of a call of `fit`
Rates = list[float]  # a second


def python_turn() -> float:
    """Pure Python; how many turns that was."""
    total = 0
    for number in range(20_000):
        total += number * number % 7
    return 1.0


def numpy_turn() -> float:
    """Element-wise work that stays in the cache of its core."""
    matrix = np.ones((300, 300), np.float32)
    for _ in range(20):
        matrix = np.sqrt(matrix * matrix + 1.0)
    return 1.0


def rate(turn: Callable[[], float], seconds: float) -> Rates:
    """How many turns a second, and a second of processor time."""
    start, begun, done = time.perf_counter(), time.process_time(), 0.0
    while time.perf_counter() - start < seconds:
        done += turn()
    return [done / (time.perf_counter() - start), done / (time.process_time() - begun)]


def server() -> Callable[[float], Rates]:
    """Answers every 2 ms: their microseconds in the median, and of the processor for each."""
    from frameworks.keras_programs import MAKE

    import slipstream as tf

    work = WORKLOADS["predict-cnn"]
    model = MAKE[work.model](tf.keras, tf.keras.layers, work)
    (sample,) = inputs(work, 1)
    model.predict(sample, verbose=0)

    def serve(seconds: float) -> Rates:
        taken, start, begun = [], time.perf_counter(), time.process_time()
        for number in range(int(seconds / PERIOD)):
            time.sleep(max(0.0, start + number * PERIOD - time.perf_counter()))
            begin = time.perf_counter()
            model.predict(sample, verbose=0)
            taken.append(time.perf_counter() - begin)
        processor = (time.process_time() - begun) / len(taken)
        return [statistics.median(taken) * 1e6, processor * 1e6]

    return serve


def trainer(name: str) -> Callable[[float], Rates]:
    """Steps of training a second, and a second of processor time."""
    from frameworks.keras_programs import MAKE

    import slipstream as tf

    work = replace(WORKLOADS[name], steps=CHUNKS[name])
    model = MAKE[work.model](tf.keras, tf.keras.layers, work)
    model.compile("adam", tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    given = inputs(work, work.steps * work.batch)
    wanted = targets(work, given)

    def fit() -> float:
        model.fit(given[0], wanted, batch_size=work.batch, verbose=0)
        return work.steps

    fit()
    return lambda seconds: rate(fit, seconds)


def serve_turns(role: str) -> None:
    """A child: for each line of seconds a line of rates."""
    kinds: dict[str, Callable[[], Callable[[float], Rates]]] = {
        "python": lambda: lambda seconds: rate(python_turn, seconds),
        "numpy": lambda: lambda seconds: rate(numpy_turn, seconds),
        "predict": server,
        "mlp": lambda: trainer("mlp"),
        "cnn": lambda: trainer("cnn"),
    }
    turn = kinds[role]()
    print("ready", flush=True)
    for line in sys.stdin:
        print(*turn(float(line)), flush=True)


class Child:
    """A process of one role."""

    def __init__(self, stack: ExitStack, role: str, threads: int = 1) -> None:
        command = [sys.executable, __file__, "--role", role]
        environment = os.environ | {"SLIPSTREAM_THREADS": str(threads), "OMP_NUM_THREADS": "1"}
        pipe = subprocess.PIPE
        self.process = stack.enter_context(
            subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, text=True)
        )
        stack.callback(self._say, "")  # before the process is waited for
        assert self._told() == "ready"

    def _say(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line)
        self.process.stdin.flush() if line else self.process.stdin.close()

    def _told(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def begin(self, seconds: float) -> None:
        self._say(f"{seconds}\n")

    def rates(self) -> Rates:
        return [float(word) for word in self._told().split()]


def together(children: Sequence[Child], seconds: float) -> list[Rates]:
    """What each does in the same seconds."""
    for child in children:
        child.begin(seconds)
    return [child.rates() for child in children]


def rounds_of(cases: dict[str, Callable[[], Rates]], rounds: int) -> dict[str, list[Rates]]:
    """The rates of each case in each round; each round begins with another case."""
    found: dict[str, list[Rates]] = {name: [] for name in cases}
    names = [*cases]
    for number in range(rounds):
        for place in range(len(names)):
            name = names[(number + place) % len(names)]
            found[name].append(cases[name]())
    return found


def middle(values: Sequence[float]) -> str:
    """The median, and the middle half."""
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return f"{median:.3f} ({low:.3f} to {high:.3f})"


def beside(kind: str, rounds: int, seconds: float) -> None:
    """One and two busy processes, alone and beside a server: their part of what they do alone."""
    cores = os.cpu_count() or 1
    with ExitStack() as stack:
        busy = [Child(stack, kind) for _ in range(2)]
        servers = {f"{n} threads": Child(stack, "predict", n) for n in (cores, 1)}
        for count in (1, 2):
            others = busy[:count]

            def case(served: Sequence[Child], others: Sequence[Child] = others) -> Rates:
                found = together([*others, *served], seconds)
                rates = sum(rates[0] for rates in found[: len(others)])
                return [rates, *(found[-1] if served else ())]

            cases = {"alone": lambda case=case: case([])}
            for name, child in servers.items():
                cases[name] = lambda case=case, child=child: case([child])
            found = rounds_of(cases, rounds)
            alone = found["alone"]
            for name in servers:
                pairs = zip(found[name], alone, strict=True)
                part = middle([one[0] / other[0] for one, other in pairs])
                took, own = (statistics.median(r[n] for r in found[name]) for n in (1, 2))
                print(f"{count} {kind:<6} beside predict, {name}: {part}; ", end="")
                print(f"predict {took:.0f} us, {own:.0f} us of the processors", flush=True)


def trainings(names: Sequence[str], rounds: int, seconds: float) -> None:
    """Two trainings at once, with two threads each and with one each."""
    with ExitStack() as stack:
        teams = {n: [Child(stack, name, n) for name in names] for n in (2, 1)}
        work = [WORKLOADS[name].flops / 1e9 for name in names]

        def case(threads: int) -> Rates:
            found = together(teams[threads], seconds)
            total = [
                sum(r[n] * flops for r, flops in zip(found, work, strict=True)) for n in (0, 1)
            ]
            return [*(rates[0] for rates in found), total[0], total[1] / len(names)]

        found = rounds_of({str(n): lambda n=n: case(n) for n in teams}, rounds)
    for threads, rates in found.items():
        *steps, total, own = (statistics.median(column) for column in zip(*rates, strict=True))
        told = ", ".join(f"{name} {n:.1f}" for name, n in zip(names, steps, strict=True))
        print(f"{threads} threads each: {told} steps a second; {total:.1f} GFLOP/s, ", end="")
        print(f"{own:.1f} GFLOP in a second of a processor")
    for place, what in ((-2, "a second"), (-1, "a second of a processor")):
        pairs = zip(found["2"], found["1"], strict=True)
        ratio = middle([one[place] / other[place] for one, other in pairs])
        print(f"{' and '.join(names)}, two threads each beside one, {what}: {ratio}", flush=True)


def main() -> None:
    """Print a line for each case, or be a child."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=1.0, help="of each turn")
    parser.add_argument("--only", default="python,numpy,trainings", help="what to measure")
    parser.add_argument("--role", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.role:
        serve_turns(given.role)
        return
    for part in given.only.split(","):
        if part == "trainings":
            trainings(("mlp", "cnn"), given.rounds, 2 * given.seconds)
        else:
            beside(part, given.rounds, given.seconds)


if __name__ == "__main__":
    main()
