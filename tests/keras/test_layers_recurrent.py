"""Recurrent layers against loops written out; masks, states, directions, stacks."""

import numpy as np
import pytest

import slipstream as tf
from slipstream.keras import layers


def rng(*shape):
    return np.random.default_rng(2).normal(size=shape).astype(np.float32)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def loop_lstm(x, kernel, recurrent, bias):
    units = recurrent.shape[0]
    h = c = np.zeros((x.shape[0], units), np.float32)
    out = []
    for t in range(x.shape[1]):
        z = x[:, t] @ kernel + h @ recurrent + bias
        i, f, g, o = np.split(z, 4, axis=-1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        out.append(h)
    return np.stack(out, 1), h, c


def loop_gru(x, kernel, recurrent, bias):
    h = np.zeros((x.shape[0], recurrent.shape[0]), np.float32)
    for t in range(x.shape[1]):
        a = np.split(x[:, t] @ kernel + bias[0], 3, -1)
        b = np.split(h @ recurrent + bias[1], 3, -1)
        z, r = sigmoid(a[0] + b[0]), sigmoid(a[1] + b[1])
        h = z * h + (1 - z) * np.tanh(a[2] + r * b[2])
    return h


@pytest.mark.parametrize("traced", [False, True])
def test_lstm_values(traced):
    x = rng(3, 7, 4)
    layer = layers.LSTM(5, return_sequences=True, return_state=True)
    call = tf.function(lambda t: layer(t)) if traced else layer
    sequences, h, c = call(x)
    expected, last, memory = loop_lstm(x, *layer.get_weights())
    np.testing.assert_allclose(sequences, expected, atol=1e-5)
    np.testing.assert_allclose(h, last, atol=1e-5)
    np.testing.assert_allclose(c, memory, atol=1e-5)
    np.testing.assert_array_equal(layer.get_weights()[2][5:10], np.ones(5))  # forget gate open


def test_gru_values():
    x = rng(3, 6, 4)
    layer = layers.GRU(5, bias_initializer="glorot_uniform")
    y = layer(x)
    np.testing.assert_allclose(y, loop_gru(x, *layer.get_weights()), atol=1e-5)
    other = layers.GRU(5, reset_after=False)
    assert other(x).shape == (3, 5)
    assert other.get_weights()[2].shape == (15,)


def test_simple_rnn_backwards_is_the_reverse():
    x = rng(2, 5, 3)
    ahead = layers.SimpleRNN(4)
    y = ahead(x)
    back = layers.SimpleRNN(4, go_backwards=True)
    back.build((None, 5, 3))
    back.set_weights(ahead.get_weights())
    np.testing.assert_allclose(back(x[:, ::-1].copy()), y, atol=1e-6)


@pytest.mark.parametrize("traced", [False, True])
def test_masked_steps_leave_the_state(traced):
    x = rng(2, 6, 3)
    mask = np.array([[1, 1, 1, 0, 0, 0], [1, 1, 1, 1, 1, 1]], bool)
    layer = layers.LSTM(4)
    call = tf.function(lambda t, m: layer(t, mask=m)) if traced else lambda t, m: layer(t, mask=m)
    y = call(tf.constant(x), tf.constant(mask))
    np.testing.assert_allclose(y[0], layer(x[:1, :3])[0], atol=1e-6)
    np.testing.assert_allclose(y[1], layer(x[1:])[0], atol=1e-6)


def test_masks_flow_from_embeddings():
    embedding = layers.Embedding(10, 4, mask_zero=True)
    lstm = layers.LSTM(3)
    padded = lstm(embedding(np.array([[5, 6, 0, 0]])))
    plain = lstm(embedding(np.array([[5, 6]])))
    np.testing.assert_allclose(padded, plain, atol=1e-6)


def test_initial_state_and_stateful():
    x = rng(2, 6, 3)
    layer = layers.GRU(4, return_state=True)
    _, middle = layer(x[:, :3])
    whole, _ = layer(x)
    resumed, _ = layer(x[:, 3:], initial_state=[middle])
    np.testing.assert_allclose(resumed, whole, atol=1e-6)

    keeping = layers.GRU(4, stateful=True)
    keeping.build((2, 3, 3))
    keeping.cell.set_weights(layer.cell.get_weights())
    keeping(x[:, :3])
    np.testing.assert_allclose(keeping(x[:, 3:]), whole, atol=1e-6)
    keeping.reset_state()
    np.testing.assert_allclose(keeping(x[:, :3]), middle, atol=1e-6)


def test_bidirectional():
    x = rng(2, 5, 3)
    layer = layers.Bidirectional(layers.LSTM(4, return_sequences=True))
    y = layer(x).numpy()
    assert y.shape == (2, 5, 8)
    assert len(layer.get_weights()) == 6
    ahead, back = layer.forward_layer, layer.backward_layer
    np.testing.assert_allclose(y[..., :4], ahead(x), atol=1e-6)
    np.testing.assert_allclose(y[..., 4:], np.asarray(back(x))[:, ::-1], atol=1e-6)
    total = layers.Bidirectional(layers.GRU(4), merge_mode="sum")
    assert total(x).shape == (2, 4)
    with pytest.raises(ValueError, match="merge mode"):
        layers.Bidirectional(layers.GRU(4), merge_mode="other")


def test_time_distributed():
    x = rng(2, 5, 3)
    dense = layers.Dense(4)
    y = layers.TimeDistributed(dense)(x)
    np.testing.assert_allclose(y[:, 2], dense(x[:, 2]), atol=1e-6)


def test_stacked_cells():
    layer = layers.RNN([layers.LSTMCell(3), layers.GRUCell(4)], return_state=True)
    y, lstm_h, lstm_c, gru_h = layer(rng(2, 5, 6))
    assert (y.shape, lstm_h.shape, lstm_c.shape, gru_h.shape) == ((2, 4), (2, 3), (2, 3), (2, 4))
    np.testing.assert_array_equal(y, gru_h)


def test_dropout_within_a_recurrence():
    layer = layers.LSTM(4, dropout=0.5, recurrent_dropout=0.5, seed=1)
    x = rng(2, 5, 3)
    assert not np.array_equal(layer(x, training=True), layer(x, training=True))
    np.testing.assert_array_equal(layer(x), layer(x))


def test_gradients_agree_with_differences():
    layer = layers.LSTM(3, dtype="float64")
    x = rng(2, 4, 2).astype(np.float64)
    layer(x)

    @tf.function
    def gradient(t):
        with tf.GradientTape() as tape:
            tape.watch(t)
            loss = tf.reduce_sum(layer(t) ** 2.0)
        return loss, tape.gradient(loss, [t, *layer.trainable_weights])

    _, (by_x, by_kernel, *_) = gradient(tf.constant(x))
    step = 1e-6
    moved = x.copy()
    moved[1, 2, 0] += step
    numeric = (float(gradient(tf.constant(moved))[0]) - float(gradient(tf.constant(x))[0])) / step
    assert abs(numeric - float(by_x[1, 2, 0])) < 1e-5
    assert by_kernel.shape == (2, 12)


def test_configurations_make_the_same_layer():
    for layer in (
        layers.LSTM(4, dropout=0.1, return_sequences=True),
        layers.GRU(3, reset_after=False),
        layers.Bidirectional(layers.SimpleRNN(2)),
        layers.RNN([layers.LSTMCell(3), layers.GRUCell(4)]),
        layers.TimeDistributed(layers.Dense(2)),
    ):
        twin = type(layer).from_config(layer.get_config())
        assert twin.get_config() == layer.get_config()


def test_masked_steps_of_stacked_cells_of_other_sizes():
    """What is shown at a masked step has the size of the last cell."""
    layer = layers.RNN([layers.LSTMCell(6), layers.GRUCell(5)], return_sequences=True)
    x = np.random.default_rng(0).normal(size=(2, 4, 3)).astype(np.float32)
    mask = np.array([[True, True, False, True], [False, True, True, False]])
    shown = np.asarray(layer(x, mask=mask))
    assert shown.shape == (2, 4, 5)
    np.testing.assert_array_equal(shown[0, 2], shown[0, 1])
    np.testing.assert_array_equal(shown[1, 0], np.zeros(5))
