"""Object code put in memory to be run.

Object files in ELF for x86-64 are laid out and linked here, so that a program whose code is in the
cache runs without LLVM, which costs 40 ms and 45 MB to load. Other kinds LLVM links.
"""

from __future__ import annotations

import ctypes
import mmap
import struct
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any, NamedTuple

from slipstream.compiler.target import Target

LOADED, EXECUTABLE = 2, 4  # flags of sections
RELOCATIONS, SYMBOLS, EMPTY = 4, 2, 8  # types of sections
ABSOLUTE = 1  # R_X86_64_64, the one kind of reference in code of the large model
HEADER, SECTION, SYMBOL, RELOCATION = "<4sBB10xHH20xQ10xHHH", "<IIQQQQIIQQ", "<IBBHQQ", "<QQq"
MAGIC, X86_64, RELOCATABLE = (b"\x7fELF", 2, 1), 62, 1


class Unfit(Exception):
    """Object code of a kind that only LLVM links."""


class Section(NamedTuple):
    """A part of an object file, as its table of sections has it."""

    name: int
    type: int
    flags: int
    address: int
    offset: int
    size: int
    link: int
    info: int
    alignment: int
    entry: int

    @property
    def is_loaded(self) -> bool:
        return bool(self.flags & LOADED and self.size)


class ObjectFile:
    """An object file in ELF, 64 bits with low bytes first; Unfit if it is another kind."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        try:
            *magic, kind, machine, start, size, count, names = struct.unpack_from(HEADER, content)
        except struct.error as error:
            raise Unfit("no header") from error
        if (*magic, kind) != (*MAGIC, RELOCATABLE):
            raise Unfit("not ELF")
        self.machine = machine
        table = content[start : start + size * count]
        self.sections = [Section(*fields) for fields in struct.iter_unpack(SECTION, table)]
        self.names = self.sections[names]
        (symbols,) = (s for s in self.sections if s.type == SYMBOLS)
        self.strings = self.sections[symbols.link]
        self.symbols = list(struct.iter_unpack(SYMBOL, self.bytes(symbols)))

    @property
    def code(self) -> bytes:
        """The instructions."""
        return b"".join(self.bytes(s) for s in self.sections if s.flags & EXECUTABLE)

    @property
    def outside(self) -> set[str]:
        """The names of what it needs of others."""
        return {self.name(self.strings, s[0]) for s in self.symbols if s[0] and not s[3]}

    def bytes(self, section: Section) -> bytes:
        return self.content[section.offset : section.offset + section.size]

    def name(self, strings: Section, start: int) -> str:
        begin = strings.offset + start
        return self.content[begin : self.content.index(b"\0", begin)].decode()

    def parts(self) -> Iterator[tuple[int, Section]]:
        """(number, section) of what is put in memory; tables for debuggers are not."""
        for number, section in enumerate(self.sections):
            if section.is_loaded and self.name(self.names, section.name) != ".eh_frame":
                yield number, section

    def references(self, parts: dict[int, int]) -> Iterator[tuple[int, int, int]]:
        """(place, number of a symbol, addend) of the words to fill in, by offsets of the parts."""
        for section in self.sections:
            if section.type != RELOCATIONS or section.info not in parts:
                continue
            for place, info, addend in struct.iter_unpack(RELOCATION, self.bytes(section)):
                if info & 0xFFFFFFFF != ABSOLUTE:
                    raise Unfit(f"a reference of type {info & 0xFFFFFFFF}")
                yield parts[section.info] + place, info >> 32, addend


class Image:
    """Object files linked in memory, which lives as long as this object."""

    def __init__(self, objects: Sequence[bytes]) -> None:
        files = [ObjectFile(content) for content in objects]
        if any(file.machine != X86_64 for file in files):
            raise Unfit("not for x86-64")
        parts, size = _layout(files)
        self.memory = mmap.mmap(-1, max(size, 1), mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self.view = ctypes.c_char.from_buffer(self.memory)
        self.base = ctypes.addressof(self.view)
        self.symbols: dict[str, int] = {}
        for file, placed in zip(files, parts, strict=True):
            self._place(file, placed)
        for file, placed in zip(files, parts, strict=True):
            self._link(file, placed)
        executable = mmap.PROT_READ | mmap.PROT_EXEC
        if _library().mprotect(ctypes.c_void_p(self.base), ctypes.c_size_t(size), executable):
            raise Unfit("memory that may not be executed")

    def address(self, name: str) -> int:
        """Where a function lies."""
        return self.symbols[name]

    def _place(self, file: ObjectFile, parts: dict[int, int]) -> None:
        for number, offset in parts.items():
            section = file.sections[number]
            if section.type != EMPTY:
                self.memory[offset : offset + section.size] = file.bytes(section)
        for name, _, _, section, value, _ in file.symbols:
            if name and section in parts:
                symbol = file.name(file.strings, name)
                self.symbols[symbol] = self.base + parts[section] + value

    def _link(self, file: ObjectFile, parts: dict[int, int]) -> None:
        for place, number, addend in file.references(parts):
            name, _, _, section, value, _ = file.symbols[number]
            if section in parts:
                found = self.base + parts[section] + value
            else:
                found = self._outside(file.name(file.strings, name))
            struct.pack_into("<Q", self.memory, place, found + addend)

    def _outside(self, name: str) -> int:
        """A function of another object file, or of the C library."""
        return self.symbols.get(name) or _library_function(name)


def _layout(files: Sequence[ObjectFile]) -> tuple[list[dict[int, int]], int]:
    """The offset of each part of each file, and how many bytes they are."""
    placed, end = [], 0
    for file in files:
        offsets = {}
        for number, section in file.parts():
            offsets[number] = -(-end // section.alignment) * section.alignment
            end = offsets[number] + section.size
        placed.append(offsets)
    return placed, end


@lru_cache(maxsize=1)
def _library() -> Any:
    return ctypes.CDLL(None)


def _library_function(name: str) -> int:
    try:
        function = _library()[name]
    except AttributeError as error:
        raise Unfit(f"no function {name}") from error
    return ctypes.cast(function, ctypes.c_void_p).value or 0


class LinkedByLLVM:
    """Object files in memory, linked by LLVM; it lives as long as this object."""

    def __init__(self, objects: Sequence[bytes], target: Target) -> None:
        import llvmlite.binding as llvm

        self.engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), target.machine())
        for content in objects:
            self.engine.add_object_file(llvm.ObjectFileRef.from_data(content))
        self.engine.finalize_object()

    def address(self, name: str) -> int:
        """Where a function lies."""
        return int(self.engine.get_function_address(name))


def linked(objects: Sequence[bytes], target: Target) -> Image | LinkedByLLVM:
    """Object files as functions in memory."""
    if sys.platform == "linux":
        with suppress(Unfit):
            return Image(objects)
    return LinkedByLLVM(objects, target)
