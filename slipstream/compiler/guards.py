"""Programs that check their memory, for `SLIPSTREAM_DEBUG=1`: slow, and with the same results.

Before a program runs, every access of every kernel is checked to stay within its buffer, and every
buffer to hold what a kernel expects there (`bounds`). Then the kernels run one by one on arrays of
their own, copies of the inputs too, each between guard zones, and filled with a pattern before it
is written (`memory`). After each kernel the zones must be as they were, and what was written hold
no pattern. In small programs nothing else may have changed, either. A loop over time is one kernel;
before it its steps run so, each kernel of the body alone, and their results are dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from slipstream.compiler.bounds import HINT, Place, check_plan, fault, placed
from slipstream.compiler.kernels import TimeLoop, written_buffers
from slipstream.compiler.memory import Memory, unwritten
from slipstream.compiler.passes.lay import Call
from slipstream.compiler.pipeline import Schedule, schedule
from slipstream.compiler.program import Frame, Program, is_idle
from slipstream.errors import InternalError, message
from slipstream.ir.dtypes import from_numpy
from slipstream.ir.graph import Array, Graph, Node, Value, subgraphs
from slipstream.ir.types import TensorType

SMALL = 4 << 20  # bytes of a program of which everything is compared after each kernel
Run = Callable[[Frame], None]


def load(graph: Graph, in_place: tuple[tuple[int, int], ...] = ()) -> GuardedProgram:
    """The compiled program of a graph, which checks its memory.

    This and its runs raise InternalError where a kernel does what it should not; the message names
    the kernel, the buffer, the operation and the line of the user's program.
    """
    planned = schedule(graph, in_place)
    check_plan(planned)
    return GuardedProgram(planned, in_place)


class GuardedFrame(Frame):
    """What one running call owns: guarded memory, also for what NumPy makes."""

    def __init__(self, types: Mapping[int, TensorType], temporary: Sequence[int]) -> None:
        super().__init__(0, 1 + max(types, default=-1))
        self.memory, self.temporary = Memory(types), temporary
        self.made: dict[int, Memory] = {}  # by NumPy
        for slot, array in self.memory.arrays.items():
            self.put(slot, array)

    def forget(self) -> None:
        """The pattern in all that is not given."""
        for slot in self.temporary:
            self.memory.poison(slot)

    def guard(self, slot: int) -> None:
        """Move what NumPy has put in a slot between guard zones; no kernel touches texts."""
        array = self.arrays[slot]
        if array.dtype.hasobject:
            return
        self.made[slot] = Memory({slot: _type_of(array)})
        np.copyto(self.made[slot].arrays[slot], array)
        self.put(slot, self.made[slot].arrays[slot])


class GuardedProgram(Program):
    """A program whose kernels run one by one, each looked at when it has run."""

    def __init__(self, planned: Schedule, in_place: Sequence[tuple[int, int]]) -> None:
        self.parts: list[Place | Node] = []  # what the runs are
        self.ready: dict[Value, int] = {}  # the number of the kernel after which a value is whole
        super().__init__(planned, in_place)
        self.values = {slot: value for value, slot in self.slots.items()}
        fresh = {slot for slot, _ in self.fresh}
        self.own = {
            slot: value.type
            for value, slot in self.slots.items()
            if value in planned.places.arena or slot in fresh
        }

    # loading

    def _pieces(self) -> list[Any]:
        """Every kernel as a segment of its own."""
        self.parts = list(placed(self.planned, self._is_kept))
        places = [part for part in self.parts if isinstance(part, Place)]
        self.ready = {value: place.number for place in places for value in place.makes}
        return [
            self._segment([part.call]) if isinstance(part, Place) else self._called(part)
            for part in self.parts
        ]

    def _is_kept(self, call: Call) -> bool:
        return not is_idle(call[0], self._slots(call))

    def _made_runs(self) -> list[Run]:
        pairs = zip(super()._made_runs(), self.parts, strict=True)
        return [self._checked(run, part) for run, part in pairs]

    def _checked(self, run: Run, part: Place | Node) -> Run:
        if isinstance(part, Node):
            return _Made(run, part, self)
        watched = _Watched(run, part, self)
        if not isinstance(part.call[0], TimeLoop):
            return watched
        return _Stepped(watched, part.node, super()._called(part.node))

    # running

    def __call__(self, arrays: Sequence[Array]) -> list[Array]:
        frame = self._filled(arrays)
        self._run(frame)
        return self._copied(frame, arrays)

    def repeat(self, arrays: Sequence[Array], moving: int, steps: int) -> list[Array]:
        """As many runs in one frame, so that what does not move is copied once."""
        turns, given = arrays[moving], [*arrays]
        given[moving] = turns[0]
        frame = self._filled(given)
        for number in range(steps):
            given[moving] = turns[number]
            np.copyto(frame.arrays[self.inputs[moving]], turns[number])
            self._run(frame)
            for i, j in self.in_place:
                np.copyto(frame.arrays[self.inputs[i]], frame.arrays[self.outputs[j]])
        return self._copied(frame, given)

    def _filled(self, arrays: Sequence[Array]) -> GuardedFrame:
        """A frame with copies of the inputs and the constants."""
        given = {slot: np.asarray(a) for slot, a in zip(self.inputs, arrays, strict=True)}
        given |= {slot: value.array.reshape(value.type.shape) for slot, value in self.constants}
        texts = {slot: given.pop(slot) for slot in [*given] if given[slot].dtype.hasobject}
        types = {slot: _type_of(array) for slot, array in given.items()} | self.own
        frame = GuardedFrame({s: types.get(s, _NOTHING) for s in self.slots.values()}, [*self.own])
        for slot, array in given.items():
            np.copyto(frame.arrays[slot], array)
        for slot, array in texts.items():
            frame.put(slot, array.copy())
        self._let_fail(frame)
        return frame

    def _run(self, frame: GuardedFrame) -> None:
        frame.forget()
        with np.errstate(all="ignore"):
            for run in self.runs:
                run(frame)

    def _copied(self, frame: Frame, arrays: Sequence[Array]) -> list[Array]:
        """The results, and the new contents in the caller's variables."""
        results = [frame.arrays[slot].copy() for slot in self.outputs]
        variables = {i for i, _ in self.in_place}
        for i, (slot, array) in enumerate(zip(self.inputs, arrays, strict=True)):
            if i not in variables and not _same_bits(frame.arrays[slot], np.asarray(array)):
                raise self._written(i)
        for i, j in self.in_place:
            np.copyto(arrays[i], results[j])
            results[j] = arrays[i]
        return results

    def _written(self, number: int) -> InternalError:
        graph = self.planned.graph
        received = {"input": f"{number}: {graph.inputs[number].type}"}
        happened = "a kernel of the program has written an input"
        return InternalError(message(graph.name, happened, received=received, hint=HINT))

    # looking

    def look(self, place: Place, frame: GuardedFrame, before: Array | None) -> None:
        """Raises InternalError if a kernel has done what it should not.

        `before` are the bytes of the program's memory when it began, if they are to be compared.
        """
        for memory in (frame.memory, *frame.made.values()):
            found = memory.trespass()
            if found is not None:
                side = "before" if found.distance < 0 else "after"
                what = f"has written byte {abs(found.distance)} {side} a buffer"
                raise self._fault(place, what, found.slot, "no change around it")
        if before is not None:
            self._expect_same(place, frame.memory, before)
        for value in place.makes:
            if self.ready[value] == place.number:
                self._expect_content(place, self._slot(value), frame)

    def _expect_same(self, place: Place, memory: Memory, before: Array) -> None:
        written = written_buffers(place.call[0])
        allowed = {self._slot(v) for i, v in enumerate(place.call[1]) if i in written}
        changed = memory.changed(before, allowed)
        if changed is not None:
            what = "has changed a buffer that it does not write"
            raise self._fault(place, what, changed, "no change of it")

    def _expect_content(self, place: Place, slot: int, frame: GuardedFrame) -> None:
        array = frame.arrays[slot]
        at = unwritten(array, self.values[slot].type.dtype)
        if at is not None:
            index = tuple(int(i) for i in np.unravel_index(at, array.shape))
            what = f"has left element {index} unwritten, or computed it from what nobody wrote"
            raise self._fault(place, what, slot, "a content for each element")

    def _fault(self, place: Place, what: str, slot: int, expected: str) -> InternalError:
        return fault(self.planned, place, what, self.values[slot], expected)


