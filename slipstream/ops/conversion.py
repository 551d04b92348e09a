"""Dtypes changed, and complex numbers taken apart and put together."""

from __future__ import annotations

from typing import Any

import numpy as np

from slipstream.ir.dtypes import DType, as_dtype
from slipstream.primitives import elementwise as p
from slipstream.primitives.operand import zeros
from slipstream.runtime.convert import convert, convert_together
from slipstream.runtime.dispatch import operation
from slipstream.runtime.slices import IndexedSlices


@operation
def cast(x: Any, dtype: Any, name: str | None = None) -> Any:
    """The same numbers in another dtype.

    Floats go towards zero to integers, complex numbers lose their imaginary part, and everything
    but 0 is True. A float outside the range of an integer dtype becomes the nearest end of it, nan
    becomes 0. Raises InvalidArgumentError for strings.

    >>> import slipstream as tf
    >>> tf.cast([1.8, -2.2], tf.int32).numpy().tolist()
    [1, -2]
    """
    wanted = as_dtype(dtype)
    if isinstance(x, IndexedSlices):
        return IndexedSlices(p.cast(x.values, dtype=wanted), x.indices, x.dense_shape)
    x = convert(x)
    return x if x.dtype is wanted else p.cast(x, dtype=wanted)


@operation
def saturate_cast(value: Any, dtype: Any, name: str | None = None) -> Any:
    """`cast`, with numbers outside the range of `dtype` moved to its nearest end.

    >>> import slipstream as tf
    >>> tf.saturate_cast([-5, 300], tf.uint8).numpy().tolist()
    [0, 255]
    """
    value, wanted = convert(value), as_dtype(dtype)
    if wanted.is_complex or wanted.is_bool or value.dtype.is_bool:
        return p.cast(value, dtype=wanted)
    if value.dtype.is_complex:
        value = p.real(value)
    low, high = _common_range(value.dtype, wanted)
    if low is not None:
        value = p.maximum(value, value.coerce(low))
    if high is not None:
        value = p.minimum(value, value.coerce(high))
    return p.cast(value, dtype=wanted)


def _common_range(source: DType, wanted: DType) -> tuple[Any, Any]:
    """The ends of `wanted` where they lie inside `source`; None where they do not."""
    if source.is_floating and wanted.is_integer:
        return None, None  # casting does that itself, exactly
    low = wanted.min if float(wanted.min) > float(source.min) else None
    high = wanted.max if float(wanted.max) < float(source.max) else None
    return low, high


@operation
def complex(real: Any, imag: Any, name: str | None = None) -> Any:
    """real + i imag: complex64 of float32, complex128 of float64.

    >>> import slipstream as tf
    >>> tf.complex(1.0, 2.0).numpy().item()
    (1+2j)
    """
    return p.complex_(*convert_together(real, imag))


@operation
def real(input: Any, name: str | None = None) -> Any:
    """The real part; real numbers as they are."""
    input = convert(input)
    return p.real(input) if input.dtype.is_complex else input


@operation
def imag(input: Any, name: str | None = None) -> Any:
    """The imaginary part; zeros for real numbers."""
    input = convert(input)
    return p.imaginary(input) if input.dtype.is_complex else zeros(input.type)


@operation
def conj(x: Any, name: str | None = None) -> Any:
    """The complex conjugate; real numbers as they are. Raises TypeError for what is no number."""
    x = convert(x)
    if x.dtype.is_bool or x.dtype.kind == "string":
        raise TypeError(f"Expected numeric or variant tensor, got dtype {x.dtype!r}")
    return p.conj(x)


@operation
def angle(input: Any, name: str | None = None) -> Any:
    """The angle in (-pi, pi] of a complex number; of a real one, 0, or pi where it is negative.

    >>> import slipstream as tf
    >>> round(float(tf.math.angle(1j)), 4)
    1.5708
    """
    input = convert(input)
    if input.dtype.is_complex:
        return p.arctan2(p.imaginary(input), p.real(input))
    return p.where(p.less(input, input.coerce(0)), input.coerce(np.pi), 0)
