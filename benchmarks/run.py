"""Slipstream beside TensorFlow, JAX, PyTorch and NumPy: the same work, in turn, medians.

    python benchmarks/run.py --rounds 3 --write docs/benchmarks.md
    python benchmarks/run.py --work mlp,cnn --peers jax,torch --steps 20

Each measurement is a process of its own; in a round everyone has a turn at each workload. The
environments that are missing are made first (`peers.py`).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from peers import install
from table import MARK, Found, Results, page
from workloads import MATMUL, WORKLOADS, Workload

HERE = Path(__file__).parent
LONGEST = 900  # seconds a process may take


@dataclass(frozen=True)
class Framework:
    """A column of the table: whose environment, which programs, and the name they go by."""

    title: str
    environment: str  # "" is the interpreter this runs under
    programs: str
    name: str

    def does(self, work: Workload) -> bool:
        """NumPy only multiplies; a product has nothing to do with Keras on JAX, which is JAX.

        Adam that leaves unused rows alone is in PyTorch and here.
        """
        if work.lazy:
            return self.name in ("slipstream", "eager")
        if self.programs == "numpy_programs":
            return work.kind == MATMUL
        return self.name != "jax" or work.kind != MATMUL


FRAMEWORKS = {
    "slipstream": Framework("Slipstream", "", "keras_programs", "slipstream"),
    "tensorflow": Framework("TensorFlow, Keras", "tensorflow", "keras_programs", "tensorflow"),
    "keras-jax": Framework("JAX, Keras", "jax", "keras_programs", "jax"),
    "jax": Framework("JAX, `jit`", "jax", "jax_programs", "raw"),
    "torch": Framework("PyTorch, eager", "torch", "torch_programs", "eager"),
    "torch-compile": Framework("PyTorch, `compile`", "torch", "torch_programs", "compile"),
    "numpy": Framework("NumPy", "", "numpy_programs", "numpy"),
}


def child(arguments: list[str]) -> Found:
    """The line of JSON a process prints last, or why there is none."""
    settings = {"SLIPSTREAM_EXECUTOR": "native", "TF_CPP_MIN_LOG_LEVEL": "3"}
    try:
        done = subprocess.run(
            arguments,
            cwd=HERE,
            env={**settings, **os.environ},
            capture_output=True,
            text=True,
            timeout=LONGEST,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return {"error": f"not done in {LONGEST} s"}
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        reason = (done.stderr.strip().splitlines() or ["nothing on its error stream"])[-1]
        return {"error": f"exit status {done.returncode}: {reason}"}
    return json.loads(lines[-1])


def command(framework: Framework, work: str, steps: int | None) -> list[str]:
    python = str(install(framework.environment)) if framework.environment else sys.executable
    given = ["--steps", str(steps)] if steps else []
    return [python, "-m", f"frameworks.{framework.programs}", framework.name, work, *given]


def measure(results: Results, rounds: int, steps: int | None) -> Iterator[list[Found]]:
    """Fill in every framework and workload, round by round; yields the peaks of rounds so far."""
    peaks: list[Found] = []
    for number in range(rounds):
        peaks.append(child([sys.executable, "peak.py"]))
        for work, row in results.items():
            for who, found in row.items():
                found.append(child(command(FRAMEWORKS[who], work, steps)))
                shown = found[-1].get("error") or f"{min(found[-1]['ms']):.3g} ms"
                print(f"round {number + 1}: {work}, {who}: {shown}", file=sys.stderr, flush=True)
        yield peaks


def chosen(text: str, known: list[str], what: str) -> list[str]:
    """The names in a list with commas; ends the program on an unknown one."""
    names = text.split(",")
    if unknown := set(names) - set(known):
        sys.exit(f"no {what} {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    return names


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    peers = [name for name in FRAMEWORKS if name != "slipstream"]
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--work", default=",".join(WORKLOADS), help="names, with commas")
    parser.add_argument("--peers", default=",".join(peers), help="names, with commas")
    parser.add_argument("--steps", type=int, help="steps an epoch, instead of each one's own")
    parser.add_argument("--write", type=Path, help=f"a page; what follows {MARK} is replaced")
    given = parser.parse_args()
    columns = ["slipstream", *chosen(given.peers, peers, "peer")]
    results: Results = {
        work: {who: [] for who in columns if FRAMEWORKS[who].does(WORKLOADS[work])}
        for work in chosen(given.work, [*WORKLOADS], "workload")
    }
    text = ""
    for peaks in measure(results, given.rounds, given.steps):
        text = page(results, {who: FRAMEWORKS[who].title for who in columns}, peaks, given.steps)
        if given.write:  # after each round: the next one may not end
            write(given.write, text)
    print(text)


def write(path: Path, text: str) -> None:
    """Put the text behind the mark of a page, aside first."""
    before, _, _ = path.read_text(encoding="utf-8").partition(MARK)
    aside = path.with_name(f"{path.name}.new")
    aside.write_text(f"{before}{MARK}\n\n{text}\n", encoding="utf-8")
    aside.replace(path)


if __name__ == "__main__":
    main()
