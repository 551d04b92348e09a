"""Base of losses: one number an example, weighted, masked, and reduced to a scalar."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from slipstream.ir.dtypes import as_dtype
from slipstream.keras import config
from slipstream.keras.dtype_policy import get as policy_of
from slipstream.keras.naming import auto_name
from slipstream.keras.registry import deserialize_keras_object, serialize_keras_object
from slipstream.ops.comparison import logical_and
from slipstream.ops.conversion import cast
from slipstream.ops.reduction import reduce_mean, reduce_sum
from slipstream.ops.shaping import expand_dims, squeeze
from slipstream.runtime.convert import convert
from slipstream.runtime.structure import map_structure

REDUCTIONS = ("sum_over_batch_size", "sum", None, "none", "mean", "mean_with_sample_weight")


class Reduction:
    """Names of reductions, as Keras 2 writes them."""

    AUTO, NONE, SUM = "auto", "none", "sum"
    SUM_OVER_BATCH_SIZE = "sum_over_batch_size"


class Loss:
    """`loss(y_true, y_pred, sample_weight=None)` gives a scalar (with `reduction="none"`, one
    number an example).

    A subclass overrides `call(y_true, y_pred)`, which gives one number an example.
    """

    def __init__(
        self, name: str | None = None, reduction: str | None = "sum_over_batch_size",
        dtype: Any = None,
    ) -> None:  # fmt: skip
        reduction = "sum_over_batch_size" if reduction == "auto" else reduction
        if reduction not in REDUCTIONS:
            raise ValueError(
                "Invalid value for argument `reduction`. Expected one of "
                f"{set(REDUCTIONS)}. Received: reduction={reduction}"
            )
        self.name = name or auto_name(type(self).__name__)
        self.reduction = reduction
        self._policy = policy_of(dtype if dtype is not None else config.floatx())

    @property
    def dtype(self) -> str:
        return self._policy.compute_dtype

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        given = getattr(y_pred, "_keras_mask", None)
        y_pred = map_structure(lambda t: as_floats(t, self.dtype), y_pred)
        y_true = map_structure(lambda t: floats_as(t, self.dtype), y_true)
        values = convert(self.call(y_true, y_pred))
        mask = both_masks(given, getattr(values, "_keras_mask", None))
        return reduce_weighted(values, sample_weight, mask, self.reduction)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """One number an example, of the shape of `y_true` without its last dimension."""
        raise NotImplementedError(f"{type(self).__name__} does not override call")

    def get_config(self) -> dict[str, Any]:
        """The arguments the loss can be made again with."""
        return {"name": self.name, "reduction": self.reduction}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        return cls(**config)


class LossFunctionWrapper(Loss):
    """A function `fn(y_true, y_pred, **arguments)` of examples, as a loss."""

    def __init__(
        self, fn: Callable[..., Any], reduction: str | None = "sum_over_batch_size",
        name: str | None = None, dtype: Any = None, **arguments: Any,
    ) -> None:  # fmt: skip
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.fn, self.arguments = fn, arguments

    def call(self, y_true: Any, y_pred: Any) -> Any:
        y_true, y_pred = same_rank(y_true, y_pred)
        return self.fn(y_true, y_pred, **self.arguments)

    def get_config(self) -> dict[str, Any]:
        own = (
            {} if type(self) is not LossFunctionWrapper else {"fn": serialize_keras_object(self.fn)}
        )
        given = {k: serialize_keras_object(v) for k, v in self.arguments.items()}
        return super().get_config() | own | given

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        given = dict(config)
        if "fn" in given:
            given["fn"] = deserialize_keras_object(given["fn"])
        return cls(**given)


def as_floats(value: Any, dtype: Any) -> Any:
    """A value as a tensor of a float dtype."""
    return cast(convert(value), as_dtype(dtype))


def floats_as(value: Any, dtype: Any) -> Any:
    """A value as a tensor; floats in `dtype`, integers (labels) as they are."""
    value = convert(value)
    return cast(value, as_dtype(dtype)) if value.dtype.is_floating else value


def both_masks(first: Any, second: Any) -> Any:
    """Where both masks hold, None being one that holds everywhere."""
    if first is None or second is None:
        return second if first is None else first
    return logical_and(convert(first), convert(second))


def same_rank(first: Any, second: Any) -> tuple[Any, Any]:
    """Two tensors of one rank where only a last dimension of 1 is between them."""
    if isinstance(first, (list, tuple, dict)) or isinstance(second, (list, tuple, dict)):
        return first, second
    first, second = convert(first), convert(second)
    if len(first.shape) == len(second.shape) + 1:
        if first.shape[-1] == 1:
            return squeeze(first, axis=-1), second
        if len(second.shape) == 1:
            return first, expand_dims(second, axis=-1)
    if len(second.shape) == len(first.shape) + 1:
        if second.shape[-1] == 1 and len(second.shape) > 2:
            return first, squeeze(second, axis=-1)
        if len(first.shape) == 1 or second.shape[-1] == 1:
            return expand_dims(first, axis=-1), second
    return first, second


def reduce_weighted(values: Any, sample_weight: Any, mask: Any, reduction: str | None) -> Any:
    """Values times weights, without what is masked, reduced."""
    weight = None if sample_weight is None else cast(convert(sample_weight), values.dtype)
    if mask is not None:
        weight = _with_mask(weight, cast(convert(mask), values.dtype), reduction)
    if weight is not None:
        values, weight = _broadcastable(values, weight)
        values = values * weight
    if reduction in (None, "none"):
        return values
    total = reduce_sum(values)
    if reduction == "sum":
        return total
    if reduction == "mean_with_sample_weight" and weight is not None:
        return total / reduce_sum(weight + values * 0)
    return total / _count(values) if values.shape else total


def _with_mask(weight: Any, mask: Any, reduction: str | None) -> Any:
    if reduction in ("sum_over_batch_size", "mean"):  # the mean is over what is not masked
        mask = mask * (_count(mask) / (reduce_sum(mask) + config.epsilon()))
    if weight is None:
        return mask
    weight, mask = _broadcastable(weight, mask)
    return weight * mask


def _broadcastable(values: Any, weight: Any) -> tuple[Any, Any]:
    """Two tensors, the one of lower rank with dimensions of 1 at its end."""
    if len(weight.shape) == len(values.shape) + 1 and weight.shape[-1] == 1:
        weight = squeeze(weight, axis=-1)
    while 0 < len(weight.shape) < len(values.shape):
        weight = expand_dims(weight, axis=-1)
    while 0 < len(values.shape) < len(weight.shape):
        values = expand_dims(values, axis=-1)
    return values, weight


def _count(values: Any) -> float:
    return float(values.shape.num_elements())


def mean_over_last(values: Any) -> Any:
    """The mean along the last axis: one number an example."""
    return reduce_mean(values, axis=-1)
