"""The workloads' models in plain JAX.

A model asks `weights` for its parameters in the order it uses them. The first time they are made;
from then on the same text runs with those it is given.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax, nn
from workloads import ROWS


class Weights:
    """Hands out parameters and moving averages, and collects the averages' new values.

    `key` is None when the model only predicts.
    """

    def __init__(self, values: Any = None, averages: Any = (), key: Any = None) -> None:
        self.given: list[Array] = []
        self.averages: list[Array] = []
        self.key = key
        self._values = None if values is None else iter(values)
        self._old = iter(averages)
        self._random = np.random.default_rng(0)

    def __call__(self, *shape: int, fill: float | None = None) -> Array:
        """The next parameter: constant, or normal with the variance 1 / (inputs of a unit)."""
        self.given.append(self._made(shape, fill) if self._values is None else next(self._values))
        return self.given[-1]

    def _made(self, shape: tuple[int, ...], fill: float | None) -> Array:
        scale = np.prod(shape[:-1]) ** -0.5
        values = self._random.normal(0, scale, shape) if fill is None else np.full(shape, fill)
        return jnp.asarray(values, jnp.float32)

    def average(self, value: Array) -> None:
        """Move the next average a hundredth of the way to a batch's value."""
        self.averages.append(0.99 * next(self._old, jnp.zeros_like(value)) + 0.01 * value)


def dense(weights: Weights, x: Array, units: int) -> Array:
    return x @ weights(x.shape[-1], units) + weights(units, fill=0)


def mlp(weights: Weights, x: Array) -> Array:
    return dense(weights, nn.relu(dense(weights, x, 128)), 10)


def autoencoder(weights: Weights, x: Array) -> Array:
    for units in (256, 64, 256):
        x = nn.relu(dense(weights, x, units))
    return dense(weights, x, 784)


def convolution(
    weights: Weights, x: Array, filters: int, size: int, stride: int = 1, padding: str = "VALID"
) -> Array:
    kernel = weights(size, size, x.shape[-1], filters)
    numbers = ("NHWC", "HWIO", "NHWC")
    return lax.conv_general_dilated(x, kernel, (stride,) * 2, padding, dimension_numbers=numbers)


def pool(x: Array) -> Array:
    return lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")


def cnn(weights: Weights, x: Array) -> Array:
    x = pool(nn.relu(convolution(weights, x, 32, 3) + weights(32, fill=0)))
    x = pool(nn.relu(convolution(weights, x, 64, 3) + weights(64, fill=0)))
    if weights.key is not None:
        weights.key, key = jax.random.split(weights.key)
        x = jnp.where(jax.random.bernoulli(key, 0.5, x.shape), x / 0.5, 0)
    x = nn.relu(dense(weights, x.reshape(len(x), -1), 128))
    return dense(weights, x, 10)


def siamese(weights: Weights, left: Array, right: Array) -> Array:
    """One tower for both pictures: the second run of it takes the parameters of the first."""
    first = cnn(weights, left)
    again = Weights(weights.given, key=weights.key)
    return dense(weights, (first - cnn(again, right)) ** 2, 1)


def lstm(weights: Weights, x: Array) -> Array:
    """The gates' input, forget, candidate and output lie side by side."""
    recurrent = weights(128, 512)
    inputs = jnp.swapaxes(dense(weights, x, 512), 0, 1)

    def step(state: tuple[Array, Array], given: Array) -> tuple[tuple[Array, Array], None]:
        hidden, cell = state
        i, f, g, o = jnp.split(given + hidden @ recurrent, 4, -1)
        cell = nn.sigmoid(f) * cell + nn.sigmoid(i) * jnp.tanh(g)
        return (nn.sigmoid(o) * jnp.tanh(cell), cell), None

    start = jnp.zeros((len(x), 128))
    (hidden, _), _ = lax.scan(step, (start, start), inputs)
    return dense(weights, hidden, 10)


def normalised(weights: Weights, x: Array, filters: int, size: int, stride: int) -> Array:
    x = convolution(weights, x, filters, size, stride, "SAME")
    mean, variance = x.mean((0, 1, 2)), x.var((0, 1, 2))
    weights.average(mean)
    weights.average(variance)
    scale = weights(filters, fill=1) * lax.rsqrt(variance + 1e-3)
    return (x - mean) * scale + weights(filters, fill=0)


def residual(weights: Weights, x: Array) -> Array:
    for filters, stride in ((32, 1), (32, 1), (64, 2), (64, 1), (128, 2), (128, 1)):
        y = nn.relu(normalised(weights, x, filters, 3, stride))
        y = normalised(weights, y, filters, 3, 1)
        shortcut = x if x.shape[-1] == filters else normalised(weights, x, filters, 1, stride)
        x = nn.relu(shortcut + y)
    return dense(weights, x.mean((1, 2)), 10)


def layer_normalised(weights: Weights, x: Array) -> Array:
    x = (x - x.mean(-1, keepdims=True)) * lax.rsqrt(x.var(-1, keepdims=True) + 1e-3)
    return x * weights(x.shape[-1], fill=1) + weights(x.shape[-1], fill=0)


def transformer(weights: Weights, x: Array) -> Array:
    for _ in range(2):
        heads = (dense(weights, x, 128).reshape(*x.shape[:2], 4, 32) for _ in range(3))
        attended = jax.nn.dot_product_attention(*heads).reshape(x.shape)
        x = layer_normalised(weights, x + dense(weights, attended, 128))
        inner = nn.relu(dense(weights, x, 512))
        x = layer_normalised(weights, x + dense(weights, inner, 128))
    return dense(weights, x.mean(1), 10)


def embeddings(weights: Weights, left: Array, right: Array) -> Array:
    pairs = zip(ROWS, (left, right), strict=True)
    found = [weights(rows, 32)[index] for rows, index in pairs]
    return dense(weights, nn.relu(dense(weights, jnp.concatenate(found, -1), 64)), 1)


MODELS = (mlp, cnn, siamese, lstm, autoencoder, residual, transformer, embeddings)
MAKE: dict[str, Callable[..., Array]] = {make.__name__: make for make in MODELS}
