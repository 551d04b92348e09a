"""Keras: layers, models, training. Sub-modules are imported when they are first used."""

from __future__ import annotations

import importlib
from typing import Any

MODULES = (
    "activations", "backend", "callbacks", "config", "constraints", "datasets", "initializers",
    "layers", "losses", "metrics", "mixed_precision", "models", "optimizers", "preprocessing",
    "regularizers", "saving", "utils",
)  # fmt: skip
NAMES = {
    "Input": "layers",
    "InputSpec": "layers",
    "Layer": "layers",
    "Model": "models",
    "Sequential": "models",
    "Functional": "models",
    "KerasTensor": "symbolic",
    "Variable": "variables",
    "DTypePolicy": "dtype_policy",
    "Initializer": "initializers",
    "Loss": "losses",
    "Metric": "metrics",
    "Optimizer": "optimizers",
    "Regularizer": "regularizers",
}
_OWN_NAMES = {"Variable": "KerasVariable"}

__version__ = "3.0.0"
__all__ = [*MODULES, *NAMES]


def __getattr__(name: str) -> Any:
    if name in MODULES:
        return importlib.import_module(f"slipstream.keras.{name}")
    if name in NAMES:
        module = importlib.import_module(f"slipstream.keras.{NAMES[name]}")
        found = globals()[name] = getattr(module, _OWN_NAMES.get(name, name))
        return found
    raise AttributeError(f"module 'slipstream.keras' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
