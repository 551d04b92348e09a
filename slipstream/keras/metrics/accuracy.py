"""How often the predicted class is the right one."""

from __future__ import annotations

from typing import Any

from slipstream.ir.dtypes import float32, int64
from slipstream.keras.metrics.reduction import MeanMetricWrapper
from slipstream.ops.comparison import equal, greater
from slipstream.ops.conversion import cast
from slipstream.ops.reduction import argmax, reduce_mean
from slipstream.ops.shaping import squeeze
from slipstream.runtime.convert import convert


def binary_accuracy(y_true: Any, y_pred: Any, threshold: float = 0.5) -> Any:
    """How many along the last axis are on the right side of the threshold."""
    y_pred = convert(y_pred)
    predicted = cast(greater(y_pred, threshold), y_pred.dtype)
    return reduce_mean(
        cast(equal(cast(convert(y_true), y_pred.dtype), predicted), float32), axis=-1
    )


def categorical_accuracy(y_true: Any, y_pred: Any) -> Any:
    """1 where the largest of `y_pred` [..., classes] is the largest of `y_true`, else 0."""
    return cast(equal(argmax(convert(y_true), -1), argmax(convert(y_pred), -1)), float32)


def sparse_categorical_accuracy(y_true: Any, y_pred: Any) -> Any:
    """1 where the largest of `y_pred` [..., classes] is the class `y_true` [...], else 0."""
    y_true, y_pred = convert(y_true), convert(y_pred)
    if len(y_true.shape) == len(y_pred.shape) and y_true.shape[-1] == 1:
        y_true = squeeze(y_true, axis=-1)
    return cast(equal(cast(y_true, int64), argmax(y_pred, -1)), float32)


class BinaryAccuracy(MeanMetricWrapper):
    """The mean of `binary_accuracy`."""

    def __init__(
        self, name: str = "binary_accuracy", dtype: Any = None, threshold: float = 0.5
    ) -> None:
        super().__init__(binary_accuracy, name, dtype, threshold=threshold)


class CategoricalAccuracy(MeanMetricWrapper):
    """The mean of `categorical_accuracy`."""

    def __init__(self, name: str = "categorical_accuracy", dtype: Any = None) -> None:
        super().__init__(categorical_accuracy, name, dtype)


class SparseCategoricalAccuracy(MeanMetricWrapper):
    """The mean of `sparse_categorical_accuracy`."""

    def __init__(self, name: str = "sparse_categorical_accuracy", dtype: Any = None) -> None:
        super().__init__(sparse_categorical_accuracy, name, dtype)
