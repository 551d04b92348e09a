"""The modules of the TensorFlow 2 face: `tf.nn`, `tf.linalg`, ...: functions of `ops`."""

from __future__ import annotations

import importlib
from types import ModuleType

HERE = (
    "autodiff", "config", "debugging", "dtypes", "linalg", "math", "nest", "nn", "random",
    "signal",
)  # fmt: skip
PLAIN = ("bitwise", "image", "strings")  # whose functions all stand in one module of `ops`
MODULES = {name: f"slipstream.namespaces.{name}" for name in HERE} | {
    name: f"slipstream.ops.{name}" for name in PLAIN
}


def load(name: str) -> ModuleType:
    """The namespace of a name in MODULES."""
    return importlib.import_module(MODULES[name])
