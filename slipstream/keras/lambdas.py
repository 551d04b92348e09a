"""Python functions as text: the bytecode of a lambda, its defaults and its closure, as Keras' files
hold it.
"""

from __future__ import annotations

import base64
import marshal
import types
from typing import Any


def save_function(function: Any) -> dict[str, Any]:
    """`{"code": base64 of the marshalled bytecode, "defaults", "closure"}`."""
    code = base64.b64encode(marshal.dumps(function.__code__)).decode("ascii")
    cells = function.__closure__
    closure = None if cells is None else [cell.cell_contents for cell in cells]
    return {"code": code, "defaults": function.__defaults__, "closure": closure}


def load_function(saved: dict[str, Any]) -> Any:
    """The function again. Bytecode is that of one Python version: ValueError from another."""
    try:
        code = marshal.loads(base64.b64decode(saved["code"]))
    except (ValueError, EOFError, TypeError) as error:
        raise ValueError(
            "the saved lambda is bytecode of another version of Python; save the model again with "
            "a named function registered by @keras.saving.register_keras_serializable()"
        ) from error
    defaults = saved["defaults"]
    closure = saved["closure"]
    cells = None if closure is None else tuple(types.CellType(value) for value in closure)
    namespace = {"__builtins__": __builtins__}
    given = tuple(defaults) if defaults is not None else None
    return types.FunctionType(code, namespace, "<lambda>", given, cells)
