"""`Model`: a layer that trains, evaluates, predicts and saves itself."""

from __future__ import annotations

import json
from typing import Any

from slipstream.keras.layers.layer import Layer
from slipstream.keras.models.summary import Options, print_summary
from slipstream.keras.models.training import Trainer
from slipstream.keras.registry import serialize_keras_object
from slipstream.keras.saving.files import load_weights, save_model, save_weights
from slipstream.keras.symbolic import any_symbolic

FUNCTIONAL: list[Any] = []  # the class of functional models, which builds on this one


class Model(Trainer, Layer):
    """A model: `Model(inputs, outputs)` of KerasTensors, or a subclass with a `call`.

    >>> import slipstream as tf
    >>> class Doubled(tf.keras.Model):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.dense = tf.keras.layers.Dense(1, kernel_initializer="ones")
    ...     def call(self, inputs):
    ...         return self.dense(inputs) * 2.0
    >>> Doubled()(tf.ones([1, 3])).numpy().tolist()
    [[6.0]]
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        if cls is Model and _is_functional(args, kwargs):
            return super().__new__(FUNCTIONAL[0], *args, **kwargs)
        return super().__new__(cls, *args, **kwargs)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if _is_functional(args, kwargs):
            _build_on_functional(type(self))
            FUNCTIONAL[0].__init__(self, *args, **kwargs)
            return
        super().__init__(*args, **kwargs)
        self._prepare_training()

    @property
    def layers(self) -> list[Any]:
        """The layers directly in the model."""
        return [layer for layer in self._sublayers() if isinstance(layer, Layer)]

    def get_layer(self, name: str | None = None, index: int | None = None) -> Any:
        """A layer by its name or its place. ValueError if there is none."""
        layers = self.layers
        if index is not None:
            if len(layers) <= index:
                raise ValueError(
                    f"Was asked to retrieve layer at index {index} but model only has "
                    f"{len(layers)} layers."
                )
            return layers[index]
        if name is None:
            raise ValueError("Provide either a layer name or layer index at `get_layer`.")
        for layer in layers:
            if layer.name == name:
                return layer
        raise ValueError(
            f"No such layer: {name}. Existing layers are: {[layer.name for layer in layers]}."
        )

    def call(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(
            f"Model {type(self).__name__} does not have a `call()` method implemented."
        )

    def summary(
        self, line_length: int | None = None, positions: Any = None, print_fn: Any = None,
        expand_nested: bool = False, show_trainable: bool = False, layer_range: Any = None,
    ) -> None:  # fmt: skip
        """Print the layers, their output shapes and how many numbers they hold.

        `expand_nested` shows the layers of models within too; `layer_range` is a pair of names, or
        patterns of names, of the first layer and the last. `positions` is accepted and not needed.
        """
        print_summary(
            self, Options(line_length, print_fn, expand_nested, show_trainable, layer_range)
        )

    def save(self, filepath: Any, overwrite: bool = True, **_: Any) -> None:
        """Write the whole model to a `.keras` file; see `load_model`."""
        save_model(self, filepath, overwrite)

    def save_weights(self, filepath: Any, overwrite: bool = True) -> None:
        """Write the weights to a `.weights.h5` file."""
        save_weights(self, filepath, overwrite)

    def load_weights(self, filepath: Any, skip_mismatch: bool = False, **_: Any) -> None:
        """Take the weights from a `.weights.h5` or `.keras` file."""
        load_weights(self, filepath, skip_mismatch)

    def to_json(self, **options: Any) -> str:
        """The configuration as JSON; see `model_from_json`."""
        return json.dumps(serialize_keras_object(self), **options)

    def get_config(self) -> dict[str, Any]:
        return super().get_config()

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        if "input_layers" in config and "output_layers" in config:
            return FUNCTIONAL[0].from_config(config, custom_objects)
        return super().from_config(config)


def _is_functional(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether the arguments are the KerasTensors that a functional model lies between."""
    given = (args[:2], kwargs.get("inputs"), kwargs.get("outputs"))
    return any_symbolic(tuple(g for g in given if g is not None))


def _build_on_functional(kind: type) -> None:
    """Let a subclass that was given KerasTensors be a functional model."""
    kind.__bases__ = tuple(FUNCTIONAL[0] if base is Model else base for base in kind.__bases__)
