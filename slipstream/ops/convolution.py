"""Convolution, transposed, depthwise and separable convolution of `tf.nn`.

What deep learning calls convolution is cross-correlation: the filter is not turned. SAME and VALID
padding are TensorFlow's. The number of groups follows from the filter, which has as many input
channels as a group.
"""

from __future__ import annotations

from typing import Any

from slipstream.ir.types import Shape
from slipstream.ops.sliding import Layout, Pairs, extents, layout
from slipstream.primitives.base import misfit
from slipstream.primitives.convolution import convolution as convolve
from slipstream.primitives.convolution import convolution_input_gradient
from slipstream.primitives.structure import reshape
from slipstream.primitives.window import Windows
from slipstream.runtime.convert import convert, convert_together
from slipstream.runtime.dispatch import operation
from slipstream.runtime.tensor import constant_value


def _geometry(strides: Shape, padding: Pairs, dilation: Shape, groups: int) -> dict[str, Any]:
    low, high = (tuple(side) for side in zip(*padding, strict=True))
    return {
        "strides": strides,
        "low": low,
        "high": high,
        "dilation": dilation,
        "groups": groups,
    }


def _convolution(
    here: Layout, x: Any, filters: Any, strides: Any, padding: Any, dilations: Any
) -> Any:
    """The convolution of `x` in the layout's data format."""
    here.check_rank(x)
    steps, dilation = here.numbers(strides, "strides"), here.numbers(dilations, "dilations")
    x, lead = here.one_batch_axis(x)
    x = here.to_last(x)
    groups = _groups(here, x, filters)
    kernel, sizes = filters.type.shape[:-2], x.type.shape[1:-1]
    pairs = here.padding(padding, sizes, extents(kernel, dilation), steps)
    y = here.from_last(convolve(x, filters, **_geometry(steps, pairs, dilation, groups)))
    return y if len(lead) == 1 else reshape(y, shape=(*lead, *y.type.shape[1:]))


def _groups(here: Layout, x: Any, filters: Any) -> int:
    """How many groups of channels the filter asks for."""
    shapes = {"input": x.type, "filters": filters.type}
    if filters.ndim != here.rank + 2:
        happened = f"the filter has rank {filters.ndim}"
        expected = f"rank {here.rank + 2}: {here.rank} sizes, input channels, output channels"
        raise misfit(here.operation, happened, expected, **shapes)
    (inner, outer), channels = filters.type.shape[-2:], x.type.shape[-1]
    groups = channels // inner if inner else 0
    if inner == channels:
        return 1
    if groups == 0 or channels % inner or outer % groups:
        happened = f"the filter has {inner} input channels, the input {channels}"
        expected = "as many, or a part of them that divides both channels (groups)"
        raise misfit(here.operation, happened, expected, **shapes)
    return groups


@operation
def conv1d(
    input: Any,
    filters: Any,
    stride: Any,
    padding: Any,
    data_format: str = "NWC",
    dilations: Any = None,
    name: str | None = None,
) -> Any:
    """Convolution of sequences, as `tf.nn.conv1d`.

    `input` is [..., width, channels] (NWC) or [..., channels, width] (NCW), `filters`
    [size, channels, out]. Raises InvalidArgumentError where they do not fit.

    >>> import slipstream as tf
    >>> x = tf.reshape(tf.range(4.0), [1, 4, 1])
    >>> tf.nn.conv1d(x, tf.ones([2, 1, 1]), 1, "VALID").numpy().ravel().tolist()
    [1.0, 3.0, 5.0]
    """
    x, w = convert_together(input, filters)
    return _convolution(layout("conv1d", 1, data_format), x, w, stride, padding, dilations)


@operation
def conv2d(
    input: Any,
    filters: Any,
    strides: Any,
    padding: Any,
    data_format: str = "NHWC",
    dilations: Any = None,
    name: str | None = None,
) -> Any:
    """Convolution of pictures, as `tf.nn.conv2d`.

    `input` is [..., height, width, channels] (NHWC) or NCHW, `filters` [height, width,
    channels / groups, out]; the groups follow from the shapes. `strides` and `dilations` are a
    number, two, or four in the data format. `padding` is "SAME" (ceil(n / stride) places), "VALID",
    or four pairs in the data format. Raises InvalidArgumentError where the shapes do not fit.

    >>> import slipstream as tf
    >>> tf.nn.conv2d(tf.ones([1, 3, 3, 1]), tf.ones([2, 2, 1, 1]), 1, "SAME").numpy()[0, :, :, 0]
    array([[4., 4., 2.],
           [4., 4., 2.],
           [2., 2., 1.]], dtype=float32)
    """
    x, w = convert_together(input, filters)
    return _convolution(layout("conv2d", 2, data_format), x, w, strides, padding, dilations)


