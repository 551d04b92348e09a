"""Blocks of space in the depth or the batch: places by definition, and back again."""

import numpy as np
import pytest

import slipstream as tf
from slipstream.errors import InvalidArgumentError

X = np.arange(2 * 4 * 6 * 3, dtype=np.float32).reshape(2, 4, 6, 3)


def test_space_to_depth_takes_blocks_row_by_row():
    y = tf.nn.space_to_depth(X, 2).numpy()
    assert y.shape == (2, 2, 3, 12)
    for row in range(2):
        for column in range(3):
            block = X[:, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
            np.testing.assert_array_equal(y[:, row, column], block.reshape(2, 12))
    np.testing.assert_array_equal(tf.nn.depth_to_space(y, 2).numpy(), X)


def test_channels_first_is_the_same_transposed():
    first = X.transpose(0, 3, 1, 2)
    y = tf.nn.space_to_depth(first, 2, data_format="NCHW")
    wanted = tf.nn.space_to_depth(X, 2).numpy().transpose(0, 3, 1, 2)
    np.testing.assert_array_equal(y.numpy(), wanted)
    np.testing.assert_array_equal(tf.nn.depth_to_space(y, 2, "NCHW").numpy(), first)


def test_space_to_batch_takes_each_place_of_a_block():
    y = tf.space_to_batch(X, [2, 3], [[0, 0], [2, 1]]).numpy()
    padded = np.pad(X, [[0, 0], [0, 0], [2, 1], [0, 0]])
    assert y.shape == (12, 2, 3, 3)
    for i in range(2):
        for j in range(3):
            picture = y[(3 * i + j) * 2 : (3 * i + j) * 2 + 2]
            np.testing.assert_array_equal(picture, padded[:, i::2, j::3])
    back = tf.batch_to_space(y, [2, 3], [[0, 0], [2, 1]])
    np.testing.assert_array_equal(back.numpy(), X)
    np.testing.assert_array_equal(tf.space_to_batch_nd(X, [1], [[0, 0]]).numpy(), X)


def test_gradients_and_tracing():
    x = tf.constant(X)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.function(lambda x: tf.space_to_batch(x, [2, 2], [[0, 0], [0, 0]]) ** 2)(x)
    np.testing.assert_array_equal(tape.gradient(y, x).numpy(), 2 * X)


def test_misuse():
    with pytest.raises(InvalidArgumentError, match="blocks do not divide the picture"):
        tf.nn.space_to_depth(X, 4)
    with pytest.raises(InvalidArgumentError, match="the depth is no whole blocks"):
        tf.nn.depth_to_space(X, 2)
    with pytest.raises(InvalidArgumentError, match="blocks of 2 or more"):
        tf.nn.space_to_depth(X, 1)
    with pytest.raises(ValueError, match="NHWC or NCHW"):
        tf.nn.space_to_depth(X, 2, "CHWN")
    with pytest.raises(InvalidArgumentError, match="do not divide the padded axes"):
        tf.space_to_batch(X, [3], [[0, 0]])
    with pytest.raises(InvalidArgumentError, match="one pair of border widths"):
        tf.space_to_batch(X, [2, 2], [[0, 0]])
    with pytest.raises(InvalidArgumentError, match="the batch is no whole blocks"):
        tf.batch_to_space(X, [3], [[0, 0]])
    with pytest.raises(InvalidArgumentError, match="0 or more wide"):
        tf.batch_to_space(X, [2], [[-1, 0]])
