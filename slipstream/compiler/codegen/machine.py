"""LLVM's part: from the text of a module to object code, in as many threads as are asked for.

llvmlite lets one thread at a time into LLVM. The calls that take long are made here without its
lock, on modules that share nothing: each thread has an LLVM context of its own.
"""

from __future__ import annotations

import ctypes
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from llvmlite import ir

from slipstream.compiler.target import Target

PASSES = ("instruction_combine",)
# The kernels are written as they are to run, so LLVM has little left to improve; each pass costs.


def module_text(module: ir.Module, target: Target) -> str:
    """A module as LLVM reads it."""
    module.triple, module.data_layout = target.triple, target.layout
    return str(module)


class Compiler:
    """LLVM for one target, used by one thread at a time."""

    def __init__(self, target: Target) -> None:
        import llvmlite.binding as llvm

        self.llvm, self.machine = llvm, target.machine()
        self.context = llvm.create_context()
        options = llvm.create_pipeline_tuning_options(speed_level=1)
        self.builder = llvm.create_pass_builder(self.machine, options)
        self.manager = llvm.create_new_function_pass_manager()
        for name in PASSES:
            getattr(self.manager, f"add_{name}_pass")()
        library = llvm.ffi.lib
        self.own = ctypes.CDLL(library._name, handle=library._handle)

    def object_code(self, text: str) -> bytes:
        """A module as an object file."""
        return self._emitted(text, is_object=True)

    def assembly(self, text: str) -> str:
        """A module as the assembler's text."""
        return self._emitted(text, is_object=False).decode()

    def _emitted(self, text: str, is_object: bool) -> bytes:
        module = self._parsed(text)
        with module:
            for function in module.functions:
                if not function.is_declaration:
                    self._long("RunNewFunctionPassManager", self.manager, function, self.builder)
            buffer = self._told("TargetMachineEmitToMemory", self.machine, module, int(is_object))
        lib = self.llvm.ffi.lib
        try:
            start, size = lib.LLVMPY_GetBufferStart(buffer), lib.LLVMPY_GetBufferSize(buffer)
            return ctypes.string_at(start, size)
        finally:
            lib.LLVMPY_DisposeMemoryBuffer(buffer)

    def _parsed(self, text: str) -> Any:
        content = ctypes.c_char_p(text.encode())
        return self.llvm.ModuleRef(self._told("ParseAssembly", self.context, content), self.context)

    def _told(self, name: str, *arguments: Any) -> Any:
        """A call whose last argument is where LLVM puts a message, which is there if it failed."""
        with self.llvm.ffi.OutputString() as message:
            found = self._long(name, *arguments, message)
            if message:
                raise RuntimeError(f"LLVM, {name}: {message}")
        return found

    def _long(self, name: str, *arguments: Any) -> Any:
        """A function of LLVM, called without the lock."""
        function, locked = (getattr(x, f"LLVMPY_{name}") for x in (self.own, self.llvm.ffi.lib))
        function.argtypes, function.restype = locked.argtypes, locked.restype
        return function(*arguments)


class Pool:
    """Threads that compile modules while others are being written."""

    def __init__(self, target: Target, threads: int) -> None:
        self.target, self.mine = target, threading.local()
        self.pool = ThreadPoolExecutor(threads, thread_name_prefix="slipstream-compile")

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *_: object) -> None:
        self.pool.shutdown(cancel_futures=True)

    def object_code(self, text: str) -> Future[bytes]:
        """The object file of a module, when it is done."""
        return self.pool.submit(self._compiled, text)

    def _compiled(self, text: str) -> bytes:
        if not hasattr(self.mine, "compiler"):
            self.mine.compiler = Compiler(self.target)
        return self.mine.compiler.object_code(text)  # type: ignore[no-any-return]
