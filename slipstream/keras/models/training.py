"""Training: `compile`, `fit`, `evaluate`, `predict`, and the steps they repeat.

A step is traced once for each shape of a batch and run as one program: forward, loss, metrics,
gradients and the update
of every variable.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from slipstream.keras import optimizers
from slipstream.keras.callbacks import CallbackList, History
from slipstream.keras.metrics import Mean
from slipstream.keras.models.adapters import (
    Arrays,
    in_one_batch,
    limited,
    source_of,
    split_off,
    unpacked,
)
from slipstream.keras.models.compiled import CompiledTraining
from slipstream.keras.models.epochs import Pace, Steps, is_steady
from slipstream.keras.registry import deserialize_keras_object, serialize_keras_object
from slipstream.ops.arithmetic import add_n
from slipstream.ops.indexing import gather
from slipstream.runtime.convert import convert
from slipstream.runtime.function import Function
from slipstream.runtime.structure import flatten, map_structure
from slipstream.runtime.tape import GradientTape
from slipstream.runtime.tensor import EagerTensor


class Trainer:
    """What a model is for training. Mixed into `Model`, before `Layer`."""

    def _prepare_training(self) -> None:
        self.optimizer: Any = None
        self._compiled: CompiledTraining | None = None
        self._compile_arguments: dict[str, Any] = {}
        self._functions: dict[str, Any] = {}
        self.stop_training = False
        self.history: Any = None
        self.run_eagerly = False
        self._loss_tracker: Mean | None = None

    # compile

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        loss_weights: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        jit_compile: Any = "auto",
        auto_scale_loss: bool = True,
        **_: Any,
    ) -> None:
        """Say what to train with: an optimizer, a loss and metrics, by name or as objects.

        Several outputs take lists or dictionaries of losses and metrics, by the outputs' names.
        """
        if isinstance(loss, list) and metrics is None and not loss:
            raise ValueError("an empty list of losses")
        if isinstance(optimizer, (list, tuple)):
            raise ValueError(f"one optimizer, not {len(optimizer)}")
        self.optimizer = optimizers.get(optimizer)
        self._compiled = CompiledTraining(loss, loss_weights, metrics, weighted_metrics)
        self._compile_arguments = {
            "optimizer": self.optimizer,
            "loss": loss,
            "loss_weights": loss_weights,
            "metrics": metrics,
            "weighted_metrics": weighted_metrics,
        }
        self.loss = loss
        self._loss_tracker = Mean(name="loss")
        self.run_eagerly = bool(run_eagerly)
        self._functions.clear()
        self.stop_training = False

    @property
    def compiled(self) -> bool:
        return self._compiled is not None

    def get_compile_config(self) -> Any:
        """What `compile` was given, as plain data; None before it."""
        if not self.compiled:
            return None
        return {k: serialize_keras_object(v) for k, v in self._compile_arguments.items()}

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """`compile` by what `get_compile_config` gave."""
        given = {k: deserialize_keras_object(v) for k, v in config.items()}
        self.compile(**given)
        if self.built and self.optimizer is not None:
            self.optimizer.build(self.trainable_variables)

    def _require_compiled(self, what: str) -> CompiledTraining:
        if self._compiled is None:
            raise ValueError(
                f"You must call `compile()` before calling `{what}()`, as in "
                "model.compile(optimizer='adam', loss='mse')."
            )
        return self._compiled

    # metrics

    @property
    def metrics(self) -> list[Any]:
        """The mean loss, the compiled metrics, and those that layers hold."""
        found = [] if self._loss_tracker is None else [self._loss_tracker]
        if self._compiled is not None:
            found += self._compiled.metrics
        return list({id(m): m for m in [*found, *self._own_metrics()]}.values())  # type: ignore[attr-defined]

    @property
    def metrics_names(self) -> list[str]:
        return [metric.name for metric in self.metrics]

    def reset_metrics(self) -> None:
        """Begin the metrics anew."""
        for metric in self.metrics:
            metric.reset_state()

    def get_metrics_result(self) -> dict[str, Any]:
        """The results of all metrics by name."""
        found: dict[str, Any] = {}
        for metric in self.metrics:
            result = metric.result()
            found |= result if isinstance(result, dict) else {metric.name: result}
        return found

    # steps, which subclasses may override

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None,
        training: bool = True,
    ) -> Any:  # fmt: skip
        """The compiled loss and what layers have added; None if there is neither."""
        compiled = self._compiled
        parts = []
        if compiled is not None:
            compiled.resolve(y, y_pred, getattr(self, "output_names", []))
            value = compiled.loss(y, y_pred, sample_weight)
            if value is not None:
                parts.append(value)
        parts += [convert(loss) for loss in self.losses]  # type: ignore[attr-defined]
        if not parts:
            raise ValueError(
                "No loss to compute. Provide a `loss` argument in `compile()`, or call "
                "`add_loss` in a layer."
            )
        return parts[0] if len(parts) == 1 else add_n(parts)

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Update the compiled metrics; the results of all by name."""
        if self._compiled is not None:
            self._compiled.resolve(y, y_pred, getattr(self, "output_names", []))
            self._compiled.update_metrics(y, y_pred, sample_weight)
        return self.get_metrics_result()

    def compiled_loss(
        self, y: Any, y_pred: Any, sample_weight: Any = None, regularization_losses: Any = None
    ) -> Any:
        """The compiled loss, with the penalties given, as train steps written for Keras 2 ask."""
        compiled = self._require_compiled("compiled_loss")
        compiled.resolve(y, y_pred, getattr(self, "output_names", []))
        loss = compiled.loss(y, y_pred, sample_weight)
        if regularization_losses:
            loss = add_n([loss, *map(convert, regularization_losses)])
        self._track(loss, y_pred)
        return loss

    @property
    def compiled_metrics(self) -> CompiledMetrics:
        """The compiled metrics as one, as train steps written for Keras 2 update them."""
        return CompiledMetrics(self)

    def train_step(self, data: Any) -> dict[str, Any]:
        """One batch: forward, gradients, update. Override it for another way of training."""
        x, y, sample_weight = unpacked_data(data)
        with GradientTape() as tape:
            y_pred = self(x, training=True)  # type: ignore[operator]
            loss = self.compute_loss(x, y, y_pred, sample_weight, training=True)
            scaled = self.optimizer.scale_loss(loss)
        self._track(loss, x)
        variables = self.trainable_variables  # type: ignore[attr-defined]
        if not variables:
            raise ValueError("The model has no trainable variables.")
        gradients = tape.gradient(scaled, variables)
        self.optimizer.apply_gradients(zip(gradients, variables, strict=True))
        found: dict[str, Any] = self.compute_metrics(x, y, y_pred, sample_weight)
        return found

    def test_step(self, data: Any) -> dict[str, Any]:
        """One batch of `evaluate`."""
        x, y, sample_weight = unpacked_data(data)
        y_pred = self(x, training=False)  # type: ignore[operator]
        loss = self.compute_loss(x, y, y_pred, sample_weight, training=False)
        self._track(loss, x)
        found: dict[str, Any] = self.compute_metrics(x, y, y_pred, sample_weight)
        return found

    def predict_step(self, data: Any) -> Any:
        """One batch of `predict`."""
        return self(unpacked_data(data)[0], training=False)  # type: ignore[operator]

    def _track(self, loss: Any, x: Any) -> None:
        if self._loss_tracker is None:
            return
        leaves = [leaf for leaf in flatten(x) if len(leaf.shape)]
        count = float(leaves[0].shape[0]) if leaves else 1.0
        self._loss_tracker.update_state(loss, sample_weight=convert(np.float32(count)))

    def _step(self, kind: str) -> Any:
        """A step as one program, made when it is first needed."""
        step = getattr(self, f"{kind}_step")
        return step if self.run_eagerly else self._kept(kind, kind, Function)

    def _steps(self, kind: str) -> Steps:
        """Steps over arrays in memory as one program."""
        found: Steps = self._kept(kind, f"{kind}s", Steps)
        return found

    def _kept(self, kind: str, key: str, make: Any) -> Any:
        """What `make` made of a step, as long as the same variables are trained."""
        trains = kind == "train"
        variables = self.trainable_variables if trains else ()  # type: ignore[attr-defined]
        trainable = tuple(id(v) for v in variables)
        known = self._functions.get(key)
        if known is None or known[0] != trainable:
            step = getattr(self, f"{kind}_step")
            self._functions[key] = trainable, make(step, f"{kind}_step")
        return self._functions[key][1]

    def make_train_function(self, force: bool = False) -> Any:
        return self._step("train")

    # repeating them

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: Any = "auto",
        callbacks: Any = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        class_weight: Any = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: int = 1,
        **_: Any,
    ) -> History:
        """Train for `epochs` epochs; the History of losses and metrics."""
        self._require_compiled("fit")
        if validation_split and validation_data is None:
            (x, y, sample_weight), validation_data = split_off(
                (x, y, sample_weight), validation_split
            )
        source = source_of(x, y, sample_weight, batch_size, shuffle)
        steps = steps_per_epoch or getattr(source, "batches", None)
        if steps is None and getattr(source, "infinite", False):
            raise ValueError(
                "When passing an infinitely repeating dataset, please specify a "
                "`steps_per_epoch` value so that epoch level callbacks continue to work."
            )
        self._build_for(source)
        listed = CallbackList(callbacks, self, epochs=epochs, steps=steps, verbose=verbose)
        self.stop_training = False
        listed.on_train_begin()
        pace = Pace(listed.wants_every("train"))
        kept: list[Any] = []
        logs: dict[str, Any] = {}
        for epoch in range(initial_epoch, epochs):
            listed.on_epoch_begin(epoch)
            if steps_per_epoch is None and self._is_steady(source):
                logs = self._train_epoch_at_once(source, listed, class_weight, pace)
            else:
                batches = limited(source, steps_per_epoch, kept)
                logs = self._train_epoch(batches, listed, class_weight)
            if validation_data is not None and (epoch + 1) % validation_freq == 0:
                logs |= self._validate(
                    validation_data, validation_batch_size or batch_size, validation_steps
                )
            listed.on_epoch_end(epoch, logs)
            if hasattr(source, "on_epoch_end"):
                source.on_epoch_end()
            if self.stop_training:
                break
        if self.optimizer is not None and self.optimizer.built:
            self.optimizer.finalize_variable_values(self.trainable_variables)  # type: ignore[attr-defined]
        listed.on_train_end(logs)
        history: History = listed.history
        return history

    def _build_for(self, source: Any) -> None:
        """Build the model on the first batch, so that steps find all variables made."""
        if not self.built and getattr(source, "_one_shot", None) is None:
            first = next(iter(source), None)
            if first is None:
                raise ValueError("The data has no batches.")
            self(first[0])  # type: ignore[operator]
        if self.built and self.optimizer is not None and not self.optimizer.built:
            self.optimizer.build(self.trainable_variables)  # type: ignore[attr-defined]

    def _train_epoch(self, batches: Any, listed: CallbackList, class_weight: Any) -> dict[str, Any]:
        self.reset_metrics()
        logs: dict[str, Any] = {}
        step = self._step("train")
        for number, batch in enumerate(batches):
            listed.on_train_batch_begin(number)
            x, y, weight = batch
            if class_weight is not None:
                weight = _weighted_by_class(y, weight, class_weight)
            logs = step(packed(x, y, weight))
            listed.on_train_batch_end(number, logs)
            if self.stop_training:
                break
        return _numbers(logs)

    def _is_steady(self, source: Any) -> bool:
        return not self.run_eagerly and is_steady(source)

    def _train_epoch_at_once(
        self, source: Arrays, listed: CallbackList, class_weight: Any, pace: Pace
    ) -> dict[str, Any]:
        """An epoch over arrays, many steps a call."""
        self.reset_metrics()
        x, y, weight = source.data
        if class_weight is not None:
            weight = np.asarray(_weighted_by_class(y, weight, class_weight))
        steps, done, logs = self._steps("train"), 0, {}
        epoch = source.numbers()
        for numbers in epoch:
            for part in pace.parts(numbers):
                listed.on_train_batch_begin(done)
                logs = steps(packed(x, y, weight), part)
                if not done:
                    steps.prepare(packed(x, y, weight), epoch[-1].shape[1])
                done += len(part)
                listed.on_train_batch_end(done - 1, logs)
                if self.stop_training:
                    return _numbers(logs)
        return _numbers(logs)

    def _validate(self, data: Any, batch_size: int | None, steps: int | None) -> dict[str, Any]:
        x, y, weight = (
            (*data, None, None)[:3] if isinstance(data, (tuple, list)) else (data, None, None)
        )
        found = self.evaluate(
            x, y, batch_size=batch_size, sample_weight=weight, steps=steps, verbose=0,
            return_dict=True,
        )  # fmt: skip
        return {f"val_{name}": value for name, value in found.items()}

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: Any = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Any = None,
        return_dict: bool = False,
        **_: Any,
    ) -> Any:
        """The loss and metrics on data: a number, a list, or with `return_dict` by name."""
        self._require_compiled("evaluate")
        source = source_of(x, y, sample_weight, batch_size)
        listed = CallbackList(
            callbacks, self, steps=steps or source.batches, verbose=verbose, history=False
        )
        listed.on_test_begin()
        self.reset_metrics()
        logs: dict[str, Any] = {}
        if steps is None and self._is_steady(source):
            logs = self._test_at_once(source, listed)
        else:
            step = self._step("test")
            for number, batch in enumerate(limited(source, steps, [])):
                listed.on_test_batch_begin(number)
                logs = step(packed(*batch))
                listed.on_test_batch_end(number, logs)
        found = _numbers(logs)
        listed.on_test_end(found)
        if return_dict:
            return found
        values = list(found.values())
        return values[0] if len(values) == 1 else values

    def _test_at_once(self, source: Arrays, listed: CallbackList) -> dict[str, Any]:
        """All batches of arrays, many a call."""
        pace, steps = Pace(listed.wants_every("test")), self._steps("test")
        done, logs, numbered = 0, {}, source.numbers()
        for numbers in numbered:
            for part in pace.parts(numbers):
                listed.on_test_batch_begin(done)
                logs = steps(packed(*source.data), part)
                if not done:
                    steps.prepare(packed(*source.data), numbered[-1].shape[1])
                done += len(part)
                listed.on_test_batch_end(done - 1, logs)
        return logs

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: Any = "auto",
        steps: int | None = None,
        callbacks: Any = None,
    ) -> Any:
        """The outputs for inputs, as NumPy arrays."""
        step = self._step("predict")
        if not callbacks and not verbose:  # nobody watches
            batches = None if steps else in_one_batch(x, batch_size)
            batches = batches or limited(source_of(x, None, None, batch_size), steps, [])
            return _joined([step(packed(*batch)) for batch in batches])
        source = source_of(x, None, None, batch_size)
        listed = CallbackList(
            callbacks, self, steps=steps or source.batches, verbose=verbose, history=False
        )
        listed.on_predict_begin()
        parts: list[Any] = []
        for number, batch in enumerate(limited(source, steps, [])):
            listed.on_predict_batch_begin(number)
            parts.append(step(packed(*batch)))
            listed.on_predict_batch_end(number, {"outputs": parts[-1]})
        listed.on_predict_end()
        return _joined(parts)

    def fit_generator(self, generator: Any, *args: Any, **options: Any) -> History:
        """`fit` of a generator, by its name in old programs."""
        names = ("steps_per_epoch", "epochs", "verbose", "callbacks", "validation_data")
        return self.fit(generator, **dict(zip(names, args, strict=False)), **options)

    def evaluate_generator(self, generator: Any, steps: int | None = None, **options: Any) -> Any:
        """`evaluate` of a generator, by its name in old programs."""
        return self.evaluate(generator, steps=steps, **options)

    def predict_generator(self, generator: Any, steps: int | None = None, **options: Any) -> Any:
        """`predict` of a generator, by its name in old programs."""
        return self.predict(generator, steps=steps, **options)

    # one batch

    def train_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, class_weight: Any = None,
        return_dict: bool = False,
    ) -> Any:  # fmt: skip
        """One training step; the loss and metrics so far."""
        self._require_compiled("train_on_batch")
        x, y, weight = unpacked((x, y, sample_weight))
        if class_weight is not None:
            weight = _weighted_by_class(y, weight, class_weight)
        self._build_for([(x, y, weight)])
        return _given_back(self._step("train")(packed(x, y, weight)), return_dict)

    def test_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False
    ) -> Any:
        """The loss and metrics so far, with this batch."""
        self._require_compiled("test_on_batch")
        batch = packed(*unpacked((x, y, sample_weight)))
        return _given_back(self._step("test")(batch), return_dict)

    def predict_on_batch(self, x: Any) -> Any:
        """The outputs for one batch, as NumPy arrays."""
        return _joined([self._step("predict")(packed(*unpacked((x,))))])