@operation
def conv3d(
    input: Any,
    filters: Any,
    strides: Any,
    padding: Any,
    data_format: str = "NDHWC",
    dilations: Any = None,
    name: str | None = None,
) -> Any:
    """Convolution of volumes, as `tf.nn.conv3d`: `input` [..., depth, height, width, channels]
    (NDHWC) or NCDHW, `filters` [depth, height, width, channels, out]; else as `conv2d`.
    """
    x, w = convert_together(input, filters)
    return _convolution(layout("conv3d", 3, data_format), x, w, strides, padding, dilations)


@operation
def convolution(
    input: Any,
    filters: Any,
    strides: Any = None,
    padding: Any = "VALID",
    data_format: str | None = None,
    dilations: Any = None,
    name: str | None = None,
) -> Any:
    """Convolution over one to three axes, as `tf.nn.convolution`; the filter's rank says how many.

    `input` is [..., *spatial, channels], or channels first by `data_format` ("NCW", "NCHW",
    "NCDHW"); `filters` [*spatial, channels / groups, out].
    """
    x, w = convert_together(input, filters)
    here = layout("convolution", w.ndim - 2, data_format)
    return _convolution(here, x, w, strides, padding, dilations)


# transposed


def _transposed(
    here: Layout, x: Any, filters: Any, output_shape: Any, options: tuple[Any, Any, Any]
) -> Any:
    """The adjoint of the convolution that maps the output shape to that of `x`."""
    strides, padding, dilations = options
    here.check_rank(x)
    steps, dilation = here.numbers(strides, "strides"), here.numbers(dilations, "dilations")
    shape, g = here.shape_to_last(_output_shape(here, output_shape)), here.to_last(x)
    _check_channels(here, g, filters, shape)
    kernel = filters.type.shape[:-2]
    pairs = here.padding(padding, shape[1:-1], extents(kernel, dilation), steps)
    geometry = _geometry(steps, pairs, dilation, 1)
    _check_sizes(
        here, g, shape, Windows(kernel, steps, geometry["low"], geometry["high"], dilation)
    )
    return here.from_last(convolution_input_gradient(g, filters, input_shape=shape, **geometry))


def _output_shape(here: Layout, shape: Any) -> Shape:
    """The numbers of an output shape, which must be known while a program is traced."""
    array = constant_value(convert(shape))
    if array is None or array.shape != (here.rank + 2,) or array.min() < 0:
        expected = f"{here.rank + 2} known sizes"
        raise misfit(
            here.operation, "the output shape cannot be read", expected, output_shape=shape
        )
    return tuple(int(n) for n in array)


def _check_channels(here: Layout, g: Any, filters: Any, shape: Shape) -> None:
    """InvalidArgumentError unless the filter maps the input's channels to the output's."""
    shapes = {"input": g.type, "filters": filters.type, "output_shape": shape}
    if filters.ndim != here.rank + 2:
        happened, expected = f"the filter has rank {filters.ndim}", f"rank {here.rank + 2}"
        raise misfit(here.operation, happened, expected, **shapes)
    outer, inner = filters.type.shape[-2:]
    if inner != g.type.shape[-1] or outer != shape[-1]:
        happened = f"the filter maps {inner} channels to {outer}"
        expected = f"{g.type.shape[-1]} to {shape[-1]}: [*kernel, output channels, input channels]"
        raise misfit(here.operation, happened, expected, **shapes)


def _check_sizes(here: Layout, g: Any, shape: Shape, windows: Windows) -> None:
    """InvalidArgumentError unless a convolution of the output shape has the input's sizes."""
    wanted = (shape[0], *windows.out(shape[1:-1]))
    if g.type.shape[:-1] != wanted:
        happened = f"a convolution of the output shape has sizes {wanted}"
        expected = f"{g.type.shape[:-1]}, those of the input"
        raise misfit(here.operation, happened, expected, input=g.type, output_shape=shape)


@operation
def conv1d_transpose(
    input: Any,
    filters: Any,
    output_shape: Any,
    strides: Any,
    padding: Any = "SAME",
    data_format: str = "NWC",
    dilations: Any = None,
    name: str | None = None,
) -> Any:
    """The adjoint of `conv1d`, as `tf.nn.conv1d_transpose`; else as `conv2d_transpose`."""
    x, w = convert_together(input, filters)
    here = layout("conv1d_transpose", 1, data_format)
    return _transposed(here, x, w, output_shape, (strides, padding, dilations))


@operation
def conv2d_transpose(
    input: Any,
    filters: Any,
    output_shape: Any,
    strides: Any,
    padding: Any = "SAME",
    data_format: str = "NHWC",
    dilations: Any = None,
    name: str | None = None,
) -> Any:
    """The adjoint of `conv2d`, as `tf.nn.conv2d_transpose` ("deconvolution", Zeiler et al. 2010).

    `input` is in the data format, `filters` [height, width, out, channels], `output_shape` in the
    data format: the shape whose convolution with these strides and padding has the input's shape.
    Raises InvalidArgumentError where the three do not fit.

    >>> import slipstream as tf
    >>> x, w = tf.ones([1, 2, 2, 1]), tf.ones([2, 2, 1, 1])
    >>> tf.nn.conv2d_transpose(x, w, [1, 3, 3, 1], 1, "VALID").numpy()[0, :, :, 0]
    array([[1., 2., 1.],
           [2., 4., 2.],
           [1., 2., 1.]], dtype=float32)
    """
    x, w = convert_together(input, filters)
    here = layout("conv2d_transpose", 2, data_format)
    return _transposed(here, x, w, output_shape, (strides, padding, dilations))


