"""Layers around a layer: Wrapper, TimeDistributed, Bidirectional."""

from __future__ import annotations

from typing import Any

from slipstream.keras.layers.layer import Layer
from slipstream.keras.registry import deserialize_keras_object, serialize_keras_object
from slipstream.ops.shaping import concat, reshape, reverse


class Wrapper(Layer):
    """A layer that holds another one."""

    def __init__(self, layer: Layer, **options: Any) -> None:
        if not isinstance(layer, Layer):
            raise ValueError(f"Layer {layer} supplied to Wrapper isn't a supported layer type")
        super().__init__(**options)
        self.layer = layer

    def build(self, input_shape: Any) -> None:
        if not self.layer.built:
            self.layer.build(input_shape)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"layer": serialize_keras_object(self.layer)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        given = dict(config)
        given["layer"] = deserialize_keras_object(given["layer"])
        return super().from_config(given)


class TimeDistributed(Wrapper):
    """A layer applied to each step of [batch, steps, ...], by taking the steps into the batch.

    >>> import slipstream as tf
    >>> TimeDistributed(tf.keras.layers.Dense(5))(tf.zeros([2, 10, 3])).shape
    TensorShape([2, 10, 5])
    """

    def __init__(self, layer: Layer, **options: Any) -> None:
        super().__init__(layer, **options)
        self.supports_masking = True

    def build(self, input_shape: Any) -> None:
        if not isinstance(input_shape, (tuple, list)) or len(input_shape) < 3:
            raise ValueError(
                "`TimeDistributed` Layer should be passed an `input_shape` with at least 3 "
                f"dimensions, received: {input_shape}"
            )
        super().build((input_shape[0], *input_shape[2:]))

    def call(self, inputs: Any, training: Any = None) -> Any:
        batch, steps = inputs.shape[:2]
        merged = reshape(inputs, (batch * steps, *inputs.shape[2:]))
        outputs = self.layer(merged, training=training)
        return reshape(outputs, (batch, steps, *outputs.shape[1:]))


class Bidirectional(Wrapper):
    """A recurrent layer and its twin that goes backwards (Schuster & Paliwal 1997).

    `merge_mode` is "concat", "sum", "mul", "ave", or None for a list of both outputs.
    """

    MODES = ("sum", "mul", "ave", "concat", None)

    def __init__(
        self, layer: Layer, merge_mode: str | None = "concat", weights: Any = None,
        backward_layer: Any = None, **options: Any,
    ) -> None:  # fmt: skip
        if merge_mode not in self.MODES:
            raise ValueError(
                f"Invalid merge mode. Received: {merge_mode}. Merge mode should be one of "
                f"{self.MODES}"
            )
        super().__init__(layer, **options)
        self.merge_mode = merge_mode
        self.forward_layer = _renamed(layer, "forward")
        made = backward_layer if backward_layer is not None else _turned(layer)
        self.backward_layer = _renamed(made, "backward")
        self._own_backward = backward_layer is not None
        self.return_sequences = getattr(layer, "return_sequences", False)
        self.return_state = getattr(layer, "return_state", False)
        self.supports_masking = True
        self.layer = self.forward_layer
        if weights is not None:
            self._initial_weights = weights

    def build(self, sequences_shape: Any, initial_state_shape: Any = None) -> None:
        for part in (self.forward_layer, self.backward_layer):
            if not part.built:
                part.build(sequences_shape)

    def call(
        self, sequences: Any, initial_state: Any = None, mask: Any = None, training: Any = None
    ) -> Any:
        half = len(initial_state) // 2 if initial_state is not None else 0
        first = initial_state[:half] if half else None
        second = initial_state[half:] if half else None
        given = {"mask": mask, "training": training}
        ahead = self.forward_layer(sequences, initial_state=first, **given)
        back = self.backward_layer(sequences, initial_state=second, **given)
        states: list[Any] = []
        if self.return_state:
            ahead, *forward_states = ahead
            back, *backward_states = back
            states = [*forward_states, *backward_states]
        if self.return_sequences:
            back = reverse(back, [1])
        merged = self._merged(ahead, back)
        if not states:
            return merged
        return [*merged, *states] if self.merge_mode is None else [merged, *states]

    def _merged(self, ahead: Any, back: Any) -> Any:
        if self.merge_mode == "concat":
            return concat([ahead, back], -1)
        if self.merge_mode == "mul":
            return ahead * back
        if self.merge_mode is None:
            return [ahead, back]
        total = ahead + back
        return total if self.merge_mode == "sum" else total * 0.5

    def reset_state(self) -> None:
        self.forward_layer.reset_state()
        self.backward_layer.reset_state()

    reset_states = reset_state

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        mask = previous_mask[0] if isinstance(previous_mask, list) else previous_mask
        if not self.return_sequences:
            return None
        return [mask, mask] if self.merge_mode is None else mask

    def get_config(self) -> dict[str, Any]:
        config = super().get_config() | {"merge_mode": self.merge_mode}
        config["layer"] = serialize_keras_object(self.forward_layer)
        if self._own_backward:
            config["backward_layer"] = serialize_keras_object(self.backward_layer)
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        given = dict(config)
        if given.get("backward_layer") is not None:
            given["backward_layer"] = deserialize_keras_object(given["backward_layer"])
        return super().from_config(given)


def _renamed(layer: Layer, prefix: str) -> Any:
    """A layer of the same configuration, whose name says its direction."""
    if layer.name.startswith(f"{prefix}_"):
        return layer
    config = layer.get_config() | {"name": f"{prefix}_{layer.name}"}
    return type(layer).from_config(config)


def _turned(layer: Layer) -> Any:
    config = layer.get_config()
    name = config["name"].removeprefix("forward_")
    return type(layer).from_config(
        config | {"go_backwards": not config.get("go_backwards", False), "name": name}
    )