def _joined(parts: list[Any]) -> Any:
    """The outputs of all batches as arrays, one after the other."""
    if not parts:
        raise ValueError("The data has no batches.")
    if len(parts) == 1 and isinstance(parts[0], EagerTensor):
        return parts[0].array.copy()
    return map_structure(lambda *pieces: np.concatenate([np.asarray(p) for p in pieces]), *parts)


class CompiledMetrics:
    """The compiled metrics of a model, updated together."""

    def __init__(self, model: Trainer) -> None:
        self._model = model

    def update_state(self, y: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Show them a batch."""
        self._model.compute_metrics(None, y, y_pred, sample_weight)


def packed(x: Any, y: Any, sample_weight: Any) -> Any:
    """What a step is given: x, (x, y) or (x, y, sample_weight), as much as there is."""
    if sample_weight is not None:
        return x, y, sample_weight
    if y is not None:
        return x, y
    return (x,) if isinstance(x, (tuple, list)) else x


def unpacked_data(data: Any) -> tuple[Any, Any, Any]:
    """(x, y, sample_weight) of what a step is given."""
    if not isinstance(data, tuple):
        return data, None, None
    x, y, weight = (*data, None, None, None)[:3]
    return x, y, weight


def _given_back(logs: dict[str, Any], return_dict: bool) -> Any:
    found = _numbers(logs)
    if return_dict:
        return found
    values = list(found.values())
    return values[0] if len(values) == 1 else values


def _numbers(logs: Any) -> dict[str, Any]:
    """Results as plain floats, the loss first."""
    found = {k: _number(v) for k, v in dict(logs).items()}
    return {k: found[k] for k in sorted(found, key=lambda name: name != "loss")}


def _number(value: Any) -> Any:
    array = np.asarray(value)
    return float(array) if not array.shape else array


def _weighted_by_class(y: Any, weight: Any, class_weight: dict[int, float]) -> Any:
    """The weights of examples by their classes."""
    classes = np.asarray(y)
    if classes.ndim > 1:
        classes = classes.argmax(-1) if classes.shape[-1] > 1 else classes[..., 0]
    table = np.ones(int(max([*class_weight, int(classes.max(initial=0))])) + 1, np.float32)
    for number, factor in class_weight.items():
        table[int(number)] = factor
    found = gather(convert(table), convert(classes.astype(np.int32)))
    return found if weight is None else found * weight
