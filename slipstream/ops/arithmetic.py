"""Element-wise arithmetic, as `tf.math` has it: sums to remainders, extrema, rounding, clipping.

Functions of two tensors broadcast as NumPy does. Both must have one dtype; Python numbers adapt.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from slipstream.ir.dtypes import as_dtype, float32, float64
from slipstream.primitives import elementwise as p
from slipstream.primitives.base import misfit
from slipstream.runtime.convert import convert, convert_together
from slipstream.runtime.dispatch import operation
from slipstream.runtime.operators import magnitude


@operation
def add(x: Any, y: Any, name: str | None = None) -> Any:
    """x + y, of numbers of any dtype.

    >>> import slipstream as tf
    >>> tf.math.add([1, 2], 10).numpy().tolist()
    [11, 12]
    """
    return p.add(*convert_together(x, y))


@operation
def subtract(x: Any, y: Any, name: str | None = None) -> Any:
    """x - y, of numbers of any dtype."""
    return p.subtract(*convert_together(x, y))


@operation
def multiply(x: Any, y: Any, name: str | None = None) -> Any:
    """x y, element by element, of numbers of any dtype."""
    return p.multiply(*convert_together(x, y))


@operation
def scalar_mul(scalar: Any, x: Any, name: str | None = None) -> Any:
    """`x` times one number. Raises ValueError where `scalar` has a rank."""
    scalar, x = convert_together(scalar, x)
    if scalar.shape:
        raise ValueError(f"Only scalar multiply works, got shape {scalar.shape}")
    return p.multiply(scalar, x)


@operation
def truediv(x: Any, y: Any, name: str | None = None) -> Any:
    """x / y as Python 3 divides: integers of 8 and 16 bits in float32, wider ones in float64.

    >>> import slipstream as tf
    >>> tf.math.truediv([1, 2], 4).numpy().tolist()
    [0.25, 0.5]
    """
    x, y = convert_together(x, y)
    if x.dtype is not y.dtype:
        raise TypeError(f"`x` and `y` must have the same dtype, got {x.dtype!r} != {y.dtype!r}")
    if x.dtype.is_integer:
        wide = float32 if x.dtype.bits <= 16 else float64
        x, y = p.cast(x, dtype=wide), p.cast(y, dtype=wide)
    return p.divide(x, y)


@operation
def divide(x: Any, y: Any, name: str | None = None) -> Any:
    """x / y, the same as `truediv`."""
    return truediv(x, y)


@operation
def floordiv(x: Any, y: Any, name: str | None = None) -> Any:
    """The largest integer not above x / y, in the dtype of the operands, as Python's `//`.

    Raises InvalidArgumentError where integers are divided by zero.
    """
    return p.floor_divide(*convert_together(x, y))


@operation
def floormod(x: Any, y: Any, name: str | None = None) -> Any:
    """The remainder with the sign of y, as Python's `%`.

    >>> import slipstream as tf
    >>> tf.math.floormod([7, -7], 3).numpy().tolist()
    [1, 2]
    """
    return p.floor_mod(*convert_together(x, y))


mod = floormod


@operation
def truncatediv(x: Any, y: Any, name: str | None = None) -> Any:
    """x / y rounded towards zero, in the dtype of the operands, as C divides integers."""
    x, y = convert_together(x, y)
    if x.dtype.is_floating:
        return p.truncate(p.divide(x, y))
    return p.floor_divide(p.subtract(x, p.truncated_mod(x, y)), y)


@operation
def truncatemod(x: Any, y: Any, name: str | None = None) -> Any:
    """The remainder with the sign of x, as C's `%` and fmod."""
    return p.truncated_mod(*convert_together(x, y))


def quotient_or_zero(x: Any, y: Any, zero: Any) -> Any:
    """x / y, and 0 where `zero` holds, without an infinity in value or derivative."""
    return p.where(zero, 0, p.divide(x, p.where(zero, 1, y)))


@operation
def divide_no_nan(x: Any, y: Any, name: str | None = None) -> Any:
    """x / y, but 0 where y is 0, whatever x is there.

    >>> import slipstream as tf
    >>> tf.math.divide_no_nan([3., 1.], [2., 0.]).numpy().tolist()
    [1.5, 0.0]
    """
    x, y = convert_together(x, y)
    return quotient_or_zero(x, y, p.equal(y, y.coerce(0)))


@operation
def reciprocal_no_nan(x: Any, name: str | None = None) -> Any:
    """1 / x, but 0 where x is 0."""
    x = convert(x)
    return quotient_or_zero(x.coerce(1), x, p.equal(x, x.coerce(0)))


@operation
def multiply_no_nan(x: Any, y: Any, name: str | None = None) -> Any:
    """x y, but 0 where y is 0, even if x is infinite or nan there."""
    x, y = convert_together(x, y)
    rest = p.subtract(x, x)  # nan where x is infinite or nan
    finite = p.equal(rest, rest.coerce(0))
    harmless = p.logical_or(finite, p.not_equal(y, y.coerce(0)))
    return p.multiply(p.where(harmless, x, 0), y)


@operation
def squared_difference(x: Any, y: Any, name: str | None = None) -> Any:
    """|x - y| squared: (x - y)(x - y), conjugated once where it is complex."""
    difference = p.subtract(*convert_together(x, y))
    return p.multiply(p.conj(difference), difference)


