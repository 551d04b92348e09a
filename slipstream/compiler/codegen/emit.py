"""The module of a program: a function a kernel, equal ones once, and one a run of kernels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llvmlite import ir

from slipstream.compiler.codegen.contraction import write_contraction
from slipstream.compiler.codegen.loop_nest import write_loop_nest
from slipstream.compiler.codegen.vector import BYTES, I8, I64
from slipstream.compiler.kernels import Kernel, LoopNest
from slipstream.compiler.target import Target

POINTER = 8  # bytes of an address in a table of buffers


class ModuleWriter:
    """Collects kernels in one LLVM module."""

    def __init__(self, target: Target) -> None:
        self.target, self.module = target, ir.Module()
        self.kernels: dict[Kernel, Any] = {}
        self.segments: list[str] = []

    def kernel(self, record: Kernel) -> Any:
        """The function of a kernel, written when it is first asked for."""
        if record not in self.kernels:
            name = f"kernel{len(self.kernels)}"
            is_nest = isinstance(record, LoopNest)
            write: Any = write_loop_nest if is_nest else write_contraction
            self.kernels[record] = write(self.module, name, record, self.target)
        return self.kernels[record]

    def segment(self, calls: Sequence[tuple[Kernel, Sequence[int]]]) -> str:
        """A function that takes a table of addresses and calls kernels on entries of it."""
        functions = [(self.kernel(record), entries) for record, entries in calls]
        name = f"segment{len(self.segments)}"
        kind = ir.FunctionType(ir.VoidType(), [BYTES])
        function = ir.Function(self.module, kind, name)
        b = ir.IRBuilder(function.append_basic_block())
        for kernel, entries in functions:
            b.call(kernel, [self._entry(b, function.args[0], n) for n in entries])
        b.ret_void()
        self.segments.append(name)
        return name

    def _entry(self, b: Any, table: Any, number: int) -> Any:
        place = b.gep(table, [I64(number * POINTER)], source_etype=I8)
        return b.load(b.bitcast(place, BYTES.as_pointer()), typ=BYTES)
