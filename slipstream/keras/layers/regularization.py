"""Layers that act only in training: dropout and noise. And penalties of activity."""

from __future__ import annotations

import math
from typing import Any

from slipstream.keras import regularizers
from slipstream.keras.layers.input_spec import InputSpec
from slipstream.keras.layers.layer import Layer
from slipstream.keras.seeds import SeedGenerator
from slipstream.ops.random import dropped
from slipstream.primitives import distributions
from slipstream.primitives.base import REGISTRY


class BaseRandom(Layer):
    """A layer with a seed of its own, the identity outside training."""

    def __init__(self, seed: int | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.seed = seed
        self.seed_generator = SeedGenerator(seed)
        self.supports_masking = True

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape


def _rate(rate: float) -> float:
    if not 0 <= rate <= 1:
        raise ValueError(
            f"Invalid value received for argument `rate`. Expected a float value between 0 and 1. "
            f"Received: rate={rate}"
        )
    return float(rate)


class Dropout(BaseRandom):
    """In training, zero with probability `rate`, else x / (1 - rate) (Srivastava et al. 2014).

    >>> import slipstream as tf
    >>> Dropout(0.5)(tf.ones([2]), training=False).numpy().tolist()
    [1.0, 1.0]
    """

    def __init__(
        self, rate: float, noise_shape: Any = None, seed: int | None = None, **options: Any
    ) -> None:
        super().__init__(seed, **options)
        self.rate, self.noise_shape = _rate(rate), noise_shape

    def _noise_shape(self, inputs: Any) -> Any:
        return self.noise_shape

    def call(self, inputs: Any, training: bool = False) -> Any:
        if not training or self.rate == 0:
            return inputs
        if self.rate == 1:
            return inputs * 0.0
        return dropped(inputs, self.rate, self.seed_generator.draw(), self._noise_shape(inputs))

    def get_config(self) -> dict[str, Any]:
        config = {"rate": self.rate, "seed": self.seed, "noise_shape": self.noise_shape}
        return super().get_config() | config


class _SpatialDropout(Dropout):
    """Dropout of whole channels."""

    rank = 2

    def __init__(
        self, rate: float, data_format: str | None = None, seed: int | None = None, **options: Any
    ) -> None:
        super().__init__(rate, None, seed, **options)
        self.data_format = data_format or "channels_last"
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def _noise_shape(self, inputs: Any) -> Any:
        shape = tuple(inputs.shape)
        if self.data_format == "channels_last":
            return (shape[0], *(1,) * self.rank, shape[-1])
        return (*shape[:2], *(1,) * self.rank)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config() | {"data_format": self.data_format}
        for name in ("noise_shape", "trainable", *(["data_format"] if self.rank == 1 else [])):
            config.pop(name)  # Keras' layers of this kind take no such argument
        return config


class SpatialDropout1D(_SpatialDropout):
    """Dropout of whole channels of sequences (Tompson et al. 2015)."""

    rank = 1


class SpatialDropout2D(_SpatialDropout):
    """Dropout of whole channels of pictures."""


class SpatialDropout3D(_SpatialDropout):
    """Dropout of whole channels of volumes."""

    rank = 3


class GaussianNoise(BaseRandom):
    """In training, normally distributed noise is added."""

    def __init__(self, stddev: float, seed: int | None = None, **options: Any) -> None:
        super().__init__(seed, **options)
        if not stddev >= 0:
            raise ValueError(f"`stddev` should not be negative. Received: stddev={stddev}")
        self.stddev = float(stddev)

    def call(self, inputs: Any, training: bool = False) -> Any:
        if not training or self.stddev == 0:
            return inputs
        state = self.seed_generator.draw()
        noise = distributions.normal(state, tuple(inputs.shape), inputs.dtype)
        return inputs + noise * self.stddev

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"stddev": self.stddev, "seed": self.seed}


class GaussianDropout(BaseRandom):
    """In training, multiplied by normal numbers of mean 1 and variance rate / (1 - rate)."""

    def __init__(self, rate: float, seed: int | None = None, **options: Any) -> None:
        super().__init__(seed, **options)
        self.rate = _rate(rate)

    def call(self, inputs: Any, training: bool = False) -> Any:
        if not training or self.rate == 0:
            return inputs
        state = self.seed_generator.draw()
        noise = distributions.normal(state, tuple(inputs.shape), inputs.dtype)
        return inputs * (noise * math.sqrt(self.rate / (1 - self.rate)) + 1.0)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"rate": self.rate, "seed": self.seed}


class AlphaDropout(BaseRandom):
    """Dropout that keeps the mean and variance of SELU networks (Klambauer et al. 2017)."""

    LOWEST = -1.6732632423543772 * 1.0507009873554805  # what SELU tends to far below zero

    def __init__(
        self, rate: float, noise_shape: Any = None, seed: int | None = None, **options: Any
    ) -> None:
        super().__init__(seed, **options)
        self.rate, self.noise_shape = _rate(rate), noise_shape

    def call(self, inputs: Any, training: bool = False) -> Any:
        if not training or self.rate == 0:
            return inputs
        shape = tuple(inputs.shape if self.noise_shape is None else self.noise_shape)
        kept = distributions.bernoulli(self.seed_generator.draw(), shape, 1 - self.rate)
        low = self.LOWEST
        scale = ((1 - self.rate) * (1 + self.rate * low**2)) ** -0.5
        chosen = REGISTRY["select"](kept, inputs, inputs.coerce(low))
        return chosen * scale - scale * low * self.rate

    def get_config(self) -> dict[str, Any]:
        config = {"rate": self.rate, "seed": self.seed, "noise_shape": self.noise_shape}
        return super().get_config() | config


class ActivityRegularization(Layer):
    """The identity, with a penalty of l1 |x| + l2 x^2."""

    def __init__(self, l1: float = 0.0, l2: float = 0.0, **options: Any) -> None:
        super().__init__(activity_regularizer=regularizers.L1L2(l1=l1, l2=l2), **options)
        self.l1, self.l2 = l1, l2
        self.supports_masking = True

    def call(self, inputs: Any) -> Any:
        return inputs

    def get_config(self) -> dict[str, Any]:
        config = super().get_config() | {"l1": self.l1, "l2": self.l2}
        config.pop("activity_regularizer", None)
        return config
