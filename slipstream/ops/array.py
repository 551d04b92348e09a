"""Making tensors: constants, fills, ranges; and asking for their shapes."""

from __future__ import annotations

from typing import Any

import numpy as np

from slipstream.errors import InvalidArgumentError, NotWhileTracing, message
from slipstream.ir.dtypes import as_dtype, float64, int32
from slipstream.ir.types import Shape, TensorType
from slipstream.ops.axes import axis_of
from slipstream.primitives.base import REGISTRY, misfit
from slipstream.primitives.operand import constant as known
from slipstream.primitives.operand import full
from slipstream.runtime.convert import TensorLike, as_array, convert, convert_together
from slipstream.runtime.dispatch import operation
from slipstream.runtime.shape import TensorShape
from slipstream.runtime.tensor import constant_value


def sizes_of(operation: str, shape: Any) -> Shape:
    """A shape argument as integers: a number, a sequence, or a tensor known while tracing."""
    if isinstance(shape, TensorLike):
        array = constant_value(convert(shape))
        if array is None:
            raise NotWhileTracing(
                message(operation, "the shape depends on values that are not known while tracing")
            )
        return tuple(int(n) for n in array.reshape(-1))
    if isinstance(shape, (int, np.integer, np.ndarray)):
        return tuple(int(n) for n in np.reshape(shape, -1))
    return tuple(-1 if n is None else int(number_of(operation, n)) for n in shape)


def shape_of(operation: str, shape: Any) -> Shape:
    """The shape of a new tensor: `sizes_of` that are not negative."""
    sizes = sizes_of(operation, shape)
    if min(sizes, default=0) < 0:
        raise misfit(operation, "a size is unknown or negative", shape=sizes)
    return sizes


def number_of(operation: str, value: Any) -> int:
    """One integer argument: a number, or a tensor that is known while tracing."""
    if not isinstance(value, TensorLike):
        return int(value)
    array = constant_value(convert(value))
    if array is None:
        raise NotWhileTracing(
            message(operation, "a size depends on values that are not known while tracing")
        )
    return int(array.reshape(()))


@operation
def constant(value: Any, dtype: Any = None, shape: Any = None, name: str | None = None) -> Any:
    """A tensor of a number, list or array; with `shape`, a single value fills it.

    >>> constant([[1, 2], [3, 4]]).shape
    TensorShape([2, 2])
    """
    if isinstance(value, TensorLike):
        tensor = convert(value, dtype)
    else:
        tensor = known(as_array(value, None if dtype is None else as_dtype(dtype)))
    if shape is None:
        return tensor
    sizes = sizes_of("constant", shape)
    if tensor.type.size == 1:
        return REGISTRY["broadcast_to"](REGISTRY["reshape"](tensor, shape=()), shape=sizes)
    if tensor.type.size != int(np.prod(sizes)):
        text = f"{tensor.type.size} elements do not fill the shape"
        raise TypeError(message("constant", text, received={"shape": sizes}))
    return REGISTRY["reshape"](tensor, shape=sizes)


@operation
def convert_to_tensor(
    value: Any, dtype: Any = None, dtype_hint: Any = None, name: str | None = None
) -> Any:
    """`value` as a tensor; a tensor of another dtype than asked for is a ValueError."""
    if dtype is None and dtype_hint is not None and not isinstance(value, TensorLike):
        try:
            return convert(value, dtype_hint)
        except (TypeError, ValueError):
            return convert(value)
    return convert(value, dtype)


@operation
def zeros(shape: Any, dtype: Any = "float32", name: str | None = None) -> Any:
    """Zeros (empty text, for strings)."""
    return filled(shape_of("zeros", shape), as_dtype(dtype), 0)


@operation
def ones(shape: Any, dtype: Any = "float32", name: str | None = None) -> Any:
    """Ones."""
    return filled(shape_of("ones", shape), as_dtype(dtype), 1)


