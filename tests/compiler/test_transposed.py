"""Copies that turn an array, through registers: odd sizes, edges, every width of elements."""

import itertools

import numpy as np
import pytest
from comparison import check, types_of

from slipstream.compiler.codegen.transposed import turn_of
from slipstream.compiler.kernels import LoopNest
from slipstream.compiler.pipeline import schedule
from slipstream.compiler.program import load
from slipstream.primitives import REGISTRY
from slipstream.primitives.tracing import trace

apply = REGISTRY.__getitem__
SIZES = (4, 5, 16, 33, 100)


def counting(*shape, dtype="float32"):
    return np.arange(np.prod(shape)).reshape(shape).astype(dtype)


def turned(array, *axes):
    return trace(lambda x: apply("transpose")(x, permutation=axes), types_of([array]), "turned")


def turns_of(graph):
    kernels = [kernel for step in schedule(graph, ()).steps for kernel, _ in step.calls]
    return [turn_of(kernel) for kernel in kernels if isinstance(kernel, LoopNest)]


@pytest.mark.parametrize(("rows", "columns"), [*itertools.product(SIZES, SIZES)])
def test_matrices_of_any_size(rows, columns):
    array = counting(rows, columns)
    graph = turned(array, 1, 0)
    assert turns_of(graph) != [None]
    check(graph, [array])


@pytest.mark.parametrize(
    "dtype", ["float32", "float64", "int8", "uint16", "int32", "int64", "bool"]
)
def test_elements_of_any_width(dtype):
    array = counting(37, 70, dtype=dtype)
    check(turned(array, 1, 0), [array])


@pytest.mark.parametrize("axes", [*itertools.permutations(range(3))])
def test_any_order_of_axes(axes):
    array = counting(9, 21, 34)
    check(turned(array, *axes), [array])


def test_a_slice_of_a_turned_array():
    array = counting(40, 50)

    def function(x):
        part = apply("slice")(x, starts=(3, 2), stops=(38, 49), steps=(1, 1))
        return apply("transpose")(part, permutation=(1, 0))

    check(trace(function, types_of([array]), "part"), [array])


def test_what_is_only_repeated_is_not_turned():
    array = counting(30)

    def function(x):
        column = apply("reshape")(x, shape=(30, 1))
        return apply("broadcast_to")(column, shape=(30, 40))

    graph = trace(function, types_of([array]), "repeated")
    assert turns_of(graph) == [None]
    check(graph, [array])


@pytest.mark.parametrize("shape", [(700, 500), (40, 3000), (3000, 40)])
def test_threads_divide_it(shape, monkeypatch):
    array = counting(*shape)
    program = load(turned(array, 1, 0))
    for threads in ("1", "2", "3", "8"):
        monkeypatch.setenv("SLIPSTREAM_THREADS", threads)
        np.testing.assert_array_equal(program([array])[0], array.T)
