"""Base of constraints, and weights that are not negative."""

from __future__ import annotations

from typing import Any

from slipstream.ops.activations import relu
from slipstream.runtime.convert import convert


class Constraint:
    """`constraint(w)` gives the weights projected onto what is allowed."""

    def __call__(self, w: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} does not override __call__")

    def get_config(self) -> dict[str, Any]:
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        return cls(**config)


class NonNeg(Constraint):
    """Negative weights become 0."""

    def __call__(self, w: Any) -> Any:
        return relu(convert(w))
