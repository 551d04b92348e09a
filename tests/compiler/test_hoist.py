"""What leaves a loop, before it and after it."""

import numpy as np
import pytest
from comparison import check, types_of

from slipstream.autodiff import differentiate
from slipstream.compiler.passes.hoist import hoist
from slipstream.compiler.passes.keep import keep
from slipstream.primitives import REGISTRY
from slipstream.primitives.loops import scan
from slipstream.primitives.tracing import replay, trace

apply = REGISTRY.__getitem__
ROWS = {"x_labels": (0, 1), "y_labels": (1, 2), "out_labels": (0, 2)}
BATCH, INPUTS, UNITS, OUTPUTS = 4, 3, 5, 2


def product(x, y):
    return apply("contract")(x, y, **ROWS)


def cell(h, x, w, u, b, v):
    """A recurrence that projects its input, and its state, in each step."""
    new = apply("tanh")(product(x, w) + b + product(h, u))
    return new, product(new, v)


def drawn(step, length, *shapes, reverse=False):
    """A loop over `step` with one carry and one stacked array, and arguments."""
    random = np.random.default_rng(0)
    arrays = [random.normal(size=shape).astype(np.float32) for shape in shapes]
    state, xs, *fixed = types_of(arrays)
    body = trace(step, [state, xs.with_shape(xs.shape[1:]), *fixed], "body")
    params = {"length": length, "carry": 1, "xs": 1, "reverse": reverse, "body": body}
    return trace(lambda *v: scan(*v, **params), types_of(arrays), "loop"), arrays


def projecting(length=6, reverse=False):
    shapes = [(BATCH, UNITS), (length, BATCH, INPUTS), (INPUTS, UNITS), (UNITS, UNITS)]
    return drawn(cell, length, *shapes, (UNITS,), (UNITS, OUTPUTS), reverse=reverse)


def inside(graph):
    """The operations of the graph's loops, a list for each."""
    loops = [node for node in graph.nodes if node.operation is scan]
    return [sorted(n.operation.name for n in loop.params["body"].nodes) for loop in loops]


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("length", [1, 2, 6])
def test_projections_leave_the_loop(length, reverse):
    graph, arrays = projecting(length, reverse)
    check(graph, arrays)
    assert inside(hoist(graph)) == [["add", "contract", "tanh"]]


@pytest.mark.parametrize("reverse", [False, True])
def test_the_gradients_of_projections_leave_the_loop(reverse):
    graph, arrays = projecting(5, reverse)
    pullback = differentiate(graph, (True,) * 6)

    def both(*operands):
        return (*replay(graph, operands[:6]), *replay(pullback, operands))

    arrays += [np.ones(v.type.shape, np.float32) for v in graph.outputs]
    whole = trace(both, types_of(arrays), "both")
    check(whole, arrays)
    forward, back = inside(hoist(keep(whole)))
    assert forward.count("contract") == 1
    assert back.count("contract") == 1


def test_what_does_not_depend_on_the_step_is_done_before():
    def step(h, x, w):
        return apply("tanh")(h * apply("exp")(w) + x), x * w

    graph, arrays = drawn(step, 3, (4, 5), (3, 4, 5), (5,))
    check(graph, arrays)
    assert "exp" not in inside(hoist(graph))[0]


def test_nothing_may_be_left_of_a_loop():
    def step(h, x, w):
        projected = product(x, w)
        return h + apply("sum")(projected, axes=(1,)), projected

    graph, arrays = drawn(step, 3, (4,), (3, 4, 5), (5, 2))
    check(graph, arrays)
    assert inside(hoist(graph)) == []


@pytest.mark.parametrize("shape", [(), (1, 4, 5), (4, 5), (5,), (3, 1, 5)])
def test_elements_that_repeat(shape):
    """An array that is the same in each step is no array of elements; but (3, 1, 5) is."""
    random = np.random.default_rng(0)
    arrays = [random.normal(size=s).astype(np.float32) for s in ((4, 5), shape)]
    state, repeated = types_of(arrays)

    def step(h, x):
        new = apply("sin")(h) + x
        return new, new

    params = {"length": 3, "carry": 1, "xs": 1, "reverse": False}
    body = trace(step, [state, state], "body")

    def function(h, x):
        xs = apply("broadcast_to")(x, shape=(3, 4, 5))
        return scan(h, xs, body=body, **params)

    graph = trace(function, [state, repeated], "loop")
    check(graph, arrays)
    (loop,) = [node for node in hoist(graph).nodes if node.operation is scan]
    assert loop.params["xs"] == int(shape == (3, 1, 5))
