"""`Activation`: an activation function as a layer."""

from __future__ import annotations

from typing import Any

from slipstream.keras import activations
from slipstream.keras.layers.layer import Layer


class Activation(Layer):
    """A function, or the name of one of `keras.activations`, of each input."""

    def __init__(self, activation: Any, **options: Any) -> None:
        super().__init__(**options)
        self.supports_masking = True
        self.activation = activations.get(activation)

    def call(self, inputs: Any) -> Any:
        return self.activation(inputs)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"activation": activations.serialize(self.activation)}
