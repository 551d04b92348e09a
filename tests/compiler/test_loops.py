"""Loops: compiled bodies, and what leaves them."""

from dataclasses import replace

import numpy as np
import pytest
from comparison import check, check_bits, short_chains, types_of

from slipstream.autodiff import differentiate
from slipstream.compiler.describe import flops
from slipstream.compiler.kernels import TimeLoop
from slipstream.compiler.passes.hoist import hoist
from slipstream.compiler.passes.keep import keep
from slipstream.compiler.pipeline import schedule
from slipstream.compiler.program import load
from slipstream.errors import InvalidArgumentError
from slipstream.primitives import REGISTRY
from slipstream.primitives.loops import scan
from slipstream.primitives.tracing import replay, trace

ROWS = {"x_labels": (0, 1), "y_labels": (1, 2), "out_labels": (0, 2)}
TURNED = {"x_labels": (0, 1), "y_labels": (2, 1), "out_labels": (0, 2)}
OVER_ROWS = {"x_labels": (0, 1), "y_labels": (0, 2), "out_labels": (1, 2)}


def loop(length, reverse):
    """A recurrence that adds up an outer product and a sum, and its arguments."""
    random = np.random.default_rng(length)
    shapes = [(6, 5), (5, 7), (7,), (length, 6, 7), (5, 5)]
    arrays = [random.normal(size=shape).astype(np.float32) for shape in shapes]
    state, product, total, xs, w = types_of(arrays)

    def step(h, outer, added, x, w):
        new = REGISTRY["tanh"](REGISTRY["contract"](h, w, **TURNED))
        outer = outer + REGISTRY["contract"](new, x, **OVER_ROWS)
        return new, outer, added + REGISTRY["sum"](x, axes=(0,)), new

    body = trace(step, [state, product, total, xs.with_shape((6, 7)), w], "body")
    params = {"length": length, "carry": 3, "xs": 1, "reverse": reverse, "body": body}
    return trace(lambda *v: scan(*v, **params), types_of(arrays), "loop"), arrays


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("length", [1, 2, 7])
def test_loops_are_their_meaning(length, reverse):
    check(*loop(length, reverse))


def test_what_is_only_added_up_leaves_the_loop():
    graph, _ = loop(7, False)
    (inside,) = [n for n in hoist(graph).nodes if n.operation is scan]
    assert inside.params["carry"] == 1
    names = [n.operation.name for n in inside.params["body"].nodes]
    assert sorted(names) == ["contract", "tanh"]


def test_what_the_step_reads_stays():
    x = np.ones((4, 3), np.float32)

    def step(total, x):
        total = total + REGISTRY["sum"](REGISTRY["reshape"](x, shape=(1, 3)), axes=(0,))
        return total, total * 2

    (row,) = types_of([x[0]])
    body = trace(step, [row, row], "body")
    params = {"length": 4, "carry": 1, "xs": 1, "reverse": False, "body": body}
    arrays = [np.zeros(3, np.float32), x]
    graph = trace(lambda *v: scan(*v, **params), types_of(arrays), "loop")
    (inside,) = [n for n in hoist(graph).nodes if n.operation is scan]
    assert inside.params["carry"] == 1
    check(graph, arrays)


def test_a_loop_within_a_loop():
    random = np.random.default_rng(0)
    arrays = [random.normal(size=s).astype(np.float32) for s in ((3,), (4, 5, 3))]
    state, xs = types_of(arrays)
    element = xs.with_shape((3,))

    def add_up(h, x):
        new = REGISTRY["tanh"](h + x)
        return new, new

    inner = trace(add_up, [state, element], "inner")
    few = {"length": 5, "carry": 1, "xs": 1, "reverse": False, "body": inner}
    outer = trace(lambda h, x: scan(h, x, **few), [state, xs.with_shape((5, 3))], "outer")
    params = {"length": 4, "carry": 1, "xs": 1, "reverse": True, "body": outer}
    check(trace(lambda *v: scan(*v, **params), types_of(arrays), "loop"), arrays)


def test_the_body_of_a_recurrence_needs_no_call():
    graph, _ = loop(7, False)
    (inside,) = [n for n in hoist(graph).nodes if n.operation is scan]
    kinds = {type(step).__name__ for step in schedule(inside.params["body"], ()).steps}
    assert kinds == {"KernelStep"}


def rows_in_turn(number):
    """A loop that picks a row of a table in each step, and its arguments; one number is given."""
    numbers = np.array([1, 0, number, 2], np.int32)
    arrays = [np.zeros(3, np.float32), numbers, np.arange(12, dtype=np.float32).reshape(4, 3)]
    state, indices, table = types_of(arrays)

    def step(h, i, table):
        row = REGISTRY["gather"](table, i, axis=0, batch_dims=0)
        return h * 0.5 + row, row

    body = trace(step, [state, indices.with_shape(()), table], "body")
    params = {"length": 4, "carry": 1, "xs": 1, "reverse": False, "body": body}
    return trace(lambda *v: scan(*v, **params), types_of(arrays), "loop"), arrays


def test_rows_are_picked_in_a_loop():
    check(*rows_in_turn(3))


def test_a_number_out_of_bounds_in_a_loop_is_told():
    graph, arrays = rows_in_turn(7)
    program = load(graph)
    for _ in range(2):
        with pytest.raises(InvalidArgumentError, match=r"indices = 7 is not in"):
            program(arrays)


