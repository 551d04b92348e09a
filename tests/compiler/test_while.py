"""While loops in native code."""

import re

import numpy as np
import pytest
from comparison import check, types_of
from fuzz import small_kernels_shared

from slipstream.compiler import guards, show
from slipstream.compiler.pipeline import KernelStep, schedule
from slipstream.compiler.profile import Profile
from slipstream.compiler.program import load
from slipstream.errors import InvalidArgumentError
from slipstream.primitives import REGISTRY
from slipstream.primitives.loops import scan, while_loop
from slipstream.primitives.tracing import trace

apply = REGISTRY.__getitem__
PRODUCT = {"x_labels": (0, 1), "y_labels": (1, 2), "out_labels": (0, 2)}


def counted(step, arrays, maximum=None):
    """`step` on (number, states..., bound, invariants...) while the number is less than the bound;
    and its first arguments. The bound is an input: nobody knows it beforehand."""
    carried = len(arrays) - 2
    types = types_of(arrays)
    cond = trace(lambda *v: apply("less")(v[0], v[carried]), types, "goes_on")
    body = trace(step, types, "body")
    params = {"cond_graph": cond, "body_graph": body, "carried": carried, "maximum": maximum}
    graph = trace(lambda *v: while_loop(*v, **params), types, "loop")
    assert all(isinstance(s, KernelStep) for s in schedule(graph, ()).steps) or maximum == 0
    return graph, arrays


def recurrence(bound, maximum=None, size=5):
    """x' = tanh(x w), and the sum of all x."""
    random = np.random.default_rng(0)

    def step(i, x, total, n, w):
        new = apply("tanh")(apply("contract")(x, w, **PRODUCT))
        return i + 1, new, total + new

    state, w = (random.normal(size=(size, size)).astype(np.float32) for _ in range(2))
    arrays = [np.int32(0), state, np.zeros_like(state), np.int32(bound), w]
    return counted(step, [np.asarray(a) for a in arrays], maximum)


@pytest.mark.parametrize("bound", [0, 1, 2, 3, 8])
@pytest.mark.parametrize("maximum", [None, 0, 1, 2, 5])
def test_while_loops_are_their_meaning(bound, maximum):
    check(*recurrence(bound, maximum))


@pytest.mark.parametrize("threads", ["1", "2", "3", "8"])
def test_any_number_of_threads_gives_the_same_bits(threads, monkeypatch):
    graph, arrays = recurrence(9, size=37)
    results = []
    with small_kernels_shared():
        for count in ("1", threads):
            monkeypatch.setenv("SLIPSTREAM_THREADS", count)
            results.append([a.tobytes() for a in load(graph)(arrays)])
    assert results[0] == results[1]


def test_loops_in_loops():
    """A scan in a while loop in a scan, and variables that change places."""
    random = np.random.default_rng(1)
    x, xs = random.normal(size=4).astype(np.float32), random.normal(size=(3, 4)).astype(np.float32)
    row, rows = types_of([x, xs])

    def add_up(h, x):
        new = apply("tanh")(h + x)
        return new, new

    few = {"length": 3, "carry": 1, "xs": 1, "reverse": True}
    inner = trace(add_up, [row, row], "inner")

    def swap(x, y, xs):
        return y, scan(x, xs, body=inner, **few)[0]

    def goes_on(x, y, xs):
        return apply("less")(apply("sum")(x, axes=(0,)), x.coerce(1.0))

    parts = [trace(f, [row, row, rows], f.__name__) for f in (goes_on, swap)]
    params = {"cond_graph": parts[0], "body_graph": parts[1], "carried": 2, "maximum": 7}

    def outer(h, x, xs):
        first, second = while_loop(h, x, xs, **params)
        return first * 0.5, second

    body = trace(outer, [row, row, rows], "outer")
    loop = {"length": 3, "carry": 1, "xs": 1, "reverse": False, "body": body}
    graph = trace(lambda *v: scan(*v, **loop), [row, rows, rows], "loop")
    assert all(isinstance(s, KernelStep) for s in schedule(graph, ()).steps)
    check(graph, [x, xs, xs])


def test_a_number_out_of_bounds_is_told():
    def step(i, total, n, table):
        return i + 1, total + apply("gather")(table, i, axis=0, batch_dims=0)

    arrays = [np.int32(0), np.zeros(3, np.float32), np.int32(4), np.ones((4, 3), np.float32)]
    graph, arrays = counted(step, [np.asarray(a) for a in arrays])
    check(graph, arrays)
    program = load(graph)
    arrays[2] = np.asarray(np.int32(6))
    with pytest.raises(InvalidArgumentError, match="indices = 4 is not in"):
        program(arrays)


def test_only_what_is_read_is_given():
    graph, arrays = recurrence(4)
    (loop,) = graph.nodes
    small = type(graph)(graph.inputs, graph.nodes, (loop.outputs[1],), "small")
    check(small, arrays)


def test_the_debug_mode_turns_with_it():
    graph, arrays = recurrence(3)
    for one, other in zip(guards.load(graph)(arrays), load(graph)(arrays), strict=True):
        assert one.tobytes() == other.tobytes()


@pytest.mark.parametrize("threads", ["1", "2"])
def test_its_kernels_are_timed(threads, monkeypatch):
    monkeypatch.setenv("SLIPSTREAM_THREADS", threads)
    graph, arrays = recurrence(5)
    program = Profile().load(graph, ())
    for one, other in zip(program(arrays), load(graph)(arrays), strict=True):
        assert one.tobytes() == other.tobytes()
    counts = {m.entry.kind: m.calls for m in program.measured()}
    assert counts["step: contraction"] == 5
    assert counts["step: look"] == 5  # the one that ends the loop has no mark after it


def test_it_is_shown(tmp_path):
    graph, _ = recurrence(5)
    show.show(graph, (), tmp_path, code=True)
    text = "".join(p.read_text() for p in sorted(tmp_path.glob("*.txt")))
    assert "loop: any number of steps of" in text
    assert re.search(r"step \d+\. the end, if the boolean of entry \d+ is false", text)
    assert "at last. kernel" in text
