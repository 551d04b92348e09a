"""Recurrent layers, trained by compiled programs."""

import numpy as np
import pytest
from fuzz import small_kernels_shared
from training import recurrent_weights_after

import slipstream as tf
from slipstream.compiler.program import Program

keras, layers = tf.keras, tf.keras.layers


@pytest.fixture(scope="module")
def alone():
    with pytest.MonkeyPatch.context() as patch, small_kernels_shared():
        patch.setenv("SLIPSTREAM_THREADS", "1")
        return recurrent_weights_after()


@pytest.mark.parametrize("threads", [2, 3, 8])
def test_any_number_of_threads_gives_the_same_bits(threads, alone, monkeypatch):
    monkeypatch.setenv("SLIPSTREAM_THREADS", str(threads))
    with small_kernels_shared():
        found = recurrent_weights_after()
    for weights, wanted in zip(found, alone, strict=True):
        np.testing.assert_array_equal(weights, wanted)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 2e-5), ("float64", 1e-12)])
def test_training_agrees_with_the_reference(dtype, tolerance, monkeypatch):
    found = recurrent_weights_after(dtype)
    monkeypatch.setenv("SLIPSTREAM_EXECUTOR", "reference")
    for weights, wanted in zip(found, recurrent_weights_after(dtype), strict=True):
        assert weights.dtype == wanted.dtype
        np.testing.assert_allclose(weights, wanted, rtol=10 * tolerance, atol=tolerance)


@pytest.mark.parametrize("layer", [layers.LSTM, layers.GRU, layers.SimpleRNN])
def test_a_training_step_is_one_native_function(layer, monkeypatch):
    """Many steps are one call, and that gives what single steps give."""
    programs = set()
    repeat = Program.repeat

    def watched(self, *arguments):
        programs.add(self)
        return repeat(self, *arguments)

    monkeypatch.setattr(Program, "repeat", watched)
    random = np.random.default_rng(0)
    x, y = random.normal(size=(32, 6, 3)).astype(np.float32), random.integers(0, 4, 32)
    losses = []
    for callbacks in ([], [keras.callbacks.LambdaCallback(on_train_batch_end=lambda *_: None)]):
        keras.utils.set_random_seed(1)
        model = keras.Sequential([keras.Input((6, 3)), layer(5), layers.Dense(4)])
        model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        history = model.fit(x, y, batch_size=8, epochs=3, verbose=0, callbacks=callbacks)
        losses.append(history.history["loss"])
    assert losses[0] == losses[1]
    assert losses[0][-1] < losses[0][0]
    assert programs
    assert all(program.is_one_function for program in programs)
