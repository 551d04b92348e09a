"""Initial contents of variables under their TensorFlow 1 names."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from slipstream.ir.dtypes import as_dtype
from slipstream.ops import array, random
from slipstream.runtime.convert import convert


class Initializer:
    """Called with a shape and a dtype, it gives a tensor."""

    dtype: Any = "float32"

    def __call__(self, shape: Sequence[int], dtype: Any = None, partition_info: Any = None) -> Any:
        raise TypeError(f"{type(self).__name__} gives no tensors; use one of its subclasses")


class Zeros(Initializer):
    def __init__(self, dtype: Any = "float32") -> None:
        self.dtype = dtype

    def __call__(self, shape: Sequence[int], dtype: Any = None, partition_info: Any = None) -> Any:
        return array.zeros(shape, as_dtype(dtype or self.dtype))


class Ones(Initializer):
    def __init__(self, dtype: Any = "float32") -> None:
        self.dtype = dtype

    def __call__(self, shape: Sequence[int], dtype: Any = None, partition_info: Any = None) -> Any:
        return array.ones(shape, as_dtype(dtype or self.dtype))


class Constant(Initializer):
    """One value everywhere, or a list or array of values in row-major order."""

    def __init__(self, value: Any = 0, dtype: Any = "float32", verify_shape: bool = False) -> None:
        self.value, self.dtype = value, dtype

    def __call__(self, shape: Sequence[int], dtype: Any = None, partition_info: Any = None) -> Any:
        value = convert(self.value, as_dtype(dtype or self.dtype))
        if not value.shape:
            return array.fill(shape, value)
        return array.reshape(value, shape)


class RandomUniform(Initializer):
    def __init__(
        self,
        minval: float = 0.0,
        maxval: float | None = None,
        seed: Any = None,
        dtype: Any = "float32",
    ) -> None:
        self.minval, self.maxval, self.seed, self.dtype = minval, maxval, seed, dtype

    def __call__(self, shape: Sequence[int], dtype: Any = None, partition_info: Any = None) -> Any:
        high = 1.0 if self.maxval is None else self.maxval
        return random.uniform(shape, self.minval, high, as_dtype(dtype or self.dtype), self.seed)


class RandomNormal(Initializer):
    def __init__(
        self, mean: float = 0.0, stddev: float = 1.0, seed: Any = None, dtype: Any = "float32"
    ) -> None:
        self.mean, self.stddev, self.seed, self.dtype = mean, stddev, seed, dtype

    def __call__(self, shape: Sequence[int], dtype: Any = None, partition_info: Any = None) -> Any:
        dtype = as_dtype(dtype or self.dtype)
        return random.normal(shape, self.mean, self.stddev, dtype, self.seed)


class TruncatedNormal(RandomNormal):
    def __call__(self, shape: Sequence[int], dtype: Any = None, partition_info: Any = None) -> Any:
        dtype = as_dtype(dtype or self.dtype)
        return random.truncated_normal(shape, self.mean, self.stddev, dtype, self.seed)


class VarianceScaling(Initializer):
    """Random values whose variance is scale / fan (Glorot & Bengio 2010; He et al. 2015)."""

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: Any = None,
        dtype: Any = "float32",
    ) -> None:
        self.scale, self.mode, self.distribution = scale, mode, distribution
        self.seed, self.dtype = seed, dtype

    def __call__(self, shape: Sequence[int], dtype: Any = None, partition_info: Any = None) -> Any:
        dtype = as_dtype(dtype or self.dtype)
        fan_in, fan_out = fans(shape)
        fan = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        variance = self.scale / max(1.0, fan)
        if self.distribution == "uniform":
            limit = math.sqrt(3 * variance)
            return random.uniform(shape, -limit, limit, dtype, self.seed)
        if self.distribution == "untruncated_normal":
            return random.normal(shape, 0.0, math.sqrt(variance), dtype, self.seed)
        # the deviation of a normal distribution truncated at two deviations is 0.87962566 of it
        return random.truncated_normal(
            shape, 0.0, math.sqrt(variance) / 0.87962566103423978, dtype, self.seed
        )


def fans(shape: Sequence[int]) -> tuple[float, float]:
    """How many inputs and outputs one unit of a kernel of this shape has."""
    if len(shape) < 2:
        size = float(shape[0]) if shape else 1.0
        return size, size
    receptive = math.prod(shape[:-2])
    return float(shape[-2] * receptive), float(shape[-1] * receptive)


def glorot_uniform_initializer(seed: Any = None, dtype: Any = "float32") -> VarianceScaling:
    return VarianceScaling(1.0, "fan_avg", "uniform", seed, dtype)


def glorot_normal_initializer(seed: Any = None, dtype: Any = "float32") -> VarianceScaling:
    return VarianceScaling(1.0, "fan_avg", "truncated_normal", seed, dtype)


def he_normal(seed: Any = None, dtype: Any = "float32") -> VarianceScaling:
    return VarianceScaling(2.0, "fan_in", "truncated_normal", seed, dtype)


def he_uniform(seed: Any = None, dtype: Any = "float32") -> VarianceScaling:
    return VarianceScaling(2.0, "fan_in", "uniform", seed, dtype)


zeros_initializer, ones_initializer, constant_initializer = Zeros, Ones, Constant
random_uniform_initializer, random_normal_initializer = RandomUniform, RandomNormal
truncated_normal_initializer, variance_scaling_initializer = TruncatedNormal, VarianceScaling
