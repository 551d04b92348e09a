"""Other shapes of the same numbers: Flatten, Reshape, Permute, padding, cropping, repeating."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from slipstream.keras import config
from slipstream.keras.layers.arguments import window
from slipstream.keras.layers.input_spec import InputSpec
from slipstream.keras.layers.layer import Layer
from slipstream.ops import shaping as ops
from slipstream.ops.image_resize import resize


class Flatten(Layer):
    """[batch, ...] -> [batch, everything else].

    >>> import slipstream as tf
    >>> Flatten()(tf.zeros([4, 5, 5, 3])).shape
    TensorShape([4, 75])
    """

    def __init__(self, data_format: str | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.data_format = config.standardize_data_format(data_format)
        self.input_spec = InputSpec(min_ndim=1)

    def call(self, inputs: Any) -> Any:
        rank = len(inputs.shape)
        if self.data_format == "channels_first" and rank > 2:
            inputs = ops.transpose(inputs, [0, *range(2, rank), 1])
        if rank == 1:
            return ops.expand_dims(inputs, -1)
        return ops.reshape(inputs, (inputs.shape[0], math.prod(inputs.shape[1:])))

    def compute_output_shape(self, input_shape: Any) -> Any:
        rest = input_shape[1:]
        return (input_shape[0], None if None in rest else math.prod(rest))

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"data_format": self.data_format}


class Reshape(Layer):
    """[batch, ...] -> [batch, *target_shape]; one size may be -1."""

    def __init__(self, target_shape: Any, **options: Any) -> None:
        super().__init__(**options)
        self.target_shape = tuple(int(n) for n in target_shape)

    def call(self, inputs: Any) -> Any:
        return ops.reshape(inputs, (inputs.shape[0], *self.target_shape))

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"target_shape": self.target_shape}


class Permute(Layer):
    """The axes after the batch in another order: dims counts them from 1."""

    def __init__(self, dims: Any, **options: Any) -> None:
        super().__init__(**options)
        self.dims = tuple(dims)
        if sorted(self.dims) != list(range(1, len(self.dims) + 1)):
            raise ValueError(
                "Invalid permutation argument `dims` for Permute Layer. The set of indices in "
                f"`dims` must be consecutive and start from 1. Received dims={dims}"
            )
        self.input_spec = InputSpec(ndim=len(self.dims) + 1)

    def call(self, inputs: Any) -> Any:
        return ops.transpose(inputs, (0, *self.dims))

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"dims": self.dims}


class RepeatVector(Layer):
    """[batch, features] -> [batch, n, features]."""

    def __init__(self, n: int, **options: Any) -> None:
        super().__init__(**options)
        if not isinstance(n, int):
            raise TypeError(f"Expected an integer value for `n`, got {type(n)}.")
        self.n = n
        self.input_spec = InputSpec(ndim=2)

    def call(self, inputs: Any) -> Any:
        return ops.tile(ops.expand_dims(inputs, 1), [1, self.n, 1])

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"n": self.n}


class BaseBorder(Layer):
    """What padding and cropping share: two numbers an axis."""

    rank: ClassVar[int] = 2
    argument: ClassVar[str] = "padding"

    def __init__(self, amounts: Any = 1, data_format: str | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.data_format = config.standardize_data_format(data_format)
        self.amounts = _pairs(amounts, self.rank, self.argument)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def _all_axes(self) -> list[list[int]]:
        middle = [list(pair) for pair in self.amounts]
        if self.data_format == "channels_last" or self.rank == 1:
            return [[0, 0], *middle, [0, 0]]
        return [[0, 0], [0, 0], *middle]

    def get_config(self) -> dict[str, Any]:
        amounts: Any = self.amounts[0] if self.rank == 1 else self.amounts
        return super().get_config() | {self.argument: amounts, "data_format": self.data_format}


def _pairs(amounts: Any, rank: int, name: str) -> tuple[tuple[int, int], ...]:
    if isinstance(amounts, int):
        return ((amounts, amounts),) * rank
    given = list(amounts)
    if rank == 1 and len(given) == 2 and all(isinstance(n, int) for n in given):
        return ((given[0], given[1]),)
    if len(given) != rank:
        raise ValueError(f"`{name}` should have {rank} elements. Received: {amounts}")
    return tuple((n, n) if isinstance(n, int) else (int(n[0]), int(n[1])) for n in given)


class _Padding(BaseBorder):
    def __init__(self, padding: Any = 1, data_format: str | None = None, **options: Any) -> None:
        super().__init__(padding, data_format, **options)

    def call(self, inputs: Any) -> Any:
        return ops.pad(inputs, self._all_axes())


class _Cropping(BaseBorder):
    argument = "cropping"

    def __init__(self, cropping: Any = 1, data_format: str | None = None, **options: Any) -> None:
        super().__init__(cropping, data_format, **options)

    def call(self, inputs: Any) -> Any:
        key = tuple(
            slice(low, n - high)
            for (low, high), n in zip(self._all_axes(), inputs.shape, strict=True)
        )
        return inputs[key]


class ZeroPadding1D(_Padding):
    """Zeros before and after the steps."""

    rank = 1


class ZeroPadding2D(_Padding):
    """Zeros around pictures."""


class ZeroPadding3D(_Padding):
    """Zeros around volumes."""

    rank = 3


class Cropping1D(_Cropping):
    """Steps cut off at both ends."""

    rank = 1

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config.pop("data_format")  # Keras' layer takes none
        return config


class Cropping2D(_Cropping):
    """Rows and columns cut off around pictures; none by default."""

    def __init__(self, cropping: Any = 0, data_format: str | None = None, **options: Any) -> None:
        super().__init__(cropping, data_format, **options)


class Cropping3D(_Cropping):
    """A border cut off around volumes."""

    rank = 3


class UpSampling1D(Layer):
    """Each step `size` times."""

    def __init__(self, size: int = 2, **options: Any) -> None:
        super().__init__(**options)
        self.size = int(size)
        self.input_spec = InputSpec(ndim=3)

    def call(self, inputs: Any) -> Any:
        return ops.repeat(inputs, self.size, axis=1)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"size": self.size}


class UpSampling2D(Layer):
    """Pictures `size` times larger: by repeating, or interpolated."""

    def __init__(
        self, size: Any = (2, 2), data_format: str | None = None, interpolation: str = "nearest",
        **options: Any,
    ) -> None:  # fmt: skip
        super().__init__(**options)
        self.size = window(size, 2, "size")
        self.data_format = config.standardize_data_format(data_format)
        self.interpolation = interpolation.lower()
        self.input_spec = InputSpec(ndim=4)

    def call(self, inputs: Any) -> Any:
        last = self.data_format == "channels_last"
        if self.interpolation == "nearest":
            first = 1 if last else 2
            rows = ops.repeat(inputs, self.size[0], axis=first)
            return ops.repeat(rows, self.size[1], axis=first + 1)
        pictures = inputs if last else ops.transpose(inputs, [0, 2, 3, 1])
        sizes = [n * by for n, by in zip(pictures.shape[1:3], self.size, strict=True)]
        scaled = resize(pictures, sizes, method=self.interpolation)
        return scaled if last else ops.transpose(scaled, [0, 3, 1, 2])

    def get_config(self) -> dict[str, Any]:
        names = ("size", "data_format", "interpolation")
        return super().get_config() | {name: getattr(self, name) for name in names}


class UpSampling3D(Layer):
    """Volumes `size` times larger, by repeating."""

    def __init__(
        self, size: Any = (2, 2, 2), data_format: str | None = None, **options: Any
    ) -> None:
        super().__init__(**options)
        self.size = window(size, 3, "size")
        self.data_format = config.standardize_data_format(data_format)
        self.input_spec = InputSpec(ndim=5)

    def call(self, inputs: Any) -> Any:
        first = 1 if self.data_format == "channels_last" else 2
        for axis, times in enumerate(self.size, first):
            inputs = ops.repeat(inputs, times, axis=axis)
        return inputs

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"size": self.size, "data_format": self.data_format}
