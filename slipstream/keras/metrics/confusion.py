"""True and false positives and negatives, at any number of thresholds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from slipstream.ir.dtypes import as_dtype, int32
from slipstream.keras import config
from slipstream.keras.losses.loss import same_rank
from slipstream.keras.metrics.metric import Metric
from slipstream.ops.array import range as numbers
from slipstream.ops.comparison import greater_equal, not_equal
from slipstream.ops.conversion import cast
from slipstream.ops.indexing import gather, where
from slipstream.ops.reduction import cumsum, reduce_min
from slipstream.ops.segments import unsorted_segment_sum
from slipstream.ops.shaping import broadcast_to, expand_dims, reshape, squeeze
from slipstream.ops.sorting import searchsorted, top_k
from slipstream.runtime.convert import convert

NOTHING = -1e10  # the score of what is not among the best


class Outcomes(NamedTuple):
    """Weighted counts, one a threshold, or [thresholds, labels]."""

    true_positives: Any
    false_positives: Any
    true_negatives: Any
    false_negatives: Any


def checked_thresholds(thresholds: Any, default: float = 0.5) -> list[float]:
    """The thresholds as a list. ValueError unless all are in [0, 1]."""
    if thresholds is None:
        return [default]
    given = list(thresholds) if isinstance(thresholds, (list, tuple, np.ndarray)) else [thresholds]
    wrong = [t for t in given if t is None or not 0 <= t <= 1]
    if wrong:
        raise ValueError(f"Threshold values must be in [0, 1]. Received: {wrong}")
    return [float(t) for t in given]


def only_best(scores: Any, k: int) -> Any:
    """The k largest scores of the last axis; `NOTHING` for the others."""
    least = reduce_min(top_k(scores, k).values, axis=-1, keepdims=True)
    return where(greater_equal(scores, least), scores, NOTHING)


def weights_like(scores: Any, sample_weight: Any, label_weights: Any = None) -> Any:
    """A weight for each score; those of examples hold for all their labels."""
    weights = convert(np.ones((), np.float32)) if sample_weight is None else convert(sample_weight)
    weights = cast(weights, scores.dtype)
    if len(weights.shape) == len(scores.shape) + 1 and weights.shape[-1] == 1:
        weights = squeeze(weights, axis=-1)
    while 0 < len(weights.shape) < len(scores.shape):
        weights = expand_dims(weights, axis=-1)
    if label_weights is not None:
        weights = weights * convert(label_weights, scores.dtype)
    return broadcast_to(weights, [int(n) for n in scores.shape])


def outcomes(
    y_true: Any, y_pred: Any, thresholds: Sequence[float], sample_weight: Any = None,
    top_k: int | None = None, class_id: int | None = None, by_label: bool = False,
    label_weights: Any = None,
) -> Outcomes:  # fmt: skip
    """How examples fare where a score above a threshold means yes; `y_true` not 0 is yes.

    Of `class_id` only that column of the last axis counts; with `by_label` each column does by
    itself.
    """
    y_true, y_pred = same_rank(y_true, y_pred)
    scores = cast(y_pred, as_dtype(config.floatx()))
    truth = cast(not_equal(convert(y_true), 0), scores.dtype)
    if tuple(truth.shape) != tuple(scores.shape):
        raise ValueError(
            f"Shapes {tuple(truth.shape)} and {tuple(scores.shape)} of y_true and y_pred differ"
        )
    if top_k is not None:
        scores = only_best(scores, top_k)
    if class_id is not None:
        scores, truth = scores[..., class_id], truth[..., class_id]
    weights = weights_like(scores, sample_weight, label_weights)
    columns = int(scores.shape[-1]) if by_label else 1
    return _counted(scores, truth * weights, (1 - truth) * weights, thresholds, columns)


def _counted(
    scores: Any, positive: Any, negative: Any, thresholds: Sequence[float], columns: int
) -> Outcomes:
    """Each score falls among the sorted thresholds; sums from either end are the counts."""
    wanted = np.asarray(thresholds, np.float64)
    order = np.argsort(wanted, kind="stable")
    ranks = searchsorted(convert(wanted[order], scores.dtype), reshape(scores, [-1]))
    cells = reshape(cast(ranks, int32), [-1, columns]) * columns
    cells = reshape(cells + numbers(columns, dtype=int32), [-1])
    count = len(wanted) + 1

    def sums(amounts: Any, above: bool) -> Any:
        flat = unsorted_segment_sum(reshape(amounts, [-1]), cells, count * columns)
        table = cumsum(reshape(flat, [count, columns]), axis=0, reverse=above)
        found = table[1:] if above else table[:-1]
        found = found if (order == np.arange(len(order))).all() else gather(found, _inverse(order))
        return found if columns > 1 else reshape(found, [count - 1])

    above = [sums(amounts, True) for amounts in (positive, negative)]
    return Outcomes(*above, sums(negative, False), sums(positive, False))


def _inverse(order: Any) -> Any:
    """Where each of the unsorted ones went."""
    return np.argsort(order).astype(np.int32)


class ConfusionCount(Metric):
    """The sum of one kind of outcome at each threshold."""

    kind: str

    def __init__(self, thresholds: Any = None, name: str | None = None, dtype: Any = None) -> None:
        super().__init__(name=name, dtype=dtype)
        self.init_thresholds = thresholds
        self.thresholds = checked_thresholds(thresholds)
        self.accumulator = self.add_variable((len(self.thresholds),), "zeros", name="accumulator")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        found = outcomes(y_true, y_pred, self.thresholds, sample_weight)
        self.accumulator.assign_add(cast(getattr(found, self.kind), self.accumulator.dtype))

    def result(self) -> Any:
        return for_each(self.accumulator.value())

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"thresholds": self.init_thresholds}


def for_each(values: Any) -> Any:
    """One number of one threshold, otherwise all."""
    return values[0] if values.shape[0] == 1 else values


class TruePositives(ConfusionCount):
    """How many are yes and were found to be; a score above a threshold (0.5) means yes.

    >>> float(TruePositives()([0, 1, 1], [0.9, 0.8, 0.3]))
    1.0
    """

    kind = "true_positives"


class FalsePositives(ConfusionCount):
    """How many are no and were taken for yes."""

    kind = "false_positives"


class TrueNegatives(ConfusionCount):
    """How many are no and were found to be."""

    kind = "true_negatives"


class FalseNegatives(ConfusionCount):
    """How many are yes and were taken for no."""

    kind = "false_negatives"
