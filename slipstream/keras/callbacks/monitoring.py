"""Callbacks that watch a loss or metric: EarlyStopping, ModelCheckpoint, ReduceLROnPlateau."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from slipstream.keras.callbacks.callback import Callback
from slipstream.runtime.convert import convert

HIGHER = ("acc", "auc", "precision", "recall", "f1", "iou", "r2")


class Monitor(Callback):
    """What is watched, and which of two values is better."""

    def __init__(self, monitor: str, mode: str, min_delta: float = 0.0) -> None:
        super().__init__()
        if mode not in ("auto", "min", "max"):
            warnings.warn(
                f"{type(self).__name__} mode '{mode}' is unknown, fallback to auto mode.",
                stacklevel=3,
            )
            mode = "auto"
        self.monitor, self.mode, self.min_delta = monitor, mode, abs(min_delta)

    @property
    def higher_is_better(self) -> bool:
        name = self.monitor.removeprefix("val_")
        rising = any(part in name for part in HIGHER)
        return self.mode == "max" or (self.mode == "auto" and rising)

    @property
    def worst(self) -> float:
        return -np.inf if self.higher_is_better else np.inf

    def better(self, value: float, than: float) -> bool:
        if self.higher_is_better:
            return value - self.min_delta > than
        return value + self.min_delta < than

    def value_of(self, logs: Any) -> float | None:
        """The watched value; a warning and None if it is not there."""
        found = (logs or {}).get(self.monitor)
        if found is None:
            warnings.warn(
                f"{type(self).__name__} watches `{self.monitor}`, which is not available. "
                f"Available metrics are: {','.join(logs or {})}",
                stacklevel=3,
            )
            return None
        return float(found)


class EarlyStopping(Monitor):
    """Stop training when what is watched has not got better for `patience` epochs."""

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0,
        patience: int = 0,
        verbose: int = 0,
        mode: str = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ) -> None:
        super().__init__(monitor, mode, min_delta)
        self.patience, self.verbose, self.baseline = patience, verbose, baseline
        self.restore_best_weights, self.start_from_epoch = restore_best_weights, start_from_epoch

    def on_train_begin(self, logs: Any = None) -> None:
        self.wait, self.stopped_epoch, self.best_epoch = 0, 0, 0
        self.best = self.worst
        self.best_weights: Any = None

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        value = self.value_of(logs)
        if value is None or epoch < self.start_from_epoch:
            return
        if self.restore_best_weights and self.best_weights is None:
            self.best_weights, self.best_epoch = self.model.get_weights(), epoch
        self.wait += 1
        if self.better(value, self.best):
            self.best, self.best_epoch = value, epoch
            if self.restore_best_weights:
                self.best_weights = self.model.get_weights()
            if self.baseline is None or self.better(value, self.baseline):
                self.wait = 0
            return
        if self.wait >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def on_train_end(self, logs: Any = None) -> None:
        if self.stopped_epoch and self.verbose:
            print(f"Epoch {self.stopped_epoch + 1}: early stopping")
        if self.restore_best_weights and self.best_weights is not None:
            if self.verbose:
                best = self.best_epoch + 1
                print(f"Restoring model weights from the end of the best epoch: {best}.")
            self.model.set_weights(self.best_weights)


class ModelCheckpoint(Monitor):
    """Save the model (or its weights) after epochs, or only when what is watched got better.

    `filepath` may name the epoch and the metrics: "model-{epoch:02d}-{val_loss:.2f}.keras".
    """

    def __init__(
        self,
        filepath: Any,
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: Any = "epoch",
        initial_value_threshold: float | None = None,
    ) -> None:
        super().__init__(monitor, mode)
        self.by_batch = save_freq != "epoch"
        self.filepath, self.verbose = str(filepath), verbose
        self.save_best_only, self.save_weights_only = save_best_only, save_weights_only
        self.save_freq = save_freq
        self.best = self.worst if initial_value_threshold is None else initial_value_threshold
        self._batches = self._epoch = 0
        ending = ".weights.h5" if save_weights_only else ".keras"
        if not self.filepath.endswith(ending) and not self.filepath.endswith(".h5"):
            raise ValueError(f"The filepath provided must end in `{ending}`. Received: {filepath}")
        if save_freq != "epoch" and not isinstance(save_freq, int):
            raise ValueError(f"save_freq must be 'epoch' or an integer. Received: {save_freq}")

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self._batches += 1
        if isinstance(self.save_freq, int) and self._batches % self.save_freq == 0:
            self._save(self._epoch, logs)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if self.save_freq == "epoch":
            self._save(epoch, logs)

    def _save(self, epoch: int, logs: Any) -> None:
        if self.save_best_only:
            value = self.value_of(logs)
            if value is None or not self.better(value, self.best):
                return
            self.best = value
        try:
            path = Path(self.filepath.format(epoch=epoch + 1, **(logs or {})))
        except KeyError as error:
            raise KeyError(
                f'Failed to format this callback filepath: "{self.filepath}". Reason: {error}'
            ) from None
        path.parent.mkdir(parents=True, exist_ok=True)
        if self.verbose:
            print(f"\nEpoch {epoch + 1}: saving model to {path}")
        save = self.model.save_weights if self.save_weights_only else self.model.save
        save(path, overwrite=True)


class ReduceLROnPlateau(Monitor):
    """Multiply the learning rate by `factor` when what is watched stays for `patience` epochs."""

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
        **_: Any,
    ) -> None:
        super().__init__(monitor, mode, min_delta)
        if factor >= 1.0:
            raise ValueError(
                f"ReduceLROnPlateau does not support a factor >= 1.0. Received factor={factor}"
            )
        self.factor, self.patience, self.verbose = factor, patience, verbose
        self.cooldown, self.min_lr = cooldown, min_lr

    def on_train_begin(self, logs: Any = None) -> None:
        self.best, self.wait, self.cooldown_counter = self.worst, 0, 0

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        logs = logs if logs is not None else {}
        rate = float(np.asarray(convert(self.model.optimizer.learning_rate)))
        logs["learning_rate"] = rate
        value = self.value_of(logs)
        if value is None:
            return
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.wait = 0
        if self.better(value, self.best):
            self.best, self.wait = value, 0
            return
        if self.cooldown_counter > 0:
            return
        self.wait += 1
        if self.wait >= self.patience and rate > self.min_lr:
            lower = max(rate * self.factor, self.min_lr)
            self.model.optimizer.learning_rate = lower
            if self.verbose:
                print(f"\nEpoch {epoch + 1}: ReduceLROnPlateau reducing learning rate to {lower}.")
            self.cooldown_counter, self.wait = self.cooldown, 0
