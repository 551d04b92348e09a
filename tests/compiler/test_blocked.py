"""Contractions cut into blocks: every layout of the operands, odd sizes, what follows the sum."""

import itertools
from dataclasses import replace
from unittest import mock

import numpy as np
import pytest
from comparison import check, small_caches, types_of

from slipstream.compiler import pipeline
from slipstream.compiler.describe import flops, kind_of
from slipstream.compiler.kernels import Contraction
from slipstream.compiler.passes.block import is_large
from slipstream.compiler.pipeline import KernelStep, schedule
from slipstream.compiler.program import load
from slipstream.compiler.target import target
from slipstream.primitives import REGISTRY
from slipstream.primitives.tracing import trace

apply = REGISTRY.__getitem__
LAYOUTS = [*itertools.product([(0, 1), (1, 0)], [(1, 2), (2, 1)], [(0, 2), (2, 0)])]


def numbers(*shape, dtype=np.float32):
    generator = np.random.default_rng(sum(shape))
    return generator.normal(size=shape).astype(dtype)


def operands(sizes, x_labels=(0, 1), y_labels=(1, 2), dtype=np.float32):
    """Two arrays whose axes have the sizes that their labels number."""
    return [numbers(*(sizes[i] for i in own), dtype=dtype) for own in (x_labels, y_labels)]


def product(x, y, x_labels=(0, 1), y_labels=(1, 2), out_labels=(0, 2)):
    return apply("contract")(x, y, x_labels=x_labels, y_labels=y_labels, out_labels=out_labels)


def drawn(function, arrays):
    return trace(function, types_of(arrays), "test")


def kernels_of(graph):
    steps = [step for step in schedule(graph, ()).steps if isinstance(step, KernelStep)]
    return [kernel for step in steps for kernel, _ in step.calls]


def blocks_of(graph):
    """How the contractions of a graph are cut."""
    kernels = [kernel for kernel in kernels_of(graph) if isinstance(kernel, Contraction)]
    return [kernel.blocks for kernel in kernels if kernel.blocks is not None]


@pytest.mark.parametrize(("x", "y", "out"), LAYOUTS)
@pytest.mark.parametrize("sizes", [(64, 64, 64), (37, 29, 83), (130, 17, 20), (9, 301, 65)])
def test_every_layout_of_the_operands(x, y, out, sizes):
    arrays = operands(sizes, x, y)
    with small_caches():
        graph = drawn(lambda a, b: product(a, b, x, y, out), arrays)
        assert blocks_of(graph)
        check(graph, arrays)


@pytest.mark.parametrize(("x", "y", "out"), LAYOUTS)
def test_operands_in_place(x, y, out):
    arrays = operands((50, 67, 41), x, y)
    with small_caches(far=1 << 20):
        graph = drawn(lambda a, b: product(a, b, x, y, out), arrays)
        assert blocks_of(graph)
        check(graph, arrays)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("second", [256, 2048, 16384])
def test_blocks_of_any_length(dtype, second):
    arrays = operands((43, 150, 71), dtype=dtype)
    with small_caches(second=second):
        graph = drawn(product, arrays)
        check(graph, arrays)
    (blocks,) = blocks_of(graph) or [None]
    assert blocks is None  # at the size of real caches, it is not worth it


def test_what_follows_is_done_once_after_the_last_block():
    arrays = [*operands((50, 90, 70)), numbers(70), numbers(50, 70)]

    def function(x, y, bias, residual):
        total = product(x, y) + bias
        return (
            apply("relu")(total),
            apply("greater")(total, residual),
            apply("tanh")(total) * residual,
        )

    with small_caches():
        graph = drawn(function, arrays)
        (blocks,) = blocks_of(graph)
        assert blocks.sums is not None
        check(graph, arrays)


def test_a_variable_is_overwritten_where_the_totals_end():
    x, y, w = *operands((40, 100, 48)), numbers(40, 48)
    with small_caches():
        graph = drawn(lambda x, y, w: w - 0.5 * product(x, y), [x, y, w])
        wanted = w - np.float32(0.5) * (x @ y)
        program = load(graph, ((2, 0),))
        (found,) = program([x, y, w])
    assert found is w
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("shared", [False, True])
def test_batches(shared):
    arrays = [numbers(3, 2, 40, 31), numbers(*(() if shared else (3,)), 31, 50)]
    labels = {
        "x_labels": (0, 1, 2, 3),
        "y_labels": (3, 4) if shared else (0, 3, 4),
        "out_labels": (0, 1, 2, 4),
    }
    with small_caches():
        graph = drawn(lambda x, y: apply("contract")(x, y, **labels), arrays)
        assert blocks_of(graph)
        check(graph, arrays)