def filled(sizes: Shape, dtype: Any, value: int) -> Any:
    if dtype.kind == "string":
        return known(as_array(np.full(sizes, "" if value == 0 else str(value)), dtype))
    return full(TensorType(sizes, dtype), value)


@operation
def zeros_like(input: Any, dtype: Any = None, name: str | None = None) -> Any:
    """Zeros of the shape (and dtype) of another tensor."""
    tensor = convert(input)
    return filled(tensor.type.shape, tensor.dtype if dtype is None else as_dtype(dtype), 0)


@operation
def ones_like(input: Any, dtype: Any = None, name: str | None = None) -> Any:
    """Ones of the shape (and dtype) of another tensor."""
    tensor = convert(input)
    return filled(tensor.type.shape, tensor.dtype if dtype is None else as_dtype(dtype), 1)


@operation
def fill(dims: Any, value: Any, name: str | None = None) -> Any:
    """One value in every place."""
    value = convert(value)
    if value.ndim:
        raise InvalidArgumentError(
            message("fill", "value must be a scalar", received={"value": value.type})
        )
    return REGISTRY["broadcast_to"](value, shape=shape_of("fill", dims))


@operation
def eye(
    num_rows: Any, num_columns: Any = None, batch_shape: Any = None, dtype: Any = "float32",
    name: str | None = None,
) -> Any:  # fmt: skip
    """Ones on the diagonal, zeros beside it: [*batch_shape, num_rows, num_columns]."""
    rows = number_of("eye", num_rows)
    rows, columns = shape_of("eye", (rows, rows if num_columns is None else num_columns))
    matrix = known(np.eye(rows, columns).astype(as_dtype(dtype).numpy))
    if batch_shape is None:
        return matrix
    sizes = shape_of("eye", batch_shape)
    return REGISTRY["broadcast_to"](matrix, shape=(*sizes, rows, columns))


@operation
def range(
    start: Any, limit: Any = None, delta: Any = 1, dtype: Any = None, name: str | None = None
) -> Any:
    """Numbers from start (0) to before limit by delta: range(limit) or range(start, limit, delta).

    Of int32, int64, float32 or float64, the widest of the arguments, unless `dtype` says.
    InvalidArgumentError if delta leads away from the limit.

    >>> range(3, 18, 3).numpy().tolist()
    [3, 6, 9, 12, 15]
    """
    first, last = (0, start) if limit is None else (start, limit)
    values = [constant_value(convert(part)) for part in (first, last, delta)]
    if any(v is None for v in values):
        raise NotWhileTracing(
            message("range", "the length depends on values that are not known while tracing")
        )
    kind = np.result_type(*values) if dtype is None else as_dtype(dtype).numpy
    if dtype is None and any(v.dtype == np.float32 for v in values):
        kind = np.result_type(*(v.dtype for v in values if v.dtype.kind == "f"))
    begin, end, step = (v.astype(kind).reshape(())[()] for v in values)
    if step == 0 or (end < begin if step > 0 else begin < end):
        text = "delta is zero, or leads away from the limit"
        raise InvalidArgumentError(
            message("range", text, received={"start": begin, "limit": end, "delta": step})
        )
    return known(np.arange(begin, end, step).astype(kind))


@operation
def linspace(start: Any, stop: Any, num: Any, name: str | None = None, axis: int = 0) -> Any:
    """`num` evenly spaced numbers from start to stop, both included, along a new axis.

    start and stop broadcast; integers become float64.

    >>> linspace(0.0, 1.0, 5).numpy().tolist()
    [0.0, 0.25, 0.5, 0.75, 1.0]
    """
    start, stop = convert_together(start, stop)
    if start.dtype.is_integer:
        start, stop = (REGISTRY["cast"](x, dtype=float64) for x in (start, stop))
    count = number_of("linspace", num)
    if count < 1:
        raise misfit("linspace", "there are no numbers to space", "num of 1 or more", num=count)
    shape = np.broadcast_shapes(start.type.shape, stop.type.shape)
    place = axis_of(axis, len(shape) + 1, "linspace")
    weights = (np.arange(count) / max(1, count - 1)).astype(start.dtype.numpy)
    column = known(weights.reshape([-1 if i == place else 1 for i in np.arange(len(shape) + 1)]))
    spread = (*shape[:place], 1, *shape[place:])
    first = REGISTRY["reshape"](REGISTRY["broadcast_to"](start, shape=shape), shape=spread)
    last = REGISTRY["reshape"](REGISTRY["broadcast_to"](stop, shape=shape), shape=spread)
    return first * (1 - column) + last * column


