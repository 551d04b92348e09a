"""`IndexedSlices`: the gradient of a table of which only some rows were used."""

from __future__ import annotations

from typing import Any

from slipstream.ir.dtypes import DType
from slipstream.ir.types import TensorType
from slipstream.primitives.rows import Rows
from slipstream.runtime.convert import TensorLike
from slipstream.runtime.shape import TensorShape


class IndexedSlices(TensorLike):
    """`values[i]` belongs to row `indices[i]` of a tensor of `dense_shape`; equal indices add up.

    Used as a tensor, it is the whole table.
    """

    def __init__(self, values: Any, indices: Any, dense_shape: Any = None) -> None:
        self.values, self.indices = values, indices
        self.dense_shape = None if dense_shape is None else TensorShape(dense_shape)

    @staticmethod
    def of(rows: Rows) -> IndexedSlices:
        return IndexedSlices(rows.values, rows.indices, rows.type.shape)

    @property
    def dtype(self) -> DType:
        dtype: DType = self.values.dtype
        return dtype

    @property
    def shape(self) -> TensorShape | None:
        return self.dense_shape

    @property
    def rows(self) -> Rows:
        if self.dense_shape is None:
            raise ValueError("IndexedSlices without a dense_shape cannot become a tensor")
        return Rows(self.indices, self.values, TensorType(tuple(self.dense_shape), self.dtype))

    def _operand(self) -> Any:
        return self.rows.dense()

    def __repr__(self) -> str:
        facts = f"values={self.values!r}, dense_shape={self.dense_shape}"
        return f"IndexedSlices(indices={self.indices!r}, {facts})"
