"""Base of regularizers, and the sum of squares."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from slipstream.ops.arithmetic import square
from slipstream.ops.reduction import reduce_sum


class Regularizer:
    """`regularizer(x)` gives a scalar to be made small."""

    def __call__(self, x: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} does not override __call__")

    def get_config(self) -> dict[str, Any]:
        """The arguments the regularizer can be made again with."""
        raise NotImplementedError(f"{type(self).__name__} does not implement get_config()")

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        return cls(**config)


def penalty(name: str, value: Any, otherwise: float) -> float:
    """The factor of a penalty, `otherwise` for None. ValueError unless it is finite and >= 0."""
    if value is None:
        return otherwise
    number = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
    if not number or not 0 <= float(value) < math.inf:
        raise ValueError(
            f"Invalid value for argument {name}: expected a non-negative float. "
            f"Received: {name}={value}"
        )
    return float(value)


class L2(Regularizer):
    """l2 * sum(x²).

    >>> float(L2(0.5)([1.0, 2.0]))
    2.5
    """

    def __init__(self, l2: float = 0.01) -> None:
        self.l2 = penalty("l2", l2, 0.01)

    def __call__(self, x: Any) -> Any:
        return self.l2 * reduce_sum(square(x))

    def get_config(self) -> dict[str, Any]:
        return {"l2": self.l2}
