"""A compiled program, ready to run: native segments, and calls to NumPy between them."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

import numpy as np

from slipstream.compiler import cache, collector, recipe
from slipstream.compiler.code import loaded
from slipstream.compiler.codegen.emit import Calls, Segment
from slipstream.compiler.codegen.image import Image, LinkedByLLVM, linked
from slipstream.compiler.codegen.team import Turns
from slipstream.compiler.kernels import Bounds, Kernel, Load, LoopNest, TimeLoop, sharing
from slipstream.compiler.passes.lay import Call
from slipstream.compiler.passes.meet import Region, barriers
from slipstream.compiler.passes.picked import indices_of, limit_of
from slipstream.compiler.pipeline import KernelStep, Schedule, schedule
from slipstream.compiler.recipe import Check, Known, Part, Place, Recipe
from slipstream.compiler.target import Target, target
from slipstream.compiler.threads import repeater, team
from slipstream.compiler.views import View, is_whole
from slipstream.errors import OpError, located
from slipstream.ir.graph import Array, Constant, Graph, Node, Value
from slipstream.ir.memory import aligned, allocator
from slipstream.primitives.indexing import check_bounds
from slipstream.primitives.loops import scan, while_loop

SEGMENT = ctypes.CFUNCTYPE(
    None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p
)  # table, number of the thread, how many threads, team


def load(graph: Graph, in_place: tuple[tuple[int, int], ...] = ()) -> Program:
    """The compiled program of a graph: called with an array an input, it returns one an output.

    A pair (i, j) of `in_place` says that output j is the new content of the variable that comes as
    input i: that array is written and returned. It must be contiguous, and nobody else's.
    """
    chosen = target()
    key = recipe.key_of(graph, in_place, chosen)
    kept = recalled(key, chosen)
    if kept is not None:
        return Recalled(*kept, in_place)
    with collector.paused():
        program = Program(schedule(graph, in_place), in_place)
    if key is not None and program.is_plain:
        cache.write({key: program.recipe.packed()})
    return program


def recalled(key: str | None, chosen: Target) -> tuple[Recipe, Image | LinkedByLLVM] | None:
    """The recipe of that name and its code, if all of it is kept."""
    found = cache.read([key]) if key is not None else {}
    if key not in found:
        return None
    known = Recipe.unpacked(found[key])
    code = cache.read(known.files)
    if len(code) != len(set(known.files)):
        return None
    return known, linked([code[name] for name in known.files], chosen)


class Frame:
    """What one running call owns: its arena, the table of addresses, the arrays at hand."""

    def __init__(self, arena_bytes: int, slots: int) -> None:
        self.arena = aligned(arena_bytes)
        self.table = (ctypes.c_void_p * slots)()
        self.address = ctypes.addressof(self.table)
        self.arrays: list[Any] = [None] * slots
        self.fault = ctypes.c_int64()  # the number of a check that failed

    def put(self, slot: int, array: Array) -> None:
        """Let a slot be an array, which is kept alive."""
        self.arrays[slot] = array
        self.table[slot] = address_of(array)


def address_of(array: Array) -> int:
    """Where an array's elements begin. `array.ctypes` takes microseconds, the buffer a fraction."""
    try:
        return ctypes.addressof(ctypes.c_char.from_buffer(array))
    except (TypeError, ValueError):  # read-only, without elements, or of a type without buffers
        return int(array.ctypes.data)


