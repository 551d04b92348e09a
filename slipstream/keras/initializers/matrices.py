"""Initializers of matrices: the identity, and matrices that keep lengths."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from slipstream.ir.dtypes import as_dtype
from slipstream.keras import config
from slipstream.keras.initializers.initializer import Initializer, RandomInitializer
from slipstream.ops.arithmetic import sign
from slipstream.ops.array import eye
from slipstream.ops.diagonal import diag_part
from slipstream.ops.linalg import qr
from slipstream.ops.shaping import reshape, transpose
from slipstream.primitives import distributions


class Identity(Initializer):
    """`gain` on the diagonal of a matrix, zeros beside it. ValueError for other ranks than 2."""

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = gain

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> Any:
        if len(shape) != 2:
            raise ValueError(
                "Identity matrix initializer can only be used for 2D matrices. "
                f"Received: shape={tuple(shape)} of rank {len(shape)}."
            )
        return eye(shape[0], shape[1], dtype=as_dtype(dtype or config.floatx())) * self.gain

    def get_config(self) -> dict[str, Any]:
        return {"gain": self.gain}


class Orthogonal(RandomInitializer):
    """`gain` times a matrix whose columns (or rows, if they are fewer) are orthonormal.

    All axes but the last count as rows. It is uniform among such matrices (Saxe and others 2014;
    Mezzadri 2007). ValueError for a rank below 2.

    >>> import numpy
    >>> q = Orthogonal(seed=1)((4, 2)).numpy()
    >>> bool(numpy.allclose(q.T @ q, numpy.eye(2), atol=1e-6))
    True
    """

    def __init__(self, gain: float = 1.0, seed: Any = None) -> None:
        super().__init__(seed)
        self.gain = gain

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> Any:
        sizes = tuple(shape)
        if len(sizes) < 2:
            raise ValueError(
                "The tensor to initialize must be at least two-dimensional. "
                f"Received: shape={sizes} of rank {len(sizes)}."
            )
        rows, columns = math.prod(sizes[:-1]), sizes[-1]
        kind = as_dtype(dtype or config.floatx())
        tall = (max(rows, columns), min(rows, columns))
        q, r = qr(distributions.normal(self.state(), tall, kind))
        q = q * sign(diag_part(r))  # without it, q would depend on how QR chooses signs
        return reshape(q if rows >= columns else transpose(q), sizes) * self.gain

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"gain": self.gain}
