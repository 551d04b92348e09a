"""The compiler against the meaning, over random programs: `python tests/compiler/fuzz.py`.

Floats may differ by what rounding explains. How much that is, each program says itself: it is
computed some times more, with a few units of last place added at random to every result that is
rounded. What stays the same then must be the same; what moves may move four times as far; and a
truth that flips, or all that hangs on it, proves nothing.
"""

from __future__ import annotations

import argparse
import faulthandler
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import Any
from unittest import mock

import ml_dtypes
import numpy as np
from comparison import short_chains, small_caches
from random_graphs import Case, random_case

from slipstream import settings
from slipstream.compiler import guards, kernels
from slipstream.compiler.program import load
from slipstream.ir.dtypes import from_numpy
from slipstream.ir.graph import Array, Graph, Node, Value, pruned
from slipstream.primitives.base import Primitive
from slipstream.primitives.evaluate import evaluate
from slipstream.runtime.reference import ReferenceExecutor

UNITS = 8  # of last place: what one operation may be off
FEW, MANY = 4, 48  # disturbed runs: at first, and before a disagreement is believed
MOST_TRIES = 400  # of making a program smaller
WORTH_SHARING = 300  # scalar operations: so small that the small kernels here are shared, too

EXACT_FAMILIES = {"view", "structure", "gather", "control"}
EXACT = {
    "select", "maximum", "minimum", "max", "min", "negative", "absolute", "sign", "floor", "ceil",
    "round", "truncate", "relu", "window_max", "window_pick", "window_place",
}  # fmt: skip
ADDING = {"add", "subtract", "sum", "product", "window_sum", "window_spread"}
ADDING_FAMILIES = {"contraction", "scan", "scatter"}


# --- what rounding explains ---


def disturbed(graph: Graph, generator: np.random.Generator) -> Graph:
    """The same program with rounding errors made larger, at random, in every operation."""
    return Graph(
        graph.inputs,
        tuple(_disturbed_node(node, generator) for node in graph.nodes),
        graph.outputs,
        graph.name,
    )


def _disturbed_node(node: Node, generator: np.random.Generator) -> Node:
    params = {
        name: disturbed(p, generator) if isinstance(p, Graph) else p
        for name, p in node.params.items()
    }
    primitive: Any = node.operation
    if primitive.family not in EXACT_FAMILIES and primitive.name not in EXACT:
        primitive = replace(primitive, meaning=_disturbed_meaning(primitive, generator))
    return Node(primitive, node.inputs, params, node.outputs, node.origin)


def _disturbed_meaning(primitive: Primitive, generator: np.random.Generator) -> Callable[..., Any]:
    """What adds up is disturbed before, too: terms may cancel, and in any order."""
    adds = primitive.name in ADDING or primitive.family in ADDING_FAMILIES

    def meaning(*arrays: Array, **params: Any) -> Any:
        if adds:
            arrays = tuple(_shaken(a, generator) for a in arrays)
        results = primitive.meaning(*arrays, **params)
        if isinstance(results, tuple):
            return tuple(_shaken(np.asarray(r), generator) for r in results)
        return _shaken(np.asarray(results), generator)

    return meaning


def _shaken(array: Array, generator: np.random.Generator) -> Array:
    if not from_numpy(array.dtype).is_floating:
        return array
    off = generator.uniform(-1, 1, array.shape) * UNITS * _unit(array)
    return np.asarray(array * (1 + off).astype(array.dtype)).astype(array.dtype)


def _unit(array: Array) -> float:
    return float(ml_dtypes.finfo(array.dtype).eps)


