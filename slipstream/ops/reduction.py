"""Reductions along axes: sums, means, extrema, norms; and scans, which keep the partial results.

`axis` is a number, a list of them, or None for all; negative ones count from the end. `keepdims`
leaves sizes of 1. An axis that does not exist raises InvalidArgumentError.
"""

from __future__ import annotations

import math
from typing import Any

from slipstream.ir.dtypes import as_dtype, float32, float64, int64, uint8
from slipstream.ops.axes import axes_of, axis_of, kept
from slipstream.primitives import elementwise as p
from slipstream.primitives import reduction as r
from slipstream.primitives.base import Primitive
from slipstream.primitives.structure import broadcast_to, stop_gradient
from slipstream.runtime.convert import convert
from slipstream.runtime.dispatch import operation


def _reduced(name: str, primitive: Primitive, x: Any, axis: Any, keepdims: bool | None) -> Any:
    axes = axes_of(axis, len(x.shape), name)
    return kept(primitive(x, axes=axes), x, axes, keepdims)


@operation
def reduce_sum(
    input_tensor: Any, axis: Any = None, keepdims: bool = False, name: str | None = None
) -> Any:
    """The sum along axes, in the dtype of the input (16-bit floats are added up in float32).

    >>> import slipstream as tf
    >>> tf.reduce_sum([[1, 2], [3, 4]], axis=0).numpy().tolist()
    [4, 6]
    """
    return _reduced("reduce_sum", r.sum_, convert(input_tensor), axis, keepdims)


@operation
def reduce_prod(
    input_tensor: Any, axis: Any = None, keepdims: bool = False, name: str | None = None
) -> Any:
    """The product along axes, in the dtype of the input."""
    return _reduced("reduce_prod", r.product, convert(input_tensor), axis, keepdims)


@operation
def reduce_max(
    input_tensor: Any, axis: Any = None, keepdims: bool = False, name: str | None = None
) -> Any:
    """The largest element along axes; of equal ones, each has its share of the derivative."""
    return _reduced("reduce_max", r.max_, convert(input_tensor), axis, keepdims)


@operation
def reduce_min(
    input_tensor: Any, axis: Any = None, keepdims: bool = False, name: str | None = None
) -> Any:
    """The smallest element along axes; of equal ones, each has its share of the derivative."""
    return _reduced("reduce_min", r.min_, convert(input_tensor), axis, keepdims)


@operation
def reduce_all(
    input_tensor: Any, axis: Any = None, keepdims: bool = False, name: str | None = None
) -> Any:
    """Whether all booleans along axes are True."""
    return _reduced("reduce_all", r.all_, convert(input_tensor), axis, keepdims)


@operation
def reduce_any(
    input_tensor: Any, axis: Any = None, keepdims: bool = False, name: str | None = None
) -> Any:
    """Whether one of the booleans along axes is True."""
    return _reduced("reduce_any", r.any_, convert(input_tensor), axis, keepdims)


def mean_of(x: Any, axes: tuple[int, ...]) -> Any:
    """The mean along axes counted from 0; 16-bit floats by way of float32, integers cut off."""
    dtype = x.dtype
    count = math.prod(x.type.shape[axis] for axis in axes)
    if dtype.is_integer:
        total = r.sum_(p.cast(x, dtype=int64), axes=axes)
        whole = p.subtract(total, p.truncated_mod(total, total.coerce(max(count, 1))))
        return p.cast(p.floor_divide(whole, total.coerce(max(count, 1))), dtype=dtype)
    narrow = dtype.is_floating and dtype.bits == 16
    total = r.sum_(p.cast(x, dtype=float32) if narrow else x, axes=axes)
    mean = p.divide(total, total.coerce(count))
    return p.cast(mean, dtype=dtype) if narrow else mean


@operation
def reduce_mean(
    input_tensor: Any, axis: Any = None, keepdims: bool = False, name: str | None = None
) -> Any:
    """The mean along axes, in the dtype of the input: that of integers is cut off.

    >>> import slipstream as tf
    >>> float(tf.reduce_mean([1., 2.])), int(tf.reduce_mean([1, 2]))
    (1.5, 1)
    """
    x = convert(input_tensor)
    axes = axes_of(axis, len(x.shape), "reduce_mean")
    return kept(mean_of(x, axes), x, axes, keepdims)


