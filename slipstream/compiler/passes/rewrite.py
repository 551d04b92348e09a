"""Convolutions as the compiler likes them: padding apart, the gradient by input a convolution."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from slipstream.primitives import convolution as v
from slipstream.primitives.base import Primitive
from slipstream.primitives.structure import pad, reshape, reverse, transpose

Rewrite = Callable[..., Any]


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


def _turned(w: Any, groups: int) -> Any:
    """[*kernel, ci / groups, co] back to front, as [*kernel, co / groups, ci]."""
    rank = len(w.shape) - 2
    taps, (inner, filters) = w.shape[:-2], w.shape[-2:]
    back = reverse(w, axes=tuple(range(rank)))
    apart = reshape(back, shape=(*taps, inner, groups, filters // groups))
    turned = transpose(apart, permutation=(*range(rank), rank + 2, rank + 1, rank))
    return reshape(turned, shape=(*taps, filters // groups, groups * inner))


REWRITES: dict[Primitive, Rewrite] = {
    v.convolution: _convolution,
    v.convolution_filter_gradient: _by_filter,
    v.convolution_input_gradient: _by_input,
}