class Program:
    """Segments and calls over numbered slots, one a value that lies in memory."""

    def __init__(self, planned: Schedule, in_place: Sequence[tuple[int, int]]) -> None:
        self.planned, self.in_place = planned, tuple(in_place)
        self.slots: dict[Value, int] = {}
        self.files: tuple[str, ...] = ()
        self.fresh = self._fresh_outputs()
        self.runs = self._made_runs()
        loops = {n for n in planned.checks.nodes if n.operation in (scan, while_loop)}
        self.checked_loops = {n: _Call(n, self) for n in loops}
        self.recipe = self._recipe()
        self.constants = [(s, v) for v, s in self.slots.items() if isinstance(v, Constant)]
        self._begin()

    # loading

    def _recipe(self) -> Recipe:
        """The slots as plain numbers."""
        graph, places = self.planned.graph, self.planned.places
        inputs, outputs = (
            tuple(map(self._slot, values)) for values in (graph.inputs, graph.outputs)
        )
        arena = [(self.slots[v], v.type, at) for v, at in places.arena.items() if v in self.slots]
        known = [(s, v) for v, s in self.slots.items() if isinstance(v, Constant)]
        parts = [run.part for run in self.runs if isinstance(run, _Segment)]
        return Recipe(
            len(self.slots),
            inputs,
            outputs,
            tuple(Place.of(slot, type) for slot, type in self.fresh),
            tuple(Known(s, v.type.dtype.name, v.type.shape, _bytes(v.array)) for s, v in known),
            places.arena_bytes,
            tuple(Place.of(*place) for place in arena),
            tuple(graph.outputs[j] in places.written for _, j in self.in_place),
            self.slots.get(self.planned.checks.fault, -1),
            tuple(map(self._check, self.planned.checks.nodes)),
            tuple(parts),
            self.files,
        )

    def _check(self, node: Node) -> Check:
        """What a check that fails is told by."""
        if node in self.checked_loops:
            return Check(node.operation.name, -1, (), 0, node.origin)
        value = indices_of(node)
        slot = self.slots.get(self.planned.plan.view(value).root, -1)
        return Check(node.operation.name, slot, value.type.shape, limit_of(node), node.origin)

    @property
    def is_plain(self) -> bool:
        """Whether the recipe is all there is to the program."""
        only = all(isinstance(run, _Segment) for run in self.runs)
        return only and bool(self.runs) and not self.checked_loops

    def _begin(self) -> None:
        """What running needs at hand."""
        self.inputs, self.outputs = self.recipe.inputs, self.recipe.outputs
        self.fresh = [(place.slot, place.type) for place in self.recipe.fresh]
        self.known = [(known.slot, known.array) for known in self.recipe.constants]
        self.arena = [(place.slot, place.offset, place.type) for place in self.recipe.arena]
        self.allocators = [(slot, allocator(type)) for slot, type in self.fresh]
        self.hold(len(self.inputs))
        self.frames: list[Frame] = []

    def _slot(self, value: Value) -> int:
        """The number of a value; a new content shares that of the variable it is written into."""
        value = self.planned.places.written.get(value, value)
        return self.slots.setdefault(value, len(self.slots))

    def _fresh_outputs(self) -> list[tuple[int, Any]]:
        """The outputs that kernels write into new arrays: their slots and types."""
        places, outputs = self.planned.places, self.planned.graph.outputs
        native = {v for s in self.planned.steps if isinstance(s, KernelStep) for v in s.written}
        fresh = [v for v in outputs if v in native and v not in places.written]
        return [(self._slot(v), v.type) for v in fresh]

    def _pieces(self) -> list[Any]:
        """The steps as segments, of kernels that follow each other, and functions of a frame."""
        found: list[Any] = []
        for native, steps in groupby(self.planned.steps, lambda s: isinstance(s, KernelStep)):
            if native:
                found.append(self._segment([call for s in steps for call in s.calls]))
            else:
                found += [self._called(s.node) for s in steps]
        return found

    def _made_runs(self) -> list[Callable[[Frame], None]]:
        """The pieces as functions of a frame."""
        found = self._pieces()
        segments = [piece for piece in found if isinstance(piece, Segment)]
        if not segments:
            return found
        self.code, self.files = loaded(segments, target())
        addresses = iter([self.code.address(f"segment{i}") for i in range(len(segments))])
        return [
            _Segment(next(addresses), Part(f.is_shared, may_fail(f.calls), f.is_short), self)
            if isinstance(f, Segment)
            else f
            for f in found
        ]

    def _called(self, node: Node) -> Callable[[Frame], None]:
        """A node that NumPy computes."""
        return _Call(node, self)

    def _segment(self, calls: list[Call]) -> Segment:
        calls = [call for call in calls if not is_idle(call[0], self._slots(call))]
        shared = [(sharing(call[0], self._slots(call)), self._slots(call)) for call in calls]
        entries = tuple((kernel, slots[: kernel.buffers]) for kernel, slots in shared)
        return Segment(entries, tuple(sorted(barriers(calls, self._region))))

    def _slots(self, call: Call) -> tuple[int, ...]:
        return tuple(self._slot(v) for v in call[1])

    def _region(self, value: Value) -> Region:
        offset = self.planned.places.arena.get(value)
        if offset is None:
            return Region(self._slot(value))
        return Region("arena", offset, offset + value.type.bytes)

    def hold(self, first: int) -> None:
        """The arrays of input `first` and those after it are kept until others come."""
        self.passing = {*self.inputs[:first], *(slot for slot, _ in self.fresh)}

    # running

    def __call__(self, arrays: Sequence[Array]) -> list[Array]:
        frame = self._filled(arrays)
        for run in self.runs:
            run(frame)
        results = self._results(frame, arrays)
        self.release(frame)
        return results

    def repeat(self, arrays: Sequence[Array], moving: int, steps: int) -> list[Array]:
        """As many runs, of which run n has `arrays[moving][n]` as that input; the last results.

        Python takes part once, if the program is one native function.
        """
        turns, given = arrays[moving], [*arrays]
        given[moving] = turns[0]
        if not self.is_one_function:
            for number in range(steps):
                given[moving] = turns[number]
                results = self(given)
            return results
        frame = self._filled(given)
        (only,) = self.runs
        only.repeat(frame, self.inputs[moving], _ready(turns), steps)  # type: ignore[attr-defined]
        results = self._results(frame, given)
        self.release(frame)
        return results

    @property
    def is_one_function(self) -> bool:
        """Whether a run is one native call that leaves all new contents where the old ones were."""
        single = len(self.runs) == 1 and isinstance(self.runs[0], _Segment)
        return single and all(self.recipe.overwrites)

    def _filled(self, arrays: Sequence[Array]) -> Frame:
        """A frame with the inputs, and memory for the outputs."""
        frame = self.frame()
        for slot, array in zip(self.inputs, arrays, strict=True):
            if frame.arrays[slot] is not array:
                frame.put(slot, _ready(array))
        for slot, allocate in self.allocators:
            frame.put(slot, allocate())
        return frame

    def frame(self) -> Frame:
        """A frame that nobody uses; `release` gives it back."""
        try:
            return self.frames.pop()
        except IndexError:
            return self._frame()

    def _frame(self) -> Frame:
        frame = Frame(self.recipe.arena_bytes, self.recipe.slots)
        self._let_fail(frame)
        for slot, array in self.known:
            frame.put(slot, array)
        for slot, offset, type in self.arena:
            memory = frame.arena[offset : offset + type.bytes]
            frame.put(slot, memory.view(type.dtype.numpy).reshape(type.shape))
        return frame

    def _let_fail(self, frame: Frame) -> None:
        """Let the slot for faults, if there is one, be the frame's word."""
        if self.recipe.fault >= 0:
            frame.table[self.recipe.fault] = ctypes.addressof(frame.fault)

    def _results(self, frame: Frame, arrays: Sequence[Array]) -> list[Array]:
        results = [frame.arrays[slot] for slot in self.outputs]
        for (i, j), is_there in zip(self.in_place, self.recipe.overwrites, strict=True):
            if not is_there:
                np.copyto(arrays[i], results[j])
            results[j] = arrays[i]
        return results

    def fail(self, frame: Frame) -> None:
        """Raise what NumPy's meaning of a node does whose indices were found out of bounds."""
        number = frame.fault.value - 1
        check = self.recipe.checks[number]
        if check.slot < 0:
            self.checked_loops[self.planned.checks.nodes[number]](frame)
        indices = frame.arrays[check.slot]
        try:
            check_bounds(check.operation, indices.reshape(check.shape), check.limit)
        except OpError as error:
            raise located(error, check.origin) from None

    def release(self, frame: Frame) -> None:
        """Forget the caller's arrays, and keep the frame for the next call."""
        for slot in self.passing:
            frame.arrays[slot] = None
        self.frames.append(frame)


