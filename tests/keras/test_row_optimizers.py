"""Optimizers that touch only the rows a batch used: Adagrad exactly, LazyAdam by its own rule."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import slipstream as tf

STEPS = [[1, 4, 1, 0], [4, 4, 4, 2], [0, 5, 1, 3]]


def trained(optimizer: Any, as_rows: bool) -> np.ndarray:
    """A table after three steps whose loss is the sum of squares of some rows."""
    table = tf.Variable(np.linspace(-1, 1, 12, dtype="f").reshape(6, 2))

    @tf.function
    def step(indices):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.square(tf.gather(table, indices)))
        gradient = tape.gradient(loss, table)
        assert isinstance(gradient, tf.IndexedSlices)
        gradient = gradient if as_rows else tf.convert_to_tensor(gradient)
        optimizer.apply_gradients([(gradient, table)])

    for indices in STEPS:
        step(tf.constant(indices))
    return table.numpy()


@pytest.mark.parametrize("kind", ["SGD", "Adagrad"])
def test_rows_or_the_whole_table_are_the_same(kind: str) -> None:
    """Repeated rows count with the sum of their gradients."""
    make = getattr(tf.keras.optimizers, kind)
    np.testing.assert_allclose(trained(make(0.1), True), trained(make(0.1), False), rtol=1e-6)


@pytest.mark.parametrize("amsgrad", [False, True])
def test_lazy_adam_moves_used_rows_alone(amsgrad: bool) -> None:
    """Against the rule written out in NumPy."""
    found = trained(tf.keras.optimizers.LazyAdam(0.1, amsgrad=amsgrad), True)
    w = np.linspace(-1, 1, 12).reshape(6, 2)
    m, v, largest = np.zeros_like(w), np.zeros_like(w), np.zeros_like(w)
    for number, indices in enumerate(STEPS, start=1):
        g = np.zeros_like(w)
        np.add.at(g, indices, 2 * w[indices])
        used = np.unique(indices)
        m[used] = 0.9 * m[used] + 0.1 * g[used]
        v[used] = 0.999 * v[used] + 0.001 * g[used] ** 2
        largest[used] = np.maximum(largest[used], v[used])
        spread = largest if amsgrad else v
        rate = 0.1 * np.sqrt(1 - 0.999**number) / (1 - 0.9**number)
        w[used] -= rate * m[used] / (np.sqrt(spread[used]) + 1e-7)
    np.testing.assert_allclose(found, w, rtol=1e-5, atol=1e-6)


def test_lazy_adam_is_adam_where_every_row_is_used() -> None:
    whole = trained(tf.keras.optimizers.Adam(0.1), False)
    assert np.abs(whole - trained(tf.keras.optimizers.LazyAdam(0.1), True)).max() > 1e-3
    np.testing.assert_allclose(trained(tf.keras.optimizers.LazyAdam(0.1), False), whole, rtol=1e-6)


def test_clipped_gradients_are_whole() -> None:
    lazy = trained(tf.keras.optimizers.LazyAdam(0.1, clipnorm=0.5), True)
    np.testing.assert_allclose(
        lazy, trained(tf.keras.optimizers.Adam(0.1, clipnorm=0.5), False), rtol=1e-5
    )


def test_lazy_adam_is_found_by_name_and_config() -> None:
    found = tf.keras.optimizers.get("lazyadam")
    assert type(found) is tf.keras.optimizers.LazyAdam
    again = tf.keras.optimizers.deserialize(tf.keras.optimizers.serialize(found))
    assert type(again) is type(found)
