"""Convolutions: Conv1D to Conv3D, their transposes, depthwise and separable ones."""

from __future__ import annotations

from typing import Any, ClassVar

from slipstream.keras import activations, config, constraints, initializers, regularizers
from slipstream.keras.layers.arguments import output_length, padding_name, transposed_length, window
from slipstream.keras.layers.input_spec import InputSpec
from slipstream.keras.layers.layer import Layer
from slipstream.ops import convolution as ops
from slipstream.ops.lookup import bias_add
from slipstream.ops.shaping import pad, reshape


class BaseConv(Layer):
    """What all convolutions share: a kernel, a bias, an activation; `rank` axes are spatial."""

    rank: ClassVar[int] = 2
    transposed: ClassVar[bool] = False

    def __init__(
        self,
        filters: int | None,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
        groups: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **options: Any,
    ) -> None:
        super().__init__(activity_regularizer=activity_regularizer, **options)
        self.filters = filters if filters is None else int(filters)
        if self.filters is not None and self.filters <= 0:
            raise ValueError(f"Invalid value for argument `filters`. Received filters={filters}")
        self.kernel_size = window(kernel_size, self.rank, "kernel_size")
        self.strides = window(strides, self.rank, "strides")
        self.dilation_rate = window(dilation_rate, self.rank, "dilation_rate")
        self.padding = padding_name(padding, causal=self.rank == 1 and not self.transposed)
        self.data_format = config.standardize_data_format(data_format)
        self.groups = int(groups)
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self.input_spec = InputSpec(min_ndim=self.rank + 2, max_ndim=self.rank + 2)
        if self.filters is not None and self.filters % self.groups:
            raise ValueError(
                "The number of filters must be evenly divisible by the number of groups. "
                f"Received: groups={groups}, filters={filters}."
            )

    @property
    def channels_last(self) -> bool:
        return self.data_format == "channels_last"

    def _channels(self, input_shape: Any) -> int:
        channels = input_shape[-1 if self.channels_last else 1]
        if channels is None:
            raise ValueError(
                "The channel dimension of the inputs should be defined. "
                f"Received input_shape={tuple(input_shape)}"
            )
        if channels % self.groups:
            raise ValueError(
                "The number of input channels must be evenly divisible by the number of groups. "
                f"Received groups={self.groups}, but the input has {channels} channels."
            )
        axis = -1 if self.channels_last else 1
        self.input_spec = InputSpec(min_ndim=self.rank + 2, axes={axis: channels})
        return int(channels)

    def _kernel_shape(self, channels: int) -> tuple[int, ...]:
        return (*self.kernel_size, channels // self.groups, int(self.filters or 0))

    def _bias_size(self, channels: int) -> int:
        return int(self.filters or 0)

    def build(self, input_shape: Any) -> None:
        channels = self._channels(input_shape)
        self.kernel = self._weight("kernel", self._kernel_shape(channels))
        self.bias = self._weight("bias", (self._bias_size(channels),)) if self.use_bias else None

    def _weight(self, name: str, shape: tuple[int, ...], kind: str | None = None) -> Any:
        """A weight, with the initializer, regularizer and constraint of its kind."""
        kind = kind or name
        return self.add_weight(
            name=name,
            shape=shape,
            initializer=getattr(self, f"{kind}_initializer"),
            regularizer=getattr(self, f"{kind}_regularizer"),
            constraint=getattr(self, f"{kind}_constraint"),
        )

    @property
    def _format(self) -> str:
        """The order of axes as `tf.nn` names it."""
        space = {1: "W", 2: "HW", 3: "DHW"}[self.rank]
        return f"N{space}C" if self.channels_last else f"NC{space}"

    def _finished(self, outputs: Any) -> Any:
        """Bias and activation."""
        if self.use_bias:
            outputs = bias_add(outputs, self.bias, data_format=self._format)
        return self.activation(outputs)

    def call(self, inputs: Any) -> Any:
        padding = self.padding.upper()
        if self.padding == "causal":
            inputs, padding = self._causal(inputs), "VALID"
        outputs = ops.convolution(
            inputs,
            self.kernel,
            strides=self.strides,
            padding=padding,
            data_format=self._format,
            dilations=self.dilation_rate,
        )
        return self._finished(outputs)

    def _causal(self, inputs: Any) -> Any:
        """Zeros before the first step, so that no output sees a later input."""
        before = (self.kernel_size[0] - 1) * self.dilation_rate[0]
        time = [before, 0]
        return pad(inputs, [[0, 0], time, [0, 0]] if self.channels_last else [[0, 0], [0, 0], time])

    def compute_output_shape(self, input_shape: Any) -> Any:
        space = input_shape[1:-1] if self.channels_last else input_shape[2:]
        sizes = zip(space, self.kernel_size, self.strides, self.dilation_rate, strict=True)
        padding = "same" if self.padding == "causal" else self.padding
        out = [output_length(n, k, padding, s, d) for n, k, s, d in sizes]
        filters = self._output_channels(input_shape)
        if self.channels_last:
            return (input_shape[0], *out, filters)
        return (input_shape[0], filters, *out)

    def _output_channels(self, input_shape: Any) -> int:
        return int(self.filters or 0)

    def get_config(self) -> dict[str, Any]:
        names = [
            "filters", "kernel_size", "strides", "padding", "data_format", "dilation_rate",
            "groups", "use_bias",
        ]  # fmt: skip
        found = {name: getattr(self, name) for name in names}
        return super().get_config() | found | self._weight_config("kernel", "bias")

    def _weight_config(self, *kinds: str) -> dict[str, Any]:
        modules = {
            "initializer": initializers, "regularizer": regularizers, "constraint": constraints
        }  # fmt: skip
        found: dict[str, Any] = {"activation": activations.serialize(self.activation)}
        for kind in kinds:
            for part, module in modules.items():
                found[f"{kind}_{part}"] = module.serialize(getattr(self, f"{kind}_{part}"))
        return found


class Conv1D(BaseConv):
    """Convolution along time: [batch, steps, channels] -> [batch, steps', filters].

    >>> import slipstream as tf
    >>> Conv1D(4, 3, padding="same")(tf.zeros([2, 10, 5])).shape
    TensorShape([2, 10, 4])
    """

    rank = 1


class Conv2D(BaseConv):
    """Convolution of pictures: [batch, rows, columns, channels] -> [..., filters].

    >>> import slipstream as tf
    >>> Conv2D(32, 3, activation="relu")(tf.zeros([4, 28, 28, 1])).shape
    TensorShape([4, 26, 26, 32])
    """

    rank = 2


class Conv3D(BaseConv):
    """Convolution of volumes: [batch, depth, rows, columns, channels] -> [..., filters]."""

    rank = 3


class BaseConvTranspose(BaseConv):
    """The transposes of convolutions: strides make pictures larger."""

    transposed = True

    def __init__(
        self, filters: int, kernel_size: Any, strides: Any = 1, padding: str = "valid",
        output_padding: Any = None, **options: Any,
    ) -> None:  # fmt: skip
        super().__init__(filters, kernel_size, strides, padding, **options)
        self.output_padding = (
            None
            if output_padding is None
            else window(output_padding, self.rank, "output_padding", 0)
        )

    def _kernel_shape(self, channels: int) -> tuple[int, ...]:
        return (*self.kernel_size, int(self.filters or 0), channels)

    def call(self, inputs: Any) -> Any:
        outputs = ops.conv_transpose(
            inputs,
            self.kernel,
            output_shape=self.compute_output_shape(tuple(inputs.shape)),
            strides=self.strides,
            padding=self.padding.upper(),
            data_format=self._format,
            dilations=self.dilation_rate,
        )
        return self._finished(outputs)

    def compute_output_shape(self, input_shape: Any) -> Any:
        space = input_shape[1:-1] if self.channels_last else input_shape[2:]
        extra = self.output_padding or (None,) * self.rank
        sizes = zip(space, self.kernel_size, self.strides, self.dilation_rate, extra, strict=True)
        out = [transposed_length(n, k, self.padding, s, d, e) for n, k, s, d, e in sizes]
        if self.channels_last:
            return (input_shape[0], *out, self.filters)
        return (input_shape[0], self.filters, *out)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config() | {"output_padding": self.output_padding}
        config.pop("groups")
        return config


class Conv1DTranspose(BaseConvTranspose):
    """The transpose of Conv1D: [batch, steps, channels] -> [batch, steps', filters]."""

    rank = 1


class Conv2DTranspose(BaseConvTranspose):
    """The transpose of Conv2D, which makes pictures larger by its strides.

    >>> import slipstream as tf
    >>> Conv2DTranspose(3, 3, strides=2, padding="same")(tf.zeros([1, 7, 7, 8])).shape
    TensorShape([1, 14, 14, 3])
    """

    rank = 2


class Conv3DTranspose(BaseConvTranspose):
    """The transpose of Conv3D."""

    rank = 3


class BaseDepthwiseConv(BaseConv):
    """Each channel convolved by itself, into `depth_multiplier` channels."""

    def __init__(
        self,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        depth_multiplier: int = 1,
        depthwise_initializer: Any = "glorot_uniform",
        depthwise_regularizer: Any = None,
        depthwise_constraint: Any = None,
        **options: Any,
    ) -> None:
        super().__init__(None, kernel_size, strides, padding, **options)
        self.depth_multiplier = int(depth_multiplier)
        self.kernel_initializer = initializers.get(depthwise_initializer)
        self.kernel_regularizer = regularizers.get(depthwise_regularizer)
        self.kernel_constraint = constraints.get(depthwise_constraint)

    def _kernel_shape(self, channels: int) -> tuple[int, ...]:
        return (*self.kernel_size, channels, self.depth_multiplier)

    def _bias_size(self, channels: int) -> int:
        return channels * self.depth_multiplier

    def _output_channels(self, input_shape: Any) -> int:
        return int(input_shape[-1 if self.channels_last else 1]) * self.depth_multiplier

    def call(self, inputs: Any) -> Any:
        return self._finished(
            depthwise(inputs, self.kernel, self.strides, self.padding, self._format,
                      self.dilation_rate)
        )  # fmt: skip

    def get_config(self) -> dict[str, Any]:
        config = super().get_config() | {"depth_multiplier": self.depth_multiplier}
        for name in ("filters", "groups"):
            config.pop(name)
        for part in ("initializer", "regularizer", "constraint"):
            config[f"depthwise_{part}"] = config.pop(f"kernel_{part}")
        return config


def depthwise(
    inputs: Any, kernel: Any, strides: Any, padding: str, data_format: str, dilation: Any
) -> Any:
    """Convolution with a group a channel; kernel [*window, channels, multiplier]."""
    *space, channels, multiplier = kernel.shape

    grouped = reshape(kernel, (*space, 1, channels * multiplier))
    return ops.convolution(
        inputs, grouped, strides=strides, padding=padding.upper(), data_format=data_format,
        dilations=dilation,
    )  # fmt: skip


class DepthwiseConv1D(BaseDepthwiseConv):
    """Depthwise convolution along time."""

    rank = 1


class DepthwiseConv2D(BaseDepthwiseConv):
    """Depthwise convolution of pictures.

    >>> import slipstream as tf
    >>> DepthwiseConv2D(3)(tf.zeros([1, 10, 10, 6])).shape
    TensorShape([1, 8, 8, 6])
    """

    rank = 2


class BaseSeparableConv(BaseConv):
    """A depthwise convolution, then one of 1 by 1 over the channels (Chollet 2017)."""

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
        depth_multiplier: int = 1,
        depthwise_initializer: Any = "glorot_uniform",
        pointwise_initializer: Any = "glorot_uniform",
        depthwise_regularizer: Any = None,
        pointwise_regularizer: Any = None,
        depthwise_constraint: Any = None,
        pointwise_constraint: Any = None,
        **options: Any,
    ) -> None:
        super().__init__(
            filters, kernel_size, strides, padding, data_format, dilation_rate, **options
        )
        self.depth_multiplier = int(depth_multiplier)
        self.depthwise_initializer = initializers.get(depthwise_initializer)
        self.pointwise_initializer = initializers.get(pointwise_initializer)
        self.depthwise_regularizer = regularizers.get(depthwise_regularizer)
        self.pointwise_regularizer = regularizers.get(pointwise_regularizer)
        self.depthwise_constraint = constraints.get(depthwise_constraint)
        self.pointwise_constraint = constraints.get(pointwise_constraint)

    def build(self, input_shape: Any) -> None:
        channels = self._channels(input_shape)
        each = (*self.kernel_size, channels, self.depth_multiplier)
        mixed = (*(1,) * self.rank, channels * self.depth_multiplier, int(self.filters or 0))
        self.depthwise_kernel = self._weight("depthwise_kernel", each, "depthwise")
        self.pointwise_kernel = self._weight("pointwise_kernel", mixed, "pointwise")
        self.bias = self._weight("bias", (mixed[-1],)) if self.use_bias else None

    def call(self, inputs: Any) -> Any:
        outputs = depthwise(
            inputs, self.depthwise_kernel, self.strides, self.padding, self._format,
            self.dilation_rate,
        )  # fmt: skip
        mixed = ops.convolution(
            outputs, self.pointwise_kernel, strides=1, padding="VALID", data_format=self._format
        )
        return self._finished(mixed)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config() | self._weight_config("depthwise", "pointwise", "bias")
        config["depth_multiplier"] = self.depth_multiplier
        for name in ("groups", "kernel_initializer", "kernel_regularizer", "kernel_constraint"):
            config.pop(name)
        return config


class SeparableConv1D(BaseSeparableConv):
    """Separable convolution along time."""

    rank = 1


class SeparableConv2D(BaseSeparableConv):
    """Separable convolution of pictures."""

    rank = 2
