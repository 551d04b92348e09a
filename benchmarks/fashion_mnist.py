"""Accuracy on Fashion-MNIST: a multilayer perceptron and a convolutional network, trained by `fit`.

    SLIPSTREAM_DATA=... python benchmarks/fashion_mnist.py mlp
    SLIPSTREAM_DATA=... python benchmarks/fashion_mnist.py cnn --epochs 12

Prints the parameters, the accuracy on the test set and the time. The seed is fixed, so runs repeat.
"""

import argparse
import math
import time

import slipstream as tf

keras, layers = tf.keras, tf.keras.layers


def mlp() -> keras.Model:
    """784-256-128-10 with dropout."""
    return keras.Sequential(
        [
            layers.Input((28, 28, 1)),
            layers.Rescaling(1 / 255),
            layers.Flatten(),
            layers.Dense(256, activation="relu"),
            layers.Dropout(0.2),
            layers.Dense(128, activation="relu"),
            layers.Dropout(0.2),
            layers.Dense(10),
        ]
    )


def cnn() -> keras.Model:
    """Three convolutions and two dense layers: 94,346 parameters."""
    return keras.Sequential(
        [
            layers.Input((28, 28, 1)),
            layers.Rescaling(1 / 255),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.BatchNormalization(),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.BatchNormalization(),
            layers.Dropout(0.25),
            layers.Conv2D(64, 3, activation="relu"),
            layers.Flatten(),
            layers.Dropout(0.4),
            layers.Dense(64, activation="relu"),
            layers.Dropout(0.3),
            layers.Dense(10),
        ]
    )


def cosine(done: float) -> float:
    """The learning rate after a part of the training: from 1e-3 down along a cosine."""
    return 1e-3 * (0.01 + 0.99 * (1 + math.cos(math.pi * done)) / 2)


def train(name: str, epochs: int, seed: int = 0, batch_size: int = 64) -> tuple[float, int, float]:
    """(accuracy on the test set, parameters, seconds)"""
    keras.utils.set_random_seed(seed)
    (x, y), (x_test, y_test) = keras.datasets.fashion_mnist.load_data()
    x, x_test = x[..., None], x_test[..., None]
    model = {"mlp": mlp, "cnn": cnn}[name]()
    model.compile(
        keras.optimizers.Adam(1e-3),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    start = time.perf_counter()
    rate = keras.callbacks.LearningRateScheduler(lambda epoch, _: cosine(epoch / epochs))
    model.fit(x, y, batch_size=batch_size, epochs=epochs, verbose=2, callbacks=[rate])
    seconds = time.perf_counter() - start
    _, accuracy = model.evaluate(x_test, y_test, batch_size=500, verbose=0)
    return accuracy, model.count_params(), seconds


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", choices=["mlp", "cnn"])
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    accuracy, parameters, seconds = train(given.model, given.epochs, given.seed)
    print(
        f"{given.model}: {parameters:,} parameters, {given.epochs} epochs, seed {given.seed}, "
        f"test accuracy {accuracy:.4f}, {seconds:.0f} s"
    )
