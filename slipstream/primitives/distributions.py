"""Distributions, composed of random bits and arithmetic, so that every backend draws the same.

The formulas are exact up to the rounding of log, sqrt, sin and cos, and part of the public
behaviour: a saved seed means the same numbers in eager and in compiled programs. No derivative
flows to the state; derivatives by the bounds, rates and logits flow where the formula has them.
"""

from __future__ import annotations

import math
from typing import Any

from slipstream.ir.dtypes import DType, bfloat16, float16, float32, float64, int32, uint32, uint64
from slipstream.ir.types import Shape, TensorType
from slipstream.primitives.base import misfit
from slipstream.primitives.elementwise import (
    bitwise_or,
    cast,
    cos,
    floor_mod,
    left_shift,
    less,
    log,
    right_shift,
    sin,
    sqrt,
)
from slipstream.primitives.operand import Operand, full
from slipstream.primitives.random import random_bits
from slipstream.primitives.reduction import argmax
from slipstream.primitives.structure import broadcast_to, concat, reshape, slice_along

MANTISSA = {float16: 10, bfloat16: 7, float32: 23}  # random bits in a uniform number

# sqrt(2) erfinv(x) / x as a polynomial in -log((1 - x)(1 + x)) / 1.2125 - 1, for |x| up to
# erf(sqrt(2)): Chebyshev interpolation, relative error below 1e-10 and 2e-15. Highest power first.
QUANTILE_SINGLE = (
    7.857491310371045e-07, -1.90944715267509e-06, -2.2236957564247884e-05, 0.00011963677338302543,
    0.00042071125267721215, -0.005734789256214311, 0.00575172733691122, 0.42752041425596743,
    1.669066502373546,
)  # fmt: skip
QUANTILE_DOUBLE = (
    -1.880413007944573e-11, -1.0248273206443893e-10, 7.582018988205357e-10, 1.993381409338377e-09,
    -2.7176725634197732e-08, -1.653254833925874e-09, 8.444180450322298e-07, -1.912017844646989e-06,
    -2.2280382824348956e-05, 0.00011964013856216196, 0.00042072324702209355, -0.00573479035954626,
    0.005751726439220502, 0.42752041434336485, 1.6690665023735463,
)  # fmt: skip


def _check_floating(name: str, dtype: DType) -> None:
    if not dtype.is_floating:
        raise misfit(name, "the numbers are floating", "a floating dtype", dtype=dtype.name)


def _two_words(pair: Any) -> tuple[Any, Any]:
    """Two operands [...] of words [..., 2]."""
    last, shape = len(pair.shape) - 1, tuple(pair.shape[:-1])
    words = (slice_along(pair, last, i, i + 1) for i in (0, 1))
    first, second = (reshape(word, shape=shape) for word in words)
    return first, second


def unit(state: Any, shape: Shape, dtype: DType = float32) -> Any:
    """Uniform in [0, 1): k 2^-m, k the highest m bits of a word; m = 23 in float32.

    float64 takes two words a number: (first >> 12) 2^-20 + second 2^-52.
    """
    _check_floating("uniform", dtype)
    if dtype is float64:
        high, low = _two_words(random_bits(state, shape=(*shape, 2)))
        high = cast(right_shift(high, high.coerce(12)), dtype=float64)
        return high * 2.0**-20 + cast(low, dtype=float64) * 2.0**-52
    bits, kept = random_bits(state, shape=shape), MANTISSA[dtype]
    number = cast(right_shift(bits, bits.coerce(32 - kept)), dtype=int32)
    return cast(number, dtype=dtype) * 2.0**-kept


def open_unit(state: Any, shape: Shape, dtype: DType = float32) -> Any:
    """Uniform in (0, 1), neither end: `unit` and half of its step. float32 or float64."""
    return unit(state, shape, dtype) + (2.0**-24 if dtype is float32 else 2.0**-53)


def uniform(
    state: Any, shape: Shape, dtype: DType = float32, low: Any = 0.0, high: Any = 1.0
) -> Any:
    """low + unit (high - low); the bounds are numbers, or operands that broadcast to `shape`."""
    drawn = unit(state, shape, dtype)
    if isinstance(low, Operand) or isinstance(high, Operand):
        low, high = drawn.coerce(low), drawn.coerce(high)
        return drawn * (high - low) + low
    return drawn if (low, high) == (0, 1) else drawn * (high - low) + low


def uniform_words(state: Any, shape: Shape, dtype: DType) -> Any:
    """Every integer of a dtype of 32 or 64 bits, equally likely; 64 bits are (first << 32) |
    second."""
    if dtype.bits == 32:
        return cast(random_bits(state, shape=shape), dtype=dtype)
    words = random_bits(state, shape=(*shape, 2))
    high, low = _two_words(cast(words, dtype=uint64))
    return cast(bitwise_or(left_shift(high, high.coerce(32)), low), dtype=dtype)


