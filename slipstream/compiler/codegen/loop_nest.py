"""Code for a loop nest: element-wise work on strided arrays, and reductions of it.

One axis is split into vectors, of which a few go together: a unit each, as code in a row. Each
value is computed in the outermost loop that knows it.
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
MOST_UNITS = 4
UNIT_CODE = 32  # instructions of the body, over all units, that are worth unrolling
ENOUGH_BLOCKS = 8  # of vectors, where threads divide nothing else


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


def units(nest: LoopNest, lanes: int) -> int:
    """How many vectors go together: fewer where the body is long, or there are few of them."""
    axis = vector_axis(nest)
    if axis is None:
        return 1
    vectors = -(-nest.shape[axis] // lanes)
    if math.prod(nest.shape) == nest.shape[axis] or all(
        nest.reduced[i] for i in range(len(nest.shape)) if i != axis and nest.shape[i] > 1
    ):
        vectors //= ENOUGH_BLOCKS  # threads divide the vectors, if they divide anything
    most = min(MOST_UNITS, vectors, UNIT_CODE // max(1, len(nest.body)))
    return 1 << max(0, most.bit_length() - 1)


def write_loop_nest(module: ir.Module, name: str, nest: LoopNest, target: Target) -> Any:
    """The function of a nest, called with its buffers."""
    writer = Writer(module, name, nest.buffers, lanes(nest, target))
    _Nest(writer, nest, units(nest, writer.lanes)).write()
    writer.b.ret_void()
    return writer.function


class _Nest:
    """A nest under construction. `places` are the offsets of all accesses at the counters.

    A value is a list: an item a unit, or one for all of them where it is the same.
    """

    def __init__(self, writer: Writer, nest: LoopNest, units: int) -> None:
        self.w, self.nest, self.vector, self.units = writer, nest, vector_axis(nest), units
        rank = len(nest.shape)
        self.order = sorted(range(rank), key=lambda i: (nest.reduced[i], i == self.vector, i))
        self.kept = rank - sum(nest.reduced)
        self.accesses = [i.access for i in nest.body if isinstance(i, (Load, Counter))]
        self.accesses += [s.access for s in nest.stores]
        self.reductions = [s for s in nest.stores if s.reduction is not None]
        self.levels: list[int] = []
        self.varies: list[bool] = []  # along the vectors
        for instruction in nest.body:
            self.levels.append(self._level(instruction))
            self.varies.append(self._differs(instruction))
        self.values: list[list[Any]] = [[] for _ in nest.body]

    def _level(self, instruction: Any) -> int:
        """After how many loops the value is known."""
        if isinstance(instruction, Apply):
            return max((self.levels[i] for i in instruction.arguments), default=0)
        if isinstance(instruction, Number):
            return 0
        strides = instruction.access.strides
        return max((i + 1 for i, axis in enumerate(self.order) if strides[axis]), default=0)

    def _differs(self, instruction: Any) -> bool:
        """Whether the units have values of their own."""
        if isinstance(instruction, Apply):
            return any(self.varies[i] for i in instruction.arguments)
        return not isinstance(instruction, Number) and self._along(instruction.access) != 0

    @property
    def block(self) -> int:
        """Elements along the vectors that go together."""
        return self.w.lanes * self.units

    def _counts(self, count: int | None) -> list[int | None]:
        """Lanes in force of each unit that has any, all if None; of so many elements in all."""
        if count is None:
            return [None] * self.units
        full, rest = divmod(count, self.w.lanes)
        return [None] * full + ([rest] if rest else [])

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
        """Each thread has some of the blocks, the last one also what is left."""
        axis, step = self.order[0], self.block
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
        """The loops from `level` on; `count` elements of the block are in force, all if None.

        What is carried are the totals: of every reduction, one a unit.
        """
        if level == self.kept and self.reductions and not carried:
            carried = [
                identity(self.w, s.reduction, s.dtype)
                for s in self.reductions
                for _ in range(self.units)
            ]
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
        step = self.block if axis == self.vector else 1
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
                self.values[index] = self._value(index, places, count)

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

    def _at(self, access: Access, places: dict[Access, Any], unit: int) -> Any:
        """Where a unit begins."""
        return self.w.offset(places[access], I64(unit * self.w.lanes), self._along(access))

    def _value(self, index: int, places: dict[Access, Any], count: int | None) -> list[Any]:
        """The value of an instruction: for every unit, or once for all."""
        instruction = self.nest.body[index]
        counts = self._counts(count) if self.varies[index] else [None]
        return [self._unit(instruction, places, u, lanes) for u, lanes in enumerate(counts)]

    def _of(self, index: int, unit: int) -> Any:
        return self.values[index][unit if self.varies[index] else 0]

    def _unit(
        self, instruction: Any, places: dict[Access, Any], unit: int, count: int | None
    ) -> Any:
        if isinstance(instruction, Number):
            return self.w.stored_number(instruction.bytes, instruction.dtype)
        if isinstance(instruction, Apply):
            return emit(self.w, instruction, [self._of(i, unit) for i in instruction.arguments])
        place, along = self._at(instruction.access, places, unit), self._along(instruction.access)
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
        """What happens once a block: the stores, and a step of the reductions."""
        counts = self._counts(count) if self.vector is not None else [None]
        for store in self.nest.stores:
            if store.reduction is None:
                self._store_units(store, places, counts)
        totals = [*carried]
        for number, store in enumerate(self.reductions):
            for unit, lanes in enumerate(counts):
                at = number * self.units + unit
                value = self._inside(store, self._of(store.value, unit), lanes)
                totals[at] = combine(self.w, store.reduction, totals[at], value, store.dtype)
        return totals

    def _inside(self, store: Store, value: Any, count: int | None) -> Any:
        """The value to combine; lanes outside the array change nothing."""
        if count is None:
            return value
        return self.w.b.select(
            self.w.mask(count), value, identity(self.w, store.reduction, store.dtype)
        )

    def _store_units(
        self, store: Store, places: dict[Access, Any], counts: Sequence[int | None]
    ) -> None:
        single = self._along(store.access) == 0  # the same place for all
        for unit, count in enumerate(counts[:1] if single else counts):
            place = self._at(store.access, places, unit)
            self._store(store, self._of(store.value, unit), place, count)

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
        for number, store in enumerate(self.reductions):
            own = totals[number * self.units : (number + 1) * self.units]
            if across:
                self._store(store, self._together(store, own), places[store.access], count)
                continue
            counts = self._counts(count) if self.vector is not None else [None]
            for unit, (total, lanes) in enumerate(zip(own, counts, strict=False)):
                self._store(store, total, self._at(store.access, places, unit), lanes)

    def _together(self, store: Store, totals: Sequence[Any]) -> Any:
        """The totals of all units and lanes in the first lane, in a fixed order."""
        first, *others = totals
        for other in others:
            first = combine(self.w, store.reduction, first, other, store.dtype)
        return horizontal(self.w, store.reduction, first, store.dtype)
