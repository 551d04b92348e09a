"""Pooling of `tf.nn`: the maximum or the average of each window of the spatial axes."""

from __future__ import annotations

from typing import Any

import numpy as np

from slipstream.ir.dtypes import as_dtype, int64
from slipstream.ir.types import Shape
from slipstream.ops.sliding import Layout, Pairs, extents, layout
from slipstream.primitives.base import misfit
from slipstream.primitives.elementwise import cast, floor_divide
from slipstream.primitives.operand import constant, scalar
from slipstream.primitives.structure import reshape
from slipstream.primitives.window import Windows, window_argmax, window_max, window_sum
from slipstream.runtime.convert import convert
from slipstream.runtime.dispatch import operation


def _windows(here: Layout, x: Any, window: Any, strides: Any, padding: Any, dilations: Any) -> Any:
    """The geometry over `x`, whose channels are last."""
    sizes = here.numbers(window, "ksize")
    dilation = here.numbers(dilations, "dilations")
    steps = here.numbers(strides, "strides")
    pairs: Pairs = here.padding(padding, x.type.shape[1:-1], extents(sizes, dilation), steps)
    low, high = (tuple(side) for side in zip(*pairs, strict=True))
    return Windows(sizes, steps, low, high, dilation)


def _pooled(here: Layout, kind: str, value: Any, options: tuple[Any, Any, Any, Any]) -> Any:
    """The windows of `value` pooled; `options` are ksize, strides, padding and dilations."""
    x = convert(value)
    here.check_rank(x)
    x, lead = here.one_batch_axis(x)
    x = here.to_last(x)
    windows = _windows(here, x, *options)
    y = window_max(x, **windows._asdict()) if kind == "MAX" else _average(here, x, windows)
    y = here.from_last(y)
    return y if len(lead) == 1 else reshape(y, shape=(*lead, *y.type.shape[1:]))


def _average(here: Layout, x: Any, windows: Windows) -> Any:
    """The mean of the elements of each window that are no padding."""
    if not x.dtype.is_floating:
        raise misfit(here.operation, "only floats have an average", "a float dtype", input=x.type)
    counts = _counts(windows, x.type.shape[1:-1])
    total = window_sum(x, **windows._asdict())
    if counts.size and (counts == counts.flat[0]).all():
        return total / scalar(counts.flat[0], x.dtype)
    return total / constant(counts.astype(x.dtype.numpy))


def _counts(windows: Windows, spatial: Shape) -> Any:
    """[1, *out, 1]: how many elements that are no padding each window covers."""
    counts = np.ones((), np.int64)
    for axis, (size, out) in enumerate(zip(spatial, windows.out(spatial), strict=True)):
        first = np.arange(out)[:, None] * windows.strides[axis] - windows.low[axis]
        places = first + np.arange(windows.window[axis]) * windows.dilation[axis]
        counts = np.multiply.outer(counts, ((places >= 0) & (places < size)).sum(1))
    return counts[np.newaxis, ..., np.newaxis]


def _rank(value: Any) -> tuple[Any, int]:
    """The input as a tensor, and how many spatial axes it has."""
    x = convert(value)
    return x, x.ndim - 2


@operation
def max_pool(
    input: Any,
    ksize: Any,
    strides: Any,
    padding: Any,
    data_format: str | None = None,
    name: str | None = None,
) -> Any:
    """The largest element of each window, as `tf.nn.max_pool`; the input's rank says over how many
    axes.

    `ksize` and `strides` are a number, one a spatial axis, or one an axis of the data format;
    `padding` is "SAME", "VALID" or pairs in the data format. Padding never wins.

    >>> import slipstream as tf
    >>> tf.nn.max_pool(tf.reshape(tf.range(4.0), [1, 2, 2, 1]), 2, 2, "VALID").numpy().ravel()
    array([3.], dtype=float32)
    """
    x, rank = _rank(input)
    here = layout("max_pool", rank, data_format)
    return _pooled(here, "MAX", x, (ksize, strides, padding, 1))


@operation
def max_pool1d(
    input: Any,
    ksize: Any,
    strides: Any,
    padding: Any,
    data_format: str = "NWC",
    name: str | None = None,
) -> Any:
    """The largest element of each window of sequences, as `tf.nn.max_pool1d`."""
    here = layout("max_pool1d", 1, data_format)
    return _pooled(here, "MAX", input, (ksize, strides, padding, 1))


@operation
def max_pool2d(
    input: Any,
    ksize: Any,
    strides: Any,
    padding: Any,
    data_format: str = "NHWC",
    name: str | None = None,
) -> Any:
    """The largest element of each window of pictures, as `tf.nn.max_pool2d`."""
    here = layout("max_pool2d", 2, data_format)
    return _pooled(here, "MAX", input, (ksize, strides, padding, 1))


@operation
def max_pool3d(
    input: Any,
    ksize: Any,
    strides: Any,
    padding: Any,
    data_format: str = "NDHWC",
    name: str | None = None,
) -> Any:
    """The largest element of each window of volumes, as `tf.nn.max_pool3d`."""
    here = layout("max_pool3d", 3, data_format)
    return _pooled(here, "MAX", input, (ksize, strides, padding, 1))


