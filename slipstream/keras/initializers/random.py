"""Initializers that draw from one distribution, whatever the shape."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from slipstream.ir.dtypes import as_dtype
from slipstream.keras import config
from slipstream.keras.initializers.initializer import RandomInitializer
from slipstream.primitives import distributions


class RandomNormal(RandomInitializer):
    """Normal of a mean and a standard deviation."""

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: Any = None) -> None:
        super().__init__(seed)
        self.mean, self.stddev = mean, stddev

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> Any:
        kind = as_dtype(dtype or config.floatx())
        return distributions.normal(self.state(), tuple(shape), kind) * self.stddev + self.mean

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"mean": self.mean, "stddev": self.stddev}


class TruncatedNormal(RandomNormal):
    """Normal, without what is further than two standard deviations from the mean."""

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> Any:
        kind = as_dtype(dtype or config.floatx())
        drawn = distributions.truncated_normal(self.state(), tuple(shape), kind)
        return drawn * self.stddev + self.mean


class RandomUniform(RandomInitializer):
    """Uniform in [minval, maxval).

    >>> RandomUniform(2.0, 3.0, seed=1)((2, 3)).shape
    TensorShape([2, 3])
    """

    def __init__(self, minval: float = -0.05, maxval: float = 0.05, seed: Any = None) -> None:
        super().__init__(seed)
        self.minval, self.maxval = minval, maxval

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> Any:
        kind = as_dtype(dtype or config.floatx())
        return distributions.uniform(self.state(), tuple(shape), kind, self.minval, self.maxval)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"minval": self.minval, "maxval": self.maxval}
