"""Picking parts of tensors: Python's indexing, slices, gathers, masks, scatters."""

from __future__ import annotations

from typing import Any

import numpy as np

from slipstream.errors import InvalidArgumentError, message
from slipstream.ir.dtypes import bool_
from slipstream.ir.types import TensorType
from slipstream.ops.array import sizes_of
from slipstream.ops.axes import axis_of
from slipstream.primitives import structure
from slipstream.primitives.base import REGISTRY
from slipstream.primitives.indexing import batched_indices
from slipstream.primitives.operand import zeros
from slipstream.runtime.convert import TensorLike, convert, convert_together
from slipstream.runtime.dispatch import operation
from slipstream.runtime.operators import Operators
from slipstream.runtime.tensor import constant_value


@operation
def getitem(tensor: Any, key: Any) -> Any:
    """tensor[key] with Python's indexing: numbers, slices, `...`, None, tensors as indices.

    A boolean tensor (alone, as the key) picks the elements where it holds; that is eager only, for
    the result's size
    depends on values.
    """
    mask = key if _is_mask(key) else None
    if mask is not None:
        return boolean_mask(tensor, mask)
    parts = _expanded(key if isinstance(key, tuple) else (key,), tensor.ndim)
    x = tensor
    axis = 0
    for part in parts:
        if part is None:
            x = structure.reshape(x, shape=(*x.type.shape[:axis], 1, *x.type.shape[axis:]))
            axis += 1
        elif isinstance(part, _span):
            x, axis = _sliced(x, axis, part), axis + 1
        else:
            x = _picked(x, axis, part)
    return x


def _is_mask(key: Any) -> bool:
    dtype = getattr(key, "dtype", None)
    return dtype is not None and dtype == "bool" and bool(getattr(key, "ndim", 0))


def _expanded(key: tuple[Any, ...], rank: int) -> list[Any]:
    """One part an axis, None for new axes; `...` and what is left out are full slices."""
    used = sum(part is not None and part is not Ellipsis for part in key)
    if used > rank:
        raise InvalidArgumentError(
            message(
                "getitem", f"Index out of range using input dim {rank}; input has only {rank} dims"
            )
        )
    fill = [_span(None)] * (rank - used)
    places = [i for i, part in enumerate(key) if part is Ellipsis]
    if len(places) > 1:
        raise ValueError("Multiple ellipses in slice spec not allowed")
    if not places:
        return [*key, *fill]
    return [*key[: places[0]], *fill, *key[places[0] + 1 :]]


def _bound(value: Any) -> int | None:
    if value is None or isinstance(value, int):
        return value
    array = constant_value(convert(value)) if isinstance(value, TensorLike) else np.asarray(value)
    if array is None:
        raise InvalidArgumentError(
            message(
                "getitem", "the bounds of a slice depend on values not known while tracing",
                hint="tf.slice with a fixed size",
            )
        )  # fmt: skip
    if array.dtype.kind not in "iu" or array.size != 1:
        raise TypeError(f"slice indices are integers or None, not {value!r}")
    return int(array.reshape(()))


def _sliced(x: Any, axis: int, part: Any) -> Any:
    step = _bound(part.step)
    if step == 0:
        raise ValueError("slice step cannot be zero")
    bounds = _span(_bound(part.start), _bound(part.stop), step)
    numbers = range(*bounds.indices(x.type.shape[axis]))
    if numbers == range(x.type.shape[axis]):
        return x
    if not len(numbers):
        return _along(x, axis, 0, 0, 1)
    if numbers.step > 0:
        return _along(x, axis, numbers[0], numbers[-1] + 1, numbers.step)
    forward = _along(x, axis, numbers[-1], numbers[0] + 1, -numbers.step)
    return structure.reverse(forward, axes=(axis,))


def _along(x: Any, axis: int, start: int, stop: int, step: int) -> Any:
    rank = x.ndim
    return structure.slice_(
        x,
        starts=tuple(start if i == axis else 0 for i in range(rank)),
        stops=tuple(stop if i == axis else n for i, n in enumerate(x.type.shape)),
        steps=tuple(step if i == axis else 1 for i in range(rank)),
    )


