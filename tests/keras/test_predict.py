"""`predict` on little data: what takes a short way gives what the long way does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import slipstream as tf

keras, layers = tf.keras, tf.keras.layers


def network() -> Any:
    keras.utils.set_random_seed(1)
    hidden = [layers.Dense(5, activation="relu"), layers.Dropout(0.5), layers.Dense(3)]
    return keras.Sequential([layers.Input((4,)), *hidden])


def numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


class Watching(keras.callbacks.Callback):
    """With a callback `predict` goes the long way."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = 0

    def on_predict_batch_end(self, batch: int, logs: Any = None) -> None:
        self.seen += 1


READ_ONLY = numbers(2, 4)
READ_ONLY.flags.writeable = False
GIVEN = {
    "one": numbers(1, 4),
    "a_batch": numbers(32, 4),
    "more": numbers(33, 4),
    "float64": numbers(3, 4).astype(np.float64),
    "integers": np.arange(8).reshape(2, 4),
    "columns": numbers(4, 3).T,
    "every_other": numbers(6, 8)[::2, ::2],
    "read_only": READ_ONLY,
    "tensor": tf.constant(numbers(3, 4)),
    "list": numbers(3, 4).tolist(),
}


@pytest.mark.parametrize("kind", GIVEN)
@pytest.mark.parametrize("batch_size", [None, 2, 64])
def test_nobody_watching_changes_nothing(kind: str, batch_size: int | None) -> None:
    model, watching = network(), Watching()
    watched = model.predict(GIVEN[kind], batch_size, verbose=0, callbacks=[watching])
    found = model.predict(GIVEN[kind], batch_size, verbose=0)
    assert watching.seen == -(-len(GIVEN[kind]) // (batch_size or 32))
    assert type(found) is np.ndarray
    np.testing.assert_array_equal(found, watched)
    np.testing.assert_allclose(found, model(np.asarray(GIVEN[kind], "f")), rtol=1e-5, atol=1e-6)


def test_what_is_predicted_belongs_to_the_caller() -> None:
    x = numbers(2, 4)
    before = x.copy()
    for layer in (layers.Identity(), layers.Dense(4)):
        model = keras.Sequential([layers.Input((4,)), layer])
        first = model.predict(x, verbose=0)
        kept = first.copy()
        again = model.predict_on_batch(x)
        again[:] = 0
        np.testing.assert_array_equal(first, kept)
        first[:] = 0
        np.testing.assert_array_equal(x, before)
        np.testing.assert_array_equal(model.predict(x, verbose=0), kept)


def test_a_step_of_the_users_is_given_the_inputs_alone() -> None:
    class Doubling(keras.Model):
        def predict_step(self, data: Any) -> Any:
            return data * 2.0

    model, x = Doubling(), numbers(3, 4)
    for given in ({}, {"callbacks": [Watching()]}):
        np.testing.assert_array_equal(model.predict(x, verbose=0, **given), x * 2)
        np.testing.assert_array_equal(model.predict(x, 2, verbose=0, **given), x * 2)


def test_several_inputs_and_outputs() -> None:
    pair = [layers.Input((4,), name="a"), layers.Input((4,), name="b")]
    model = keras.Model(pair, {"sum": layers.Add()(pair), "first": pair[0] * 2.0})
    a, b = numbers(3, 4), numbers(3, 4) + 1
    for given in ([a, b], {"a": a, "b": b}):
        found = model.predict(given, verbose=0)
        np.testing.assert_array_equal(found["sum"], a + b)
        np.testing.assert_array_equal(found["first"], a * 2)


@pytest.mark.parametrize("executor", ["native", "reference"])
def test_new_weights_are_predicted_with(executor: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A compiled program keeps the addresses of variables, as long as they are the same arrays."""
    monkeypatch.setenv("SLIPSTREAM_EXECUTOR", executor)
    model, x = network(), numbers(3, 4)
    model.compile("sgd", "mse")

    def check() -> None:
        np.testing.assert_allclose(model.predict(x, verbose=0), model(x), rtol=1e-5, atol=1e-6)

    check()
    model.set_weights([w + 1 for w in model.get_weights()])
    check()
    model.fit(x, np.ones((3, 3)), verbose=0)  # writes where the variables lie
    check()
    model.layers[0].kernel.assign(numbers(4, 5).T.copy().T)  # does not lie in rows
    check()
    model.train_on_batch(x, np.ones((3, 3)))
    check()


def test_what_only_looks_draws_no_random_numbers() -> None:
    """Predicting and evaluating in between does not change how training goes on."""

    def trained(looking: bool) -> list[np.ndarray]:
        model = network()
        model.compile("sgd", "mse")
        x, y = numbers(40, 4), numbers(40, 3)
        for _ in range(2):
            model.fit(x, y, batch_size=8, verbose=0)
            if looking:
                model.predict(x[:1], verbose=0)
                model.predict(x, verbose=0)
                model.evaluate(x, y, verbose=0)
        return model.get_weights()  # type: ignore[no-any-return]

    for first, second in zip(trained(True), trained(False), strict=True):
        np.testing.assert_array_equal(first, second)


def test_no_samples_is_an_error() -> None:
    with pytest.raises(ValueError, match="no samples"):
        network().predict(np.zeros((0, 4), "f"), verbose=0)
