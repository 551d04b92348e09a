"""Scaling tensors by their norm or by their moments, and clipping gradients by norms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from slipstream.ops.axes import axes_of, kept
from slipstream.ops.reduction import moments, weighted_moments, zero_fraction
from slipstream.primitives import elementwise as p
from slipstream.primitives import reduction as r
from slipstream.runtime.convert import convert, convert_together
from slipstream.runtime.dispatch import operation
from slipstream.runtime.slices import IndexedSlices

__all__ = [
    "batch_normalization",
    "clip_by_global_norm",
    "clip_by_norm",
    "global_norm",
    "l2_loss",
    "l2_normalize",
    "moments",
    "weighted_moments",
    "zero_fraction",
]


def _sum_of_squares(x: Any, axes: tuple[int, ...]) -> Any:
    squared = p.multiply(x, p.conj(x))
    return r.sum_(p.real(squared) if x.dtype.is_complex else squared, axes=axes)


def _all_axes(x: Any) -> tuple[int, ...]:
    return tuple(range(len(x.shape)))


@operation
def l2_loss(t: Any, name: str | None = None) -> Any:
    """Half the sum of squares of all elements.

    >>> import slipstream as tf
    >>> float(tf.nn.l2_loss([3., 4.]))
    12.5
    """
    t = convert(t)
    total = r.sum_(p.square(t), axes=_all_axes(t))
    return p.divide(total, total.coerce(2))


@operation
def l2_normalize(x: Any, axis: Any = None, epsilon: float = 1e-12, name: str | None = None) -> Any:
    """x over its Euclidean norm along axes (None is all), which counts as at least sqrt(epsilon).

    >>> import slipstream as tf
    >>> tf.math.l2_normalize([3., 4.]).numpy().round(6).tolist()
    [0.6000000238418579, 0.800000011920929]
    """
    x = convert(x)
    axes = axes_of(axis, len(x.shape), "l2_normalize")
    total = kept(_sum_of_squares(x, axes), x, axes, True)
    inverse = p.rsqrt(p.maximum(total, total.coerce(epsilon)))
    return p.multiply(x, p.cast(inverse, dtype=x.dtype) if x.dtype.is_complex else inverse)


@operation
def batch_normalization(
    x: Any,
    mean: Any,
    variance: Any,
    offset: Any,
    scale: Any,
    variance_epsilon: float,
    name: str | None = None,
) -> Any:
    """(x - mean) / sqrt(variance + variance_epsilon), times `scale`, plus `offset`.

    All of them broadcast; `scale` and `offset` may be None (Ioffe and Szegedy 2015).
    """
    x = convert(x)
    mean, variance = (p.cast(convert(m, None), dtype=x.dtype) for m in (mean, variance))
    factor = p.rsqrt(p.add(variance, variance.coerce(variance_epsilon)))
    if scale is not None:
        factor = p.multiply(factor, p.cast(convert(scale), dtype=x.dtype))
    shift = p.negative(p.multiply(mean, factor))
    if offset is not None:
        shift = p.add(shift, p.cast(convert(offset), dtype=x.dtype))
    return p.add(p.multiply(x, factor), shift)


def _values(t: Any) -> Any:
    """What the norm of a tensor, or of the rows of a table, is taken of."""
    return convert(t.values if isinstance(t, IndexedSlices) else t)


def _with_values(t: Any, values: Any) -> Any:
    return (
        IndexedSlices(values, t.indices, t.dense_shape) if isinstance(t, IndexedSlices) else values
    )


@operation
def clip_by_norm(t: Any, clip_norm: Any, axes: Any = None, name: str | None = None) -> Any:
    """`t` scaled down so that its Euclidean norm (along `axes`) is at most `clip_norm`.

    Smaller ones stay as they are; so do the rows of IndexedSlices, taken together.

    >>> import slipstream as tf
    >>> tf.clip_by_norm([3., 4.], 1.).numpy().round(3).tolist()
    [0.6000000238418579, 0.800000011920929]
    """
    values, limit = convert_together(_values(t), clip_norm)
    numbers = axes_of(axes, len(values.shape), "clip_by_norm")
    total = kept(_sum_of_squares(values, numbers), values, numbers, True)
    positive = p.greater(total, total.coerce(0))
    norm = p.where(positive, p.sqrt(p.where(positive, total, 1)), total)
    clipped = p.divide(p.multiply(values, limit), p.maximum(norm, limit))
    return _with_values(t, clipped)


@operation
def global_norm(t_list: Sequence[Any], name: str | None = None) -> Any:
    """The Euclidean norm of all elements of all tensors together; None in the list is left out.

    Raises TypeError for what is no list, ValueError where no tensor is in it.
    """
    tensors = [_values(t) for t in _checked_list(t_list) if t is not None]
    if not tensors:
        raise ValueError("[global_norm] there is no tensor in the list")
    total = _sum_of_squares(tensors[0], _all_axes(tensors[0]))
    for tensor in tensors[1:]:
        total = p.add(total, _sum_of_squares(tensor, _all_axes(tensor)))
    return p.sqrt(total)


def _checked_list(t_list: Any) -> list[Any]:
    if not isinstance(t_list, (list, tuple)):
        raise TypeError(f"`t_list` should be a sequence of tensors. Received {type(t_list)}.")
    return list(t_list)


@operation
def clip_by_global_norm(
    t_list: Sequence[Any], clip_norm: Any, use_norm: Any = None, name: str | None = None
) -> tuple[list[Any], Any]:
    """(tensors scaled down so that their common norm is at most `clip_norm`, that norm before).

    `use_norm` is the norm where it is known. Where it is infinite or nan, the tensors become nan
    (Pascanu, Mikolov and Bengio 2012).

    >>> import slipstream as tf
    >>> clipped, norm = tf.clip_by_global_norm([[3.], [4.]], 1.0)
    >>> float(norm), round(float(clipped[1][0]), 3)
    (5.0, 0.8)
    """
    listed = _checked_list(t_list)
    norm = global_norm(listed) if use_norm is None else convert(use_norm)
    limit = convert(clip_norm, norm.dtype)
    scale = p.divide(limit, p.maximum(norm, limit))
    scale = p.where(p.is_finite(norm), scale, np.nan)

    def scaled(t: Any) -> Any:
        values = _values(t)
        return _with_values(t, p.multiply(values, p.cast(scale, dtype=values.dtype)))

    return [None if t is None else scaled(t) for t in listed], norm
