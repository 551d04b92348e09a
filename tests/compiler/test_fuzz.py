"""A fixed number of random programs, and the programs in which earlier ones found faults."""

import numpy as np
import pytest
from comparison import check, compare, types_of
from fuzz import complaint, differences, examine, shrunk, small_kernels_shared
from random_graphs import random_case

from slipstream.compiler.codegen import scalars
from slipstream.compiler.program import load
from slipstream.primitives import REGISTRY
from slipstream.primitives.evaluate import evaluate
from slipstream.primitives.tracing import trace

PROGRAMS, A_TEST = 120, 20
apply = REGISTRY.__getitem__


@pytest.mark.parametrize("first", range(0, PROGRAMS, A_TEST))
def test_random_programs_agree(first):
    with small_kernels_shared():
        reports = [report for seed in range(first, first + A_TEST) if (report := examine(seed))]
    assert not reports, "\n".join(reports)


def test_random_programs_keep_to_their_memory(monkeypatch):
    monkeypatch.setenv("SLIPSTREAM_DEBUG", "1")
    with small_kernels_shared():
        reports = [report for seed in range(1000, 1000 + A_TEST) if (report := examine(seed))]
    assert not reports, "\n".join(reports)


def test_a_seed_is_one_program():
    one, other = random_case(7), random_case(7)
    assert str(one.graph) == str(other.graph)
    for a, b in zip(one.arrays, other.arrays, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_wrong_instruction_is_found_and_the_program_made_small(monkeypatch):
    wrong = scalars.EMITTERS[apply("subtract")]
    monkeypatch.setitem(scalars.EMITTERS, apply("add"), wrong)
    with small_kernels_shared():
        case = next(c for c in map(random_case, range(50)) if complaint(c))
        small = shrunk(case)
        assert complaint(small)
    assert [node.operation.name for node in small.graph.nodes] == ["add"]


def test_what_rounding_explains_is_no_difference():
    wanted = np.array([1.0, 2.0, np.nan, 0.0], np.float32)
    moved = wanted + np.float32([0, 1e-3, 0, 0])
    found = wanted + np.float32([1e-3, 3e-3, 0, np.nan])
    np.testing.assert_array_equal(differences(found, wanted, [moved]), [True, False, False, True])
    truth = np.array([True, True])
    wrong = differences(~truth, truth, [np.array([True, False])])
    np.testing.assert_array_equal(wrong, [True, False])


def drawn(function, *arrays):
    check(trace(function, types_of(arrays), "found"), arrays)


def numbers(*shape):
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def test_what_follows_a_product_may_stand_before_it():
    """The sum b + c stands before the product that it shares a kernel with."""

    def function(x, w, b, c):
        total = b + c
        labels = {"x_labels": (0, 1), "y_labels": (1, 2), "out_labels": (0, 2)}
        return total + apply("contract")(x, w, **labels)

    drawn(function, numbers(6, 5), numbers(5, 17), numbers(6, 17), numbers(6, 17))


@pytest.mark.parametrize("name", ["window_max", "window_sum"])
def test_windows_over_nothing(name):
    """A window larger than an axis of none and its padding."""
    geometry = {"strides": (3, 1), "low": (0, 0), "high": (1, 0), "dilation": (2, 1)}
    drawn(lambda x: apply(name)(x, window=(3, 1), **geometry), numbers(1, 0, 3, 8))


def test_a_convolution_over_nothing():
    geometry = {"strides": (1, 3), "low": (2, 1), "high": (0, 0), "dilation": (2, 1), "groups": 1}
    drawn(lambda x, w: apply("convolution")(x, w, **geometry),
          numbers(3, 2, 0, 4), numbers(1, 3, 4, 4))  # fmt: skip


@pytest.mark.parametrize("width", [5, 16, 17])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_variable_may_be_written_with_what_it_has_no_part_in(width, dtype):
    """A kernel that reads the old content for another result must do so before it is gone."""

    def function(x, y, z):
        h = apply("sigmoid")(x)
        return h, z + y * (h * (1.0 - h))

    arrays = [(n * numbers(16, 16, width)).astype(dtype) for n in (1, 2, 3)]
    arrays[2] = arrays[2][:, :1]
    graph = trace(function, types_of(arrays), "found")
    wanted = evaluate(graph, arrays)
    for found, array in zip(load(graph, ((1, 0),))(arrays), wanted, strict=True):
        compare(found, array)
