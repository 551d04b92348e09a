"""How public functions read their axes: numbers, lists, tensors, negative ones, or none for all."""

from __future__ import annotations

from typing import Any

import numpy as np

from slipstream.ir.graph import Array
from slipstream.primitives.base import misfit
from slipstream.primitives.structure import reshape
from slipstream.runtime.convert import TensorLike
from slipstream.runtime.tensor import constant_value


def known(value: Any, name: str, argument: str) -> Array:
    """A number or list that must be known while the program is built, as an array."""
    if isinstance(value, TensorLike):
        array = constant_value(value._operand())
        if array is None:
            raise misfit(name, f"{argument} is only known when the program runs", "a constant")
        return array
    if isinstance(value, (list, tuple)):
        return np.array([known(item, name, argument) for item in value])
    return np.asarray(value)


def axis_of(axis: Any, rank: int, name: str) -> int:
    """One axis, counted from 0; InvalidArgumentError where there is none such."""
    number = int(known(axis, name, "axis"))
    if not -rank <= number < rank:
        raise misfit(name, "there is no such axis", f"in [{-rank}, {rank})", axis=number)
    return number % rank


def axes_of(axis: Any, rank: int, name: str) -> tuple[int, ...]:
    """The axes, counted from 0 and in order; all of them where `axis` is None."""
    if axis is None:
        return tuple(range(rank))
    listed = known(axis, name, "axis").reshape(-1)
    found = [axis_of(item, rank, name) for item in listed]
    if len(set(found)) < len(found):
        raise misfit(name, "an axis is named twice", "distinct axes", axis=listed.tolist())
    return tuple(sorted(found))


def kept(reduced: Any, x: Any, axes: tuple[int, ...], keepdims: bool | None) -> Any:
    """`reduced`, with sizes of 1 where x was reduced if `keepdims` asks for them."""
    if not keepdims or not axes:
        return reduced
    shape = tuple(1 if i in axes else n for i, n in enumerate(x.type.shape))
    return reshape(reduced, shape=shape)
