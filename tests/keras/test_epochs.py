"""Training over arrays in memory: many steps a call are the same as one after the other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import slipstream as tf
from slipstream.keras.models import epochs

layers = tf.keras.layers


class Recorded(tf.keras.callbacks.Callback):
    """Asks for every batch."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[int, float]] = []

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.seen.append((batch, logs["loss"]))


class Looked(Recorded):
    """Takes batches as they come, many at once, like the progress bar."""

    by_batch = False


def trained(callbacks: Any = (), **arguments: Any) -> tuple[list[np.ndarray], dict[str, list]]:
    """Weights and history of a small network with dropout, after two epochs."""
    tf.keras.utils.set_random_seed(3)
    random = np.random.default_rng(0)
    x, y = random.normal(size=(203, 6)).astype("f"), random.integers(0, 3, 203)
    hidden = [layers.Dense(8, activation="relu"), layers.Dropout(0.3), layers.Dense(3)]
    model = tf.keras.Sequential([layers.Input((6,)), *hidden])
    loss = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, metrics=["accuracy"])
    fitted = model.fit(
        x, y, batch_size=10, epochs=2, verbose=0, callbacks=[*callbacks], **arguments
    )
    return model.get_weights(), fitted.history


@pytest.mark.parametrize("executor", ["native", "reference"])
@pytest.mark.parametrize(
    "arguments",
    [{}, {"class_weight": {0: 2.0, 2: 0.5}}, {"sample_weight": np.linspace(0, 1, 203)},
     {"validation_split": 0.2}],
    ids=["plain", "class_weight", "sample_weight", "validation"],
)  # fmt: skip
def test_many_steps_a_call_are_single_steps(
    executor: str, arguments: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bit for bit: batches, dropout, optimizer and metrics."""
    monkeypatch.setenv("SLIPSTREAM_EXECUTOR", executor)
    looked, recorded = Looked(), Recorded()
    at_once, history = trained([looked], **arguments)
    singly, same = trained([recorded], **arguments)
    assert len(looked.seen) < len(recorded.seen)
    assert set(looked.seen) <= set(recorded.seen)
    assert history == same
    for first, second in zip(at_once, singly, strict=True):
        np.testing.assert_array_equal(first, second)


def test_every_batch_comes_to_those_who_ask() -> None:
    recorded = Recorded()
    trained([recorded])
    assert [number for number, _ in recorded.seen] == [*range(21)] * 2


def test_arrays_of_any_length_share_a_program(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the size of a batch counts."""
    traces = []
    monkeypatch.setattr(
        epochs, "traced", lambda f, name, types: traces.append(name) or TRACED(f, name, types)
    )
    model = tf.keras.Sequential([layers.Input((2,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    for count in (40, 80, 20):
        model.fit(np.ones((count, 2)), np.ones((count, 1)), batch_size=20, verbose=0)
        model.evaluate(np.ones((count, 2)), np.ones((count, 1)), batch_size=20, verbose=0)
    assert traces == ["train_step", "test_step"]


TRACED = epochs.traced


def test_columns_and_slices_are_trained_on_as_they_look() -> None:
    """Arrays that do not lie in rows; integers; several inputs by name."""
    wide = np.arange(64 * 6, dtype="f").reshape(64, 6) / 100
    tf.keras.utils.set_random_seed(0)
    pair = [layers.Input((3,), name="a"), layers.Input((3,), name="b")]
    model = tf.keras.Model(pair, layers.Dense(1)(layers.Add()(pair)))
    model.compile("sgd", "mse")
    before = model.get_weights()
    given = {"a": wide[:, ::2], "b": wide[:, 1::2]}
    loss = model.evaluate(given, np.zeros(64, "int32"), batch_size=16, verbose=0)
    kernel, bias = before
    wanted = np.mean(((wide[:, ::2] + wide[:, 1::2]) @ kernel + bias) ** 2)
    assert loss == pytest.approx(wanted, rel=1e-5)


def test_an_error_in_the_middle_says_where(capsys: pytest.CaptureFixture[str]) -> None:
    model = tf.keras.Sequential([layers.Input((1,), dtype="int32"), layers.Embedding(5, 2)])
    model.compile("sgd", "mse")
    x = np.zeros((64, 1), "int32")
    x[50] = 7
    with pytest.raises(tf.errors.InvalidArgumentError, match="= 7 is not in"):
        model.fit(x, np.zeros((64, 1, 2), "f"), batch_size=4, epochs=3, verbose=0)