@operation
def conv3d_transpose(
    input: Any,
    filters: Any,
    output_shape: Any,
    strides: Any,
    padding: Any = "SAME",
    data_format: str = "NDHWC",
    dilations: Any = None,
    name: str | None = None,
) -> Any:
    """The adjoint of `conv3d`, as `tf.nn.conv3d_transpose`; else as `conv2d_transpose`."""
    x, w = convert_together(input, filters)
    here = layout("conv3d_transpose", 3, data_format)
    return _transposed(here, x, w, output_shape, (strides, padding, dilations))


@operation
def conv_transpose(
    input: Any,
    filters: Any,
    output_shape: Any,
    strides: Any,
    padding: Any = "SAME",
    data_format: str | None = None,
    dilations: Any = None,
    name: str | None = None,
) -> Any:
    """The adjoint of `convolution`, as `tf.nn.conv_transpose`; the filter's rank says over how many
    axes.
    """
    x, w = convert_together(input, filters)
    here = layout("conv_transpose", w.ndim - 2, data_format)
    return _transposed(here, x, w, output_shape, (strides, padding, dilations))


# atrous, depthwise, separable


@operation
def atrous_conv2d(
    value: Any, filters: Any, rate: int, padding: Any, name: str | None = None
) -> Any:
    """`conv2d` with a filter whose taps are `rate` apart, as `tf.nn.atrous_conv2d`; NHWC."""
    x, w = convert_together(value, filters)
    return _convolution(layout("atrous_conv2d", 2, None), x, w, 1, padding, rate)


@operation
def atrous_conv2d_transpose(
    value: Any,
    filters: Any,
    output_shape: Any,
    rate: int,
    padding: Any,
    name: str | None = None,
) -> Any:
    """The adjoint of `atrous_conv2d`, as `tf.nn.atrous_conv2d_transpose`; NHWC."""
    x, w = convert_together(value, filters)
    here = layout("atrous_conv2d_transpose", 2, None)
    return _transposed(here, x, w, output_shape, (1, padding, rate))


def _depthwise(here: Layout, x: Any, filters: Any, options: tuple[Any, Any, Any]) -> Any:
    """Each channel convolved with its own filters."""
    here.check_rank(x)
    channels = x.type.shape[1 if here.channels_first else -1]
    if filters.ndim != 4 or filters.type.shape[2] != channels:
        size = filters.type.shape[2] if filters.ndim == 4 else "no"
        happened = f"the filter has {size} input channels, the input {channels}"
        expected = "[height, width, channels, multiplier]"
        raise misfit(here.operation, happened, expected, input=x.type, filter=filters.type)
    high, wide, _, multiplier = filters.type.shape
    grouped = reshape(filters, shape=(high, wide, 1, channels * multiplier))
    strides, padding, dilations = options
    return _convolution(here, x, grouped, strides, padding, dilations)


@operation
def depthwise_conv2d(
    input: Any,
    filter: Any,
    strides: Any,
    padding: Any,
    data_format: str | None = None,
    dilations: Any = None,
    name: str | None = None,
) -> Any:
    """Each channel convolved on its own, as `tf.nn.depthwise_conv2d`.

    `filter` is [height, width, channels, multiplier]; output channel c * multiplier + m is channel
    c by filter m. Raises InvalidArgumentError where the channels differ.

    >>> import slipstream as tf
    >>> x = tf.ones([1, 2, 2, 3])
    >>> tf.nn.depthwise_conv2d(x, tf.ones([2, 2, 3, 2]), [1, 1, 1, 1], "VALID").shape
    TensorShape([1, 1, 1, 6])
    """
    x, w = convert_together(input, filter)
    here = layout("depthwise_conv2d", 2, data_format)
    return _depthwise(here, x, w, (strides, padding, dilations))


@operation
def separable_conv2d(
    input: Any,
    depthwise_filter: Any,
    pointwise_filter: Any,
    strides: Any,
    padding: Any,
    data_format: str | None = None,
    dilations: Any = None,
    name: str | None = None,
) -> Any:
    """`depthwise_conv2d`, then a 1x1 convolution, as `tf.nn.separable_conv2d`.

    `pointwise_filter` is [1, 1, channels * multiplier, out].
    """
    x, depthwise, pointwise = convert_together(input, depthwise_filter, pointwise_filter)
    here = layout("separable_conv2d", 2, data_format)
    if pointwise.type.shape[:2] != (1, 1):
        happened = "the pointwise filter is none"
        expected = "[1, 1, channels * multiplier, out]"
        raise misfit(here.operation, happened, expected, pointwise_filter=pointwise.type)
    between = _depthwise(here, x, depthwise, (strides, padding, dilations))
    return _convolution(here, between, pointwise, 1, "VALID", 1)
