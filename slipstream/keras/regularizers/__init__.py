"""Penalties on weights and outputs, by class or by name."""

from __future__ import annotations

from typing import Any

from slipstream.keras.naming import to_snake_case
from slipstream.keras.registry import get_by_name, serialize_keras_object
from slipstream.keras.regularizers.penalties import L1, L1L2, OrthogonalRegularizer
from slipstream.keras.regularizers.regularizer import L2, Regularizer

CLASSES = (L1, L2, L1L2, OrthogonalRegularizer)
NAMES: dict[str, Any] = {kind.__name__: kind for kind in CLASSES}
NAMES |= {to_snake_case(kind.__name__): kind for kind in CLASSES}
NAMES["l1_l2"] = L1L2
l1, l2, l1_l2, orthogonal_regularizer = L1, L2, L1L2, OrthogonalRegularizer


def get(identifier: Any) -> Any:
    """A regularizer of a name, a config, a class, a function, or None."""
    return get_by_name(identifier, NAMES, "regularizer")


def serialize(regularizer: Any) -> Any:
    """The configuration of a regularizer."""
    return serialize_keras_object(regularizer)


def deserialize(config: Any, custom_objects: Any = None) -> Any:
    """The regularizer of a configuration or name."""
    return get(config)


__all__ = [
    "L1",
    "L1L2",
    "L2",
    "OrthogonalRegularizer",
    "Regularizer",
    "deserialize",
    "get",
    "l1",
    "l1_l2",
    "l2",
    "orthogonal_regularizer",
    "serialize",
]
