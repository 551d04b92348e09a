"""How often predictions are equal to the truth, or hold it among the best."""

from __future__ import annotations

from typing import Any

from slipstream.ir.dtypes import float32, int64
from slipstream.keras.metrics.reduction import MeanMetricWrapper
from slipstream.ops.comparison import equal
from slipstream.ops.conversion import cast
from slipstream.ops.reduction import argmax, reduce_any
from slipstream.ops.shaping import expand_dims, reshape, squeeze
from slipstream.ops.sorting import in_top_k
from slipstream.runtime.convert import convert


def accuracy(y_true: Any, y_pred: Any) -> Any:
    """1 where both are equal, else 0, for each element."""
    y_pred = convert(y_pred)
    return cast(equal(cast(convert(y_true), y_pred.dtype), y_pred), float32)


def top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5) -> Any:
    """1 where the largest of `y_true` is among the k largest of `y_pred` [..., classes], else 0.

    >>> top_k_categorical_accuracy([[0, 1, 0]], [[0.5, 0.3, 0.2]], k=2).numpy().tolist()
    [1.0]
    """
    return sparse_top_k_categorical_accuracy(argmax(convert(y_true), -1), y_pred, k)


def sparse_top_k_categorical_accuracy(
    y_true: Any, y_pred: Any, k: int = 5, from_sorted_ids: bool = False
) -> Any:
    """1 where class `y_true` [...] is among the k largest of `y_pred` [..., classes], else 0.

    With `from_sorted_ids`, `y_pred` holds classes, the best first.
    """
    y_true, y_pred = convert(y_true), convert(y_pred)
    if len(y_true.shape) == len(y_pred.shape) and y_true.shape[-1] == 1:
        y_true = squeeze(y_true, axis=-1)
    classes = cast(y_true, int64)
    if from_sorted_ids:
        hits = reduce_any(equal(expand_dims(classes, -1), cast(y_pred[..., :k], int64)), axis=-1)
        return cast(hits, float32)
    scores = reshape(y_pred, [-1, int(y_pred.shape[-1])])
    hits = in_top_k(reshape(classes, [-1]), scores, k)
    return reshape(cast(hits, float32), [int(n) for n in y_pred.shape[:-1]])


class Accuracy(MeanMetricWrapper):
    """The mean of `accuracy`: how often y_pred is equal to y_true."""

    def __init__(self, name: str = "accuracy", dtype: Any = None) -> None:
        super().__init__(accuracy, name, dtype)


class TopKCategoricalAccuracy(MeanMetricWrapper):
    """The mean of `top_k_categorical_accuracy`."""

    def __init__(
        self, k: int = 5, name: str = "top_k_categorical_accuracy", dtype: Any = None
    ) -> None:
        super().__init__(top_k_categorical_accuracy, name, dtype, k=k)


class SparseTopKCategoricalAccuracy(MeanMetricWrapper):
    """The mean of `sparse_top_k_categorical_accuracy`."""

    def __init__(
        self, k: int = 5, name: str = "sparse_top_k_categorical_accuracy", dtype: Any = None,
        from_sorted_ids: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(
            sparse_top_k_categorical_accuracy, name, dtype, k=k, from_sorted_ids=from_sorted_ids
        )
