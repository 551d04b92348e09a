"""Convolutions of 3 x 3 taps with fewer products: Winograd's minimal filtering, F(4 x 4, 3 x 3).

A tile of 4 x 4 outputs is an interpolation of products at 36 points: 36 multiplications where the
sum of taps takes 144 (Winograd 1980; Lavin and Gray 2016). The points are 0, +-3/4, +-3/2 and
infinity. With these the error is about that of the plain sum; with the usual 0, +-1, +-2 it is
five times as large (Barabasz et al. 2020 say why points matter). The gradient by the filter is the
same with outputs of 3 x 3 and a filter of 4 x 4, on the same transformed tiles.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from slipstream.ir.dtypes import float32
from slipstream.ir.graph import Node
from slipstream.ir.types import Shape
from slipstream.primitives.contraction import contract
from slipstream.primitives.mosaic import mosaic
from slipstream.primitives.operand import constant
from slipstream.primitives.structure import concat, pad, reshape, slice_

NEAR, FAR = 0.75, 1.5  # the points, beside 0 and infinity
TILE, TAPS, POINTS = 4, 3, 6
WORTH = 200_000_000  # operations of the plain sum: below, transforms take as long
FEWEST = 16  # channels: a vector of each
ROWS = 32  # tiles of a group of samples, at least: rows of a product
GROUPS = 8  # of samples, at least, if any
MOST_WASTE = 1.6  # outputs computed for each that is wanted

Line = Callable[[Sequence[Any]], list[Any]]


def interpolated(taps: int) -> np.ndarray[Any, Any]:
    """[6, taps]: a filter's values at the points, over the derivative of what vanishes there."""
    points = [0.0, NEAR, -NEAR, FAR, -FAR]
    rows = []
    for i, point in enumerate(points):
        scale = math.prod(point - other for j, other in enumerate(points) if j != i)
        rows.append([point**k / scale for k in range(taps)])
    return np.array([*rows, [0.0] * (taps - 1) + [1.0]])


def evaluated(outputs: int) -> np.ndarray[Any, Any]:
    """[outputs, 6]: from products at the points to outputs."""
    points = np.array([0.0, NEAR, -NEAR, FAR, -FAR])
    rows = [np.append(points**i, float(i == outputs - 1)) for i in range(outputs)]
    return np.array(rows)


def both(matrix: np.ndarray[Any, Any]) -> Any:
    """The matrix of doing so along both axes."""
    return constant(np.kron(matrix, matrix).astype(np.float32))


def _line_of_tile(d: Sequence[Any]) -> list[Any]:
    """Six elements at the points: by even and odd parts, which opposite points share."""
    a, b = NEAR**2, FAR**2
    found = [d[4] - d[2] * (a + b) + d[0] * (a * b)]
    for point, other in ((NEAR, b), (FAR, a)):
        even, odd = d[4] - d[2] * other, (d[3] - d[1] * other) * point
        found += [even + odd, even - odd]
    return [*found, d[5] - d[3] * (a + b) + d[1] * (a * b)]


def _line_of_gradient(g: Sequence[Any]) -> list[Any]:
    """Four elements as a filter at the points."""
    rows = interpolated(TILE)
    found = [g[0] * float(rows[0, 0])]
    for row in (rows[1], rows[3]):
        even = g[0] * float(row[0]) + g[2] * float(row[2])
        odd = g[1] * float(row[1]) + g[3] * float(row[3])
        found += [even + odd, even - odd]
    return [*found, g[3]]


def _line_of_outputs(m: Sequence[Any]) -> list[Any]:
    """Four outputs from products at the points."""
    (s, t), (u, v) = ((m[i] + m[i + 1], m[i] - m[i + 1]) for i in (1, 3))
    return [
        m[0] + s + u,
        t * NEAR + v * FAR,
        s * NEAR**2 + u * FAR**2,
        t * NEAR**3 + v * FAR**3 + m[5],
    ]


def _along_both(line: Line, square: Sequence[Sequence[Any]]) -> list[list[Any]]:
    """A square of values, transformed along columns and then along rows."""
    columns = [line(column) for column in zip(*square, strict=True)]
    return [line(row) for row in zip(*columns, strict=True)]


def _places(x: Any, across: int, tiles: Shape) -> list[list[Any]]:
    """[groups, n, *tiles, c] for each place of a tile: slices of the grouped x, `TILE` apart."""
    *ahead, _, _, c = x.shape

    def place(i: int, j: int) -> Any:
        stops = (*ahead, i + TILE * (tiles[0] - 1) + 1, j + TILE * (tiles[1] - 1) + 1, c)
        return slice_(x, starts=(0, 0, i, j, 0), stops=stops, steps=(1, 1, TILE, TILE, 1))

    return [[place(i, j) for j in range(across)] for i in range(across)]


