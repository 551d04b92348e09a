"""Slipstream: TensorFlow and Keras programs, compiled. `import slipstream as tf`.

The names are TensorFlow 2's. `tf.keras`, `tf.data`, `tf.compat.v1` and the larger namespaces are
loaded when they are first used.
"""

from __future__ import annotations

import importlib
from typing import Any

from slipstream import errors, namespaces
from slipstream.ir.dtypes import (
    DType,
    as_dtype,
    bfloat16,
    complex64,
    complex128,
    float16,
    float32,
    float64,
    int8,
    int16,
    int32,
    int64,
    string,
    uint8,
    uint16,
    uint32,
    uint64,
)
from slipstream.ir.dtypes import bool_ as bool
from slipstream.ir.dtypes import float16 as half
from slipstream.ir.dtypes import float64 as double
from slipstream.namespaces.top import *  # noqa: F403
from slipstream.runtime.convert import is_tensor
from slipstream.runtime.device import device
from slipstream.runtime.function import TensorSpec, function
from slipstream.runtime.module import Module, scope_of
from slipstream.runtime.program import is_eager as executing_eagerly
from slipstream.runtime.shape import TensorShape
from slipstream.runtime.slices import IndexedSlices
from slipstream.runtime.tape import GradientTape, UnconnectedGradients, custom_gradient
from slipstream.runtime.tensor import Tensor
from slipstream.runtime.tracer import outside_trace as init_scope
from slipstream.runtime.variable import Variable

__version__ = "0.1.0"
name_scope = scope_of
_MODULES = namespaces.MODULES | {
    "compat": "slipstream.compat",
    "data": "slipstream.data",
    "keras": "slipstream.keras",
    **{n: f"slipstream.keras.{n}" for n in ("initializers", "losses", "metrics", "optimizers")},
    "v1": "slipstream.v1",
}


_INITIALIZERS = {
    "constant_initializer": "Constant",
    "ones_initializer": "Ones",
    "random_normal_initializer": "RandomNormal",
    "random_uniform_initializer": "RandomUniform",
    "zeros_initializer": "Zeros",
}


def __getattr__(name: str) -> Any:
    """A namespace or initializer, loaded when it is first used."""
    if name in _INITIALIZERS:
        initializers = importlib.import_module("slipstream.keras.initializers")
        return getattr(initializers, _INITIALIZERS[name])
    if name not in _MODULES:
        raise AttributeError(f"module 'slipstream' has no attribute {name!r}")
    found = globals()[name] = importlib.import_module(_MODULES[name])
    return found
