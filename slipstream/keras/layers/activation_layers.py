"""Activations that have parameters: ReLU, LeakyReLU, PReLU, ELU, Softmax."""

from __future__ import annotations

from typing import Any

from slipstream.keras import activations, constraints, initializers, regularizers
from slipstream.keras.layers.input_spec import InputSpec
from slipstream.keras.layers.layer import Layer
from slipstream.ops.activations import relu
from slipstream.ops.indexing import where


class BaseActivation(Layer):
    """A function of each input."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.supports_masking = True

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape


class ReLU(BaseActivation):
    """max(x, 0), with a slope below `threshold` and a largest value if they are given."""

    def __init__(
        self, max_value: Any = None, negative_slope: float = 0.0, threshold: float = 0.0,
        **options: Any,
    ) -> None:  # fmt: skip
        super().__init__(**options)
        for name, value in (("max_value", max_value or 0), ("negative_slope", negative_slope),
                            ("threshold", threshold)):  # fmt: skip
            if value is None or value < 0:
                raise ValueError(f"{name} of a ReLU layer cannot be a negative value: {value}")
        self.max_value = max_value
        self.negative_slope, self.threshold = float(negative_slope), float(threshold)

    def call(self, inputs: Any) -> Any:
        return activations.relu(
            inputs,
            negative_slope=self.negative_slope,
            max_value=self.max_value,
            threshold=self.threshold,
        )

    def get_config(self) -> dict[str, Any]:
        names = ("max_value", "negative_slope", "threshold")
        return super().get_config() | {name: getattr(self, name) for name in names}


class LeakyReLU(BaseActivation):
    """x, or negative_slope x below zero (Maas, Hannun & Ng 2013); `alpha` is its older name."""

    def __init__(self, negative_slope: float = 0.3, **options: Any) -> None:
        negative_slope = options.pop("alpha", negative_slope)
        super().__init__(**options)
        if negative_slope is None or negative_slope < 0:
            raise ValueError(
                "The negative_slope value of a Leaky ReLU layer cannot be None or negative value. "
                f"Expected a float. Received: negative_slope={negative_slope}"
            )
        self.negative_slope = float(negative_slope)

    def call(self, inputs: Any) -> Any:
        return activations.leaky_relu(inputs, negative_slope=self.negative_slope)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"negative_slope": self.negative_slope}


class PReLU(BaseActivation):
    """x, or a learnt slope times x below zero (He et al. 2015)."""

    def __init__(
        self,
        alpha_initializer: Any = "Zeros",
        alpha_regularizer: Any = None,
        alpha_constraint: Any = None,
        shared_axes: Any = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.alpha_initializer = initializers.get(alpha_initializer)
        self.alpha_regularizer = regularizers.get(alpha_regularizer)
        self.alpha_constraint = constraints.get(alpha_constraint)
        self.shared_axes = (
            None if shared_axes is None
            else list(shared_axes) if isinstance(shared_axes, (list, tuple)) else [shared_axes]
        )  # fmt: skip

    def build(self, input_shape: Any) -> None:
        shape = list(input_shape[1:])
        for axis in self.shared_axes or []:
            shape[axis - 1] = 1
        self.alpha = self.add_weight(
            name="alpha",
            shape=tuple(shape),
            initializer=self.alpha_initializer,
            regularizer=self.alpha_regularizer,
            constraint=self.alpha_constraint,
        )
        fixed = {i: n for i, n in enumerate(input_shape) if i and i not in (self.shared_axes or [])}
        self.input_spec = InputSpec(ndim=len(input_shape), axes=fixed)

    def call(self, inputs: Any) -> Any:
        return relu(inputs) - self.alpha * relu(-inputs)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "alpha_initializer": initializers.serialize(self.alpha_initializer),
            "alpha_regularizer": regularizers.serialize(self.alpha_regularizer),
            "alpha_constraint": constraints.serialize(self.alpha_constraint),
            "shared_axes": self.shared_axes,
        }


class ELU(BaseActivation):
    """x, or alpha (exp(x) - 1) below zero (Clevert, Unterthiner & Hochreiter 2016)."""

    def __init__(self, alpha: float = 1.0, **options: Any) -> None:
        super().__init__(**options)
        self.alpha = float(alpha)

    def call(self, inputs: Any) -> Any:
        return activations.elu(inputs, alpha=self.alpha)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"alpha": self.alpha}


class Softmax(BaseActivation):
    """exp(x) / sum(exp(x)) along an axis; what the mask leaves out gets 0."""

    def __init__(self, axis: Any = -1, **options: Any) -> None:
        super().__init__(**options)
        self.axis = axis

    def call(self, inputs: Any, mask: Any = None) -> Any:
        if mask is None:
            return activations.softmax(inputs, axis=self.axis)
        far = -3e4 if inputs.dtype.name == "float16" else -1e9
        shares = activations.softmax(where(mask, inputs, far), axis=self.axis)
        return where(mask, shares, 0.0)  # also where all is left out

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"axis": self.axis}
