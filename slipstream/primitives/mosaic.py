"""Arrays put together from parts that lie at regular places, with zeros where none lies."""

from __future__ import annotations

from math import gcd
from typing import Any

import numpy as np

from slipstream.ir.graph import Array
from slipstream.ir.types import Shape, TensorType
from slipstream.primitives.base import Primitive, Pull, define, misfit
from slipstream.primitives.families import same_dtype
from slipstream.primitives.samples import reals, sample
from slipstream.primitives.structure import slice_


def stops_of(part: Shape, starts: Shape, steps: Shape) -> Shape:
    """Behind the last element of a part on every axis."""
    return tuple(a + (n - 1) * s + 1 for n, a, s in zip(part, starts, steps, strict=True))


def are_apart(one: tuple[Shape, Shape, Shape], other: tuple[Shape, Shape, Shape]) -> bool:
    """Whether two (shape, starts, steps) share no element: on some axis they never meet."""
    ends = stops_of(*one), stops_of(*other)
    rows = zip(one[1], ends[0], one[2], other[1], ends[1], other[2], strict=True)
    return any(b <= c or d <= a or (a - c) % gcd(step, jump) for a, b, step, c, d, jump in rows)


def _mosaic_rule(
    *parts: TensorType, shape: Shape, starts: tuple[Shape, ...], steps: tuple[Shape, ...]
) -> TensorType:
    dtype = same_dtype("mosaic", parts)
    places = list(zip((p.shape for p in parts), starts, steps, strict=True))
    for part, start, step in places:
        fits = len(part) == len(shape) and min((*start, *step, 1), default=0) >= 0
        if not fits or any(e > n for e, n in zip(stops_of(part, start, step), shape, strict=True)):
            raise misfit("mosaic", "a part lies outside the shape", part=part, starts=start)
    for number, place in enumerate(places):
        if not all(are_apart(place, other) for other in places[:number]):
            raise misfit("mosaic", "two parts meet", starts=starts, steps=steps)
    return TensorType(shape, dtype)


def _place(part: Shape, starts: Shape, steps: Shape) -> tuple[slice, ...]:
    return tuple(map(slice, starts, stops_of(part, starts, steps), steps))


def _mosaic(
    *parts: Array, shape: Shape, starts: tuple[Shape, ...], steps: tuple[Shape, ...]
) -> Array:
    out = np.zeros(shape, parts[0].dtype)
    for part, start, step in zip(parts, starts, steps, strict=True):
        out[_place(part.shape, start, step)] = part
    return out


def _mosaic_derivative(pull: Pull) -> list[Any]:
    """Each part's cotangent is what lies in its place."""
    places = zip(pull.inputs, pull.params["starts"], pull.params["steps"], strict=True)
    return [
        slice_(pull.g, starts=start, stops=stops_of(part.shape, start, step), steps=step)
        for part, start, step in places
    ]


mosaic = define(
    Primitive(
        "mosaic",
        "structure",
        _mosaic_rule,
        _mosaic,
        _mosaic_derivative,
        samples=(
            sample(
                reals(2, 3), reals(2, 2), shape=(5, 4), starts=((0, 1), (1, 0)),
                steps=((2, 1), (2, 3)),
            ),
            sample(reals(3), shape=(3,), starts=((0,),), steps=((1,),)),
        ),
        doc="Zeros of `shape` with part i at `starts[i]`, `steps[i]` apart; parts do not meet",
    )
)  # fmt: skip
