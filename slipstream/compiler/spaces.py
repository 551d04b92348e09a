"""Iteration spaces: shapes whose elements are walked in row-major order.

Two spaces of as many elements that differ only in where axes are split have a common refinement;
what walks either can walk that.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise

from slipstream.compiler.views import row_major
from slipstream.ir.types import Shape


def _boundaries(shape: Shape) -> set[int]:
    """How many elements lie within an axis and those after it, for every axis of the shape."""
    found, size = {1}, 1
    for n in reversed(shape):
        size *= n
        found.add(size)
    return found


def refinement(first: Shape, second: Shape) -> Shape | None:
    """The coarsest shape that splits the axes of both, without axes of size 1; None: there is none.

    Examples: (6, 4) and (2, 3, 4) give (2, 3, 4); (6,) with (2, 3) and (3, 2) has none.
    """
    if math.prod(first) != math.prod(second):
        return None
    ends = sorted(_boundaries(first) | _boundaries(second))
    sizes = []
    for inner, outer in pairwise(ends):
        if outer % inner:
            return None
        sizes.append(outer // inner)
    return tuple(reversed(sizes))


def refined(strides: Sequence[int], shape: Shape, space: Shape) -> Shape:
    """Strides over a refinement of `shape` of what has these strides over `shape`."""
    found: list[int] = []
    axes = [(n, step) for n, step in zip(shape, strides, strict=True) if n > 1]
    left, step = axes.pop() if axes else (1, 0)
    for n in reversed(space):
        if left == 1 and axes:
            left, step = axes.pop()
        found.append(step)
        left, step = left // n, step * n
    return tuple(reversed(found))


def refined_axes(axes: Iterable[int], shape: Shape, space: Shape) -> tuple[int, ...]:
    """The axes of a refinement that some axes of `shape` consist of."""
    own = [int(axis in set(axes)) for axis in range(len(shape))]
    inside, left, found = [(n, mark) for n, mark in zip(shape, own, strict=True) if n > 1], 1, []
    mark = 0
    for axis in reversed(range(len(space))):
        if left == 1 and inside:
            left, mark = inside.pop()
        if mark:
            found.append(axis)
        left //= space[axis]
    return tuple(reversed(found))


def is_in_order(strides: Sequence[int], space: Shape) -> bool:
    """Whether these strides walk an array as it lies in memory."""
    return all(n == 1 or a == b for n, a, b in zip(space, strides, row_major(space), strict=True))