class _Watched:
    """A kernel, and a look at what it has done."""

    def __init__(self, run: Run, place: Place, program: GuardedProgram) -> None:
        self.run, self.place, self.program = run, place, program

    def __call__(self, frame: Any) -> None:
        held = frame.memory.bytes
        before = held.copy() if held.size <= SMALL else None
        self.run(frame)
        self.program.look(self.place, frame, before)


class _Made:
    """A node that NumPy computes; its results get guard zones."""

    def __init__(self, run: Run, node: Node, program: GuardedProgram) -> None:
        self.run, self.slots = run, [program._slot(v) for v in node.outputs]

    def __call__(self, frame: Any) -> None:
        self.run(frame)
        for slot in self.slots:
            frame.guard(slot)


class _Stepped:
    """A loop, before which its steps run as programs that check their memory; nobody keeps that."""

    def __init__(self, run: Run, node: Node, call: Any) -> None:
        self.run, self.params, self.call = run, node.params, call
        self.parts = [load(graph) for graph in subgraphs(node.params)]

    def __call__(self, frame: Frame) -> None:
        given = self.call.inputs(frame)
        if "length" in self.params:
            self._scan(given)
        else:
            self._while(given)
        self.run(frame)

    def _scan(self, given: Sequence[Array]) -> None:
        (body,) = self.parts
        length, carry, xs = (self.params[name] for name in ("length", "carry", "xs"))
        state, moving, fixed = given[:carry], given[carry : carry + xs], given[carry + xs :]
        for step in reversed(range(length)) if self.params["reverse"] else range(length):
            found = body([*state, *(array[step] for array in moving), *fixed])
            state = found[:carry]

    def _while(self, given: Sequence[Array]) -> None:
        condition, body = self.parts
        carried, maximum = self.params["carried"], self.params["maximum"]
        state, fixed, turns = given[:carried], given[carried:], 0
        while (maximum is None or turns < maximum) and condition([*state, *fixed])[0]:
            state, turns = body([*state, *fixed]), turns + 1


_NOTHING = TensorType((0,), from_numpy(np.dtype(np.uint8)))  # of slots that NumPy fills


def _type_of(array: Array) -> TensorType:
    return TensorType(array.shape, from_numpy(array.dtype))


def _same_bits(one: Array, other: Array) -> bool:
    if one.dtype.hasobject:
        return np.array_equal(one, other)
    parts = (np.ascontiguousarray(a).reshape(-1).view(np.uint8) for a in (one, other))
    return np.array_equal(*parts)
