"""LLVM's part: from a module to object code, and from object code to addresses of functions."""

from __future__ import annotations

from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir

from slipstream.compiler.target import Target

PASSES = ("instruction_combine",)
# The kernels are written as they are to run, so LLVM has little left to improve; each pass costs.


def optimise(module: Any, machine: Any) -> None:
    """The few passes that pay."""
    builder = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=1))
    manager = llvm.create_new_function_pass_manager()
    for name in PASSES:
        getattr(manager, f"add_{name}_pass")()
    for function in module.functions:
        if not function.is_declaration:
            manager.run(function, builder)


def prepared(module: ir.Module, target: Target) -> tuple[Any, Any]:
    """A module as LLVM makes code of it, and its machine."""
    machine = target.machine()
    module.triple = target.triple
    module.data_layout = str(machine.target_data)
    parsed = llvm.parse_assembly(str(module))
    optimise(parsed, machine)
    return parsed, machine


def object_code(module: ir.Module, target: Target) -> bytes:
    """A module as an object file."""
    parsed, machine = prepared(module, target)
    return bytes(machine.emit_object(parsed))


class Machine:
    """Machine code in memory, which lives as long as this object."""

    def __init__(self, code: bytes, target: Target) -> None:
        self.engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), target.machine())
        self.engine.add_object_file(llvm.ObjectFileRef.from_data(code))
        self.engine.finalize_object()

    def address(self, name: str) -> int:
        """Where a function lies."""
        return int(self.engine.get_function_address(name))
