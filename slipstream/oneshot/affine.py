"""Random affine views of many small pictures at once, in NumPy.

Each picture is turned, scaled, sheared and shifted about its middle by its own random amounts and
read with bilinear interpolation; what comes from outside is ground.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from slipstream.oneshot.picture_set import PictureSet
from slipstream.oneshot.pictures import to_floats

BLOCK = 64  # pictures at a time: their sampling positions stay in the processor's cache


@dataclass(frozen=True)
class AffineRange:
    """How far a random view may go from the picture.

    `rotation` in degrees to either side, `scale` as a factor (0.1: from 1/1.1 to 1.1), `shear` as
    sideways pixels a row, `translation` in pixels to either side.
    """

    rotation: float = 10.0
    scale: float = 0.1
    shear: float = 0.1
    translation: float = 2.0


MILD = AffineRange()


def random_affine(
    images: np.ndarray, random: np.random.Generator, ranges: AffineRange = MILD
) -> np.ndarray:
    """One random view of each picture.

    `images` is `[n, height, width]`, uint8 or floating; the result is float32 of the same shape,
    in 0 to 1 for uint8. The same generator state gives the same views.

    >>> views = random_affine(np.ones((2, 28, 28), np.float32), np.random.default_rng(0))
    >>> views.shape, views.dtype
    ((2, 28, 28), dtype('float32'))
    """
    matrices, shifts = random_maps(len(images), random, ranges)
    return warp(images, matrices, shifts)


def random_maps(
    count: int, random: np.random.Generator, ranges: AffineRange
) -> tuple[np.ndarray, np.ndarray]:
    """Maps from places in the view to places in the picture, about the middle.

    Matrices float32 `[count, 2, 2]` and shifts float32 `[count, 2]`, in the order (row, column).
    """
    draws = random.uniform(-1, 1, (6, count))
    angle = np.deg2rad(ranges.rotation) * draws[0]
    stretch = (1 + ranges.scale) ** draws[1:3]
    sine, cosine = np.sin(angle), np.cos(angle)
    turn = np.stack([cosine, -sine, sine, cosine], 1).reshape(-1, 2, 2)
    skew = np.zeros((count, 2, 2))
    skew[:, 0, 0], skew[:, 1, 1] = stretch
    skew[:, 1, 0] = ranges.shear * draws[3]
    shifts = ranges.translation * draws[4:6].T
    return (turn @ skew).astype(np.float32), shifts.astype(np.float32)


def warp(images: np.ndarray, matrices: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    """Each picture read through its own affine map; float32 of the shape of `images`."""
    result = np.empty(images.shape, np.float32)
    for start in range(0, len(images), BLOCK):
        part = slice(start, start + BLOCK)
        result[part] = warp_block(to_floats(images[part]), matrices[part], shifts[part])
    return result


def warp_block(images: np.ndarray, matrices: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    """`warp` for a few pictures: four reads and three blends for each pixel."""
    count, height, width = images.shape
    rows, columns = sample_places(height, width, matrices, shifts)
    top, down = split(rows, height)
    left, right = split(columns, width)
    # A ground of one pixel above and left, two below and right, takes every read outside.
    padded = np.pad(images, ((0, 0), (1, 2), (1, 2))).reshape(-1)
    stride = width + 3
    corner = top * stride + left + (np.arange(count) * ((height + 3) * stride))[:, None]
    upper = blend(padded.take(corner), padded.take(corner + 1), right)
    lower = blend(padded.take(corner + stride), padded.take(corner + stride + 1), right)
    return blend(upper, lower, down).reshape(images.shape)


def sample_places(
    height: int, width: int, matrices: np.ndarray, shifts: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Where each pixel of each view is read: rows and columns, float32 `[n, height * width]`."""
    middle = np.array([(height - 1) / 2, (width - 1) / 2], np.float32)
    grid = np.indices((height, width), np.float32).reshape(2, -1) - middle[:, None]
    places = matrices @ grid + (shifts + middle)[:, :, None]
    return places[:, 0], places[:, 1]


def split(places: np.ndarray, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Whole part, as an index into the padded picture, and fraction; clipped to the ground."""
    inside = np.clip(places, -1, length) + np.float32(1)
    whole = inside.astype(np.int64)
    return whole, inside - whole.astype(np.float32)


def blend(first: np.ndarray, second: np.ndarray, share: np.ndarray) -> np.ndarray:
    """`first` with `share` of the way to `second`, in place of `second`."""
    second -= first
    second *= share
    second += first
    return second


def quarter_turns(images: np.ndarray, turns: np.ndarray) -> np.ndarray:
    """Each square picture `[n, side, side]` turned left by its own number of right angles."""
    result = np.empty_like(images)
    for turn in range(4):
        chosen = turns % 4 == turn
        result[chosen] = np.rot90(images[chosen], turn, (1, 2))
    return result


def with_rotated_classes(pictures: PictureSet, turns: tuple[int, ...] = (1, 2, 3)) -> PictureSet:
    """The set with every class turned by right angles as further classes.

    Class `c` turned by the k-th of `turns` is class `c + k * classes`. From Santoro and others,
    "Meta-learning with memory-augmented neural networks", 2016: more classes to learn from.
    """
    parts = [pictures.images] + [np.rot90(pictures.images, turn, (1, 2)) for turn in turns]
    names = [f"{name} turned {90 * turn}°" for turn in turns for name in pictures.class_names]
    offsets = pictures.classes * np.arange(1 + len(turns))
    return PictureSet(
        f"{pictures.name} turned",
        np.concatenate(parts),
        (pictures.labels + offsets[:, None]).reshape(-1),
        pictures.class_names + tuple(names),
        pictures.class_groups * (1 + len(turns)),
    )
