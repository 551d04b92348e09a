"""Precision and recall in one number."""

from __future__ import annotations

from typing import Any

from slipstream.ir.dtypes import as_dtype
from slipstream.keras.metrics.metric import Metric
from slipstream.ops.arithmetic import abs as absolute
from slipstream.ops.arithmetic import divide_no_nan
from slipstream.ops.comparison import greater, greater_equal, logical_and
from slipstream.ops.conversion import cast
from slipstream.ops.reduction import reduce_max, reduce_mean, reduce_sum
from slipstream.ops.shaping import expand_dims
from slipstream.runtime.convert import convert

AVERAGES = (None, "micro", "macro", "weighted")
STATE = ("true_positives", "false_positives", "false_negatives", "intermediate_weights")


class FBetaScore(Metric):
    """(1 + beta²) precision recall / (beta² precision + recall) of each class (Rijsbergen 1979).

    Takes one-hot labels and scores [batch, classes]: yes is what is above the threshold, or the
    largest score without one. `average` of the classes: None (all of them), "micro" (all counts
    together), "macro" (the mean), "weighted" (by how often they occur).
    """

    def __init__(
        self, average: str | None = None, beta: float = 1.0, threshold: float | None = None,
        name: str | None = "fbeta_score", dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(name=name, dtype=dtype)
        _check(average, beta, threshold)
        self.average, self.beta, self.threshold = average, beta, threshold
        self._built = False

    def _build(self, y_true: Any, y_pred: Any) -> None:
        if len(y_pred.shape) != 2 or len(y_true.shape) != 2:
            raise ValueError(
                "FBetaScore expects 2D inputs with shape (batch_size, output_dim). Received "
                f"input shapes: y_pred.shape={tuple(y_pred.shape)} and "
                f"y_true.shape={tuple(y_true.shape)}."
            )
        shape = () if self.average == "micro" else (int(y_pred.shape[1]),)
        for name in STATE:
            setattr(self, name, self.add_variable(shape, "zeros", name=name))
        self._built = True

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        kind = as_dtype(self.dtype)
        truth, scores = cast(convert(y_true), kind), cast(convert(y_pred), kind)
        if not self._built:
            self._build(truth, scores)
        found = cast(self._yes(scores), kind)
        weight = None if sample_weight is None else cast(convert(sample_weight), kind)
        if weight is not None and len(weight.shape) == 1:
            weight = expand_dims(weight, 1)

        def total(values: Any) -> Any:
            values = values if weight is None else values * weight
            return reduce_sum(values, axis=None if self.average == "micro" else 0)

        amounts = (found * truth, found * (1 - truth), (1 - found) * truth, truth)
        for name, values in zip(STATE, amounts, strict=True):
            getattr(self, name).assign_add(total(values))

    def _yes(self, scores: Any) -> Any:
        if self.threshold is not None:
            return greater(scores, self.threshold)
        largest = greater_equal(scores, reduce_max(scores, axis=-1, keepdims=True))
        return logical_and(largest, greater(absolute(scores), 1e-9))  # not where all are 0

    def result(self) -> Any:
        right = self.true_positives.value()
        precision = divide_no_nan(right, right + self.false_positives)
        recall = divide_no_nan(right, right + self.false_negatives)
        square = self.beta**2
        scores = divide_no_nan(precision * recall * (1 + square), precision * square + recall)
        if self.average == "weighted":
            amounts = self.intermediate_weights.value()
            return reduce_sum(scores * divide_no_nan(amounts, reduce_sum(amounts)))
        return reduce_mean(scores) if self.average is not None else scores

    def get_config(self) -> dict[str, Any]:
        own = {"average": self.average, "beta": self.beta, "threshold": self.threshold}
        return super().get_config() | own


def _check(average: Any, beta: Any, threshold: Any) -> None:
    if average not in AVERAGES:
        raise ValueError(
            "Invalid `average` argument value. Expected one of: "
            f"{{None, 'micro', 'macro', 'weighted'}}. Received: average={average}"
        )
    if not isinstance(beta, float):
        raise ValueError(
            "Invalid `beta` argument value. It should be a Python float. "
            f"Received: beta={beta} of type '{type(beta)}'"
        )
    if beta <= 0:
        raise ValueError(f"Invalid `beta` argument value. It should be > 0. Received: beta={beta}")
    if threshold is None:
        return
    if not isinstance(threshold, float):
        raise ValueError(
            "Invalid `threshold` argument value. It should be a Python float. "
            f"Received: threshold={threshold} of type '{type(threshold)}'"
        )
    if not 0 < threshold <= 1:
        raise ValueError(
            "Invalid `threshold` argument value. It should verify 0 < threshold <= 1. "
            f"Received: threshold={threshold}"
        )


class F1Score(FBetaScore):
    """`FBetaScore` of beta 1: the harmonic mean of precision and recall.

    >>> score = F1Score(threshold=0.5)
    >>> score([[1, 0], [1, 1]], [[0.9, 0.8], [0.2, 0.7]]).numpy().round(3).tolist()
    [0.6669999957084656, 0.6669999957084656]
    """

    def __init__(
        self, average: str | None = None, threshold: float | None = None,
        name: str | None = "f1_score", dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(average=average, beta=1.0, threshold=threshold, name=name, dtype=dtype)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["beta"]
        return config
