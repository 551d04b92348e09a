"""Arrays put together from parts: work goes to the parts, and kernels store them in place."""

from __future__ import annotations

import numpy as np
import pytest
from comparison import check, types_of

from slipstream.compiler.kernels import LoopNest
from slipstream.compiler.passes.assemble import assemble
from slipstream.compiler.passes.expand import expand
from slipstream.compiler.pipeline import KernelStep, schedule
from slipstream.compiler.spaces import refined, refined_axes, refinement
from slipstream.primitives import REGISTRY
from slipstream.primitives.tracing import trace

apply = REGISTRY.__getitem__
WINDOWS = {"window": (2, 2), "strides": (2, 2), "low": (0, 0), "high": (0, 0), "dilation": (1, 1)}


def normal(*shape):
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(np.float32)


def drawn(function, arrays):
    return trace(function, types_of(arrays), "test")


def kernels_of(graph):
    steps = schedule(graph, ()).steps
    return [kernel for step in steps if isinstance(step, KernelStep) for kernel, _ in step.calls]


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ((6, 4), (2, 3, 4), (2, 3, 4)),
        ((6,), (1, 6, 1), (6,)),
        ((4, 26, 26, 8), (104, 2, 13, 8), (4, 26, 2, 13, 8)),
        ((2, 3), (3, 2), None),
        ((8,), (9,), None),
        ((), (1, 1), ()),
    ],
)
def test_the_common_refinement_of_two_shapes(first, second, expected):
    assert refinement(first, second) == expected
    assert refinement(second, first) == expected


def test_strides_and_axes_over_a_refinement():
    assert refined((40, 1), (6, 4), (2, 3, 4)) == (120, 40, 1)
    assert refined((0, 7), (6, 4), (2, 3, 2, 2)) == (0, 0, 14, 7)
    assert refined_axes((0,), (6, 4), (2, 3, 4)) == (0, 1)
    assert refined_axes((1,), (6, 1, 4), (2, 3, 4)) == ()


@pytest.mark.parametrize("side", [4, 5, 7])
def test_the_way_back_from_a_pool_is_one_kernel(side):
    """Maximum, its place, the mask of what came before and a sum of all: nothing is copied."""

    def function(x, g):
        y = apply("maximum")(x, x.coerce(0))
        largest = apply("window_max")(y, **WINDOWS)
        index = apply("window_argmax")(y, **WINDOWS)
        back = apply("window_place")(g * largest, index, input_shape=y.shape, **WINDOWS)
        masked = apply("select")(apply("greater")(y, y.coerce(0)), back, back.coerce(0))
        return largest, masked, apply("sum")(masked, axes=(0, 1, 2))

    half = side // 2
    arrays = [normal(3, side, side, 17), normal(3, half, half, 17)]
    graph = drawn(function, arrays)
    check(graph, arrays)
    edges = 2 * (side % 2)
    assert len(kernels_of(graph)) <= 3 + edges


def test_parts_are_stored_where_they_belong():
    """Two sums made apart, put beside each other, and read by others where they lie then."""

    def function(x, y):
        left, right = x * y + x, x - y
        both = apply("concat")(left, right, axis=1)
        return apply("contract")(both, left, x_labels=(0, 1), y_labels=(0, 2), out_labels=(1, 2))

    arrays = [normal(19, 19), normal(19, 19)]
    graph = drawn(function, arrays)
    check(graph, arrays)
    nests = [k for k in kernels_of(graph) if isinstance(k, LoopNest)]
    copies = [k for k in nests if len(k.body) == 1]
    assert copies == []


