"""Where pictures' points go: flips, turns, crops, borders, patches (`tf.image`).

A picture is [height, width, channels], or a batch [batch, height, width, channels].
"""

from __future__ import annotations

from typing import Any

from slipstream.ops.axes import known
from slipstream.ops.image_color import picture
from slipstream.primitives.indexing import gather
from slipstream.primitives.structure import (
    concat,
    pad,
    reshape,
    reverse,
    slice_,
    slice_along,
    transpose,
)
from slipstream.runtime.dispatch import operation


def pictures(name: str, image: Any) -> Any:
    """A picture or a batch of them; ValueError for any other rank."""
    tensor = picture(name, image)
    if len(tensor.type.shape) not in (3, 4):
        raise ValueError(f"[{name}] 'image' must have 3 or 4 dimensions; received {tensor.type}")
    return tensor


def height_axis(x: Any) -> int:
    return len(x.type.shape) - 3


def whole(value: Any, name: str, argument: str) -> int:
    """A size or an offset that must be known while the program is built."""
    return int(known(value, name, argument))


def taken(x: Any, places: Any, axis: int) -> Any:
    """The elements at `places` of an axis. With an axis before, so that the gradient is dense."""
    shape = x.type.shape
    found = gather(reshape(x, shape=(1, *shape)), places, axis=axis + 1, batch_dims=0)
    return reshape(found, shape=(*shape[:axis], places.type.shape[0], *shape[axis + 1 :]))


@operation
def flip_left_right(image: Any) -> Any:
    """The picture mirrored from left to right.

    >>> import slipstream as tf
    >>> tf.image.flip_left_right([[[1], [2]]]).numpy().tolist()
    [[[2], [1]]]
    """
    x = pictures("flip_left_right", image)
    return reverse(x, axes=(height_axis(x) + 1,))


@operation
def flip_up_down(image: Any) -> Any:
    """The picture mirrored from top to bottom."""
    x = pictures("flip_up_down", image)
    return reverse(x, axes=(height_axis(x),))


def _exchanged(x: Any) -> Any:
    axis = height_axis(x)
    order = (*range(axis), axis + 1, axis, axis + 2)
    return transpose(x, permutation=order)


@operation
def transposed(image: Any, name: str | None = None) -> Any:
    """Height and width exchanged, as `tf.image.transpose`."""
    return _exchanged(pictures("transpose", image))


@operation
def rot90(image: Any, k: Any = 1, name: str | None = None) -> Any:
    """The picture turned by k right angles, against the clock."""
    x = pictures("rot90", image)
    rows, turns = height_axis(x), whole(k, "rot90", "k") % 4
    if turns == 1:
        return reverse(_exchanged(x), axes=(rows,))
    if turns == 2:
        return reverse(x, axes=(rows, rows + 1))
    if turns == 3:
        return _exchanged(reverse(x, axes=(rows,)))
    return x


def cropped(x: Any, top: int, left: int, height: int, width: int) -> Any:
    """Rows from `top` on and columns from `left` on."""
    rows = slice_along(x, height_axis(x), top, top + height)
    return slice_along(rows, height_axis(x) + 1, left, left + width)


@operation
def crop_to_bounding_box(
    image: Any, offset_height: Any, offset_width: Any, target_height: Any, target_width: Any
) -> Any:
    """The part of the target's size that begins at the offsets. ValueError if it sticks out."""
    name = "crop_to_bounding_box"
    x = pictures(name, image)
    top, left, height, width = (
        whole(v, name, "a size") for v in (offset_height, offset_width, target_height, target_width)
    )
    full_height, full_width = x.type.shape[-3:-1]
    fits = top >= 0 and left >= 0 and height > 0 and width > 0
    if not fits or top + height > full_height or left + width > full_width:
        raise ValueError(
            f"[{name}] the box lies outside the picture; received offsets ({top}, {left}), target "
            f"({height}, {width}), image {x.type}"
        )
    return cropped(x, top, left, height, width)


def bordered(x: Any, top: int, left: int, height: int, width: int) -> Any:
    """The picture at an offset in zeros of a larger size."""
    full_height, full_width = x.type.shape[-3:-1]
    batch = (0,) * height_axis(x)
    low = (*batch, top, left, 0)
    high = (*batch, height - top - full_height, width - left - full_width, 0)
    return pad(x, x.coerce(0), low=low, high=high, interior=(0,) * len(low))