def _grouped(x: Any, tiles: Shape, channels: Shape) -> Any:
    """[groups, n, h, w, c] of [samples, h, w, c]."""
    samples, *rest = x.shape
    together = _together(samples, math.prod(tiles), channels)
    return reshape(x, shape=(samples // together, together, *rest))


def _filled(x: Any, sizes: Sequence[int]) -> Any:
    """x with zeros behind it, up to these spatial sizes."""
    high = (0, *(size - n for size, n in zip(sizes, x.shape[1:-1], strict=True)), 0)
    if not any(high):
        return x
    none = (0,) * len(high)
    return pad(x, x.coerce(0), low=none, high=high, interior=none)


def _stacked(square: Sequence[Sequence[Any]]) -> Any:
    """[groups, 36, tiles, c] of a square of [groups, n, *tiles, c]."""
    groups, *_, c = square[0][0].shape
    flat = [reshape(v, shape=(groups, 1, -1, c)) for row in square for v in row]
    return concat(*flat, axis=1)


def _together(samples: int, tiles: int, channels: Shape) -> int:
    """How many samples are a group: as few as give a product enough rows, all if they are many.

    Each group reads all filters, so there are to be many more rows than numbers of them a channel.
    """
    ci, co = channels
    rows = max(ROWS, ci * co // (ci + co))
    enough = (n for n in range(1, samples) if samples % n == 0 and n * tiles >= rows)
    found = next(enough, samples)
    return found if samples >= GROUPS * found else samples


def _tiles_of(spatial: Shape) -> Shape:
    return tuple(-(-n // TILE) for n in spatial)


def _tiles(x: Any, tiles: Shape, channels: Shape) -> Any:
    """[groups, 36, tiles, c]: the transformed tiles of [n, h, w, c], which overlap."""
    x = _filled(x, [TILE * n + TAPS - 1 for n in tiles])
    return _stacked(
        _along_both(_line_of_tile, _places(_grouped(x, tiles, channels), POINTS, tiles))
    )


def convolution(x: Any, w: Any, **params: Any) -> Any:
    """[n, h, w, co] of the unpadded x and a filter [3, 3, ci, co]."""
    n, *sides, _ = x.shape
    spatial = tuple(size - TAPS + 1 for size in sides)
    tiles, (ci, co) = _tiles_of(spatial), w.shape[-2:]
    taps = reshape(w, shape=(TAPS * TAPS, ci * co))
    filters = _times(both(interpolated(TAPS)), taps)
    filters = reshape(filters, shape=(POINTS**2, ci, co))
    products = contract(
        _tiles(x, tiles, (ci, co)), filters,
        x_labels=(4, 0, 1, 2), y_labels=(0, 2, 3), out_labels=(4, 0, 1, 3),
    )  # fmt: skip
    return _outputs(products, (n, *tiles, co), spatial)


def _times(x: Any, y: Any) -> Any:
    return contract(x, y, x_labels=(0, 1), y_labels=(1, 2), out_labels=(0, 2))


def _outputs(products: Any, shape: Shape, spatial: Shape) -> Any:
    """The tiles of outputs from [groups, 36, tiles, co], put in their places."""
    n, *tiles, co = shape
    groups, _, *rest = products.shape
    ahead = (groups, n // groups)

    def at(point: int) -> Any:
        starts, stops = (0, point, 0, 0), (groups, point + 1, *rest)
        one = slice_(products, starts=starts, stops=stops, steps=(1,) * len(stops))
        return reshape(one, shape=(*ahead, *tiles, co))

    square = [[at(i * POINTS + j) for j in range(POINTS)] for i in range(POINTS)]
    found = _along_both(_line_of_outputs, square)
    sides = tuple(TILE * size for size in tiles)
    parts = [v for row in found for v in row]
    starts = tuple((0, 0, i, j, 0) for i in range(TILE) for j in range(TILE))
    steps = ((1, 1, TILE, TILE, 1),) * len(parts)
    y = reshape(
        mosaic(*parts, shape=(*ahead, *sides, co), starts=starts, steps=steps),
        shape=(n, *sides, co),
    )
    if sides == spatial:
        return y
    return slice_(y, starts=(0,) * 4, stops=(n, *spatial, co), steps=(1,) * 4)


def by_filter(x: Any, g: Any, **params: Any) -> Any:
    """[3, 3, ci, co], summed over all tiles of the unpadded x and the cotangent g."""
    tiles, (ci, co) = _tiles_of(g.shape[1:-1]), (x.shape[-1], g.shape[-1])
    g = _filled(g, [TILE * n for n in tiles])
    filters = _stacked(
        _along_both(_line_of_gradient, _places(_grouped(g, tiles, (ci, co)), TILE, tiles))
    )
    products = contract(
        _tiles(x, tiles, (ci, co)), filters,
        x_labels=(4, 0, 1, 2), y_labels=(4, 0, 1, 3), out_labels=(0, 2, 3),
    )  # fmt: skip
    found = _times(both(evaluated(TAPS)), reshape(products, shape=(POINTS**2, ci * co)))
    return reshape(found, shape=(TAPS, TAPS, ci, co))


def is_suited(node: Node) -> bool:
    """Whether a convolution, or its gradient by the filter, is done in tiles."""
    p, out = node.params, node.outputs[0].type
    plain = all(n == 1 for n in (*p["strides"], *p["dilation"], p["groups"]))
    is_gradient = "filter_shape" in p
    taps = out.shape[:2] if is_gradient else node.inputs[1].type.shape[:2]
    if not plain or taps != (TAPS, TAPS) or out.dtype is not float32 or out.rank != 4:
        return False
    n, *spatial, co = (node.inputs[1].type if is_gradient else out).shape
    ci = node.inputs[0].type.shape[-1]
    waste = math.prod(TILE * -(-size // TILE) / size for size in spatial)
    enough = 2 * n * math.prod(spatial) * ci * co * TAPS**2 >= WORTH
    return enough and min(ci, co) >= FEWEST and waste <= MOST_WASTE
