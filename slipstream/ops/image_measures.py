"""How pictures differ: signal to noise, structural similarity, total variation (`tf.image`)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from slipstream.ir.dtypes import float32
from slipstream.ops.image_color import converted, mean_over, picture
from slipstream.ops.image_geometry import height_axis, pictures
from slipstream.primitives import elementwise as p
from slipstream.primitives.base import misfit
from slipstream.primitives.contraction import contract
from slipstream.primitives.operand import constant
from slipstream.primitives.reduction import sum_
from slipstream.primitives.structure import pad, reshape, slice_along
from slipstream.runtime.convert import convert_together
from slipstream.runtime.dispatch import operation


def _pair(name: str, first: Any, second: Any, max_val: Any) -> tuple[Any, Any, float]:
    """Both pictures in floats, and the largest number they can hold."""
    a, b = (picture(name, x) for x in convert_together(first, second))
    if a.type.shape[-3:] != b.type.shape[-3:]:
        raise misfit(name, "the pictures differ in size", "equal sizes", img1=a.type, img2=b.type)
    largest = float(max_val)
    if not a.dtype.is_floating:
        largest = largest / a.dtype.max
        a, b = converted(a, float32), converted(b, float32)
    return a, b, largest


@operation
def psnr(a: Any, b: Any, max_val: Any, name: str | None = None) -> Any:
    """Peak signal to noise ratios [...] in decibel: 10 log10(max_val^2 / mean square difference).

    >>> import slipstream as tf
    >>> float(tf.image.psnr([[[0.0]]], [[[0.1]]], max_val=1.0).numpy().round(3))
    20.0
    """
    x, y, largest = _pair("psnr", a, b, max_val)
    difference = x - y
    rank = len(difference.type.shape)
    mean = mean_over(difference * difference, (rank - 3, rank - 2, rank - 1))
    error = reshape(mean, shape=difference.type.shape[:-3])
    return p.log(error) * (-10 / math.log(10)) + 20 * math.log10(largest)


def _gauss(size: int, sigma: float) -> Any:
    """The weights of a window, which sum to 1."""
    places = np.arange(size) - (size - 1) / 2
    weights = np.exp(-0.5 * (places / sigma) ** 2)
    return weights / weights.sum()


def _filtered(x: Any, window: Any) -> Any:
    """The window over height and width, where it lies inside the picture."""
    for axis in (height_axis(x), height_axis(x) + 1):
        size = x.type.shape[axis]
        count = size - len(window) + 1
        matrix = np.zeros((count, size))
        for i, weight in enumerate(window):
            matrix[np.arange(count), np.arange(count) + i] = weight
        labels = tuple(range(len(x.type.shape)))
        out = tuple(len(labels) if i == axis else i for i in labels)
        rows = constant(matrix.astype(x.dtype.numpy))
        x = contract(x, rows, x_labels=labels, y_labels=(len(labels), axis), out_labels=out)
    return x


def _similarities(x: Any, y: Any, largest: float, options: Any) -> tuple[Any, Any]:
    """Structural similarity, and its part of contrast and structure, of each point and channel."""
    size, sigma, k1, k2 = options
    if min(*x.type.shape[-3:-1]) < size:
        raise misfit("ssim", f"the pictures are smaller than the window of {size}", img1=x.type)
    window = _gauss(size, sigma)
    c1, c2 = (k1 * largest) ** 2, (k2 * largest) ** 2
    mean_x, mean_y = _filtered(x, window), _filtered(y, window)
    product, squares = mean_x * mean_y * 2.0, mean_x * mean_x + mean_y * mean_y
    luminance = (product + c1) / (squares + c1)
    covariance = _filtered(x * y, window) * 2.0 - product
    variance = _filtered(x * x + y * y, window) - squares
    structure = (covariance + c2) / (variance + c2)
    return luminance * structure, structure


@operation
def ssim(
    img1: Any, img2: Any, max_val: Any, filter_size: int = 11, filter_sigma: float = 1.5,
    k1: float = 0.01, k2: float = 0.03, return_index_map: bool = False,
) -> Any:  # fmt: skip
    """Structural similarity [...], from -1 to 1, of pictures.

    Z. Wang, A. C. Bovik, H. R. Sheikh, E. P. Simoncelli, "Image quality assessment: from error
    visibility to structural similarity", 2004.

    >>> import slipstream as tf
    >>> picture = tf.random.uniform([16, 16, 1], seed=1)
    >>> float(tf.image.ssim(picture, picture, 1.0).numpy().round(4))
    1.0
    """
    x, y, largest = _pair("ssim", img1, img2, max_val)
    both, _ = _similarities(x, y, largest, (filter_size, filter_sigma, k1, k2))
    rank = len(both.type.shape)
    if return_index_map:
        return reshape(mean_over(both, (rank - 1,)), shape=both.type.shape[:-1])
    mean = mean_over(both, (rank - 3, rank - 2, rank - 1))
    return reshape(mean, shape=both.type.shape[:-3])


@operation
def total_variation(images: Any, name: str | None = None) -> Any:
    """The sum of absolute differences of neighbouring points, [] or [batch].

    >>> import slipstream as tf
    >>> float(tf.image.total_variation([[[1.0], [3.0]], [[1.0], [0.0]]]))
    6.0
    """
    x = pictures("total_variation", images)
    axis, total = height_axis(x), None
    for place in (axis, axis + 1):
        size = x.type.shape[place]
        change = slice_along(x, place, 1, size) - slice_along(x, place, 0, size - 1)
        part = sum_(p.absolute(change), axes=(axis, axis + 1, axis + 2))
        total = part if total is None else total + part
    return total


@operation
def image_gradients(image: Any) -> Any:
    """(dy, dx) of a batch of pictures: the next row minus each row, the next column minus each
    column; zeros in the last."""
    x = picture("image_gradients", image, 4)
    found = []
    for place in (1, 2):
        size = x.type.shape[place]
        change = slice_along(x, place, 1, size) - slice_along(x, place, 0, size - 1)
        high = tuple(1 if i == place else 0 for i in range(4))
        found.append(pad(change, x.coerce(0), low=(0,) * 4, high=high, interior=(0,) * 4))
    return found[0], found[1]
