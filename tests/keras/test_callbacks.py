"""Callbacks, by what they do to a training."""

import csv
import re

import numpy as np
import pytest

import slipstream as tf

keras, layers = tf.keras, tf.keras.layers


def data():
    random = np.random.default_rng(0)
    x = random.normal(size=(64, 3)).astype(np.float32)
    return x, x.sum(1, keepdims=True)


def regressor(rate=0.05):
    model = keras.Sequential([layers.Input((3,)), layers.Dense(1)])
    model.compile(keras.optimizers.SGD(rate), "mse")
    return model


def test_hooks_come_in_order():
    seen = []

    class Watching(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            seen.append("train")

        def on_epoch_begin(self, epoch, logs=None):
            seen.append(f"epoch {epoch}")

        def on_train_batch_end(self, batch, logs=None):
            seen.append(f"batch {batch} {'loss' in logs}")

        def on_test_end(self, logs=None):
            seen.append("test")

        def on_epoch_end(self, epoch, logs=None):
            seen.append(sorted(logs))

        def on_train_end(self, logs=None):
            seen.append(self.params["epochs"])

    x, y = data()
    regressor().fit(x, y, epochs=1, verbose=0, callbacks=Watching(), validation_data=(x, y))
    expected = ["train", "epoch 0", "batch 0 True", "batch 1 True", ["loss", "val_loss"], 1]
    assert seen == expected


def test_early_stopping_restores_the_best():
    x, y = data()
    model = regressor(0.05)
    weights = []

    class Worsen(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 3:
                self.model.optimizer.learning_rate = 1.5  # from here on it diverges

        def on_epoch_end(self, epoch, logs=None):
            weights.append(self.model.get_weights()[0])

    stop = keras.callbacks.EarlyStopping("loss", patience=2, restore_best_weights=True)
    history = model.fit(x, y, epochs=50, verbose=0, callbacks=[Worsen(), stop])
    assert len(history.epoch) < 50
    best = int(np.argmin(history.history["loss"]))
    np.testing.assert_array_equal(model.get_weights()[0], weights[best])


def test_checkpoints_are_kept_when_better(tmp_path):
    x, y = data()
    model = regressor()
    path = tmp_path / "model-{epoch:02d}.keras"
    keep = keras.callbacks.ModelCheckpoint(path, monitor="loss", save_best_only=True)
    model.fit(x, y, epochs=3, verbose=0, callbacks=[keep])
    assert sorted(p.name for p in tmp_path.iterdir()) == [f"model-0{i}.keras" for i in (1, 2, 3)]
    loaded = keras.models.load_model(tmp_path / "model-03.keras")
    np.testing.assert_array_equal(loaded.get_weights()[0], model.get_weights()[0])
    weights_only = tmp_path / "kept.weights.h5"
    keep = keras.callbacks.ModelCheckpoint(weights_only, save_weights_only=True)
    model.fit(x, y, verbose=0, callbacks=[keep])
    assert weights_only.exists()
    with pytest.raises(ValueError, match="must end in"):
        keras.callbacks.ModelCheckpoint("model.txt")


def test_plateaus_lower_the_rate():
    x, y = data()
    model = regressor(1e-7)
    lower = keras.callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=1, min_delta=1.0)
    model.fit(x, y, epochs=4, verbose=0, callbacks=[lower])
    assert float(model.optimizer.learning_rate.numpy()) < 1e-7
    with pytest.raises(ValueError, match="factor >= 1"):
        keras.callbacks.ReduceLROnPlateau(factor=1.5)


def test_schedules_set_the_rate_of_each_epoch():
    x, y = data()
    model = regressor()
    rates = keras.callbacks.LearningRateScheduler(lambda epoch, rate: 0.1 / (epoch + 1))
    history = model.fit(x, y, epochs=3, verbose=0, callbacks=[rates])
    np.testing.assert_allclose(history.history["learning_rate"], [0.1, 0.05, 0.1 / 3], rtol=1e-6)


def test_the_csv_log(tmp_path):
    x, y = data()
    path = tmp_path / "log.csv"
    regressor().fit(x, y, epochs=2, verbose=0, callbacks=[keras.callbacks.CSVLogger(path)])
    rows = list(csv.DictReader(path.read_text().splitlines()))
    assert [row["epoch"] for row in rows] == ["0", "1"]
    assert float(rows[1]["loss"]) < float(rows[0]["loss"])


def test_nan_ends_the_training(capsys):
    x, y = data()
    model = regressor(1e30)
    history = model.fit(x, y, epochs=20, verbose=0, callbacks=[keras.callbacks.TerminateOnNaN()])
    assert len(history.epoch) < 20
    assert "Invalid loss" in capsys.readouterr().out
    strict = keras.callbacks.TerminateOnNaN(raise_error=True)
    with pytest.raises(RuntimeError, match="Invalid loss"):
        regressor(1e30).fit(x, y, epochs=20, verbose=0, callbacks=[strict])


def test_functions_as_callbacks():
    x, y = data()
    losses = []
    note = keras.callbacks.LambdaCallback(on_epoch_end=lambda e, logs: losses.append(logs["loss"]))
    history = regressor().fit(x, y, epochs=2, verbose=0, callbacks=[note])
    assert losses == history.history["loss"]


def test_what_is_not_there_is_warned_of():
    x, y = data()
    stop = keras.callbacks.EarlyStopping("val_loss")
    with pytest.warns(UserWarning, match="val_loss"):
        regressor().fit(x, y, verbose=0, callbacks=[stop])


def test_a_line_an_epoch_has_no_bar(capsys):
    x, y = np.zeros((64, 2), np.float32), np.zeros((64, 1), np.float32)
    model = keras.Sequential([keras.layers.Dense(1, input_shape=(2,), kernel_initializer="zeros")])
    model.compile("sgd", "mse")
    model.fit(x, y, verbose=2)
    first, line = capsys.readouterr().out.splitlines()
    assert first == "Epoch 1/1"
    assert re.fullmatch(r"2/2 - \d+s - \d+(ms|us|s)/step - loss: 0.0000e\+00", line)