def uniform_integers(state: Any, shape: Shape, dtype: DType, low: Any, high: Any) -> Any:
    """low + words modulo (high - low): as in TensorFlow, slightly biased unless the range is a
    power of two."""
    unsigned = uint32 if dtype.bits == 32 else uint64
    words = uniform_words(state, shape, unsigned)
    if isinstance(low, Operand) or isinstance(high, Operand):
        like = full(TensorType((), dtype), 0)
        low, high = (cast(like.coerce(bound), dtype=unsigned) for bound in (low, high))
        return cast(low + floor_mod(words, high - low), dtype=dtype)
    if not low < high:
        raise misfit("uniform", "the range is empty", "low < high", low=low, high=high)
    drawn = floor_mod(words, words.coerce(high - low))
    return cast(drawn + words.coerce(low % (1 << unsigned.bits)), dtype=dtype)


def _wide(dtype: DType) -> DType:
    return dtype if dtype in (float32, float64) else float32


def normal(state: Any, shape: Shape, dtype: DType = float32) -> Any:
    """Standard normal: Box and Muller's transform (1958).

    Of u = open_unit[2, half], numbers 0 to half - 1 are r cos t and the others r sin t, with
    r = sqrt(-2 log u[0]) and t = 2 pi u[1].
    """
    _check_floating("normal", dtype)
    count = math.prod(shape)
    half = -(-count // 2)
    drawn = open_unit(state, (2, half), _wide(dtype))
    radius = sqrt(log(slice_along(drawn, 0, 0, 1)) * -2.0)
    angle = slice_along(drawn, 0, 1, 2) * (2 * math.pi)
    both = concat(radius * cos(angle), radius * sin(angle), axis=0)
    flat = slice_along(reshape(both, shape=(2 * half,)), 0, 0, count)
    return cast(reshape(flat, shape=shape), dtype=dtype)


def truncated_normal(state: Any, shape: Shape, dtype: DType = float32) -> Any:
    """Standard normal within two standard deviations, by the inverse of its distribution.

    sqrt(2) erfinv(x), x uniform in +-erf(sqrt(2)); no number is drawn twice, so every element
    depends on its own bits alone.
    """
    _check_floating("truncated_normal", dtype)
    wide = _wide(dtype)
    x = (open_unit(state, shape, wide) * 2.0 - 1.0) * math.erf(math.sqrt(2))
    t = log((1.0 - x) * (1.0 + x)) * (-1 / 1.2125) - 1.0
    coefficients = QUANTILE_DOUBLE if wide is float64 else QUANTILE_SINGLE
    total = t * coefficients[0] + coefficients[1]
    for coefficient in coefficients[2:]:
        total = total * t + coefficient
    return cast(total * x, dtype=dtype)


def bernoulli(state: Any, shape: Shape, probability: Any) -> Any:
    """Booleans that are true with a probability: a word below probability 2^32.

    A probability that is an operand (float32 or float64, broadcasting to `shape`) is compared with
    `unit` instead.
    """
    if isinstance(probability, Operand):
        return less(unit(state, shape, probability.dtype), probability)
    bits = random_bits(state, shape=shape)
    bound = int(min(max(round(probability * 2**32), 0), 2**32))
    if bound == 2**32:
        return less(right_shift(bits, bits.coerce(1)), bits.coerce(2**31))
    return less(bits, bits.coerce(bound))


def exponential(state: Any, shape: Shape, dtype: DType = float32) -> Any:
    """Exponential of rate 1: -log of open_unit."""
    _check_floating("exponential", dtype)
    return cast(-log(open_unit(state, shape, _wide(dtype))), dtype=dtype)


def gumbel(state: Any, shape: Shape, dtype: DType = float32) -> Any:
    """Standard Gumbel: -log(-log(open_unit))."""
    return -log(-log(open_unit(state, shape, dtype)))


def categorical(state: Any, logits: Any, count: int, dtype: DType) -> Any:
    """[batch, count] classes drawn by logits [batch, classes]: where logits + Gumbel noise are
    largest (Gumbel 1954)."""
    batch, classes = logits.shape
    wide = cast(logits, dtype=_wide(logits.dtype))
    noise = gumbel(state, (batch, count, classes), wide.dtype)
    scores = noise + broadcast_to(
        reshape(wide, shape=(batch, 1, classes)), shape=(batch, count, classes)
    )
    return argmax(scores, axis=2, dtype=dtype)
