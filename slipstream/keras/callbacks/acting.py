"""Callbacks that act: schedules, logs, functions, stopping at nan."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from slipstream.keras.callbacks.callback import Callback
from slipstream.runtime.convert import convert


class LearningRateScheduler(Callback):
    """Set the learning rate of each epoch: `schedule(epoch, rate)` gives it."""

    def __init__(self, schedule: Callable[..., float], verbose: int = 0) -> None:
        super().__init__()
        self.schedule, self.verbose = schedule, verbose

    def _rate(self) -> float:
        return float(np.asarray(convert(self.model.optimizer.learning_rate)))

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        try:
            rate = self.schedule(epoch, self._rate())
        except TypeError:  # older schedules take the epoch alone
            rate = self.schedule(epoch)
        if not isinstance(rate, (float, np.floating, np.float32)) and not hasattr(rate, "dtype"):
            raise ValueError(
                f"The output of the `schedule` function should be a float. Got: {rate}"
            )
        self.model.optimizer.learning_rate = float(np.asarray(rate))
        if self.verbose:
            print(f"\nEpoch {epoch + 1}: LearningRateScheduler setting learning rate to {rate}.")

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if logs is not None:
            logs["learning_rate"] = self._rate()


class CSVLogger(Callback):
    """Write losses and metrics of epochs to a CSV file."""

    def __init__(self, filename: Any, separator: str = ",", append: bool = False) -> None:
        super().__init__()
        self.filename, self.separator, self.append = str(filename), separator, append
        self._file: Any = None
        self._writer: Any = None

    def on_train_begin(self, logs: Any = None) -> None:
        mode = "a" if self.append else "w"
        self._file = Path(self.filename).open(mode, newline="")  # noqa: SIM115 (closed at the end)
        self._writer = None

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        row = {"epoch": epoch} | dict(sorted((logs or {}).items()))
        if self._writer is None:
            self._writer = csv.DictWriter(self._file, list(row), delimiter=self.separator)
            if self._file.tell() == 0:
                self._writer.writeheader()
        self._writer.writerow({name: row.get(name, "NA") for name in self._writer.fieldnames})
        self._file.flush()

    def on_train_end(self, logs: Any = None) -> None:
        self._file.close()
        self._writer = None


class TerminateOnNaN(Callback):
    """Stop training when the loss is no finite number; with `raise_error` by a RuntimeError."""

    def __init__(self, raise_error: bool = False) -> None:
        super().__init__()
        self.raise_error = raise_error

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        loss = (logs or {}).get("loss")
        if loss is not None and not np.isfinite(loss):
            text = f"Batch {batch}: Invalid loss, terminating training"
            if self.raise_error:
                raise RuntimeError(text)
            print(text)
            self.model.stop_training = True


class LambdaCallback(Callback):
    """Functions as hooks: `LambdaCallback(on_epoch_end=lambda epoch, logs: print(logs))`."""

    def __init__(
        self,
        on_epoch_begin: Any = None,
        on_epoch_end: Any = None,
        on_train_begin: Any = None,
        on_train_end: Any = None,
        on_train_batch_begin: Any = None,
        on_train_batch_end: Any = None,
        **hooks: Any,
    ) -> None:
        super().__init__()
        given = {
            "on_epoch_begin": on_epoch_begin,
            "on_epoch_end": on_epoch_end,
            "on_train_begin": on_train_begin,
            "on_train_end": on_train_end,
            "on_train_batch_begin": on_train_batch_begin or hooks.pop("on_batch_begin", None),
            "on_train_batch_end": on_train_batch_end or hooks.pop("on_batch_end", None),
        }
        self._given = {name: f for name, f in (given | hooks).items() if f is not None}
        self.by_batch = any("batch" in name for name in self._given)

    def _call(self, hook: str, *args: Any) -> None:
        function = self._given.get(hook)
        if function is not None:
            function(*args)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._call("on_epoch_begin", epoch, logs)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._call("on_epoch_end", epoch, logs)

    def on_train_begin(self, logs: Any = None) -> None:
        self._call("on_train_begin", logs)

    def on_train_end(self, logs: Any = None) -> None:
        self._call("on_train_end", logs)

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        self._call("on_train_batch_begin", batch, logs)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self._call("on_train_batch_end", batch, logs)
