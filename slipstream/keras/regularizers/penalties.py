"""Penalties: sums of magnitudes and squares, and of angles between vectors."""

from __future__ import annotations

from typing import Any

from slipstream.keras.regularizers.regularizer import L2, Regularizer, penalty
from slipstream.ops.arithmetic import abs as absolute
from slipstream.ops.arithmetic import square
from slipstream.ops.array import eye
from slipstream.ops.linear import matmul
from slipstream.ops.normalization import l2_normalize
from slipstream.ops.reduction import reduce_sum
from slipstream.ops.shaping import transpose
from slipstream.runtime.convert import convert

__all__ = ["L1", "L1L2", "L2", "OrthogonalRegularizer"]


class L1(Regularizer):
    """l1 * sum(|x|).

    >>> float(L1(0.5)([1.0, -2.0]))
    1.5
    """

    def __init__(self, l1: float = 0.01) -> None:
        self.l1 = penalty("l1", l1, 0.01)

    def __call__(self, x: Any) -> Any:
        return self.l1 * reduce_sum(absolute(convert(x)))

    def get_config(self) -> dict[str, Any]:
        return {"l1": self.l1}


class L1L2(Regularizer):
    """l1 * sum(|x|) + l2 * sum(x²)."""

    def __init__(self, l1: float = 0.0, l2: float = 0.0) -> None:
        self.l1, self.l2 = penalty("l1", l1, 0.0), penalty("l2", l2, 0.0)

    def __call__(self, x: Any) -> Any:
        x = convert(x)
        return self.l1 * reduce_sum(absolute(x)) + self.l2 * reduce_sum(square(x))

    def get_config(self) -> dict[str, Any]:
        return {"l1": self.l1, "l2": self.l2}


class OrthogonalRegularizer(Regularizer):
    """factor times the mean |cosine| between two rows (or columns) of a matrix.

    ValueError for another mode than "rows" and "columns", and for other ranks than 2.
    """

    def __init__(self, factor: float = 0.01, mode: str = "rows") -> None:
        if mode not in ("rows", "columns"):
            raise ValueError(
                'Invalid value for argument `mode`. Expected one of {"rows", "columns"}. '
                f"Received: mode={mode}"
            )
        self.factor, self.mode = penalty("factor", factor, 0.01), mode

    def __call__(self, inputs: Any) -> Any:
        x = convert(inputs)
        if len(x.shape) != 2:
            raise ValueError(
                "Inputs to OrthogonalRegularizer must have rank 2. "
                f"Received: inputs.shape={x.shape}"
            )
        vectors = l2_normalize(x if self.mode == "rows" else transpose(x), axis=1)
        size = int(vectors.shape[0])
        cosines = matmul(vectors, transpose(vectors)) * (1 - eye(size, dtype=x.dtype))
        pairs = max(size * (size - 1) / 2, 1)
        return self.factor * 0.5 * reduce_sum(absolute(cosines)) / pairs

    def get_config(self) -> dict[str, Any]:
        return {"factor": self.factor, "mode": self.mode}
