"""Base of learning-rate schedules."""

from __future__ import annotations

from typing import Any

from slipstream.ir.dtypes import float32
from slipstream.ops.conversion import cast
from slipstream.runtime.convert import convert


class LearningRateSchedule:
    """`schedule(step)` gives the rate of a step, an integer tensor, by public operations."""

    def __call__(self, step: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} does not override __call__")

    def get_config(self) -> dict[str, Any]:
        """The arguments the schedule can be made again with."""
        raise NotImplementedError(f"{type(self).__name__} does not override get_config")

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        return cls(**config)


def as_step(step: Any) -> Any:
    """The number of a step as float32."""
    return cast(convert(step), float32)


def positive(name: str, value: Any) -> None:
    """ValueError unless the argument is above 0."""
    if value <= 0:
        raise ValueError(f"Argument `{name}` must be > 0. Received: {name}={value}")
