"""Pooling: the largest or the mean of windows, or of everything."""

from __future__ import annotations

from typing import Any, ClassVar

from slipstream.keras import config
from slipstream.keras.layers.arguments import output_length, padding_name, window
from slipstream.keras.layers.input_spec import InputSpec
from slipstream.keras.layers.layer import Layer
from slipstream.ops import pooling as ops
from slipstream.ops.conversion import cast
from slipstream.ops.reduction import reduce_max, reduce_mean, reduce_sum
from slipstream.ops.shaping import expand_dims


class BasePooling(Layer):
    """Windows of `pool_size`, by default beside each other."""

    rank: ClassVar[int] = 2
    mode: ClassVar[str] = "MAX"

    def __init__(
        self, pool_size: Any = 2, strides: Any = None, padding: str = "valid",
        data_format: str | None = None, **options: Any,
    ) -> None:  # fmt: skip
        super().__init__(**options)
        self.pool_size = window(pool_size, self.rank, "pool_size")
        self.strides = window(pool_size if strides is None else strides, self.rank, "strides")
        self.padding = padding_name(padding)
        self.data_format = config.standardize_data_format(data_format)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def call(self, inputs: Any) -> Any:
        space = {1: "W", 2: "HW", 3: "DHW"}[self.rank]
        last = self.data_format == "channels_last"
        return ops.pool(
            inputs,
            self.pool_size,
            self.mode,
            strides=self.strides,
            padding=self.padding.upper(),
            data_format=f"N{space}C" if last else f"NC{space}",
        )

    def compute_output_shape(self, input_shape: Any) -> Any:
        last = self.data_format == "channels_last"
        space = input_shape[1:-1] if last else input_shape[2:]
        sizes = zip(space, self.pool_size, self.strides, strict=True)
        out = [output_length(n, k, self.padding, s) for n, k, s in sizes]
        if last:
            return (input_shape[0], *out, input_shape[-1])
        return (*input_shape[:2], *out)

    def get_config(self) -> dict[str, Any]:
        names = ("pool_size", "strides", "padding", "data_format")
        return super().get_config() | {name: getattr(self, name) for name in names}


class MaxPooling1D(BasePooling):
    """The largest of each window along time."""

    rank = 1


class MaxPooling2D(BasePooling):
    """The largest of each window of pictures.

    >>> import slipstream as tf
    >>> MaxPooling2D()(tf.zeros([1, 26, 26, 32])).shape
    TensorShape([1, 13, 13, 32])
    """


class MaxPooling3D(BasePooling):
    """The largest of each window of volumes."""

    rank = 3


class AveragePooling1D(BasePooling):
    """The mean of each window along time."""

    rank, mode = 1, "AVG"


class AveragePooling2D(BasePooling):
    """The mean of each window of pictures; padding does not count."""

    mode = "AVG"


class AveragePooling3D(BasePooling):
    """The mean of each window of volumes."""

    rank, mode = 3, "AVG"


class BaseGlobalPooling(Layer):
    """One number a channel."""

    rank: ClassVar[int] = 2

    def __init__(
        self, data_format: str | None = None, keepdims: bool = False, **options: Any
    ) -> None:
        super().__init__(**options)
        self.data_format = config.standardize_data_format(data_format)
        self.keepdims = keepdims
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def _axes(self) -> list[int]:
        first = 1 if self.data_format == "channels_last" else 2
        return list(range(first, first + self.rank))

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"data_format": self.data_format, "keepdims": self.keepdims}


class GlobalMaxPooling2D(BaseGlobalPooling):
    """The largest of each channel: [batch, rows, columns, channels] -> [batch, channels]."""

    def call(self, inputs: Any) -> Any:
        return reduce_max(inputs, axis=self._axes(), keepdims=self.keepdims)


class GlobalMaxPooling1D(GlobalMaxPooling2D):
    """The largest of each channel over time."""

    rank = 1


class GlobalMaxPooling3D(GlobalMaxPooling2D):
    """The largest of each channel of a volume."""

    rank = 3


class GlobalAveragePooling2D(BaseGlobalPooling):
    """The mean of each channel: [batch, rows, columns, channels] -> [batch, channels]."""

    def call(self, inputs: Any) -> Any:
        return reduce_mean(inputs, axis=self._axes(), keepdims=self.keepdims)


class GlobalAveragePooling3D(GlobalAveragePooling2D):
    """The mean of each channel of a volume."""

    rank = 3


class GlobalAveragePooling1D(BaseGlobalPooling):
    """The mean of each channel over time; masked steps do not count."""

    rank = 1

    def __init__(
        self, data_format: str | None = None, keepdims: bool = False, **options: Any
    ) -> None:
        super().__init__(data_format, keepdims, **options)
        self.supports_masking = True

    def call(self, inputs: Any, mask: Any = None) -> Any:
        axis = self._axes()[0]
        if mask is None:
            return reduce_mean(inputs, axis=axis, keepdims=self.keepdims)
        weights = expand_dims(cast(mask, inputs.dtype), 2 if axis == 1 else 1)
        total = reduce_sum(inputs * weights, axis=axis, keepdims=self.keepdims)
        return total / reduce_sum(weights, axis=axis, keepdims=self.keepdims)

    def compute_mask(self, inputs: Any, previous_mask: Any) -> None:
        return None


MaxPool1D, MaxPool2D, MaxPool3D = MaxPooling1D, MaxPooling2D, MaxPooling3D
AvgPool1D, AvgPool2D, AvgPool3D = AveragePooling1D, AveragePooling2D, AveragePooling3D
GlobalMaxPool1D, GlobalMaxPool2D = GlobalMaxPooling1D, GlobalMaxPooling2D
GlobalMaxPool3D = GlobalMaxPooling3D
GlobalAvgPool1D, GlobalAvgPool2D = GlobalAveragePooling1D, GlobalAveragePooling2D
GlobalAvgPool3D = GlobalAveragePooling3D
