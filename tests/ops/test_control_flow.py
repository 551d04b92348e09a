"""Control flow, eager and traced: values, gradients, variables written inside, and misuse."""

import numpy as np
import pytest

from slipstream.errors import InvalidArgumentError
from slipstream.ops import control as ops
from slipstream.primitives.elementwise import less, sin
from slipstream.primitives.structure import concat
from slipstream.runtime.convert import convert
from slipstream.runtime.function import function
from slipstream.runtime.tape import GradientTape
from slipstream.runtime.variable import Variable


def both(python_function, *arrays):
    """The results of the eager and of the traced function, which must agree."""
    tensors = [convert(a) for a in arrays]
    eager, traced = python_function(*tensors), function(python_function)(*tensors)
    assert eager.dtype is traced.dtype
    np.testing.assert_allclose(traced.numpy(), eager.numpy(), 1e-6)
    return eager.numpy()


def gradient(python_function, *arrays):
    def derived(*tensors):
        with GradientTape() as tape:
            tape.watch(tensors)
            result = python_function(*tensors)
        return tape.gradient(result, tensors[0])

    return both(derived, *arrays)


def test_cond_chooses_and_is_derived():
    def f(x):
        return ops.cond(x < 0.0, lambda: x * x, lambda: sin(x))

    assert both(f, -3.0) == 9
    assert gradient(f, -3.0) == -6
    assert gradient(f, 2.0) == pytest.approx(np.cos(2))


def test_cond_returns_structures_and_none():
    @function
    def f(x):
        return ops.cond(
            x < 0, lambda: {"a": x, "b": (None, x * 2)}, lambda: {"a": -x, "b": (None, x)}
        )

    found = f(convert(5))
    assert int(found["a"]) == -5 and found["b"][0] is None and int(found["b"][1]) == 5


def test_variables_written_in_a_branch():
    count, other = Variable(1.0), Variable(10.0)

    @function
    def f(flag):
        def yes():
            count.assign_add(other)
            return count.value()

        return ops.cond(flag, yes, lambda: convert(-1.0))

    assert float(f(convert(True))) == 11 and float(count) == 11
    assert float(f(convert(False))) == -1 and float(count) == 11


def test_variables_read_only_inside_a_branch_have_gradients():
    weight = Variable(3.0)

    @function
    def f(x):
        with GradientTape() as tape:
            y = ops.cond(x > 0, lambda: weight * x, lambda: weight * weight)
        return tape.gradient(y, weight)

    assert float(f(convert(2.0))) == 2 and float(f(convert(-2.0))) == 6


def test_branches_that_differ_are_an_error():
    @function
    def f(x):
        return ops.cond(x < 0, lambda: (x, x), lambda: x)

    with pytest.raises(TypeError, match="different structures"):
        f(convert(1))

    @function
    def g(x):
        return ops.cond(x < 0, lambda: x, lambda: 1.5)

    with pytest.raises(InvalidArgumentError, match="different types"):
        g(convert(1))


def test_a_predicate_must_be_one_boolean():
    with pytest.raises(TypeError, match="not one boolean"):
        ops.cond(convert([True, False]), lambda: 1, lambda: 2)
    with pytest.raises(TypeError, match="callable"):
        ops.cond(convert(True), 1, 2)


def test_case_takes_the_first_that_holds():
    def f(x):
        pairs = [(x < 0, lambda: x - 1), (x < 10, lambda: x * 2)]
        return ops.case(pairs, default=lambda: x * 0)

    assert [int(both(f, n)) for n in (-5, 5, 50)] == [-6, 10, 0]


def test_case_eagerly_checks_how_many_hold():
    with pytest.raises(InvalidArgumentError, match="None of conditions"):
        ops.case([(convert(False), lambda: 1)])
    pairs = [(convert(True), lambda: 1), (convert(True), lambda: 2)]
    with pytest.raises(InvalidArgumentError, match="2 of the predicates"):
        ops.case(pairs, exclusive=True)
    assert int(ops.case(pairs)) == 1


@pytest.mark.parametrize(
    ("branches", "expected"),
    [
        ([1, 2, 3], {0: 1, 1: 2, 2: 3, 3: 9, -1: 9}),
        ({4: 1, 2: 2}, {4: 1, 2: 2, 0: 9, 3: 9}),
        ([(7, 1), (5, 2)], {7: 1, 5: 2, 6: 9}),
    ],
)
def test_switch_case_by_lists_dictionaries_and_pairs(branches, expected):
    def constantly(number):
        return lambda: convert(number)

    if isinstance(branches, dict):
        functions = {k: constantly(v) for k, v in branches.items()}
    else:
        functions = [
            (b[0], constantly(b[1])) if isinstance(b, tuple) else constantly(b) for b in branches
        ]

    def f(index):
        return ops.switch_case(index, functions, default=constantly(9))

    assert {k: int(both(f, k)) for k in expected} == expected


def test_while_loop_keeps_its_structure_and_is_derived():
    def power(x, n):
        def body(state):
            return [{"i": state["i"] + 1, "y": state["y"] * x}]

        start = [{"i": 0, "y": 1.0}]
        return ops.while_loop(lambda s: s["i"] < n, body, start)[0]["y"]

    assert both(power, 2.0, 5) == 32
    assert gradient(power, 2.0, 5) == 80


