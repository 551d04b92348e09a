"""`tf.data.experimental`: names that programs before TensorFlow 2.5 know by this module."""

from __future__ import annotations

from typing import Any

from slipstream.data.dataset import AUTOTUNE, INFINITE_CARDINALITY, UNKNOWN_CARDINALITY, Dataset


def cardinality(dataset: Dataset) -> Any:
    """How many elements, as an int64 tensor; -1 is infinite, -2 unknown."""
    return dataset.cardinality()


__all__ = ["AUTOTUNE", "INFINITE_CARDINALITY", "UNKNOWN_CARDINALITY", "cardinality"]
