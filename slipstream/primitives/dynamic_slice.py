"""Blocks of a fixed size at a place that is only known when the program runs."""

from __future__ import annotations

from typing import Any

import numpy as np

from slipstream.ir.graph import Array
from slipstream.ir.types import Shape, TensorType
from slipstream.primitives.base import Primitive, Pull, define, misfit
from slipstream.primitives.families import same_dtype
from slipstream.primitives.operand import zeros
from slipstream.primitives.samples import integers, reals, sample


def _check_starts(name: str, x: TensorType, starts: TensorType, sizes: Shape) -> None:
    if not starts.dtype.is_integer or starts.shape != (x.rank,) or len(sizes) != x.rank:
        raise misfit(name, "one start and size an axis is needed", x=x, starts=starts, size=sizes)
    if any(not 0 <= size <= n for size, n in zip(sizes, x.shape, strict=True)):
        raise misfit(name, "the sizes are outside the input", x=x, size=sizes)


def _place(name: str, x: Array, starts: Array, sizes: Shape) -> tuple[slice, ...]:
    """The block as slices; InvalidArgumentError where it leaves the array."""
    for axis, (start, size, n) in enumerate(zip(starts, sizes, x.shape, strict=True)):
        if not 0 <= start <= n - size:
            raise misfit(
                name,
                f"begin[{axis}] = {int(start)} is not in [0, {n - size}]",
                x=f"shape {x.shape}",
                size=sizes,
            )
    return tuple(slice(int(a), int(a) + n) for a, n in zip(starts, sizes, strict=True))


def _slice_rule(x: TensorType, starts: TensorType, *, sizes: Shape) -> TensorType:
    _check_starts("dynamic_slice", x, starts, sizes)
    return x.with_shape(sizes)


def _slice(x: Array, starts: Array, *, sizes: Shape) -> Array:
    return np.asarray(x[_place("dynamic_slice", x, starts, sizes)])


def _slice_derivative(pull: Pull) -> list[Any]:
    x, starts = pull.inputs
    return [dynamic_update_slice(zeros(x.type), pull.g, starts), None]


dynamic_slice: Primitive = define(
    Primitive(
        "dynamic_slice",
        "gather",
        _slice_rule,
        _slice,
        _slice_derivative,
        samples=(
            sample(reals(5, 6), integers(0, 3, 2), sizes=(3, 4)),
            sample(reals(7), integers(0, 7, 1), sizes=(1,)),
            sample(reals(3, 4), integers(0, 1, 2), sizes=(3, 0)),
            sample(reals(), integers(0, 1, 0), sizes=()),
        ),
        doc="The block of a size that begins at index vector `starts`",
    )
)


def _update_rule(x: TensorType, update: TensorType, starts: TensorType) -> TensorType:
    same_dtype("dynamic_update_slice", (x, update))
    _check_starts("dynamic_update_slice", x, starts, update.shape)
    return x


def _update(x: Array, update: Array, starts: Array) -> Array:
    out = x.copy()
    out[_place("dynamic_update_slice", x, starts, update.shape)] = update
    return out


def _update_derivative(pull: Pull) -> list[Any]:
    _, update, starts = pull.inputs
    kept = dynamic_update_slice(pull.g, zeros(update.type), starts) if pull.wanted[0] else None
    return [kept, dynamic_slice(pull.g, starts, sizes=tuple(update.shape)), None]


dynamic_update_slice: Primitive = define(
    Primitive(
        "dynamic_update_slice",
        "scatter",
        _update_rule,
        _update,
        _update_derivative,
        samples=(
            sample(reals(5, 6), reals(3, 4), integers(0, 3, 2)),
            sample(reals(7), reals(1), integers(0, 7, 1)),
        ),
        doc="x with a block replaced by `update`, which begins at index vector `starts`",
    )
)