@np.errstate(all="ignore")
def differences(found: Array, wanted: Array, others: Sequence[Array]) -> Array:
    """Where the found array is not what it should be; `others` are results of disturbed runs."""
    if not from_numpy(wanted.dtype).is_floating:
        stays = np.all([o == wanted for o in others], axis=0)
        return np.asarray((found != wanted) & stays)
    unit, tiny = _unit(wanted), float(ml_dtypes.finfo(wanted.dtype).tiny)
    f, w, *rest = (a.astype(np.float64) for a in (found, wanted, *others))
    same = (f == w) | (np.isnan(f) & np.isnan(w))
    moved = np.max([np.abs(o - w) for o in rest], axis=0)  # nan where one is not finite
    stays = np.all([(o == w) | (np.isnan(o) & np.isnan(w)) for o in rest], axis=0)
    allowed = 4 * np.where(stays, 0, moved) + 4 * unit * np.abs(w) + tiny
    close = np.abs(f - w) <= allowed
    proves = stays | (np.isfinite(w) & np.isfinite(moved))
    return np.asarray(proves & ~same & ~close)


# --- running ---


@contextmanager
def small_kernels_shared() -> Iterator[None]:
    """Kernels of little work are divided among threads; such code is cached apart."""
    with tempfile.TemporaryDirectory() as home, mock.patch.dict(os.environ):
        os.environ["SLIPSTREAM_HOME"] = home
        with mock.patch.object(kernels, "WORTH_SHARING", WORTH_SHARING):
            yield


def compiled(case: Case) -> list[list[Array]]:
    """What the compiled program gives by one thread, by two, and once more by one."""
    program = (guards.load if settings.is_debugging() else load)(case.graph, case.in_place)
    results = []
    for threads in "121":
        arrays = [a.copy() for a in case.arrays]
        with mock.patch.dict(os.environ, SLIPSTREAM_THREADS=threads):
            found = [np.array(a) for a in program(arrays)]
        for i, j in case.in_place:
            found[j] = arrays[i]
        variables = {i for i, _ in case.in_place}
        for i, (array, old) in enumerate(zip(arrays, case.arrays, strict=True)):
            if i not in variables and not np.array_equal(array, old, equal_nan=_has_nan(old)):
                raise AssertionError(f"input {i} was written")
        results.append(found)
    return results


def _has_nan(array: Array) -> bool:
    return from_numpy(array.dtype).is_floating


def complaint(case: Case) -> str:
    """What is wrong with the compiled program; empty if nothing is."""
    wanted = [np.asarray(a) for a in ReferenceExecutor().load(case.graph)(case.arrays)]
    try:
        first, *others = compiled(case)
    except Exception as error:  # whatever it is, the meaning had none
        return f"{type(error).__name__}: {error}"
    for found in others:
        for number, (one, other) in enumerate(zip(first, found, strict=True)):
            if one.tobytes() != other.tobytes():
                return f"output {number} is not the same bits each time"
    for count in (FEW, MANY):  # most disagreements of the few runs are none of the many
        worst = _worst(first, wanted, _disturbed_runs(case, count))
        if not worst:
            return ""
    return worst


def _disturbed_runs(case: Case, count: int) -> list[tuple[Array, ...]]:
    generator = np.random.default_rng(0)
    return [evaluate(disturbed(case.graph, generator), case.arrays) for _ in range(count)]


def _worst(
    results: Sequence[Array], wanted: Sequence[Array], runs: Sequence[Sequence[Array]]
) -> str:
    for number, (found, array) in enumerate(zip(results, wanted, strict=True)):
        if found.shape != array.shape or found.dtype != array.dtype:
            return f"output {number} is {found.dtype}{found.shape}"
        wrong = differences(found, array, [run[number] for run in runs])
        if wrong.any():
            place = tuple(int(i) for i in np.argwhere(wrong)[0])
            return (
                f"output {number} differs in {int(wrong.sum())} of {wrong.size} elements: "
                f"at {place} it is {found[place]!r}, not {array[place]!r}"
            )
    return ""


# --- making it smaller ---


