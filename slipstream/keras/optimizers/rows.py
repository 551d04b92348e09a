"""Steps that touch only the rows of a table that a batch used."""

from __future__ import annotations

from typing import Any, NamedTuple

from slipstream.ir.types import TensorType
from slipstream.primitives.base import REGISTRY
from slipstream.primitives.indexing import last_places
from slipstream.primitives.operand import zeros
from slipstream.runtime.convert import convert
from slipstream.runtime.slices import IndexedSlices


class UsedRows(NamedTuple):
    """The rows that a gradient names, each with all of its gradient.

    A row that is named n times stands here n times, with the same sum: what is computed from it is
    the same each time, so that it does not matter which of them is written.
    """

    indices: Any  # integers [n]
    gradient: Any  # [n, *shape of a row]

    @staticmethod
    def of(slices: IndexedSlices) -> UsedRows:
        """Equal indices added up: at the last place of each, where all of them find the sum."""
        indices, values = convert(slices.indices), convert(slices.values)
        count, shape = indices.shape[0], slices.dense_shape
        if shape is None:
            raise ValueError("IndexedSlices without a dense_shape cannot change a variable")
        mine = last_places(indices, limit=shape[0])
        none = zeros(TensorType((count, *tuple(shape)[1:]), slices.dtype))
        sums = REGISTRY["scatter_add"](none, mine, values)
        return UsedRows(indices, _rows(sums, mine))

    def read(self, variable: Any) -> Any:
        """These rows of a variable, [n, *shape of a row]."""
        return _rows(convert(variable), self.indices)

    def write(self, variable: Any, values: Any) -> None:
        """Replace these rows of a variable."""
        count = self.indices.shape[0]
        column = REGISTRY["reshape"](self.indices, shape=(count, 1))
        variable.scatter_nd_update(column, values)


def _rows(table: Any, indices: Any) -> Any:
    return REGISTRY["gather"](table, indices, axis=0, batch_dims=0)
