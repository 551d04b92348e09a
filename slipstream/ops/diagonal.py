"""Diagonals and bands of matrices."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from slipstream.errors import InvalidArgumentError, message
from slipstream.ir.dtypes import int32
from slipstream.ops.array import number_of, sizes_of
from slipstream.primitives import structure
from slipstream.primitives.base import REGISTRY, misfit
from slipstream.primitives.indexing import taken
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


Band = tuple[int, int]  # the lowest and the highest diagonal; 0 is the main one


def _band(name: str, k: Any) -> Band:
    """The diagonals `k` names: one number, or the lowest and the highest."""
    numbers = sizes_of(name, k)
    if len(numbers) not in (1, 2) or numbers[0] > numbers[-1]:
        raise misfit(name, "k is a diagonal, or the lowest and the highest one", k=numbers)
    return numbers[0], numbers[-1]


def _check_band(name: str, band: Band, rows: int, columns: int) -> None:
    if rows and columns and not (-rows < band[0] and band[1] < columns):
        raise misfit(name, "there is no such diagonal", k=band, shape=(rows, columns))


def _longest(band: Band, rows: int, columns: int) -> int:
    """The length of the longest diagonal of a band."""
    return max(0, min(rows + min(band[1], 0), columns - max(band[0], 0)))


def _shift(name: str, numbers: Any, band: Band, sizes: tuple[int, int], align: str) -> Any:
    """How far each of the diagonals `numbers` is moved right, for all are as long as the longest.

    `align` says it for those above the main one and those below it: RIGHT_LEFT, LEFT_RIGHT,
    LEFT_LEFT, RIGHT_RIGHT.
    """
    if align not in ("RIGHT_LEFT", "LEFT_RIGHT", "LEFT_LEFT", "RIGHT_RIGHT"):
        raise misfit(
            name, "no such alignment", "LEFT or RIGHT twice: RIGHT_LEFT", align=repr(align)
        )
    rows, columns = sizes
    lengths = np.minimum(columns - np.maximum(numbers, 0), rows + np.minimum(numbers, 0))
    above, below = (side == "RIGHT" for side in align.split("_"))
    moved = (above & (numbers >= 0)) | (below & (numbers <= 0))
    return np.where(moved, _longest(band, rows, columns) - lengths, 0)


def _picked(x: Any, places: Any, otherwise: Any) -> Any:
    """Elements of the last axis by places [...]; `otherwise` where a place is negative."""
    outside = places < 0
    safe = constant(np.where(outside, 0, places).astype(np.int32))
    if outside.all():
        return structure.broadcast_to(otherwise, shape=(*x.type.shape[:-1], *places.shape))
    found = taken(x, safe, axis=x.ndim - 1)
    return REGISTRY["select"](constant(outside), otherwise, found) if outside.any() else found


@operation
def diag_part(
    input: Any, name: str = "diag_part", k: Any = 0, padding_value: Any = 0,
    align: str = "RIGHT_LEFT",
) -> Any:  # fmt: skip
    """The k-th diagonal of each matrix: [..., length]; above the main one for positive k.

    For k = (lowest, highest) all of them, the highest first: [..., highest - lowest + 1, longest],
    with padding_value beside the shorter ones, which `align` moves.

    >>> diag_part([[1, 2], [3, 4]], k=(-1, 0)).numpy().tolist()
    [[1, 4], [3, 0]]
    """
    x, band = _matrix("diag_part", input), _band("diag_part", k)
    rows, columns = x.type.shape[-2:]
    _check_band("diag_part", band, rows, columns)
    numbers = np.arange(band[1], band[0] - 1, -1)[:, None]
    shift = _shift("diag_part", numbers, band, (rows, columns), align)
    along = np.arange(_longest(band, rows, columns)) - shift
    row, column = along + np.maximum(-numbers, 0), along + np.maximum(numbers, 0)
    inside = (along >= 0) & (row < rows) & (column < columns)
    places = np.where(inside, row * columns + column, -1)
    flat = structure.reshape(x, shape=(*x.type.shape[:-2], rows * columns))
    wanted = places[0] if band[0] == band[1] else places
    return _picked(flat, wanted, convert(padding_value, x.dtype))


def _places(name: str, d: Any, band: Band, sizes: tuple[int, int], align: str) -> tuple[Any, Any]:
    """The diagonals flat [..., n], and of each element of the matrix its place there or -1."""
    rows, columns = sizes
    _check_band(name, band, rows, columns)
    count, length = band[1] - band[0] + 1, _longest(band, rows, columns)
    tail = (length,) if count == 1 else (count, length)
    if d.type.shape[-len(tail) :] != tail:
        text = f"the diagonals of a matrix of {rows} rows and {columns} columns have another shape"
        raise misfit(name, text, f"[..., {', '.join(map(str, tail))}]", diagonal=d.type, k=band)
    row, column = np.arange(rows)[:, None], np.arange(columns)
    number = column - row
    along = column - np.maximum(number, 0) + _shift(name, number, band, sizes, align)
    inside = (number >= band[0]) & (number <= band[1])
    places = np.where(inside, (band[1] - number) * length + along, -1)
    batch = d.type.shape[: d.ndim - len(tail)]
    return structure.reshape(d, shape=(*batch, count * length)), places


@operation
def diag(
    diagonal: Any, name: str = "diag", k: Any = 0, num_rows: Any = -1, num_cols: Any = -1,
    padding_value: Any = 0, align: str = "RIGHT_LEFT",
) -> Any:  # fmt: skip
    """Matrices with `diagonal` [..., length] on their k-th diagonal, `padding_value` beside it.

    For k = (lowest, highest), `diagonal` is as `diag_part` gives it. The smallest square matrix,
    unless num_rows or num_cols say.

    >>> diag([1, 2], k=1).numpy().tolist()
    [[0, 1, 0], [0, 0, 2], [0, 0, 0]]
    """
    d, band = convert(diagonal), _band("diag", k)
    least_rows = d.type.shape[-1] - min(band[1], 0)
    least_columns = d.type.shape[-1] + max(band[0], 0)
    rows, columns = number_of("diag", num_rows), number_of("diag", num_cols)
    if rows == columns == -1:
        rows = columns = max(least_rows, least_columns)
    sizes = least_rows if rows == -1 else rows, least_columns if columns == -1 else columns
    flat, places = _places("diag", d, band, sizes, align)
    return _picked(flat, places, convert(padding_value, d.dtype))


@operation
def set_diag(
    input: Any, diagonal: Any, name: str = "set_diag", k: Any = 0, align: str = "RIGHT_LEFT"
) -> Any:
    """The matrices with their k-th diagonal replaced; several as `diag_part` gives them."""
    x, band = _matrix("set_diag", input), _band("set_diag", k)
    d = convert(diagonal, x.dtype)
    flat, places = _places("set_diag", d, band, x.type.shape[-2:], align)
    return _picked(flat, places, x)


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
