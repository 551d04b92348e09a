"""Other shapes of the same elements: reshape, transpose, concat, stack, split, tile, pad, roll."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from slipstream.errors import InvalidArgumentError, message
from slipstream.ops.array import number_of, sizes_of
from slipstream.primitives import structure
from slipstream.primitives.base import REGISTRY
from slipstream.primitives.structure import slice_along
from slipstream.runtime.convert import convert, convert_together
from slipstream.runtime.dispatch import operation
from slipstream.runtime.shape import TensorShape


def axis_of(operation: str, axis: Any, rank: int) -> int:
    """An axis counted from the front; InvalidArgumentError outside [-rank, rank)."""
    number = number_of(operation, axis)
    if not -rank <= number < rank:
        raise InvalidArgumentError(
            message(operation, "there is no such axis", expected=f"[-{rank}, {rank})",
                    received={"axis": number})
        )  # fmt: skip
    return number % rank


@operation
def reshape(tensor: Any, shape: Any, name: str | None = None) -> Any:
    """The elements in row-major order in another shape; one size may be -1.

    >>> reshape([1, 2, 3, 4], [2, -1]).numpy().tolist()
    [[1, 2], [3, 4]]
    """
    return structure.reshape(convert(tensor), shape=sizes_of("reshape", shape))


@operation
def transpose(a: Any, perm: Any = None, conjugate: bool = False, name: str | None = None) -> Any:
    """Axis i of the result is axis perm[i]; by default all axes in reverse."""
    a = convert(a)
    rank = a.ndim
    order = range(rank - 1, -1, -1) if perm is None else sizes_of("transpose", perm)
    moved = structure.transpose(a, permutation=tuple(i % rank if rank else i for i in order))
    return REGISTRY["conjugate"](moved) if conjugate and a.dtype.is_complex else moved


@operation
def expand_dims(input: Any, axis: Any, name: str | None = None) -> Any:
    """A new axis of size 1 at a place."""
    x = convert(input)
    place = axis_of("expand_dims", axis, x.ndim + 1)
    return structure.reshape(x, shape=(*x.type.shape[:place], 1, *x.type.shape[place:]))


@operation
def squeeze(input: Any, axis: Any = None, name: str | None = None) -> Any:
    """Without the axes of size 1, or without those given."""
    x = convert(input)
    if axis is None or (isinstance(axis, (list, tuple)) and not axis):
        return structure.reshape(x, shape=tuple(n for n in x.type.shape if n != 1))
    chosen = {axis_of("squeeze", a, x.ndim) for a in np.atleast_1d(axis)}
    for place in chosen:
        if x.type.shape[place] != 1:
            raise InvalidArgumentError(
                message("squeeze", f"Can not squeeze dim[{place}], expected a dimension of 1",
                        received={"input": x.type})
            )  # fmt: skip
    kept = tuple(n for i, n in enumerate(x.type.shape) if i not in chosen)
    return structure.reshape(x, shape=kept)


@operation
def concat(values: Any, axis: Any, name: str | None = None) -> Any:
    """The tensors one after the other along an axis."""
    tensors = convert_together(*values) if isinstance(values, (list, tuple)) else [convert(values)]
    place = axis_of("concat", axis, tensors[0].ndim)
    return structure.concat(*tensors, axis=place) if len(tensors) > 1 else tensors[0]


@operation
def stack(values: Any, axis: int = 0, name: str = "stack") -> Any:
    """Tensors of one shape along a new axis."""
    tensors = convert_together(*values) if isinstance(values, (list, tuple)) else list(values)
    shapes = {t.type.shape for t in tensors}
    if len(shapes) > 1:
        raise InvalidArgumentError(
            message("stack", "Shapes of all inputs must match",
                    received={"shapes": sorted(shapes)})
        )  # fmt: skip
    place = axis_of("stack", axis, tensors[0].ndim + 1)
    shape = tensors[0].type.shape
    wide = [structure.reshape(t, shape=(*shape[:place], 1, *shape[place:])) for t in tensors]
    return structure.concat(*wide, axis=place) if len(wide) > 1 else wide[0]


@operation
def unstack(value: Any, num: int | None = None, axis: int = 0, name: str = "unstack") -> list[Any]:
    """The slices along an axis, without it."""
    value = convert(value)
    place = axis_of("unstack", axis, value.ndim)
    count = value.type.shape[place]
    if num is not None and num != count:
        raise ValueError(f"Dimension must be {num} but is {count} for 'unstack'")
    rest = (*value.type.shape[:place], *value.type.shape[place + 1 :])
    parts = (slice_along(value, place, i, i + 1) for i in range(count))
    return [structure.reshape(part, shape=rest) for part in parts]


@operation
def split(
    value: Any, num_or_size_splits: Any, axis: Any = 0, num: int | None = None,
    name: str = "split",
) -> list[Any]:  # fmt: skip
    """Parts along an axis: equal ones by their number, or of given sizes (one may be -1)."""
    value = convert(value)
    place = axis_of("split", axis, value.ndim)
    total = value.type.shape[place]
    if isinstance(num_or_size_splits, (int, np.integer)):
        if total % num_or_size_splits:
            raise InvalidArgumentError(
                message("split", f"{num_or_size_splits} parts do not divide the axis evenly",
                        received={"value": value.type, "axis": place})
            )  # fmt: skip
        sizes = [total // int(num_or_size_splits)] * int(num_or_size_splits)
    else:
        sizes = list(sizes_of("split", num_or_size_splits))
        if -1 in sizes:
            sizes[sizes.index(-1)] = total - sum(sizes) - 1
    if sum(sizes) != total or min(sizes, default=0) < 0:
        raise InvalidArgumentError(
            message("split", "the sizes do not add up to the axis",
                    received={"sizes": sizes, "value": value.type})
        )  # fmt: skip
    starts = np.cumsum([0, *sizes]).tolist()
    return [slice_along(value, place, a, b) for a, b in itertools.pairwise(starts)]


@operation
def tile(input: Any, multiples: Any, name: str | None = None) -> Any:
    """The tensor repeated `multiples[i]` times along each axis."""
    x = convert(input)
    times = sizes_of("tile", multiples)
    if len(times) != x.ndim:
        raise InvalidArgumentError(
            message("tile", "one multiple an axis is needed",
                    received={"input": x.type, "multiples": times})
        )  # fmt: skip
    shape = x.type.shape
    spread = structure.reshape(x, shape=tuple(s for n in shape for s in (1, n)))
    pairs = zip(times, shape, strict=True)
    wide = structure.broadcast_to(spread, shape=tuple(s for m, n in pairs for s in (m, n)))
    return structure.reshape(wide, shape=tuple(m * n for m, n in zip(times, shape, strict=True)))


@operation
def repeat(input: Any, repeats: Any, axis: Any = None, name: str | None = None) -> Any:
    """Each slice along an axis several times; without an axis, each element of the flat tensor."""
    x = convert(input)
    if axis is None:
        x, axis = structure.reshape(x, shape=(-1,)), 0
    place = axis_of("repeat", axis, x.ndim)
    counts = sizes_of("repeat", repeats)
    numbers = np.repeat(np.arange(x.type.shape[place]), counts[0] if len(counts) == 1 else counts)
    return REGISTRY["gather"](x, convert(numbers.astype(np.int32)), axis=place, batch_dims=0)


@operation
def broadcast_to(input: Any, shape: Any, name: str | None = None) -> Any:
    """The tensor repeated along sizes of 1 and new leading axes, up to a shape."""
    return structure.broadcast_to(convert(input), shape=sizes_of("broadcast_to", shape))


def broadcast_static_shape(shape_x: Any, shape_y: Any) -> TensorShape:
    """The shape that both shapes broadcast to."""
    return TensorShape(np.broadcast_shapes(tuple(shape_x), tuple(shape_y)))


@operation
def broadcast_dynamic_shape(shape_x: Any, shape_y: Any) -> Any:
    """The same, of shapes that are tensors."""
    sizes = [sizes_of("broadcast_dynamic_shape", s) for s in (shape_x, shape_y)]
    return convert(np.array(np.broadcast_shapes(*sizes), np.int32))


@operation
def pad(
    tensor: Any, paddings: Any, mode: str = "CONSTANT", constant_values: Any = 0,
    name: str | None = None,
) -> Any:  # fmt: skip
    """`paddings[i]` = (before, after) elements on axis i: a constant, or the tensor mirrored.

    REFLECT leaves out the border in its mirror image, SYMMETRIC repeats it.
    """
    x = convert(tensor)
    given = np.array(
        sizes_of("pad", np.ravel(paddings) if not hasattr(paddings, "dtype") else paddings)
    )
    if given.size != 2 * x.ndim:
        raise InvalidArgumentError(
            message("pad", "paddings must have shape [rank, 2]", received={"tensor": x.type})
        )
    pairs = given.reshape(-1, 2).tolist()
    if mode.upper() == "CONSTANT":
        low, high = tuple(p[0] for p in pairs), tuple(p[1] for p in pairs)
        value = convert(constant_values, x.dtype)
        return structure.pad(x, value, low=low, high=high, interior=(0,) * x.ndim)
    if mode.upper() not in ("REFLECT", "SYMMETRIC"):
        raise ValueError(
            f"Value of argument `mode` is not CONSTANT, REFLECT or SYMMETRIC: {mode!r}"
        )
    for axis, (before, after) in enumerate(pairs):
        x = _mirrored(x, axis, before, after, 1 if mode.upper() == "REFLECT" else 0)
    return x


def _mirrored(x: Any, axis: int, before: int, after: int, skip: int) -> Any:
    n = x.type.shape[axis]
    if max(before, after) > n - skip:
        raise InvalidArgumentError(
            message("pad", "a mirrored border is no wider than the tensor",
                    received={"axis": axis, "size": n, "paddings": (before, after)})
        )  # fmt: skip
    parts = [x]
    if before:
        head = slice_along(x, axis, skip, skip + before)
        parts.insert(0, structure.reverse(head, axes=(axis,)))
    if after:
        tail = slice_along(x, axis, n - skip - after, n - skip)
        parts.append(structure.reverse(tail, axes=(axis,)))
    return structure.concat(*parts, axis=axis) if len(parts) > 1 else x


@operation
def reverse(tensor: Any, axis: Any, name: str | None = None) -> Any:
    """Back to front along axes."""
    x = convert(tensor)
    axes = tuple(axis_of("reverse", a, x.ndim) for a in sizes_of("reverse", axis))
    return structure.reverse(x, axes=axes)


@operation
def roll(input: Any, shift: Any, axis: Any, name: str | None = None) -> Any:
    """Elements moved by `shift` places along axes; what falls off comes in at the other end."""
    x = convert(input)
    shifts, axes = sizes_of("roll", shift), sizes_of("roll", axis)
    for amount, chosen in zip(shifts, axes, strict=True):
        place = axis_of("roll", chosen, x.ndim)
        n = x.type.shape[place]
        cut = -amount % n if n else 0
        if cut:
            head, tail = slice_along(x, place, 0, cut), slice_along(x, place, cut, n)
            x = structure.concat(tail, head, axis=place)
    return x


@operation
def matrix_transpose(a: Any, name: str | None = None, conjugate: bool = False) -> Any:
    """The last two axes exchanged."""
    a = convert(a)
    rank = a.ndim
    if rank < 2:
        raise ValueError(f"Argument `a` should be a (batch) matrix with rank 2 or more: {a.type}")
    order = (*range(rank - 2), rank - 1, rank - 2)
    moved = structure.transpose(a, permutation=order)
    return REGISTRY["conjugate"](moved) if conjugate and a.dtype.is_complex else moved


@operation
def matrix_adjoint(matrix: Any, name: str | None = None) -> Any:
    """The last two axes exchanged, and complex numbers conjugated."""
    return matrix_transpose(matrix, conjugate=True)
