"""Training over arrays in memory: many steps a call are the same as one after the other."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

import slipstream as tf
from slipstream.keras.models import epochs
from slipstream.runtime.executor import EXECUTORS
from slipstream.runtime.native import NativeExecutor

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


def sized(samples: int, **options: Any) -> tuple[list[np.ndarray], Any]:
    """Weights and history of a network that was fitted to so many samples, 16 a batch."""
    tf.keras.utils.set_random_seed(5)
    hidden = [layers.Dense(8, activation="relu"), layers.Dropout(0.3), layers.Dense(3)]
    model = tf.keras.Sequential([layers.Input((6,)), *hidden])
    model.compile("adam", tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    random = np.random.default_rng(0)
    x, y = random.normal(size=(samples, 6)).astype("f"), random.integers(0, 3, samples)
    history = model.fit(x, y, batch_size=16, epochs=2, verbose=0, **options).history
    return model.get_weights(), history


class Threads(NativeExecutor):
    """The native executor, writing down which thread loads what."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def load(self, graph: Any, in_place: Any = ()) -> Any:
        self.names.append(threading.current_thread().name)
        return super().load(graph, in_place)


def test_the_last_smaller_batch_is_compiled_behind_the_first_steps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And gives, bit for bit, what it gives if it is compiled where it is first needed."""
    threads = Threads()
    monkeypatch.setitem(EXECUTORS, "native", threads)
    behind, history = sized(70)
    main = threading.current_thread().name
    assert threads.names == [main, "slipstream-behind"]
    monkeypatch.setattr(epochs.Steps, "prepare", lambda *_: None)
    threads.names.clear()
    in_line, same = sized(70)
    assert threads.names == [main, main]
    assert history == same
    for first, second in zip(behind, in_line, strict=True):
        np.testing.assert_array_equal(first, second)


def test_nothing_is_compiled_behind_where_batches_are_of_one_size(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    threads = Threads()
    monkeypatch.setitem(EXECUTORS, "native", threads)
    sized(64)
    sized(10)  # one batch, smaller than asked for
    assert threads.names == [threading.current_thread().name] * 2


def test_the_last_batch_of_an_evaluation_is_compiled_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    threads = Threads()
    monkeypatch.setitem(EXECUTORS, "native", threads)
    x, y = np.ones((70, 6), "f"), np.zeros(70, "int32")
    sized(64, validation_data=(x, y), validation_batch_size=32)
    assert threads.names.count("slipstream-behind") == 1


def test_what_goes_wrong_behind_is_raised_where_it_is_needed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Breaking(Threads):
        def load(self, graph: Any, in_place: Any = ()) -> Any:
            if threading.current_thread() is not threading.main_thread():
                raise OSError("no room for the program")
            return super().load(graph, in_place)

    monkeypatch.setitem(EXECUTORS, "native", Breaking())
    with pytest.raises(OSError, match="no room for the program"):
        sized(70)