def variance_of(x: Any, axes: tuple[int, ...]) -> Any:
    """The mean of |x - mean| squared, along axes counted from 0."""
    mean = kept(mean_of(x, axes), x, axes, True)
    difference = p.subtract(x, mean)
    if x.dtype.is_complex:
        return mean_of(p.real(p.multiply(difference, p.conj(difference))), axes)
    return mean_of(p.square(difference), axes)


@operation
def reduce_variance(
    input_tensor: Any, axis: Any = None, keepdims: bool = False, name: str | None = None
) -> Any:
    """The population variance along axes (divided by n), real for complex numbers.

    Raises TypeError for integers.
    """
    x = convert(input_tensor)
    if not x.dtype.is_differentiable:
        raise TypeError(f"Input must be either real or complex. Received integer type {x.dtype}.")
    axes = axes_of(axis, len(x.shape), "reduce_variance")
    return kept(variance_of(x, axes), x, axes, keepdims)


@operation
def reduce_std(
    input_tensor: Any, axis: Any = None, keepdims: bool = False, name: str | None = None
) -> Any:
    """The population standard deviation along axes: the root of `reduce_variance`.

    >>> import slipstream as tf
    >>> float(tf.math.reduce_std([1., 3.]))
    1.0
    """
    return p.sqrt(reduce_variance(input_tensor, axis, keepdims))


@operation
def reduce_euclidean_norm(
    input_tensor: Any, axis: Any = None, keepdims: bool = False, name: str | None = None
) -> Any:
    """The root of the sum of squared magnitudes along axes; its derivative at 0 is 0."""
    x = convert(input_tensor)
    axes = axes_of(axis, len(x.shape), "reduce_euclidean_norm")
    wide = p.cast(x, dtype=float64) if x.dtype.is_integer else x
    norm = euclidean_norm(wide, axes)
    return kept(p.cast(norm, dtype=x.dtype) if x.dtype.is_integer else norm, x, axes, keepdims)


def euclidean_norm(x: Any, axes: tuple[int, ...]) -> Any:
    """The root of the sum of squares, along axes counted from 0."""
    total = r.sum_(p.multiply(x, p.conj(x)), axes=axes)
    zero = p.equal(total, total.coerce(0))
    return p.where(zero, 0, p.sqrt(p.where(zero, 1, total)))


def logsumexp_of(x: Any, axes: tuple[int, ...]) -> Any:
    """log of the sum of exp, by the largest element, along axes counted from 0."""
    peak = stop_gradient(r.max_(x, axes=axes))
    peak = p.where(p.is_finite(peak), peak, 0)
    shifted = p.subtract(x, kept(peak, x, axes, True))
    return p.add(p.log(r.sum_(p.exp(shifted), axes=axes)), peak)


@operation
def reduce_logsumexp(
    input_tensor: Any, axis: Any = None, keepdims: bool = False, name: str | None = None
) -> Any:
    """log(sum(exp(x))) along axes, without overflow or underflow.

    >>> import slipstream as tf
    >>> round(float(tf.reduce_logsumexp([1000., 1000.])), 3)
    1000.693
    """
    x = convert(input_tensor)
    axes = axes_of(axis, len(x.shape), "reduce_logsumexp")
    return kept(logsumexp_of(x, axes), x, axes, keepdims)


@operation
def count_nonzero(
    input: Any,
    axis: Any = None,
    keepdims: bool | None = None,
    dtype: Any = int64,
    name: str | None = None,
) -> Any:
    """How many elements along axes are not 0 (nor False, nor the empty string), as `dtype`."""
    x = convert(input)
    nothing = b"" if x.dtype.kind == "string" else 0
    counted = p.cast(p.not_equal(x, x.coerce(nothing)), dtype=as_dtype(dtype))
    return _reduced("count_nonzero", r.sum_, counted, axis, keepdims)


def _extreme_index(name: str, primitive: Primitive, x: Any, axis: Any, output_type: Any) -> Any:
    x = convert(x)
    x = p.cast(x, dtype=uint8) if x.dtype.is_bool else x
    number = axis_of(0 if axis is None else axis, len(x.shape), name)
    return primitive(x, axis=number, dtype=as_dtype(output_type))


