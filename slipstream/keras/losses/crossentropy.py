"""Losses of probabilities of classes."""

from __future__ import annotations

from typing import Any

from slipstream.ir.dtypes import int64
from slipstream.keras import config
from slipstream.keras.losses.loss import LossFunctionWrapper
from slipstream.ops.arithmetic import clip_by_value
from slipstream.ops.comparison import not_equal
from slipstream.ops.conversion import cast
from slipstream.ops.elementary import log
from slipstream.ops.indexing import where
from slipstream.ops.losses import sparse_softmax_cross_entropy_with_logits
from slipstream.ops.reduction import reduce_sum
from slipstream.ops.shaping import squeeze, transpose
from slipstream.runtime.convert import convert


def as_logits(probabilities: Any, axis: int) -> Any:
    """Logarithms of probabilities, which are first made to add up to 1 and kept from 0 and 1."""
    fuzz = config.epsilon()
    total = reduce_sum(probabilities, axis=axis, keepdims=True)
    return log(clip_by_value(probabilities / total, fuzz, 1 - fuzz))


def sparse_categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, ignore_class: int | None = None,
    axis: int = -1,
) -> Any:  # fmt: skip
    """-log of the probability of the class `y_true` (integers [...]; `y_pred` [..., classes]).

    ValueError if the shapes do not fit.
    """
    y_pred, labels = convert(y_pred), convert(y_true)
    rank = len(y_pred.shape)
    if len(labels.shape) == rank and labels.shape[-1] == 1:
        labels = squeeze(labels, axis=-1)
    if axis % rank != rank - 1:
        order = [n for n in range(rank) if n != axis % rank] + [axis % rank]
        y_pred = transpose(y_pred, order)
    if tuple(labels.shape) != tuple(y_pred.shape[:-1]):
        raise ValueError(
            "Argument `output` must have rank (ndim) `target.ndim + 1`: labels are one class an "
            f"example. Received: target.shape={labels.shape}, output.shape={y_pred.shape}"
        )
    labels = labels if labels.dtype.is_integer else cast(labels, int64)
    kept = None if ignore_class is None else not_equal(labels, ignore_class)
    if kept is not None:
        labels = where(kept, labels, labels * 0)
    logits = y_pred if from_logits else as_logits(y_pred, -1)
    losses = sparse_softmax_cross_entropy_with_logits(labels, logits)
    if kept is None:
        return losses
    losses = where(kept, losses, 0)
    losses._keras_mask = kept  # means are over what is not ignored
    return losses


class SparseCategoricalCrossentropy(LossFunctionWrapper):
    """`sparse_categorical_crossentropy`, reduced over the examples."""

    def __init__(
        self, from_logits: bool = False, ignore_class: int | None = None,
        reduction: str | None = "sum_over_batch_size", axis: int = -1,
        name: str = "sparse_categorical_crossentropy", dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(
            sparse_categorical_crossentropy, reduction=reduction, name=name, dtype=dtype,
            from_logits=from_logits, ignore_class=ignore_class, axis=axis,
        )  # fmt: skip

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return self.fn(y_true, y_pred, **self.arguments)
