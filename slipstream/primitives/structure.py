"""Moving elements without changing them: reshape, transpose, broadcast, concat, pad, reverse."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from slipstream.ir.dtypes import DType, float32
from slipstream.ir.graph import Array
from slipstream.ir.types import Shape, TensorType
from slipstream.primitives.base import REGISTRY, Primitive, Pull, define, misfit
from slipstream.primitives.families import no_gradient, same_dtype, sum_to
from slipstream.primitives.samples import reals, sample


def _reshape_rule(x: TensorType, *, shape: Shape) -> TensorType:
    if shape.count(-1) == 1:
        known = -math.prod(shape)
        if known and x.size % known == 0:
            return x.with_shape(tuple(x.size // known if n == -1 else n for n in shape))
    if math.prod(shape) != x.size or any(n < 0 for n in shape):
        raise misfit("reshape", f"{x.size} elements do not fill the shape", x=x, shape=shape)
    return x.with_shape(shape)


reshape: Primitive = define(
    Primitive(
        "reshape",
        "view",
        _reshape_rule,
        lambda x, shape: np.reshape(x, shape),
        lambda pull: [reshape(pull.g, shape=pull.inputs[0].shape)],
        samples=(sample(reals(3, 8), shape=(2, 12)), sample(reals(4, 3), shape=(-1,))),
        doc="The same elements, in row-major order, in another shape; one size may be -1",
    )
)


def _transpose_rule(x: TensorType, *, permutation: tuple[int, ...]) -> TensorType:
    if sorted(permutation) != list(range(x.rank)):
        raise misfit("transpose", "that is no permutation of the axes", x=x, perm=permutation)
    return x.with_shape(tuple(x.shape[i] for i in permutation))


def _transpose_derivative(pull: Pull) -> list[Any]:
    inverse = tuple(int(i) for i in np.argsort(pull.params["permutation"]))
    return [transpose(pull.g, permutation=inverse)]


transpose = define(
    Primitive(
        "transpose",
        "view",
        _transpose_rule,
        lambda x, permutation: np.transpose(x, permutation),
        _transpose_derivative,
        samples=(sample(reals(2, 3, 5), permutation=(2, 0, 1)),),
        doc="Axis i of the output is axis permutation[i] of the input",
    )
)


def _broadcast_rule(x: TensorType, *, shape: Shape) -> TensorType:
    tail = shape[len(shape) - x.rank :]
    fits = x.rank <= len(shape) and min(shape, default=0) >= 0
    if not fits or any(n not in (1, m) for n, m in zip(x.shape, tail, strict=True)):
        raise misfit("broadcast_to", "the input does not broadcast to the shape", x=x, shape=shape)
    return x.with_shape(shape)


broadcast_to = define(
    Primitive(
        "broadcast_to",
        "view",
        _broadcast_rule,
        lambda x, shape: np.broadcast_to(x, shape),
        lambda pull: [sum_to(pull.g, pull.inputs[0].shape)],
        samples=(sample(reals(3, 1), shape=(2, 3, 4)), sample(reals(), shape=(3,))),
        doc="Repeat sizes of 1, and add leading axes, up to the shape",
    )
)


def _concat_rule(*types: TensorType, axis: int) -> TensorType:
    dtype = same_dtype("concat", types)
    first = types[0]
    if not 0 <= axis < first.rank:
        raise misfit("concat", "there is no such axis", x=first, axis=axis)
    for other in types[1:]:
        same = other.rank == first.rank and all(
            i == axis or n == m
            for i, (n, m) in enumerate(zip(first.shape, other.shape, strict=True))
        )
        if not same:
            raise misfit("concat", "the shapes differ beside the axis", x=first, y=other, axis=axis)
    total = sum(t.shape[axis] for t in types)
    return TensorType((*first.shape[:axis], total, *first.shape[axis + 1 :]), dtype)


def _concat_derivative(pull: Pull) -> list[Any]:
    axis, start, parts = pull.params["axis"], 0, []
    for operand, wanted in zip(pull.inputs, pull.wanted, strict=True):
        stop = start + operand.shape[axis]
        parts.append(slice_along(pull.g, axis, start, stop) if wanted else None)
        start = stop
    return parts


def slice_along(x: Any, axis: int, start: int, stop: int) -> Any:
    """x[..., start:stop, ...] on one axis."""
    starts = tuple(start if i == axis else 0 for i in range(len(x.shape)))
    stops = tuple(stop if i == axis else n for i, n in enumerate(x.shape))
    return slice_(x, starts=starts, stops=stops, steps=(1,) * len(x.shape))


concat = define(
    Primitive(
        "concat",
        "structure",
        _concat_rule,
        lambda *xs, axis: np.concatenate(xs, axis),
        _concat_derivative,
        samples=(
            sample(reals(2, 3), reals(2, 5), axis=1),
            sample(reals(2, 3), reals(1, 3), axis=0),
        ),
        doc="The inputs one after the other along an axis",
    )
)


def _slice_rule(x: TensorType, *, starts: Shape, stops: Shape, steps: Shape) -> TensorType:
    if not len(starts) == len(stops) == len(steps) == x.rank:
        raise misfit("slice", "one start, stop and step an axis is needed", x=x, starts=starts)
    for start, stop, step, n in zip(starts, stops, steps, x.shape, strict=True):
        if step < 1 or not 0 <= start <= n or not start <= stop <= n:
            raise misfit(
                "slice", "the bounds are outside the input", x=x, starts=starts, stops=stops
            )
    return x.with_shape(
        tuple(-(-(e - s) // p) for s, e, p in zip(starts, stops, steps, strict=True))
    )


def _slice(x: Array, *, starts: Shape, stops: Shape, steps: Shape) -> Array:
    return np.asarray(x[tuple(map(slice, starts, stops, steps))])


def _slice_derivative(pull: Pull) -> list[Any]:
    """Zeros with the cotangent back in place."""
    starts, steps = pull.params["starts"], pull.params["steps"]
    sizes = zip(starts, steps, pull.g.shape, pull.inputs[0].shape, strict=True)
    high = tuple(n - s - max(0, (m - 1) * p + 1) for s, p, m, n in sizes)
    interior = tuple(p - 1 for p in steps)
    return [pad(pull.g, pull.g.coerce(0), low=starts, high=high, interior=interior)]


slice_ = define(
    Primitive(
        "slice",
        "view",
        _slice_rule,
        _slice,
        _slice_derivative,
        samples=(
            sample(reals(4, 7), starts=(1, 0), stops=(3, 7), steps=(1, 2)),
            sample(reals(5), starts=(2,), stops=(2,), steps=(1,)),
        ),
        doc="x[starts:stops:steps] on every axis, with positive steps",
    )
)


def _pad_rule(
    x: TensorType, value: TensorType, *, low: Shape, high: Shape, interior: Shape
) -> TensorType:
    same_dtype("pad", (x, value))
    sizes = zip(x.shape, low, high, interior, strict=True)
    shape = tuple(n + max(0, n - 1) * i + a + b for n, a, b, i in sizes)
    if value.rank or any(n < 0 for n in shape) or any(i < 0 for i in interior):
        raise misfit("pad", "the padding does not fit", x=x, value=value, low=low, high=high)
    return x.with_shape(shape)


def _pad(x: Array, value: Array, *, low: Shape, high: Shape, interior: Shape) -> Array:
    sizes = [n + max(0, n - 1) * i + max(a, 0) + max(b, 0)
             for n, a, b, i in zip(x.shape, low, high, interior, strict=True)]  # fmt: skip
    out = np.full(sizes, value, x.dtype)
    place = tuple(
        slice(max(a, 0), max(a, 0) + max(0, (n - 1) * (i + 1) + 1), i + 1)
        for n, a, i in zip(x.shape, low, interior, strict=True)
    )
    out[place] = x
    crop = tuple(
        slice(max(-a, 0), n - max(-b, 0)) for n, a, b in zip(sizes, low, high, strict=True)
    )
    return out[crop]


def _pad_derivative(pull: Pull) -> list[Any]:
    x, low, interior = pull.inputs[0], pull.params["low"], pull.params["interior"]
    back = pad(
        pull.g,
        pull.g.coerce(0),
        low=tuple(-n for n in low),
        high=tuple(-n for n in pull.params["high"]),
        interior=(0,) * len(low),
    )
    inner = slice_(
        back, starts=(0,) * len(low), stops=back.shape, steps=tuple(i + 1 for i in interior)
    )
    axes = tuple(range(len(x.shape)))
    rest = REGISTRY["sum"](pull.g, axes=axes) - REGISTRY["sum"](inner, axes=axes)
    return [inner, rest]


pad = define(
    Primitive(
        "pad",
        "structure",
        _pad_rule,
        _pad,
        _pad_derivative,
        samples=(
            sample(reals(2, 3), reals(), low=(1, 0), high=(0, 2), interior=(0, 1)),
            sample(reals(5), reals(), low=(-1,), high=(2,), interior=(0,)),
        ),
        doc="`low` and `high` values around and `interior` between; negative ones crop",
    )
)


def _reverse_rule(x: TensorType, *, axes: tuple[int, ...]) -> TensorType:
    if any(not 0 <= axis < x.rank for axis in axes):
        raise misfit("reverse", "there is no such axis", x=x, axes=axes)
    return x


reverse: Primitive = define(
    Primitive(
        "reverse",
        "view",
        _reverse_rule,
        lambda x, axes: np.flip(x, axes),
        lambda pull: [reverse(pull.g, axes=pull.params["axes"])],
        samples=(sample(reals(3, 5), axes=(0,)), sample(reals(2, 3, 2), axes=(0, 2))),
        doc="Back to front along axes",
    )
)


def _iota_rule(*, shape: Shape, axis: int, dtype: DType) -> TensorType:
    return TensorType(shape, dtype)


def _iota(*, shape: Shape, axis: int, dtype: DType) -> Array:
    line = np.arange(shape[axis]).astype(dtype.numpy)
    return np.broadcast_to(line.reshape([-1 if i == axis else 1 for i in range(len(shape))]), shape)


iota = define(
    Primitive(
        "iota",
        "structure",
        _iota_rule,
        _iota,
        no_gradient,
        samples=(sample(shape=(3, 4), axis=1, dtype=float32),),
        doc="Each element's own index along an axis",
    )
)
identity = define(
    Primitive(
        "identity",
        "view",
        lambda x: x,
        lambda x: x,
        lambda pull: [pull.g],
        samples=(sample(reals(3)),),
        doc="x itself",
    )
)
stop_gradient = define(
    Primitive(
        "stop_gradient",
        "view",
        lambda x: x,
        lambda x: x,
        no_gradient,
        samples=(sample(reals(3), smooth=False),),
        doc="x, through which no derivative flows",
    )
)
