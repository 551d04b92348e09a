"""Picking parts of tensors: Python's indexing, slices, gathers, masks, scatters."""

from __future__ import annotations

from typing import Any

import numpy as np

from slipstream.errors import NotWhileTracing, message
from slipstream.ir.dtypes import as_dtype, bool_
from slipstream.ir.types import Shape
from slipstream.ops.array import sizes_of
from slipstream.ops.axes import axis_of
from slipstream.primitives import structure
from slipstream.primitives.base import REGISTRY, misfit
from slipstream.primitives.dynamic_slice import dynamic_slice
from slipstream.primitives.indexing import able_to_hold, batched_indices, taken
from slipstream.runtime.convert import TensorLike, convert, convert_together
from slipstream.runtime.dispatch import operation
from slipstream.runtime.operators import Operators
from slipstream.runtime.tensor import constant_value

WHOLE = slice(None)


@operation
def getitem(tensor: Any, key: Any) -> Any:
    """tensor[key] with Python's indexing: integers, slices, `...`, None, scalar integer tensors.

    A boolean tensor (alone, as the key) picks the elements where it holds; that is eager only, for
    the size of the result depends on values. A place outside the tensor is an
    InvalidArgumentError; slices are cut off at its ends, as Python's are.
    """
    x = convert(tensor)
    if _is_mask(key):
        return boolean_mask(x, key)
    selection = _Selection(x.type.shape)
    for part in _expanded(key if isinstance(key, tuple) else (key,), x.ndim):
        selection.take(part)
    return selection.of(x)


class _Selection:
    """What a key takes: one slice of all axes, one reversal, one reshape, and then the gathers."""

    def __init__(self, sizes: Shape) -> None:
        self.sizes, self.axis = sizes, 0
        self.bounds: list[tuple[int, int, int]] = []  # an axis of the tensor
        self.reversed: list[int] = []  # axes of the tensor
        self.shape: list[int] = []  # of the result, before the gathers
        self.gathers: list[tuple[int, Any]] = []  # axis of the result, index

    def take(self, part: Any) -> None:
        """The next part of the key, which takes up the next axis unless it is None."""
        if part is None:
            self.shape.append(1)
            return
        if isinstance(part, _span):
            self._take_span(part)
        else:
            self._take_place(part)
        self.axis += 1

    def _take_span(self, part: Any) -> None:
        size = self.sizes[self.axis]
        if part == WHOLE:  # most of them
            self.shape.append(size)
            self.bounds.append((0, size, 1))
            return
        numbers = range(*_known_span(part).indices(size))
        self.shape.append(len(numbers))
        if not numbers:
            self.bounds.append((0, 0, 1))
            return
        if numbers.step < 0:
            numbers = numbers[::-1]
            self.reversed.append(self.axis)
        self.bounds.append((numbers[0], numbers[-1] + 1, numbers.step))

    def _take_place(self, index: Any) -> None:
        size = self.sizes[self.axis]
        place = _known_place(index)
        if place is None:  # one that is known only when the program runs
            self.gathers.append((len(self.shape), convert(index)))
            self.shape.append(size)
            self.bounds.append((0, size, 1))
        elif -size <= place < size:
            self.bounds.append((place % size, place % size + 1, 1))
        else:
            text = f"{place} is outside axis {self.axis}"
            raise misfit("getitem", text, f"[{-size}, {size})", tensor=f"shape {self.sizes}")

    def of(self, x: Any) -> Any:
        """The selection from a tensor of these sizes."""
        starts, stops, steps = zip(*self.bounds, strict=True) if self.bounds else ((), (), ())
        if (*starts, *stops, *steps) != (*(0 for _ in starts), *self.sizes, *(1 for _ in steps)):
            x = structure.slice_(x, starts=starts, stops=stops, steps=steps)
        if self.reversed:
            x = structure.reverse(x, axes=tuple(self.reversed))
        if x.type.shape != tuple(self.shape):
            x = structure.reshape(x, shape=tuple(self.shape))
        for axis, index in reversed(self.gathers):
            index = able_to_hold(index, x.type.shape[axis])
            wrapped = REGISTRY["select"](index < 0, index + x.type.shape[axis], index)
            x = taken(x, wrapped, axis=axis)
        return x


def _is_mask(key: Any) -> bool:
    dtype = getattr(key, "dtype", None)
    return dtype is not None and dtype == "bool" and bool(getattr(key, "ndim", 0))


def _expanded(key: tuple[Any, ...], rank: int) -> list[Any]:
    """One part an axis, None for new axes; `...` and what is left out are full slices."""
    used = sum(part is not None and part is not Ellipsis for part in key)
    if used > rank:
        raise misfit("getitem", f"{used} axes are indexed, and the tensor has only {rank}")
    fill = [WHOLE] * (rank - used)
    places = [i for i, part in enumerate(key) if part is Ellipsis]
    if len(places) > 1:
        raise misfit("getitem", "`...` is there twice")
    if not places:
        return [*key, *fill]
    return [*key[: places[0]], *fill, *key[places[0] + 1 :]]


def _known_span(part: Any) -> Any:
    step = _bound(part.step)
    if step == 0:
        raise misfit("getitem", "the step of a slice is zero")
    return _span(_bound(part.start), _bound(part.stop), step)


