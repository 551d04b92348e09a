"""`tf.bitwise`: the bits of integers, element by element; both operands have one integer dtype."""

from __future__ import annotations

from typing import Any

from slipstream.primitives import elementwise as p
from slipstream.runtime.convert import convert, convert_together
from slipstream.runtime.dispatch import operation


@operation
def bitwise_and(x: Any, y: Any, name: str | None = None) -> Any:
    """The bits set in both.

    >>> import slipstream as tf
    >>> int(tf.bitwise.bitwise_and(12, 10))
    8
    """
    return p.bitwise_and(*convert_together(x, y))


@operation
def bitwise_or(x: Any, y: Any, name: str | None = None) -> Any:
    """The bits set in one of them."""
    return p.bitwise_or(*convert_together(x, y))


@operation
def bitwise_xor(x: Any, y: Any, name: str | None = None) -> Any:
    """The bits in which they differ."""
    return p.bitwise_xor(*convert_together(x, y))


@operation
def invert(x: Any, name: str | None = None) -> Any:
    """Every bit flipped."""
    return p.invert(convert(x))


@operation
def left_shift(x: Any, y: Any, name: str | None = None) -> Any:
    """The bits of x moved y places up."""
    return p.left_shift(*convert_together(x, y))


@operation
def right_shift(x: Any, y: Any, name: str | None = None) -> Any:
    """The bits of x moved y places down; the sign of a signed integer is kept."""
    return p.right_shift(*convert_together(x, y))