def _picked(x: Any, axis: int, index: Any) -> Any:
    """One place along an axis, which goes; a tensor of indices puts its own axes there."""
    size = x.type.shape[axis]
    known = _known_index(index)
    if known is not None:
        if not -size <= known < size:
            raise InvalidArgumentError(
                message(
                    "getitem", f"slice index {known} of dimension {axis} out of bounds",
                    received={"tensor": x.type},
                )
            )  # fmt: skip
        place = known % size
        kept = (*x.type.shape[:axis], *x.type.shape[axis + 1 :])
        return structure.reshape(_along(x, axis, place, place + 1, 1), shape=kept)
    indices = convert(index)
    if not indices.dtype.is_integer:
        raise TypeError(
            "Only integers, slices (`:`), ellipsis (`...`), tf.newaxis (`None`) and scalar "
            f"integer tensors are valid indices, got {index!r}"
        )
    wrapped = REGISTRY["select"](indices < 0, indices + size, indices)
    return REGISTRY["gather"](x, wrapped, axis=axis, batch_dims=0)


def _known_index(index: Any) -> int | None:
    if isinstance(index, (bool, np.bool_)):
        raise TypeError(f"{index!r} is no index")
    if isinstance(index, (int, np.integer)):
        return int(index)
    array = constant_value(index) if isinstance(index, TensorLike) else None
    return (
        int(array) if array is not None and not array.shape and array.dtype.kind in "iu" else None
    )


Operators.hooks["getitem"] = getitem
_span = slice  # Python's own, which the function below takes the name of


@operation
def slice(input_: Any, begin: Any, size: Any, name: str | None = None) -> Any:
    """input_[begin : begin + size] on every axis; a size of -1 goes to the end."""
    x = convert(input_)
    starts, lengths = sizes_of("slice", begin), sizes_of("slice", size)
    stops = tuple(
        n if length == -1 else start + length
        for start, length, n in zip(starts, lengths, x.type.shape, strict=True)
    )
    return structure.slice_(x, starts=starts, stops=stops, steps=(1,) * x.ndim)


@operation
def strided_slice(
    input_: Any, begin: Any, end: Any, strides: Any = None, begin_mask: int = 0, end_mask: int = 0,
    ellipsis_mask: int = 0, new_axis_mask: int = 0, shrink_axis_mask: int = 0, var: Any = None,
    name: str | None = None,
) -> Any:  # fmt: skip
    """Python's indexing spelled out; bit i of a mask says what the i-th entry is."""
    starts, stops = sizes_of("strided_slice", begin), sizes_of("strided_slice", end)
    steps = (1,) * len(starts) if strides is None else sizes_of("strided_slice", strides)
    key: list[Any] = []
    for i, (start, stop, step) in enumerate(zip(starts, stops, steps, strict=True)):
        bit = 1 << i
        if ellipsis_mask & bit:
            key.append(Ellipsis)
        elif new_axis_mask & bit:
            key.append(None)
        elif shrink_axis_mask & bit:
            key.append(start)
        else:
            first = None if begin_mask & bit else start
            key.append(_span(first, None if end_mask & bit else stop, step))
    return getitem(convert(input_), tuple(key))


@operation
def gather(
    params: Any, indices: Any, validate_indices: Any = None, axis: Any = None, batch_dims: int = 0,
    name: str | None = None,
) -> Any:  # fmt: skip
    """Slices of `params` along an axis (the first after the batch dimensions) by their indices."""
    x, indices = convert(params), convert(indices)
    batch = batch_dims % (indices.ndim + 1) if batch_dims < 0 else batch_dims
    place = batch if axis is None else axis_of(axis, x.ndim, "gather")
    return REGISTRY["gather"](x, indices, axis=place, batch_dims=batch)


