"""Optimizers, by class or name."""

from __future__ import annotations

from typing import Any

from slipstream.keras.optimizers import legacy, schedules
from slipstream.keras.optimizers.adafactor import Adafactor
from slipstream.keras.optimizers.adam import Adam, AdamW, LazyAdam
from slipstream.keras.optimizers.adaptive import Adadelta, Adagrad, Ftrl, RMSprop
from slipstream.keras.optimizers.lion import Lion
from slipstream.keras.optimizers.moments import Adamax, Lamb, Nadam
from slipstream.keras.optimizers.optimizer import Optimizer
from slipstream.keras.optimizers.sgd import SGD
from slipstream.keras.registry import (
    deserialize_keras_object,
    get_registered_object,
    serialize_keras_object,
)

CLASSES = (
    SGD, Adadelta, Adafactor, Adagrad, Adam, AdamW, Adamax, Ftrl, Lamb, LazyAdam, Lion, Nadam,
    RMSprop,
)  # fmt: skip
NAMES: dict[str, Any] = {kind.__name__: kind for kind in CLASSES}
NAMES |= {kind.__name__.lower(): kind for kind in CLASSES}


def get(identifier: Any) -> Any:
    """An optimizer of a name (in any case), a config, a class or an object."""
    found = identifier
    if isinstance(found, dict):
        found = deserialize_keras_object(found, module_objects=NAMES)
    elif isinstance(found, str):
        found = get_registered_object(found, None, NAMES) or NAMES.get(found.lower())
    found = found() if isinstance(found, type) else found
    if not isinstance(found, Optimizer):
        raise ValueError(f"Could not interpret optimizer identifier: {identifier}")
    return found


def serialize(optimizer: Any) -> Any:
    """The configuration of an optimizer."""
    return serialize_keras_object(optimizer)


def deserialize(config: Any, custom_objects: Any = None) -> Any:
    """The optimizer of a configuration or name."""
    return get(config)


__all__ = [
    "SGD",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Ftrl",
    "Lamb",
    "LazyAdam",
    "Lion",
    "Nadam",
    "Optimizer",
    "RMSprop",
    "deserialize",
    "get",
    "legacy",
    "schedules",
    "serialize",
]
