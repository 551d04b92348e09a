"""Objects by name, and objects as plain data: what `get("relu")`, saving and cloning share.

Plain data of an object is `{"module", "class_name", "config", "registered_name"}`, as in `.keras`
files.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FunctionType
from typing import Any

import numpy as np

from slipstream.ir.dtypes import DType, as_dtype
from slipstream.keras.lambdas import load_function, save_function
from slipstream.runtime.convert import convert
from slipstream.runtime.function import TensorSpec
from slipstream.runtime.tensor import Tensor

PACKAGE = "slipstream.keras."
PLAIN = (str, int, float, bool, type(None))
MODULES = {"models": "keras", "dtype_policy": "keras"}  # others go by the name of their folder

_custom: dict[str, Any] = {}
_names: dict[Any, str] = {}


# registering


def register_keras_serializable(
    package: str = "Custom", name: str | None = None
) -> Callable[[Any], Any]:
    """Decorator: the class or function is found as 'package>name' when a file is loaded."""

    def decorate(item: Any) -> Any:
        if isinstance(item, type) and not hasattr(item, "get_config"):
            raise ValueError(
                f"Cannot register a class that does not have a get_config() method: {item}"
            )
        registered = f"{package}>{name or item.__name__}"
        _custom[registered] = item
        _names[item] = registered
        return item

    return decorate


def get_custom_objects() -> dict[str, Any]:
    """The dictionary of names that loading looks in."""
    return _custom


def get_registered_name(item: Any) -> str:
    """'package>name' of a registered class or function, else its own name."""
    return _names.get(item) or str(item.__name__)


def get_registered_object(name: str, custom_objects: Any = None, module_objects: Any = None) -> Any:
    """The class or function of a name, or None."""
    for table in (_custom, custom_objects or {}, module_objects or {}):
        if name in table:
            return table[name]
    return None


@contextmanager
def custom_object_scope(*objects: Mapping[str, Any]) -> Iterator[None]:
    """Within the block these names are known: `custom_object_scope({"MyLayer": MyLayer})`."""
    before = dict(_custom)
    for table in objects:
        _custom.update(table or {})
    try:
        yield
    finally:
        _custom.clear()
        _custom.update(before)


# looking up


def get_by_name(identifier: Any, table: Mapping[str, Any], kind: str) -> Any:
    """What `keras.losses.get` and its like do: None, an object, a name or a config.

    A class is called without arguments. ValueError for a name that is not known.
    """
    if identifier is None:
        return None
    if isinstance(identifier, dict):
        found = deserialize_keras_object(identifier, module_objects=table)
    elif isinstance(identifier, str):
        found = get_registered_object(identifier, None, table)
    else:
        found = identifier
    if isinstance(found, type):
        found = found()
    if found is None or not callable(found):
        raise ValueError(f"Could not interpret {kind} identifier: {identifier}")
    return found


# to plain data


def serialize_keras_object(item: Any) -> Any:
    """Plain data that `deserialize_keras_object` makes the object of."""
    if isinstance(item, PLAIN):
        return item
    if isinstance(item, (list, tuple)):
        return [serialize_keras_object(part) for part in item]
    if isinstance(item, Mapping):
        return {key: serialize_keras_object(value) for key, value in item.items()}
    value = _serialized_value(item)
    if value is not None:
        return value
    if isinstance(item, FunctionType) and item.__name__ == "<lambda>":
        return {"class_name": "__lambda__", "config": {"value": save_function(item)}}
    return _serialized_object(item)


def _serialized_value(item: Any) -> Any:
    """Slices, numbers, arrays, dtypes; None for anything else."""
    if isinstance(item, slice):
        ends = {"start": item.start, "stop": item.stop, "step": item.step}
        return {"class_name": "__slice__", "config": serialize_keras_object(ends)}
    if item is Ellipsis:
        return {"class_name": "__ellipsis__", "config": {}}
    if isinstance(item, DType):
        return item.name
    if isinstance(item, (np.generic, np.dtype)):
        return item.item() if isinstance(item, np.generic) else item.name
    if isinstance(item, bytes):
        return {"class_name": "__bytes__", "config": {"value": item.decode()}}
    if isinstance(item, np.ndarray | Tensor):
        kind = "__numpy__" if isinstance(item, np.ndarray) else "__tensor__"
        array = np.asarray(item)
        facts = {"value": array.tolist(), "dtype": as_dtype(array.dtype).name}
        return {"class_name": kind, "config": facts}
    if isinstance(item, TensorSpec):
        facts = {"shape": list(item.shape or ()), "dtype": item.dtype.name, "name": item.name}
        return {"class_name": "TypeSpec", "spec_name": "TensorSpec", "config": facts}
    return None


def _serialized_object(item: Any) -> dict[str, Any]:
    whole = getattr(item, "serialized", None)
    if whole is not None:
        return dict(whole())
    named = isinstance(item, (type, FunctionType)) or not hasattr(item, "get_config")
    kind = item if named else type(item)
    if not isinstance(kind, (type, FunctionType)) and not callable(kind):
        raise TypeError(f"Cannot serialize object {item} of type {type(item)}: no get_config()")
    module = public_module(kind)
    built_in = module is not None
    if named:
        return _serialized_function(kind)
    data: dict[str, Any] = {
        "module": module if built_in else kind.__module__,
        "class_name": vars(kind).get("public_name", kind.__name__),
        "config": _plain(item.get_config()),
        "registered_name": None if built_in else get_registered_name(kind),
    } | vars(kind).get("saved_as", {})
    if hasattr(item, "get_build_config") and (build := item.get_build_config()):
        data["build_config"] = _plain(build)
    if hasattr(item, "get_compile_config") and (compiled := item.get_compile_config()):
        data["compile_config"] = _plain(compiled)
    return data


def _serialized_function(function: Any) -> dict[str, Any]:
    registered = _names.get(function, "function")
    name = function.__name__ if registered == "function" else registered
    data = {"module": "builtins", "class_name": "function", "config": name}
    return data | {"registered_name": registered}


def _plain(config: Mapping[str, Any]) -> dict[str, Any]:
    return {key: serialize_keras_object(value) for key, value in config.items()}


def public_module(kind: Any) -> str | None:
    """'keras.layers' for a class of `slipstream.keras.layers`; None for classes of users."""
    module = str(getattr(kind, "__module__", ""))
    if not module.startswith(PACKAGE):
        return None
    if module.startswith(f"{PACKAGE}optimizers.schedules"):
        return "keras.optimizers.schedules"
    if module == f"{PACKAGE}models.functional":  # which Keras has no public name for
        return "keras.src.models.functional"
    folder = module.split(".")[2]
    return MODULES.get(folder, f"keras.{folder}")


# from plain data


def deserialize_keras_object(
    config: Any,
    custom_objects: Mapping[str, Any] | None = None,
    safe_mode: bool | None = None,
    *,
    module_objects: Mapping[str, Any] | None = None,
) -> Any:
    """The object of plain data. ValueError or TypeError where a class is not known.

    `module_objects` are further names to look in; `safe_mode` refuses Python code (lambdas);
    without it
    the mode is that of the object around.
    """
    safe_mode = SAFE_MODE[0] if safe_mode is None else safe_mode
    with custom_object_scope(custom_objects or {}):
        return _deserialized(config, safe_mode, module_objects or {})


def _deserialized(config: Any, safe_mode: bool, table: Mapping[str, Any]) -> Any:
    if isinstance(config, PLAIN):
        found = table.get(config) if isinstance(config, str) else None
        if isinstance(config, str) and found is None:
            found = _custom.get(config)
        if isinstance(found, type):
            return found()
        return config if found is None else found
    if isinstance(config, (list, tuple)):
        return [_deserialized(part, safe_mode, table) for part in config]
    if not isinstance(config, Mapping):
        raise TypeError(f"Could not parse config: {config}")
    if "class_name" not in config:
        return {key: _deserialized(value, safe_mode, table) for key, value in config.items()}
    special = _SPECIAL.get(config["class_name"])
    if special is not None:
        return special(config, safe_mode, table)
    if config["class_name"] == "function":
        return _function_of(config, table)
    if "config" not in config:
        return {key: _deserialized(value, safe_mode, table) for key, value in config.items()}
    return _object_of(config, safe_mode, table)


def _tuple_of(config: Any, safe_mode: bool, table: Mapping[str, Any]) -> Any:
    return tuple(_deserialized(part, safe_mode, table) for part in config["items"])


def _slice_of(config: Any, safe_mode: bool, table: Mapping[str, Any]) -> Any:
    ends = config["config"]
    return slice(ends["start"], ends["stop"], ends["step"])


def _array_of(config: Any, safe_mode: bool, table: Mapping[str, Any]) -> Any:
    facts = config["config"]
    return np.array(facts["value"], as_dtype(facts["dtype"]).numpy)


def _lambda_of(config: Any, safe_mode: bool, table: Mapping[str, Any]) -> Any:
    if safe_mode:
        raise ValueError(
            "Requested the deserialization of a `lambda` object. This carries a potential risk of "
            "arbitrary code execution and thus it is disallowed by default. If you trust the "
            "source of the saved model, you can pass `safe_mode=False` to the loading function "
            "in order to allow it, or call `keras.config.enable_unsafe_deserialization()`."
        )
    return load_function(config["config"]["value"])


def _spec_of(config: Any, safe_mode: bool, table: Mapping[str, Any]) -> Any:
    facts = config["config"]
    return TensorSpec(facts["shape"], facts["dtype"], facts.get("name"))


_SPECIAL: dict[str, Callable[[Any, bool, Mapping[str, Any]], Any]] = {
    "__tuple__": _tuple_of,
    "__slice__": _slice_of,
    "__ellipsis__": lambda config, safe, table: Ellipsis,
    "__numpy__": _array_of,
    "__tensor__": lambda config, safe, table: convert(_array_of(config, safe, table)),
    "__bytes__": lambda config, safe, table: config["config"]["value"].encode(),
    "__lambda__": _lambda_of,
    "TypeSpec": _spec_of,
}


def _function_of(config: Any, table: Mapping[str, Any]) -> Any:
    name, registered = config["config"], config.get("registered_name")
    found = _custom.get(registered) or get_registered_object(name, None, table)
    if found is None:
        found = _public_function(name)
    if found is None:
        raise TypeError(_unknown("function", name))
    return found


def _public_function(name: str) -> Any:
    for folder in ("activations", "losses", "metrics"):
        found = getattr(importlib.import_module(f"{PACKAGE}{folder}"), name, None)
        if found is not None:
            return found
    return None


def _object_of(config: Any, safe_mode: bool, table: Mapping[str, Any]) -> Any:
    if str(config.get("module")).startswith("keras.src.ops."):
        return _operation_of(config)
    kind = _class_of(config, table)
    if not hasattr(kind, "from_config"):
        raise TypeError(f"{kind} has no `from_config()` class method; cannot deserialize {config}")
    facts = config["config"]
    with _safety(safe_mode):
        try:
            made = kind.from_config(facts if isinstance(facts, dict) else dict(facts))
        except TypeError as error:
            raise TypeError(
                f"{kind} could not be deserialized properly. Please ensure that components that "
                "are Python object instances (layers, models, etc.) returned by `get_config()` "
                f"are explicitly deserialized in the model's `from_config()` method.\n\n"
                f"config={config}\n\nException encountered: {error}"
            ) from error
        if config.get("build_config") and hasattr(made, "build_from_config"):
            made.build_from_config(_deserialized(config["build_config"], safe_mode, {}))
        if config.get("compile_config") and hasattr(made, "compile_from_config"):
            made.compile_from_config(config["compile_config"])
    return made


OPERATION_READERS: list[Callable[[str, dict[str, Any]], Any]] = []  # set by layers/operation.py


def _operation_of(config: Any) -> Any:
    """The layer of an operation in a functional model."""
    for read in OPERATION_READERS:
        made = read(config["class_name"], config["config"])
        if made is not None:
            return made
    raise TypeError(_unknown("operation", config["class_name"]))


SAFE_MODE = [True]


@contextmanager
def _safety(safe_mode: bool) -> Iterator[None]:
    """Within the block, nested objects are loaded by the same rule."""
    outer, SAFE_MODE[0] = SAFE_MODE[0], safe_mode
    try:
        yield
    finally:
        SAFE_MODE[0] = outer


def _class_of(config: Any, table: Mapping[str, Any]) -> Any:
    name, module = config["class_name"], config.get("module") or ""
    for key in (config.get("registered_name"), name):
        if key and key in _custom:
            return _custom[key]
    if name in table:
        return table[name]
    if module == "keras" or module.startswith("keras."):
        found = _built_in(module, name)
    else:  # a class of the user's program: only modules that the program has imported itself
        found = getattr(sys.modules.get(module), name, None)
    if found is None:
        raise TypeError(_unknown("class", name, config))
    return found


def _built_in(module: str, name: str) -> Any:
    parts = [p for p in module.split(".")[1:] if p != "src"]
    for folder in (".".join(parts) or "models", *parts[:1], "models", "layers", "dtype_policy"):
        try:
            found = getattr(importlib.import_module(PACKAGE + folder), name, None)
        except ModuleNotFoundError:
            continue
        if found is not None:
            return found
    return None


def _unknown(sort: str, name: str, config: Any = None) -> str:
    text = (
        f"Could not locate {sort} '{name}'. Make sure custom classes and functions are decorated "
        "with `@keras.saving.register_keras_serializable()`, or pass them as `custom_objects`."
    )
    return f"{text} Full object config: {config}" if config is not None else text
