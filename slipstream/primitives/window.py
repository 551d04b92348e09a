"""Windows that slide over the spatial axes of [n, *spatial, c]: maximum, sum, and the ways back.

The parameters are `window` (its size), `strides`, `low` and `high` (padding before and after) and
`dilation` (the step within the window), one number a spatial axis each. A tap is one place in the
window, counted in row-major order.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided

from slipstream.ir.dtypes import DType, from_numpy, int32
from slipstream.ir.graph import Array
from slipstream.ir.types import Shape, TensorType
from slipstream.primitives.base import REGISTRY, Primitive, Pull, define, misfit
from slipstream.primitives.elementwise import REAL
from slipstream.primitives.families import no_gradient
from slipstream.primitives.operand import constant, zeros
from slipstream.primitives.samples import distinct, integers, reals, sample
from slipstream.primitives.structure import broadcast_to, pad, reshape, slice_


class Windows(NamedTuple):
    """The geometry of a sliding window."""

    window: Shape
    strides: Shape
    low: Shape
    high: Shape
    dilation: Shape

    def padded(self, spatial: Shape) -> Shape:
        """The spatial sizes with their padding."""
        return tuple(a + n + b for n, a, b in zip(spatial, self.low, self.high, strict=True))

    def out(self, spatial: Shape) -> Shape:
        """How many places the window takes on each axis of an input of these sizes."""
        sizes = zip(self.padded(spatial), self.window, self.strides, self.dilation, strict=True)
        return tuple(max(0, (n - (k - 1) * d - 1) // s + 1) for n, k, s, d in sizes)

    def reach(self, axis: int, tap: int, out: int) -> slice:
        """Where, on a padded axis, one tap of the window falls."""
        start, stride = tap * self.dilation[axis], self.strides[axis]
        return slice(start, start + (out - 1) * stride + 1 if out else start, stride)

    def taps(self, out: Shape) -> Iterator[tuple[Shape, tuple[slice, ...]]]:
        """Each tap with the index of the padded [n, *spatial, c] where it falls."""
        for tap in np.ndindex(*self.window):
            places = (self.reach(i, t, n) for i, (t, n) in enumerate(zip(tap, out, strict=True)))
            yield tap, (slice(None), *places)

    @property
    def disjoint(self) -> bool:
        """Whether no two windows share an element."""
        sizes = zip(self.window, self.strides, self.dilation, strict=True)
        return all(s > (k - 1) * d for k, s, d in sizes)

    @property
    def inside(self) -> tuple[slice, ...]:
        """The index of the input within its padded form."""
        ends = (slice(a, -b or None) for a, b in zip(self.low, self.high, strict=True))
        return (slice(None), *ends)

    def pad(self, x: Array, value: Any = 0) -> Array:
        """[n, *spatial, c] with its padding; the array itself where there is none."""
        if not any(self.low) and not any(self.high):
            return x
        out = np.full((x.shape[0], *self.padded(x.shape[1:-1]), x.shape[-1]), value, x.dtype)
        out[self.inside] = x
        return out

    def view(self, x: Array) -> Array:
        """[n, *out, *window, c], a view of the padded [n, *spatial, c]."""
        bare = self._replace(low=(0,) * len(self.low), high=(0,) * len(self.low))
        first, *steps, last = x.strides
        over = (step * s for step, s in zip(steps, self.strides, strict=True))
        within = (step * d for step, d in zip(steps, self.dilation, strict=True))
        shape = (x.shape[0], *bare.out(x.shape[1:-1]), *self.window, x.shape[-1])
        return as_strided(x, shape, (first, *over, *within, last), writeable=False)


def check_windows(name: str, windows: Windows, x: TensorType, **shown: object) -> Shape:
    """The spatial sizes of the output; an error where the geometry does not fit `x`."""
    rank = x.rank - 2
    if rank < 1 or any(len(numbers) != rank for numbers in windows):
        raise misfit(
            name,
            "the geometry does not fit the input",
            "x of [n, *spatial, c], and one number a spatial axis",
            x=x,
            **windows._asdict(),
        )
    steps = (*windows.window, *windows.strides, *windows.dilation)
    if min(steps) < 1 or min(*windows.low, *windows.high) < 0:
        raise misfit(
            name,
            "sizes, strides and dilation are at least 1, padding at least 0",
            x=x,
            **windows._asdict(),
        )
    extents = tuple((k - 1) * d + 1 for k, d in zip(windows.window, windows.dilation, strict=True))
    for n, size, extent in zip(x.shape[1:-1], windows.padded(x.shape[1:-1]), extents, strict=True):
        if n and size < extent:
            raise misfit(
                name,
                f"a window of {extent} does not fit into an axis of {size}, padding included",
                "a larger input, a smaller window or more padding",
                x=x,
                window=windows.window,
                dilation=windows.dilation,
                **shown,
            )
    return windows.out(x.shape[1:-1])


def _check_input(name: str, windows: Windows, g: TensorType, input_shape: Shape) -> TensorType:
    """The type of an input whose windows `g` stands for."""
    x = g.with_shape(input_shape)
    expected = (x.shape[0], *check_windows(name, windows, x), x.shape[-1])
    if g.shape != expected:
        raise misfit(name, "the cotangent does not fit the windows", f"shape {expected}", g=g, x=x)
    return x


def _reduce_rule(name: str) -> Callable[..., TensorType]:
    def rule(x: TensorType, **geometry: Shape) -> TensorType:
        if x.dtype not in REAL:
            raise misfit(name, "the dtype has no such operation", "a real number", x=x)
        return x.with_shape((x.shape[0], *check_windows(name, Windows(**geometry), x), x.shape[-1]))

    return rule


def _reduce(ufunc: Any, x: Array, windows: Windows) -> Array:
    """The taps joined by `ufunc`, one axis after the other: k + k steps instead of k k."""
    for axis, out in enumerate(windows.out(x.shape[1:-1])):
        lead = (slice(None),) * (axis + 1)
        taps = (x[(*lead, windows.reach(axis, t, out))] for t in range(windows.window[axis]))
        joined = next(taps).copy()
        for tap in taps:
            ufunc(joined, tap, out=joined)
        x = joined
    return x


def unpadded(windows: Windows) -> Windows:
    """The same windows over an input whose padding is in place."""
    none = (0,) * len(windows.low)
    return windows._replace(low=none, high=none)


def _lowest(dtype: np.dtype[Any]) -> Any:
    kind = from_numpy(dtype)
    return -np.inf if kind.is_floating else kind.min


def _windows_rule(x: TensorType, **geometry: Shape) -> TensorType:
    geometry_ = Windows(**geometry)
    out = check_windows("windows", geometry_, x)
    if any((*geometry_.low, *geometry_.high)):
        raise misfit("windows", "a view has no padding", "low and high of zeros", x=x)
    return x.with_shape((x.shape[0], *out, *geometry_.window, x.shape[-1]))


def _windows_derivative(pull: Pull) -> list[Any]:
    """Each tap's cotangents, spread by the strides over the input, added up."""
    windows, shape = Windows(**pull.params), pull.inputs[0].type.shape
    rank, total = len(windows.window), zeros(pull.inputs[0].type)
    out = pull.g.shape[1 : 1 + rank]
    if 0 in pull.g.shape:
        return [total]
    for tap in np.ndindex(*windows.window):
        part = slice_(
            pull.g,
            starts=(0,) * (rank + 1) + tap + (0,),
            stops=(shape[0], *out, *(t + 1 for t in tap), shape[-1]),
            steps=(1,) * (2 * rank + 2),
        )
        low = tuple(t * d for t, d in zip(tap, windows.dilation, strict=True))
        ends = (a + (n - 1) * s + 1 for a, n, s in zip(low, out, windows.strides, strict=True))
        high = tuple(size - end for size, end in zip(shape[1:-1], ends, strict=True))
        between = tuple(s - 1 for s in windows.strides)
        part = reshape(part, shape=(shape[0], *out, shape[-1]))
        total = total + pad(
            part, part.coerce(0), low=(0, *low, 0), high=(0, *high, 0), interior=(0, *between, 0)
        )
    return [total]