def shrunk(case: Case) -> Case:
    """The smallest program found that still disagrees."""
    tries = 0
    found = True
    while found:
        found = False
        for smaller in _smaller(case):
            tries += 1
            if tries > MOST_TRIES:
                return case
            if complaint(smaller):
                case, found = smaller, True
                break
    return case


def _smaller(case: Case) -> Iterator[Case]:
    """Programs with less in them: outputs, variables, nodes."""
    graph = case.graph
    if case.in_place:
        yield Case(graph, case.arrays)
    else:
        if len(graph.outputs) > 1:
            for output in graph.outputs:
                yield _trimmed(replace(graph, outputs=(output,)), case)
            for j in range(len(graph.outputs)):
                rest = graph.outputs[:j] + graph.outputs[j + 1 :]
                yield _trimmed(replace(graph, outputs=rest), case)
        for node in reversed(graph.nodes):
            yield _cut(case, node)
            for value in node.inputs:
                if [value.type] == [o.type for o in node.outputs]:
                    yield _bypassed(case, node, value)


def _cut(case: Case, node: Node) -> Case:
    """The results of a node come as inputs."""
    graph = case.graph
    rest = tuple(n for n in graph.nodes if n is not node)
    arrays = evaluate(replace(graph, outputs=node.outputs), case.arrays)
    opened = replace(graph, inputs=graph.inputs + node.outputs, nodes=rest)
    return _trimmed(opened, Case(opened, (*case.arrays, *(a.copy() for a in arrays))))


def _bypassed(case: Case, node: Node, value: Value) -> Case:
    """An input of a node stands for its output."""

    def moved(values: Sequence[Value]) -> tuple[Value, ...]:
        return tuple(value if v is node.outputs[0] else v for v in values)

    nodes = tuple(replace(n, inputs=moved(n.inputs)) for n in case.graph.nodes if n is not node)
    graph = replace(case.graph, nodes=nodes, outputs=moved(case.graph.outputs))
    return _trimmed(graph, case)


def _trimmed(graph: Graph, case: Case) -> Case:
    """The program without nodes and inputs that nothing reads."""
    graph = pruned(graph)
    read = {v for node in graph.nodes for v in node.inputs} | {*graph.outputs}
    kept = [(v, a) for v, a in zip(graph.inputs, case.arrays, strict=True) if v in read]
    return Case(replace(graph, inputs=tuple(v for v, _ in kept)), tuple(a for _, a in kept))


# --- the command ---


def examine(seed: int) -> str:
    """A report on the program of a seed: empty if it agrees.

    Every other one has small caches, and two of three short chains.
    """
    with (
        small_caches() if seed % 2 else nullcontext(),
        short_chains() if seed % 3 else nullcontext(),
    ):
        return _examined(seed)


def _examined(seed: int) -> str:
    case = random_case(seed)
    found = complaint(case)
    if not found:
        return ""
    small = shrunk(case)
    found = complaint(small) or found
    pairs = f"variables {small.in_place}\n" if small.in_place else ""
    return f"seed {seed}: {found}\n{pairs}{small.graph}"


def main() -> None:
    parser = argparse.ArgumentParser(description="compare random programs, compiled and computed")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=0, help="of the first program")
    parser.add_argument("--only", action="store_true", help="that one program alone")
    parser.add_argument("--debug", action="store_true", help="with all memory checked")
    options = parser.parse_args()
    if options.debug:
        os.environ["SLIPSTREAM_DEBUG"] = "1"
    faulthandler.enable()
    end, seed, reports = time.monotonic() + 60 * options.minutes, options.seed, 0
    with small_kernels_shared():
        while True:
            print(f"\rseed {seed}, {reports} disagree", end="", flush=True)
            report = examine(seed)
            if report:
                reports += 1
                print(f"\r{report}\n", flush=True)
            seed += 1
            if options.only or time.monotonic() > end:
                break
    print(f"\r{seed - options.seed} programs, {reports} disagree")
    raise SystemExit(bool(reports))


if __name__ == "__main__":
    main()
