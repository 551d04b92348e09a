"""Normalisation, dropout, activations, embeddings, merging, functions as layers."""

import numpy as np
import pytest

import slipstream as tf
from slipstream.keras import layers


def rng(*shape):
    return np.random.default_rng(1).normal(size=shape).astype(np.float32)


def test_batch_normalization_trains_and_remembers():
    x = rng(64, 3) * 2 + 5
    layer = layers.BatchNormalization(momentum=0.9, epsilon=1e-5)
    y = layer(x, training=True).numpy()
    np.testing.assert_allclose(y.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(y.std(0), 1, atol=1e-3)
    np.testing.assert_allclose(layer.moving_mean, 0.1 * x.mean(0), rtol=1e-5)
    np.testing.assert_allclose(layer.moving_variance, 0.9 + 0.1 * x.var(0), rtol=1e-4)
    for _ in range(200):
        layer(x, training=True)
    np.testing.assert_allclose(layer(x, training=False), y, atol=1e-2)
    assert [v.name for v in layer.weights] == ["gamma", "beta", "moving_mean", "moving_variance"]
    assert len(layer.trainable_weights) == 2


def test_frozen_batch_normalization_does_not_move():
    layer = layers.BatchNormalization()
    layer.trainable = False
    layer(rng(8, 2) + 3, training=True)
    np.testing.assert_array_equal(layer.moving_mean, np.zeros(2))


def test_batch_normalization_leaves_masked_steps_out():
    x = rng(2, 3, 4)
    mask = np.array([[True, True, False], [True, False, False]])
    layer = layers.BatchNormalization(momentum=0.0)
    layer(x, training=True, mask=tf.constant(mask))
    np.testing.assert_allclose(layer.moving_mean, x[mask].mean(0), rtol=1e-4, atol=1e-6)


def test_layer_normalization():
    x = rng(4, 5, 6)
    y = layers.LayerNormalization(epsilon=1e-6)(x).numpy()
    np.testing.assert_allclose(y.mean(-1), 0, atol=1e-5)
    np.testing.assert_allclose(y.std(-1), 1, atol=1e-3)
    both = layers.LayerNormalization(axis=[1, 2], epsilon=1e-6)(x).numpy()
    np.testing.assert_allclose(both.std((1, 2)), 1, atol=1e-3)


def test_group_and_unit_normalization():
    x = rng(2, 4, 4, 6)
    y = layers.GroupNormalization(3, epsilon=1e-6)(x).numpy().reshape(2, 4, 4, 3, 2)
    np.testing.assert_allclose(y.mean((1, 2, 4)), 0, atol=1e-5)
    unit = layers.UnitNormalization()(rng(3, 4)).numpy()
    np.testing.assert_allclose(np.linalg.norm(unit, axis=-1), 1, rtol=1e-5)


def test_dropout_acts_in_training_only_and_repeats_by_seed():
    x = np.ones((100, 100), np.float32)
    layer = layers.Dropout(0.3, seed=1)
    np.testing.assert_array_equal(layer(x), x)
    first, second = layer(x, training=True).numpy(), layer(x, training=True).numpy()
    assert not np.array_equal(first, second)
    assert abs((first == 0).mean() - 0.3) < 0.03
    np.testing.assert_allclose(first[first > 0], 1 / 0.7, rtol=1e-6)
    again = layers.Dropout(0.3, seed=1)
    np.testing.assert_array_equal(again(x, training=True), first)


def test_dropout_in_a_traced_step_goes_on():
    layer = layers.Dropout(0.5, seed=2)
    step = tf.function(lambda x: layer(x, training=True))
    x = np.ones((50,), np.float32)
    assert not np.array_equal(step(x), step(x))


def test_spatial_dropout_drops_channels():
    y = layers.SpatialDropout2D(0.5, seed=3)(np.ones((4, 5, 5, 16), np.float32), training=True)
    per_channel = y.numpy().reshape(4, 25, 16)
    assert (per_channel.min(1) == per_channel.max(1)).all()


def test_noise_layers_keep_the_mean():
    x = np.ones((200, 200), np.float32)
    for layer in (layers.GaussianNoise(0.5), layers.GaussianDropout(0.2), layers.AlphaDropout(0.1)):
        np.testing.assert_array_equal(layer(x), x)
        assert abs(layer(x, training=True).numpy().mean() - 1) < 0.3


def test_activations_with_parameters():
    x = np.array([[-2.0, -0.5, 0.5, 8.0]], np.float32)
    np.testing.assert_allclose(layers.ReLU(max_value=6.0)(x), [[0, 0, 0.5, 6]])
    np.testing.assert_allclose(layers.LeakyReLU()(x), [[-0.6, -0.15, 0.5, 8]], rtol=1e-6)
    np.testing.assert_allclose(layers.LeakyReLU(alpha=0.1)(x), [[-0.2, -0.05, 0.5, 8]], rtol=1e-6)
    np.testing.assert_allclose(layers.ELU()(x)[0, 0], np.expm1(-2.0), rtol=1e-6)
    prelu = layers.PReLU(alpha_initializer=tf.keras.initializers.Constant(0.25))
    np.testing.assert_allclose(prelu(x), [[-0.5, -0.125, 0.5, 8]])
    soft = layers.Softmax()(x, mask=tf.constant([[True, True, True, False]])).numpy()
    assert soft[0, 3] == 0
    np.testing.assert_allclose(soft.sum(), 1, rtol=1e-6)


def test_embedding_looks_rows_up_and_masks_zero():
    layer = layers.Embedding(5, 3, mask_zero=True)
    rows = layer(np.array([[1, 4, 0]]))
    np.testing.assert_array_equal(rows[0, 1], layer.get_weights()[0][4])
    np.testing.assert_array_equal(layer.compute_mask(tf.constant([[1, 4, 0]]), None), [[1, 1, 0]])
    with pytest.raises(tf.errors.InvalidArgumentError, match="not in"):
        layer(np.array([7]))


def test_masking_hides_steps():
    x = np.array([[[1.0, 2.0], [0.0, 0.0]]], np.float32)
    layer = layers.Masking()
    np.testing.assert_array_equal(layer.compute_mask(tf.constant(x), None), [[True, False]])


def test_merging():
    a, b = rng(2, 3), rng(2, 3)
    np.testing.assert_allclose(layers.Add()([a, b]), a + b)
    np.testing.assert_allclose(layers.Subtract()([a, b]), a - b)
    np.testing.assert_allclose(layers.Multiply()([a, b]), a * b)
    np.testing.assert_allclose(layers.Average()([a, b]), (a + b) / 2)
    np.testing.assert_allclose(layers.Maximum()([a, b]), np.maximum(a, b))
    np.testing.assert_allclose(layers.minimum([a, b]), np.minimum(a, b))
    assert layers.Concatenate()([a, b]).shape == (2, 6)
    np.testing.assert_allclose(layers.Dot(axes=1)([a, b])[:, 0], (a * b).sum(1), rtol=1e-5)
    cosine = layers.Dot(axes=1, normalize=True)([a, a])
    np.testing.assert_allclose(cosine, np.ones((2, 1)), rtol=1e-5)


def test_merging_in_symbolic_models():
    x, y = layers.Input((3,)), layers.Input((3,))
    assert layers.concatenate([x, y]).shape.as_list() == [None, 6]
    assert layers.Dot(axes=1)([x, y]).shape.as_list() == [None, 1]
    with pytest.raises(ValueError, match="matching shapes"):
        layers.Concatenate(axis=0)([layers.Input((3,)), layers.Input((4,))])
    with pytest.raises(ValueError, match="exactly 2 inputs"):
        layers.Subtract()([x, y, x])


def test_functions_as_layers():
    x = rng(2, 3)
    np.testing.assert_allclose(layers.Lambda(lambda t: t * 2 + 1)(x), x * 2 + 1, rtol=1e-6)
    np.testing.assert_array_equal(layers.Identity()(x), x)
    scaled = layers.Rescaling(1 / 255, offset=-1)(np.array([0, 255], np.uint8))
    np.testing.assert_allclose(scaled, [-1, 0], atol=1e-6)


def test_the_penalty_of_activity_is_a_mean_over_the_batch():
    layer = layers.Dense(1, kernel_initializer="ones", activity_regularizer="l1")
    layer(tf.ones([4, 2]))
    np.testing.assert_allclose(layer.losses[0], 0.01 * 2)


def test_activity_regularization_adds_a_loss():
    layer = layers.ActivityRegularization(l1=0.1, l2=0.01)
    layer(np.array([[1.0, -2.0]], np.float32))
    assert float(sum(layer.losses)) > 0