class Recalled(Program):
    """A program that was compiled before: its recipe, and its code."""

    def __init__(
        self, known: Recipe, code: Image | LinkedByLLVM, in_place: Sequence[tuple[int, int]]
    ) -> None:
        self.recipe, self.code, self.in_place = known, code, tuple(in_place)
        self.runs = [
            _Segment(code.address(f"segment{number}"), part, self)
            for number, part in enumerate(known.parts)
        ]
        self._begin()


def _bytes(array: Array) -> bytes:
    return np.ascontiguousarray(array).tobytes()


def is_idle(kernel: Kernel, slots: Sequence[int]) -> bool:
    """Whether a kernel copies an array to where it lies already."""
    if not isinstance(kernel, LoopNest) or len(kernel.body) != 1 or len(set(slots)) != 1:
        return False
    (only,), (store, *rest) = kernel.body, kernel.stores
    same = isinstance(only, Load) and replace(only.access, buffer=0) == replace(
        store.access, buffer=0
    )
    return same and store.reduction is None and not rest


def may_fail(calls: Calls) -> bool:
    """Whether one of these kernels checks what it is given."""
    return any(
        isinstance(kernel, Bounds) or (isinstance(kernel, TimeLoop) and may_fail(kernel.calls))
        for kernel, _ in calls
    )