def _seen(x: Any, value: Any, windows: Windows) -> Any:
    """[n, *out, *window, c] of an operand, padded by a number."""
    if any((*windows.low, *windows.high)):
        none = (0,) * len(x.shape)
        edges = {"low": (0, *windows.low, 0), "high": (0, *windows.high, 0), "interior": none}
        x = pad(x, x.coerce(value), **edges)
    return windows_(x, **unpadded(windows)._asdict())


def _taps_axes(windows: Windows) -> tuple[int, ...]:
    rank = len(windows.window)
    return tuple(range(1 + rank, 1 + 2 * rank))


def _tap_numbers(windows: Windows, dtype: DType) -> Any:
    """The number of each tap, as [*window, 1]."""
    return constant(
        np.arange(math.prod(windows.window), dtype=dtype.numpy).reshape((*windows.window, 1))
    )


def _each_tap(x: Any, windows: Windows, shape: Shape) -> Any:
    """[n, *out, c] beside every tap: as [n, *out, *window, c]."""
    ones = (1,) * len(windows.window)
    return broadcast_to(reshape(x, shape=(*x.shape[:-1], *ones, x.shape[-1])), shape=shape)


def _expand_max(x: Any, **geometry: Shape) -> Any:
    windows = Windows(**geometry)
    lowest = _lowest(np.dtype(x.dtype.numpy))
    return REGISTRY["max"](_seen(x, lowest, windows), axes=_taps_axes(windows))


