"""Control flow against the same programs written out, and its derivatives to second order."""

import numpy as np
import pytest

from slipstream.autodiff import differentiate
from slipstream.errors import InvalidArgumentError
from slipstream.ir.dtypes import float64, from_numpy, int32
from slipstream.ir.types import TensorType
from slipstream.ir.verifier import verify
from slipstream.primitives.control import call, cond, fitting, switch
from slipstream.primitives.elementwise import cast, less, log, sin
from slipstream.primitives.evaluate import evaluate
from slipstream.primitives.host import assert_, print_, py_function
from slipstream.primitives.loops import scan, while_loop
from slipstream.primitives.operand import constant
from slipstream.primitives.structure import concat, reshape, slice_along
from slipstream.primitives.tracing import as_tuple, replay, trace

NUMBER, COUNT = TensorType((), float64), TensorType((), int32)


def types_of(arrays):
    return [TensorType(a.shape, from_numpy(a.dtype)) for a in arrays]


def numbers(*values):
    return [np.asarray(v, np.float64) for v in values]


def run(function, *arrays):
    return evaluate(verify(trace(function, types_of(arrays))), arrays)


def gradient(function, arrays):
    """d sum(outputs) / d inputs, as a function of the same arrays that can be derived again."""
    graph = trace(function, types_of(arrays))
    wanted = tuple(a.dtype.kind == "f" for a in arrays)
    ones = [np.ones(t.shape, t.dtype.numpy) for t in graph.output_types]
    pullback = differentiate(graph, wanted)

    def derived(*operands):
        return replay(pullback, (*operands, *(constant(o) for o in ones)))

    return derived


def power_by_loop(x, n):
    """x to the n, by multiplying n times."""
    one = x.coerce(1)
    goes_on = trace(lambda i, y, x, n: less(i, n), (COUNT, NUMBER, NUMBER, COUNT))
    body = trace(lambda i, y, x, n: (i + 1, y * x), (COUNT, NUMBER, NUMBER, COUNT))
    return while_loop(
        n.coerce(0), one, x, n, cond_graph=goes_on, body_graph=body, carried=2, maximum=None
    )[1]


def test_a_while_loop_is_derived_three_times():
    inputs = [np.asarray(1.3), np.asarray(5, np.int32)]
    first = gradient(power_by_loop, inputs)
    second = gradient(first, inputs)
    third = gradient(second, inputs)
    assert run(power_by_loop, *inputs)[0] == pytest.approx(1.3**5)
    assert run(first, *inputs)[0] == pytest.approx(5 * 1.3**4)
    assert run(second, *inputs)[0] == pytest.approx(20 * 1.3**3)
    assert run(third, *inputs)[0] == pytest.approx(60 * 1.3**2)


def test_a_while_loop_that_does_not_run_passes_its_cotangents():
    inputs = [np.asarray(1.3), np.asarray(0, np.int32)]
    assert run(power_by_loop, *inputs)[0] == 1
    assert run(gradient(power_by_loop, inputs), *inputs)[0] == 0


def test_a_loop_within_a_loop():
    """y = sum over i < 3 of i-th iterate of x -> sin(x w), with the inner loop i steps long."""

    def inner(x, w, i):
        goes_on = trace(lambda k, x, w, i: less(k, i), (COUNT, NUMBER, NUMBER, COUNT))
        body = trace(lambda k, x, w, i: (k + 1, sin(x * w)), (COUNT, NUMBER, NUMBER, COUNT))
        return while_loop(
            i.coerce(0), x, w, i, cond_graph=goes_on, body_graph=body, carried=2, maximum=None
        )[1]

    def outer(x, w):
        goes_on = trace(lambda i, t, x, w: less(i, i.coerce(3)), (COUNT, NUMBER, NUMBER, NUMBER))
        body = trace(
            lambda i, t, x, w: (i + 1, t + inner(x, w, i)), (COUNT, NUMBER, NUMBER, NUMBER)
        )
        zero = constant(np.asarray(0, np.int32))
        return while_loop(
            zero, x * 0.0, x, w, cond_graph=goes_on, body_graph=body, carried=2, maximum=None
        )[1]

    def flat(x, w):
        once = sin(x * w)
        return x + once + sin(once * w)

    inputs = numbers(0.7, 1.4)
    for _ in range(3):
        np.testing.assert_allclose(run(outer, *inputs), run(flat, *inputs), 1e-12)
        outer, flat = gradient(outer, inputs), gradient(flat, inputs)


def test_a_while_loop_stops_at_its_maximum():
    goes_on = trace(lambda i: less(i, i.coerce(100)), (COUNT,))
    body = trace(lambda i: i + 1, (COUNT,))

    def count(i):
        return while_loop(i, cond_graph=goes_on, body_graph=body, carried=1, maximum=7)

    assert run(count, np.asarray(0, np.int32))[0] == 7
    assert run(count, np.asarray(98, np.int32))[0] == 100


def recurrent(h, xs, w):
    """A recurrence with an integer in its carry and a weight from outside."""

    def step(h, t, x, w):
        new = sin(h * w + x * cast(t, dtype=float64))
        return new, t + 1, new * x

    body = trace(step, (NUMBER, COUNT, NUMBER, NUMBER))
    zero = constant(np.asarray(0, np.int32))
    last, _, ys = scan(h, zero, xs, w, body=body, length=3, carry=2, xs=1, reverse=False)
    return last, ys


def written_out(h, xs, w):
    ys = []
    for t in range(3):
        x = reshape(slice_along(xs, 0, t, t + 1), shape=())
        h = sin(h * w + x * float(t))
        ys.append(reshape(h * x, shape=(1,)))
    return h, concat(*ys, axis=0)