@operation
def gather_nd(params: Any, indices: Any, batch_dims: int = 0, name: str | None = None) -> Any:
    """params[i, j, ...] for each index vector (i, j, ...) along the last axis of `indices`."""
    x, indices = convert(params), convert(indices)
    return REGISTRY["gather_nd"](x, batched_indices(indices, int(batch_dims)))


@operation
def scatter_nd(indices: Any, updates: Any, shape: Any, name: str | None = None) -> Any:
    """Zeros of a shape with updates added at index vectors."""
    updates = convert(updates)
    empty = zeros(TensorType(sizes_of("scatter_nd", shape), updates.dtype))
    return REGISTRY["scatter_nd_add"](empty, convert(indices), updates)


def _scattered(primitive: str, tensor: Any, indices: Any, updates: Any) -> Any:
    tensor, updates = convert_together(tensor, updates)
    return REGISTRY[primitive](tensor, convert(indices), updates)


@operation
def tensor_scatter_nd_update(tensor: Any, indices: Any, updates: Any, name: Any = None) -> Any:
    """The tensor with updates in place at index vectors."""
    return _scattered("scatter_nd_update", tensor, indices, updates)


@operation
def tensor_scatter_nd_add(tensor: Any, indices: Any, updates: Any, name: Any = None) -> Any:
    """The tensor with updates added at index vectors."""
    return _scattered("scatter_nd_add", tensor, indices, updates)


@operation
def tensor_scatter_nd_sub(tensor: Any, indices: Any, updates: Any, name: Any = None) -> Any:
    """The tensor with updates subtracted at index vectors."""
    tensor, updates = convert_together(tensor, updates)
    return REGISTRY["scatter_nd_add"](tensor, convert(indices), -updates)


@operation
def tensor_scatter_nd_max(tensor: Any, indices: Any, updates: Any, name: Any = None) -> Any:
    """The larger of the tensor and the updates at index vectors."""
    return _scattered("scatter_nd_max", tensor, indices, updates)


@operation
def tensor_scatter_nd_min(tensor: Any, indices: Any, updates: Any, name: Any = None) -> Any:
    """The smaller of the tensor and the updates at index vectors."""
    return _scattered("scatter_nd_min", tensor, indices, updates)


def known_array(name: str, tensor: Any) -> Any:
    """The array of a tensor whose values decide the size of a result: eager, or constant."""
    array = constant_value(convert(tensor))
    if array is None:
        raise InvalidArgumentError(
            message(
                name, "the size of the result depends on values that are not known while tracing",
                hint="outside a traced function, or a form of fixed size such as tf.where(c, x, y)",
            )
        )  # fmt: skip
    return array


@operation
def where(condition: Any, x: Any = None, y: Any = None, name: str | None = None) -> Any:
    """x where the condition holds, else y; without both, the int64 indices where it holds."""
    condition = convert(condition)
    if (x is None) != (y is None):
        raise ValueError("x and y must both be non-None or both be None.")
    if x is None:
        found = np.argwhere(known_array("where", condition))
        return convert(found.astype(np.int64))
    x, y = convert_together(x, y)
    test = condition if condition.dtype.is_bool else REGISTRY["cast"](condition, dtype=bool_)
    return REGISTRY["select"](test, x, y)


@operation
def boolean_mask(tensor: Any, mask: Any, axis: Any = None, name: str | None = None) -> Any:
    """The slices along the mask's axes (from `axis` on) where it holds."""
    x = convert(tensor)
    known = known_array("boolean_mask", mask)
    first = 0 if axis is None else axis_of(axis, x.ndim, "boolean_mask")
    covered = x.type.shape[first : first + known.ndim]
    if known.ndim == 0 or tuple(covered) != known.shape:
        raise ValueError(f"Shapes {tuple(covered)} and {known.shape} are incompatible")
    shape = (*x.type.shape[:first], known.size, *x.type.shape[first + known.ndim :])
    flat = structure.reshape(x, shape=shape)
    numbers = convert(np.flatnonzero(known).astype(np.int64))
    return REGISTRY["gather"](flat, numbers, axis=first, batch_dims=0)
