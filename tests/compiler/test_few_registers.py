"""Contractions where tiles are small: blocks in the first level, ends, turns written out."""

from dataclasses import replace

import numpy as np
import pytest
from comparison import check, small_caches
from test_blocked import blocks_of, drawn, numbers, operands, product

from slipstream.compiler import pipeline, recipe
from slipstream.compiler.codegen.tile_shape import tile_shape
from slipstream.compiler.kernels import Contraction, Loop
from slipstream.compiler.program import load
from slipstream.compiler.target import levels, target
from slipstream.ir.dtypes import float32
from slipstream.primitives import REGISTRY

FEW = "x86-64-v3"
apply = REGISTRY.__getitem__

pytestmark = pytest.mark.skipif(FEW not in levels(), reason="the processor has no such vectors")


@pytest.fixture(autouse=True)
def few_registers(monkeypatch):
    monkeypatch.setenv("SLIPSTREAM_TARGET", FEW)
    assert target().has_few_registers
    usual = replace(target(), first_cache=1 << 15, second_cache=1 << 19)
    monkeypatch.setattr(pipeline, "target", lambda: usual)
    monkeypatch.setattr(recipe, "key_of", lambda *_: None)  # no program of other caches


def batched(x, y, is_turned):
    labels = (0, 2, 1) if is_turned else (0, 1, 2)
    return apply("contract")(x, y, x_labels=labels, y_labels=(0, 2, 3), out_labels=(0, 1, 3))


@pytest.mark.parametrize("rows", [*range(1, 15), 26])
@pytest.mark.parametrize("columns", [7, 16, 33])
def test_tiles_of_any_number_of_rows(rows, columns):
    arrays = operands((rows, 37, columns))
    check(drawn(product, arrays), arrays)


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 5, 7, 15, 16, 17, 63, 66])
def test_sums_of_any_length(steps):
    arrays = operands((13, steps, 40))
    check(drawn(product, arrays), arrays)


@pytest.mark.parametrize("taps", [(3, 3), (2, 5), (1, 4), (5, 5)])
@pytest.mark.parametrize("filters", [3, 16, 32])
def test_short_sums_over_windows(taps, filters):
    arrays = [numbers(3, 14, 13, 1), numbers(*taps, 1, filters)]
    geometry = {"strides": (1, 1), "dilation": (1, 1), "low": (0, 0), "high": (0, 0), "groups": 1}

    def function(x, w):
        y = apply("convolution")(x, w, **geometry)
        gradient = apply("convolution_filter_gradient")
        return y, gradient(x, y, filter_shape=w.shape, **geometry)

    check(drawn(function, arrays), arrays)


@pytest.mark.parametrize("is_turned", [True, False])
@pytest.mark.parametrize("sizes", [(32, 576, 64), (35, 577, 67), (64, 1158, 33)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_many_long_sums(is_turned, sizes, dtype):
    m, k, n = sizes
    x = numbers(3, *((k, m) if is_turned else (m, k)), dtype=dtype)
    arrays = [x, numbers(3, k, n, dtype=dtype)]
    graph = drawn(lambda x, y: batched(x, y, is_turned), arrays)
    (blocks,) = blocks_of(graph) if is_turned or k > 1024 else [None]
    assert blocks is None or blocks.step < k
    check(graph, arrays)


@pytest.mark.parametrize("sizes", [(61, 1601, 131), (64, 130, 513), (130, 1030, 129)])
@pytest.mark.parametrize("labels", [(0, 1), (1, 0)])
def test_one_long_sum(sizes, labels):
    arrays = operands(sizes, labels)
    graph = drawn(lambda x, y: product(x, y, labels), arrays)
    assert blocks_of(graph)
    check(graph, arrays)


def test_what_follows_many_long_sums():
    arrays = [numbers(3, 70, 33), numbers(3, 70, 41), numbers(3, 33, 41)]
    with small_caches():
        graph = drawn(lambda x, y, z: (apply("tanh")(batched(x, y, True)) * z,), arrays)
        (blocks,) = blocks_of(graph)
        assert blocks.sums is not None
        check(graph, arrays)


@pytest.mark.parametrize("threads", ["2", "3", "8"])
@pytest.mark.parametrize("is_turned", [True, False])
def test_any_number_of_threads_gives_the_same_bits(threads, is_turned, monkeypatch):
    x = numbers(5, *((577, 35) if is_turned else (35, 577)))
    arrays = [x, numbers(5, 577, 67)]
    with small_caches(second=4096):
        program = load(drawn(lambda x, y: batched(x, y, is_turned), arrays))
    monkeypatch.setenv("SLIPSTREAM_THREADS", "1")
    (alone,) = program(arrays)
    monkeypatch.setenv("SLIPSTREAM_THREADS", threads)
    np.testing.assert_array_equal(program(arrays)[0], alone)


@pytest.mark.parametrize("columns", [8, 17, 24, 32, 64, 100])
@pytest.mark.parametrize("rows", [1, 2, 3, 5, 6, 7, 26, 64])
def test_a_tile_fits_the_registers(rows, columns):
    for steps in (9, 64):
        loops = Loop(rows, 64, 0, columns), Loop(columns, 0, 1, 1), (Loop(steps, 1, columns, 0),)
        height, vectors = tile_shape(Contraction((), *loops, (0, 0), float32), target(), 8)
        assert height * vectors + min(height, vectors) < target().registers
        many = replace(target(), vector_bits=512)
        height, vectors = tile_shape(Contraction((), *loops, (0, 0), float32), many, 16)
        assert height * vectors + vectors + 1 < many.registers