def _expand_sum(x: Any, **geometry: Shape) -> Any:
    windows = Windows(**geometry)
    return REGISTRY["sum"](_seen(x, 0, windows), axes=_taps_axes(windows))


def _expand_argmax(x: Any, **geometry: Shape) -> Any:
    """The least number of the taps that equal the largest; the last one where nothing does."""
    windows = Windows(**geometry)
    seen = _seen(x, _lowest(np.dtype(x.dtype.numpy)), windows)
    largest = _each_tap(_expand_max(x, **geometry), windows, seen.shape)
    numbers = broadcast_to(_tap_numbers(windows, int32), shape=seen.shape)
    last = broadcast_to(numbers.coerce(math.prod(windows.window) - 1), shape=seen.shape)
    held = REGISTRY["select"](REGISTRY["equal"](seen, largest), numbers, last)
    return REGISTRY["min"](held, axes=_taps_axes(windows))


def _expand_pick(x: Any, index: Any, **geometry: Shape) -> Any:
    windows = Windows(**geometry)
    seen = _seen(x, 0, windows)
    numbers = broadcast_to(_tap_numbers(windows, int32), shape=seen.shape)
    mine = REGISTRY["equal"](_each_tap(index, windows, seen.shape), numbers)
    none = broadcast_to(x.coerce(0), shape=seen.shape)
    return REGISTRY["sum"](REGISTRY["select"](mine, seen, none), axes=_taps_axes(windows))


def _window_max(x: Array, **geometry: Shape) -> Array:
    windows = Windows(**geometry)
    return _reduce(np.maximum, windows.pad(x, _lowest(x.dtype)), unpadded(windows))


def _window_sum(x: Array, **geometry: Shape) -> Array:
    windows = Windows(**geometry)
    wide = np.float32 if x.itemsize == 2 and x.dtype.kind not in "iu" else x.dtype
    total = _reduce(np.add, windows.pad(x.astype(wide, copy=False)), unpadded(windows))
    return total.astype(x.dtype, copy=False)


