"""Names of operations: scopes, and unique names within a graph."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_OPERATOR_NAMES = {"multiply": "mul", "subtract": "sub", "divide": "truediv", "power": "pow"}
_FUNCTION_NAMES = {
    "constant": "Const",
    "matmul": "MatMul",
    "argmax": "ArgMax",
    "argmin": "ArgMin",
    "reduce_sum": "Sum",
    "reduce_mean": "Mean",
    "reduce_max": "Max",
    "reduce_min": "Min",
    "reduce_prod": "Prod",
    "reduce_all": "All",
    "reduce_any": "Any",
}


def default_name(function: Callable[..., Any]) -> str:
    """What a step is called without a name of its own: operators as in TensorFlow, functions as
    there or by their names in capitals, as expand_dims -> ExpandDims."""
    name = getattr(function, "name", None)
    if isinstance(name, str):
        return _OPERATOR_NAMES.get(name, name)
    function_name = getattr(function, "__name__", "operation")
    if function_name in _FUNCTION_NAMES:
        return _FUNCTION_NAMES[function_name]
    words = function_name.strip("_").split("_")
    return "".join(word[:1].upper() + word[1:] for word in words)


class NameScopes:
    """The scopes entered now, and the names given already."""

    def __init__(self) -> None:
        self.prefix = ""
        self._used: dict[str, int] = {}

    def unique(self, name: str, mark: bool = True) -> str:
        """`name` within the current scope, with _1, _2, ... if it is taken; 'x/' is x itself."""
        if name.endswith("/"):
            return name[:-1]
        full = self.prefix + name
        count = self._used.get(full.lower(), 0)
        if mark:
            self._used[full.lower()] = count + 1
        if not count:
            return full
        numbered = f"{full}_{count}"
        if mark:
            self._used[numbered.lower()] = 1
        return numbered

    @contextmanager
    def inside(self, name: str | None) -> Iterator[str]:
        """Within the block names begin with that of the scope; None or '' leaves all scopes."""
        outer = self.prefix
        if not name:
            self.prefix = ""
        elif name.endswith("/"):
            self.prefix = name
        else:
            self.prefix = self.unique(name) + "/"
        try:
            yield self.prefix
        finally:
            self.prefix = outer
