"""Functions of today under TensorFlow 1 names, called so that they add to the default graph."""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import ModuleType
from typing import Any

from slipstream.v1.graph import in_graph


def recording(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function`, whose operations are written down in the default graph."""

    @functools.wraps(function)
    def called(*args: Any, **kwargs: Any) -> Any:
        with in_graph():
            return function(*args, **kwargs)

    return called


class RecordingModule:
    """A namespace whose functions add to the default graph; `renamed` ones come first."""

    def __init__(self, module: ModuleType, renamed: dict[str, Any] | None = None) -> None:
        self._module, self._renamed = module, renamed or {}
        self.__doc__ = module.__doc__

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        found = self._renamed.get(name) or getattr(self._module, name)
        made = wrapped(found)
        setattr(self, name, made)
        return made

    def __dir__(self) -> list[str]:
        return sorted({*dir(self._module), *self._renamed})


def wrapped(found: Any) -> Any:
    """A function recording, a namespace of recording functions, anything else as it is."""
    if isinstance(found, ModuleType):
        return RecordingModule(found)
    plain = callable(found) and not isinstance(found, type)
    return recording(found) if plain else found
