"""Losses of `tf.nn`, one value an example, written so that no logit is too large for them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from slipstream.ir.dtypes import float32
from slipstream.ops.activations import surprise
from slipstream.ops.axes import axis_of
from slipstream.ops.normalization import l2_loss
from slipstream.primitives import elementwise as p
from slipstream.primitives import reduction as r
from slipstream.primitives.base import misfit
from slipstream.primitives.structure import iota, reshape
from slipstream.runtime.convert import convert, convert_together
from slipstream.runtime.dispatch import operation
from slipstream.runtime.tensor import constant_value

__all__ = [
    "l2_loss",
    "log_poisson_loss",
    "sigmoid_cross_entropy_with_logits",
    "softmax_cross_entropy_with_logits",
    "sparse_softmax_cross_entropy_with_logits",
    "weighted_cross_entropy_with_logits",
]


def _same_shape(name: str, **tensors: Any) -> None:
    """ValueError unless the shapes are equal."""
    (_, first), *others = tensors.items()
    if any(t.shape != first.shape for t in (t for _, t in others)):
        types = {key: t.type for key, t in tensors.items()}
        raise misfit(name, "the shapes differ", "one shape", **types)


@operation
def sigmoid_cross_entropy_with_logits(
    labels: Any = None, logits: Any = None, name: str | None = None
) -> Any:
    """-z log(sigmoid(x)) - (1 - z) log(1 - sigmoid(x)) of labels z in [0, 1] and logits x.

    Both have one shape, which the result has too; ValueError where they have not.

    >>> import slipstream as tf
    >>> tf.nn.sigmoid_cross_entropy_with_logits([1., 0.], [0., -1000.]).numpy().round(4).tolist()
    [0.6930999755859375, 0.0]
    """
    logits, labels = convert_together(logits, labels)
    _same_shape("sigmoid_cross_entropy_with_logits", logits=logits, labels=labels)
    return p.subtract(p.softplus(logits), p.multiply(logits, labels))


@operation
def weighted_cross_entropy_with_logits(
    labels: Any, logits: Any, pos_weight: Any, name: str | None = None
) -> Any:
    """`sigmoid_cross_entropy_with_logits`, its term of label 1 times `pos_weight`."""
    logits, labels, weight = convert_together(logits, labels, pos_weight)
    _same_shape("weighted_cross_entropy_with_logits", logits=logits, labels=labels)
    one = logits.coerce(1)
    factor = p.add(one, p.multiply(p.subtract(weight, one), labels))
    positive = p.multiply(p.subtract(one, labels), logits)
    return p.add(positive, p.multiply(factor, p.softplus(p.negative(logits))))


@operation
def softmax_cross_entropy_with_logits(
    labels: Any, logits: Any, axis: Any = -1, name: str | None = None
) -> Any:
    """-sum(labels * log_softmax(logits)) along an axis; labels are probabilities of the classes.

    The shapes broadcast; the result lacks the axis. 16-bit floats are computed in float32.

    >>> import slipstream as tf
    >>> loss = tf.nn.softmax_cross_entropy_with_logits([[1., 0.]], [[1000., 0.]])
    >>> loss.numpy().tolist()
    [0.0]
    """
    logits, labels = convert_together(logits, labels)
    dtype = logits.dtype
    narrow = dtype.is_floating and dtype.bits == 16
    labels = p.cast(labels, dtype=float32 if narrow else dtype)
    logits = p.cast(logits, dtype=float32) if narrow else logits
    rank = len(logits.shape)
    number = axis_of(axis, rank, "softmax_cross_entropy_with_logits")
    terms = p.multiply(labels, surprise(logits, number))
    loss = r.sum_(terms, axes=(len(terms.shape) - rank + number,))
    return p.cast(loss, dtype=dtype) if narrow else loss


@operation
def sparse_softmax_cross_entropy_with_logits(
    labels: Any, logits: Any, name: str | None = None
) -> Any:
    """-log_softmax(logits)[label] along the last axis; labels [...] are integers, logits [..., n].

    A label outside [0, n) raises InvalidArgumentError, or gives nan where it is only known when
    the program runs.

    >>> import slipstream as tf
    >>> loss = tf.nn.sparse_softmax_cross_entropy_with_logits([1], [[0., 1000.]])
    >>> loss.numpy().tolist()
    [0.0]
    """
    name_ = "sparse_softmax_cross_entropy_with_logits"
    logits, labels = convert(logits), convert(labels)
    _check_sparse(name_, labels, logits)
    dtype, classes = logits.dtype, logits.type.shape[-1]
    narrow = dtype.is_floating and dtype.bits == 16
    logits = p.cast(logits, dtype=float32) if narrow else logits
    last = len(logits.shape) - 1
    indices = iota(shape=logits.type.shape, axis=last, dtype=labels.dtype)
    hits = p.equal(indices, reshape(labels, shape=(*labels.type.shape, 1)))
    loss = r.sum_(p.where(hits, surprise(logits, last), 0), axes=(last,))
    largest = labels.coerce(min(classes - 1, int(labels.dtype.max)))
    inside = p.logical_and(p.greater_equal(labels, labels.coerce(0)), p.less_equal(labels, largest))
    loss = p.where(inside, loss, np.nan)
    return p.cast(loss, dtype=dtype) if narrow else loss


def _check_sparse(name: str, labels: Any, logits: Any) -> None:
    if not labels.dtype.is_integer:
        raise misfit(name, "the labels are no integers", "int32 or int64", labels=labels.type)
    if not logits.shape or labels.type.shape != logits.type.shape[:-1]:
        raise misfit(
            name,
            "the shape of the labels is not that of the logits without the last axis",
            labels=labels.type,
            logits=logits.type,
        )
    array = constant_value(labels)
    classes = logits.type.shape[-1]
    if array is not None and array.size and not 0 <= array.min() <= array.max() < classes:
        wrong = int(array[(array < 0) | (array >= classes)].reshape(-1)[0])
        raise misfit(name, f"label {wrong} is no class", f"in [0, {classes})", logits=logits.type)


@operation
def log_poisson_loss(
    targets: Any, log_input: Any, compute_full_loss: bool = False, name: str | None = None
) -> Any:
    """exp(c) - z c of targets z and c = `log_input`: the Poisson loss without its constant term.

    `compute_full_loss` adds Stirling's approximation of log(z!), z log(z) - z + log(2 pi z) / 2,
    where z > 1. Raises ValueError where the shapes differ.
    """
    log_input, targets = convert_together(log_input, targets)
    _same_shape("log_poisson_loss", log_input=log_input, targets=targets)
    loss = p.subtract(p.exp(log_input), p.multiply(log_input, targets))
    if not compute_full_loss:
        return loss
    large = p.greater(targets, targets.coerce(1))
    z = p.where(large, targets, 1)
    circle = p.multiply(p.log(p.multiply(z, z.coerce(2 * math.pi))), z.coerce(0.5))
    stirling = p.add(p.subtract(p.multiply(z, p.log(z)), z), circle)
    return p.add(loss, p.where(large, stirling, 0))
