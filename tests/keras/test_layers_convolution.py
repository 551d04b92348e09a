"""Convolutional, pooling and reshaping layers: values, shapes known and unknown, configurations."""

import numpy as np
import pytest

import slipstream as tf
from slipstream.keras import layers


def rng(*shape):
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def loop_convolution(x, kernel, stride=1):
    """Valid convolution of [n, h, w, c] by [kh, kw, c, f], written out."""
    kh, kw, _, f = kernel.shape
    n, h, w, _ = x.shape
    rows, columns = (h - kh) // stride + 1, (w - kw) // stride + 1
    out = np.zeros((n, rows, columns, f), np.float32)
    for i in range(rows):
        for j in range(columns):
            patch = x[:, i * stride : i * stride + kh, j * stride : j * stride + kw]
            out[:, i, j] = np.tensordot(patch, kernel, 3)
    return out


CASES = [
    (layers.Conv2D, {"filters": 4, "kernel_size": 3, "padding": "same", "strides": 2}),
    (layers.Conv2D, {"filters": 6, "kernel_size": (2, 3), "groups": 3, "use_bias": False}),
    (layers.Conv2D, {"filters": 2, "kernel_size": 3, "dilation_rate": 2}),
    (layers.Conv2DTranspose, {"filters": 3, "kernel_size": 3, "strides": 2, "padding": "same"}),
    (layers.Conv2DTranspose, {"filters": 2, "kernel_size": 2, "strides": 3}),
    (layers.DepthwiseConv2D, {"kernel_size": 3, "depth_multiplier": 2}),
    (layers.SeparableConv2D, {"filters": 5, "kernel_size": 3}),
    (layers.MaxPooling2D, {}),
    (layers.MaxPooling2D, {"pool_size": 3, "strides": 2, "padding": "same"}),
    (layers.AveragePooling2D, {"pool_size": 3, "strides": 1, "padding": "same"}),
    (layers.GlobalMaxPooling2D, {}),
    (layers.GlobalAveragePooling2D, {"keepdims": True}),
    (layers.Flatten, {}),
    (layers.Reshape, {"target_shape": (4, -1)}),
    (layers.Permute, {"dims": (3, 1, 2)}),
    (layers.ZeroPadding2D, {"padding": ((1, 2), (0, 3))}),
    (layers.Cropping2D, {"cropping": ((1, 0), (2, 1))}),
    (layers.UpSampling2D, {"size": (2, 3)}),
    (layers.UpSampling2D, {"interpolation": "bilinear"}),
]


@pytest.mark.parametrize(("kind", "options"), CASES, ids=lambda v: getattr(v, "__name__", ""))
def test_shapes_and_configurations(kind, options):
    layer = kind(**options)
    x = rng(2, 8, 8, 3)
    y = layer(x)
    drawn = kind(**options)(layers.Input((8, 8, 3)))
    assert drawn.shape[0] is None
    assert tuple(drawn.shape[1:]) == tuple(y.shape[1:])
    twin = kind.from_config(layer.get_config())
    twin.build((None, 8, 8, 3))
    twin.set_weights(layer.get_weights())
    np.testing.assert_array_equal(twin(x), y)


@pytest.mark.parametrize("stride", [1, 2])
def test_convolution_values(stride):
    x = rng(2, 7, 6, 3)
    layer = layers.Conv2D(4, (3, 2), strides=stride, bias_initializer="ones", activation="relu")
    y = layer(x)
    kernel = layer.get_weights()[0]
    assert kernel.shape == (3, 2, 3, 4)
    expected = np.maximum(loop_convolution(x, kernel, stride) + 1, 0)
    np.testing.assert_allclose(y, expected, atol=1e-5)


def test_channels_first_is_the_same_in_another_order():
    x = rng(2, 6, 5, 3)
    last = layers.Conv2D(4, 3)
    y = last(x)
    first = layers.Conv2D(4, 3, data_format="channels_first")
    first.build((None, 3, 6, 5))
    first.set_weights(last.get_weights())
    turned = first(x.transpose(0, 3, 1, 2))
    np.testing.assert_allclose(turned, np.transpose(y, (0, 3, 1, 2)), atol=1e-5)


