"""Losses of how little two areas overlap."""

from __future__ import annotations

from typing import Any

from slipstream.keras import config
from slipstream.keras.losses.loss import LossFunctionWrapper
from slipstream.keras.losses.regression import pair
from slipstream.ops.reduction import reduce_sum


def _axes(axis: Any) -> Any:
    return list(axis) if isinstance(axis, (tuple, list)) else axis


def dice(y_true: Any, y_pred: Any, axis: Any = None) -> Any:
    """1 - 2 |overlap| / (|y_true| + |y_pred|), sums being along `axis`, or all (Dice 1945).

    >>> round(float(dice([1.0, 1.0], [1.0, 0.0])), 4)
    0.3333
    """
    y_true, y_pred = pair(y_true, y_pred)
    along = _axes(axis)
    overlap = reduce_sum(y_true * y_pred, axis=along)
    total = reduce_sum(y_true, axis=along) + reduce_sum(y_pred, axis=along)
    return 1 - overlap * 2 / (total + config.epsilon())


def tversky(
    y_true: Any, y_pred: Any, alpha: float = 0.5, beta: float = 0.5, axis: Any = None
) -> Any:
    """`dice` with a weight alpha of what is found wrongly and beta of what is missed
    (Salehi and others 2017, as documented; Keras' own code has alpha and beta the other way round).
    """
    y_true, y_pred = pair(y_true, y_pred)
    along = _axes(axis)
    overlap = reduce_sum(y_true * y_pred, axis=along)
    surplus = reduce_sum((1 - y_true) * y_pred, axis=along)
    missing = reduce_sum(y_true * (1 - y_pred), axis=along)
    return 1 - overlap / (overlap + surplus * alpha + missing * beta + config.epsilon())


class Dice(LossFunctionWrapper):
    """`dice`, reduced."""

    def __init__(
        self, reduction: str | None = "sum_over_batch_size", name: str = "dice", axis: Any = None,
        dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(dice, reduction=reduction, name=name, dtype=dtype, axis=axis)


class Tversky(LossFunctionWrapper):
    """`tversky`, reduced."""

    def __init__(
        self, alpha: float = 0.5, beta: float = 0.5,
        reduction: str | None = "sum_over_batch_size", name: str = "tversky", axis: Any = None,
        dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(
            tversky, reduction=reduction, name=name, dtype=dtype, alpha=alpha, beta=beta, axis=axis
        )
