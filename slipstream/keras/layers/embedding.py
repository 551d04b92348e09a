"""Embedding: integers as vectors. And masks of what is no input."""

from __future__ import annotations

from typing import Any

from slipstream.ir.dtypes import int32
from slipstream.keras import constraints, initializers, regularizers
from slipstream.keras.layers.layer import Layer
from slipstream.ops.comparison import not_equal
from slipstream.ops.conversion import cast
from slipstream.ops.lookup import embedding_lookup
from slipstream.ops.reduction import reduce_any


class Embedding(Layer):
    """Row i of a table for each integer i: [...] -> [..., output_dim].

    With `mask_zero`, 0 means that there is no input, and later layers leave it out.

    >>> import slipstream as tf
    >>> Embedding(10, 4)(tf.constant([[1, 2, 3]])).shape
    TensorShape([1, 3, 4])
    """

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        embeddings_initializer: Any = "uniform",
        embeddings_regularizer: Any = None,
        embeddings_constraint: Any = None,
        mask_zero: bool = False,
        input_length: Any = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        if input_dim <= 0 or output_dim <= 0:
            raise ValueError(
                "Both `input_dim` and `output_dim` should be positive, Received "
                f"input_dim = {input_dim} and output_dim = {output_dim}"
            )
        self.input_dim, self.output_dim = int(input_dim), int(output_dim)
        self.embeddings_initializer = initializers.get(embeddings_initializer)
        self.embeddings_regularizer = regularizers.get(embeddings_regularizer)
        self.embeddings_constraint = constraints.get(embeddings_constraint)
        self.mask_zero = self.supports_masking = bool(mask_zero)
        self.autocast = False

    def build(self, input_shape: Any) -> None:
        self.embeddings = self.add_weight(
            name="embeddings",
            shape=(self.input_dim, self.output_dim),
            initializer=self.embeddings_initializer,
            regularizer=self.embeddings_regularizer,
            constraint=self.embeddings_constraint,
        )

    def call(self, inputs: Any) -> Any:
        indices = inputs if inputs.dtype.is_integer else cast(inputs, int32)
        return embedding_lookup(self.embeddings, indices)

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        return not_equal(inputs, 0) if self.mask_zero else None

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (*input_shape, self.output_dim)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "input_dim": self.input_dim,
            "output_dim": self.output_dim,
            "embeddings_initializer": initializers.serialize(self.embeddings_initializer),
            "embeddings_regularizer": regularizers.serialize(self.embeddings_regularizer),
            "embeddings_constraint": constraints.serialize(self.embeddings_constraint),
            "mask_zero": self.mask_zero,
        }


class Masking(Layer):
    """Steps whose features all equal `mask_value` are left out by later layers."""

    def __init__(self, mask_value: float = 0.0, **options: Any) -> None:
        super().__init__(**options)
        self.mask_value = mask_value
        self.supports_masking = True

    def _mask(self, inputs: Any, keepdims: bool) -> Any:
        return reduce_any(not_equal(inputs, self.mask_value), axis=-1, keepdims=keepdims)

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        return self._mask(inputs, False)

    def call(self, inputs: Any) -> Any:
        return inputs * cast(self._mask(inputs, True), inputs.dtype)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"mask_value": self.mask_value}
