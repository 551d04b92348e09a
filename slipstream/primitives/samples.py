"""Valid inputs of an operation, described on its record and drawn by the tests.

A spec says how to draw one array; one whose dtype is None takes the dtype under test.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from slipstream.ir.dtypes import DType, bool_, float32, int32
from slipstream.ir.graph import Array
from slipstream.ir.types import Shape


@dataclass(frozen=True)
class Spec:
    """An array to draw: uniform in [low, high); `distinct` values are at least a step apart."""

    shape: Shape
    low: float = -2.0
    high: float = 2.0
    dtype: DType | None = None
    distinct: bool = False
    make: Any = None  # make(generator, dtype) -> array, for matrices with a property

    def draw(self, generator: np.random.Generator, dtype: DType = float32) -> Array:
        """One array of the spec."""
        dtype = self.dtype or dtype
        if self.make is not None:
            return np.asarray(self.make(generator, self.shape), dtype.numpy)
        if dtype.is_bool:
            return generator.integers(0, 2, self.shape).astype(bool)
        if dtype.is_integer:
            low, high = int(np.ceil(self.low)), int(np.ceil(self.high))
            low = max(low, 0) if dtype.is_unsigned else low
            return np.asarray(generator.integers(low, max(high, low + 1), self.shape), dtype.numpy)
        return self._reals(generator, dtype)

    def _reals(self, generator: np.random.Generator, dtype: DType) -> Array:
        if self.distinct:
            count = int(np.prod(self.shape))
            steps = np.linspace(self.low, self.high, 2 * count, endpoint=False)[1::2]
            return generator.permutation(steps).reshape(self.shape).astype(dtype.numpy)
        drawn = generator.uniform(self.low, self.high, self.shape)
        if dtype.is_complex:
            drawn = drawn + 1j * generator.uniform(self.low, self.high, self.shape)
        return np.asarray(drawn).astype(dtype.numpy)


@dataclass(frozen=True)
class Sample:
    """The inputs and parameters of one application.

    `smooth` is false where the point is not differentiable: finite differences mean nothing there.
    """

    inputs: tuple[Spec, ...]
    params: Mapping[str, Any] = field(default_factory=dict)
    smooth: bool = True

    def arrays(self, dtype: DType = float32, seed: int = 0) -> Iterator[Array]:
        """The input arrays; the same for the same seed."""
        generator = np.random.default_rng(seed)
        for spec in self.inputs:
            yield spec.draw(generator, dtype)


def sample(*inputs: Spec, smooth: bool = True, **params: Any) -> Sample:
    return Sample(inputs, params, smooth)


def reals(*shape: int) -> Spec:
    """Uniform in [-2, 2)."""
    return Spec(shape)


def distinct(*shape: int) -> Spec:
    """No two equal, so that maxima and sorting orders are unique."""
    return Spec(shape, distinct=True)


def positive(*shape: int) -> Spec:
    """Uniform in [0.5, 3)."""
    return Spec(shape, 0.5, 3.0)


def between(low: float, high: float, *shape: int) -> Spec:
    return Spec(shape, low, high)


def integers(low: int, high: int, *shape: int, dtype: DType | None = int32) -> Spec:
    """Integers in [low, high), of a dtype of their own; None is the dtype under test."""
    return Spec(shape, low, high, dtype)


def booleans(*shape: int) -> Spec:
    return Spec(shape, dtype=bool_)
