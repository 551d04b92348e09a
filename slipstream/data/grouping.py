"""Groups of elements: batch, padded_batch, unbatch, window."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from slipstream.data.elements import NestedDatasets, Row, array_of, stack
from slipstream.data.indices import rechunked
from slipstream.data.stage import UNKNOWN, Following, Stage
from slipstream.errors import InvalidArgumentError, message
from slipstream.ir.graph import Array
from slipstream.runtime.function import TensorSpec
from slipstream.runtime.structure import flatten, map_structure, pack


def grouped(rows: Iterator[Row], size: int, drop_remainder: bool) -> Iterator[list[Row]]:
    """Lists of `size` rows; the last may be shorter."""
    while group := list(itertools.islice(rows, size)):
        if len(group) == size or not drop_remainder:
            yield group


class Batched(Following):
    """Several elements as one."""

    label = "Batch"

    def __init__(self, before: Stage, size: int, drop_remainder: bool) -> None:
        if size < 1:
            raise ValueError(f"batch_size={size} is not positive")
        super().__init__(before)
        self._size, self._drop = size, drop_remainder

    @property
    def element_spec(self) -> Any:
        full = self._drop or (self.before.size() >= 0 and self.before.size() % self._size == 0)
        first = self._size if self._drop and full else None
        return map_structure(
            lambda s: TensorSpec(None if s.shape is None else (first, *s.shape), s.dtype),
            self.before.element_spec,
        )

    def size(self) -> int:
        size = self.before.size()
        if size < 0:
            return size
        return size // self._size if self._drop else -(-size // self._size)

    def rows(self) -> Iterator[Row]:
        stream = self.before.index_stream()
        if stream is not None:  # one gather a batch
            chunks = rechunked(stream.blocks, self._size, self._drop)
            return (stream.gather(chunk) for chunk in chunks)
        return map(_stacked, grouped(self.before.rows(), self._size, self._drop))


def _stacked(rows: list[Row]) -> Row:
    try:
        return stack(rows)
    except ValueError:
        shapes = sorted({str(tuple(a.shape for a in row)) for row in rows})[:3]
        raise InvalidArgumentError(
            message(
                "batch",
                "the elements of a batch have different shapes",
                received={"shapes": ", ".join(shapes)},
                hint="padded_batch",
            )
        ) from None


class PaddedBatched(Following):
    """Several elements as one, padded at their ends to one shape."""

    label = "PaddedBatch"

    def __init__(
        self, before: Stage, size: int, shapes: Any, values: Any, drop_remainder: bool
    ) -> None:
        super().__init__(before)
        self._size, self._drop = size, drop_remainder
        specs = flatten(before.element_spec)
        given = _leaf_shapes(shapes, before.element_spec) if shapes is not None else None
        self._shapes = given or [s.shape for s in specs]
        fill = flatten(values) if values is not None else [None]
        fill = fill * len(specs) if len(fill) == 1 else fill
        self._fill = [
            (b"" if s.dtype.kind == "string" else 0) if v is None else array_of(v)
            for v, s in zip(fill, specs, strict=True)
        ]

    @property
    def element_spec(self) -> Any:
        first = self._size if self._drop else None
        specs = flatten(self.before.element_spec)
        made = [
            TensorSpec((first, *(None if n in (None, -1) else n for n in shape)), s.dtype)
            for shape, s in zip(self._shapes, specs, strict=True)
        ]
        return pack(self.before.element_spec, made)

    def size(self) -> int:
        size = self.before.size()
        return size if size < 0 else (size // self._size if self._drop else -(-size // self._size))

    def rows(self) -> Iterator[Row]:
        for group in grouped(self.before.rows(), self._size, self._drop):
            columns = zip(zip(*group, strict=True), self._shapes, self._fill, strict=True)
            yield tuple(_padded(arrays, shape, value) for arrays, shape, value in columns)


def _leaf_shapes(shapes: Any, spec: Any) -> list[Any]:
    """One shape a leaf of the spec: a structure like it, with shapes at its leaves."""
    if isinstance(spec, TensorSpec):
        return [shapes]
    if isinstance(spec, dict):
        return [leaf for key in sorted(spec) for leaf in _leaf_shapes(shapes[key], spec[key])]
    return [x for shape, s in zip(shapes, spec, strict=True) for x in _leaf_shapes(shape, s)]


def _padded(arrays: tuple[Array, ...], shape: Any, value: Any) -> Array:
    largest = np.max([a.shape for a in arrays], axis=0, initial=0) if arrays[0].ndim else ()
    sizes = [int(m) if n in (None, -1) else int(n) for n, m in zip(shape, largest, strict=True)]
    if any(n < m for n, m in zip(sizes, largest, strict=True)):
        raise InvalidArgumentError(
            f"[padded_batch] an element of shape {tuple(largest)} does not fit into {sizes}"
        )
    out = np.full((len(arrays), *sizes), value, arrays[0].dtype)
    for i, array in enumerate(arrays):
        out[(i, *(slice(n) for n in array.shape))] = array
    return out


class Unbatched(Following):
    """The slices of each element."""

    label = "Unbatch"

    @property
    def element_spec(self) -> Any:
        return map_structure(
            lambda s: TensorSpec(None if s.shape is None else s.shape[1:], s.dtype),
            self.before.element_spec,
        )

    def size(self) -> int:
        firsts = [s.shape[0] if s.shape else None for s in flatten(self.before.element_spec)]
        size = self.before.size()
        return size * firsts[0] if size >= 0 and firsts[0] is not None else UNKNOWN

    def rows(self) -> Iterator[Row]:
        for row in self.before.rows():
            if len({len(a) for a in row}) > 1:
                raise InvalidArgumentError("[unbatch] the parts differ in their first dimension")
            yield from (tuple(np.asarray(a[i]) for a in row) for i in range(len(row[0])))


class Held(Stage):
    """Elements that are there already."""

    label = "Variant"

    def __init__(self, rows: list[Row], spec: Any) -> None:
        self._rows, self._spec = rows, spec

    @property
    def element_spec(self) -> Any:
        return self._spec

    def size(self) -> int:
        return len(self._rows)

    def rows(self) -> Iterator[Row]:
        return iter(self._rows)


class Windowed(Following):
    """Datasets of neighbouring elements; `face` makes what the user sees of a stage."""

    label = "Window"

    def __init__(
        self, before: Stage, face: Callable[[Stage], Any], sizes: tuple[int, int, int], drop: bool
    ) -> None:
        super().__init__(before)
        self._face, self._drop = face, drop
        self._size, self._shift, self._stride = sizes
        if min(sizes) < 1:
            raise ValueError(f"size, shift and stride are positive; received {sizes}")

    @property
    def element_spec(self) -> Any:
        return map_structure(NestedDatasets, self.before.element_spec)

    def size(self) -> int:
        size = self.before.size()
        if size < 0:
            return size
        reach = (self._size - 1) * self._stride + 1 if self._drop else 1
        return max(0, (size - reach) // self._shift + 1)

    def rows(self) -> Iterator[Row]:
        source, held, start = self.before.rows(), [], 0
        reach = (self._size - 1) * self._stride + 1
        while True:
            held += itertools.islice(source, max(0, start + reach - len(held)))
            chosen = held[start : start + reach : self._stride]
            if not chosen or (self._drop and len(chosen) < self._size):
                return
            yield self._datasets(chosen)
            start += self._shift
            held, start = held[start:], max(0, start - len(held))
            for _ in itertools.islice(source, start):
                pass
            start = 0

    def _datasets(self, rows: list[Row]) -> Row:
        specs = flatten(self.before.element_spec)
        columns = zip(zip(*rows, strict=True), specs, strict=True)
        return tuple(self._face(Held([(a,) for a in column], s)) for column, s in columns)
