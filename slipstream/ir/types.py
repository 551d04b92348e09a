"""What is known of a value before the program runs: its shape and its element type."""

from __future__ import annotations

import math
from typing import NamedTuple

from slipstream.ir.dtypes import DType

Shape = tuple[int, ...]


class TensorType(NamedTuple):
    """A concrete shape and a dtype, written `float32[64,10]`."""

    shape: Shape
    dtype: DType

    @property
    def rank(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        """How many elements."""
        return math.prod(self.shape)

    @property
    def bytes(self) -> int:
        return self.size * self.dtype.size

    def with_shape(self, shape: Shape) -> TensorType:
        return TensorType(shape, self.dtype)

    def with_dtype(self, dtype: DType) -> TensorType:
        return TensorType(self.shape, dtype)

    def __str__(self) -> str:
        return f"{self.dtype.name}[{','.join(map(str, self.shape))}]"
