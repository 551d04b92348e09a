"""Utilities."""

from slipstream.keras.models.cloning import clone_model
from slipstream.keras.registry import (
    custom_object_scope,
    deserialize_keras_object,
    get_custom_objects,
    register_keras_serializable,
    serialize_keras_object,
)
from slipstream.keras.utils.arrays import normalize, pad_sequences, to_categorical
from slipstream.keras.utils.files import get_file
from slipstream.keras.utils.seeding import set_random_seed
from slipstream.keras.utils.sequences import PyDataset, Sequence

CustomObjectScope = custom_object_scope
__all__ = [
    "CustomObjectScope",
    "PyDataset",
    "Sequence",
    "clone_model",
    "custom_object_scope",
    "deserialize_keras_object",
    "get_custom_objects",
    "get_file",
    "normalize",
    "pad_sequences",
    "register_keras_serializable",
    "serialize_keras_object",
    "set_random_seed",
    "to_categorical",
]
