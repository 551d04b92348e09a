"""Convolution of [n, *spatial, ci] by [*kernel, ci / groups, co], and its gradients by either.

The three are one trilinear form <convolution(x, w), g>: the derivatives of each are the other two.
The parameters are those of a window, one number a spatial axis, and `groups`: how many blocks the
channels fall into, each convolved on its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from slipstream.ir.graph import Array
from slipstream.ir.types import Shape, TensorType
from slipstream.primitives.base import Primitive, Pull, define, misfit
from slipstream.primitives.contraction import blas_ready, wide
from slipstream.primitives.elementwise import REAL
from slipstream.primitives.families import same_dtype
from slipstream.primitives.samples import reals, sample
from slipstream.primitives.window import Windows, check_windows

CHUNK = 8 << 20  # bytes of windows copied at a time: more leaves the cache before it is multiplied
FEW = 4  # channels up to which windows are copied with the channels outermost, in longer runs


def _windows(filter_shape: Shape, geometry: dict[str, Shape]) -> Windows:
    return Windows(filter_shape[:-2], **geometry)


def _pointwise(windows: Windows) -> bool:
    """Whether each output is made of one input, so that no window is needed."""
    ones = (1,) * len(windows.window)
    return windows.window == windows.strides == ones and not any(windows.low + windows.high)


def _chunks(x: Array, windows: Windows, out: Shape) -> Iterator[slice]:
    """The pictures in parts whose windows stay in the cache."""
    each = math.prod(out) * math.prod(windows.window) * x.shape[-1] * x.itemsize
    step = max(1, CHUNK // max(1, each))
    for start in range(0, x.shape[0], step):
        yield slice(start, start + step)


def _padded(x: Array, windows: Windows) -> Array:
    """x with its padding; few channels are laid out first, and stay last in the shape."""
    if x.shape[-1] > FEW:
        return windows.pad(x)
    order = (x.ndim - 1, *range(x.ndim - 1))
    return np.ascontiguousarray(windows.pad(x).transpose(order)).transpose(*range(1, x.ndim), 0)


def _matrix(x: Array, windows: Windows) -> Array:
    """[places, taps * channels]: a row a window of the padded x."""
    view = windows.view(x)
    rank, columns = len(windows.window), math.prod(windows.window) * x.shape[-1]
    places = math.prod(view.shape[: rank + 1])
    if x.shape[-1] > FEW or not places:
        return view.reshape(places, columns)
    inner = tuple(range(rank + 1, view.ndim))
    return view.transpose(*inner, *range(rank + 1)).reshape(columns, places).T


def _rows(x: Array) -> Array:
    """[everything else, channels]."""
    return x.reshape(math.prod(x.shape[:-1]), x.shape[-1])


# one group


def _forward(x: Array, w: Array, windows: Windows) -> Array:
    out = windows.out(x.shape[1:-1])
    weights, y = _rows(w), np.empty((x.shape[0], *out, w.shape[-1]), x.dtype)
    x = _padded(x, windows)
    for part in _chunks(x, windows, out):
        np.matmul(blas_ready(_matrix(x[part], windows)), weights, out=_rows(y[part]))
    return y


def _by_input(g: Array, w: Array, windows: Windows, spatial: Shape) -> Array:
    """A matrix product a tap, added where the tap falls."""
    rows, taps = blas_ready(_rows(g)), w.reshape(-1, *w.shape[-2:])
    shape = (*g.shape[:-1], w.shape[-2])
    if _pointwise(windows):
        return np.asarray((rows @ taps[0].T).reshape(shape))
    dx = np.zeros((g.shape[0], *windows.padded(spatial), w.shape[-2]), g.dtype)
    product = np.empty((rows.shape[0], w.shape[-2]), g.dtype)
    for weights, (_, place) in zip(taps, windows.taps(g.shape[1:-1]), strict=True):
        dx[place] += np.matmul(rows, weights.T, out=product).reshape(shape)
    return np.asarray(dx[windows.inside])


def _by_filter(x: Array, g: Array, windows: Windows) -> Array:
    x, out = _padded(x, windows), g.shape[1:-1]
    dw = np.zeros((math.prod(windows.window) * x.shape[-1], g.shape[-1]), g.dtype)
    for part in _chunks(x, windows, out):
        dw += blas_ready(_matrix(x[part], windows)).T @ blas_ready(_rows(g[part]))
    return dw.reshape(*windows.window, x.shape[-1], g.shape[-1])


# a group a channel, each with `fan` filters: products of whole arrays, a tap at a time


def _forward_depthwise(x: Array, w: Array, windows: Windows) -> Array:
    channels, out = x.shape[-1], windows.out(x.shape[1:-1])
    x, taps = windows.pad(x), w.reshape(math.prod(windows.window), channels, -1)
    y = np.zeros((x.shape[0], *out, channels, taps.shape[-1]), x.dtype)
    for part in _chunks(y, windows, ()):
        for weights, (_, place) in zip(taps, windows.taps(out), strict=True):
            y[part] += x[part][place][..., np.newaxis] * weights
    return y.reshape(*y.shape[:-2], w.shape[-1])


def _by_input_depthwise(
    g: Array, w: Array, windows: Windows, spatial: Shape, channels: int
) -> Array:
    taps = w.reshape(math.prod(windows.window), channels, -1)
    fans = g.reshape(*g.shape[:-1], channels, taps.shape[-1])
    dx = np.zeros((g.shape[0], *windows.padded(spatial), channels), g.dtype)
    for weights, (_, place) in zip(taps, windows.taps(g.shape[1:-1]), strict=True):
        for fan in range(taps.shape[-1]):
            dx[place] += fans[..., fan] * weights[:, fan]
    return np.asarray(dx[windows.inside])


def _by_filter_depthwise(x: Array, g: Array, windows: Windows) -> Array:
    channels, x = x.shape[-1], windows.pad(x)
    fans = g.reshape(*g.shape[:-1], channels, -1)
    dw = np.zeros((math.prod(windows.window), channels, fans.shape[-1]), g.dtype)
    for total, (_, place) in zip(dw, windows.taps(g.shape[1:-1]), strict=True):
        for fan in range(fans.shape[-1]):
            products = _rows(x[place] * fans[..., fan])
            total[:, fan] = np.ones(len(products), g.dtype) @ products
    return dw.reshape(*windows.window, 1, g.shape[-1])


# the three


def _grouped(dense: Callable[[Array, Array], Array], a: Array, b: Array, groups: int) -> Array:
    """`dense` on each group of channels of both, joined along the channels."""
    if groups == 1:
        return dense(a, b)
    pairs = zip(np.split(a, groups, -1), np.split(b, groups, -1), strict=True)
    return np.concatenate([dense(p, q) for p, q in pairs], -1)


def _convolution(x: Array, w: Array, *, groups: int, **geometry: Shape) -> Array:
    windows, a, b = _windows(w.shape, geometry), wide(x), wide(w)
    if groups == x.shape[-1] > 1:
        y = _forward_depthwise(a, b, windows)
    else:
        y = _grouped(lambda p, q: _forward(p, q, windows), a, b, groups)
    return y.astype(x.dtype, copy=False)


def _convolution_by_input(
    g: Array, w: Array, *, groups: int, input_shape: Shape, **geometry: Shape
) -> Array:
    windows, a, b = _windows(w.shape, geometry), wide(g), wide(w)
    spatial = input_shape[1:-1]
    if groups == input_shape[-1] > 1:
        dx = _by_input_depthwise(a, b, windows, spatial, groups)
    else:
        dx = _grouped(lambda p, q: _by_input(p, q, windows, spatial), a, b, groups)
    return dx.astype(g.dtype, copy=False)


def _convolution_by_filter(
    x: Array, g: Array, *, groups: int, filter_shape: Shape, **geometry: Shape
) -> Array:
    windows, a, b = _windows(filter_shape, geometry), wide(x), wide(g)
    if groups == x.shape[-1] > 1:
        dw = _by_filter_depthwise(a, b, windows)
    else:
        dw = _grouped(lambda p, q: _by_filter(p, q, windows), a, b, groups)
    return dw.astype(x.dtype, copy=False)


def _checked(
    name: str, x: TensorType, w: TensorType, groups: int, geometry: dict[str, Shape]
) -> TensorType:
    """The type of the convolution of `x` by `w`; an error that names what does not fit."""
    dtype = same_dtype(name, (x, w))
    if dtype not in REAL:
        raise misfit(name, "the dtype cannot be convolved", "a real number", x=x, filter=w)
    if w.rank != x.rank or x.rank < 3:
        raise misfit(
            name,
            f"a filter of rank {w.rank} does not go with an input of rank {x.rank}",
            "an input [n, *spatial, channels] and a filter [*kernel, channels / groups, filters]",
            input=x,
            filter=w,
        )
    channels, (inner, filters) = x.shape[-1], w.shape[-2:]
    if groups < 1 or inner * groups != channels or filters % groups:
        raise misfit(
            name,
            f"the filter has {inner} input channels, the input {channels}",
            f"{groups} groups of {inner} channels each" if groups > 1 else "as many",
            input=x,
            filter=w,
            **({"groups": groups} if groups > 1 else {}),
        )
    out = check_windows(name, _windows(w.shape, geometry), x, filter=w)
    return x.with_shape((x.shape[0], *out, filters))


def _check_cotangent(name: str, g: TensorType, y: TensorType) -> None:
    if g != y:
        raise misfit(name, "the cotangent does not fit the output", str(y), g=g)


def _rule(x: TensorType, w: TensorType, *, groups: int, **geometry: Shape) -> TensorType:
    return _checked("convolution", x, w, groups, geometry)


def _by_input_rule(
    g: TensorType, w: TensorType, *, groups: int, input_shape: Shape, **geometry: Shape
) -> TensorType:
    x, name = g.with_shape(input_shape), "convolution_input_gradient"
    _check_cotangent(name, g, _checked(name, x, w, groups, geometry))
    return x


def _by_filter_rule(
    x: TensorType, g: TensorType, *, groups: int, filter_shape: Shape, **geometry: Shape
) -> TensorType:
    w, name = x.with_shape(filter_shape), "convolution_filter_gradient"
    _check_cotangent(name, g, _checked(name, x, w, groups, geometry))
    return w


# <convolution(x, w), g> has three arguments: a derivative by one is made of the other two


def _trilinear(pull: Pull, x: Any, w: Any, g: Any, asked: tuple[str, str]) -> list[Any]:
    """The derivatives of <convolution(x, w), g> by the two of its arguments that are asked for."""
    shapes = ("input_shape", "filter_shape")
    geometry = {name: value for name, value in pull.params.items() if name not in shapes}
    by = {
        "x": lambda: convolution_input_gradient(g, w, input_shape=x.type.shape, **geometry),
        "w": lambda: convolution_filter_gradient(x, g, filter_shape=w.type.shape, **geometry),
        "g": lambda: convolution(x, w, **geometry),
    }
    return [by[name]() if wanted else None for name, wanted in zip(asked, pull.wanted, strict=True)]


def _derivative(pull: Pull) -> list[Any]:
    x, w = pull.inputs
    return _trilinear(pull, x, w, pull.g, ("x", "w"))


def _by_input_derivative(pull: Pull) -> list[Any]:
    g, w = pull.inputs
    return _trilinear(pull, pull.g, w, g, ("g", "w"))


def _by_filter_derivative(pull: Pull) -> list[Any]:
    x, g = pull.inputs
    return _trilinear(pull, x, pull.g, g, ("x", "g"))


def _geometry(strides: Shape, low: Shape, high: Shape, dilation: Shape, groups: int) -> Any:
    names = ("strides", "low", "high", "dilation", "groups")
    return dict(zip(names, (strides, low, high, dilation, groups), strict=True))


PLAIN = _geometry((1, 1), (0, 0), (0, 0), (1, 1), 1)
# input, filter, geometry
CASES: tuple[tuple[Shape, Shape, Any], ...] = (
    ((2, 5, 4, 3), (3, 2, 3, 4), PLAIN),
    ((2, 5, 5, 7), (3, 3, 7, 2), _geometry((1, 1), (1, 1), (1, 1), (1, 1), 1)),
    ((1, 7, 6, 2), (2, 3, 2, 3), _geometry((2, 3), (1, 0), (2, 1), (1, 1), 1)),
    ((1, 7, 8, 6), (2, 3, 6, 1), _geometry((1, 2), (0, 1), (1, 2), (3, 2), 1)),
    ((2, 9, 1), (4, 1, 3), _geometry((2,), (2,), (1,), (1,), 1)),
    ((1, 3, 4, 3, 2), (2, 1, 3, 2, 2), _geometry((1, 2, 1), (1, 0, 0), (0, 0, 1), (1,) * 3, 1)),
    ((2, 4, 4, 6), (2, 2, 2, 3), _geometry((1, 1), (0, 0), (1, 1), (1, 1), 3)),
    ((2, 5, 4, 3), (3, 2, 1, 3), _geometry((1, 1), (1, 0), (1, 1), (1, 1), 3)),
    ((1, 5, 5, 2), (2, 2, 1, 6), _geometry((2, 1), (0, 1), (0, 0), (2, 1), 2)),
    ((2, 3, 2, 5), (1, 1, 5, 4), PLAIN),
    ((1, 1, 1, 1), (1, 1, 1, 1), PLAIN),
    ((2, 5, 5, 1), (1, 1, 1, 2), _geometry((2, 2), (0, 0), (0, 0), (1, 1), 1)),
    ((0, 4, 4, 2), (3, 3, 2, 2), PLAIN),
)


def _output(x: Shape, w: Shape, geometry: Any) -> Shape:
    numbers = {name: value for name, value in geometry.items() if name != "groups"}
    return (x[0], *_windows(w, numbers).out(x[1:-1]), w[-1])


def _define(name: str, rule: Any, meaning: Any, derivative: Any, samples: Any, doc: str) -> Any:
    made = tuple(samples)
    return define(
        Primitive(
            name, "contraction", rule, meaning, derivative, samples=made,
            facts={"dtypes": REAL}, doc=doc,
        )
    )  # fmt: skip


convolution = _define(
    "convolution",
    _rule,
    _convolution,
    _derivative,
    (sample(reals(*x), reals(*w), **geometry) for x, w, geometry in CASES),
    "The products of a sliding filter with what lies under it, summed (cross-correlation)",
)
convolution_input_gradient = _define(
    "convolution_input_gradient",
    _by_input_rule,
    _convolution_by_input,
    _by_input_derivative,
    (
        sample(reals(*_output(x, w, geometry)), reals(*w), input_shape=x, **geometry)
        for x, w, geometry in CASES
    ),
    "The adjoint of convolution by a filter: the transposed convolution",
)
convolution_filter_gradient = _define(
    "convolution_filter_gradient",
    _by_filter_rule,
    _convolution_by_filter,
    _by_filter_derivative,
    (
        sample(reals(*x), reals(*_output(x, w, geometry)), filter_shape=w, **geometry)
        for x, w, geometry in CASES
    ),
    "The adjoint of convolution of an input: what each tap of the filter was multiplied by",
)
