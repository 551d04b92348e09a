"""One Keras program a workload, timed in this process: under Slipstream, or Keras on a peer.

    python benchmarks/keras_steps.py slipstream mlp
    KERAS_BACKEND=jax python benchmarks/keras_steps.py keras mlp

Prints one line of JSON: the milliseconds of a step of `fit` in each of several epochs, or of one
`predict` of one sample, and the process's peak memory. `side_by_side.py` runs it for everyone.
"""

import json
import resource
import sys
import time

import numpy as np

STEPS, EPOCHS, CALLS = 100, 3, 200


def framework(name):
    """The `keras` namespace of Slipstream or of Keras itself."""
    if name == "slipstream":
        import slipstream

        return slipstream.keras
    import keras

    return keras


def mlp(keras, layers):
    model = [layers.Input((784,)), layers.Dense(128, activation="relu"), layers.Dense(10)]
    return keras.Sequential(model), (784,), 64


def cnn(keras, layers):
    return keras.Sequential([
        layers.Input((28, 28, 1)), layers.Conv2D(32, 3, activation="relu"), layers.MaxPooling2D(),
        layers.Conv2D(64, 3, activation="relu"), layers.MaxPooling2D(), layers.Dropout(0.5),
        layers.Flatten(), layers.Dense(128, activation="relu"), layers.Dense(10),
    ]), (28, 28, 1), 64  # fmt: skip


def lstm(keras, layers):
    model = [layers.Input((28, 28)), layers.LSTM(128), layers.Dense(10)]
    return keras.Sequential(model), (28, 28), 64


def autoencoder(keras, layers):
    widths = (256, 64, 256)
    hidden = [layers.Dense(n, activation="relu") for n in widths]
    return keras.Sequential([layers.Input((784,)), *hidden, layers.Dense(784)]), (784,), 128


def siamese(keras, layers):
    """Two towers that share parameters; the input holds both pictures."""
    tower = keras.Sequential([
        layers.Input((28, 28, 1)), layers.Conv2D(32, 3, activation="relu"), layers.MaxPooling2D(),
        layers.Conv2D(64, 3, activation="relu"), layers.MaxPooling2D(), layers.Dropout(0.5),
        layers.Flatten(), layers.Dense(128, activation="relu"), layers.Dense(10),
    ])  # fmt: skip
    pair = layers.Input((28, 28, 2))
    left = layers.Lambda(lambda x: x[..., :1])(pair)
    right = layers.Lambda(lambda x: x[..., 1:])(pair)
    both = layers.Subtract()([tower(left), tower(right)])
    output = layers.Dense(2)(layers.Multiply()([both, both]))
    return keras.Model(pair, output), (28, 28, 2), 64


def residual(keras, layers):
    """Two residual blocks with batch normalisation a stage."""
    x = start = layers.Input((32, 32, 3))
    for stage, filters in enumerate((32, 64, 128)):
        for block in range(2):
            stride = 2 if stage and not block else 1
            y = layers.Conv2D(filters, 3, strides=stride, padding="same", use_bias=False)(x)
            y = layers.Activation("relu")(layers.BatchNormalization()(y))
            y = layers.Conv2D(filters, 3, padding="same", use_bias=False)(y)
            y = layers.BatchNormalization()(y)
            if x.shape[-1] != filters:
                x = layers.Conv2D(filters, 1, strides=stride, use_bias=False)(x)
                x = layers.BatchNormalization()(x)
            x = layers.Activation("relu")(layers.Add()([x, y]))
    output = layers.Dense(10)(layers.GlobalAveragePooling2D()(x))
    return keras.Model(start, output), (32, 32, 3), 32


WORK = {f.__name__: f for f in (mlp, cnn, lstm, autoencoder, siamese, residual)}


def train(keras, name):
    """Milliseconds of a step, one an epoch; the first epoch, which compiles, is left out."""
    model, shape, batch = WORK[name](keras, keras.layers)
    random = np.random.default_rng(0)
    steps = STEPS // 10 if name == "residual" else STEPS
    x = random.random((steps * batch, *shape), dtype=np.float32)
    loss, y = keras.losses.SparseCategoricalCrossentropy(from_logits=True), None
    if name == "autoencoder":
        loss, y = "mse", x
    else:
        y = random.integers(0, 2, len(x))
    model.compile("adam", loss)
    start = time.perf_counter()
    model.fit(x[:batch], y[:batch], batch_size=batch, verbose=0)
    first = time.perf_counter() - start
    model.fit(x, y, batch_size=batch, verbose=0)
    found = []
    for _ in range(EPOCHS):
        start = time.perf_counter()
        model.fit(x, y, batch_size=batch, verbose=0)
        found.append((time.perf_counter() - start) / steps * 1e3)
    return found, first


def predict(keras, name):
    """Milliseconds of `predict` of one sample."""
    model, shape, _ = WORK[name](keras, keras.layers)
    x = np.random.default_rng(0).random((1, *shape), dtype=np.float32)
    start = time.perf_counter()
    model.predict(x, verbose=0)
    first = time.perf_counter() - start
    found = []
    for _ in range(CALLS):
        start = time.perf_counter()
        model.predict(x, verbose=0)
        found.append((time.perf_counter() - start) * 1e3)
    return found, first


if __name__ == "__main__":
    chosen, work = sys.argv[1:]
    name = work.removeprefix("predict-")
    times, first = (train if name == work else predict)(framework(chosen), name)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"ms": times, "first_s": first, "peak_mb": memory}))
