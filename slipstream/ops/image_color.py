"""Pictures' numbers: dtypes, brightness, contrast, colour spaces (`tf.image`).

A picture is [height, width, channels], or a batch of them with axes before.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from slipstream.errors import InvalidArgumentError, message
from slipstream.ir.dtypes import DType, as_dtype, float32
from slipstream.ops.conversion import saturate_cast
from slipstream.primitives import elementwise as p
from slipstream.primitives.contraction import contract
from slipstream.primitives.families import where
from slipstream.primitives.operand import constant
from slipstream.primitives.reduction import max_, min_, sum_
from slipstream.primitives.structure import concat, reshape, slice_along
from slipstream.runtime.convert import TensorLike, convert
from slipstream.runtime.dispatch import operation
from slipstream.runtime.tensor import require

GREY_WEIGHTS = (0.2989, 0.5870, 0.1140)
RGB_TO_YIQ = ((0.299, 0.59590059, 0.2115), (0.587, -0.27455667, -0.52273617),
              (0.114, -0.32134392, 0.31119955))  # fmt: skip
RGB_TO_YUV = ((0.299, -0.14714119, 0.61497538), (0.587, -0.28886916, -0.51496512),
              (0.114, 0.43601035, -0.10001026))  # fmt: skip


def picture(name: str, image: Any, least: int = 3) -> Any:
    """The picture as a tensor of at least so many axes."""
    tensor = convert(image)
    rank = len(tensor.type.shape)
    require(rank >= least, name, f"a picture has {least} axes or more", image=tensor.type)
    return tensor


def number_like(value: Any, x: Any) -> Any:
    """A factor or a shift as an operand in the dtype of x, rank kept."""
    if isinstance(value, TensorLike):
        tensor = convert(value)
        return tensor if tensor.dtype is x.dtype else p.cast(tensor, dtype=x.dtype)
    return convert(np.asarray(value, np.float64).astype(x.dtype.numpy))


# --- dtypes ---


def converted(image: Any, dtype: DType, saturate: bool = False) -> Any:
    """See `convert_image_dtype`."""
    source = image.dtype
    if source is dtype:
        return image
    to_dtype: Callable[..., Any] = saturate_cast if saturate else p.cast
    if source.is_floating:
        if dtype.is_floating:
            return p.cast(image, dtype=dtype)
        return to_dtype(image * (dtype.max + 0.5), dtype=dtype)
    if dtype.is_floating:
        return p.cast(image, dtype=dtype) * (1.0 / source.max)
    return _between_integers(image, dtype, to_dtype)


def _between_integers(image: Any, dtype: DType, to_dtype: Callable[..., Any]) -> Any:
    """Scaled by the quotient of the ranges, a power of two."""
    if image.dtype.max > dtype.max:
        scale = (image.dtype.max + 1) // (dtype.max + 1)
        return to_dtype(p.floor_divide(image, image.coerce(scale)), dtype=dtype)
    scale = (dtype.max + 1) // (image.dtype.max + 1)
    wide = to_dtype(image, dtype=dtype)
    return wide * scale if scale > 1 else wide


@operation
def convert_image_dtype(
    image: Any, dtype: Any, saturate: bool = False, name: str | None = None
) -> Any:
    """The picture in another dtype, scaled: floats go from 0 to 1, integers over their range.

    `saturate` clips numbers that leave the range, instead of wrapping between integers.

    >>> import slipstream as tf
    >>> tf.image.convert_image_dtype(tf.constant([0, 255], tf.uint8), tf.float32).numpy().tolist()
    [0.0, 1.0]
    """
    kind = as_dtype(dtype)
    if not (kind.is_floating or kind.is_integer):
        raise AttributeError("dtype must be either floating point or integer")
    return converted(convert(image), kind, saturate)


def in_floats(image: Any, function: Callable[[Any], Any]) -> Any:
    """`function` of the picture in floats, the result in the picture's dtype, saturated."""
    source = image.dtype
    if source.is_floating:
        return function(image)
    return converted(function(converted(image, float32)), source, saturate=True)


# --- brightness, contrast ---