@operation
def argmax(input: Any, axis: Any = None, output_type: Any = int64, name: str | None = None) -> Any:
    """The index of the first largest element along one axis (None is 0), as `output_type`.

    Raises InvalidArgumentError where the axis is empty or does not exist.

    >>> import slipstream as tf
    >>> tf.argmax([[1, 3, 3], [7, 2, 1]], axis=1).numpy().tolist()
    [1, 0]
    """
    return _extreme_index("argmax", r.argmax, input, axis, output_type)


@operation
def argmin(input: Any, axis: Any = None, output_type: Any = int64, name: str | None = None) -> Any:
    """The index of the first smallest element along one axis (None is 0), as `output_type`."""
    return _extreme_index("argmin", r.argmin, input, axis, output_type)


def _scan(
    name: str, primitive: Primitive, x: Any, axis: Any, exclusive: bool, reverse: bool
) -> Any:
    x = convert(x)
    number = axis_of(axis, len(x.shape), name)
    return primitive(x, axis=number, exclusive=bool(exclusive), reverse=bool(reverse))


@operation
def cumsum(
    x: Any, axis: Any = 0, exclusive: bool = False, reverse: bool = False, name: str | None = None
) -> Any:
    """Partial sums along an axis; `exclusive` ones end before each element, `reverse` ones begin
    at the end.

    >>> import slipstream as tf
    >>> tf.cumsum([1, 2, 3], exclusive=True, reverse=True).numpy().tolist()
    [5, 3, 0]
    """
    return _scan("cumsum", r.cumulative_sum, x, axis, exclusive, reverse)


@operation
def cumprod(
    x: Any, axis: Any = 0, exclusive: bool = False, reverse: bool = False, name: str | None = None
) -> Any:
    """Partial products along an axis, as `cumsum`; its derivative needs x without zeros."""
    return _scan("cumprod", r.cumulative_product, x, axis, exclusive, reverse)


@operation
def cumulative_logsumexp(
    x: Any, axis: Any = 0, exclusive: bool = False, reverse: bool = False, name: str | None = None
) -> Any:
    """log of the partial sums of exp(x) along an axis, without overflow or underflow."""
    return _scan("cumulative_logsumexp", r.cumulative_logsumexp, x, axis, exclusive, reverse)


@operation
def zero_fraction(value: Any, name: str | None = None) -> Any:
    """Which part of the elements is 0, as float32; nan of no elements."""
    x = convert(value)
    zeros = p.cast(p.equal(x, x.coerce(0)), dtype=float32)
    return mean_of(zeros, tuple(range(len(x.shape))))


@operation
def moments(
    x: Any, axes: Any, shift: Any = None, keepdims: bool = False, name: str | None = None
) -> Any:
    """(mean, variance) along axes; 16-bit floats by way of float32. `shift` has no effect.

    >>> import slipstream as tf
    >>> [float(m) for m in tf.nn.moments([1., 3.], axes=[0])]
    [2.0, 1.0]
    """
    x = convert(x)
    numbers = axes_of(axes, len(x.shape), "moments")
    narrow = x.dtype.is_floating and x.dtype.bits == 16
    wide = p.cast(x, dtype=float32) if narrow else x
    mean = mean_of(wide, numbers)
    squares = p.square(p.subtract(wide, kept(mean, x, numbers, True)))
    pair = (mean, mean_of(squares, numbers))
    return tuple(
        kept(p.cast(m, dtype=x.dtype) if narrow else m, x, numbers, keepdims) for m in pair
    )


@operation
def weighted_moments(
    x: Any, axes: Any, frequency_weights: Any, keepdims: bool = False, name: str | None = None
) -> Any:
    """(mean, variance) along axes of elements that count `frequency_weights` times each."""
    x = convert(x)
    weights = p.cast(convert(frequency_weights), dtype=x.dtype)
    numbers = axes_of(axes, len(x.shape), "weighted_moments")
    weights = broadcast_to(weights, shape=x.type.shape)
    total = r.sum_(weights, axes=numbers)
    mean = p.divide(r.sum_(p.multiply(weights, x), axes=numbers), total)
    squares = p.square(p.subtract(x, kept(mean, x, numbers, True)))
    variance = p.divide(r.sum_(p.multiply(weights, squares), axes=numbers), total)
    return kept(mean, x, numbers, keepdims), kept(variance, x, numbers, keepdims)
