"""A training step with a bit of everything, for tests of how programs run."""

import numpy as np

import slipstream as tf

keras, layers = tf.keras, tf.keras.layers


def weights_after(steps=3, batch=48):
    """The weights of a small convolutional network after some steps, from one seed."""
    keras.utils.set_random_seed(3)
    model = keras.Sequential(
        [
            layers.Input((12, 12, 3)),
            layers.Conv2D(16, 3, activation="relu", padding="same"),
            layers.MaxPooling2D(),
            layers.BatchNormalization(),
            layers.Conv2D(33, 3, strides=2, activation="tanh"),
            layers.AveragePooling2D(2, strides=1, padding="same"),
            layers.Flatten(),
            layers.Dropout(0.3),
            layers.Dense(50, activation="relu"),
            layers.Dense(5),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(1e-3), loss, metrics=["accuracy"])
    random = np.random.default_rng(0)
    x = random.normal(size=(steps * batch, 12, 12, 3)).astype(np.float32)
    y = random.integers(0, 5, steps * batch)
    history = model.fit(x, y, batch_size=batch, verbose=0, shuffle=False)
    return [*model.get_weights(), np.asarray(history.history["loss"])]


def recurrent_weights_after(dtype="float32", steps=3, batch=6, length=5):
    """The weights of recurrent layers of each kind after some steps, from one seed."""
    keras.utils.set_random_seed(5)
    inputs = keras.Input((length, 4), dtype=dtype)
    x = layers.Masking(dtype=dtype)(inputs)
    forth_and_back = layers.LSTM(7, return_sequences=True, dtype=dtype)
    x = layers.Bidirectional(forth_and_back, dtype=dtype)(x)
    x = layers.GRU(9, return_sequences=True, go_backwards=True, dtype=dtype)(x)
    cells = [layers.LSTMCell(6, dtype=dtype), layers.GRUCell(5, reset_after=False, dtype=dtype)]
    x = layers.RNN(cells, return_sequences=True, dtype=dtype)(x)
    x = layers.SimpleRNN(8, recurrent_dropout=0.2, dtype=dtype)(x)
    model = keras.Model(inputs, layers.Dense(3, dtype=dtype)(x))
    model.compile(keras.optimizers.SGD(0.1), "mse")
    random = np.random.default_rng(0)
    x = random.normal(size=(steps * batch, length, 4)).astype(dtype)
    x[:, 3:] *= random.integers(0, 2, (steps * batch, 1, 1))  # masked steps at the end
    y = random.normal(size=(steps * batch, 3)).astype(dtype)
    history = model.fit(x, y, batch_size=batch, verbose=0, shuffle=False)
    return [*model.get_weights(), np.asarray(history.history["loss"])]
