"""Rates that fall along a curve, or in steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from slipstream.keras.optimizers.schedules.schedule import LearningRateSchedule, as_step, positive
from slipstream.ops.arithmetic import ceil, floor, maximum, minimum, pow
from slipstream.ops.comparison import greater
from slipstream.ops.indexing import where
from slipstream.runtime.convert import convert


class ExponentialDecay(LearningRateSchedule):
    """initial * decay_rate^(step / decay_steps); with `staircase` of whole numbers.

    >>> round(float(ExponentialDecay(0.1, 10, 0.5)(20)), 4)
    0.025
    """

    def __init__(
        self, initial_learning_rate: float, decay_steps: int, decay_rate: float,
        staircase: bool = False, name: str = "ExponentialDecay",
    ) -> None:  # fmt: skip
        positive("decay_steps", decay_steps)
        self.initial_learning_rate, self.decay_steps = initial_learning_rate, decay_steps
        self.decay_rate, self.staircase, self.name = decay_rate, staircase, name

    def _periods(self, step: Any) -> Any:
        periods = as_step(step) / self.decay_steps
        return floor(periods) if self.staircase else periods

    def __call__(self, step: Any) -> Any:
        return pow(self.decay_rate, self._periods(step)) * self.initial_learning_rate

    def get_config(self) -> dict[str, Any]:
        names = ("initial_learning_rate", "decay_steps", "decay_rate", "staircase", "name")
        return {name: getattr(self, name) for name in names}


class InverseTimeDecay(ExponentialDecay):
    """initial / (1 + decay_rate * step / decay_steps); with `staircase` of whole numbers."""

    def __init__(
        self, initial_learning_rate: float, decay_steps: int, decay_rate: float,
        staircase: bool = False, name: str = "InverseTimeDecay",
    ) -> None:  # fmt: skip
        super().__init__(initial_learning_rate, decay_steps, decay_rate, staircase, name)

    def __call__(self, step: Any) -> Any:
        return self.initial_learning_rate / (self._periods(step) * self.decay_rate + 1)


class PiecewiseConstantDecay(LearningRateSchedule):
    """values[0] up to step boundaries[0], then values[1] up to boundaries[1], and so on."""

    def __init__(
        self, boundaries: Sequence[Any], values: Sequence[Any], name: str = "PiecewiseConstant"
    ) -> None:
        if len(boundaries) != len(values) - 1:
            raise ValueError(
                "The length of boundaries should be 1 less than the length of values. Received: "
                f"boundaries={boundaries} of length {len(boundaries)}, and values={values} of "
                f"length {len(values)}."
            )
        self.boundaries, self.values, self.name = boundaries, values, name

    def __call__(self, step: Any) -> Any:
        step = as_step(step)
        rate = convert(float(self.values[0]), "float32")
        for boundary, value in zip(self.boundaries, self.values[1:], strict=True):
            rate = where(greater(step, float(boundary)), float(value), rate)
        return rate

    def get_config(self) -> dict[str, Any]:
        return {"boundaries": self.boundaries, "values": self.values, "name": self.name}


class PolynomialDecay(LearningRateSchedule):
    """From the initial to the end rate within decay_steps, along (1 - step / decay_steps)^power.

    With `cycle` it begins again, each time over one more time decay_steps.
    """

    def __init__(
        self, initial_learning_rate: float, decay_steps: int, end_learning_rate: float = 0.0001,
        power: float = 1.0, cycle: bool = False, name: str = "PolynomialDecay",
    ) -> None:  # fmt: skip
        positive("decay_steps", decay_steps)
        self.initial_learning_rate, self.decay_steps = initial_learning_rate, decay_steps
        self.end_learning_rate, self.power = end_learning_rate, power
        self.cycle, self.name = cycle, name

    def __call__(self, step: Any) -> Any:
        periods = as_step(step) / self.decay_steps
        done = periods / maximum(ceil(periods), 1.0) if self.cycle else minimum(periods, 1.0)
        span = self.initial_learning_rate - self.end_learning_rate
        return pow(1 - done, self.power) * span + self.end_learning_rate

    def get_config(self) -> dict[str, Any]:
        names = (
            "initial_learning_rate", "decay_steps", "end_learning_rate", "power", "cycle", "name",
        )  # fmt: skip
        return {name: getattr(self, name) for name in names}
