"""Losses of numbers, one an example: errors, their logarithms and angles."""

from __future__ import annotations

import math
from typing import Any

from slipstream.keras import config
from slipstream.keras.losses.loss import LossFunctionWrapper, as_floats, mean_over_last, same_rank
from slipstream.ops.arithmetic import abs as absolute
from slipstream.ops.arithmetic import maximum, minimum, square, squared_difference
from slipstream.ops.conversion import cast
from slipstream.ops.elementary import log, log1p, softplus
from slipstream.ops.normalization import l2_normalize
from slipstream.ops.reduction import reduce_sum
from slipstream.runtime.convert import convert


def pair(y_true: Any, y_pred: Any) -> tuple[Any, Any]:
    """Both as tensors of the dtype of `y_pred` and of one rank."""
    y_pred = convert(y_pred)
    y_pred = y_pred if y_pred.dtype.is_floating else as_floats(y_pred, config.floatx())
    return same_rank(cast(convert(y_true), y_pred.dtype), y_pred)


def mean_squared_error(y_true: Any, y_pred: Any) -> Any:
    """mean((y_true - y_pred)²) along the last axis.

    >>> mean_squared_error([[0.0, 1.0]], [[1.0, 1.0]]).numpy().tolist()
    [0.5]
    """
    return mean_over_last(squared_difference(*pair(y_true, y_pred)))


def mean_absolute_error(y_true: Any, y_pred: Any) -> Any:
    """mean(|y_true - y_pred|) along the last axis."""
    y_true, y_pred = pair(y_true, y_pred)
    return mean_over_last(absolute(y_true - y_pred))


def mean_absolute_percentage_error(y_true: Any, y_pred: Any) -> Any:
    """100 mean(|y_true - y_pred| / |y_true|) along the last axis; |y_true| at least epsilon."""
    y_true, y_pred = pair(y_true, y_pred)
    shares = absolute(y_true - y_pred) / maximum(absolute(y_true), config.epsilon())
    return mean_over_last(shares) * 100.0


def mean_squared_logarithmic_error(y_true: Any, y_pred: Any) -> Any:
    """mean((log(1 + y_true) - log(1 + y_pred))²) along the last axis, of numbers above 0."""
    logs = [log1p(maximum(y, config.epsilon())) for y in pair(y_true, y_pred)]
    return mean_over_last(squared_difference(*logs))


def huber(y_true: Any, y_pred: Any, delta: float = 1.0) -> Any:
    """The mean of d²/2 up to |d| = delta and of delta (|d| - delta/2) above (Huber 1964).

    >>> huber([[0.0, 0.0]], [[1.0, 3.0]]).numpy().tolist()
    [1.5]
    """
    y_true, y_pred = pair(y_true, y_pred)
    error = absolute(y_pred - y_true)
    near = minimum(error, delta)
    return mean_over_last(square(near) * 0.5 + (error - near) * delta)


def log_cosh(y_true: Any, y_pred: Any) -> Any:
    """mean(log(cosh(y_pred - y_true))) along the last axis, without overflow."""
    y_true, y_pred = pair(y_true, y_pred)
    error = y_pred - y_true
    return mean_over_last(error + softplus(error * -2.0) - math.log(2.0))


def cosine_similarity(y_true: Any, y_pred: Any, axis: int = -1) -> Any:
    """The negative cosine of the angle along an axis: -1 is the same direction, 0 for zeros."""
    y_true, y_pred = pair(y_true, y_pred)
    return -cosine(y_true, y_pred, axis)


def cosine(x: Any, y: Any, axis: int) -> Any:
    """The cosine of the angle between two tensors along an axis."""
    return reduce_sum(l2_normalize(x, axis=axis) * l2_normalize(y, axis=axis), axis=axis)


def poisson(y_true: Any, y_pred: Any) -> Any:
    """mean(y_pred - y_true log(y_pred)) along the last axis: counts against their rate."""
    y_true, y_pred = pair(y_true, y_pred)
    return mean_over_last(y_pred - y_true * log(y_pred + config.epsilon()))


class MeanSquaredError(LossFunctionWrapper):
    """`mean_squared_error`, reduced over the examples."""

    def __init__(
        self, reduction: str | None = "sum_over_batch_size", name: str = "mean_squared_error",
        dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(mean_squared_error, reduction=reduction, name=name, dtype=dtype)


class MeanAbsoluteError(LossFunctionWrapper):
    """`mean_absolute_error`, reduced over the examples."""

    def __init__(
        self, reduction: str | None = "sum_over_batch_size", name: str = "mean_absolute_error",
        dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(mean_absolute_error, reduction=reduction, name=name, dtype=dtype)


class MeanAbsolutePercentageError(LossFunctionWrapper):
    """`mean_absolute_percentage_error`, reduced over the examples."""

    def __init__(
        self, reduction: str | None = "sum_over_batch_size",
        name: str = "mean_absolute_percentage_error", dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(
            mean_absolute_percentage_error, reduction=reduction, name=name, dtype=dtype
        )


class MeanSquaredLogarithmicError(LossFunctionWrapper):
    """`mean_squared_logarithmic_error`, reduced over the examples."""

    def __init__(
        self, reduction: str | None = "sum_over_batch_size",
        name: str = "mean_squared_logarithmic_error", dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(
            mean_squared_logarithmic_error, reduction=reduction, name=name, dtype=dtype
        )


class Huber(LossFunctionWrapper):
    """`huber`, reduced over the examples: squares near 0, magnitudes further off."""

    def __init__(
        self, delta: float = 1.0, reduction: str | None = "sum_over_batch_size",
        name: str = "huber_loss", dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(huber, reduction=reduction, name=name, dtype=dtype, delta=delta)


class LogCosh(LossFunctionWrapper):
    """`log_cosh`, reduced over the examples."""

    def __init__(
        self, reduction: str | None = "sum_over_batch_size", name: str = "log_cosh",
        dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(log_cosh, reduction=reduction, name=name, dtype=dtype)


class CosineSimilarity(LossFunctionWrapper):
    """`cosine_similarity`, reduced over the examples."""

    def __init__(
        self, axis: int = -1, reduction: str | None = "sum_over_batch_size",
        name: str = "cosine_similarity", dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(cosine_similarity, reduction=reduction, name=name, dtype=dtype, axis=axis)


class Poisson(LossFunctionWrapper):
    """`poisson`, reduced over the examples."""

    def __init__(
        self, reduction: str | None = "sum_over_batch_size", name: str = "poisson",
        dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(poisson, reduction=reduction, name=name, dtype=dtype)
