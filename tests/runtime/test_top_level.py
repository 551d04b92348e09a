"""Small names of TensorFlow 2's top level, conversions and errors as it has them."""

import numpy as np
import pytest

import slipstream as tf


def test_what_is_a_tensor():
    assert tf.is_tensor(tf.constant(1))
    assert tf.is_tensor(tf.Variable(1))
    assert not tf.is_tensor(np.zeros(2))


@pytest.mark.parametrize("name", ["/cpu:0", "/device:GPU:0", "CPU:0", "/job:localhost/task:0"])
def test_devices_are_accepted(name):
    with tf.device(name):
        assert float(tf.constant(1.0)) == 1.0


def test_what_is_no_device_is_said():
    with pytest.raises(ValueError, match="malformed device"), tf.device("here"):
        pass


def test_initializers():
    assert tf.zeros_initializer()((2, 2)).numpy().sum() == 0
    assert tf.ones_initializer()(shape=(2,)).numpy().tolist() == [1, 1]
    assert tf.random_normal_initializer(seed=1)((3,)).shape == (3,)


@pytest.mark.parametrize(
    ("value", "dtype"),
    [([1, 2], tf.bool), ([True], tf.float32), ([True], tf.int32), ([1j], tf.float32)],
)
def test_lists_lose_nothing_silently(value, dtype):
    with pytest.raises(TypeError, match="do not become"):
        tf.convert_to_tensor(value, dtype)


def test_errors_have_a_message_and_a_code():
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        tf.matmul(tf.ones((2, 3)), tf.ones((2, 3)))
    assert "inner sizes differ" in caught.value.message
    assert caught.value.error_code == 3
    made = tf.errors.NotFoundError(None, None, "no such file")
    assert (made.message, made.node_def, made.op) == ("no such file", None, None)
