"""`Callback`: what happens around epochs and batches; and the list that calls them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from slipstream.keras.callbacks.progress import ProgressBar

HOOKS = (
    "on_train_begin", "on_train_end", "on_epoch_begin", "on_epoch_end", "on_train_batch_begin",
    "on_train_batch_end", "on_test_begin", "on_test_end", "on_test_batch_begin",
    "on_test_batch_end", "on_predict_begin", "on_predict_end", "on_predict_batch_begin",
    "on_predict_batch_end",
)  # fmt: skip


class Callback:
    """Base of callbacks: override the hooks that matter. `self.model` is the model."""

    by_batch = True  # whether hooks of batches, where there are any, are wanted after each of them

    def __init__(self) -> None:
        self.params: dict[str, Any] = {}
        self._model: Any = None

    def set_params(self, params: dict[str, Any]) -> None:
        self.params = params

    def set_model(self, model: Any) -> None:
        self._model = model

    @property
    def model(self) -> Any:
        return self._model

    def on_train_begin(self, logs: Any = None) -> None:
        """Before training."""

    def on_train_end(self, logs: Any = None) -> None:
        """After training."""

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Before an epoch."""

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """After an epoch, with its losses and metrics."""

    def on_batch_begin(self, batch: int, logs: Any = None) -> None:
        """`on_train_batch_begin` under its older name."""

    def on_batch_end(self, batch: int, logs: Any = None) -> None:
        """`on_train_batch_end` under its older name."""

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Before a batch of training."""
        self.on_batch_begin(batch, logs)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """After a batch of training, with the losses and metrics so far."""
        self.on_batch_end(batch, logs)

    def on_test_begin(self, logs: Any = None) -> None:
        """Before evaluation."""

    def on_test_end(self, logs: Any = None) -> None:
        """After evaluation."""

    def on_test_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Before a batch of evaluation."""

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        """After a batch of evaluation."""

    def on_predict_begin(self, logs: Any = None) -> None:
        """Before prediction."""

    def on_predict_end(self, logs: Any = None) -> None:
        """After prediction."""

    def on_predict_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Before a batch of prediction."""

    def on_predict_batch_end(self, batch: int, logs: Any = None) -> None:
        """After a batch of prediction."""


class History(Callback):
    """Losses and metrics of each epoch: `history.history["loss"]`, `history.epoch`."""

    def __init__(self) -> None:
        super().__init__()
        self.history: dict[str, list[Any]] = {}
        self.epoch: list[int] = []

    def on_train_begin(self, logs: Any = None) -> None:
        self.epoch = []

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)
        self.model.history = self


class CallbackList:
    """Callbacks called one after the other; with the History and the progress bar."""

    def __init__(
        self,
        callbacks: Any,
        model: Any,
        *,
        epochs: int = 1,
        steps: int | None = None,
        verbose: Any = 0,
        history: bool = True,
    ) -> None:
        listed = [callbacks] if isinstance(callbacks, Callback) else list(callbacks or ())
        verbose = 1 if verbose in ("auto", True) else int(verbose)
        self.history: Any = None
        if history:
            self.history = next((c for c in listed if isinstance(c, History)), None) or History()
            if self.history not in listed:
                listed.append(self.history)
        if verbose:
            listed.append(ProgbarLogger(verbose))
        self.callbacks = listed
        for callback in listed:
            callback.set_model(model)
            callback.set_params({"verbose": verbose, "epochs": epochs, "steps": steps})
        self._batch_hooks = {hook: _overriding(listed, hook) for hook in HOOKS if "batch" in hook}

    def append(self, callback: Callback) -> None:
        self.callbacks.append(callback)

    def wants_every(self, kind: str) -> bool:
        """Whether a callback asks for every batch of "train" or "test"."""
        hooks = (f"on_{kind}_batch_begin", f"on_{kind}_batch_end")
        return any(c.by_batch for hook in hooks for c in self._batch_hooks[hook])

    def __getattr__(self, hook: str) -> Any:
        if hook not in HOOKS:
            raise AttributeError(hook)

        def call(*args: Any) -> None:
            wanted = self._batch_hooks.get(hook, self.callbacks)
            if wanted and args and isinstance(args[-1], dict):
                args = (*args[:-1], _plain(args[-1]))
            for callback in wanted:
                getattr(callback, hook)(*args)

        return call


def _plain(logs: dict[str, Any]) -> dict[str, Any]:
    """Losses and metrics as floats; anything larger as it is."""
    return {k: float(v) if np.ndim(v) == 0 else v for k, v in logs.items() if k != "outputs"} | (
        {"outputs": logs["outputs"]} if "outputs" in logs else {}
    )


def _overriding(callbacks: Iterable[Callback], hook: str) -> list[Callback]:
    """The callbacks that do something at a hook: batches are many, and most hooks are empty."""
    older = hook.replace("train_batch", "batch")
    return [
        c for c in callbacks
        if getattr(type(c), hook) is not getattr(Callback, hook)
        or getattr(type(c), older, None) is not getattr(Callback, older, None)
    ]  # fmt: skip


class ProgbarLogger(Callback):
    """The progress bar: for verbose=1 as batches go by, for 2 a line an epoch."""

    by_batch = False

    def __init__(self, verbose: int = 1) -> None:
        super().__init__()
        self._verbose = verbose
        self._bar: ProgressBar | None = None
        self._epochs_shown = False

    def _begin(self) -> None:
        self._bar = ProgressBar(self.params.get("steps"), self._verbose)

    def on_train_begin(self, logs: Any = None) -> None:
        self._epochs_shown = True

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._begin()
        if self._bar is not None:
            self._bar.headline(f"Epoch {epoch + 1}/{self.params['epochs']}")

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self._go(batch, logs)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if self._bar is not None:
            self._bar.finish(logs)

    def on_test_begin(self, logs: Any = None) -> None:
        if not self._epochs_shown:
            self._begin()

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        if not self._epochs_shown:
            self._go(batch, logs)

    def on_test_end(self, logs: Any = None) -> None:
        if self._bar is not None and not self._epochs_shown:
            self._bar.finish(logs)

    def on_predict_begin(self, logs: Any = None) -> None:
        self._begin()

    def on_predict_batch_end(self, batch: int, logs: Any = None) -> None:
        self._go(batch, {})

    def on_predict_end(self, logs: Any = None) -> None:
        if self._bar is not None:
            self._bar.finish({})

    def _go(self, batch: int, logs: Any) -> None:
        if self._bar is not None:
            self._bar.update(batch + 1, logs)
