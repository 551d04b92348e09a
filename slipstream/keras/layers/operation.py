"""An operation on KerasTensors becomes a layer: `x + y`, `x[:, 0]`, `tf.nn.relu(x)`."""

from __future__ import annotations

import importlib
from typing import Any

from slipstream.keras.layers.layer import Layer
from slipstream.keras.layers.operation_names import function_of, place_of
from slipstream.keras.naming import auto_name
from slipstream.keras.registry import OPERATION_READERS, public_module, serialize_keras_object
from slipstream.keras.symbolic import KerasTensor
from slipstream.ops import arithmetic, comparison
from slipstream.ops.indexing import getitem
from slipstream.ops.linear import matmul
from slipstream.primitives.base import REGISTRY, Primitive
from slipstream.runtime.dispatch import OPERATIONS

OPERATORS: dict[str, Any] = {
    "add": arithmetic.add,
    "subtract": arithmetic.subtract,
    "multiply": arithmetic.multiply,
    "divide": arithmetic.truediv,
    "floordiv": arithmetic.floordiv,
    "mod": arithmetic.floormod,
    "pow": arithmetic.pow,
    "matmul": matmul,
    "less": comparison.less,
    "less_equal": comparison.less_equal,
    "greater": comparison.greater,
    "greater_equal": comparison.greater_equal,
    "and": comparison.logical_and,
    "or": comparison.logical_or,
    "invert": comparison.logical_not,
    "negative": arithmetic.negative,
    "abs": arithmetic.abs,
    "getitem": getitem,
}
OPERATIONS_PACKAGE = "slipstream.ops."


class OperationLayer(Layer):
    """A function of slipstream as a layer; its arguments that are no KerasTensors stay as given."""

    converts_inputs = False

    def __init__(self, function: Any, given: dict[str, Any] | None = None, **options: Any) -> None:
        function = function_named(function) if isinstance(function, str) else function
        options.setdefault("name", None)
        if options["name"] is None:
            options["name"] = _layer_name(function)
        super().__init__(**options)
        self.function, self.given = function, dict(given or {})
        self.built = self.supports_masking = True

    def call(self, *args: Any, **kwargs: Any) -> Any:
        if self.function is getitem and isinstance(args[1], list):
            args = (args[0], tuple(args[1]))  # a file has no tuples
        return self.function(*args, **kwargs, **self.given)

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """None: what an operation does to a mask is not known."""
        return None

    def get_config(self) -> dict[str, Any]:
        config = {"name": self.name, "function": name_of_function(self.function)}
        return config | {"given": self.given} if self.given else config

    def serialized(self) -> dict[str, Any]:
        """As Keras' files have the operation, if they have it."""
        module, name = place_of(self.function) or (public_module(OperationLayer), "OperationLayer")
        ours = name == "OperationLayer"
        return {
            "module": module,
            "class_name": name,
            "config": serialize_keras_object(self.get_config() if ours else {"name": self.name}),
            "registered_name": None if ours else name,
        }

    @classmethod
    def from_keras(cls, name: str, config: dict[str, Any]) -> OperationLayer | None:
        """The layer of an operation of Keras; None if there is no such operation here."""
        found = function_of(name, config)
        return None if found is None else cls(*found, name=config.get("name"))


def _layer_name(function: Any) -> str:
    return auto_name(getattr(function, "name", None) or function.__name__)


def name_of_function(function: Any) -> str:
    """'arithmetic.add', or 'primitive.add' for a primitive."""
    if isinstance(function, Primitive):
        return f"primitive.{function.name}"
    return f"{function.__module__.removeprefix(OPERATIONS_PACKAGE)}.{function.__name__}"


def function_named(name: str) -> Any:
    """The operation of such a name. ValueError if there is none: a file names nothing else."""
    module, _, function = name.partition(".")
    if module == "primitive" and function in REGISTRY:
        return REGISTRY[function]
    try:
        found = getattr(importlib.import_module(OPERATIONS_PACKAGE + module), function)
    except (ModuleNotFoundError, AttributeError):
        found = None
    if not callable(found) or found not in OPERATIONS:
        raise ValueError(f"Unknown operation {name!r} in the configuration of a model")
    return found


def operation_layer(function: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """A layer of the function, called with these arguments."""
    given = {k: v for k, v in kwargs.items() if k != "name"}
    return OperationLayer(function, name=kwargs.get("name"))(*args, **given)


OPERATION_READERS.append(OperationLayer.from_keras)
KerasTensor.hooks["operation"] = operation_layer
KerasTensor.hooks["operator"] = lambda name, args: operation_layer(OPERATORS[name], args, {})
