"""Pictures of another size: `tf.image.resize` and what is built on it, crop_and_resize.

Every method but nearest is a sum over a kernel, one axis after the other: a product with a matrix
of weights, whose rows sum to 1. Points of the result are centred as in TensorFlow 2: point i of an
axis lies at (i + 1/2) scale in the picture. Catmull and Rom's and Mitchell and Netravali's cubics,
Lanczos' windowed sinc; the parts of a kernel outside the picture have no weight.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from slipstream.ir.dtypes import float32, int32
from slipstream.ir.graph import Array
from slipstream.ops.axes import known
from slipstream.ops.image_geometry import bordered, height_axis, pictures, taken
from slipstream.primitives import elementwise as p
from slipstream.primitives.base import misfit
from slipstream.primitives.contraction import contract
from slipstream.primitives.families import where
from slipstream.primitives.operand import constant
from slipstream.primitives.structure import broadcast_to, iota, reshape, slice_along
from slipstream.runtime.convert import convert
from slipstream.runtime.dispatch import operation


class ResizeMethod:
    """The names of the methods."""

    BILINEAR = "bilinear"
    NEAREST_NEIGHBOR = "nearest"
    BICUBIC = "bicubic"
    AREA = "area"
    LANCZOS3 = "lanczos3"
    LANCZOS5 = "lanczos5"
    GAUSSIAN = "gaussian"
    MITCHELLCUBIC = "mitchellcubic"


class Kernel(NamedTuple):
    """A weight by distance, and the distance from which on it is zero."""

    radius: float
    weight: Callable[[Array], Array]


def _triangle(x: Array) -> Array:
    return np.maximum(0.0, 1.0 - x)


def _cubic(b: float, c: float) -> Callable[[Array], Array]:
    """Mitchell and Netravali's family of cubics (1988)."""

    def weight(x: Array) -> Array:
        near = ((12 - 9 * b - 6 * c) * x + (-18 + 12 * b + 6 * c)) * x * x + (6 - 2 * b)
        far = (((-b - 6 * c) * x + 6 * b + 30 * c) * x - 12 * b - 48 * c) * x + 8 * b + 24 * c
        return np.where(x < 1, near, np.where(x < 2, far, 0.0)) / 6

    return weight


def _lanczos(radius: int) -> Kernel:
    return Kernel(radius, lambda x: np.where(x <= radius, np.sinc(x) * np.sinc(x / radius), 0.0))


def _gaussian(x: Array) -> Array:
    return np.where(x < 1.5, np.exp(-0.5 * (x / 0.5) ** 2), 0.0)


KERNELS = {
    "bilinear": Kernel(1, _triangle),
    "bicubic": Kernel(2, _cubic(0.0, 0.5)),
    "mitchellcubic": Kernel(2, _cubic(1 / 3, 1 / 3)),
    "lanczos3": _lanczos(3),
    "lanczos5": _lanczos(5),
    "gaussian": Kernel(1.5, _gaussian),
}


@lru_cache(maxsize=64)
def weights_of(method: str, size: int, target: int, antialias: bool) -> Array:
    """[target, size] weights of one axis."""
    scale = size / target
    if method == "area":
        return _overlaps(size, target, scale)
    kernel = KERNELS[method]
    wide = max(scale, 1.0) if antialias else 1.0
    centre = (np.arange(target)[:, None] + 0.5) * scale
    distance = np.abs(np.arange(size) + 0.5 - centre) / wide
    weights = kernel.weight(distance)
    total = weights.sum(1, keepdims=True)
    return np.asarray(weights / np.where(total == 0, 1.0, total), np.float32)


def _overlaps(size: int, target: int, scale: float) -> Array:
    """The share of each point of the result that lies in each point of the picture."""
    start = np.arange(target)[:, None] * scale
    low, high = np.arange(size), np.arange(size) + 1
    shared = np.minimum(start + scale, high) - np.maximum(start, low)
    return np.asarray(np.maximum(shared, 0.0) / scale, np.float32)


def _weighted(x: Any, axis: int, weights: Any) -> Any:
    """x with an axis multiplied by weights [target, size]."""
    labels = list(range(len(x.type.shape)))
    out = [len(labels) if i == axis else i for i in labels]
    return contract(
        x, weights, x_labels=tuple(labels), y_labels=(len(labels), axis), out_labels=tuple(out)
    )


def _nearest(x: Any, axis: int, target: int) -> Any:
    size = x.type.shape[axis]
    places = np.floor((np.arange(target) + 0.5) * (size / target)).astype(np.int32)
    return taken(x, constant(np.minimum(places, size - 1)), axis)


def resized(x: Any, height: int, width: int, method: str, antialias: bool) -> Any:
    """Both axes resized; smaller products first."""
    axis = height_axis(x)
    if x.type.shape[axis : axis + 2] == (height, width):
        return x
    if method == "nearest":
        return _nearest(_nearest(x, axis, height), axis + 1, width)
    wide = x if x.dtype is float32 else p.cast(x, dtype=float32)
    for place, target in ((axis, height), (axis + 1, width)):
        size = wide.type.shape[place]
        if size != target:
            weights = constant(weights_of(method, size, target, antialias))
            wide = _weighted(wide, place, weights)
    return wide


def _method(method: Any) -> str:
    name = str(method).lower()
    if name not in (*KERNELS, "nearest", "area"):
        raise ValueError(f"Resize method is not implemented: {method}")
    return name


def _target(size: Any) -> tuple[int, int]:
    sizes = known(size, "resize", "size")
    if sizes.shape != (2,):
        raise ValueError("'size' must be a 1-D Tensor of 2 elements: new_height, new_width")
    height, width = (int(n) for n in sizes)
    if height <= 0 or width <= 0:
        raise ValueError(f"'size' must be positive; received {(height, width)}")
    return height, width