@operation
def shape(input: Any, out_type: Any = "int32", name: str | None = None) -> Any:
    """The sizes of a tensor, as a tensor."""
    return known(np.array(convert(input).type.shape, as_dtype(out_type).numpy))


@operation
def shape_n(input: Any, out_type: Any = "int32", name: str | None = None) -> list[Any]:
    """The sizes of each of several tensors."""
    return [shape(x, out_type) for x in input]


@operation
def size(input: Any, out_type: Any = "int32", name: str | None = None) -> Any:
    """How many elements a tensor has."""
    return known(np.array(convert(input).type.size, as_dtype(out_type).numpy))


@operation
def rank(input: Any, name: str | None = None) -> Any:
    """How many dimensions a tensor has."""
    return known(np.array(convert(input).ndim, int32.numpy))


@operation
def identity(input: Any, name: str | None = None) -> Any:
    """The tensor itself."""
    return REGISTRY["identity"](convert(input))


@operation
def identity_n(input: Any, name: str | None = None) -> list[Any]:
    """Several tensors themselves."""
    return [identity(x) for x in input]


def get_static_value(tensor: Any, partial: bool = False) -> Any:
    """The values of a tensor as a NumPy array; None if they come only when the program runs.

    With `partial`, a list of a vector's values where any is known: so also where all are.
    """
    array = constant_value(convert(tensor))
    return array.tolist() if partial and array is not None and array.ndim == 1 else array


@operation
def stop_gradient(input: Any, name: str | None = None) -> Any:
    """The tensor, through which no derivative flows."""
    return REGISTRY["stop_gradient"](convert(input))


@operation
def ensure_shape(x: Any, shape: Any, name: str | None = None) -> Any:
    """The tensor, if its shape fits; InvalidArgumentError if not."""
    x = convert(x)
    if shape is not None and not TensorShape(shape).is_compatible_with(x.type.shape):
        raise InvalidArgumentError(
            message("ensure_shape", "another shape", expected=str(TensorShape(shape)),
                    received={"x": x.type})
        )  # fmt: skip
    return x


@operation
def meshgrid(*args: Any, indexing: str = "xy", name: str | None = None) -> list[Any]:
    """The coordinates of a grid, an array an axis: by columns and rows (xy), or by axes (ij).

    >>> [x.numpy().tolist() for x in meshgrid([1, 2, 3], [4, 5])]
    [[[1, 2, 3], [1, 2, 3]], [[4, 4, 4], [5, 5, 5]]]
    """
    if indexing not in ("xy", "ij"):
        raise misfit("meshgrid", "no such indexing", "'xy' or 'ij'", indexing=repr(indexing))
    axes = [convert(a) for a in args]
    order = [1, 0, *np.arange(2, len(axes))] if indexing == "xy" and len(axes) > 1 else None
    places = order or list(np.arange(len(axes)))
    shape = [0] * len(axes)
    for axis, place in zip(axes, places, strict=True):
        shape[place] = axis.type.size
    spread = [
        REGISTRY["reshape"](a, shape=tuple(-1 if i == p else 1 for i in np.arange(len(axes))))
        for a, p in zip(axes, places, strict=True)
    ]
    return [REGISTRY["broadcast_to"](a, shape=tuple(shape)) for a in spread]
