"""Sums sample by sample: taken as soon as their operands are there, the same numbers."""

from __future__ import annotations

import numpy as np
from comparison import check, types_of

from slipstream.compiler.kernels import Contraction
from slipstream.compiler.pipeline import KernelStep, schedule
from slipstream.primitives import REGISTRY
from slipstream.primitives.tracing import trace

apply = REGISTRY.__getitem__
SINGLE = {"strides": (1, 1), "dilation": (1, 1), "low": (0, 0), "high": (0, 0), "groups": 1}


def filter_gradient(x, g):
    shape = (3, 3, x.shape[3], g.shape[3])
    return apply("convolution_filter_gradient")(x, g, filter_shape=shape, **SINGLE)


def two_towers(x, y, g, weights, moment):
    """The gradients are added and updated at the end, behind much other work."""
    first = filter_gradient(x, apply("tanh")(g))
    other = apply("exp")(y)
    norm = apply("sum")(other, axes=(0, 1, 2, 3))
    second = filter_gradient(x, apply("tanh")(g * norm))
    moment = moment * 0.9 + (first + second)
    return weights - moment * 0.01, moment


def test_sums_of_samples_come_first():
    random = np.random.default_rng(0)
    shapes = [(16, 20, 20, 1), (16, 20, 20, 8), (16, 18, 18, 8), (3, 3, 1, 8), (3, 3, 1, 8)]
    arrays = [random.normal(size=shape).astype("f") for shape in shapes]
    arrays[1] = arrays[1] * 1e-3
    graph = trace(two_towers, types_of(arrays), "test")
    steps = [s for s in schedule(graph, ()).steps if isinstance(s, KernelStep)]
    names = [[n.operation.name for n in s.group.nodes] for s in steps]
    sums = [n for n, s in enumerate(steps) if isinstance(s.calls[0][0], Contraction)]
    assert len(sums) == 2
    for place in sums:
        assert "tanh" in names[place - 1], names
    check(graph, arrays)
