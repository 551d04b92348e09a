"""Metrics, by class, function or name."""

from __future__ import annotations

from typing import Any

from slipstream.keras.losses import ALIASES as LOSS_ALIASES
from slipstream.keras.losses import FUNCTIONS as LOSS_FUNCTIONS
from slipstream.keras.metrics.accuracy import (
    BinaryAccuracy,
    CategoricalAccuracy,
    SparseCategoricalAccuracy,
    binary_accuracy,
    categorical_accuracy,
    sparse_categorical_accuracy,
)
from slipstream.keras.metrics.metric import Metric
from slipstream.keras.metrics.reduction import Mean, MeanMetricWrapper, Sum
from slipstream.keras.registry import get_by_name, serialize_keras_object

CLASSES = (BinaryAccuracy, CategoricalAccuracy, SparseCategoricalAccuracy, Mean, Sum, Metric)
FUNCTIONS = (binary_accuracy, categorical_accuracy, sparse_categorical_accuracy, *LOSS_FUNCTIONS)
NAMES: dict[str, Any] = {item.__name__: item for item in (*CLASSES, *FUNCTIONS)} | LOSS_ALIASES


def get(identifier: Any) -> Any:
    """A metric, or a function of examples, of a name, a config, a class, a function, or None."""
    return get_by_name(identifier, NAMES, "metric")


def serialize(metric: Any) -> Any:
    return serialize_keras_object(metric)


def deserialize(config: Any, custom_objects: Any = None) -> Any:
    return get(config)


__all__ = [
    "BinaryAccuracy",
    "CategoricalAccuracy",
    "Mean",
    "MeanMetricWrapper",
    "Metric",
    "SparseCategoricalAccuracy",
    "Sum",
    "binary_accuracy",
    "categorical_accuracy",
    "deserialize",
    "get",
    "serialize",
    "sparse_categorical_accuracy",
]
