"""A compiled program written down: what each pass made of it, its groups, kernels and memory.

Each program gets a folder of text files, numbered in the order the compiler works; they are written
as it goes, so that a program that cannot be compiled is there up to where it failed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from slipstream.compiler.codegen.emit import Segment, kernel_text
from slipstream.compiler.codegen.machine import Compiler
from slipstream.compiler.describe import (
    bare_kind,
    bare_text,
    bytes_touched,
    flops,
    kind_of,
    node_text,
    text_of,
)
from slipstream.compiler.kernels import (
    Chain,
    Kernel,
    Look,
    TimeLoop,
    is_shared,
    sharing,
    written_buffers,
)
from slipstream.compiler.passes.lay import Call
from slipstream.compiler.passes.place import ALIGNMENT
from slipstream.compiler.pipeline import PASSES, CallStep, KernelStep, Schedule, schedule
from slipstream.compiler.program import Program, is_idle
from slipstream.compiler.target import target
from slipstream.files import write_aside
from slipstream.ir.graph import Constant, Graph, Value
from slipstream.ir.printer import value_names
from slipstream.ir.text import print_graph
from slipstream.ir.verifier import verify

Pairs = tuple[tuple[int, int], ...]
WAIT = "-- all threads wait --"
WIDTH = 100  # of a record that stands on one line


class Shown:
    """Loads programs, and writes each, or those of one name, in a folder of its own."""

    def __init__(self, folder: Path, only: str = "", code: bool = False) -> None:
        self.folder, self.only, self.code = folder, only, code
        self.written: list[Path] = []

    def load(self, graph: Graph, in_place: Pairs = ()) -> Program:
        """The compiled program of a graph, as it is run elsewhere."""
        if self.only and graph.name != self.only:
            return Program(schedule(graph, in_place), in_place)
        name = f"{len(self.written) + 1:02}-{re.sub(r'[^0-9A-Za-z_.]', '_', graph.name)}"
        self.written.append(self.folder / name)
        return show(graph, in_place, self.written[-1], code=self.code)


def show(graph: Graph, in_place: Pairs, folder: Path, *, code: bool = False) -> Program:
    """Write down a program in a folder, and load it."""
    _write(folder / "00-traced.txt", print_graph(graph))
    passed = graph
    for number, (name, step, holds) in enumerate(PASSES, start=1):
        passed = verify(step(passed), name)
        _write(folder / f"{number:02}-{name}.txt", f"# {holds}\n{print_graph(passed)}")
    planned = schedule(graph, in_place)
    number, written = len(PASSES) + 1, Written(planned, in_place)
    _write(folder / f"{number:02}-groups.txt", "\n".join(written.groups()))
    _write(folder / f"{number + 1:02}-kernels.txt", "\n".join(written.kernels()))
    _write(folder / f"{number + 2:02}-memory.txt", "\n".join(written.memory()))
    if code:
        for record, name in written.functions.items():
            for kind, text in zip(("ll", "s"), kernel_code(record), strict=True):
                _write(folder / "code" / f"{name}.{kind}", text)
    return written.program


def kernel_code(record: Kernel) -> tuple[str, str]:
    """The LLVM text and the assembly of a kernel, for the target in force."""
    text = kernel_text(record, "kernel0", target())
    return text, Compiler(target()).assembly(text)


def _write(path: Path, text: str) -> None:
    with write_aside(path, "show") as aside:
        aside.write_text(text.rstrip() + "\n", encoding="utf-8")


class _Listed(Program):
    """A program that remembers its segments."""

    def __init__(self, planned: Schedule, in_place: Sequence[tuple[int, int]]) -> None:
        self.listed: list[tuple[list[Call], Segment]] = []
        super().__init__(planned, in_place)

    def _segment(self, calls: list[Call]) -> Segment:
        calls = [call for call in calls if not is_idle(call[0], self._slots(call))]
        segment = super()._segment(calls)
        self.listed.append((calls, segment))
        return segment


class Written:
    """The texts of a planned program. Values have the names of the graph's text, or numbers."""

    def __init__(self, planned: Schedule, in_place: Pairs) -> None:
        self.planned, self.in_place = planned, in_place
        self.program = _Listed(planned, in_place)
        self.names = value_names(planned.graph)
        self.steps = {c: s for s in planned.steps if isinstance(s, KernelStep) for c in s.calls}
        self.functions: dict[Kernel, str] = {}  # the records and the names of their functions

    def name(self, value: Value) -> str:
        """The name of a value; what the compiler has added is %1, %2, ..."""
        if value not in self.names:
            self.names[value] = f"%{sum(n[0] == '%' for n in self.names.values()) + 1}"
        return self.names[value]

    def groups(self) -> Iterator[str]:
        """Which nodes run together, in the order the groups run."""
        for group in self.planned.plan.groups:
            shape = f" over {group.shape}" if group.shape else ""
            axes = f", reduced along {group.axes}" if group.axes else ""
            yield f"group {group.number}: {group.kind}{shape}{axes}"
            for node in group.nodes:
                given = ", ".join(map(self._seen, node.inputs))
                made = ", ".join(f"{self.name(v)}: {v.type}" for v in node.outputs)
                origin = f"  # {node.origin}" if node.origin else ""
                yield f"    {made} = {node.operation.name}({given}){origin}"
            if group.source is not None:
                yield f"    lays out {self._view(group.source)}"

    def _seen(self, value: Value) -> str:
        """A value as it is read: a view by its root, with offset and strides."""
        if isinstance(value, Constant):
            return f"{value.type}" if value.type.size > 1 else repr(value.array.item())
        view = self.planned.plan.views.get(value)
        return self.name(value) if view is None else f"{self.name(value)} = {self._view(view)}"

    def _view(self, view: Any) -> str:
        return f"{self.name(view.root)}[{view.offset}, strides {view.strides}]"

    def kernels(self) -> Iterator[str]:
        """What runs, in order: kernels with their buffers, work and records; calls to NumPy."""
        segments, number = iter(self.program.listed), 0
        was_native = False
        for step in self.planned.steps:
            if isinstance(step, CallStep):
                yield f"call to NumPy: {node_text(step.node)}{_at(step.node.origin)}\n"
            elif not was_native:
                calls, segment = next(segments)
                shared = "all threads" if segment.is_shared else "one thread"
                yield f"segment of {len(calls)} kernels, {shared}\n"
                for index, call in enumerate(calls):
                    number += 1
                    yield from self._kernel(number, call, index in segment.barriers)
            was_native = isinstance(step, KernelStep)

    def _kernel(self, number: int, call: Call, is_after_barrier: bool) -> Iterator[str]:
        step = self.steps[call]
        record = sharing(call[0], self.program._slots(call))
        kind, origin = kind_of(call[0], step.group), step.group.nodes[0].origin
        if is_after_barrier:
            yield WAIT
        work = flops(call[0], step.group)
        function = "" if isinstance(record, TimeLoop | Chain) else f"{self.function(record)}, "
        yield f"{number}. {function}{kind}: {text_of(call, step)}{_at(origin)}"
        yield f"    {f'{work} flops, ' if work else ''}{bytes_touched(call)} bytes, {_who(record)}"
        written = written_buffers(record)
        for index, value in enumerate(call[1]):
            how = "writes" if index in written else "reads"
            yield f"    {index} {how:6} {self.name(value)}: {value.type} {self.place(value)}"
        if isinstance(record, TimeLoop):
            yield from self._loop(record)
        elif isinstance(record, Chain):
            yield from self._chain(record)
        else:
            yield from record_lines(record, "    ")
        yield ""

    def _loop(self, loop: TimeLoop) -> Iterator[str]:
        """The table of a loop, and the kernels of a turn."""
        for number, entry in enumerate(loop.entries):
            moves = f", {entry.step:+} bytes a turn" if entry.step else ""
            yield f"    entry {number}: buffer {entry.buffer}, byte {entry.offset}{moves}"
        for one, other in loop.follows:
            yield f"    after a turn entry {one} is what entry {other} is"
        for number, (record, entries) in enumerate(loop.calls):
            if number in loop.barriers:
                yield f"    {WAIT}"
            yield from self._step(f"step {number}", record, entries)
        for record, entries in loop.last:
            yield from self._step("at last", record, entries)

    def _chain(self, chain: Chain) -> Iterator[str]:
        """The table of a chain, and the kernels of a part."""
        for number, entry in enumerate(chain.entries):
            moves = f", {entry.step:+} bytes a {'thread' if number in chain.own else 'part'}"
            at = f"buffer {entry.buffer}, byte {entry.offset}"
            yield f"    entry {number}: {at}{moves if entry.step else ''}"
        for number, (record, entries) in enumerate(chain.calls):
            yield from self._step(f"link {number}", record, entries)

    def _step(self, name: str, record: Kernel, entries: Sequence[int]) -> Iterator[str]:
        """A kernel of a loop."""
        if isinstance(record, Look):
            yield f"    {name}. the end, if the boolean of entry {entries[0]} is false"
            return
        function = "" if isinstance(record, TimeLoop) else f"{self.function(record)}, "
        yield f"    {name}. {function}{bare_kind(record)}: {bare_text(record)}, {_who(record)}"
        yield f"        on entries {', '.join(map(str, entries))}"
        yield from record_lines(record, "        ")

    def function(self, record: Kernel) -> str:
        """The name of the function of a kernel: equal records have one."""
        return self.functions.setdefault(record, f"kernel{len(self.functions)}")

    def place(self, value: Value) -> str:
        """Where a value lies."""
        places, graph = self.planned.places, self.planned.graph
        if value is self.planned.checks.fault:
            return "the word for faults"
        if value in places.arena:
            return f"in the arena at {places.arena[value]}"
        if value in places.written:
            return f"over input {graph.inputs.index(places.written[value])}"
        if value in graph.inputs:
            return f"input {graph.inputs.index(value)}"
        if isinstance(value, Constant):
            return "a constant"
        return f"output {graph.outputs.index(value)}" if value in graph.outputs else "made by NumPy"

    def memory(self) -> Iterator[str]:
        """The arena: what lies where, from the kernel that makes it to the last that reads it."""
        places = self.planned.places
        calls = [call for listed, _ in self.program.listed for call in listed]
        used: dict[Value, list[int]] = {}
        for number, (_, values) in enumerate(calls, start=1):
            for value in values:
                used.setdefault(value, []).append(number)
        yield f"{places.arena_bytes} bytes, aligned to {ALIGNMENT}\n"
        yield f"{'from':>12} {'to':>12}  kernels    value"
        for value, offset in sorted(places.arena.items(), key=lambda item: item[1]):
            lives = used.get(value, [0])
            span = f"{lives[0]}-{lives[-1]}"
            end = offset + value.type.bytes
            yield f"{offset:12} {end:12}  {span:9}  {self.name(value)}: {value.type}"
        yield ""
        for j, value in enumerate(self.planned.graph.outputs):
            yield f"output {j}: {self.name(value)}: {value.type} {self.place(value)}"


def _who(record: Kernel) -> str:
    return "all threads" if is_shared(record) else "one thread"


def _at(origin: str | None) -> str:
    return f"  # {origin}" if origin else ""


def record_lines(record: Any, indent: str) -> Iterator[str]:
    """A record on one line, or on one for each of its parts."""
    text = record_text(record)
    if len(text) <= WIDTH or not is_dataclass(record):
        yield indent + text
        return
    yield f"{indent}{type(record).__name__}"
    for field in fields(record):
        value = getattr(record, field.name)
        parts = value if isinstance(value, tuple) and any(map(is_dataclass, value)) else ()
        yield f"{indent}    {field.name}{'' if parts else ' = ' + record_text(value)}"
        for index, part in enumerate(parts):
            yield f"{indent}        {index} {record_text(part)}"


def record_text(value: Any) -> str:
    """A record as its parts; operations and dtypes by their names."""
    if hasattr(value, "name"):
        return str(value.name)
    if is_dataclass(value):
        parts = ", ".join(record_text(getattr(value, f.name)) for f in fields(value))
        return f"{type(value).__name__}({parts})"
    if isinstance(value, tuple):
        return f"({', '.join(map(record_text, value))})"
    return str(value) if not isinstance(value, bytes) else value.hex()
