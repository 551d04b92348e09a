"""Learning rates that change with the step."""

from __future__ import annotations

from typing import Any

from slipstream.keras.optimizers.schedules.cosine import CosineDecay, CosineDecayRestarts
from slipstream.keras.optimizers.schedules.decay import (
    ExponentialDecay,
    InverseTimeDecay,
    PiecewiseConstantDecay,
    PolynomialDecay,
)
from slipstream.keras.optimizers.schedules.schedule import LearningRateSchedule
from slipstream.keras.registry import deserialize_keras_object, serialize_keras_object

CLASSES: tuple[Any, ...] = (
    CosineDecay, CosineDecayRestarts, ExponentialDecay, InverseTimeDecay, PiecewiseConstantDecay,
    PolynomialDecay,
)  # fmt: skip
NAMES: dict[str, Any] = {kind.__name__: kind for kind in CLASSES}


def serialize(schedule: Any) -> Any:
    """The configuration of a schedule."""
    return serialize_keras_object(schedule)


def deserialize(config: Any, custom_objects: Any = None) -> Any:
    """The schedule of a configuration."""
    return deserialize_keras_object(config, custom_objects, module_objects=NAMES)


__all__ = [
    "CosineDecay",
    "CosineDecayRestarts",
    "ExponentialDecay",
    "InverseTimeDecay",
    "LearningRateSchedule",
    "PiecewiseConstantDecay",
    "PolynomialDecay",
    "deserialize",
    "serialize",
]
