"""A cotangent of a table of which only some rows were used: what the gradient of a gather is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from slipstream.ir.types import TensorType
from slipstream.primitives.base import REGISTRY
from slipstream.primitives.operand import Operand, zeros


@dataclass(frozen=True, eq=False)
class Rows:
    """`values[i]` belongs to row `indices[i]` of a table of type `type`; equal indices add up."""

    indices: Operand  # integers [n]
    values: Operand  # [n, *type.shape[1:]]
    type: TensorType

    def dense(self) -> Any:
        """The same as a whole table."""
        return REGISTRY["scatter_add"](zeros(self.type), self.indices, self.values)

    def joined(self, other: Rows) -> Rows:
        """Both lists of rows, one after the other."""
        concat = REGISTRY["concat"]
        return Rows(
            concat(self.indices, other.indices, axis=0),
            concat(self.values, other.values, axis=0),
            self.type,
        )