@pytest.mark.parametrize("kind", [layers.Conv1D, layers.Conv2D, layers.Conv3D])
def test_arguments_by_place(kind):
    layer = kind(4, 3, 2, "same", "channels_first", 1, 2, "relu", False)
    assert (layer.padding, layer.data_format, layer.groups) == ("same", "channels_first", 2)
    assert layer.activation is tf.keras.activations.relu
    assert not layer.use_bias


def test_cropping_pictures_cuts_nothing_by_default():
    assert layers.Cropping2D()(tf.zeros([1, 4, 5, 1])).shape == (1, 4, 5, 1)


def test_causal_convolution_sees_no_later_step():
    layer = layers.Conv1D(2, 3, padding="causal", dilation_rate=2)
    x = rng(1, 9, 2)
    before = layer(x).numpy()
    x[0, 5] += 1
    after = layer(x).numpy()
    np.testing.assert_array_equal(before[0, :5], after[0, :5])
    assert np.abs(before[0, 5:] - after[0, 5:]).max() > 0


def test_transposed_convolution_is_the_adjoint():
    forward = layers.Conv2D(4, 3, strides=2, use_bias=False)
    x = rng(1, 9, 9, 3)
    y = forward(x)
    back = layers.Conv2DTranspose(3, 3, strides=2, use_bias=False)
    back.build((None, 4, 4, 4))
    back.set_weights(forward.get_weights())
    g = rng(*y.shape)
    np.testing.assert_allclose(np.sum(y * g), np.sum(x * back(g).numpy()), rtol=1e-4)


def test_depthwise_convolution_keeps_channels_apart():
    layer = layers.DepthwiseConv2D(3, depth_multiplier=2, use_bias=False)
    x = rng(1, 5, 5, 2)
    y = layer(x).numpy()
    kernel = layer.get_weights()[0]
    for channel in range(2):
        part = loop_convolution(x[..., channel : channel + 1], kernel[:, :, channel : channel + 1])
        np.testing.assert_allclose(y[..., 2 * channel : 2 * channel + 2], part, atol=1e-5)


def test_average_pooling_does_not_count_padding():
    y = layers.AveragePooling2D(2, strides=2, padding="same")(np.ones((1, 3, 3, 1), np.float32))
    np.testing.assert_allclose(y, np.ones((1, 2, 2, 1)))


def test_masked_steps_do_not_count_in_the_mean():
    x = np.array([[[1.0], [3.0], [100.0]]], np.float32)
    y = layers.GlobalAveragePooling1D()(x, mask=tf.constant([[True, True, False]]))
    np.testing.assert_allclose(y, [[2.0]])


def test_flatten_of_channels_first_orders_as_channels_last():
    x = rng(1, 2, 3, 4)
    plain = layers.Flatten()(x)
    turned = layers.Flatten(data_format="channels_first")(x.transpose(0, 3, 1, 2))
    np.testing.assert_array_equal(plain, turned)


def test_misuse_is_said():
    with pytest.raises(ValueError, match="evenly divisible by the number of groups"):
        layers.Conv2D(4, 3, groups=3)
    with pytest.raises(ValueError, match="`padding` argument"):
        layers.Conv2D(4, 3, padding="other")
    with pytest.raises(ValueError, match="`kernel_size` argument"):
        layers.Conv2D(4, (3, 3, 3))
    with pytest.raises(ValueError, match='of layer "narrow" is incompatible'):
        layers.Conv2D(4, 3, name="narrow")(np.zeros((2, 3)))
    with pytest.raises(ValueError, match="channel dimension"):
        layers.Conv2D(4, 3)(layers.Input((8, 8, None)))
    with pytest.raises(ValueError, match="consecutive"):
        layers.Permute((2, 3))
