"""Products that an update follows: in a kernel of its own, the same numbers, in place."""

from __future__ import annotations

from unittest import mock

import numpy as np
import pytest
from comparison import check, check_bits, types_of

from slipstream.compiler import pipeline, recipe
from slipstream.compiler.kernels import Contraction, LoopNest
from slipstream.compiler.passes import update
from slipstream.compiler.pipeline import KernelStep, schedule
from slipstream.compiler.program import load
from slipstream.compiler.target import target
from slipstream.primitives import REGISTRY
from slipstream.primitives.tracing import trace

apply = REGISTRY.__getitem__

pytestmark = pytest.mark.skipif(
    target().has_few_registers, reason="updates stay in the product where registers are few"
)


@pytest.fixture(autouse=True)
def small_updates(monkeypatch):
    monkeypatch.setattr(update, "LARGE", 1)
    monkeypatch.setattr(recipe, "key_of", lambda *_: None)


def operands(samples, rows, columns):
    random = np.random.default_rng(rows)
    shapes = [(samples, rows), (samples, columns), *[(rows, columns)] * 3]
    arrays = [random.normal(size=shape).astype("f") for shape in shapes]
    arrays[-1] = abs(arrays[-1])
    return arrays


def gradient(x, y):
    return apply("contract")(x, y, x_labels=(0, 1), y_labels=(0, 2), out_labels=(1, 2))


def adam(x, y, weights, mean, spread):
    g = gradient(x, y)
    mean = mean + (g - mean) * 0.1
    spread = spread + (g * g - spread) * 0.001
    return weights - mean * 0.01 / (apply("sqrt")(spread) + 1e-7), mean, spread


def descent(x, y, weights, mean, spread):
    return (weights - gradient(x, y) * 0.01,)


def drawn(function, arrays):
    return trace(function, types_of(arrays), "test")


def kernels_of(graph):
    steps = [step for step in schedule(graph, ()).steps if isinstance(step, KernelStep)]
    return [kernel for step in steps for kernel, _ in step.calls]


@pytest.mark.parametrize("sizes", [(8, 16, 64), (5, 33, 17), (64, 100, 128), (3, 1, 40)])
def test_an_update_is_a_kernel_of_its_own(sizes):
    arrays = operands(*sizes)
    graph = drawn(adam, arrays)
    kinds = [type(kernel) for kernel in kernels_of(graph)]
    assert kinds[-1] is LoopNest
    check(graph, arrays)
    found = load(graph, ())(arrays)
    with mock.patch.object(pipeline, "update_apart", lambda one: [one]):
        assert LoopNest not in map(type, kernels_of(graph)) or sizes[1] == 1
        wanted = load(graph, ())(arrays)
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-6)


def test_what_reads_one_array_follows_the_totals():
    graph = drawn(descent, operands(8, 16, 64))
    assert [type(kernel) for kernel in kernels_of(graph)] == [Contraction]


def test_variables_are_overwritten_where_they_lie():
    x, y, *variables = operands(16, 40, 48)
    graph = drawn(adam, [x, y, *variables])
    wanted = load(graph, ())([x, y, *(v.copy() for v in variables)])
    program = load(graph, ((2, 0), (3, 1), (4, 2)))
    assert program.is_one_function
    found = program([x, y, *variables])
    for one, variable, other in zip(found, variables, wanted, strict=True):
        assert one is variable
        np.testing.assert_array_equal(one, other)


def test_any_number_of_threads_gives_the_same_bits(monkeypatch):
    arrays = operands(64, 100, 128)
    check_bits(drawn(adam, arrays), arrays, monkeypatch)
