"""What weights must keep to after each step, by class or by name."""

from __future__ import annotations

from typing import Any

from slipstream.keras.constraints.constraint import Constraint, NonNeg
from slipstream.keras.constraints.norms import MaxNorm, MinMaxNorm, UnitNorm
from slipstream.keras.naming import to_snake_case
from slipstream.keras.registry import get_by_name, serialize_keras_object

CLASSES = (MaxNorm, MinMaxNorm, NonNeg, UnitNorm)
NAMES: dict[str, Any] = {kind.__name__: kind for kind in CLASSES}
NAMES |= {to_snake_case(kind.__name__): kind for kind in CLASSES}
max_norm, min_max_norm, non_neg, unit_norm = MaxNorm, MinMaxNorm, NonNeg, UnitNorm


def get(identifier: Any) -> Any:
    """A constraint of a name, a config, a class, a function, or None."""
    return get_by_name(identifier, NAMES, "constraint")


def serialize(constraint: Any) -> Any:
    """The configuration of a constraint."""
    return serialize_keras_object(constraint)


def deserialize(config: Any, custom_objects: Any = None) -> Any:
    """The constraint of a configuration or name."""
    return get(config)


__all__ = [
    "Constraint",
    "MaxNorm",
    "MinMaxNorm",
    "NonNeg",
    "UnitNorm",
    "deserialize",
    "get",
    "max_norm",
    "min_max_norm",
    "non_neg",
    "serialize",
    "unit_norm",
]
