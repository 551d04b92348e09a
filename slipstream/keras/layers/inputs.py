"""`Input`: where a functional model begins."""

from __future__ import annotations

from typing import Any

from slipstream.ir.dtypes import as_dtype
from slipstream.keras import config
from slipstream.keras.layers.layer import Layer
from slipstream.keras.layers.node import Node
from slipstream.keras.symbolic import KerasTensor
from slipstream.runtime.shape import TensorShape


class InputLayer(Layer):
    """The layer that `Input` makes."""

    def __init__(
        self,
        shape: Any = None,
        batch_size: int | None = None,
        dtype: Any = None,
        sparse: bool = False,
        ragged: bool = False,
        batch_shape: Any = None,
        input_tensor: Any = None,
        optional: bool = False,
        name: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(name=name)
        shape = options.pop("input_shape", shape)
        batch_shape = options.pop("batch_input_shape", batch_shape)
        if options:
            raise ValueError(f"Unrecognized keyword arguments: {options}")
        if sparse or ragged:
            raise ValueError("Input() of sparse or ragged tensors: there are dense tensors only")
        if input_tensor is not None:
            batch_shape, dtype = input_tensor.shape, dtype or input_tensor.dtype
        self.batch_shape = _batch_shape(shape, batch_size, batch_shape)
        self._dtype = as_dtype(dtype or config.floatx()).name
        self.optional, self.built, self.supports_masking = optional, True, True
        output = KerasTensor(self.batch_shape, self._dtype, name=self.name)
        Node(self, (), {}, output)

    def call(self) -> Any:
        return self.output

    @property
    def dtype(self) -> str:
        return self._dtype

    def get_config(self) -> dict[str, Any]:
        return {
            "batch_shape": list(self.batch_shape),
            "dtype": self._dtype,
            "sparse": False,
            "ragged": False,
            "name": self.name,
            "optional": self.optional,
        }


def _batch_shape(shape: Any, batch_size: int | None, batch_shape: Any) -> TensorShape:
    if (shape is None) == (batch_shape is None):
        raise ValueError("You must pass either a `shape` or a `batch_shape` argument to Input().")
    if batch_shape is not None:
        return TensorShape(batch_shape)
    if isinstance(shape, int):
        raise ValueError(
            f"Cannot convert '{shape}' to a shape: shapes are tuples, as in Input(({shape},))."
        )
    return TensorShape((batch_size, *shape))


def Input(
    shape: Any = None,
    batch_size: int | None = None,
    dtype: Any = None,
    sparse: bool = False,
    ragged: bool = False,
    batch_shape: Any = None,
    name: str | None = None,
    tensor: Any = None,
    optional: bool = False,
) -> Any:
    """A KerasTensor to call layers with. `shape` lacks the batch dimension; `batch_shape` has it.

    >>> Input((28, 28)).shape
    TensorShape([None, 28, 28])
    """
    layer = InputLayer(
        shape=shape, batch_size=batch_size, dtype=dtype, sparse=sparse, ragged=ragged,
        batch_shape=batch_shape, name=name, input_tensor=tensor, optional=optional,
    )  # fmt: skip
    return layer.output
