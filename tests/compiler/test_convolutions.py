"""Convolutions the compiler rewrites: in tiles with fewer products, and strided gradients apart."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from comparison import check, types_of

from slipstream.compiler.operations import is_contraction
from slipstream.compiler.passes import partial, winograd
from slipstream.compiler.passes.expand import expand
from slipstream.compiler.pipeline import schedule
from slipstream.compiler.program import Program, load
from slipstream.primitives import REGISTRY
from slipstream.primitives.evaluate import evaluate
from slipstream.primitives.tracing import trace

apply = REGISTRY.__getitem__
# batch, height, width, channels in and out, padding; each large enough for tiles
SIZES = [(20, 32, 32, 24, 32, 1), (33, 13, 14, 64, 64, 0), (64, 11, 9, 48, 80, 2)]
BOUND = 4.0  # on the error beside that of the plain sum, compiled: the transforms are rounded, too


def geometry(padding, strides=(1, 1)):
    edge = (padding, padding)
    return {"strides": strides, "low": edge, "high": edge, "dilation": (1, 1), "groups": 1}


def arrays_of(n, h, w, ci, co, padding):
    random = np.random.default_rng(n)
    x = random.normal(size=(n, h, w, ci))
    taps = random.normal(size=(3, 3, ci, co)) / np.sqrt(9 * ci)
    g = random.normal(size=(n, h + 2 * padding - 2, w + 2 * padding - 2, co))
    return [a.astype(np.float32) for a in (x, taps, g)]


def planned(graph):
    """The program, by the passes as they are now: what was compiled before is not looked for."""
    return Program(schedule(graph, ()), ())


def kinds(x, taps, padding):
    """Each of the three ways through a convolution: what it is called with, and the function."""
    options = geometry(padding)
    return {
        "forward": lambda x, w, g: apply("convolution")(x, w, **options),
        "by input": lambda x, w, g: apply("convolution_input_gradient")(
            g, w, input_shape=x.shape, **options
        ),
        "by filter": lambda x, w, g: apply("convolution_filter_gradient")(
            x, g, filter_shape=w.shape, **options
        ),
    }


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("way", ["forward", "by input", "by filter"])
def test_tiles_are_about_as_exact_as_the_plain_sum(size, way, monkeypatch):
    arrays = arrays_of(*size)
    function = kinds(*arrays[:2], size[-1])[way]
    graph = trace(function, types_of(arrays), "convolution")
    operations = {node.operation.name for node in expand(graph).nodes}
    assert not any("convolution" in name for name in operations)  # tiles, not the plain sum
    (found,) = planned(graph)(arrays)
    wide = [a.astype(np.float64) for a in arrays]
    (exact,) = evaluate(trace(function, types_of(wide), "convolution"), wide)
    monkeypatch.setattr(winograd, "WORTH", float("inf"))
    monkeypatch.setattr(partial, "LONG", float("inf"))  # all samples in one sum
    (plain,) = planned(graph)(arrays)
    assert not np.array_equal(plain, found)
    error, usual = (np.abs(a - exact).max() for a in (found, plain))
    assert error <= BOUND * usual
    assert error <= 1e-5 * np.abs(exact).max()


def test_small_and_other_convolutions_are_plain_sums():
    for size, strides in [((2, 8, 8, 4, 4, 1), (1, 1)), ((32, 16, 16, 64, 64, 1), (2, 2))]:
        x, taps, _ = arrays_of(*size)
        options = geometry(1, strides)
        graph = trace(
            lambda x, w, options=options: apply("convolution")(x, w, **options),
            types_of([x, taps]),
            "convolution",
        )
        (product,) = filter(is_contraction, expand(graph).nodes)
        assert product.operation is apply("convolution")


@pytest.mark.parametrize("taps", [1, 2, 3, 5])
@pytest.mark.parametrize("stride", [2, 3])
def test_the_gradient_of_a_strided_convolution_multiplies_no_zeros(taps, stride):
    random = np.random.default_rng(taps)
    w = random.normal(size=(taps, 2, 3, 5)).astype(np.float32)
    for low, high, side in itertools.product(range(min(3, taps + 1)), (0, 1), (7, 8, 9)):
        options = {
            "strides": (stride, 1 + stride % 2), "low": (low, 0), "high": (high, 1),
            "dilation": (1, 1), "groups": 1,
        }  # fmt: skip
        x = random.normal(size=(2, side, side, 3)).astype(np.float32)
        g = np.asarray(apply("convolution").meaning(x, w, **options))
        graph = trace(
            lambda g, w, x=x, options=options: apply("convolution_input_gradient")(
                g, w, input_shape=x.shape, **options
            ),
            types_of([g, w]),
            "by_input",
        )
        check(graph, [g, w])


def test_what_follows_tiles_is_done_with_them():
    """Bias, activation, a sum for the next layer's normalisation, then the next convolution."""
    x, taps, _ = arrays_of(*SIZES[0])
    bias = np.random.default_rng(0).normal(size=32).astype(np.float32)

    def function(x, w, b):
        y = apply("convolution")(x, w, **geometry(1))
        y = apply("maximum")(y + apply("reshape")(b, shape=(1, 1, 1, 32)), y.coerce(0))
        return y, apply("sum")(y, axes=(0, 1, 2))

    graph = trace(function, types_of([x, taps, bias]), "layer")
    (y, total), (wanted, _) = load(graph)([x, taps, bias]), evaluate(graph, [x, taps, bias])
    np.testing.assert_allclose(y, wanted, atol=2e-5)
    np.testing.assert_allclose(total, wanted.sum((0, 1, 2), dtype=np.float64), rtol=2e-5)


@pytest.mark.parametrize("shape", [(64, 9, 9, 5), (4096, 7), (2 * 1021, 3), (8, 700, 2, 2)])
def test_long_sums_in_two_steps(shape):
    """Over all axes but the last, and over the first, also where its size has no divisor."""
    random = np.random.default_rng(0)
    x = random.normal(size=shape).astype(np.float32)

    def function(x):
        squared = x * x
        axes = tuple(range(len(shape) - 1))
        return squared, apply("sum")(squared, axes=axes), apply("sum")(x, axes=(0,))

    check(trace(function, types_of([x]), "sums"), [x])
