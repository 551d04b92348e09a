"""tf.function: one trace a signature, variables made once, structures, state, tapes."""

import numpy as np
import pytest

from slipstream.runtime.function import TensorSpec, function
from slipstream.runtime.tape import GradientTape
from slipstream.runtime.tensor import EagerTensor, convert
from slipstream.runtime.variable import Variable


def test_traces_once_a_signature():
    traced = []

    @function
    def double(x):
        traced.append(x.shape)
        return x + x

    for size in (2, 3, 2, 3):
        np.testing.assert_array_equal(double(convert(np.ones(size, np.float32))), 2 * np.ones(size))
    assert traced == [(2,), (3,)]
    assert double.experimental_get_tracing_count() == 2


def test_python_arguments_are_part_of_the_signature():
    traced = []

    @function
    def power(x, n):
        traced.append(n)
        for _ in range(n - 1):
            x = x * 2.0
        return x

    assert float(power(convert(3.0), 2)) == 6.0
    assert float(power(convert(3.0), 3)) == 12.0
    assert float(power(convert(5.0), 2)) == 10.0
    assert traced == [2, 3]


def test_structures_go_in_and_come_out():
    @function
    def swap(pair, scale=1.0):
        return {"a": pair[1] * scale, "b": (pair[0], None, "text")}

    out = swap((convert(1.0), convert(2.0)), scale=3.0)
    assert float(out["a"]) == 6.0
    assert float(out["b"][0]) == 1.0
    assert out["b"][1:] == (None, "text")


def test_state_is_read_and_written():
    counter = Variable(0)

    @function
    def count(step):
        counter.assign_add(step)
        counter.assign_add(step)
        return counter.value()

    assert int(count(convert(2))) == 4
    assert int(count(convert(5))) == 14
    assert int(counter.numpy()) == 14


def test_variables_are_made_on_the_first_call_only():
    held = []

    @function
    def layer(x):
        if not held:
            held.append(Variable(lambda: 3.0))
        return x * held[0]

    assert float(layer(convert(2.0))) == 6.0
    assert float(layer(convert([1.0, 2.0]))[1]) == 6.0

    @function
    def leaky(x):
        return x * Variable(2.0)

    with pytest.raises(ValueError, match=r"singleton tf\.Variables"):
        leaky(convert(1.0))


def test_input_signature_converts_and_refuses():
    @function(input_signature=[TensorSpec([None, 2], "float32")])
    def total(x):
        return x * 2.0

    assert total([[1, 2]]).shape == (1, 2)
    assert total(np.ones((3, 2), np.float32)).shape == (3, 2)
    with pytest.raises(TypeError, match="does not fit the input_signature"):
        total(np.ones((3, 3), np.float32))
    with pytest.raises(TypeError, match="takes 1 arguments"):
        total(1.0, 2.0)


def test_concrete_function():
    @function
    def double(x):
        return x + x

    concrete = double.get_concrete_function(TensorSpec([3], "float32"))
    np.testing.assert_array_equal(concrete(convert([1.0, 2.0, 3.0])), [2.0, 4.0, 6.0])
    assert str(concrete.inputs[0]) == "float32[3]"
    assert len(concrete.graph.nodes) == 1


def test_methods_are_traced_for_each_object():
    class Scale:
        def __init__(self, by):
            self.by = Variable(by)

        @function
        def __call__(self, x):
            return x * self.by

    two, three = Scale(2.0), Scale(3.0)
    assert float(two(convert(4.0))) == 8.0
    assert float(three(convert(4.0))) == 12.0


def test_a_tape_outside_sees_the_function():
    w = Variable(3.0)

    @function
    def square(x):
        return x * x * w

    x = convert(2.0)
    with GradientTape() as tape:
        tape.watch(x)
        y = square(x) * 10.0
    by_x, by_w = tape.gradient(y, [x, w])
    assert (float(y), float(by_x), float(by_w)) == (120.0, 120.0, 40.0)


def test_a_tape_inside_and_an_update():
    w = Variable([1.0, 2.0])

    @function
    def step(x):
        with GradientTape() as tape:
            loss = w * x
        w.assign_sub(0.5 * tape.gradient(loss, w))
        return loss

    step(convert([2.0, 4.0]))
    np.testing.assert_allclose(w.numpy(), [0.0, 0.0])


def test_a_traced_tensor_has_no_truth_value_and_does_not_escape():
    kept = []

    @function
    def leaky(x):
        kept.append(x)
        return x

    leaky(convert(1.0))
    with pytest.raises(TypeError, match="outside it"):
        kept[0] + 1.0

    @function
    def decide(x):
        return x if x > 0 else -x

    with pytest.raises(TypeError, match=r"tf\.cond"):
        decide(convert(1.0))


def test_large_captured_arrays_are_inputs_not_constants():
    table = convert(np.ones((100, 100), np.float32))

    @function
    def add(x):
        return table + x

    concrete = add.get_concrete_function(TensorSpec([], "float32"))
    assert len(concrete.graph.inputs) == 2
    assert concrete(convert(1.0)).numpy()[0, 0] == 2.0


def test_functions_inside_functions_become_one_program():
    @function
    def inner(x):
        return x * 2.0

    @function
    def outer(x):
        return inner(x) + inner(x)

    graph = outer.get_concrete_function(TensorSpec([], "float32")).graph
    assert [node.operation.name for node in graph.nodes] == ["multiply", "add"]
    assert float(outer(convert(1.0))) == 4.0


def test_results_are_eager_tensors_with_their_own_memory():
    @function
    def same(x):
        return x

    x = EagerTensor(np.ones(3, np.float32))
    assert same(x).numpy() is not x.array


def test_open_sizes_are_traced_as_they_come():
    @function
    def doubled(x, by=2.0):
        return {"twice": x * by}

    opened = doubled.get_concrete_function(TensorSpec([None, 3], "float32"))
    for rows in (1, 4):
        given = convert(np.ones((rows, 3), np.float32))
        np.testing.assert_array_equal(opened(given)["twice"], np.full((rows, 3), 2))
    assert opened.structured_input_signature == ((TensorSpec([None, 3], "float32"),), {})
    with pytest.raises(TypeError, match="does not fit"):
        opened(convert(np.ones((2, 4), np.float32)))
    with pytest.raises(TypeError, match="too few"):
        opened()


def test_what_a_function_returns_is_told():
    @function
    def pair(x):
        return {"sum": x + 1.0, "name": "x"}

    outputs = pair.get_concrete_function(TensorSpec([2], "float32")).structured_outputs
    assert outputs == {"sum": TensorSpec([2], "float32"), "name": "x"}


def test_another_dtype_than_the_signature_is_a_type_error():
    @function(input_signature=[TensorSpec([None], "float32")])
    def same(x):
        return x

    with pytest.raises(TypeError, match="input_signature"):
        same(convert([1, 2]))
    assert same([1.0, 2.0]).shape == (2,)