@operation
def resize(
    images: Any, size: Any, method: Any = ResizeMethod.BILINEAR,
    preserve_aspect_ratio: bool = False, antialias: bool = False, name: str | None = None,
) -> Any:  # fmt: skip
    """Pictures of `size` (height, width), in float32; by "nearest" in their own dtype.

    `method` is one of `ResizeMethod`. `antialias` widens the kernel when the picture shrinks.
    `preserve_aspect_ratio` takes the largest size within `size` with the picture's ratio. A picture
    that has the size already is returned as it is.

    >>> import slipstream as tf
    >>> tf.image.resize([[[0.0], [1.0]]], [1, 4]).numpy().reshape(-1).tolist()
    [0.0, 0.25, 0.75, 1.0]
    """
    x = pictures("resize", images)
    height, width = _target(size)
    if preserve_aspect_ratio:
        rows, columns = x.type.shape[-3:-1]
        scale = min(height / rows, width / columns)
        height, width = max(1, round(rows * scale)), max(1, round(columns * scale))
    return resized(x, height, width, _method(method), bool(antialias))


@operation
def resize_with_pad(
    image: Any, target_height: Any, target_width: Any, method: Any = ResizeMethod.BILINEAR,
    antialias: bool = False,
) -> Any:  # fmt: skip
    """The picture resized in its own ratio to fit the target, in the middle of zeros."""
    x = pictures("resize_with_pad", image)
    height, width = _target([target_height, target_width])
    rows, columns = x.type.shape[-3:-1]
    ratio = max(rows / height, columns / width)
    inner = [max(1, math.floor(n / ratio + 1e-9)) for n in (rows, columns)]
    small = resized(x, inner[0], inner[1], _method(method), bool(antialias))
    top, left = (max(0, math.floor((t - n / ratio) / 2)) for t, n in
                 ((height, rows), (width, columns)))  # fmt: skip
    return bordered(small, top, left, height, width)


# --- boxes ---


def _positions(low: Any, high: Any, count: int, size: int) -> Any:
    """[boxes, count]: where the points of the crops lie on an axis of the picture."""
    last = size - 1
    if count == 1:
        return (low + high) * (0.5 * last)
    step = (high - low) * (last / (count - 1))
    places = constant(np.arange(count, dtype=np.float32)[None])
    return low * float(last) + step * places


def _weights_at(positions: Any, size: int, nearest: bool) -> Any:
    """[boxes, count, size] weights; all zero outside the picture."""
    shape = (*positions.type.shape, size)
    at = broadcast_to(reshape(positions, shape=(*shape[:2], 1)), shape=shape)
    index = iota(shape=shape, axis=2, dtype=float32)
    if nearest:
        rounded = p.floor(at + 0.5)
        weights = p.cast(p.equal(rounded, index), dtype=float32)
    else:
        distance = p.absolute(at - index)
        weights = p.maximum(1.0 - distance, distance.coerce(0))
    return where(_inside(at, size), weights, 0.0)


def _inside(at: Any, size: int) -> Any:
    return p.logical_and(p.greater_equal(at, at.coerce(0)), p.less_equal(at, at.coerce(size - 1)))


def _check_boxes(image: Any, boxes: Any, indices: Any) -> None:
    count = boxes.type.shape[0] if boxes.type.shape else -1
    fits = len(image.type.shape) == 4 and boxes.type.shape == (count, 4)
    if not fits or indices.type.shape != (count,):
        raise misfit(
            "crop_and_resize", "the shapes do not fit",
            "image [batch, height, width, channels], boxes [n, 4], box_indices [n]",
            image=image.type, boxes=boxes.type, box_indices=indices.type,
        )  # fmt: skip


@operation
def crop_and_resize(
    image: Any, boxes: Any, box_indices: Any, crop_size: Any, method: str = "bilinear",
    extrapolation_value: float = 0.0, name: str | None = None,
) -> Any:  # fmt: skip
    """[boxes, *crop_size, channels] float32: parts of pictures, resized.

    A box is (y1, x1, y2, x2), in shares of height - 1 and width - 1; it may be turned around, and
    outside the picture (`extrapolation_value`). `box_indices` says which picture. Derivatives flow
    to the pictures and to the boxes.
    """
    x, corners = convert(image), convert(boxes)
    indices = convert(box_indices, int32)
    _check_boxes(x, corners, indices)
    if method not in ("bilinear", "nearest"):
        raise ValueError(f"method must be `bilinear` or `nearest`; received {method!r}")
    height, width = _target(crop_size)
    rows, columns = x.type.shape[1:3]
    y1, x1, y2, x2 = (slice_along(corners, 1, i, i + 1) for i in range(4))
    down = _positions(y1, y2, height, rows)
    across = _positions(x1, x2, width, columns)
    chosen = taken(p.cast(x, dtype=float32), indices, 0)
    by_rows = _weights_at(down, rows, method == "nearest")
    by_columns = _weights_at(across, columns, method == "nearest")
    part = contract(
        by_rows, chosen, x_labels=(0, 1, 2), y_labels=(0, 2, 3, 4), out_labels=(0, 1, 3, 4)
    )
    crops = contract(
        by_columns, part, x_labels=(0, 5, 3), y_labels=(0, 1, 3, 4), out_labels=(0, 1, 5, 4)
    )
    if not extrapolation_value:
        return crops
    inside = p.logical_and(
        reshape(_inside(down, rows), shape=(-1, height, 1, 1)),
        reshape(_inside(across, columns), shape=(-1, 1, width, 1)),
    )
    return where(inside, crops, float(extrapolation_value))