def test_a_scan_with_integers_in_its_carry_is_derived_as_if_written_out():
    inputs = [np.asarray(0.4), np.array([0.3, -0.8, 1.1]), np.asarray(1.7)]
    found, expected = recurrent, written_out
    for _ in range(3):
        for a, b in zip(run(found, *inputs), run(expected, *inputs), strict=True):
            np.testing.assert_allclose(a, b, 1e-12)
        found, expected = gradient(found, inputs), gradient(expected, inputs)


def test_a_scan_of_no_steps_gives_its_carry():
    body = trace(lambda h, x: (h + x, h), (NUMBER, NUMBER))

    def function(h, xs):
        return scan(h, xs, body=body, length=0, carry=1, xs=1, reverse=False)

    inputs = [np.asarray(2.0), np.zeros(0)]
    last, ys = run(function, *inputs)
    assert last == 2 and ys.shape == (0,)
    assert [g.tolist() for g in run(gradient(function, inputs), *inputs)] == [1.0, []]


def test_a_branch_that_is_not_taken_has_no_influence():
    safe, unsafe = trace(lambda x: x * x, (NUMBER,)), trace(lambda x: log(x), (NUMBER,))

    def function(x):
        return cond(less(x, x.coerce(0)), x, then_graph=safe, else_graph=unsafe)

    for x, value, slope in ((-3.0, 9.0, -6.0), (2.0, np.log(2), 0.5)):
        inputs = numbers(x)
        assert run(function, *inputs)[0] == pytest.approx(value)
        assert run(gradient(function, inputs), *inputs)[0] == pytest.approx(slope)


@pytest.mark.parametrize(("index", "factor"), [(0, 2.0), (1, 3.0), (2, 5.0), (-1, 5.0), (9, 5.0)])
def test_switch_takes_the_last_branch_for_an_index_out_of_range(index, factor):
    graphs = tuple(trace(lambda x, f=f: x * f, (NUMBER,)) for f in (2.0, 3.0, 5.0))
    chosen = np.asarray(index, np.int32)
    assert run(lambda i, x: switch(i, x, graphs=graphs), chosen, *numbers(7))[0] == 7 * factor


def test_call_within_a_graph_is_derived():
    inner = trace(lambda x, y: (x * y, sin(x)), (NUMBER, NUMBER))

    def function(x, y):
        product, sine = as_tuple(call(x, y, graph=inner))
        return product * sine

    inputs = numbers(0.6, 2.0)
    expected = [2 * np.sin(0.6) + 1.2 * np.cos(0.6), 0.6 * np.sin(0.6)]
    assert run(gradient(function, inputs), *inputs) == pytest.approx(expected)


def test_branches_of_different_types_are_an_error():
    one = trace(lambda x: x, (NUMBER,))
    other = trace(lambda x: cast(x, dtype=int32), (NUMBER,))
    with pytest.raises(InvalidArgumentError, match="branches give different types"):
        run(
            lambda p, x: cond(p, x, then_graph=one, else_graph=other), np.asarray(True), *numbers(1)
        )


def test_a_body_that_changes_the_type_of_a_loop_variable_is_an_error():
    goes_on = trace(lambda x: less(x, x), (NUMBER,))
    body = trace(lambda x: cast(x, dtype=int32), (NUMBER,))
    with pytest.raises(InvalidArgumentError, match="loop variables"):
        run(
            lambda x: while_loop(
                x, cond_graph=goes_on, body_graph=body, carried=1, maximum=None
            ),
            *numbers(1),
        )  # fmt: skip


def test_what_acts_is_kept_and_pullbacks_do_not_act_again():
    printed = []
    acting = trace(lambda x: (print_(x, write=printed.append), x * x)[1], (NUMBER,))
    quiet = trace(lambda x: x, (NUMBER,))
    assert fitting(cond, quiet, quiet) is cond
    twin = fitting(cond, acting, quiet)
    assert twin.effect

    def ignoring(p, x):
        twin(p, x, then_graph=acting, else_graph=quiet)
        return x

    run(ignoring, np.asarray(True), *numbers(3))
    assert printed == [3.0]

    def using(x):
        return twin(less(x, x.coerce(10)), x, then_graph=acting, else_graph=quiet)

    inputs = numbers(4)
    assert run(gradient(using, inputs), *inputs)[0] == 8
    assert printed == [3.0, 4.0]


def squared_by_python(x):
    return py_function(
        x, function=lambda a: a * a, types=(x.type,), pullback=lambda a, g: 2 * a * g
    )


def test_python_code_is_called_and_derived_once():
    inputs = [np.array([1.0, -2.0, 4.0])]
    assert run(squared_by_python, *inputs)[0].tolist() == [1, 4, 16]
    first = gradient(squared_by_python, inputs)
    assert run(first, *inputs)[0].tolist() == [2, -4, 8]
    with pytest.raises(LookupError, match="not derived again"):
        run(gradient(first, inputs), *inputs)


def test_python_code_that_returns_another_shape_is_an_error():
    def wrong(x):
        return py_function(x, function=np.sum, types=(x.type,), pullback=None)

    with pytest.raises(InvalidArgumentError, match="another shape"):
        run(wrong, np.zeros(3))


def test_an_assertion_shows_its_values():
    def function(x):
        assert_(less(x, x.coerce(2)), x, message="x is not below 2")
        return x

    assert run(function, *numbers(1))[0] == 1
    with pytest.raises(InvalidArgumentError, match=r"x is not below 2\n  5.0"):
        run(function, *numbers(5))
