"""Initializers whose spread depends on how many numbers meet in a unit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from slipstream.ir.dtypes import as_dtype
from slipstream.keras import config
from slipstream.keras.initializers.initializer import RandomInitializer
from slipstream.primitives import distributions

TRUNCATION = 0.87962566103423978  # standard deviation of a normal cut off at two of its own
MODES = ("fan_in", "fan_out", "fan_avg")
DISTRIBUTIONS = ("truncated_normal", "untruncated_normal", "uniform")


def compute_fans(shape: Sequence[int]) -> tuple[int, int]:
    """How many inputs and outputs a unit has; the last two axes, times the window before them.

    >>> compute_fans((3, 3, 16, 32))
    (144, 288)
    """
    sizes = tuple(shape)
    if len(sizes) < 2:
        return (sizes[0], sizes[0]) if sizes else (1, 1)
    window = math.prod(sizes[:-2])
    return sizes[-2] * window, sizes[-1] * window


class VarianceScaling(RandomInitializer):
    """Numbers of variance scale / n, n being the fan of `mode` (Glorot and Bengio 2010).

    With both `input_axes` and `output_axes`, the fans are the sizes of these axes. ValueError for
    a scale that is not positive and for an unknown mode or distribution.
    """

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: Any = None,
        input_axes: Sequence[int] | None = None,
        output_axes: Sequence[int] | None = None,
    ) -> None:
        if scale <= 0:
            raise ValueError(f"Argument `scale` must be positive float. Received: scale={scale}")
        if mode not in MODES:
            raise ValueError(f"Invalid `mode` argument: {mode}. Expected one of {MODES}")
        distribution = "truncated_normal" if distribution == "normal" else distribution.lower()
        if distribution not in DISTRIBUTIONS:
            raise ValueError(
                f"Invalid `distribution` argument: {distribution}. Expected one of {DISTRIBUTIONS}"
            )
        super().__init__(seed)
        self.scale, self.mode, self.distribution = scale, mode, distribution
        self.input_axes, self.output_axes = input_axes, output_axes

    def _variance(self, sizes: tuple[int, ...]) -> float:
        fan_in, fan_out = compute_fans(sizes)
        if self.input_axes is not None and self.output_axes is not None:
            fan_in = math.prod(sizes[axis] for axis in self.input_axes)
            fan_out = math.prod(sizes[axis] for axis in self.output_axes)
        fan = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        return self.scale / max(1.0, fan)

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> Any:
        sizes, kind = tuple(shape), as_dtype(dtype or config.floatx())
        variance = self._variance(sizes)
        if self.distribution == "uniform":
            limit = math.sqrt(3 * variance)
            return distributions.uniform(self.state(), sizes, kind, -limit, limit)
        if self.distribution == "untruncated_normal":
            return distributions.normal(self.state(), sizes, kind) * math.sqrt(variance)
        drawn = distributions.truncated_normal(self.state(), sizes, kind)
        return drawn * (math.sqrt(variance) / TRUNCATION)

    def get_config(self) -> dict[str, Any]:
        scaling = {"scale": self.scale, "mode": self.mode, "distribution": self.distribution}
        return super().get_config() | scaling | self._axes()

    def _axes(self) -> dict[str, Any]:
        """The axes if they are given: files without them are read by every Keras 3."""
        axes = {"input_axes": self.input_axes, "output_axes": self.output_axes}
        return {name: list(value) for name, value in axes.items() if value is not None}


class FixedScaling(VarianceScaling):
    """A `VarianceScaling` whose scale, mode and distribution are those of its class."""

    settings: tuple[float, str, str]

    def __init__(
        self,
        seed: Any = None,
        input_axes: Sequence[int] | None = None,
        output_axes: Sequence[int] | None = None,
    ) -> None:
        super().__init__(*self.settings, seed, input_axes, output_axes)

    def get_config(self) -> dict[str, Any]:
        return {"seed": self._given_seed} | self._axes()


class GlorotUniform(FixedScaling):
    """Uniform within sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio 2010)."""

    settings = (1.0, "fan_avg", "uniform")


class GlorotNormal(FixedScaling):
    """Truncated normal of variance 2 / (fan_in + fan_out) (Glorot and Bengio 2010)."""

    settings = (1.0, "fan_avg", "truncated_normal")


class HeUniform(FixedScaling):
    """Uniform within sqrt(6 / fan_in), for layers before a relu (He and others 2015)."""

    settings = (2.0, "fan_in", "uniform")


class HeNormal(FixedScaling):
    """Truncated normal of variance 2 / fan_in, for layers before a relu (He and others 2015)."""

    settings = (2.0, "fan_in", "truncated_normal")


class LecunUniform(FixedScaling):
    """Uniform within sqrt(3 / fan_in) (LeCun and others 1998)."""

    settings = (1.0, "fan_in", "uniform")


class LecunNormal(FixedScaling):
    """Truncated normal of variance 1 / fan_in (LeCun and others 1998)."""

    settings = (1.0, "fan_in", "truncated_normal")
