"""Normalisation: over the batch, the features, groups of channels, or to length one."""

from __future__ import annotations

from typing import Any

from slipstream.ir.dtypes import float32
from slipstream.keras import constraints, initializers, regularizers
from slipstream.keras.layers.input_spec import InputSpec
from slipstream.keras.layers.layer import Layer
from slipstream.ops.arithmetic import rsqrt
from slipstream.ops.conversion import cast
from slipstream.ops.normalization import l2_normalize
from slipstream.ops.reduction import moments, reduce_sum
from slipstream.ops.shaping import expand_dims, reshape


class BaseNormalization(Layer):
    """A scale gamma and an offset beta, each of which may be left out."""

    def __init__(
        self,
        axis: Any = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.axis, self.epsilon, self.center, self.scale = axis, float(epsilon), center, scale
        self.beta_initializer = initializers.get(beta_initializer)
        self.gamma_initializer = initializers.get(gamma_initializer)
        self.beta_regularizer = regularizers.get(beta_regularizer)
        self.gamma_regularizer = regularizers.get(gamma_regularizer)
        self.beta_constraint = constraints.get(beta_constraint)
        self.gamma_constraint = constraints.get(gamma_constraint)
        self.supports_masking = True

    def _scale_and_offset(self, shape: tuple[int, ...]) -> None:
        self.gamma = self._weight("gamma", shape) if self.scale else None
        self.beta = self._weight("beta", shape) if self.center else None

    def _weight(self, name: str, shape: tuple[int, ...]) -> Any:
        return self.add_weight(
            name=name,
            shape=shape,
            initializer=getattr(self, f"{name}_initializer"),
            regularizer=getattr(self, f"{name}_regularizer"),
            constraint=getattr(self, f"{name}_constraint"),
            autocast=False,
        )

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        found = {name: getattr(self, name) for name in ("axis", "epsilon", "center", "scale")}
        modules = {
            "initializer": initializers,
            "regularizer": regularizers,
            "constraint": constraints,
        }
        for kind in ("beta", "gamma"):
            for part, module in modules.items():
                found[f"{kind}_{part}"] = module.serialize(getattr(self, f"{kind}_{part}"))
        return super().get_config() | found


def _normalized(x: Any, mean: Any, variance: Any, epsilon: float, gamma: Any, beta: Any) -> Any:
    """(x - mean) / sqrt(variance + epsilon) gamma + beta."""
    factor = rsqrt(variance + epsilon)
    if gamma is not None:
        factor = factor * gamma
    shifted = (x - mean) * factor
    return shifted if beta is None else shifted + beta


class BatchNormalization(BaseNormalization):
    """Each feature to mean 0 and variance 1 (Ioffe & Szegedy 2015).

    In training over the batch, while moving averages are kept; otherwise by those averages. Masked
    steps do not count.

    >>> import slipstream as tf
    >>> BatchNormalization()(tf.constant([[1.0], [3.0]]), training=True).numpy().round(2).tolist()
    [[-1.0], [1.0]]
    """

    def __init__(
        self,
        axis: int = -1,
        momentum: float = 0.99,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        moving_mean_initializer: Any = "zeros",
        moving_variance_initializer: Any = "ones",
        synchronized: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(
            int(axis), epsilon, center, scale, beta_initializer, gamma_initializer, **options
        )
        self.momentum, self.synchronized = float(momentum), synchronized
        self.moving_mean_initializer = initializers.get(moving_mean_initializer)
        self.moving_variance_initializer = initializers.get(moving_variance_initializer)

    def build(self, input_shape: Any) -> None:
        size = input_shape[self.axis]
        self._scale_and_offset((size,))
        for name in ("moving_mean", "moving_variance"):
            variable = self.add_weight(
                name=name,
                shape=(size,),
                initializer=getattr(self, f"{name}_initializer"),
                trainable=False,
                autocast=False,
            )
            setattr(self, name, variable)
        self.input_spec = InputSpec(ndim=len(input_shape), axes={self.axis: size})

    def call(self, inputs: Any, training: Any = None, mask: Any = None) -> Any:
        rank = len(inputs.shape)
        axis = self.axis % rank
        x = cast(inputs, float32) if inputs.dtype.bits < 32 else inputs
        shape = [n if i == axis else 1 for i, n in enumerate(inputs.shape)]
        if training and self.trainable:
            mean, variance = self._batch_moments(x, axis, mask)
            self._move(mean, variance)
        else:
            mean, variance = self.moving_mean.value(), self.moving_variance.value()
        gamma = None if self.gamma is None else reshape(self.gamma, shape)
        beta = None if self.beta is None else reshape(self.beta, shape)
        outputs = _normalized(
            x, reshape(mean, shape), reshape(variance, shape), self.epsilon, gamma, beta
        )
        return cast(outputs, inputs.dtype)

    def _batch_moments(self, x: Any, axis: int, mask: Any) -> tuple[Any, Any]:
        axes = [i for i in range(len(x.shape)) if i != axis]
        if mask is None:
            mean, variance = moments(x, axes)
            return mean, variance
        weights = cast(mask, x.dtype)
        while len(weights.shape) < len(x.shape):
            weights = expand_dims(weights, -1)
        ones = weights + x * 0.0
        total = reduce_sum(ones, axis=axes)
        mean = reduce_sum(x * weights, axis=axes) / total
        shape = [n if i == axis else 1 for i, n in enumerate(x.shape)]
        distance = x - reshape(mean, shape)
        return mean, reduce_sum(distance * distance * weights, axis=axes) / total

    def _move(self, mean: Any, variance: Any) -> None:
        """The moving averages a step towards the batch's moments."""
        pairs = ((self.moving_mean, mean), (self.moving_variance, variance))
        for average, now in pairs:
            kept = average.value() * self.momentum
            average.assign(kept + cast(now, average.dtype) * (1 - self.momentum))

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "momentum": self.momentum,
            "moving_mean_initializer": initializers.serialize(self.moving_mean_initializer),
            "moving_variance_initializer": initializers.serialize(self.moving_variance_initializer),
            "synchronized": self.synchronized,
        }


class LayerNormalization(BaseNormalization):
    """Each sample's features to mean 0 and variance 1 (Ba, Kiros & Hinton 2016)."""

    def __init__(
        self,
        axis: Any = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        rms_scaling: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(
            list(axis) if isinstance(axis, (tuple, list)) else int(axis),
            epsilon, center, scale, beta_initializer, gamma_initializer, beta_regularizer,
            gamma_regularizer, beta_constraint, gamma_constraint, **options,
        )  # fmt: skip
        self.rms_scaling = rms_scaling

    def _axes(self, rank: int) -> list[int]:
        axes = self.axis if isinstance(self.axis, list) else [self.axis]
        return sorted(axis % rank for axis in axes)

    def build(self, input_shape: Any) -> None:
        shape = tuple(input_shape[axis] for axis in self._axes(len(input_shape)))
        self._scale_and_offset(shape)

    def call(self, inputs: Any) -> Any:
        axes = self._axes(len(inputs.shape))
        x = cast(inputs, float32) if inputs.dtype.bits < 32 else inputs
        shape = [n if i in axes else 1 for i, n in enumerate(inputs.shape)]
        mean, variance = moments(x, axes, keepdims=True)
        gamma = None if self.gamma is None else reshape(self.gamma, shape)
        beta = None if self.beta is None else reshape(self.beta, shape)
        if self.rms_scaling:
            factor = rsqrt(variance + self.epsilon)
            return cast(x * factor if gamma is None else x * factor * gamma, inputs.dtype)
        outputs = _normalized(x, mean, variance, self.epsilon, gamma, beta)
        return cast(outputs, inputs.dtype)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"rms_scaling": self.rms_scaling}


class GroupNormalization(BaseNormalization):
    """Groups of channels of each sample to mean 0 and variance 1 (Wu & He 2018)."""

    def __init__(
        self, groups: int = 32, axis: int = -1, epsilon: float = 1e-3, **options: Any
    ) -> None:
        super().__init__(int(axis), epsilon, **options)
        self.groups = int(groups)

    def build(self, input_shape: Any) -> None:
        size = input_shape[self.axis]
        self.groups = size if self.groups == -1 else self.groups
        if size % self.groups:
            raise ValueError(
                f"Number of groups ({self.groups}) must divide the number of channels ({size})."
            )
        self._scale_and_offset((size,))

    def call(self, inputs: Any) -> Any:
        rank = len(inputs.shape)
        axis = self.axis % rank
        shape = tuple(inputs.shape)
        grouped = (*shape[:axis], self.groups, shape[axis] // self.groups, *shape[axis + 1 :])
        x = reshape(inputs, grouped)
        mean, variance = moments(x, [i for i in range(1, rank + 1) if i != axis], keepdims=True)
        plain = reshape(_normalized(x, mean, variance, self.epsilon, None, None), shape)
        wide = [n if i == axis else 1 for i, n in enumerate(shape)]
        scaled = plain if self.gamma is None else plain * reshape(self.gamma, wide)
        return scaled if self.beta is None else scaled + reshape(self.beta, wide)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"groups": self.groups}


class UnitNormalization(Layer):
    """Vectors along an axis to length 1."""

    def __init__(self, axis: Any = -1, **options: Any) -> None:
        super().__init__(**options)
        self.axis = list(axis) if isinstance(axis, (tuple, list)) else int(axis)
        self.supports_masking = True

    def call(self, inputs: Any) -> Any:
        return l2_normalize(inputs, axis=self.axis, epsilon=1e-12)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"axis": self.axis}
