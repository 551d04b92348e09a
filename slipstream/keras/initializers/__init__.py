"""Initializers of weights, by class or by name."""

from __future__ import annotations

from typing import Any

from slipstream.keras.initializers.constant import Constant, Ones, Zeros
from slipstream.keras.initializers.initializer import Initializer, RandomInitializer
from slipstream.keras.initializers.matrices import Identity, Orthogonal
from slipstream.keras.initializers.random import RandomNormal, RandomUniform, TruncatedNormal
from slipstream.keras.initializers.scaling import (
    GlorotNormal,
    GlorotUniform,
    HeNormal,
    HeUniform,
    LecunNormal,
    LecunUniform,
    VarianceScaling,
)
from slipstream.keras.naming import to_snake_case
from slipstream.keras.registry import get_by_name, serialize_keras_object

CLASSES = (
    Constant, GlorotNormal, GlorotUniform, HeNormal, HeUniform, Identity, LecunNormal, LecunUniform,
    Ones, Orthogonal, RandomNormal, RandomUniform, TruncatedNormal, VarianceScaling, Zeros,
)  # fmt: skip
ALIASES = {
    "IdentityInitializer": Identity,
    "OrthogonalInitializer": Orthogonal,
    "normal": RandomNormal,
    "one": Ones,
    "uniform": RandomUniform,
    "zero": Zeros,
}
NAMES: dict[str, Any] = {kind.__name__: kind for kind in CLASSES} | ALIASES
NAMES |= {to_snake_case(kind.__name__): kind for kind in CLASSES}

constant, ones, zeros, identity, orthogonal = Constant, Ones, Zeros, Identity, Orthogonal
random_normal, random_uniform = RandomNormal, RandomUniform
truncated_normal, variance_scaling = TruncatedNormal, VarianceScaling
glorot_normal, glorot_uniform, he_normal, he_uniform = (
    GlorotNormal, GlorotUniform, HeNormal, HeUniform,
)  # fmt: skip
lecun_normal, lecun_uniform = LecunNormal, LecunUniform
IdentityInitializer, OrthogonalInitializer = Identity, Orthogonal


def get(identifier: Any) -> Any:
    """An initializer of a name, a config, a class, a function, an array, or None."""
    if hasattr(identifier, "__array__"):
        return Constant(identifier)
    return get_by_name(identifier, NAMES, "initializer")


def serialize(initializer: Any) -> Any:
    """The configuration of an initializer."""
    return serialize_keras_object(initializer)


def deserialize(config: Any, custom_objects: Any = None) -> Any:
    """The initializer of a configuration or name."""
    return get(config)


__all__ = [
    "Constant",
    "GlorotNormal",
    "GlorotUniform",
    "HeNormal",
    "HeUniform",
    "Identity",
    "IdentityInitializer",
    "Initializer",
    "LecunNormal",
    "LecunUniform",
    "Ones",
    "Orthogonal",
    "OrthogonalInitializer",
    "RandomInitializer",
    "RandomNormal",
    "RandomUniform",
    "TruncatedNormal",
    "VarianceScaling",
    "Zeros",
    "constant",
    "deserialize",
    "get",
    "glorot_normal",
    "glorot_uniform",
    "he_normal",
    "he_uniform",
    "identity",
    "lecun_normal",
    "lecun_uniform",
    "ones",
    "orthogonal",
    "random_normal",
    "random_uniform",
    "serialize",
    "truncated_normal",
    "variance_scaling",
    "zeros",
]
