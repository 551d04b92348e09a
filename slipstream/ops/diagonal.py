"""Diagonals and bands of matrices."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from slipstream.errors import InvalidArgumentError, message
from slipstream.ir.dtypes import int32
from slipstream.ops.array import number_of
from slipstream.primitives import structure
from slipstream.primitives.base import REGISTRY
from slipstream.primitives.operand import constant
from slipstream.runtime.convert import convert
from slipstream.runtime.dispatch import operation


def _matrix(name: str, value: Any) -> Any:
    x = convert(value)
    if x.ndim < 2:
        raise InvalidArgumentError(
            message(name, "a matrix has two axes", received={"input": x.type})
        )
    return x


def _offset(k: Any) -> int:
    if isinstance(k, (tuple, list)):
        if len(set(k)) > 1:
            raise InvalidArgumentError(message("diag", "one diagonal at a time", received={"k": k}))
        k = k[0]
    return number_of("diag", k)


def _on_diagonal(shape: tuple[int, ...], k: int) -> Any:
    """Booleans [rows, columns]: where column - row is k."""
    return constant(np.eye(shape[-2], shape[-1], k, dtype=bool))


@operation
def diag_part(input: Any, name: str = "diag_part", k: Any = 0, **_: Any) -> Any:
    """The k-th diagonal of each matrix: [..., length]; above the main one for positive k."""
    x = _matrix("diag_part", input)
    offset = _offset(k)
    rows, columns = x.type.shape[-2:]
    length = max(0, min(rows + min(offset, 0), columns - max(offset, 0)))
    first = max(offset, 0) - min(offset, 0) * columns
    numbers = first + np.arange(length) * (columns + 1)
    flat = structure.reshape(x, shape=(*x.type.shape[:-2], rows * columns))
    places = constant(numbers.astype(np.int32))
    return REGISTRY["gather"](flat, places, axis=x.ndim - 2, batch_dims=0)


@operation
def diag(
    diagonal: Any, name: str = "diag", k: Any = 0, num_rows: int = -1, num_cols: int = -1,
    padding_value: Any = 0, align: str = "RIGHT_LEFT",
) -> Any:  # fmt: skip
    """Matrices with `diagonal` [..., length] on their k-th diagonal, `padding_value` beside it."""
    d = convert(diagonal)
    offset, length = _offset(k), d.type.shape[-1]
    rows = num_rows if num_rows != -1 else length - min(offset, 0)
    columns = num_cols if num_cols != -1 else length + max(offset, 0)
    empty = structure.broadcast_to(
        convert(padding_value, d.dtype), shape=(*d.type.shape[:-1], rows, columns)
    )
    return set_diag(empty, d, k=offset)


@operation
def set_diag(input: Any, diagonal: Any, name: str = "set_diag", k: Any = 0, **_: Any) -> Any:
    """The matrices with their k-th diagonal replaced."""
    x = _matrix("set_diag", input)
    d, offset = convert(diagonal, x.dtype), _offset(k)
    rows, columns = x.type.shape[-2:]
    # row r of the k-th diagonal holds diagonal[r + min(k, 0)]: the diagonal as a column
    low = -min(offset, 0)
    high = rows - low - d.type.shape[-1]
    nothing = convert(0, d.dtype)
    batch = (0,) * (d.ndim - 1)
    column = structure.pad(d, nothing, low=(*batch, low), high=(*batch, high), interior=(*batch, 0))
    spread = structure.reshape(column, shape=(*column.type.shape, 1))
    return REGISTRY["select"](_on_diagonal((rows, columns), offset), spread, x)


@operation
def trace(x: Any, name: str | None = None) -> Any:
    """The sum of the main diagonal of each matrix."""
    parts = diag_part(x)
    return REGISTRY["sum"](parts, axes=(parts.ndim - 1,))


@operation
def tensor_diag(diagonal: Any, name: str | None = None) -> Any:
    """[*s, *s] with `diagonal` [*s] where both halves of the index are equal, zeros beside it."""
    d = convert(diagonal)
    count = math.prod(d.type.shape)
    flat = structure.reshape(d, shape=(count,))
    return structure.reshape(diag(flat), shape=(*d.type.shape, *d.type.shape))


@operation
def tensor_diag_part(input: Any, name: str | None = None) -> Any:
    """Of [*s, *s], the elements where both halves of the index are equal: [*s]."""
    x = convert(input)
    half = x.type.shape[: x.ndim // 2]
    if x.ndim % 2 or half != x.type.shape[x.ndim // 2 :]:
        raise InvalidArgumentError(
            message(
                "tensor_diag_part", "both halves of the shape are equal", received={"x": x.type}
            )
        )
    count = math.prod(half)
    return structure.reshape(diag_part(structure.reshape(x, shape=(count, count))), shape=half)


@operation
def band_part(input: Any, num_lower: Any, num_upper: Any, name: str | None = None) -> Any:
    """The matrices without what lies outside a band; negative numbers keep that triangle whole."""
    x = _matrix("band_part", input)
    rows, columns = x.type.shape[-2:]
    lower, upper = number_of("band_part", num_lower), number_of("band_part", num_upper)
    distance = np.arange(columns, dtype=int32.numpy) - np.arange(rows, dtype=int32.numpy)[:, None]
    kept = (distance >= -lower if lower >= 0 else True) & (
        distance <= upper if upper >= 0 else True
    )
    mask = constant(np.broadcast_to(kept, (rows, columns)).copy())
    return REGISTRY["select"](mask, x, convert(0, x.dtype))