def _ready(array: Array) -> Array:
    """The array as kernels read it: in rows."""
    array = np.asarray(array)
    return array if array.flags.c_contiguous else np.ascontiguousarray(array)


class _Segment:
    """Kernels in a row, called as one, by all threads if there is work for them."""

    def __init__(self, address: int, part: Part, program: Program) -> None:
        self.address, self.part, self.is_shared = address, part, part.is_shared
        self.function = SEGMENT(address)
        self.checked = program if part.may_fail else None

    def __call__(self, frame: Frame) -> None:
        threads = team() if self.is_shared else None
        if threads is not None and self.part.is_short and threads.rests():
            threads = None
        if threads is None or not threads.run(self.address, frame.address):
            self.function(frame.address, 0, 1, None)
        self._check(frame)

    def repeat(self, frame: Frame, slot: int, turns: Array, steps: int) -> None:
        """As many runs, in which the slot is one element of `turns` after the other."""
        words = (ctypes.c_int64 * len(Turns))()
        words[Turns.SEGMENT], words[Turns.TABLE] = self.address, frame.address
        words[Turns.SLOTS], words[Turns.STEPS] = len(frame.arrays), steps
        words[Turns.MOVING], words[Turns.BYTES] = slot, turns.strides[0]
        words[Turns.FAULT] = ctypes.addressof(frame.fault)
        frame.table[slot] = turns.ctypes.data
        address, description = repeater(), ctypes.addressof(words)
        threads = team() if self.is_shared else None
        if threads is None or not threads.run(address, description):
            SEGMENT(address)(description, 0, 1, None)
        self._check(frame)

    def _check(self, frame: Frame) -> None:
        if self.checked is not None and frame.fault.value:
            self.checked.fail(frame)


class _Node:
    """A node between segments: where its inputs and outputs are."""

    def __init__(self, node: Node, program: Program) -> None:
        self.node = node
        plan = program.planned.plan
        views = [plan.view(v) for v in node.inputs]
        self.slots = [program._slot(view.root) for view in views]
        self.views = [
            None if is_whole(view, v.type.shape) and view.root.type == v.type else (view, v)
            for view, v in zip(views, node.inputs, strict=True)
        ]
        self.outputs = [program._slot(v) for v in node.outputs]

    def inputs(self, frame: Frame) -> list[Array]:
        """Its inputs, which must not be written."""
        found = []
        for slot, seen in zip(self.slots, self.views, strict=True):
            array = frame.arrays[slot]
            found.append(array if seen is None else _seen(array, *seen))
        return found


class _Call(_Node):
    """A node's NumPy meaning on what lies in the slots."""

    def __call__(self, frame: Frame) -> None:
        inputs = self.inputs(frame)
        if self.node.operation.effect:  # what acts on the world may keep what it is given
            inputs = [array.copy() for array in inputs]
        try:
            results = self.node.operation.compute(tuple(inputs), self.node.params)
        except (OpError, ValueError, FloatingPointError) as error:
            raise located(error, self.node.origin) from error.__cause__
        for slot, array in zip(self.outputs, results, strict=True):
            is_own = array.flags.owndata and array.flags.c_contiguous
            is_new = is_own and not any(array is given for given in inputs)
            frame.put(slot, array if is_new else array.copy())


def _seen(array: Array, view: View, value: Value) -> Array:
    """A view of an array."""
    item = array.itemsize
    return np.lib.stride_tricks.as_strided(
        array.reshape(-1)[view.offset :],
        value.type.shape,
        [step * item for step in view.strides],
        writeable=False,
    )
