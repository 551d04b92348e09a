"""Constraints on the lengths of weight vectors."""

from __future__ import annotations

from typing import Any

from slipstream.keras import config
from slipstream.keras.constraints.constraint import Constraint
from slipstream.ops.arithmetic import clip_by_value
from slipstream.ops.reduction import reduce_euclidean_norm
from slipstream.runtime.convert import convert


def length(w: Any, axis: Any) -> Any:
    """The lengths along an axis or several, which keep a size of 1."""
    axes = list(axis) if isinstance(axis, (tuple, list)) else axis
    return reduce_euclidean_norm(w, axis=axes, keepdims=True)


class MaxNorm(Constraint):
    """Vectors along `axis` longer than `max_value` get that length (Srivastava and others 2014).

    The axis of a dense layer's units is 0, of a convolution's [0, 1, 2].
    """

    def __init__(self, max_value: float = 2, axis: Any = 0) -> None:
        self.max_value, self.axis = max_value, axis

    def __call__(self, w: Any) -> Any:
        w = convert(w)
        norms = length(w, self.axis)
        return w * (clip_by_value(norms, 0, self.max_value) / (norms + config.epsilon()))

    def get_config(self) -> dict[str, Any]:
        return {"max_value": self.max_value, "axis": self.axis}


class UnitNorm(Constraint):
    """Vectors along `axis` get length 1."""

    def __init__(self, axis: Any = 0) -> None:
        self.axis = axis

    def __call__(self, w: Any) -> Any:
        w = convert(w)
        return w / (length(w, self.axis) + config.epsilon())

    def get_config(self) -> dict[str, Any]:
        return {"axis": self.axis}


class MinMaxNorm(Constraint):
    """Lengths along `axis` move into [min_value, max_value], by the part `rate` of the way."""

    def __init__(
        self, min_value: float = 0.0, max_value: float = 1.0, rate: float = 1.0, axis: Any = 0
    ) -> None:
        self.min_value, self.max_value = min_value, max_value
        self.rate, self.axis = rate, axis

    def __call__(self, w: Any) -> Any:
        w = convert(w)
        norms = length(w, self.axis)
        within = clip_by_value(norms, self.min_value, self.max_value)
        wanted = within * self.rate + norms * (1 - self.rate)
        return w * (wanted / (norms + config.epsilon()))

    def get_config(self) -> dict[str, Any]:
        bounds = {"min_value": self.min_value, "max_value": self.max_value}
        return bounds | {"rate": self.rate, "axis": self.axis}
