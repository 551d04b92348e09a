"""`from keras import backend as K`, as programs for Keras 2 use it."""

import numpy as np
import pytest

import slipstream as tf
from slipstream.keras import backend as K

X = np.array([[1.0, 2.0], [3.0, 5.0]], np.float32)
Y = np.array([[1.0, 0.0], [0.0, 1.0]], np.float32)


def test_the_contrastive_loss_of_tutorials():
    distance = K.sqrt(K.maximum(K.sum(K.square(X - Y), axis=1, keepdims=True), K.epsilon()))
    np.testing.assert_allclose(distance, [[2.0], [5.0]])
    same = tf.constant([[1.0], [0.0]])
    loss = K.mean(same * K.square(distance) + (1 - same) * K.square(K.maximum(6 - distance, 0)))
    assert float(loss) == pytest.approx(2.5)


def test_contents_of_variables():
    variable = K.variable([1.0, 2.0])
    K.set_value(variable, [3.0, 4.0])
    np.testing.assert_array_equal(K.get_value(variable), [3, 4])
    K.batch_set_value([(variable, [5.0, 6.0])])
    np.testing.assert_array_equal(K.batch_get_value([variable])[0], [5, 6])


def test_shapes_and_losses():
    assert K.int_shape(tf.keras.Input((3,))) == (None, 3)
    assert (K.ndim(X), K.dtype(K.constant(X))) == (2, "float32")
    assert K.batch_flatten(tf.zeros([2, 3, 4])).shape == (2, 12)
    assert K.flatten(X).shape == (4,)
    np.testing.assert_array_equal(K.shape(X), [2, 2])
    half = np.full((2, 2), 0.5, np.float32)
    np.testing.assert_allclose(K.binary_crossentropy(Y, half), np.full((2, 2), np.log(2)), 1e-5)
    np.testing.assert_allclose(K.categorical_crossentropy(Y, half), np.log([2, 2]), 1e-5)
    np.testing.assert_array_equal(K.clip(X, 1.5, 3.0), np.clip(X, 1.5, 3.0))


def test_the_mean_of_truth_values():
    assert float(K.mean(K.equal(X, [[1.0, 2.0], [3.0, 4.0]]))) == 0.75


def test_modules_that_old_programs_import():
    keras = tf.keras
    assert keras.preprocessing.sequence.pad_sequences([[1], [1, 2]]).tolist() == [[0, 1], [1, 2]]
    loss = keras.losses.MeanSquaredError(reduction=keras.losses.Reduction.NONE)
    assert loss(X, Y).shape == (2,)
    assert tf.losses.MeanSquaredError is keras.losses.MeanSquaredError
    assert (tf.optimizers, tf.metrics) == (keras.optimizers, keras.metrics)
    assert tf.initializers is keras.initializers


def test_mixed_precision():
    keras = tf.keras
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        layer = keras.layers.Dense(2)
        assert layer(X).dtype == "bfloat16"
        assert layer.kernel.dtype == "float32"
        assert keras.mixed_precision.global_policy().name == "mixed_bfloat16"
    finally:
        keras.mixed_precision.set_global_policy("float32")


def test_every_name_is_there():
    assert all(hasattr(K, name) for name in K.__all__)