@operation
def pow(x: Any, y: Any, name: str | None = None) -> Any:
    """x to the power y. Raises InvalidArgumentError for integers to negative powers."""
    return p.power(*convert_together(x, y))


@operation
def maximum(x: Any, y: Any, name: str | None = None) -> Any:
    """The larger of x and y; nan where one is nan."""
    return p.maximum(*convert_together(x, y))


@operation
def minimum(x: Any, y: Any, name: str | None = None) -> Any:
    """The smaller of x and y; nan where one is nan."""
    return p.minimum(*convert_together(x, y))


@operation
def nextafter(x1: Any, x2: Any, name: str | None = None) -> Any:
    """The next representable number after x1 towards x2, of float32 or float64."""
    return p.nextafter(*convert_together(x1, x2))


@operation
def negative(x: Any, name: str | None = None) -> Any:
    """-x"""
    return p.negative(convert(x))


@operation
def abs(x: Any, name: str | None = None) -> Any:
    """|x|, real for complex x.

    >>> import slipstream as tf
    >>> tf.math.abs([-1.5, 3 + 4j]).numpy().tolist()
    [1.5, 5.0]
    """
    return magnitude(convert(x))


@operation
def sign(x: Any, name: str | None = None) -> Any:
    """-1, 0 or 1; for complex x, x / |x|, and 0 where x is 0."""
    x = convert(x)
    if not x.dtype.is_complex:
        return p.sign(x)
    size = p.cast(p.modulus(x), dtype=x.dtype)
    return quotient_or_zero(x, size, p.equal(size, size.coerce(0)))


@operation
def square(x: Any, name: str | None = None) -> Any:
    """x x"""
    return p.square(convert(x))


@operation
def sqrt(x: Any, name: str | None = None) -> Any:
    """The square root of floats (nan below 0) and complex numbers."""
    return p.sqrt(convert(x))


@operation
def rsqrt(x: Any, name: str | None = None) -> Any:
    """1 / sqrt(x)"""
    return p.rsqrt(convert(x))


@operation
def reciprocal(x: Any, name: str | None = None) -> Any:
    """1 / x, of floats and complex numbers."""
    return p.reciprocal(convert(x))


@operation
def floor(x: Any, name: str | None = None) -> Any:
    """Down to a whole number, in the dtype of x."""
    return p.floor(convert(x))


@operation
def ceil(x: Any, name: str | None = None) -> Any:
    """Up to a whole number, in the dtype of x."""
    return p.ceil(convert(x))


@operation
def round(x: Any, name: str | None = None) -> Any:
    """To the nearest whole number, halves to the even one; integers stay as they are.

    >>> import slipstream as tf
    >>> tf.math.round([0.5, 1.5, 2.4]).numpy().tolist()
    [0.0, 2.0, 2.0]
    """
    x = convert(x)
    return x if x.dtype.is_integer else p.round_(x)


@operation
def rint(x: Any, name: str | None = None) -> Any:
    """To the nearest whole number, halves to the even one."""
    return p.round_(convert(x))


@operation
def add_n(inputs: Any, name: str | None = None) -> Any:
    """The sum of tensors of one shape and dtype, which do not broadcast.

    Raises ValueError where there is none, or where shapes differ.
    """
    listed = inputs if isinstance(inputs, (list, tuple)) else [inputs]
    if not listed:
        raise ValueError("Inputs must be an iterable of at least one Tensor with the same shape")
    tensors = convert_together(*listed)
    total = tensors[0]
    for tensor in tensors[1:]:
        if tensor.shape != total.shape:
            raise misfit("add_n", "the shapes differ", "one shape", x=total.type, y=tensor.type)
        total = p.add(total, tensor)
    return total


@operation
def accumulate_n(
    inputs: Sequence[Any], shape: Any = None, tensor_dtype: Any = None, name: str | None = None
) -> Any:
    """The sum of tensors, as `add_n`; `shape` and `tensor_dtype` are checked where given."""
    total = add_n(inputs)
    if shape is not None:
        total.shape.assert_is_compatible_with(shape)
    if tensor_dtype is not None and total.dtype is not as_dtype(tensor_dtype):
        raise TypeError(f"tensor_dtype is {tensor_dtype}, but the inputs are {total.dtype.name}")
    return total


@operation
def clip_by_value(t: Any, clip_value_min: Any, clip_value_max: Any, name: str | None = None) -> Any:
    """`t` moved into [clip_value_min, clip_value_max], which broadcast to it.

    The derivative is 1 from end to end, ends included, and 0 outside.

    >>> import slipstream as tf
    >>> tf.clip_by_value([-3., 0.5, 7.], 0., 1.).numpy().tolist()
    [0.0, 0.5, 1.0]
    """
    t, low, high = convert_together(t, clip_value_min, clip_value_max)
    clipped = p.maximum(p.minimum(t, high), low)
    if np.broadcast_shapes(tuple(t.shape), tuple(clipped.shape)) != tuple(t.shape):
        raise misfit("clip_by_value", "the ends do not broadcast to t", t=t.type, low=low.type)
    return clipped
