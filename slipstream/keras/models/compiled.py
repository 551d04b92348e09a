"""What `compile` was given: losses and metrics of each output, resolved when these are known."""

from __future__ import annotations

from typing import Any

from slipstream.keras import losses, metrics
from slipstream.keras.metrics import Mean, MeanMetricWrapper, Metric
from slipstream.runtime.convert import convert
from slipstream.runtime.structure import flatten


class CompiledTraining:
    """Losses, their weights and metrics for the outputs of a model."""

    def __init__(self, loss: Any, loss_weights: Any, given: Any, weighted: Any) -> None:
        self._loss, self._loss_weights = loss, loss_weights
        self._metrics, self._weighted = given, weighted
        self._resolved: list[tuple[Any, float]] | None = None
        self._of_outputs: list[tuple[Metric, int, bool]] = []
        self._names: list[str] = []
        self._means: list[Mean] = []

    def resolve(self, y: Any, y_pred: Any, names: list[str]) -> None:
        """Fix what belongs to which output; once."""
        if self._resolved is not None:
            return
        outputs, targets = flatten(y_pred), flatten(y) if y is not None else []
        self._names = _output_names(y_pred, names, len(outputs))
        chosen = _per_output(self._loss, self._names, "loss")
        weights = _per_output(self._loss_weights, self._names, "loss_weights")
        found = [losses.get(item) for item in chosen]
        self._resolved = [
            (_as_loss(f), 1.0 if w is None else float(w))
            for f, w in zip(found, weights, strict=True)
        ]
        if len(outputs) > 1:
            self._means = [Mean(name=f"{name}_loss") for name in self._names]
        for group, weighted in ((self._metrics, False), (self._weighted, True)):
            self._add_metrics(group, weighted, targets, outputs)

    def _add_metrics(self, group: Any, weighted: bool, targets: list[Any], outputs: Any) -> None:
        for index, items in enumerate(_per_output(group, self._names, "metrics", lists=True)):
            for item in items or ():
                target = targets[index] if index < len(targets) else None
                metric = _as_metric(item, target, outputs[index])
                if len(outputs) > 1:
                    metric.name = f"{self._names[index]}_{metric.name}"
                self._of_outputs.append((metric, index, weighted))

    @property
    def metrics(self) -> list[Metric]:
        return [*self._means, *(metric for metric, _, _ in self._of_outputs)]

    def loss(self, y: Any, y_pred: Any, sample_weight: Any) -> Any:
        """The weighted sum of the losses of all outputs; None where there is none."""
        outputs, targets = flatten(y_pred), _matching(y, y_pred)
        weights = _weights_of(sample_weight, len(outputs))
        total: Any = None
        parts = zip(self._resolved or (), targets, outputs, weights, strict=True)
        for index, ((loss, factor), target, output, weight) in enumerate(parts):
            if loss is None or target is None:
                continue
            value = loss(target, output, sample_weight=weight)
            if self._means:
                self._means[index].update_state(value)
            value = value if factor == 1.0 else value * factor
            total = value if total is None else total + value
        return total

    def update_metrics(self, y: Any, y_pred: Any, sample_weight: Any) -> None:
        outputs, targets = flatten(y_pred), _matching(y, y_pred)
        weights = _weights_of(sample_weight, len(outputs))
        for metric, index, weighted in self._of_outputs:
            weight = weights[index] if weighted else None
            metric.update_state(targets[index], outputs[index], sample_weight=weight)


def _output_names(y_pred: Any, names: list[str], count: int) -> list[str]:
    if isinstance(y_pred, dict):
        return sorted(y_pred)
    return names if len(names) == count else [f"output_{i + 1}" for i in range(count)]


def _per_output(given: Any, names: list[str], what: str, lists: bool = False) -> list[Any]:
    """One item an output, from one for all, a list, or a dictionary by names."""
    count = len(names)
    if isinstance(given, dict):
        unknown = set(given) - set(names)
        if unknown:
            raise ValueError(
                f"In the dict argument `{what}`, key {sorted(unknown)[0]!r} does not correspond "
                f"to any model output. Received: {what}={given}. The outputs are {names}"
            )
        found = [given.get(name) for name in names]
        return [_listed(item) for item in found] if lists else found
    if not lists:
        several = isinstance(given, (list, tuple))
        items = list(given) if several else [given] * (count if what == "loss" else 1)
        items = items if len(items) == count else items * count if len(items) == 1 else items
    elif count > 1 and given and _one_each(given, count):
        items = [_listed(item) for item in given]
    else:
        items = [_listed(given)] * count if count == 1 else [_listed(given), *[[]] * (count - 1)]
    if len(items) != count:
        raise ValueError(f"`{what}` has {len(items)} entries, and the model has {count} outputs")
    return items


def _one_each(given: Any, count: int) -> bool:
    """Whether a list of metrics has an entry for each output, rather than metrics of the first."""
    return len(given) == count or any(isinstance(g, (list, tuple)) for g in given)


def _listed(item: Any) -> list[Any]:
    return [] if item is None else list(item) if isinstance(item, (list, tuple)) else [item]


def _as_loss(found: Any) -> Any:
    if found is None or isinstance(found, losses.Loss):
        return found
    return losses.LossFunctionWrapper(found, name=getattr(found, "__name__", "loss"))


ACCURACIES = ("accuracy", "acc", "crossentropy", "ce")


def _as_metric(item: Any, target: Any, output: Any) -> Metric:
    """A metric of a name, a function or an object; 'accuracy' as the target's kind has it."""
    if isinstance(item, str) and item in ACCURACIES:
        name = "accuracy" if item in ("accuracy", "acc") else "crossentropy"
        kind = _accuracy_kind(target, output)
        function = getattr(metrics, f"{kind}{name}")
        return MeanMetricWrapper(function, name=item)
    found = metrics.get(item)
    if isinstance(found, Metric):
        found.name = item if isinstance(item, str) else found.name
        return found
    name = item if isinstance(item, str) else getattr(found, "__name__", "metric")
    return MeanMetricWrapper(found, name=name)


def _accuracy_kind(target: Any, output: Any) -> str:
    """'binary_' for one unit, 'sparse_categorical_' for class numbers, else 'categorical_'."""
    if len(output.shape) == 0 or output.shape[-1] == 1:
        return "binary_"
    ranks = (len(target.shape), len(output.shape)) if target is not None else (0, 0)
    sparse = ranks[0] < ranks[1] or (ranks[0] == ranks[1] and target.shape[-1] == 1)
    return "sparse_categorical_" if sparse else "categorical_"


def _matching(y: Any, y_pred: Any) -> list[Any]:
    """The targets in the order of the outputs."""
    if isinstance(y, dict) and isinstance(y_pred, dict):
        return [y.get(name) for name in sorted(y_pred)]
    targets = flatten(y) if y is not None else []
    count = len(flatten(y_pred))
    return targets if len(targets) == count else [*targets, *[None] * (count - len(targets))]


def _weights_of(sample_weight: Any, count: int) -> list[Any]:
    if sample_weight is None:
        return [None] * count
    given = flatten(sample_weight)
    return given if len(given) == count else [convert(given[0])] * count
