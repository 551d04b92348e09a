"""Questions answered in booleans, and logic, as `tf.math` has them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from slipstream.primitives import elementwise as p
from slipstream.primitives.base import misfit
from slipstream.primitives.reduction import all_
from slipstream.primitives.structure import reshape, slice_along
from slipstream.runtime.convert import convert, convert_together
from slipstream.runtime.dispatch import operation


@operation
def equal(x: Any, y: Any, name: str | None = None) -> Any:
    """x == y, element by element; nan equals nothing. Of any dtype.

    >>> import slipstream as tf
    >>> tf.math.equal([1, 2, 3], 2).numpy().tolist()
    [False, True, False]
    """
    return p.equal(*convert_together(x, y))


@operation
def not_equal(x: Any, y: Any, name: str | None = None) -> Any:
    """x != y, element by element; nan differs from everything."""
    return p.not_equal(*convert_together(x, y))


@operation
def less(x: Any, y: Any, name: str | None = None) -> Any:
    """x < y, of real numbers."""
    return p.less(*convert_together(x, y))


@operation
def less_equal(x: Any, y: Any, name: str | None = None) -> Any:
    """x <= y, of real numbers."""
    return p.less_equal(*convert_together(x, y))


@operation
def greater(x: Any, y: Any, name: str | None = None) -> Any:
    """x > y, of real numbers."""
    return p.greater(*convert_together(x, y))


@operation
def greater_equal(x: Any, y: Any, name: str | None = None) -> Any:
    """x >= y, of real numbers."""
    return p.greater_equal(*convert_together(x, y))


@operation
def is_nan(x: Any, name: str | None = None) -> Any:
    """Whether each float is not a number."""
    return p.is_nan(convert(x))


@operation
def is_inf(x: Any, name: str | None = None) -> Any:
    """Whether each float is infinite."""
    return p.is_inf(convert(x))


@operation
def is_finite(x: Any, name: str | None = None) -> Any:
    """Whether each float is neither infinite nor nan."""
    return p.is_finite(convert(x))


@operation
def logical_and(x: Any, y: Any, name: str | None = None) -> Any:
    """x and y, of booleans."""
    return p.logical_and(convert(x), convert(y))


@operation
def logical_or(x: Any, y: Any, name: str | None = None) -> Any:
    """x or y, of booleans."""
    return p.logical_or(convert(x), convert(y))


@operation
def logical_xor(x: Any, y: Any, name: str | None = None) -> Any:
    """One of x and y and not both, of booleans."""
    return p.logical_xor(convert(x), convert(y))


@operation
def logical_not(x: Any, name: str | None = None) -> Any:
    """not x, of booleans."""
    return p.logical_not(convert(x))


@operation
def approximate_equal(x: Any, y: Any, tolerance: float = 1e-5, name: str | None = None) -> Any:
    """Whether |x - y| < tolerance, of tensors of one shape.

    Raises ValueError where the shapes differ.
    """
    x, y = convert_together(x, y)
    if x.shape != y.shape:
        raise misfit("approximate_equal", "the shapes differ", x=x.type, y=y.type)
    difference = p.subtract(p.maximum(x, y), p.minimum(x, y))
    return p.less(difference, difference.coerce(tolerance))


def _neighbours(x: Any, question: Callable[[Any, Any], Any]) -> Any:
    """Whether the question holds for each two neighbours of the flattened tensor."""
    flat = reshape(x, shape=(-1,) if x.type.size else (0,))
    count = flat.shape[0]
    if count < 2:
        return convert(True)
    answers = question(slice_along(flat, 0, 0, count - 1), slice_along(flat, 0, 1, count))
    return all_(answers, axes=(0,))


@operation
def is_non_decreasing(x: Any, name: str | None = None) -> Any:
    """Whether no element is smaller than the one before, in row-major order.

    >>> import slipstream as tf
    >>> bool(tf.math.is_non_decreasing([1, 1, 2]))
    True
    """
    return _neighbours(convert(x), p.less_equal)


@operation
def is_strictly_increasing(x: Any, name: str | None = None) -> Any:
    """Whether each element is larger than the one before, in row-major order."""
    return _neighbours(convert(x), p.less)
