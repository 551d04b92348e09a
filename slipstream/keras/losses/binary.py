"""Losses of the probability of yes, one or several an example."""

from __future__ import annotations

from typing import Any

from slipstream.keras import config
from slipstream.keras.losses.loss import LossFunctionWrapper
from slipstream.keras.losses.regression import pair
from slipstream.ops.arithmetic import clip_by_value, pow
from slipstream.ops.elementary import log, sigmoid
from slipstream.ops.losses import sigmoid_cross_entropy_with_logits
from slipstream.ops.reduction import reduce_mean


def check_shapes(y_true: Any, y_pred: Any) -> None:
    """ValueError unless the shapes are equal."""
    if tuple(y_true.shape) != tuple(y_pred.shape):
        raise ValueError(
            "Arguments `target` and `output` must have the same shape. "
            f"Received: target.shape={y_true.shape}, output.shape={y_pred.shape}"
        )


def _surprise(y_true: Any, y_pred: Any, from_logits: bool) -> Any:
    """-y log(p) - (1 - y) log(1 - p), element by element; p is kept from 0 and 1 by epsilon."""
    check_shapes(y_true, y_pred)
    if from_logits:
        return sigmoid_cross_entropy_with_logits(y_true, y_pred)
    p = clip_by_value(y_pred, config.epsilon(), 1 - config.epsilon())
    return -(y_true * log(p) + (1 - y_true) * log(1 - p))


def smoothed(y_true: Any, label_smoothing: float) -> Any:
    """Labels of 0 and 1, moved towards 1/2."""
    if not label_smoothing:
        return y_true
    return y_true * (1 - label_smoothing) + 0.5 * label_smoothing


def binary_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0,
    axis: int = -1,
) -> Any:  # fmt: skip
    """The mean along an axis of -log of the probability that y_pred gives to y_true.

    ValueError unless the shapes are equal.

    >>> round(float(binary_crossentropy([[1.0, 0.0]], [[0.5, 0.5]])[0]), 4)
    0.6931
    """
    y_true, y_pred = pair(y_true, y_pred)
    y_true = smoothed(y_true, label_smoothing)
    return reduce_mean(_surprise(y_true, y_pred, from_logits), axis=axis)


def binary_focal_crossentropy(
    y_true: Any, y_pred: Any, apply_class_balancing: bool = False, alpha: float = 0.25,
    gamma: float = 2.0, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1,
) -> Any:  # fmt: skip
    """`binary_crossentropy` times (1 - probability of the truth)^gamma (Lin and others 2018).

    With `apply_class_balancing` a truth of 1 counts alpha, one of 0 counts 1 - alpha.
    """
    y_true, y_pred = pair(y_true, y_pred)
    y_true = smoothed(y_true, label_smoothing)
    p = sigmoid(y_pred) if from_logits else y_pred
    right = y_true * p + (1 - y_true) * (1 - p)
    losses = pow(1 - right, gamma) * _surprise(y_true, y_pred, from_logits)
    if apply_class_balancing:
        losses = losses * (y_true * alpha + (1 - y_true) * (1 - alpha))
    return reduce_mean(losses, axis=axis)


class BinaryCrossentropy(LossFunctionWrapper):
    """`binary_crossentropy`, reduced over the examples."""

    def __init__(
        self, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1,
        reduction: str | None = "sum_over_batch_size", name: str = "binary_crossentropy",
        dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(
            binary_crossentropy, reduction=reduction, name=name, dtype=dtype,
            from_logits=from_logits, label_smoothing=label_smoothing, axis=axis,
        )  # fmt: skip


class BinaryFocalCrossentropy(LossFunctionWrapper):
    """`binary_focal_crossentropy`, reduced over the examples."""

    def __init__(
        self, apply_class_balancing: bool = False, alpha: float = 0.25, gamma: float = 2.0,
        from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1,
        reduction: str | None = "sum_over_batch_size", name: str = "binary_focal_crossentropy",
        dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(
            binary_focal_crossentropy, reduction=reduction, name=name, dtype=dtype,
            apply_class_balancing=apply_class_balancing, alpha=alpha, gamma=gamma,
            from_logits=from_logits, label_smoothing=label_smoothing, axis=axis,
        )  # fmt: skip