@operation
def adjust_brightness(image: Any, delta: Any) -> Any:
    """image + delta, on the scale of 0 to 1.

    >>> import slipstream as tf
    >>> tf.image.adjust_brightness([[[0.25]]], 0.5).numpy().tolist()
    [[[0.75]]]
    """
    return in_floats(convert(image), lambda x: x + number_like(delta, x))


def mean_over(x: Any, axes: tuple[int, ...]) -> Any:
    """The mean over axes, which stay as sizes of 1."""
    shape = x.type.shape
    count = int(np.prod([shape[i] for i in axes]))
    kept = tuple(1 if i in axes else n for i, n in enumerate(shape))
    return reshape(sum_(x, axes=axes), shape=kept) / max(count, 1)


@operation
def adjust_contrast(images: Any, contrast_factor: Any) -> Any:
    """(image - mean) * contrast_factor + mean, each picture and channel by its own mean."""
    x = picture("adjust_contrast", images)
    rank = len(x.type.shape)

    def adjusted(x: Any) -> Any:
        mean = mean_over(x, (rank - 3, rank - 2))
        return (x - mean) * number_like(contrast_factor, x) + mean

    return in_floats(x, adjusted)


@operation
def adjust_gamma(image: Any, gamma: Any = 1, gain: Any = 1) -> Any:
    """gain * image ** gamma, on the scale of 0 to 1. ValueError for a negative gamma."""
    if isinstance(gamma, (int, float)) and gamma < 0:
        raise ValueError("Gamma should be a non-negative real number.")

    def adjusted(x: Any) -> Any:
        return p.power(x, number_like(gamma, x)) * number_like(gain, x)

    return in_floats(convert(image), adjusted)


@operation
def per_image_standardization(image: Any) -> Any:
    """Each picture with mean 0 and variance 1: (x - mean) / max(stddev, 1 / sqrt(count)).

    Integers become float32.
    """
    x = picture("per_image_standardization", image)
    x = x if x.dtype.is_floating else p.cast(x, dtype=float32)
    rank = len(x.type.shape)
    axes = (rank - 3, rank - 2, rank - 1)
    count = int(np.prod(x.type.shape[-3:]))
    centred = x - mean_over(x, axes)
    deviation = p.sqrt(mean_over(centred * centred, axes))
    return centred / p.maximum(deviation, deviation.coerce(1 / np.sqrt(max(count, 1))))


# --- colours ---


def _channels(name: str, image: Any, count: int) -> Any:
    tensor = picture(name, image, 1)
    if tensor.type.shape[-1] != count:
        raise InvalidArgumentError(
            message(
                name,
                f"the last axis does not hold {count} channel{'s' * (count > 1)}",
                received={"images": tensor.type},
            )
        )
    return tensor


def _split(x: Any) -> list[Any]:
    """The channels, [..., 1] each."""
    last = len(x.type.shape) - 1
    return [slice_along(x, last, i, i + 1) for i in range(x.type.shape[-1])]


def _joined(channels: list[Any]) -> Any:
    return concat(*channels, axis=len(channels[0].type.shape) - 1)


@operation
def rgb_to_grayscale(images: Any, name: str | None = None) -> Any:
    """[..., 1]: 0.2989 red + 0.5870 green + 0.1140 blue, in the pictures' dtype."""
    x = _channels("rgb_to_grayscale", images, 3)
    wide = x if x.dtype.is_floating else converted(x, float32)
    return converted(_recoloured(wide, np.array(GREY_WEIGHTS)[:, None]), x.dtype)


@operation
def grayscale_to_rgb(images: Any, name: str | None = None) -> Any:
    """[..., 3]: the grey channel three times."""
    x = _channels("grayscale_to_rgb", images, 1)
    return _joined([x, x, x])


def _recoloured(x: Any, weights: Any) -> Any:
    """x [..., c] times weights [c, d]."""
    rank = len(x.type.shape)
    labels = tuple(range(rank))
    matrix = constant(np.asarray(weights).astype(x.dtype.numpy))
    return contract(
        x, matrix, x_labels=labels, y_labels=(rank - 1, rank), out_labels=(*labels[:-1], rank)
    )


@operation
def rgb_to_yiq(images: Any) -> Any:
    """The colour space of NTSC television; floats [..., 3]."""
    return _recoloured(_channels("rgb_to_yiq", images, 3), RGB_TO_YIQ)