def _bound(value: Any) -> int | None:
    if value is None or isinstance(value, int):
        return value
    array = constant_value(convert(value)) if isinstance(value, TensorLike) else np.asarray(value)
    if array is None:
        raise NotWhileTracing(
            message(
                "getitem", "the bounds of a slice depend on values not known while tracing",
                hint="tf.slice with a fixed size",
            )
        )  # fmt: skip
    if array.dtype.kind not in "iu" or array.size != 1:
        text = "the bound of a slice is an integer or None"
        raise TypeError(message("getitem", text, received={"bound": repr(value)}))
    return int(array.reshape(()))


def _known_place(index: Any) -> int | None:
    """An index as a number; None for a scalar integer tensor whose value comes later."""
    if isinstance(index, (int, np.integer)) and not isinstance(index, bool):
        return int(index)
    dtype = getattr(index, "dtype", None)
    scalar = dtype is not None and not getattr(index, "ndim", len(index.shape))
    if not scalar or not as_dtype(dtype).is_integer:
        text = "that is no index"
        kinds = "an integer, a slice, `...`, tf.newaxis or a scalar integer tensor"
        given = {"index": repr(index)}
        hint = "tf.gather for several"
        raise TypeError(message("getitem", text, expected=kinds, received=given, hint=hint))
    array = constant_value(convert(index))
    return None if array is None else int(array)


Operators.hooks["getitem"] = getitem
_span = slice  # Python's own, which the function below takes the name of


@operation
def slice(input_: Any, begin: Any, size: Any, name: str | None = None) -> Any:
    """input_[begin : begin + size] on every axis; a size of -1 goes to the end.

    While tracing `begin` may depend on values; `size` may not, and then has no -1.

    >>> slice([10, 20, 30, 40], [1], [2]).numpy().tolist()
    [20, 30]
    """
    x, first = convert(input_), convert(begin)
    lengths = sizes_of("slice", size)
    if len(lengths) != x.ndim or first.type.shape != (x.ndim,):
        text = "one begin and one size an axis are needed"
        raise misfit("slice", text, input=x.type, begin=first.type, size=lengths)
    known = constant_value(first)
    if known is None:
        return dynamic_slice(x, first, sizes=lengths)
    starts = tuple(known.tolist())
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
    """Python's indexing spelled out, an entry a part of the key; bit i of a mask is of entry i.

    begin_mask, end_mask: the bound is left out. ellipsis_mask: `...`. new_axis_mask: a new axis.
    shrink_axis_mask: the place `begin`, whose axis goes.

    >>> strided_slice([1, 2, 3, 4], [-1], [-5], [-2]).numpy().tolist()
    [4, 2]
    """
    starts, stops = sizes_of("strided_slice", begin), sizes_of("strided_slice", end)
    steps = (1,) * len(starts) if strides is None else sizes_of("strided_slice", strides)
    if not len(starts) == len(stops) == len(steps):
        text = "begin, end and strides have different lengths"
        raise misfit("strided_slice", text, begin=starts, end=stops, strides=steps)
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
    """Slices of `params` along an axis (the first after the batch dimensions) by their indices.

    Shape: params.shape[:axis] + indices.shape[batch_dims:] + params.shape[axis + 1:]. An index
    outside the axis is an InvalidArgumentError.

    >>> gather([10, 20, 30], [2, 0]).numpy().tolist()
    [30, 10]
    """
    x, indices = convert(params), convert(indices)
    batch = batch_dims + indices.ndim if batch_dims < 0 else batch_dims
    place = batch if axis is None else axis_of(axis, x.ndim, "gather")
    return REGISTRY["gather"](x, indices, axis=place, batch_dims=batch)


@operation
def gather_nd(params: Any, indices: Any, batch_dims: int = 0, name: str | None = None) -> Any:
    """params[i, j, ...] for each index vector (i, j, ...) along the last axis of `indices`."""
    x, indices = convert(params), convert(indices)
    return REGISTRY["gather_nd"](x, batched_indices(indices, int(batch_dims)))


FIXED_SIZE = "a form of fixed size such as tf.where(c, x, y), or untraced"


def known_array(name: str, tensor: Any, hint: str = FIXED_SIZE) -> Any:
    """The array of a tensor whose values decide the size of a result: eager, or constant."""
    array = constant_value(convert(tensor))
    if array is None:
        raise NotWhileTracing(
            message(
                name, "the size of the result depends on values that are not known while tracing",
                hint=hint,
            )
        )  # fmt: skip
    return array


@operation
def where(condition: Any, x: Any = None, y: Any = None, name: str | None = None) -> Any:
    """x where the condition holds, else y; without both, the int64 indices where it holds.

    The three broadcast. The indices [n, rank] are eager only, for n depends on values.

    >>> where([True, False], [1, 2], 0).numpy().tolist()
    [1, 0]
    """
    condition = convert(condition)
    if (x is None) != (y is None):
        raise misfit("where", "one of x and y is missing", "both or none")
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
        text = f"the mask does not cover the axes from {first} on"
        raise misfit("boolean_mask", text, tensor=x.type, mask=f"shape {known.shape}")
    shape = (*x.type.shape[:first], known.size, *x.type.shape[first + known.ndim :])
    flat = structure.reshape(x, shape=shape)
    numbers = convert(np.flatnonzero(known).astype(np.int64))
    return taken(flat, numbers, axis=first)
