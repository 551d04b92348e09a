"""Rates that fall along half a wave, once or again and again (Loshchilov and Hutter 2017)."""

from __future__ import annotations

import math
from typing import Any

from slipstream.keras.optimizers.schedules.schedule import LearningRateSchedule, as_step, positive
from slipstream.ops.arithmetic import floor, minimum, pow
from slipstream.ops.comparison import less
from slipstream.ops.elementary import cos, log
from slipstream.ops.indexing import where


def half_wave(done: Any) -> Any:
    """1 at 0, 0 at 1, and a cosine between."""
    return (cos(done * math.pi) + 1) * 0.5


class CosineDecay(LearningRateSchedule):
    """From the initial rate to alpha times it within decay_steps, along a cosine.

    With `warmup_target` it first goes straight there in `warmup_steps`, and falls from there.

    >>> round(float(CosineDecay(0.1, 10)(5)), 4)
    0.05
    """

    def __init__(
        self, initial_learning_rate: float, decay_steps: int, alpha: float = 0.0,
        name: str = "CosineDecay", warmup_target: float | None = None, warmup_steps: int = 0,
    ) -> None:  # fmt: skip
        positive("decay_steps", decay_steps)
        self.initial_learning_rate, self.decay_steps = initial_learning_rate, decay_steps
        self.alpha, self.name = alpha, name
        self.warmup_target, self.warmup_steps = warmup_target, warmup_steps

    def _fallen(self, step: Any, start: float) -> Any:
        done = minimum(step, float(self.decay_steps)) / self.decay_steps
        return (half_wave(done) * (1 - self.alpha) + self.alpha) * start

    def __call__(self, step: Any) -> Any:
        step = as_step(step)
        if self.warmup_target is None:
            return self._fallen(step, self.initial_learning_rate)
        rise = (self.warmup_target - self.initial_learning_rate) / max(self.warmup_steps, 1)
        warm = step * rise + self.initial_learning_rate
        fallen = self._fallen(step - self.warmup_steps, self.warmup_target)
        return where(less(step, float(self.warmup_steps)), warm, fallen)

    def get_config(self) -> dict[str, Any]:
        names = (
            "initial_learning_rate", "decay_steps", "alpha", "name", "warmup_target",
            "warmup_steps",
        )  # fmt: skip
        return {name: getattr(self, name) for name in names}


class CosineDecayRestarts(LearningRateSchedule):
    """Half waves one after the other: each is t_mul times as long and m_mul times as high."""

    def __init__(
        self, initial_learning_rate: float, first_decay_steps: int, t_mul: float = 2.0,
        m_mul: float = 1.0, alpha: float = 0.0, name: str = "SGDRDecay",
    ) -> None:  # fmt: skip
        positive("first_decay_steps", first_decay_steps)
        self.initial_learning_rate = initial_learning_rate
        self.first_decay_steps, self.t_mul, self.m_mul = first_decay_steps, t_mul, m_mul
        self.alpha, self.name = alpha, name

    def _place(self, periods: Any) -> tuple[Any, Any]:
        """How many waves are over, and which part of this one."""
        if self.t_mul == 1:
            waves = floor(periods)
            return waves, periods - waves
        growth = self.t_mul - 1
        waves = floor(log(periods * growth + 1) / math.log(self.t_mul))
        length = pow(self.t_mul, waves)
        return waves, (periods - (length - 1) / growth) / length

    def __call__(self, step: Any) -> Any:
        waves, done = self._place(as_step(step) / self.first_decay_steps)
        height = half_wave(done) * pow(self.m_mul, waves)
        return (height * (1 - self.alpha) + self.alpha) * self.initial_learning_rate

    def get_config(self) -> dict[str, Any]:
        names = (
            "initial_learning_rate", "first_decay_steps", "t_mul", "m_mul", "alpha", "name",
        )  # fmt: skip
        return {name: getattr(self, name) for name in names}