def _window_argmax(x: Array, **geometry: Shape) -> Array:
    """Counted from the end, so that the first of equal taps is the largest number."""
    windows = Windows(**geometry)
    x = windows.pad(x, _lowest(x.dtype))
    highest = _reduce(np.maximum, x, unpadded(windows))
    count = math.prod(windows.window)
    small = np.dtype(np.uint8 if count < 256 else np.int32)
    remaining = np.ones(highest.shape, small)  # 1: where nothing equals nan, the last tap
    for number, (_, place) in enumerate(windows.taps(highest.shape[1:-1])):
        hits = (x[place] == highest).astype(small)
        np.maximum(remaining, hits * small.type(count - number), out=remaining)
    return np.asarray(np.subtract(count, remaining, dtype=np.int32))


def kept(x: Array, mask: Array) -> Array:
    """x where the mask holds, else zero: by bits, several times as quick as np.where."""
    bits = mask.astype(f"u{x.itemsize}")
    np.negative(bits, out=bits)
    np.bitwise_and(bits, x.view(bits.dtype), out=bits)
    return np.asarray(bits.view(x.dtype))


def _window_pick(x: Array, index: Array, **geometry: Shape) -> Array:
    windows = Windows(**geometry)
    x, out = windows.pad(x), np.zeros(index.shape, x.dtype)
    for number, (_, place) in enumerate(windows.taps(index.shape[1:-1])):
        out += kept(x[place], index == number)
    return out


def _window_place(g: Array, index: Array, *, input_shape: Shape, **geometry: Shape) -> Array:
    windows = Windows(**geometry)
    out = np.zeros((g.shape[0], *windows.padded(input_shape[1:-1]), g.shape[-1]), g.dtype)
    for number, (_, place) in enumerate(windows.taps(g.shape[1:-1])):
        if windows.disjoint:
            out[place] = kept(g, index == number)
        else:
            out[place] += kept(g, index == number)
    return np.asarray(out[windows.inside])


def _window_spread(g: Array, *, input_shape: Shape, **geometry: Shape) -> Array:
    windows, spatial = Windows(**geometry), g.shape[1:-1]
    sizes = windows.padded(input_shape[1:-1])
    for axis, (size, out) in enumerate(zip(sizes, spatial, strict=True)):
        lead = (slice(None),) * (axis + 1)
        spread = np.zeros((*g.shape[: axis + 1], size, *g.shape[axis + 2 :]), g.dtype)
        for tap in range(windows.window[axis]):
            spread[(*lead, windows.reach(axis, tap, out))] += g
        g = spread
    return np.asarray(g[windows.inside])


def geometry_of(pull: Pull) -> dict[str, Any]:
    """The parameters without the shape that only a gradient has."""
    return {name: value for name, value in pull.params.items() if name != "input_shape"}


def _sum_derivative(pull: Pull) -> list[Any]:
    return [window_spread(pull.g, input_shape=pull.inputs[0].type.shape, **pull.params)]


def _max_derivative(pull: Pull) -> list[Any]:
    x = pull.inputs[0]
    index = window_argmax(x, **pull.params)
    return [window_place(pull.g, index, input_shape=x.type.shape, **pull.params)]


def _pick_derivative(pull: Pull) -> list[Any]:
    x, index = pull.inputs
    return [window_place(pull.g, index, input_shape=x.type.shape, **pull.params), None]


def _argmax_rule(x: TensorType, **geometry: Shape) -> TensorType:
    return _reduce_rule("window_argmax")(x, **geometry).with_dtype(int32)


def _pick_rule(x: TensorType, index: TensorType, **geometry: Shape) -> TensorType:
    out = _reduce_rule("window_pick")(x, **geometry)
    if index != out.with_dtype(int32):
        raise misfit("window_pick", "the index does not fit the windows", str(out.shape), i=index)
    return out


def _place_rule(
    g: TensorType, index: TensorType, *, input_shape: Shape, **geometry: Shape
) -> TensorType:
    if index != g.with_dtype(int32):
        raise misfit("window_place", "the index does not fit the cotangent", g=g, index=index)
    return _check_input("window_place", Windows(**geometry), g, input_shape)


def _spread_rule(g: TensorType, *, input_shape: Shape, **geometry: Shape) -> TensorType:
    return _check_input("window_spread", Windows(**geometry), g, input_shape)


