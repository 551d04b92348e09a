"""Values made again in each kernel that reads them, in place of being kept."""

from __future__ import annotations

from unittest import mock

import numpy as np
import pytest
from comparison import check, types_of

from slipstream.compiler import pipeline, recipe
from slipstream.compiler.passes import again
from slipstream.compiler.pipeline import KernelStep, schedule
from slipstream.compiler.program import load
from slipstream.primitives import REGISTRY
from slipstream.primitives.tracing import trace

apply = REGISTRY.__getitem__


@pytest.fixture(autouse=True)
def small_arrays(monkeypatch):
    monkeypatch.setattr(again, "LARGE", 1)
    monkeypatch.setattr(recipe, "key_of", lambda *_: None)


def numbers(*shape):
    return np.random.default_rng(sum(shape)).normal(size=shape).astype("f")


def drawn(function, arrays):
    return trace(function, types_of(arrays), "test")


def written(graph, shape):
    """How many arrays of a shape kernels write."""
    steps = [s for s in schedule(graph, ()).steps if isinstance(s, KernelStep)]
    values = {v for step in steps for v in step.written}
    return sum(v.type.shape == shape for v in values)


def kept(graph, shape):
    """How many they write if nothing is made again."""
    with mock.patch.object(pipeline, "made_again", lambda plan: plan.graph):
        return written(graph, shape)


def deviations(x):
    """Of columns that a kernel has made, from their means."""
    x = apply("exp")(x)
    mean = apply("sum")(x, axes=(0,)) * (1 / x.shape[0])
    return x, x - mean


def variance(d):
    return apply("sum")(d * d, axes=(0,)) + 1e-3


def normalised(x, g):
    """What normalisation and its gradient read of the deviations, by three kernels."""
    x, d = deviations(x)
    spread = variance(d)
    inner = apply("sum")(d * g, axes=(0,)) / spread
    return (g - d * inner) / apply("sqrt")(spread), inner, (d + d) * inner


@pytest.mark.parametrize("shape", [(70, 33), (128, 64), (20, 300)])
def test_deviations_are_made_again(shape):
    arrays = [numbers(*shape), numbers(*shape)]
    graph = drawn(normalised, arrays)
    assert written(graph, shape) < kept(graph, shape)
    check(graph, arrays)
    found = load(graph, ())(arrays)
    with mock.patch.object(pipeline, "made_again", lambda plan: plan.graph):
        wanted = load(graph, ())(arrays)
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def as_a_result(x, g):
    x, d = deviations(x)
    return d, g * d / variance(d)


def as_a_view(x, g):
    x, d = deviations(x)
    return apply("transpose")(d, permutation=(1, 0)) / apply("reshape")(
        variance(d), shape=(x.shape[1], 1)
    ), x * g


def in_a_product(x, g):
    x, d = deviations(x)
    square = apply("contract")(d, g, x_labels=(0, 1), y_labels=(0, 2), out_labels=(1, 2))
    return square, d / variance(d), x


def of_two_arrays(x, g):
    x, d = deviations(x)
    d = d * apply("tanh")(g)
    return d / variance(d), x


def dear(x, g):
    x, d = deviations(x)
    d = apply("tanh")(d)
    return d / variance(d), x


@pytest.mark.parametrize("function", [as_a_result, as_a_view, in_a_product, of_two_arrays, dear])
def test_what_must_be_kept_is_kept(function):
    arrays = [numbers(40, 24), numbers(40, 24)]
    graph = drawn(function, arrays)
    assert written(graph, (40, 24)) == kept(graph, (40, 24)) > 0
    check(graph, arrays)


def test_variables_are_overwritten_all_the_same():
    """What is made of a variable is not made again of it: it has another content by then."""

    def function(w, g):
        old = w * 0.5
        norm = apply("sum")(old * g, axes=(0,))
        return w - g, old * norm

    arrays = [numbers(40, 24), numbers(40, 24)]
    graph = drawn(function, arrays)
    wanted = load(graph, ())([a.copy() for a in arrays])
    variable = arrays[0].copy()
    found = load(graph, ((0, 0),))([variable, arrays[1]])
    assert found[0] is variable
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(one, other)
    assert schedule(graph, ((0, 0),)).places.written
