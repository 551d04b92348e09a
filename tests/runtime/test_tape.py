"""GradientTape: watching, persistence, nesting, jacobians, custom derivatives."""

import numpy as np
import pytest

from slipstream.primitives.base import REGISTRY
from slipstream.runtime.slices import IndexedSlices
from slipstream.runtime.tape import GradientTape, UnconnectedGradients, custom_gradient
from slipstream.runtime.tensor import convert
from slipstream.runtime.variable import Variable


def test_variables_are_watched_when_read():
    w = Variable(3.0)
    with GradientTape() as tape:
        y = w * w * 2.0
    assert float(tape.gradient(y, w)) == 12.0
    assert tape.watched_variables() == ()  # spent tapes forget


def test_untrainable_variables_and_plain_tensors_are_not():
    w, x = Variable(3.0, trainable=False), convert(2.0)
    with GradientTape() as tape:
        y = w * x
    assert tape.gradient(y, [w, x]) == [None, None]


def test_watch_follows_tensors_and_structures():
    x = {"a": convert(2.0), "b": [convert(5.0)]}
    with GradientTape() as tape:
        tape.watch(x)
        y = x["a"] * x["b"][0]
    gradient = tape.gradient(y, x)
    assert float(gradient["a"]) == 5.0
    assert float(gradient["b"][0]) == 2.0


def test_a_second_gradient_needs_a_persistent_tape():
    x = convert(2.0)
    with GradientTape() as tape:
        tape.watch(x)
        y = x * x
    tape.gradient(y, x)
    with pytest.raises(RuntimeError, match="non-persistent GradientTape"):
        tape.gradient(y, x)


def test_persistent_tape_gives_several():
    x = convert(3.0)
    with GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = x * x
        z = y * y
    assert float(tape.gradient(z, x)) == 108.0
    assert float(tape.gradient(y, x)) == 6.0
    assert float(tape.gradient(z, y)) == 18.0


def test_third_derivative():
    x = Variable(2.0)
    with GradientTape() as c:
        with GradientTape() as b:
            with GradientTape() as a:
                y = x * x * x
            dy = a.gradient(y, x)
        d2y = b.gradient(dy, x)
    assert float(dy) == 12.0
    assert float(d2y) == 12.0
    assert float(c.gradient(d2y, x)) == 6.0


def test_stop_recording_hides_operations():
    x = convert(3.0)
    with GradientTape() as tape:
        tape.watch(x)
        with tape.stop_recording():
            hidden = x * x
        y = x * hidden
    assert float(tape.gradient(y, x)) == 9.0


def test_unconnected_gradients():
    x, z = Variable([1.0, 2.0]), Variable(3.0)
    with GradientTape(persistent=True) as tape:
        y = x * x
    assert tape.gradient(y, z) is None
    zero = tape.gradient(y, z, unconnected_gradients=UnconnectedGradients.ZERO)
    assert float(zero) == 0.0
    assert float(tape.gradient(y, z, unconnected_gradients="zero")) == 0.0


def test_output_gradients_weigh_the_targets():
    x = Variable([1.0, 2.0])
    with GradientTape() as tape:
        y = x * x
    gradient = tape.gradient(y, x, output_gradients=convert([10.0, 100.0]))
    np.testing.assert_allclose(gradient, [20.0, 400.0])


def test_integer_targets_have_no_derivative():
    x = convert([1, 2])
    with GradientTape() as tape:
        tape.watch(x)
        y = x * x
    with pytest.warns(UserWarning, match="must be floating"):
        assert tape.gradient(y, x) is None


def test_gradient_of_a_gather_is_rows():
    table = Variable(np.arange(12.0, dtype=np.float32).reshape(4, 3))
    with GradientTape() as tape:
        rows = REGISTRY["gather"](table.value(), convert([2, 0, 2]), axis=0, batch_dims=0)
        y = rows * rows
    gradient = tape.gradient(y, table)
    assert isinstance(gradient, IndexedSlices)
    np.testing.assert_array_equal(gradient.indices, [2, 0, 2])
    dense = np.zeros((4, 3))
    np.add.at(dense, [2, 0, 2], 2 * table.numpy()[[2, 0, 2]])
    np.testing.assert_allclose(convert(gradient), dense)


def test_jacobian():
    x = convert([1.0, 2.0, 3.0])
    with GradientTape() as tape:
        tape.watch(x)
        y = x * x
    np.testing.assert_allclose(tape.jacobian(y, x), np.diag([2.0, 4.0, 6.0]))


def test_jacobian_shapes_and_unconnected():
    x, z = Variable(np.ones((2, 3), np.float32)), Variable([1.0])
    with GradientTape(persistent=True) as tape:
        y = REGISTRY["sum"](x * 2.0, axes=(1,))
    jacobian = tape.jacobian(y, {"x": x, "z": z})
    assert jacobian["z"] is None
    assert jacobian["x"].shape == (2, 2, 3)
    np.testing.assert_allclose(jacobian["x"], 2.0 * np.eye(2)[:, :, None] * np.ones(3))


def test_batch_jacobian():
    x = convert(np.arange(6.0, dtype=np.float32).reshape(3, 2))
    with GradientTape() as tape:
        tape.watch(x)
        y = x * x
    expected = np.stack([np.diag(2 * row) for row in x.numpy()])
    np.testing.assert_allclose(tape.batch_jacobian(y, x), expected)


def test_custom_gradient_replaces_the_derivative():
    @custom_gradient
    def clipped(x):
        return x * 10.0, lambda g: g * 0.5

    x = convert(3.0)
    with GradientTape() as tape:
        tape.watch(x)
        y = clipped(x) * 2.0
    assert float(y) == 60.0
    assert float(tape.gradient(y, x)) == 1.0


def test_custom_gradient_with_variables():
    w = Variable(2.0)

    @custom_gradient
    def scaled(x):
        def pullback(g, variables):
            assert variables == [w]
            return g * w, [g * 7.0]

        return x * w, pullback

    x = convert(5.0)
    with GradientTape() as tape:
        tape.watch(x)
        y = scaled(x)
    by_x, by_w = tape.gradient(y, [x, w])
    assert (float(by_x), float(by_w)) == (2.0, 7.0)


def test_assignment_ends_what_a_variable_was():
    w = Variable(2.0)
    with GradientTape() as tape:
        before = w * 3.0
        w.assign(before)
        after = w * w
    # `after` depends on the new content, which the tape takes for the variable as well
    assert float(tape.gradient(after, w)) == 12.0
