"""Other shapes of the same elements: reshape, transpose, concat, stack, split, tile, pad, roll."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from slipstream.errors import InvalidArgumentError, message
from slipstream.ops.array import filled, sizes_of
from slipstream.ops.axes import axis_of, known
from slipstream.primitives import structure
from slipstream.primitives.base import REGISTRY, misfit
from slipstream.primitives.indexing import able_to_hold, taken
from slipstream.primitives.structure import slice_along
from slipstream.runtime.convert import TensorLike, convert, convert_together
from slipstream.runtime.dispatch import operation
from slipstream.runtime.shape import TensorShape


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
    order = tuple(i + rank if -rank <= i < 0 else i for i in order)
    moved = structure.transpose(a, permutation=order)
    return REGISTRY["conjugate"](moved) if conjugate and a.dtype.is_complex else moved


@operation
def expand_dims(input: Any, axis: Any, name: str | None = None) -> Any:
    """A new axis of size 1 at a place."""
    x = convert(input)
    place = axis_of(axis, x.ndim + 1, "expand_dims")
    return structure.reshape(x, shape=(*x.type.shape[:place], 1, *x.type.shape[place:]))


@operation
def squeeze(input: Any, axis: Any = None, name: str | None = None) -> Any:
    """Without the axes of size 1, or without those given."""
    x = convert(input)
    if axis is None or (isinstance(axis, (list, tuple)) and not axis):
        return structure.reshape(x, shape=tuple(n for n in x.type.shape if n != 1))
    chosen = {axis_of(a, x.ndim, "squeeze") for a in np.atleast_1d(axis)}
    for place in chosen:
        if x.type.shape[place] != 1:
            raise InvalidArgumentError(
                message("squeeze", f"axis {place} cannot go", expected="a size of 1",
                        received={"input": x.type})
            )  # fmt: skip
    kept = tuple(n for i, n in enumerate(x.type.shape) if i not in chosen)
    return structure.reshape(x, shape=kept)


@operation
def concat(values: Any, axis: Any, name: str | None = None) -> Any:
    """The tensors one after the other along an axis."""
    tensors = convert_together(*values) if isinstance(values, (list, tuple)) else [convert(values)]
    if not tensors:
        raise misfit("concat", "there are no tensors", "at least one")
    place = axis_of(axis, tensors[0].ndim, "concat")
    return structure.concat(*tensors, axis=place) if len(tensors) > 1 else tensors[0]


@operation
def stack(values: Any, axis: int = 0, name: str = "stack") -> Any:
    """Tensors of one shape along a new axis."""
    tensors = convert_together(*values)
    shapes = {t.type.shape for t in tensors}
    if not tensors:
        raise misfit("stack", "there are no tensors", "at least one")
    if len(shapes) > 1:
        raise misfit("stack", "the shapes differ", "one shape", shapes=sorted(shapes))
    place = axis_of(axis, tensors[0].ndim + 1, "stack")
    shape = tensors[0].type.shape
    wide = [structure.reshape(t, shape=(*shape[:place], 1, *shape[place:])) for t in tensors]
    return structure.concat(*wide, axis=place) if len(wide) > 1 else wide[0]


@operation
def unstack(value: Any, num: int | None = None, axis: int = 0, name: str = "unstack") -> list[Any]:
    """The slices along an axis, without it."""
    value = convert(value)
    place = axis_of(axis, value.ndim, "unstack")
    count = value.type.shape[place]
    if num is not None and num != count:
        raise misfit("unstack", f"the axis has {count} slices, not {num}", value=value.type)
    rest = (*value.type.shape[:place], *value.type.shape[place + 1 :])
    parts = (slice_along(value, place, i, i + 1) for i in range(count))
    return [structure.reshape(part, shape=rest) for part in parts]


def _part_sizes(total: int, wanted: Any) -> list[int]:
    """The sizes of parts that fill an axis: so many equal ones, or as given with one -1."""
    if not wanted.ndim:
        count = int(wanted)
        if count < 1 or total % count:
            text = f"{count} parts do not divide the axis of size {total} evenly"
            raise misfit("split", text)
        return [total // count] * count
    sizes = [int(n) for n in wanted]
    if -1 in sizes:
        sizes[sizes.index(-1)] = total - sum(sizes) - 1
    if sum(sizes) != total or min(sizes, default=0) < 0:
        text = f"the sizes do not add up to the axis of size {total}"
        raise misfit("split", text, sizes=wanted.tolist())
    return sizes


@operation
def split(
    value: Any, num_or_size_splits: Any, axis: Any = 0, num: int | None = None,
    name: str = "split",
) -> list[Any]:  # fmt: skip
    """Parts along an axis: equal ones by their number, or of given sizes (one may be -1)."""
    value = convert(value)
    place = axis_of(axis, value.ndim, "split")
    sizes = _part_sizes(value.type.shape[place], known(num_or_size_splits, "split", "the split"))
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
    place = axis_of(axis, x.ndim, "repeat")
    counts, size = sizes_of("repeat", repeats), x.type.shape[place]
    if len(counts) not in (1, size) or min(counts, default=0) < 0:
        raise misfit("repeat", f"not one count for each of {size}", repeats=counts, input=x.type)
    numbers = np.repeat(np.arange(size), counts[0] if len(counts) == 1 else counts)
    return taken(x, convert(numbers.astype(np.int32)), axis=place)


@operation
def broadcast_to(input: Any, shape: Any, name: str | None = None) -> Any:
    """The tensor repeated along sizes of 1 and new leading axes, up to a shape."""
    return structure.broadcast_to(convert(input), shape=sizes_of("broadcast_to", shape))


def broadcast_static_shape(shape_x: Any, shape_y: Any) -> TensorShape:
    """The shape that both shapes broadcast to; ValueError if there is none. Sizes may be None.

    >>> broadcast_static_shape(TensorShape([2, None]), TensorShape([3]))
    TensorShape([2, 3])
    """
    x, y = tuple(TensorShape(shape_x)), tuple(TensorShape(shape_y))
    pairs = list(itertools.zip_longest(reversed(x), reversed(y), fillvalue=1))
    for a, b in pairs:
        if a != b and None not in (a, b) and 1 not in (a, b):
            text = "the shapes do not broadcast"
            raise misfit("broadcast_static_shape", text, shape_x=x, shape_y=y)
    return TensorShape(reversed([_broadcast_size(a, b) for a, b in pairs]))


def _broadcast_size(a: int | None, b: int | None) -> int | None:
    """The size both broadcast to: an unknown one is the other, if that is known not to be 1."""
    sizes = [n for n in (a, b) if n != 1]
    return next((n for n in sizes if n is not None), sizes[0] if sizes else 1)


@operation
def broadcast_dynamic_shape(shape_x: Any, shape_y: Any) -> Any:
    """The same, of shapes that are tensors."""
    x, y = (sizes_of("broadcast_dynamic_shape", s) for s in (shape_x, shape_y))
    try:
        return convert(np.array(np.broadcast_shapes(x, y), np.int32))
    except ValueError:
        text = "the shapes do not broadcast"
        raise misfit("broadcast_dynamic_shape", text, shape_x=x, shape_y=y) from None


@operation
def pad(
    tensor: Any, paddings: Any, mode: str = "CONSTANT", constant_values: Any = 0,
    name: str | None = None,
) -> Any:  # fmt: skip
    """`paddings[i]` = (before, after) elements on axis i: a constant, or the tensor mirrored.

    REFLECT leaves out the border in its mirror image, SYMMETRIC repeats it.
    """
    x = convert(tensor)
    given = known(paddings, "pad", "paddings")
    if given.shape != (x.ndim, 2) or (given < 0).any():
        text = "paddings are a pair of numbers from 0 on an axis"
        raise misfit("pad", text, tensor=x.type, paddings=given.tolist())
    pairs = [(int(a), int(b)) for a, b in given]
    if mode.upper() == "CONSTANT":
        low, high = tuple(p[0] for p in pairs), tuple(p[1] for p in pairs)
        empty = not isinstance(constant_values, TensorLike) and np.all(constant_values == 0)
        value = filled((), x.dtype, 0) if empty else convert(constant_values, x.dtype)
        return structure.pad(x, value, low=low, high=high, interior=(0,) * x.ndim)
    if mode.upper() not in ("REFLECT", "SYMMETRIC"):
        raise misfit("pad", "no such mode", "CONSTANT, REFLECT or SYMMETRIC", mode=repr(mode))
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
    axes = tuple(axis_of(a, x.ndim, "reverse") for a in sizes_of("reverse", axis))
    return structure.reverse(x, axes=axes)


@operation
def roll(input: Any, shift: Any, axis: Any, name: str | None = None) -> Any:
    """Elements moved by `shift` places along axes; what falls off comes in at the other end."""
    x = convert(input)
    shifts, axes = sizes_of("roll", shift), sizes_of("roll", axis)
    if len(shifts) != len(axes):
        raise misfit("roll", "not one shift an axis", shift=shifts, axis=axes)
    for amount, chosen in zip(shifts, axes, strict=True):
        place = axis_of(chosen, x.ndim, "roll")
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
        raise misfit("matrix_transpose", "a matrix has two axes", "rank 2 or more", a=a.type)
    order = (*range(rank - 2), rank - 1, rank - 2)
    moved = structure.transpose(a, permutation=order)
    return REGISTRY["conjugate"](moved) if conjugate and a.dtype.is_complex else moved


@operation
def matrix_adjoint(matrix: Any, name: str | None = None) -> Any:
    """The last two axes exchanged, and complex numbers conjugated."""
    return matrix_transpose(matrix, conjugate=True)


@operation
def reverse_sequence(
    input: Any, seq_lengths: Any, seq_axis: int | None = None, batch_axis: int | None = None,
    name: str | None = None,
) -> Any:  # fmt: skip
    """The first seq_lengths[b] elements along seq_axis in reverse, for each b of batch_axis.

    >>> reverse_sequence([[1, 2, 3], [4, 5, 6]], [2, 3], seq_axis=1).numpy().tolist()
    [[2, 1, 3], [6, 5, 4]]
    """
    x, lengths = convert(input), convert(seq_lengths)
    axis, batch = (axis_of(a or 0, x.ndim, "reverse_sequence") for a in (seq_axis, batch_axis))
    if axis == batch or lengths.type.shape != (x.type.shape[batch],):
        text = "there must be one length for each of the batch, along another axis"
        raise misfit("reverse_sequence", text, input=x.type, seq_lengths=lengths.type)
    size = x.type.shape[axis]
    lengths = able_to_hold(lengths, size)
    column = structure.reshape(lengths, shape=(lengths.type.size, 1))
    numbers = structure.iota(shape=(lengths.type.size, size), axis=1, dtype=lengths.dtype)
    order = REGISTRY["select"](numbers < column, column - 1 - numbers, numbers)
    front = (batch, axis, *(i for i in np.arange(x.ndim).tolist() if i not in (batch, axis)))
    moved = structure.transpose(x, permutation=front)
    picked = REGISTRY["gather"](moved, order, axis=1, batch_dims=1)
    return structure.transpose(picked, permutation=tuple(np.argsort(front).tolist()))
