"""Initializers of one number, or of given ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from slipstream.ir.dtypes import as_dtype
from slipstream.keras import config
from slipstream.keras.initializers.initializer import Initializer
from slipstream.runtime.convert import convert


def filled(shape: Sequence[int], value: Any, dtype: Any) -> Any:
    """A tensor of one value, or of an array broadcast to the shape."""
    return convert(np.full(tuple(shape), value, as_dtype(dtype or config.floatx()).numpy))


class Zeros(Initializer):
    """All zeros.

    >>> Zeros()((2,)).numpy().tolist()
    [0.0, 0.0]
    """

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> Any:
        return filled(shape, 0, dtype)


class Ones(Initializer):
    """All ones."""

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> Any:
        return filled(shape, 1, dtype)


class Constant(Initializer):
    """One number everywhere, or an array of the weight's shape."""

    def __init__(self, value: Any = 0.0) -> None:
        self.value = value

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> Any:
        return filled(shape, np.asarray(self.value), dtype)

    def get_config(self) -> dict[str, Any]:
        return {"value": self.value}
