"""Losses of probabilities of classes against other probabilities, and robust ones of classes."""

from __future__ import annotations

import warnings
from typing import Any

from slipstream.ir.dtypes import int64
from slipstream.keras import config
from slipstream.keras.losses.binary import check_shapes
from slipstream.keras.losses.crossentropy import as_logits
from slipstream.keras.losses.loss import LossFunctionWrapper
from slipstream.keras.losses.regression import pair
from slipstream.ops.activations import softmax
from slipstream.ops.arithmetic import clip_by_value, pow
from slipstream.ops.conversion import cast
from slipstream.ops.elementary import log
from slipstream.ops.encoding import one_hot
from slipstream.ops.losses import softmax_cross_entropy_with_logits
from slipstream.ops.reduction import reduce_sum
from slipstream.ops.shaping import squeeze
from slipstream.runtime.convert import convert


def _classes(
    name: str, y_true: Any, y_pred: Any, label_smoothing: float, axis: int
) -> tuple[Any, Any]:
    """Both as floats of one shape, the labels moved towards equal probabilities."""
    y_true, y_pred = pair(y_true, y_pred)
    check_shapes(y_true, y_pred)
    if y_pred.shape[-1] == 1:
        warnings.warn(
            f"In loss {name}, expected y_pred.shape to be (batch_size, num_classes) with "
            f"num_classes > 1. Received: y_pred.shape={tuple(y_pred.shape)}. Consider using "
            "'binary_crossentropy' if you only have 2 classes.",
            SyntaxWarning,
            stacklevel=4,
        )
    if label_smoothing:
        y_true = y_true * (1 - label_smoothing) + label_smoothing / int(y_true.shape[axis])
    return y_true, y_pred


def categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0,
    axis: int = -1,
) -> Any:  # fmt: skip
    """-sum(y_true log(y_pred)) along the axis of classes; `y_true` are probabilities (one-hot).

    Probabilities `y_pred` are made to add up to 1. ValueError unless the shapes are equal.

    >>> round(float(categorical_crossentropy([[0.0, 1.0]], [[0.5, 0.5]])[0]), 4)
    0.6931
    """
    name = "categorical_crossentropy"
    y_true, y_pred = _classes(name, y_true, y_pred, label_smoothing, axis)
    if from_logits:
        return softmax_cross_entropy_with_logits(y_true, y_pred, axis=axis)
    return -reduce_sum(y_true * as_logits(y_pred, axis), axis=axis)


def categorical_focal_crossentropy(
    y_true: Any, y_pred: Any, alpha: Any = 0.25, gamma: float = 2.0, from_logits: bool = False,
    label_smoothing: float = 0.0, axis: int = -1,
) -> Any:  # fmt: skip
    """`categorical_crossentropy`, each term times alpha (1 - y_pred)^gamma (Lin and others 2018).

    alpha is a number or one a class.
    """
    name = "categorical_focal_crossentropy"
    y_true, y_pred = _classes(name, y_true, y_pred, label_smoothing, axis)
    p = softmax(y_pred, axis=axis) if from_logits else y_pred
    p = p / reduce_sum(p, axis=axis, keepdims=True)
    p = clip_by_value(p, config.epsilon(), 1 - config.epsilon())
    weight = pow(1 - p, gamma) * convert(alpha, p.dtype)
    return -reduce_sum(weight * y_true * log(p), axis=axis)


def categorical_generalized_cross_entropy(y_true: Any, y_pred: Any, q: float) -> Any:
    """(1 - p^q) / q, p the probability of the class `y_true` (integers; Zhang, Sabuncu 2018).

    Less sure of labels than crossentropy (q near 0), less slow than the absolute error (q = 1).
    """
    y_pred, labels = convert(y_pred), convert(y_true)
    if len(labels.shape) == len(y_pred.shape) and labels.shape[-1] == 1:
        labels = squeeze(labels, axis=-1)
    chosen = one_hot(cast(labels, int64), int(y_pred.shape[-1]), dtype=y_pred.dtype)
    p = clip_by_value(reduce_sum(y_pred * chosen, axis=-1), config.epsilon(), 1 - config.epsilon())
    return (1 - pow(p, q)) / q


def kl_divergence(y_true: Any, y_pred: Any) -> Any:
    """sum(y_true log(y_true / y_pred)) along the last axis (Kullback and Leibler 1951).

    Both are kept within [epsilon, 1].
    """
    p, q = (clip_by_value(y, config.epsilon(), 1) for y in pair(y_true, y_pred))
    return reduce_sum(p * log(p / q), axis=-1)


class CategoricalCrossentropy(LossFunctionWrapper):
    """`categorical_crossentropy`, reduced over the examples."""

    def __init__(
        self, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1,
        reduction: str | None = "sum_over_batch_size", name: str = "categorical_crossentropy",
        dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(
            categorical_crossentropy, reduction=reduction, name=name, dtype=dtype,
            from_logits=from_logits, label_smoothing=label_smoothing, axis=axis,
        )  # fmt: skip


class CategoricalFocalCrossentropy(LossFunctionWrapper):
    """`categorical_focal_crossentropy`, reduced over the examples."""

    def __init__(
        self, alpha: Any = 0.25, gamma: float = 2.0, from_logits: bool = False,
        label_smoothing: float = 0.0, axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str = "categorical_focal_crossentropy", dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(
            categorical_focal_crossentropy, reduction=reduction, name=name, dtype=dtype,
            alpha=alpha, gamma=gamma, from_logits=from_logits, label_smoothing=label_smoothing,
            axis=axis,
        )  # fmt: skip


class CategoricalGeneralizedCrossEntropy(LossFunctionWrapper):
    """`categorical_generalized_cross_entropy`, reduced. ValueError unless 0 < q < 1."""

    def __init__(
        self, q: float = 0.5, reduction: str | None = "sum_over_batch_size",
        name: str = "categorical_generalized_cross_entropy", dtype: Any = None,
    ) -> None:  # fmt: skip
        if not 0 < q < 1:
            raise ValueError("q must be in the interval (0, 1)")
        super().__init__(
            categorical_generalized_cross_entropy, reduction=reduction, name=name, dtype=dtype, q=q
        )

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return self.fn(y_true, y_pred, **self.arguments)


class KLDivergence(LossFunctionWrapper):
    """`kl_divergence`, reduced over the examples."""

    def __init__(
        self, reduction: str | None = "sum_over_batch_size", name: str = "kl_divergence",
        dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(kl_divergence, reduction=reduction, name=name, dtype=dtype)