@operation
def pad_to_bounding_box(
    image: Any, offset_height: Any, offset_width: Any, target_height: Any, target_width: Any
) -> Any:
    """Zeros of the target's size with the picture at the offsets. ValueError if it does not fit."""
    name = "pad_to_bounding_box"
    x = pictures(name, image)
    top, left, height, width = (
        whole(v, name, "a size") for v in (offset_height, offset_width, target_height, target_width)
    )
    full_height, full_width = x.type.shape[-3:-1]
    fits = top >= 0 and left >= 0 and top + full_height <= height and left + full_width <= width
    if not fits:
        raise ValueError(
            f"[{name}] the picture does not fit; received offsets ({top}, {left}), target "
            f"({height}, {width}), image {x.type}"
        )
    return bordered(x, top, left, height, width)


@operation
def central_crop(image: Any, central_fraction: Any) -> Any:
    """The middle, `central_fraction` (above 0, at most 1) of the height and of the width."""
    x = pictures("central_crop", image)
    fraction = float(known(central_fraction, "central_crop", "central_fraction"))
    if not 0 < fraction <= 1:
        raise ValueError(f"central_fraction must be within (0, 1]; received {fraction}")
    height, width = x.type.shape[-3:-1]
    top, left = int((height - height * fraction) / 2), int((width - width * fraction) / 2)
    return cropped(x, top, left, height - 2 * top, width - 2 * left)


@operation
def resize_with_crop_or_pad(image: Any, target_height: Any, target_width: Any) -> Any:
    """The middle of the picture, or the picture in the middle of zeros, of the target's size."""
    name = "resize_with_crop_or_pad"
    x = pictures(name, image)
    sizes = [whole(v, name, "a size") for v in (target_height, target_width)]
    if min(sizes) <= 0:
        raise ValueError(f"[{name}] the target must be positive; received {sizes}")
    offsets, pads, inner = [], [], []
    for target, size in zip(sizes, x.type.shape[-3:-1], strict=True):
        offsets.append(max((size - target) // 2, 0) if size > target else 0)
        pads.append(max((target - size) // 2, 0))
        inner.append(min(target, size))
    middle = cropped(x, offsets[0], offsets[1], inner[0], inner[1])
    return bordered(middle, pads[0], pads[1], sizes[0], sizes[1])


def _patch_padding(size: int, kernel: int, step: int, padding: str) -> tuple[int, int, int]:
    """Zeros before and after an axis, and how many patches there are."""
    if padding == "VALID":
        return 0, 0, max(0, (size - kernel) // step + 1)
    count = -(-size // step)
    total = max((count - 1) * step + kernel - size, 0)
    return total // 2, total - total // 2, count


@operation
def extract_patches(
    images: Any, sizes: Any, strides: Any, rates: Any, padding: str, name: str | None = None
) -> Any:
    """[batch, rows, columns, height * width * channels]: patches of a batch of pictures.

    `sizes`, `strides` and `rates` (the step between a patch's own points) are [1, rows, columns,
    1]; `padding` is "VALID" or "SAME".
    """
    x = picture("extract_patches", images, 4)
    if padding not in ("VALID", "SAME"):
        raise ValueError(f"[extract_patches] padding must be VALID or SAME; received {padding!r}")
    shape = x.type.shape
    kernel, step, rate = (
        [int(n) for n in known(v, "extract_patches", "a size").reshape(-1)[1:3]]
        for v in (sizes, strides, rates)
    )
    spans = [(k - 1) * r + 1 for k, r in zip(kernel, rate, strict=True)]
    places = [_patch_padding(shape[i + 1], spans[i], step[i], padding) for i in (0, 1)]
    low, high = (0, places[0][0], places[1][0], 0), (0, places[0][1], places[1][1], 0)
    filled = pad(x, x.coerce(0), low=low, high=high, interior=(0,) * 4)
    counts = [count for _, _, count in places]
    taken = [
        _every(filled, (i * rate[0], j * rate[1]), counts, step)
        for i in range(kernel[0])
        for j in range(kernel[1])
    ]
    return concat(*taken, axis=3)


def _every(x: Any, starts: tuple[int, int], counts: list[int], step: list[int]) -> Any:
    """Of rows and columns, `counts` from `starts` on, a step apart."""
    stops = [
        min(s + (c - 1) * p + 1, n) if c else s
        for s, c, p, n in zip(starts, counts, step, x.type.shape[1:3], strict=True)
    ]
    batch, channels = x.type.shape[0], x.type.shape[3]
    return slice_(x, starts=(0, *starts, 0), stops=(batch, *stops, channels), steps=(1, *step, 1))