def _geometry(*numbers: Shape) -> dict[str, Any]:
    return Windows(*numbers)._asdict()


# each with the shape of its input; then the shape of the output
GEOMETRIES: tuple[tuple[dict[str, Any], Shape, Shape], ...] = (
    (_geometry((2, 2), (2, 2), (0, 0), (0, 0), (1, 1)), (2, 4, 6, 3), (2, 2, 3, 3)),
    (_geometry((3, 2), (2, 1), (1, 0), (1, 2), (1, 2)), (2, 5, 4, 1), (2, 3, 4, 1)),
    (_geometry((3,), (1,), (1,), (1,), (1,)), (1, 7, 2), (1, 7, 2)),
    (_geometry((2, 1, 2), (1, 2, 2), (0, 0, 1), (1, 0, 0), (1, 1, 1)), (1, 3, 3, 3, 2),
     (1, 3, 2, 2, 2)),
    (_geometry((2, 2), (3, 3), (0, 0), (0, 0), (1, 1)), (1, 6, 8, 2), (1, 2, 3, 2)),
    (_geometry((1, 1), (1, 1), (0, 0), (0, 0), (1, 1)), (0, 2, 2, 3), (0, 2, 2, 3)),
)  # fmt: skip


def _window(
    name: str, rule: Any, meaning: Any, derivative: Any, samples: Any, doc: str, expand: Any = None
) -> Any:
    made, facts = tuple(samples), {"dtypes": REAL}
    return define(
        Primitive(
            name, "window", rule, meaning, derivative, expand, samples=made, facts=facts, doc=doc
        )
    )


windows_ = _window(
    "windows",
    _windows_rule,
    lambda x, **geometry: Windows(**geometry).view(np.ascontiguousarray(x)),
    _windows_derivative,
    (
        sample(reals(*shape), **geometry)
        for geometry, shape, _ in GEOMETRIES
        if not any((*geometry["low"], *geometry["high"]))
    ),
    "Every window, element by element: [n, *out, *window, c]",
)


window_max = _window(
    "window_max",
    _reduce_rule("window_max"),
    _window_max,
    _max_derivative,
    (sample(distinct(*shape), **geometry) for geometry, shape, _ in GEOMETRIES),
    "The largest element of each window; padding never wins",
    _expand_max,
)
window_sum = _window(
    "window_sum",
    _reduce_rule("window_sum"),
    _window_sum,
    _sum_derivative,
    (sample(reals(*shape), **geometry) for geometry, shape, _ in GEOMETRIES),
    "The sum of each window, padded by zeros",
    _expand_sum,
)
window_argmax = _window(
    "window_argmax",
    _argmax_rule,
    _window_argmax,
    no_gradient,
    (sample(distinct(*shape), **geometry) for geometry, shape, _ in GEOMETRIES),
    "The number of the tap that holds the first largest element of each window",
    _expand_argmax,
)
window_pick = _window(
    "window_pick",
    _pick_rule,
    _window_pick,
    _pick_derivative,
    (
        sample(reals(*shape), integers(0, math.prod(geometry["window"]), *out), **geometry)
        for geometry, shape, out in GEOMETRIES
    ),
    "The element of each window at the tap of that number; padding is zero",
    _expand_pick,
)
window_place = _window(
    "window_place",
    _place_rule,
    _window_place,
    lambda pull: [window_pick(pull.g, pull.inputs[1], **geometry_of(pull)), None],
    (
        sample(
            reals(*out),
            integers(0, math.prod(geometry["window"]), *out),
            input_shape=shape,
            **geometry,
        )
        for geometry, shape, out in GEOMETRIES
    ),
    "Each element added to the place of the input its window's tap falls on",
)
window_spread = _window(
    "window_spread",
    _spread_rule,
    _window_spread,
    lambda pull: [window_sum(pull.g, **geometry_of(pull))],
    (sample(reals(*out), input_shape=shape, **geometry) for geometry, shape, out in GEOMETRIES),
    "Each element added to every place of the input its window covers",
)
