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
