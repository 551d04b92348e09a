"""Blocks of space moved to the depth or to the batch, and back: reshapes around one transpose."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from slipstream.ops.array import number_of, sizes_of
from slipstream.ops.axes import known
from slipstream.ops.shaping import pad
from slipstream.primitives.base import misfit
from slipstream.primitives.structure import reshape, slice_, transpose
from slipstream.runtime.convert import convert
from slipstream.runtime.dispatch import operation


def _picture(name: str, value: Any, block_size: Any, data_format: str) -> tuple[Any, int, bool]:
    """(pictures, block size, whether the channels come first)"""
    x, block = convert(value), number_of(name, block_size)
    if data_format not in ("NHWC", "NCHW"):
        raise ValueError(f"[{name}] data_format is NHWC or NCHW, not {data_format!r}")
    if x.ndim != 4 or block < 2:
        raise misfit(name, "this takes four axes and blocks of 2 or more", input=x.type, size=block)
    return x, block, data_format == "NCHW"


@operation
def space_to_depth(
    input: Any, block_size: Any, data_format: str = "NHWC", name: str | None = None
) -> Any:
    """Blocks of the picture as channels: [n, h, w, c] to [n, h / b, w / b, b b c].

    A block's elements follow each other row by row, each with all its channels.
    InvalidArgumentError where blocks do not divide the picture.

    >>> space_to_depth([[[[1], [2]], [[3], [4]]]], 2).numpy().tolist()
    [[[[1, 2, 3, 4]]]]
    """
    x, b, first = _picture("space_to_depth", input, block_size, data_format)
    n, *rest = x.type.shape
    c, h, w = rest if first else (rest[2], *rest[:2])
    if h % b or w % b:
        raise misfit("space_to_depth", "blocks do not divide the picture", input=x.type, size=b)
    if first:
        cut = transpose(reshape(x, shape=(n, c, h // b, b, w // b, b)), permutation=PIXELS_FIRST)
        return reshape(cut, shape=(n, b * b * c, h // b, w // b))
    cut = transpose(reshape(x, shape=(n, h // b, b, w // b, b, c)), permutation=(0, 1, 3, 2, 4, 5))
    return reshape(cut, shape=(n, h // b, w // b, b * b * c))


PIXELS_FIRST = (0, 3, 5, 1, 2, 4)  # [n, c, rows, b, columns, b] to [n, b, b, c, rows, columns]


@operation
def depth_to_space(
    input: Any, block_size: Any, data_format: str = "NHWC", name: str | None = None
) -> Any:
    """Channels as blocks of the picture: [n, h, w, b b c] to [n, h b, w b, c].

    The inverse of `space_to_depth` (the "pixel shuffle" of sub-pixel convolution).

    >>> depth_to_space([[[[1, 2, 3, 4]]]], 2).numpy().tolist()
    [[[[1], [2]], [[3], [4]]]]
    """
    x, b, first = _picture("depth_to_space", input, block_size, data_format)
    n, *rest = x.type.shape
    depth, h, w = rest if first else (rest[2], *rest[:2])
    if depth % (b * b):
        raise misfit("depth_to_space", "the depth is no whole blocks", input=x.type, size=b)
    c = depth // (b * b)
    if first:
        back = tuple(int(i) for i in np.argsort(PIXELS_FIRST))
        spread = transpose(reshape(x, shape=(n, b, b, c, h, w)), permutation=back)
        return reshape(spread, shape=(n, c, h * b, w * b))
    spread = transpose(reshape(x, shape=(n, h, w, b, b, c)), permutation=(0, 1, 3, 2, 4, 5))
    return reshape(spread, shape=(n, h * b, w * b, c))


def _blocks(name: str, x: Any, block_shape: Any, borders: Any) -> tuple[tuple[int, ...], Any]:
    """(block sizes, pairs of border widths), one of each for an axis after the first."""
    blocks, pairs = sizes_of(name, block_shape), known(borders, name, "the borders")
    if len(blocks) >= x.ndim or pairs.shape != (len(blocks), 2):
        text = "one block size and one pair of border widths an axis after the first are needed"
        raise misfit(name, text, input=x.type, block_shape=blocks, borders=pairs.tolist())
    if min(blocks, default=1) < 1 or (pairs < 0).any():
        text = "blocks are 1 or more long, borders 0 or more wide"
        raise misfit(name, text, block_shape=blocks, borders=pairs.tolist())
    return blocks, pairs


@operation
def space_to_batch(input: Any, block_shape: Any, paddings: Any, name: str | None = None) -> Any:
    """Each place within blocks of axes 1, 2, ... as pictures of its own, in front of the batch.

    [n, s_1, ..., s_m, ...] with axes padded by zeros, `paddings` [m, 2], becomes
    [n b_1 ... b_m, s_1 / b_1, ..., s_m / b_m, ...].

    >>> space_to_batch([[[1], [2], [3]]], [2], [[0, 1]]).numpy().tolist()
    [[[1], [3]], [[2], [0]]]
    """
    x = convert(input)
    blocks, pairs = _blocks("space_to_batch", x, block_shape, paddings)
    count = len(blocks)
    wide = pad(x, np.concatenate([[[0, 0]], pairs.reshape(-1, 2), [[0, 0]] * (x.ndim - count - 1)]))
    n, *space = wide.type.shape[: count + 1]
    if any(size % b for size, b in zip(space, blocks, strict=True)):
        text = "blocks do not divide the padded axes"
        raise misfit("space_to_batch", text, padded=wide.type, block_shape=blocks)
    tail = wide.type.shape[count + 1 :]
    few = tuple(size // b for size, b in zip(space, blocks, strict=True))
    pairwise = tuple(k for pair in zip(few, blocks, strict=True) for k in pair)
    within, across = range(2, 2 * count + 1, 2), range(1, 2 * count + 1, 2)
    order = (*within, 0, *across, *(2 * count + 1 + i for i in range(len(tail))))
    moved = transpose(reshape(wide, shape=(n, *pairwise, *tail)), permutation=order)
    return reshape(moved, shape=(n * math.prod(blocks), *few, *tail))


space_to_batch_nd = space_to_batch


@operation
def batch_to_space(input: Any, block_shape: Any, crops: Any, name: str | None = None) -> Any:
    """The inverse of `space_to_batch`: [n b_1 ... b_m, s_1, ..., s_m, ...] to
    [n, s_1 b_1, ..., s_m b_m, ...], then without the borders `crops` [m, 2].

    >>> batch_to_space([[[1], [3]], [[2], [0]]], [2], [[0, 1]]).numpy().tolist()
    [[[1], [2], [3]]]
    """
    x = convert(input)
    blocks, pairs = _blocks("batch_to_space", x, block_shape, crops)
    count, total = len(blocks), math.prod(blocks)
    batch, *few = x.type.shape[: count + 1]
    wide = tuple(size * b for size, b in zip(few, blocks, strict=True))
    if batch % total or any(
        low + high > size for (low, high), size in zip(pairs, wide, strict=True)
    ):
        text = "the batch is no whole blocks, or the borders are wider than the result"
        raise misfit("batch_to_space", text, input=x.type, block_shape=blocks, crops=pairs.tolist())
    tail = x.type.shape[count + 1 :]
    apart = reshape(x, shape=(*blocks, batch // total, *few, *tail))
    mixed = (axis for i in range(count) for axis in (count + 1 + i, i))
    order = (count, *mixed, *(2 * count + 1 + i for i in range(len(tail))))
    whole = reshape(transpose(apart, permutation=order), shape=(batch // total, *wide, *tail))
    starts = (0, *(int(low) for low, _ in pairs), *(0 for _ in tail))
    ends = (size - int(high) for (_, high), size in zip(pairs, wide, strict=True))
    stops = (batch // total, *ends, *tail)
    return slice_(whole, starts=starts, stops=stops, steps=(1,) * len(starts))
