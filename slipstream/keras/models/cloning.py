"""Models of the same configuration."""

from __future__ import annotations

import json
from typing import Any

from slipstream.keras.models.functional import Functional
from slipstream.keras.models.sequential import Sequential
from slipstream.keras.registry import deserialize_keras_object


def clone_model(model: Any, input_tensors: Any = None, clone_function: Any = None) -> Any:
    """A model of the same layers with new weights, as if made again.

    `clone_function(layer)` may make other layers in their place.
    """
    if not isinstance(model, (Functional, Sequential)):
        return type(model).from_config(model.get_config())
    if clone_function is None:
        return type(model).from_config(model.get_config())
    if isinstance(model, Sequential):
        begin = [model._functional.layers[0]] if model._functional is not None else []
        made = [type(b).from_config(b.get_config()) for b in begin]
        return Sequential([*made, *map(clone_function, model.layers)], name=model.name)
    raise ValueError("clone_function is for Sequential models; make others from their config")


def model_from_json(json_string: str, custom_objects: Any = None) -> Any:
    """The model of `to_json`, with new weights."""
    return deserialize_keras_object(json.loads(json_string), custom_objects)
