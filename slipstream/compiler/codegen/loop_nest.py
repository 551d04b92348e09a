"""Code for a loop nest: element-wise work on strided arrays, and reductions of it.

One axis is split into vectors. Each value is computed in the outermost loop that knows it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

from llvmlite import ir

from slipstream.compiler.codegen.reducers import combine, horizontal, identity
from slipstream.compiler.codegen.scalars import convert, emit
from slipstream.compiler.codegen.vector import I32, I64, Writer
from slipstream.compiler.kernels import Access, Apply, Counter, Load, LoopNest, Number, Store
from slipstream.compiler.target import Target
from slipstream.ir.dtypes import int64

ENOUGH_TURNS = 64  # of the loops that threads divide
FEWEST = 4  # elements along an axis that are worth vectors


def vector_axis(nest: LoopNest) -> int | None:
    """The axis that vectors run along: where most accesses lie together, the last of such."""
    accesses = [i.access for i in nest.body if isinstance(i, Load)]
    accesses += [s.access for s in nest.stores]

    def merit(axis: int) -> tuple[int, bool, int]:
        together = sum(a.strides[axis] == 1 for a in accesses)
        apart = sum(a.strides[axis] not in (0, 1) for a in accesses)
        return together - apart, nest.shape[axis] >= FEWEST, axis

    return max(range(len(nest.shape)), key=merit, default=None)


def lanes(nest: LoopNest, target: Target) -> int:
    """How many elements go at once: of the widest dtype, what a vector holds; fewer if few."""
    axis = vector_axis(nest)
    if axis is None:
        return 1
    widest = max([i.dtype.bits for i in nest.body] + [s.dtype.bits for s in nest.stores])
    return min(target.lanes(widest), 1 << (nest.shape[axis] - 1).bit_length())


def write_loop_nest(module: ir.Module, name: str, nest: LoopNest, target: Target) -> Any:
    """The function of a nest, called with its buffers."""
    writer = Writer(module, name, nest.buffers, lanes(nest, target))
    _Nest(writer, nest).write()
    writer.b.ret_void()
    return writer.function


class _Nest:
    """A nest under construction. `places` are the offsets of all accesses at the counters."""

    def __init__(self, writer: Writer, nest: LoopNest) -> None:
        self.w, self.nest, self.vector = writer, nest, vector_axis(nest)
        rank = len(nest.shape)
        self.order = sorted(range(rank), key=lambda i: (nest.reduced[i], i == self.vector, i))
        self.kept = rank - sum(nest.reduced)
        self.accesses = [i.access for i in nest.body if isinstance(i, (Load, Counter))]
        self.accesses += [s.access for s in nest.stores]
        self.reductions = [s for s in nest.stores if s.reduction is not None]
        self.levels: list[int] = []
        for instruction in nest.body:
            self.levels.append(self._level(instruction))
        self.values: list[Any] = [None] * len(nest.body)

    def _level(self, instruction: Any) -> int:
        """After how many loops the value is known."""
        if isinstance(instruction, Apply):
            return max((self.levels[i] for i in instruction.arguments), default=0)
        if isinstance(instruction, Number):
            return 0
        strides = instruction.access.strides
        return max((i + 1 for i, axis in enumerate(self.order) if strides[axis]), default=0)

    def write(self) -> None:
        places = {a: I64(a.offset) for a in self.accesses}
        shared = self._shared_levels()
        if shared:
            self._share(shared, places)
        elif self.kept:
            self._share_vectors(places)
        else:
            self._walk(0, places, None, ())

    def _shared_levels(self) -> int:
        """How many loops from outside threads divide among them; none but the vectors' is left."""
        levels, turns = 0, 1
        for axis in self.order[: self.kept]:
            if axis == self.vector or turns >= ENOUGH_TURNS:
                break
            levels, turns = levels + 1, turns * self.nest.shape[axis]
        return levels

    def _share(self, levels: int, places: dict[Access, Any]) -> None:
        axes = self.order[:levels]
        sizes = [self.nest.shape[axis] for axis in axes]
        self._evaluate(0, places, None)

        def once(number: Any) -> None:
            moved = places
            for axis, counter in zip(axes, self.w.digits(number, sizes), strict=True):
                moved = self._moved(moved, axis, counter)
            for level in range(1, levels):
                self._evaluate(level, moved, None)
            self._walk(levels, moved, None, ())

        self.w.each_of_mine(math.prod(sizes), once)

    def _share_vectors(self, places: dict[Access, Any]) -> None:
        """Each thread has some of the vectors, the last one also what is left."""
        axis, step = self.order[0], self.w.lanes
        size = self.nest.shape[axis]
        self._evaluate(0, places, None)

        def once(number: Any) -> None:
            counter = self.w.b.mul(number, I64(step), flags=("nsw",))
            self._walk(1, self._moved(places, axis, counter), None, ())

        if size >= step:
            self.w.each_of_mine(size // step, once)
        if size % step:
            with self.w.when_last():
                moved = self._moved(places, axis, I64(size - size % step))
                self._walk(1, moved, size % step, ())

    def _walk(
        self, level: int, places: dict[Access, Any], count: int | None, carried: Sequence[Any]
    ) -> Sequence[Any]:
        """The loops from `level` on; `count` lanes are in force, all if None."""
        if level == self.kept and self.reductions and not carried:
            carried = [identity(self.w, s.reduction, s.dtype) for s in self.reductions]
            totals = self._enter(level, places, count, carried)
            self._store_totals(totals, places, count)
            return ()
        return self._enter(level, places, count, carried)

    def _enter(
        self, level: int, places: dict[Access, Any], count: int | None, carried: Sequence[Any]
    ) -> Sequence[Any]:
        self._evaluate(level, places, count)
        if level == len(self.order):
            return self._finish(places, count, carried)
        axis = self.order[level]
        size = self.nest.shape[axis]
        step = self.w.lanes if axis == self.vector else 1
        whole = size - size % step
        if whole:
            body = partial(self._body, level, places, count)
            carried = self.w.loop(whole, body, carried, step)
        if size > whole:
            moved = self._moved(places, axis, I64(whole))
            carried = self._walk(level + 1, moved, size - whole, carried)
        return carried

    def _evaluate(self, level: int, places: dict[Access, Any], count: int | None) -> None:
        """What is known once this many loops are open."""
        for index, at in enumerate(self.levels):
            if at == level:
                self.values[index] = self._value(self.nest.body[index], places, count)

    def _body(
        self,
        level: int,
        places: dict[Access, Any],
        count: int | None,
        counter: Any,
        carried: Sequence[Any],
    ) -> Sequence[Any]:
        moved = self._moved(places, self.order[level], counter)
        return self._walk(level + 1, moved, count, carried)

    def _moved(self, places: dict[Access, Any], axis: int, counter: Any) -> dict[Access, Any]:
        return {a: self.w.offset(p, counter, a.strides[axis]) for a, p in places.items()}

    def _along(self, access: Access) -> int:
        return 0 if self.vector is None else access.strides[self.vector]

    def _value(self, instruction: Any, places: dict[Access, Any], count: int | None) -> Any:
        if isinstance(instruction, Number):
            return self.w.stored_number(instruction.bytes, instruction.dtype)
        if isinstance(instruction, Apply):
            return emit(self.w, instruction, [self.values[i] for i in instruction.arguments])
        place, along = places[instruction.access], self._along(instruction.access)
        if isinstance(instruction, Counter):
            index = self.w.splat(place)
            if along:
                steps = self.w.b.mul(self.w.counting(int64), self.w.constant(int64, along))
                index = self.w.b.add(index, steps)
            return convert(self.w, index, int64, instruction.dtype)
        return self._loaded(instruction, place, along, count)

    def _loaded(self, load: Load, place: Any, along: int, count: int | None) -> Any:
        pointer = self.w.buffers[load.access.buffer]
        if along == 0:
            return self.w.splat(self.w.load(pointer, place, load.dtype))
        if along == 1:
            mask = None if count is None else self.w.mask(count)
            return self.w.load_vector(pointer, place, load.dtype, mask)
        every = self.w.lanes if count is None else count
        return self.w.load_strided(pointer, place, load.dtype, along, every)

    def _finish(
        self, places: dict[Access, Any], count: int | None, carried: Sequence[Any]
    ) -> Sequence[Any]:
        """What happens once an element: the stores, and a step of the reductions."""
        for store in self.nest.stores:
            if store.reduction is None:
                self._store(store, self.values[store.value], places[store.access], count)
        return [
            combine(self.w, s.reduction, total, self._inside(s, count), s.dtype)
            for s, total in zip(self.reductions, carried, strict=True)
        ]

    def _inside(self, store: Store, count: int | None) -> Any:
        """The value to combine; lanes outside the array change nothing."""
        value = self.values[store.value]
        if count is None:
            return value
        return self.w.b.select(
            self.w.mask(count), value, identity(self.w, store.reduction, store.dtype)
        )

    def _store(self, store: Store, value: Any, place: Any, count: int | None) -> None:
        pointer, along = self.w.buffers[store.access.buffer], self._along(store.access)
        if along == 1:
            mask = None if count is None else self.w.mask(count)
            self.w.store_vector(value, pointer, place, store.dtype, mask)
        elif along == 0:
            self.w.store(self.w.b.extract_element(value, I32(0)), pointer, place, store.dtype)
        else:
            every = self.w.lanes if count is None else count
            self.w.store_strided(value, pointer, place, store.dtype, along, every)

    def _store_totals(
        self, totals: Sequence[Any], places: dict[Access, Any], count: int | None
    ) -> None:
        across = self.vector is not None and self.nest.reduced[self.vector]
        for store, total in zip(self.reductions, totals, strict=True):
            if across:
                total = horizontal(self.w, store.reduction, total, store.dtype)
            self._store(store, total, places[store.access], count)