@operation
def yiq_to_rgb(images: Any) -> Any:
    """The inverse of `rgb_to_yiq`."""
    return _recoloured(_channels("yiq_to_rgb", images, 3), np.linalg.inv(RGB_TO_YIQ))


@operation
def rgb_to_yuv(images: Any) -> Any:
    """The colour space of PAL television; floats [..., 3]."""
    return _recoloured(_channels("rgb_to_yuv", images, 3), RGB_TO_YUV)


@operation
def yuv_to_rgb(images: Any) -> Any:
    """The inverse of `rgb_to_yuv`."""
    return _recoloured(_channels("yuv_to_rgb", images, 3), np.linalg.inv(RGB_TO_YUV))


def to_hsv(x: Any) -> Any:
    """Hue, saturation and value of colours [..., 3] in floats (A. R. Smith, 1978)."""
    red, green, blue = _split(x)
    last = len(x.type.shape) - 1
    value = reshape(max_(x, axes=(last,)), shape=red.type.shape)
    spread = value - reshape(min_(x, axes=(last,)), shape=red.type.shape)
    none, zero = p.equal(spread, spread.coerce(0)), spread.coerce(0)
    sixth = 1 / (6 * where(none, 1.0, spread))
    hue = where(
        p.equal(red, value),
        (green - blue) * sixth,
        where(p.equal(green, value), (blue - red) * sixth + 2 / 6, (red - green) * sixth + 4 / 6),
    )
    hue = where(none, 0.0, where(p.less(hue, zero), hue + 1.0, hue))
    positive = p.greater(value, zero)
    saturation = where(positive, spread / where(positive, value, 1.0), 0.0)
    return _joined([hue, saturation, value])


def from_hsv(x: Any) -> Any:
    """Colours of hue, saturation and value."""
    hue, saturation, value = _split(x)
    sixfold = hue * 6.0
    shares = (
        p.absolute(sixfold - 3.0) - 1.0,
        2.0 - p.absolute(sixfold - 2.0),
        2.0 - p.absolute(sixfold - 4.0),
    )
    clipped = [p.minimum(p.maximum(s, s.coerce(0)), s.coerce(1)) for s in shares]
    return _joined([((1.0 - saturation) + saturation * share) * value for share in clipped])


def _floating_colours(name: str, images: Any) -> Any:
    x = _channels(name, images, 3)
    require(x.dtype.is_floating, name, "the picture is not in floats", images=x.type)
    return x


@operation
def rgb_to_hsv(images: Any, name: str | None = None) -> Any:
    """Hue, saturation and value, all from 0 to 1, of colours [..., 3] in floats from 0 to 1.

    >>> import slipstream as tf
    >>> tf.image.rgb_to_hsv([0.0, 0.5, 0.0]).numpy().round(3).tolist()
    [0.3330000042915344, 1.0, 0.5]
    """
    return to_hsv(_floating_colours("rgb_to_hsv", images))


@operation
def hsv_to_rgb(images: Any, name: str | None = None) -> Any:
    """The inverse of `rgb_to_hsv`."""
    return from_hsv(_floating_colours("hsv_to_rgb", images))


@operation
def adjust_hue(image: Any, delta: Any, name: str | None = None) -> Any:
    """Colours [..., 3] with `delta` added to their hue, around the circle of 1."""

    def adjusted(x: Any) -> Any:
        hue, saturation, value = _split(to_hsv(x))
        turned = p.floor_mod(hue + number_like(delta, x), hue.coerce(1))
        return from_hsv(_joined([turned, saturation, value]))

    return in_floats(_channels("adjust_hue", image, 3), adjusted)


@operation
def adjust_saturation(image: Any, saturation_factor: Any, name: str | None = None) -> Any:
    """Colours [..., 3] with their saturation multiplied, and clipped to 0 to 1."""

    def adjusted(x: Any) -> Any:
        hue, saturation, value = _split(to_hsv(x))
        scaled = saturation * number_like(saturation_factor, x)
        clipped = p.minimum(p.maximum(scaled, scaled.coerce(0)), scaled.coerce(1))
        return from_hsv(_joined([hue, clipped, value]))

    return in_floats(_channels("adjust_saturation", image, 3), adjusted)
