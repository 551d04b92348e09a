"""`Sequential`: layers one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from slipstream.keras.layers.inputs import InputLayer
from slipstream.keras.layers.layer import Layer
from slipstream.keras.models.functional import Functional
from slipstream.keras.models.model import Model
from slipstream.keras.registry import deserialize_keras_object, serialize_keras_object
from slipstream.keras.symbolic import KerasTensor


class Sequential(Model):
    """A model whose layers follow each other. Built when the shape of its input is known.

    >>> import slipstream as tf
    >>> model = Sequential([tf.keras.layers.Dense(4, input_shape=(3,)), tf.keras.layers.Dense(1)])
    >>> model.output_shape
    (None, 1)
    """

    def __init__(
        self, layers: Sequence[Any] | None = None, trainable: bool = True, name: str | None = None
    ) -> None:
        super().__init__(trainable=trainable, name=name)
        self._layers: list[Layer] = []
        self._functional: Functional | None = None
        for layer in layers or ():
            self._append(layer)
        self._rebuild()

    def add(self, layer: Any, rebuild: bool = True) -> None:
        """Put a layer behind the others."""
        self._append(layer)
        self._rebuild()

    def _append(self, layer: Any) -> None:
        if isinstance(layer, KerasTensor):
            layer = layer._keras_history.operation
        if not isinstance(layer, Layer):
            raise ValueError(
                "Only instances of `keras.Layer` can be added to a Sequential model. "
                f"Received: {layer} (of type {type(layer)})"
            )
        if any(layer.name == known.name for known in self._layers):
            raise ValueError(
                "All layers added to a Sequential model should have unique names. Name "
                f"'{layer.name}' is already the name of a layer in this model."
            )
        if isinstance(layer, InputLayer) and self._layers:
            raise ValueError(
                f"Sequential model '{self.name}' has already been configured to use input shape "
                "or layers. You cannot add a different Input layer to it."
            )
        self._layers.append(layer)

    def pop(self, rebuild: bool = True) -> Any:
        """Take the last layer away."""
        if not self._layers:
            raise TypeError("There are no layers in the model.")
        layer = self._layers.pop()
        self._functional = None
        self.built = False
        self._rebuild()
        return layer

    def _rebuild(self) -> None:
        """Draw the functional model, if the first layer tells the shape of the input."""
        self._functions.clear()
        if not self._layers:
            return
        first = self._layers[0]
        if isinstance(first, InputLayer):
            if len(self._layers) > 1:
                self._draw_from(first.output)
        elif isinstance(first, (Functional, Sequential)) and getattr(first, "inputs", None):
            self._draw_from(InputLayer(batch_shape=first.inputs[0].shape).output)
        elif first._input_shape_argument is not None:
            self._draw_from(InputLayer(batch_shape=first._input_shape_argument).output)

    def _draw_from(self, begin: KerasTensor) -> None:
        x: Any = begin
        for layer in self.layers:
            x = layer(x)
        self._functional = Functional(begin, x, name=self.name)
        self.built = True

    def build(self, input_shape: Any = None) -> None:
        """Make the layers' weights for a shape of the input."""
        if self._functional is not None or not self._layers:
            return
        if input_shape is None:
            raise ValueError("You must provide an `input_shape` argument.")
        self._draw_from(InputLayer(batch_shape=tuple(input_shape)).output)

    def call(self, inputs: Any, training: Any = None, mask: Any = None) -> Any:
        if self._functional is not None:
            return self._functional.call(inputs, training=training, mask=mask)
        for layer in self.layers:
            known = layer.call_signature.has_training and training is not None
            inputs = layer(inputs, training=training) if known else layer(inputs)
        return inputs

    @property
    def layers(self) -> list[Any]:
        return [layer for layer in self._layers if not isinstance(layer, InputLayer)]

    def _drawn(self, what: str) -> Functional:
        if self._functional is None:
            raise AttributeError(
                f"Sequential model '{self.name}' has no defined {what} yet: it is built when it "
                "is first called, or when it begins with an Input."
            )
        return self._functional

    @property
    def inputs(self) -> Any:
        return self._drawn("inputs").inputs

    @property
    def outputs(self) -> Any:
        return self._drawn("outputs").outputs

    @property
    def input(self) -> Any:
        return self._drawn("input").input

    @property
    def output(self) -> Any:
        return self._drawn("output").output

    @property
    def input_shape(self) -> Any:
        return tuple(self.input.shape)

    @property
    def output_shape(self) -> Any:
        return tuple(self.output.shape)

    def compute_output_shape(self, input_shape: Any) -> Any:
        if self._functional is not None:
            self._functional.check_shape(self._functional.inputs[0], input_shape)
        for layer in self.layers:
            input_shape = layer.compute_output_shape(input_shape)
        return input_shape

    def get_config(self) -> dict[str, Any]:
        config: dict[str, Any] = {"name": self.name, "trainable": self.trainable}
        given = [self._functional.layers[0]] if self._functional is not None else []
        listed = [*given, *self.layers]
        config["layers"] = [serialize_keras_object(layer) for layer in listed]
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        made = [deserialize_keras_object(c, custom_objects) for c in config["layers"]]
        return cls(made, trainable=config.get("trainable", True), name=config.get("name"))
