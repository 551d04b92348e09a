"""One Keras program a workload: for Slipstream's own Keras, and Keras on TensorFlow and on JAX.

python -m frameworks.keras_programs slipstream mlp
python -m frameworks.keras_programs tensorflow mlp
python -m frameworks.keras_programs jax mlp
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

from workloads import MATMUL, PREDICT, ROWS, Workload, inputs, square_matrices

from frameworks.measure import Program, data, main


def mlp(keras: Any, layers: Any, work: Workload) -> Any:
    hidden = layers.Dense(128, activation="relu")
    return keras.Sequential([layers.Input(work.shape), hidden, layers.Dense(10)])


def cnn(keras: Any, layers: Any, work: Workload) -> Any:
    return keras.Sequential([
        layers.Input(work.shape),
        layers.Conv2D(32, 3, activation="relu"), layers.MaxPooling2D(),
        layers.Conv2D(64, 3, activation="relu"), layers.MaxPooling2D(),
        layers.Dropout(0.5), layers.Flatten(),
        layers.Dense(128, activation="relu"), layers.Dense(10),
    ])  # fmt: skip


def siamese(keras: Any, layers: Any, work: Workload) -> Any:
    """One tower for both pictures; the squared difference says whether they are the same."""
    tower = cnn(keras, layers, work)
    pair = [layers.Input(work.shape), layers.Input(work.shape)]
    apart = layers.Subtract()([tower(picture) for picture in pair])
    return keras.Model(pair, layers.Dense(1)(layers.Multiply()([apart, apart])))


def lstm(keras: Any, layers: Any, work: Workload) -> Any:
    return keras.Sequential([layers.Input(work.shape), layers.LSTM(128), layers.Dense(10)])


def autoencoder(keras: Any, layers: Any, work: Workload) -> Any:
    hidden = [layers.Dense(units, activation="relu") for units in (256, 64, 256)]
    return keras.Sequential([layers.Input(work.shape), *hidden, layers.Dense(784)])


def residual(keras: Any, layers: Any, work: Workload) -> Any:
    """A shortcut changes size by a convolution of 1 x 1 where a stage begins."""

    def normalised(x: Any, filters: int, size: int, stride: int) -> Any:
        convolution = layers.Conv2D(filters, size, stride, padding="same", use_bias=False)
        return layers.BatchNormalization()(convolution(x))

    x = start = layers.Input(work.shape)
    for filters, stride in ((32, 1), (32, 1), (64, 2), (64, 1), (128, 2), (128, 1)):
        y = layers.ReLU()(normalised(x, filters, 3, stride))
        y = normalised(y, filters, 3, 1)
        shortcut = x if x.shape[-1] == filters else normalised(x, filters, 1, stride)
        x = layers.ReLU()(layers.Add()([shortcut, y]))
    return keras.Model(start, layers.Dense(10)(layers.GlobalAveragePooling2D()(x)))


def transformer(keras: Any, layers: Any, work: Workload) -> Any:
    """Attention and a dense pair, each added to its input and normalised afterwards."""
    x = start = layers.Input(work.shape)
    for _ in range(2):
        attended = layers.MultiHeadAttention(num_heads=4, key_dim=32)(x, x)
        x = layers.LayerNormalization()(layers.Add()([x, attended]))
        y = layers.Dense(128)(layers.Dense(512, activation="relu")(x))
        x = layers.LayerNormalization()(layers.Add()([x, y]))
    return keras.Model(start, layers.Dense(10)(layers.GlobalAveragePooling1D()(x)))


def embeddings(keras: Any, layers: Any, work: Workload) -> Any:
    pair = [layers.Input((), dtype="int32") for _ in ROWS]
    found = [layers.Embedding(rows, 32)(index) for rows, index in zip(ROWS, pair, strict=True)]
    hidden = layers.Dense(64, activation="relu")(layers.Concatenate()(found))
    return keras.Model(pair, layers.Dense(1)(hidden))


MODELS = (mlp, cnn, siamese, lstm, autoencoder, residual, transformer, embeddings)
MAKE = {make.__name__: make for make in MODELS}


def module(name: str) -> Any:
    """What has `.keras`: Slipstream itself; for the peers a namespace around Keras."""
    os.environ["KERAS_BACKEND"] = name
    return import_module("slipstream" if name == "slipstream" else "keras")


def training(keras: Any, work: Workload) -> Program:
    """An epoch is one call of `fit` over the whole data."""
    losses = {
        "classes": lambda: keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        "binary": lambda: keras.losses.BinaryCrossentropy(from_logits=True),
        "input": keras.losses.MeanSquaredError,
    }
    model = MAKE[work.model](keras, keras.layers, work)
    adam = keras.optimizers.LazyAdam if work.lazy else keras.optimizers.Adam
    model.compile(adam(), losses[work.target]())
    given, wanted = data(work)

    def fit(samples: int | None = None) -> None:
        parts = [array[:samples] for array in given]
        x = parts if work.inputs > 1 else parts[0]
        model.fit(x, wanted[:samples], batch_size=work.batch, verbose=0)

    return Program(lambda: fit(work.batch), fit)


def prediction(keras: Any, work: Workload) -> Program:
    """A call of `predict` on one sample, NumPy in and out."""
    model = MAKE[work.model](keras, keras.layers, work)
    (sample,) = inputs(work, 1)

    def predict() -> None:
        model.predict(sample, verbose=0)

    return Program(predict, predict)


def product(name: str, work: Workload) -> Program:
    """A compiled function of two tensors; the result comes back as an array."""
    tf = import_module(name)
    left, right = (tf.constant(matrix) for matrix in square_matrices(work))
    multiply = tf.function(tf.matmul)

    def call() -> None:
        multiply(left, right).numpy()

    return Program(call, call)


def prepare(name: str, work: Workload) -> Program:
    if work.kind == MATMUL:
        return product(name, work)
    found = module(name)
    keras = found.keras if name == "slipstream" else found
    return (prediction if work.kind == PREDICT else training)(keras, work)


def version(name: str) -> str:
    found = f"{name} {import_module(name).__version__}"
    return found if name == "slipstream" else f"Keras {import_module('keras').__version__}, {found}"


if __name__ == "__main__":
    main(prepare, version)