def test_a_while_loop_of_one_variable_and_a_bound():
    def f(x, bound):
        return ops.while_loop(lambda i: i < 100, lambda i: i + 2, [x], maximum_iterations=bound)[0]

    assert both(f, 0, 7) == 14
    assert both(f, 97, 7) == 101
    assert both(lambda x: f(x, 3), 0) == 6


def test_variables_carried_by_a_loop():
    total, weight = Variable(0.0), Variable(2.0)

    @function
    def f(n):
        def body(i):
            total.assign_add(weight)
            return (i + 1,)

        return ops.while_loop(lambda i: i < n, body, (0,))

    assert int(f(convert(4))[0]) == 4
    assert float(total) == 8


def test_a_loop_whose_shapes_change_is_an_error():
    @function
    def f(x):
        return ops.while_loop(
            lambda x: less(convert(1.0), convert(9.0)), lambda x: concat(x, x, axis=0), (x,)
        )

    with pytest.raises(ValueError, match="changes the shape"):
        f(convert([1.0, 2.0]))
    with pytest.raises(ValueError, match="No loop variables"):
        ops.while_loop(lambda: True, lambda: (), ())


def test_map_fn_over_structures():
    def f(x, y):
        return ops.map_fn(lambda pair: {"s": pair[0] + pair[1], "p": pair[0] * pair[1]}, (x, y))[
            "p"
        ]

    x, y = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([10.0, 20.0])
    assert both(f, x, y).tolist() == [[10, 20], [60, 80]]
    assert gradient(f, x, y).tolist() == [[10, 10], [20, 20]]
    assert both(lambda x: ops.vectorized_map(lambda v: v * 2.0, x), x).tolist() == (2 * x).tolist()


def test_map_fn_with_a_variable_that_changes():
    seen = Variable(0.0)

    @function
    def f(x):
        def step(v):
            seen.assign_add(v)
            return seen * 1.0

        return ops.map_fn(step, x)

    assert f(convert([1.0, 2.0, 3.0])).numpy().tolist() == [1, 3, 6] and float(seen) == 6


def test_map_fn_of_elements_that_do_not_match_is_an_error():
    with pytest.raises(ValueError, match="first size"):
        ops.map_fn(lambda p: p[0], (convert([1, 2]), convert([1, 2, 3])))
    with pytest.raises(ValueError, match="at least one dimension"):
        ops.map_fn(lambda p: p, convert(1))


def test_map_fn_of_nothing_knows_its_type():
    found = ops.map_fn(lambda x: x * 2.0, convert(np.zeros((0, 3), np.float32)))
    assert tuple(found.shape) == (0, 3)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("initializer", [None, 100.0])
def test_scan_and_folds(reverse, initializer):
    x = np.array([1.0, 2.0, 4.0], np.float32)

    def subtract(a, v):
        return a * 2.0 - v

    order = x[::-1] if reverse else x
    a, *rest = order if initializer is None else [initializer, *order]
    steps = [a] if initializer is None else []
    for v in rest:
        a = a * 2 - v
        steps.append(a)
    expected = steps[::-1] if reverse else steps
    found = both(lambda x: ops.scan(subtract, x, initializer, reverse=reverse), x)
    assert found.tolist() == expected
    fold = ops.foldr if reverse else ops.foldl
    assert both(lambda x: fold(subtract, x, initializer), x) == steps[-1]


def test_scan_is_derived_twice():
    def f(x):
        return ops.scan(lambda a, v: sin(a * v), x)

    x = np.array([0.7, 1.1, -0.4])
    h = 1e-5

    def total(x):
        a, values = x[0], [x[0]]
        for v in x[1:]:
            a = np.sin(a * v)
            values.append(a)
        return sum(values)

    numeric = [(total(x + h * e) - total(x - h * e)) / (2 * h) for e in np.eye(3)]
    np.testing.assert_allclose(gradient(f, x), numeric, 1e-8)

    def first(x):
        with GradientTape() as tape:
            tape.watch(x)
            y = f(x)
        return tape.gradient(y, x)

    shifted = [(gradient(f, x + h * e) - gradient(f, x - h * e)) / (2 * h) for e in np.eye(3)]
    np.testing.assert_allclose(gradient(first, x), np.sum(shifted, 1), 1e-7)


def nodes_of(python_function, *arrays):
    """The names of the operations that a function is traced to."""
    concrete = function(python_function).get_concrete_function(*map(convert, arrays))
    return [node.operation.name for node in concrete.program.graph.nodes]


def test_a_while_loop_of_known_turns_is_a_scan():
    def f(x):
        def body(i, y):
            return i + 2, sin(y) * x

        return ops.while_loop(lambda i, y: i < 7, body, (1, x))[1]

    assert "scan" in nodes_of(f, 1.5)
    both(f, 1.5)
    step = 1e-6
    slope = (both(f, np.float64(1.5 + step)) - both(f, np.float64(1.5 - step))) / (2 * step)
    assert gradient(f, np.float64(1.5)) == pytest.approx(slope, rel=1e-6)


def test_a_while_loop_of_unknown_turns_is_none():
    def f(x, n):
        return ops.while_loop(lambda i, y: i < n, lambda i, y: (i + 1, y * 2.0), (0, x))[1]

    assert "while_loop" in nodes_of(f, 1.5, 3)
    assert both(f, 1.5, 3) == 12


def test_a_known_loop_that_does_not_turn():
    def f(x):
        return ops.while_loop(lambda i, y: i < 0, lambda i, y: (i + 1, y * 2.0), (0, x))[1]

    assert both(f, 1.5) == 1.5
    assert gradient(f, 1.5) == 1
