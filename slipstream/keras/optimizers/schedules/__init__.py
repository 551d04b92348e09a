"""Learning rates that change with the step."""

from __future__ import annotations

from typing import Any

from slipstream.keras.optimizers.schedules.schedule import LearningRateSchedule
from slipstream.keras.registry import deserialize_keras_object, serialize_keras_object

CLASSES: tuple[Any, ...] = ()
NAMES: dict[str, Any] = {kind.__name__: kind for kind in CLASSES}


def serialize(schedule: Any) -> Any:
    return serialize_keras_object(schedule)


def deserialize(config: Any, custom_objects: Any = None) -> Any:
    """The schedule of a configuration."""
    return deserialize_keras_object(config, custom_objects, module_objects=NAMES)


__all__ = ["LearningRateSchedule", "deserialize", "serialize"]
