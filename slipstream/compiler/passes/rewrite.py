"""Operations as the compiler likes them.

Convolutions: padding apart, the gradient by input a convolution. Windows that do not meet: work on
their taps, element by element.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from slipstream.compiler.passes import winograd
from slipstream.ir.dtypes import int32
from slipstream.ir.graph import Node
from slipstream.ir.types import Shape
from slipstream.primitives import convolution as v
from slipstream.primitives import elementwise as e
from slipstream.primitives import window as w
from slipstream.primitives.base import Primitive
from slipstream.primitives.mosaic import mosaic
from slipstream.primitives.operand import scalar
from slipstream.primitives.structure import broadcast_to, pad, reshape, reverse, slice_, transpose
from slipstream.primitives.window import Windows

Rewrite = Callable[..., Any]
MOST_TAPS = 9  # of a window, whose work is written out


def _padded(x: Any, low: Any, high: Any, interior: Any = None) -> Any:
    """x with zeros around its spatial axes, and between their elements."""
    between = interior or (0,) * len(low)
    if not any((*low, *high, *between)):
        return x
    zero = x.coerce(0)
    return pad(x, zero, low=(0, *low, 0), high=(0, *high, 0), interior=(0, *between, 0))


def _unpadded(params: dict[str, Any]) -> dict[str, Any]:
    none = (0,) * len(params["strides"])
    return {**params, "low": none, "high": none}


def _convolution(x: Any, w: Any, **params: Any) -> Any:
    return v.convolution(_padded(x, params["low"], params["high"]), w, **_unpadded(params))


def _by_filter(x: Any, g: Any, **params: Any) -> Any:
    x = _padded(x, params["low"], params["high"])
    return v.convolution_filter_gradient(x, g, **_unpadded(params))


def _by_input(g: Any, w: Any, *, input_shape: Any, **params: Any) -> Any:
    """The cotangent, spread by the strides, convolved with the filter turned around."""
    low, high = [], []
    sizes = zip(
        input_shape[1:-1], g.shape[1:-1], w.shape[:-2], params["low"], params["strides"],
        params["dilation"], strict=True,
    )  # fmt: skip
    for size, out, taps, before, stride, dilation in sizes:
        reach = (taps - 1) * dilation
        low.append(reach - before)
        high.append(size + reach - ((out - 1) * stride + 1) - low[-1])
    wide = _padded(g, low, high, tuple(n - 1 for n in params["strides"]))
    ones = (1,) * len(low)
    return v.convolution(
        wide, _turned(w, params["groups"]), **{**_unpadded(params), "strides": ones}
    )


def _by_input_apart(g: Any, w: Any, *, input_shape: Any, **params: Any) -> Any:
    """Where strides leave places between the windows, those of equal rest are a convolution each.

    What lies at `q stride + rest` (with the padding before it) has only the taps `rest`, `rest +
    stride`, ...; so no product is with a zero between elements of the cotangent.
    """
    strides, low, spatial = params["strides"], params["low"], input_shape[1:-1]
    parts, starts = [], []
    for rests in np.ndindex(*strides):
        lines = [*map(_Line.of, rests, strides, low, w.shape[:-2], spatial)]
        if all(line.taps and line.count for line in lines):
            parts.append(_part(g, w, rests, lines, params))
            starts.append((0, *(line.start for line in lines), 0))
    shape = tuple(input_shape)
    return mosaic(*parts, shape=shape, starts=tuple(starts), steps=((1, *strides, 1),) * len(parts))


class _Line(NamedTuple):
    """Places of one rest along an axis: how many, the first, and the first window behind it."""

    taps: int
    count: int
    start: int
    window: int

    @classmethod
    def of(cls, rest: int, stride: int, low: int, taps: int, size: int) -> _Line:
        window = max(0, -((rest - low) // stride))
        start = window * stride + rest - low
        return cls(-((rest - taps) // stride), max(0, -((start - size) // stride)), start, window)


def _part(g: Any, w: Any, rests: Shape, lines: list[_Line], params: dict[str, Any]) -> Any:
    rank = len(rests)
    own = slice_(w, starts=(*rests, 0, 0), stops=w.shape, steps=(*params["strides"], 1, 1))
    low = [line.taps - 1 - line.window for line in lines]
    ends = zip(lines, g.shape[1:-1], strict=True)
    high = [line.window + line.count - size for line, size in ends]
    ones = {"strides": (1,) * rank, "dilation": (1,) * rank}
    plain = {**_unpadded(params), **ones}
    return v.convolution(_padded(g, low, high), _turned(own, params["groups"]), **plain)


def _is_apart_by_strides(node: Node) -> bool:
    strides, dilation = node.params["strides"], node.params["dilation"]
    return any(n > 1 for n in strides) and all(n == 1 for n in dilation)


def _turned(w: Any, groups: int) -> Any:
    """[*kernel, ci / groups, co] back to front, as [*kernel, co / groups, ci]."""
    rank = len(w.shape) - 2
    taps, (inner, filters) = w.shape[:-2], w.shape[-2:]
    back = reverse(w, axes=tuple(range(rank)))
    apart = reshape(back, shape=(*taps, inner, groups, filters // groups))
    turned = transpose(apart, permutation=(*range(rank), rank + 2, rank + 1, rank))
    return reshape(turned, shape=(*taps, filters // groups, groups * inner))


def _taps(x: Any, geometry: Windows) -> list[Any]:
    """[n, *out, c] for every tap: strided slices."""
    rank = len(geometry.window)
    out = geometry.out(x.shape[1:-1])
    found = []
    for _, places in geometry.taps(out):
        bounds = [(0, x.shape[0], 1), *((p.start, p.stop, p.step) for p in places[1:])]
        bounds.append((0, x.shape[rank + 1], 1))
        starts, stops, steps = (tuple(bound[i] for bound in bounds) for i in range(3))
        found.append(slice_(x, starts=starts, stops=stops, steps=steps))
    return found


def _joined(operation: Primitive, values: list[Any]) -> Any:
    first, *others = values
    for other in others:
        first = operation(first, other)
    return first


def _window_max(x: Any, **geometry: Shape) -> Any:
    return _joined(e.maximum, _taps(x, Windows(**geometry)))


def _window_argmax(x: Any, **geometry: Shape) -> Any:
    """The first tap that equals the largest, the last one where nothing does."""
    taps = _taps(x, Windows(**geometry))
    largest = _joined(e.maximum, taps)
    found = broadcast_to(scalar(len(taps) - 1, int32), shape=largest.shape)
    for number, tap in reversed([*enumerate(taps)]):
        found = e.select(e.equal(tap, largest), scalar(number, int32), found)
    return found


def _window_place(g: Any, index: Any, *, input_shape: Shape, **geometry: Shape) -> Any:
    """Each tap has the cotangents of the windows whose index is its number."""
    windows, parts, starts = Windows(**geometry), [], []
    for number, (_, places) in enumerate(windows.taps(g.shape[1:-1])):
        mine = e.equal(index, scalar(number, int32))
        parts.append(e.select(mine, g, g.coerce(0)))
        starts.append((0, *(p.start for p in places[1:]), 0))
    steps = ((1, *windows.strides, 1),) * len(parts)
    return mosaic(*parts, shape=input_shape, starts=tuple(starts), steps=steps)


def _is_padded(node: Node) -> bool:
    return any((*node.params["low"], *node.params["high"]))


def _is_apart(node: Node) -> bool:
    """Whether windows are few taps, inside the input, and do not meet."""
    windows = Windows(**{n: node.params[n] for n in Windows._fields})
    return not _is_padded(node) and windows.disjoint and math.prod(windows.window) <= MOST_TAPS


REWRITES: dict[Primitive, tuple[tuple[Rewrite, Callable[[Node], bool]], ...]] = {
    v.convolution: ((_convolution, _is_padded), (winograd.convolution, winograd.is_suited)),
    v.convolution_filter_gradient: (
        (_by_filter, _is_padded),
        (winograd.by_filter, winograd.is_suited),
    ),
    v.convolution_input_gradient: (
        (_by_input_apart, _is_apart_by_strides),
        (_by_input, lambda node: True),
    ),
    w.window_max: ((_window_max, _is_apart),),
    w.window_argmax: ((_window_argmax, _is_apart),),
    w.window_place: ((_window_place, _is_apart),),
}


def rewrite_of(node: Node) -> Rewrite | None:
    """What is drawn in the place of a node, if anything."""
    rules: Any = REWRITES.get(node.operation, ())  # type: ignore[call-overload]
    return next((rewrite for rewrite, applies in rules if applies(node)), None)