@pytest.mark.parametrize("interior", [0, 1, 2])
def test_a_padded_array_is_stored_padded(interior):
    def function(x, w):
        y = apply("maximum")(x, x.coerce(0.25))
        wide = apply("pad")(
            y, y.coerce(0), low=(0, 1, 2, 0), high=(0, 2, 0, 0), interior=(0, interior, 0, 0)
        )
        return apply("contract")(
            wide, w, x_labels=(0, 1, 2, 3), y_labels=(3, 4), out_labels=(0, 1, 2, 4)
        )

    arrays = [normal(2, 5, 6, 16), normal(16, 24)]
    check(drawn(function, arrays), arrays)


def test_what_does_not_keep_zero_is_done_to_the_whole():
    def function(x):
        wide = apply("pad")(x, x.coerce(0), low=(1, 0), high=(0, 3), interior=(0, 0))
        return apply("exp")(wide), wide * wide, wide * 2.0

    arrays = [normal(5, 6)]
    check(drawn(function, arrays), arrays)


def test_a_sum_over_unequal_parts():
    def function(x, y):
        both = apply("concat")(x * 2.0, y + 1.0, axis=0)
        return (
            apply("sum")(both, axes=(0,)),
            apply("sum")(both, axes=(1,)),
            apply("max")(both, axes=(0,)),
        )

    arrays = [normal(5, 33), normal(8, 33)]
    check(drawn(function, arrays), arrays)


def test_one_part_in_two_places():
    def function(x):
        y = x * x
        return apply("concat")(y, y, axis=0) * 3.0, apply("concat")(y, x, axis=1)

    arrays = [normal(6, 5)]
    check(drawn(function, arrays), arrays)


@pytest.mark.parametrize("gap", [0, 3])
def test_the_gradient_of_a_split_array_is_put_together(gap):
    """A sum of padded parts that do not meet is no sum; where parts meet, it is."""

    def padded(x, low, high):
        return apply("pad")(x, x.coerce(0), low=(0, low), high=(0, high), interior=(0, 0))

    def function(x, y, z):
        a, b, c = apply("tanh")(x), y * 2.0, z * z
        return padded(a, 0, 9 + gap) + padded(c, 10 + gap, 0) + padded(b, 5 + gap, 4)

    arrays = [normal(3, 5), normal(3, 5), normal(3, 4)]
    graph = drawn(function, arrays)
    check(graph, arrays)
    names = [node.operation.name for node in assemble(graph).nodes]
    assert "mosaic" in names
    assert not {"add", "pad"} & set(names)
    copies = [k for k in kernels_of(graph) if isinstance(k, LoopNest) and len(k.body) == 1]
    assert gap or copies == []


def test_parts_that_meet_are_added():
    def function(x, y):
        one = apply("pad")(x, x.coerce(0), low=(0, 0), high=(0, 2), interior=(0, 0))
        return one + apply("pad")(y, y.coerce(0), low=(0, 2), high=(0, 0), interior=(0, 0))

    arrays = [normal(4, 3), normal(4, 3)]
    graph = drawn(function, arrays)
    check(graph, arrays)
    assert "add" in [node.operation.name for node in assemble(graph).nodes]


def test_the_same_parts_in_less_padding_are_seen_in_more():
    """What two layers pad differently is stored once."""

    def function(x, w):
        y = apply("maximum")(x, x.coerce(0))
        zero, none = y.coerce(0), (0, 0, 0, 0)
        wide = apply("pad")(y, zero, low=(0, 2, 2, 0), high=(0, 2, 2, 0), interior=none)
        less = apply("pad")(y, zero, low=(0, 0, 1, 0), high=(0, 1, 2, 0), interior=none)
        labels = {"x_labels": (0, 1, 2, 3), "y_labels": (3, 4), "out_labels": (0, 1, 2, 4)}
        return apply("contract")(wide, w, **labels), apply("contract")(less, w, **labels)

    arrays = [normal(2, 5, 6, 16), normal(16, 24)]
    graph = drawn(function, arrays)
    check(graph, arrays)
    mosaics = [n for n in assemble(expand(graph)).nodes if n.operation.name == "mosaic"]
    assert len(mosaics) == 1
