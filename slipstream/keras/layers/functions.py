"""Functions as layers: Lambda, Identity, Rescaling."""

from __future__ import annotations

from typing import Any

from slipstream.keras.layers.layer import Layer
from slipstream.keras.registry import deserialize_keras_object, serialize_keras_object
from slipstream.ops.conversion import cast


class Lambda(Layer):
    """A Python function of the inputs. Models with one are loaded with safe_mode=False only."""

    def __init__(
        self, function: Any, output_shape: Any = None, mask: Any = None, arguments: Any = None,
        **options: Any,
    ) -> None:  # fmt: skip
        super().__init__(**options)
        self.function, self.mask, self.arguments = function, mask, dict(arguments or {})
        self._output_shape = output_shape
        self.supports_masking = mask is not None

    def call(self, inputs: Any, mask: Any = None, training: Any = None) -> Any:
        names = self.function.__code__.co_varnames if hasattr(self.function, "__code__") else ()
        given = {"mask": mask, "training": training}
        extra = {k: v for k, v in given.items() if k in names and k not in self.arguments}
        return self.function(inputs, **extra, **self.arguments)

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        return self.mask(inputs, previous_mask) if callable(self.mask) else self.mask

    def get_config(self) -> dict[str, Any]:
        config = {"function": serialize_keras_object(self.function), "arguments": self.arguments}
        if self._output_shape is not None:
            config["output_shape"] = serialize_keras_object(self._output_shape)
        if self.mask is not None:
            config["mask"] = serialize_keras_object(self.mask)
        return super().get_config() | config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        given = dict(config)
        for name in ("function", "output_shape", "mask"):
            if isinstance(given.get(name), (dict, str)):
                given[name] = deserialize_keras_object(given[name])
        return super().from_config(given)


class Identity(Layer):
    """The inputs."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.supports_masking = True

    def call(self, inputs: Any) -> Any:
        return inputs


class Rescaling(Layer):
    """inputs * scale + offset, as floats.

    >>> import slipstream as tf
    >>> Rescaling(1 / 255)(tf.constant([255])).numpy().tolist()
    [1.0]
    """

    def __init__(self, scale: Any, offset: Any = 0.0, **options: Any) -> None:
        super().__init__(**options)
        self.scale, self.offset = scale, offset
        self.supports_masking = True

    def call(self, inputs: Any) -> Any:
        return cast(inputs, self.compute_dtype) * self.scale + self.offset

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"scale": self.scale, "offset": self.offset}
