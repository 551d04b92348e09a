"""Base of learning-rate schedules."""

from __future__ import annotations

from typing import Any


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
