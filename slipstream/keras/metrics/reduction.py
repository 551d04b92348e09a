"""Metrics that add up or average, and functions of examples as metrics."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from slipstream.ir.dtypes import as_dtype
from slipstream.keras.losses.loss import same_rank
from slipstream.keras.metrics.metric import Metric
from slipstream.keras.registry import deserialize_keras_object, serialize_keras_object
from slipstream.ops.arithmetic import divide_no_nan
from slipstream.ops.array import ones_like
from slipstream.ops.conversion import cast
from slipstream.ops.reduction import reduce_mean, reduce_sum
from slipstream.ops.shaping import expand_dims, squeeze
from slipstream.runtime.convert import convert

FUNCTIONS: dict[str, Callable[..., Any]] = {}  # by name; filled by the package


def by_example(values: Any, sample_weight: Any, dtype: Any, reduce: Any) -> tuple[Any, Any]:
    """One value and one weight (or None) an example: weighted, masked, reduced by `reduce`."""
    kind = as_dtype(dtype)
    mask = getattr(values, "_keras_mask", None)
    values = cast(convert(values), kind)
    weight = None if sample_weight is None else cast(convert(sample_weight), kind)
    if mask is not None:
        mask = cast(convert(mask), kind)
        weight = mask if weight is None else _like(weight, mask) * mask
    if weight is not None:
        if len(weight.shape) == len(values.shape) + 1 and weight.shape[-1] == 1:
            weight = squeeze(weight, axis=-1)
        rank = len(weight.shape)
        if len(values.shape) > rank > 0:
            values = reduce(values, axis=list(range(rank, len(values.shape))))
        weight = weight * ones_like(values)
        values = values * weight
        if rank > 1:
            weight = reduce(weight, axis=list(range(1, len(weight.shape))))
    if len(values.shape) > 1:
        values = reduce(values, axis=list(range(1, len(values.shape))))
    return values, weight


def _like(weight: Any, mask: Any) -> Any:
    while len(weight.shape) < len(mask.shape):
        weight = expand_dims(weight, axis=-1)
    return weight


class Sum(Metric):
    """The (weighted) sum of all values."""

    def __init__(self, name: str = "sum", dtype: Any = None) -> None:
        super().__init__(name=name, dtype=dtype)
        self.total = self.add_variable((), "zeros", name="total")

    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        values, _ = by_example(values, sample_weight, self.dtype, reduce_sum)
        self.total.assign(self.total + reduce_sum(values))

    def result(self) -> Any:
        return self.total.value()


class Mean(Metric):
    """The (weighted) mean of all values; 0 before the first.

    >>> mean = Mean()
    >>> mean.update_state([1.0, 3.0])
    >>> float(mean.result())
    2.0
    """

    def __init__(self, name: str = "mean", dtype: Any = None) -> None:
        super().__init__(name=name, dtype=dtype)
        self.total = self.add_variable((), "zeros", name="total")
        self.count = self.add_variable((), "zeros", name="count")

    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        values, weight = by_example(values, sample_weight, self.dtype, reduce_mean)
        examples = float(values.shape[0]) if values.shape else 1.0
        self.total.assign(self.total + reduce_sum(values))
        self.count.assign(self.count + (examples if weight is None else reduce_sum(weight)))

    def result(self) -> Any:
        return divide_no_nan(self.total, self.count)


class MeanMetricWrapper(Mean):
    """The mean over all examples of a function `fn(y_true, y_pred, **arguments)`."""

    def __init__(
        self, fn: Callable[..., Any], name: str | None = None, dtype: Any = None, **arguments: Any
    ) -> None:
        super().__init__(name=name or getattr(fn, "__name__", "metric"), dtype=dtype)
        self._fn, self._fn_kwargs = fn, arguments

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        mask = getattr(y_pred, "_keras_mask", None)
        values = convert(self._fn(*same_rank(y_true, y_pred), **self._fn_kwargs))
        if mask is not None:
            values._keras_mask = mask
        super().update_state(values, sample_weight=sample_weight)

    def get_config(self) -> dict[str, Any]:
        own = (
            {} if type(self) is not MeanMetricWrapper else {"fn": serialize_keras_object(self._fn)}
        )
        given = {k: serialize_keras_object(v) for k, v in self._fn_kwargs.items()}
        return super().get_config() | own | given

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        given = dict(config)
        if "fn" in given:
            given["fn"] = deserialize_keras_object(given["fn"], module_objects=FUNCTIONS)
        return cls(**given)
