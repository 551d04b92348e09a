"""Pictures changed at random (`tf.image.random_*`), from the seeded streams or a seed a call.

The stateless ones give the same result for the same seed of two integers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from slipstream.ir.dtypes import float32, int32
from slipstream.ops import image_color as color
from slipstream.ops.axes import known
from slipstream.ops.image_geometry import height_axis, pictures, taken
from slipstream.ops.random import stateless_state
from slipstream.primitives import distributions
from slipstream.primitives.elementwise import cast, floor_mod
from slipstream.primitives.families import where
from slipstream.primitives.operand import constant
from slipstream.primitives.random import random_bits
from slipstream.primitives.structure import reshape, reverse, slice_along
from slipstream.runtime.convert import convert
from slipstream.runtime.dispatch import operation
from slipstream.runtime.seeds import draw_state


def _flipped(name: str, image: Any, state: Any, place: int) -> Any:
    """Each picture turned around along an axis with probability 1/2."""
    x = pictures(name, image)
    batch = tuple(x.type.shape[: height_axis(x)])
    coin = distributions.bernoulli(state, batch, 0.5)
    shaped = reshape(coin, shape=(*batch, 1, 1, 1))
    return where(shaped, reverse(x, axes=(height_axis(x) + place,)), x)


@operation
def random_flip_left_right(image: Any, seed: Any = None) -> Any:
    """Each picture mirrored from left to right with probability 1/2."""
    return _flipped("random_flip_left_right", image, draw_state(seed), 1)


@operation
def random_flip_up_down(image: Any, seed: Any = None) -> Any:
    """Each picture mirrored from top to bottom with probability 1/2."""
    return _flipped("random_flip_up_down", image, draw_state(seed), 0)


@operation
def stateless_random_flip_left_right(image: Any, seed: Any) -> Any:
    """`random_flip_left_right` by a seed of two integers."""
    return _flipped("random_flip_left_right", image, stateless_state(seed), 1)


@operation
def stateless_random_flip_up_down(image: Any, seed: Any) -> Any:
    """`random_flip_up_down` by a seed of two integers."""
    return _flipped("random_flip_up_down", image, stateless_state(seed), 0)


def _between(name: str, lower: Any, upper: Any, state: Any, adjust: Callable[[Any], Any]) -> Any:
    """`adjust` of one number drawn from [lower, upper)."""
    low, high = float(known(lower, name, "lower")), float(known(upper, name, "upper"))
    if high <= low:
        raise ValueError(f"[{name}] upper must be > lower; received {low} and {high}")
    return adjust(distributions.uniform(state, (), float32, low, high))


def _checked(name: str, value: Any, most: float | None = None) -> float:
    number = float(known(value, name, "max_delta"))
    if number < 0 or (most is not None and number > most):
        raise ValueError(f"[{name}] max_delta must be from 0 to {most}; received {number}")
    return number


def _brightness(image: Any, max_delta: Any, state: Any) -> Any:
    most = _checked("random_brightness", max_delta)
    if most == 0:
        return convert(image)
    adjust = _adjusting(color.adjust_brightness, image)
    return _between("random_brightness", -most, most, state, adjust)


def _hue(image: Any, max_delta: Any, state: Any) -> Any:
    most = _checked("random_hue", max_delta, 0.5)
    if most == 0:
        return convert(image)
    return _between("random_hue", -most, most, state, _adjusting(color.adjust_hue, image))


def _adjusting(function: Callable[..., Any], image: Any) -> Callable[[Any], Any]:
    return lambda amount: function(image, amount)


def _contrast(image: Any, lower: Any, upper: Any, state: Any) -> Any:
    _not_negative("random_contrast", lower)
    adjust = _adjusting(color.adjust_contrast, image)
    return _between("random_contrast", lower, upper, state, adjust)


def _saturation(image: Any, lower: Any, upper: Any, state: Any) -> Any:
    _not_negative("random_saturation", lower)
    adjust = _adjusting(color.adjust_saturation, image)
    return _between("random_saturation", lower, upper, state, adjust)


def _not_negative(name: str, lower: Any) -> None:
    if float(known(lower, name, "lower")) < 0:
        raise ValueError(f"[{name}] lower must be non-negative; received {lower}")


@operation
def random_brightness(image: Any, max_delta: Any, seed: Any = None) -> Any:
    """`adjust_brightness` by a number from [-max_delta, max_delta)."""
    return _brightness(image, max_delta, draw_state(seed))


@operation
def random_contrast(image: Any, lower: Any, upper: Any, seed: Any = None) -> Any:
    """`adjust_contrast` by a factor from [lower, upper)."""
    return _contrast(image, lower, upper, draw_state(seed))


@operation
def random_saturation(image: Any, lower: Any, upper: Any, seed: Any = None) -> Any:
    """`adjust_saturation` by a factor from [lower, upper)."""
    return _saturation(image, lower, upper, draw_state(seed))


@operation
def random_hue(image: Any, max_delta: Any, seed: Any = None) -> Any:
    """`adjust_hue` by a number from [-max_delta, max_delta), at most 1/2."""
    return _hue(image, max_delta, draw_state(seed))


@operation
def stateless_random_brightness(image: Any, max_delta: Any, seed: Any) -> Any:
    """`random_brightness` by a seed of two integers."""
    return _brightness(image, max_delta, stateless_state(seed))


@operation
def stateless_random_contrast(image: Any, lower: Any, upper: Any, seed: Any) -> Any:
    """`random_contrast` by a seed of two integers."""
    return _contrast(image, lower, upper, stateless_state(seed))


@operation
def stateless_random_saturation(image: Any, lower: Any, upper: Any, seed: Any = None) -> Any:
    """`random_saturation` by a seed of two integers."""
    return _saturation(image, lower, upper, stateless_state(seed))


@operation
def stateless_random_hue(image: Any, max_delta: Any, seed: Any) -> Any:
    """`random_hue` by a seed of two integers."""
    return _hue(image, max_delta, stateless_state(seed))


def _cropped(value: Any, size: Any, state: Any) -> Any:
    """A part of `size` from a random place, one axis after the other."""
    x = convert(value)
    sizes = [int(n) for n in known(size, "random_crop", "size").reshape(-1)]
    shape = x.type.shape
    sizes = [n if m == -1 else m for n, m in zip(shape, sizes, strict=False)]
    if len(sizes) != len(shape) or any(m > n for n, m in zip(shape, sizes, strict=True)):
        raise ValueError(f"[random_crop] need value.shape >= size; received {x.type} and {sizes}")
    words = random_bits(state, shape=(len(shape),))
    for axis, (full, part) in enumerate(zip(shape, sizes, strict=True)):
        if part < full:
            word = slice_along(words, 0, axis, axis + 1)
            start = cast(floor_mod(word, word.coerce(full - part + 1)), dtype=int32)
            places = start + constant(np.arange(part, dtype=np.int32))
            x = taken(x, places, axis)
    return x


@operation
def random_crop(value: Any, size: Any, seed: Any = None, name: str | None = None) -> Any:
    """A part of `size` (-1: the whole axis) from a random place. ValueError if it is too large.

    >>> import slipstream as tf
    >>> tf.image.random_crop(tf.zeros([5, 5, 3]), [2, 2, 3]).shape
    TensorShape([2, 2, 3])
    """
    return _cropped(value, size, draw_state(seed))


@operation
def stateless_random_crop(value: Any, size: Any, seed: Any, name: str | None = None) -> Any:
    """`random_crop` by a seed of two integers."""
    return _cropped(value, size, stateless_state(seed))
