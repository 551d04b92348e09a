"""`tf.Module`: an object that finds its variables in its attributes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from slipstream.runtime.variable import Variable


class Module:
    """Base of objects that hold variables, and other modules, in attributes, lists and
    dictionaries.

    >>> class Dense(Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.w = Variable([1.0, 2.0], name="w")
    >>> [v.name for v in Dense().variables]
    ['w:0']
    """

    def __init__(self, name: str | None = None) -> None:
        if name is not None and not name.isidentifier():
            raise ValueError(f"{name!r} is not a valid module name: no Python identifier")
        self._name = name or snake_case(type(self).__name__)

    @property
    def name(self) -> str:
        return self._name

    @property
    def name_scope(self) -> Any:
        return scope_of(self._name)

    @property
    def variables(self) -> tuple[Variable, ...]:
        """Every variable of this module and those in it, attributes by name."""
        return self._flatten(lambda item: isinstance(item, Variable))

    @property
    def trainable_variables(self) -> tuple[Variable, ...]:
        return self._flatten(lambda item: isinstance(item, Variable) and item.trainable)

    @property
    def non_trainable_variables(self) -> tuple[Variable, ...]:
        return self._flatten(lambda item: isinstance(item, Variable) and not item.trainable)

    @property
    def submodules(self) -> tuple[Module, ...]:
        return self._flatten(lambda item: isinstance(item, Module))

    def _flatten(self, wanted: Callable[[Any], bool]) -> tuple[Any, ...]:
        seen: dict[int, Any] = {id(self): None}
        return tuple(item for item in _walk(self, seen) if wanted(item))

    @classmethod
    def with_name_scope(cls, method: Callable[..., Any]) -> Callable[..., Any]:
        """A method, as it is: names of variables come from where they are made."""
        return method


def _walk(item: Any, seen: dict[int, Any]) -> Iterator[Any]:
    """Variables and modules reachable from an item, each once, breadth first."""
    waiting = list(_parts(item))
    while waiting:
        part = waiting.pop(0)
        if id(part) in seen:
            continue
        seen[id(part)] = part
        if isinstance(part, (Variable, Module)):
            yield part
        waiting += _parts(part)


def _parts(item: Any) -> list[Any]:
    if isinstance(item, Module):
        return [value for _, value in sorted(vars(item).items())]
    if isinstance(item, Mapping):
        return list(item.values())
    return list(item) if isinstance(item, (list, tuple)) else []


def snake_case(name: str) -> str:
    """'DenseLayer' as 'dense_layer'."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


@contextmanager
def scope_of(name: str) -> Iterator[str]:
    """A name scope of eager programs: a name, and nothing else."""
    yield f"{name}/"