def test_a_loop_is_part_of_the_function_around_it():
    graph, _ = loop(7, False)
    assert [type(step).__name__ for step in schedule(graph, ()).steps].count("CallStep") == 0
    assert len(load(graph).runs) == 1


def recurrence(length=6, reverse=False, emits=True, dtype=np.float32):
    """The gradients of a recurrence by its state, its inputs and its weights; and arguments."""
    random = np.random.default_rng(length)
    shapes = [(4, 5), (length, 4, 5), (5, 5), (4, 5), (length, 4, 5)]
    arrays = [random.normal(size=shape).astype(dtype) for shape in shapes]
    state, xs, w = types_of(arrays[:3])

    def step(h, x, w):
        total = REGISTRY["contract"](h, w, **ROWS) + x
        new = REGISTRY["tanh"](total) * REGISTRY["sigmoid"](total)
        return new, new if emits else new * 2.0

    body = trace(step, [state, xs.with_shape((4, 5)), w], "body")
    params = {"length": length, "carry": 1, "xs": 1, "reverse": reverse, "body": body}
    graph = trace(lambda *v: scan(*v, **params), types_of(arrays[:3]), "loop")
    pullback = differentiate(graph, (True, True, True))

    def both(*operands):
        return (*replay(graph, operands[:3]), *replay(pullback, operands))

    return trace(both, types_of(arrays), "both"), arrays


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("emits", [False, True])
@pytest.mark.parametrize("length", [1, 2, 6])
def test_gradients_of_loops_are_their_meaning(length, emits, reverse):
    check(*recurrence(length, reverse, emits))
    check(*recurrence(length, reverse, emits, np.float64))


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("emits", [False, True])
def test_the_way_back_computes_nothing_anew(emits, reverse):
    graph, _ = recurrence(6, reverse, emits)
    assert sum(n.operation is scan for n in graph.nodes) == (2 if emits else 3)
    loops = [n for n in keep(graph).nodes if n.operation is scan]
    forward, back = ([n.operation.name for n in loop.params["body"].nodes] for loop in loops)
    assert {"contract", "tanh", "sigmoid"} <= set(forward)
    assert back.count("contract") == 2
    assert not {"tanh", "sigmoid"} & set(back)
    given = loops[1].inputs[loops[1].params["carry"] :][: loops[1].params["xs"]]
    assert all(v in given for v in loops[0].outputs[-2:])


def test_second_derivatives_of_loops():
    graph, arrays = recurrence(3)
    wanted = (True, True, True, False, False)
    arrays += [np.ones(v.type.shape, np.float32) for v in graph.outputs]
    second = differentiate(graph, wanted)
    check(second, arrays)
    names = [n.params["body"] for n in keep(second).nodes if n.operation is scan]
    assert sum(n.operation.name == "tanh" for body in names for n in body.nodes) == 1


def test_a_loop_over_other_arrays_is_another():
    """The way back is given the carries of other steps, so it knows nothing of the forward loop."""
    graph, arrays = recurrence(6)
    (cut,) = [n for n in graph.nodes if n.operation.name == "slice"]
    assert cut.params["starts"] == (0, 0, 0)
    bounds = {**cut.params, "starts": (1, 0, 0), "stops": (6, 4, 5)}
    moved = replace(cut, params=bounds)
    changed = replace(graph, nodes=tuple(moved if n is cut else n for n in graph.nodes))
    check(changed, arrays)
    forward, back = (n for n in keep(changed).nodes if n.operation is scan)
    assert len(forward.outputs) == 2
    assert "tanh" in [n.operation.name for n in back.params["body"].nodes]


# --- loops whose samples threads divide ---


def sample_by_sample(samples, mixed=False):
    """A recurrence of each sample on its own, or of each with the sum of all; and arguments."""
    random = np.random.default_rng(samples)
    shapes = [(samples, 5), (6, samples, 5), (5, 5)]
    arrays = [random.normal(size=shape).astype(np.float32) for shape in shapes]
    state, xs, w = types_of(arrays)

    def step(h, x, w):
        new = REGISTRY["tanh"](REGISTRY["contract"](h, w, **ROWS) + x)
        if mixed:
            total = REGISTRY["sum"](new, axes=(0,))
            new = new - REGISTRY["broadcast_to"](total, shape=new.shape)
        return new, new * x

    body = trace(step, [state, xs.with_shape((samples, 5)), w], "body")
    params = {"length": 6, "carry": 1, "xs": 1, "reverse": False, "body": body}
    return trace(lambda *v: scan(*v, **params), types_of(arrays), "loop"), arrays


def parts_of(graph):
    calls = [call for step in schedule(graph, ()).steps for call in step.calls]
    return [kernel.parts for kernel, _ in calls if isinstance(kernel, TimeLoop)]


@pytest.mark.parametrize(("samples", "parts"), [(12, 4), (6, 2), (7, 1)])
def test_threads_divide_the_samples_of_a_recurrence(samples, parts, monkeypatch):
    graph, arrays = sample_by_sample(samples)
    with short_chains():
        assert parts_of(graph) == [parts]
        check_bits(graph, arrays, monkeypatch)


def test_all_parts_of_a_loop_count_as_its_work():
    graph, _ = sample_by_sample(12)
    with short_chains():
        (step,) = [s for s in schedule(graph, ()).steps if isinstance(s.calls[0][0], TimeLoop)]
    assert flops(step.calls[0][0], step.group) == 2 * 6 * 12 * 5 * 5


def test_samples_that_meet_are_not_divided():
    with short_chains():
        assert parts_of(sample_by_sample(12, mixed=True)[0]) == [1]
