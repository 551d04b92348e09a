"""What flows through operations while they are applied: anything with a type and arithmetic.

Derivatives and expansions are written on operands, so one text serves eager arrays and graphs under
construction.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from slipstream.ir.dtypes import DType
from slipstream.ir.graph import Array
from slipstream.ir.types import TensorType
from slipstream.primitives.base import REGISTRY, current


class Operand(ABC):
    """A value in flight. Two operands have equal `identity` exactly if they are the same value."""

    __slots__ = ()

    @property
    @abstractmethod
    def type(self) -> TensorType: ...

    @property
    @abstractmethod
    def identity(self) -> int: ...

    @property
    def shape(self) -> Any:
        return self.type.shape

    @property
    def dtype(self) -> DType:
        return self.type.dtype

    def coerce(self, other: Any) -> Any:
        """`other` as an operand that can stand beside this one; Python numbers take its dtype."""
        return other if isinstance(other, Operand) else scalar(other, self.dtype)

    def __add__(self, other: Any) -> Any:
        return REGISTRY["add"](self, self.coerce(other))

    def __radd__(self, other: Any) -> Any:
        return REGISTRY["add"](self.coerce(other), self)

    def __sub__(self, other: Any) -> Any:
        return REGISTRY["subtract"](self, self.coerce(other))

    def __rsub__(self, other: Any) -> Any:
        return REGISTRY["subtract"](self.coerce(other), self)

    def __mul__(self, other: Any) -> Any:
        return REGISTRY["multiply"](self, self.coerce(other))

    def __rmul__(self, other: Any) -> Any:
        return REGISTRY["multiply"](self.coerce(other), self)

    def __truediv__(self, other: Any) -> Any:
        return REGISTRY["divide"](self, self.coerce(other))

    def __rtruediv__(self, other: Any) -> Any:
        return REGISTRY["divide"](self.coerce(other), self)

    def __neg__(self) -> Any:
        return REGISTRY["negative"](self)


def constant(array: Array) -> Any:
    """A known array as an operand."""
    return current().constant(array)


def scalar(value: Any, dtype: DType) -> Any:
    """A number as an operand of rank 0."""
    return constant(np.asarray(value, dtype.numpy))


def zeros(type: TensorType) -> Any:
    """Zeros of a type, without holding them."""
    return full(type, 0)


def ones(type: TensorType) -> Any:
    return full(type, 1)


def full(type: TensorType, value: Any) -> Any:
    """One number everywhere."""
    one = scalar(value, type.dtype)
    return REGISTRY["broadcast_to"](one, shape=type.shape) if type.shape else one
