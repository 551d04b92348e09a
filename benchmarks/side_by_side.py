"""Slipstream beside TensorFlow, Keras on JAX and PyTorch: the same work, in turn, medians.

    python benchmarks/side_by_side.py --rounds 3 --write docs/benchmarks.md

`peers.py` makes the environments. Each measurement is a process of its own; in a round everyone
has a turn at each workload.
"""

import argparse
import datetime
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

from peers import install

from slipstream.cli import processor
from slipstream.settings import thread_count

HERE = Path(__file__).parent
TRAINED = ("mlp", "cnn", "siamese", "lstm", "autoencoder", "residual")
WORK = (*TRAINED, "predict-mlp", "predict-cnn")
TORCH = ("mlp", "cnn", "lstm", "autoencoder")
NAMES = {
    "slipstream": "Slipstream",
    "tensorflow": "TensorFlow, Keras",
    "jax": "JAX, Keras",
    "torch": "PyTorch eager",
}


def command(who, work):
    """What measures one workload in one framework; None where there is no program."""
    if who == "slipstream":
        return [sys.executable, HERE / "keras_steps.py", who, work]
    if who == "torch":
        return [install(who), HERE / "torch_steps.py", work] if work in TORCH else None
    return [install(who), HERE / "keras_steps.py", "keras", work]


def measure(who, work):
    """The numbers of one process, or why there are none."""
    line = command(who, work)
    if line is None:
        return {"error": "no program"}
    settings = {"KERAS_BACKEND": who, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(
        list(map(str, line)), env={**os.environ, **settings}, capture_output=True, text=True
    )
    if done.returncode:
        return {"error": (done.stderr.strip().splitlines() or ["failed"])[-1]}
    found = json.loads(done.stdout.strip().splitlines()[-1])
    return {**found, "ms": statistics.median(found["ms"])}


def table(results):
    """Rows of milliseconds, and of how many times faster Slipstream is than the best peer."""
    lines = ["| work | " + " | ".join(NAMES.values()) + " | best peer / Slipstream |"]
    lines.append("| --- |" + " --- |" * (len(NAMES) + 1))
    for work, found in results.items():
        cells = {who: _cell(rounds, "ms") for who, rounds in found.items()}
        peers = [ms for who, ms in cells.items() if who != "slipstream" and ms]
        ours = cells.get("slipstream")
        ratio = f"{min(peers) / ours:.2f}" if ours and peers else "-"
        shown = [f"{cells[w]:.3g}" if cells.get(w) else "-" for w in NAMES]
        lines.append(f"| {work} | {' | '.join(shown)} | {ratio} |")
    return lines


def _cell(rounds, name):
    values = [r[name] for r in rounds if r.get(name) is not None]
    return statistics.median(values) if values else None


def more(results):
    """The first step and the peak memory of training the CNN."""
    lines = ["| the CNN's training process | " + " | ".join(NAMES.values()) + " |"]
    lines.append("| --- |" + " --- |" * len(NAMES))
    for name, text in (("first_s", "first step, s"), ("peak_mb", "peak memory, MB")):
        values = [_cell(results["cnn"][who], name) for who in NAMES]
        shown = [f"{v:.3g}" if v else "-" for v in values]
        lines.append(f"| {text} | {' | '.join(shown)} |")
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--work", default=",".join(WORK))
    parser.add_argument("--write", type=Path)
    given = parser.parse_args()
    results = {work: {who: [] for who in NAMES} for work in given.work.split(",")}
    for number in range(given.rounds):
        for work, found in results.items():
            for who, rounds in found.items():
                rounds.append(measure(who, work))
                print(number, work, who, rounds[-1], flush=True)
    when = datetime.datetime.now(tz=datetime.timezone.utc).date()
    head = f"{processor()}, {thread_count()} cores, {when}; medians of {given.rounds} rounds."
    text = ["Milliseconds a step of training (of one call of `predict`). " + head, ""]
    text += [*table(results), ""] + (more(results) if "cnn" in results else [])
    print("\n".join(text))
    if given.write:
        begin, _, _ = given.write.read_text(encoding="utf-8").partition("<!-- measured -->")
        whole = begin + "<!-- measured -->\n\n" + "\n".join(text) + "\n"
        given.write.write_text(whole, encoding="utf-8")


if __name__ == "__main__":
    main()
