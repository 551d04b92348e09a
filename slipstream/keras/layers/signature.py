"""How a layer's `call` takes its arguments: which are tensors, whether it asks for training and
masks.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any


class Signature:
    """The parameters of one `call` or `build` method."""

    def __init__(self, method: Callable[..., Any]) -> None:
        parameters = list(inspect.signature(method).parameters.values())
        if parameters and parameters[0].name == "self":
            parameters = parameters[1:]
        plain = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.POSITIONAL_ONLY)
        self.positional = [p.name for p in parameters if p.kind in plain]
        self.names = [p.name for p in parameters if p.kind.name not in _COLLECTING]
        self.takes_any = any(p.kind.name == "VAR_KEYWORD" for p in parameters)
        self.defaults = {p.name: p.default for p in parameters if p.default is not p.empty}
        self.has_training = "training" in self.names
        self.mask_names = [n for n in self.names if n == "mask" or n.endswith("_mask")]

    def bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """The arguments by name, in order; those of `*args` by their number."""
        bound: dict[str, Any] = {}
        for number, value in enumerate(args):
            known = number < len(self.positional)
            bound[self.positional[number] if known else f"arg_{number}"] = value
        return bound | kwargs


_COLLECTING = ("VAR_POSITIONAL", "VAR_KEYWORD")


@functools.lru_cache(maxsize=4096)
def signature_of(function: Callable[..., Any]) -> Signature:
    """The signature of a method as its class has it."""
    return Signature(function)