@operation
def avg_pool(
    input: Any,
    ksize: Any,
    strides: Any,
    padding: Any,
    data_format: str | None = None,
    name: str | None = None,
) -> Any:
    """The mean of each window, as `tf.nn.avg_pool`; padding is left out of the mean.

    The arguments are those of `max_pool`. Raises InvalidArgumentError for integers.

    >>> import slipstream as tf
    >>> x = tf.reshape(tf.range(3.0), [1, 3, 1])
    >>> tf.nn.avg_pool(x, 2, 2, "SAME").numpy().ravel()
    array([0.5, 2. ], dtype=float32)
    """
    x, rank = _rank(input)
    here = layout("avg_pool", rank, data_format)
    return _pooled(here, "AVG", x, (ksize, strides, padding, 1))


@operation
def avg_pool1d(
    input: Any,
    ksize: Any,
    strides: Any,
    padding: Any,
    data_format: str = "NWC",
    name: str | None = None,
) -> Any:
    """The mean of each window of sequences, as `tf.nn.avg_pool1d`."""
    here = layout("avg_pool1d", 1, data_format)
    return _pooled(here, "AVG", input, (ksize, strides, padding, 1))


@operation
def avg_pool2d(
    input: Any,
    ksize: Any,
    strides: Any,
    padding: Any,
    data_format: str = "NHWC",
    name: str | None = None,
) -> Any:
    """The mean of each window of pictures, as `tf.nn.avg_pool2d`."""
    here = layout("avg_pool2d", 2, data_format)
    return _pooled(here, "AVG", input, (ksize, strides, padding, 1))


@operation
def avg_pool3d(
    input: Any,
    ksize: Any,
    strides: Any,
    padding: Any,
    data_format: str = "NDHWC",
    name: str | None = None,
) -> Any:
    """The mean of each window of volumes, as `tf.nn.avg_pool3d`."""
    here = layout("avg_pool3d", 3, data_format)
    return _pooled(here, "AVG", input, (ksize, strides, padding, 1))


@operation
def pool(
    input: Any,
    window_shape: Any,
    pooling_type: str,
    strides: Any = None,
    padding: Any = "VALID",
    data_format: str | None = None,
    dilations: Any = None,
    name: str | None = None,
) -> Any:
    """Windows pooled by "MAX" or "AVG", possibly dilated, as `tf.nn.pool`.

    `window_shape`, `strides` and `dilations` have a number a spatial axis.
    """
    if pooling_type not in ("MAX", "AVG"):
        raise misfit(
            "pool", "there is no such pooling", '"MAX" or "AVG"', pooling_type=pooling_type
        )
    x, rank = _rank(input)
    if hasattr(window_shape, "__len__"):
        rank = len(window_shape)
    here = layout("pool", rank, data_format)
    return _pooled(here, pooling_type, x, (window_shape, strides, padding, dilations))


def _places(windows: Windows, shape: Shape, taps: Any, with_batch: bool) -> Any:
    """Where in the input, counted in row-major order, the taps of its windows are.

    With k columns in a window, tap t is in its row t // k and column t - k (t // k).
    """
    batch, _, width, channels = shape
    columns = windows.window[1]
    rows = floor_divide(taps, scalar(columns, int64))
    corners = constant(_corners(windows, shape, batch if with_batch else 1))
    return taps * channels + rows * ((width - columns) * channels) + corners


def _corners(windows: Windows, shape: Shape, batch: int) -> Any:
    """[batch, *out, c]: where in the input the first tap of each window is."""
    _, height, width, channels = shape
    down, across = (
        np.arange(n) * s - low
        for n, s, low in zip(
            windows.out((height, width)), windows.strides, windows.low, strict=True
        )
    )
    pictures, each = np.arange(batch)[:, None, None, None], np.arange(channels)
    lines = pictures * height + down[:, None, None]
    return (lines * width + across[:, None]) * channels + each


@operation
def max_pool_with_argmax(
    input: Any,
    ksize: Any,
    strides: Any,
    padding: Any,
    data_format: str = "NHWC",
    output_dtype: Any = int64,
    include_batch_in_index: bool = False,
    name: str | None = None,
) -> tuple[Any, Any]:
    """The largest element of each window and where it is, as `tf.nn.max_pool_with_argmax`.

    The place is (y * width + x) * channels + c, with the batch as a further, leading digit if
    `include_batch_in_index`; of equal elements it is the first.

    >>> import slipstream as tf
    >>> x = tf.reshape(tf.constant([1.0, 4.0, 3.0, 2.0]), [1, 2, 2, 1])
    >>> [t.numpy().item() for t in tf.nn.max_pool_with_argmax(x, 2, 2, "VALID")]
    [4.0, 1]
    """
    here = layout("max_pool_with_argmax", 2, data_format)
    if here.channels_first:
        raise misfit(here.operation, "there is no such data format", "NHWC", format=data_format)
    x = convert(input)
    here.check_rank(x)
    windows = _windows(here, x, ksize, strides, padding, 1)
    taps = cast(window_argmax(x, **windows._asdict()), dtype=int64)
    places = _places(windows, x.type.shape, taps, include_batch_in_index)
    return window_max(x, **windows._asdict()), cast(places, dtype=as_dtype(output_dtype))