@pytest.mark.parametrize("sizes", [(3, 5, 7, 9, 20), (1, 6, 40, 33, 16), (9, 4, 16, 64, 64)])
@pytest.mark.parametrize("second", [4096, 1 << 15, 1 << 20])
def test_operands_that_pass_by(sizes, second):
    """Planes of tiles of samples: each plane's sum is over samples and tiles."""
    samples, planes, tiles, rows, columns = sizes
    arrays = [numbers(samples, planes, tiles, n) for n in (rows, columns)]
    with small_caches(first=1 << 14, second=second, far=1 << 20):
        graph = drawn(lambda x, y: product(x, y, (0, 1, 2, 3), (0, 1, 2, 4), (1, 3, 4)), arrays)
        fetching = [blocks for blocks in blocks_of(graph) if blocks.fetches]
        is_passing = sum(array.nbytes for array in arrays) > second
        assert bool(fetching) == (is_passing and not target().has_few_registers)
        check(graph, arrays)


GEOMETRY = {"strides": (1, 2), "dilation": (2, 1), "low": (1, 0), "high": (1, 2)}


@pytest.mark.parametrize("groups", [1, 2])
def test_convolutions_and_the_gradients_of_their_filters(groups):
    geometry = {**GEOMETRY, "groups": groups}
    x, w = numbers(3, 13, 15, 8), numbers(3, 3, 8 // groups, 34)

    def function(x, w):
        y = apply("convolution")(x, w, **geometry)
        by_filter = apply("convolution_filter_gradient")
        return apply("tanh")(y), by_filter(x, y, filter_shape=w.shape, **geometry)

    with small_caches():
        graph = drawn(function, [x, w])
        assert len(blocks_of(graph)) == 2
        check(graph, [x, w])


def test_views_that_overlap_are_read_in_place():
    x, y = numbers(2, 60, 1), numbers(11, 24)
    windows = {"window": (11,), "strides": (1,), "dilation": (1,), "low": (0,), "high": (0,)}

    def function(x, y):
        return product(apply("windows")(x, **windows), y, (0, 1, 2, 3), (2, 4), (0, 1, 3, 4))

    with small_caches():
        graph = drawn(function, [x, y])
        assert blocks_of(graph)
        check(graph, [x, y])


@pytest.mark.parametrize("threads", ["2", "3", "8"])
def test_any_number_of_threads_gives_the_same_bits(threads, monkeypatch):
    arrays = operands((131, 257, 190))
    with small_caches(second=4096):
        program = load(drawn(product, arrays))
    monkeypatch.setenv("SLIPSTREAM_THREADS", "1")
    (alone,) = program(arrays)
    monkeypatch.setenv("SLIPSTREAM_THREADS", threads)
    np.testing.assert_array_equal(program(arrays)[0], alone)


def cut_for(bits, graph):
    """How the contractions of a graph are cut for vectors of so many bits and usual caches."""
    chosen = replace(target(), vector_bits=bits, first_cache=32 << 10, second_cache=1 << 20)
    with mock.patch.object(pipeline, "target", lambda: chosen):
        return blocks_of(graph)


@pytest.mark.parametrize(
    ("sizes", "bits"),
    [((1024,) * 3, {256, 512}), ((288, 43_000, 64), {256, 512}), ((256,) * 3, set()),
     ((64, 784, 128), {256}), ((64, 1600, 128), {256, 512}), ((4096, 64, 32), {512}),
     ((1, 4096, 4096), set())],
)  # fmt: skip
def test_what_fits_the_cache_or_is_read_once_is_not_cut(sizes, bits):
    arrays = [np.empty((sizes[0], sizes[1]), np.float32), np.empty(sizes[1:], np.float32)]
    graph = drawn(product, arrays)
    assert {width for width in (256, 512) if cut_for(width, graph)} == bits


def test_copies_of_operands_are_no_products():
    arrays = operands((64, 64, 64), (1, 0))
    with small_caches():
        planned = schedule(drawn(lambda x, y: product(x, y, (1, 0)), arrays), ())
    (step,) = planned.steps
    found = [(kind_of(kernel, step.group), flops(kernel, step.group)) for kernel, _ in step.calls]
    assert found == [("copy", None), ("copy", None), ("contraction", 2 * 64**3)]


def test_a_large_product():
    arrays = operands((515, 1100, 333))
    graph = drawn(product, arrays)
    (kernel,) = [kernel for kernel in kernels_of(graph) if isinstance(kernel, Contraction)]
    assert is_large(kernel, target())
    check(graph, arrays)
