"""A function under construction: loops that carry values, vectors, addresses; over llvmlite.

Booleans are i1 in registers and a byte in memory. A vector has `lanes` elements, of any dtype.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from llvmlite import __version__, ir

from slipstream.ir.dtypes import DType

I1, I8, I32, I64 = ir.IntType(1), ir.IntType(8), ir.IntType(32), ir.IntType(64)
BYTES = I8.as_pointer()
LINE = 64  # bytes of a cache line
VERSION = tuple(int(part) for part in __version__.split(".")[:2])
OPAQUE = VERSION >= (0, 45)  # with LLVM 20, whose pointers have no element type, nor do names
CONTRACT = ("contract",)  # a product and a sum may become one rounding; nothing else is loosened


def element_type(dtype: DType) -> Any:
    """LLVM's type of one element in a register."""
    if dtype.is_floating:
        return ir.FloatType() if dtype.bits == 32 else ir.DoubleType()
    return I1 if dtype.is_bool else ir.IntType(dtype.bits)


def stored_type(dtype: DType) -> Any:
    """LLVM's type of one element in memory."""
    return I8 if dtype.is_bool else element_type(dtype)


def _suffix(kind: Any) -> str:
    """How intrinsics name a type."""
    if isinstance(kind, ir.VectorType):
        return f"v{kind.count}{_suffix(kind.element)}"
    if isinstance(kind, ir.FloatType):
        return "f32"
    return "f64" if isinstance(kind, ir.DoubleType) else f"i{kind.width}"


def share_of(b: Any, count: int, number: Any, threads: Any) -> tuple[Any, Any]:
    """(first, end) of the part that one of so many threads has of `count` pieces of work."""
    first, end = (b.udiv(b.mul(n, I64(count)), threads) for n in (number, b.add(number, I64(1))))
    return first, end


class Writer:
    """Writes one kernel: a function of buffers, the number of this thread and that of all."""

    def __init__(self, module: ir.Module, name: str, pointers: int, lanes: int) -> None:
        self.module, self.lanes = module, lanes
        kind = ir.FunctionType(ir.VoidType(), [BYTES] * pointers + [I64, I64])
        self.function = ir.Function(module, kind, name)
        self.function.linkage = "internal"
        *self.buffers, self.number, self.threads = self.function.args
        for buffer in self.buffers:
            buffer.add_attribute("noalias")
        self.b = ir.IRBuilder(self.function.append_basic_block())

    # loops

    def loop(
        self,
        count: Any,
        body: Callable[[Any, list[Any]], Sequence[Any] | None],
        carried: Sequence[Any] = (),
        step: int = 1,
    ) -> list[Any]:
        """for i in range(0, count, step): carried = body(i, carried); what is carried out.

        `count` is a positive multiple of `step`, known now or when it runs.
        """
        end = I64(count) if isinstance(count, int) else count
        if count == step:
            return [*(body(I64(0), [*carried]) or ())]
        b = self.b
        before, inside, after = b.block, b.append_basic_block(), b.append_basic_block()
        b.branch(inside)
        b.position_at_end(inside)
        counter, *states = phis = [b.phi(value.type) for value in (I64(0), *carried)]
        results = [*(body(counter, states) or ())]
        following = b.add(counter, I64(step), flags=("nuw", "nsw"))
        first = (I64(0), *carried)
        for phi, start, later in zip(phis, first, (following, *results), strict=True):
            phi.add_incoming(start, before)
            phi.add_incoming(later, b.block)
        b.cbranch(b.icmp_unsigned("<", following, end), inside, after)
        b.position_at_end(after)
        return results

    def share(self, count: int) -> tuple[Any, Any]:
        """(first, end) of this thread's part of so many pieces of work."""
        return share_of(self.b, count, self.number, self.threads)

    def each_of_mine(self, count: int, body: Callable[[Any], None]) -> None:
        """body(i) for this thread's part of range(count)."""
        b = self.b
        first, end = self.share(count)
        before, inside, after = b.block, b.append_basic_block(), b.append_basic_block()
        b.cbranch(b.icmp_unsigned("<", first, end), inside, after)
        b.position_at_end(inside)
        counter = b.phi(I64)
        body(counter)
        following = b.add(counter, I64(1), flags=("nuw", "nsw"))
        counter.add_incoming(first, before)
        counter.add_incoming(following, b.block)
        b.cbranch(b.icmp_unsigned("<", following, end), inside, after)
        b.position_at_end(after)

    def digits(self, number: Any, sizes: Sequence[int]) -> list[Any]:
        """The counters of loops of these sizes, of which this is the number of a turn."""
        found: list[Any] = []
        for size in reversed(sizes[1:]):
            found.append(self.b.urem(number, I64(size)))
            number = self.b.udiv(number, I64(size))
        return [number, *reversed(found)] if sizes else []

    def when_last(self) -> Any:
        """A block that only the last thread enters."""
        last = self.b.sub(self.threads, I64(1))
        return self.b.if_then(self.b.icmp_unsigned("==", self.number, last))

    # addresses

    def offset(self, base: Any, counter: Any, stride: int) -> Any:
        """base + counter * stride."""
        if not stride or (isinstance(counter, ir.Constant) and not counter.constant):
            return base
        if isinstance(base, ir.Constant) and isinstance(counter, ir.Constant):
            return I64(base.constant + counter.constant * stride)
        moved = counter if stride == 1 else self.b.mul(counter, I64(stride), flags=("nsw",))
        if isinstance(base, ir.Constant) and not base.constant:
            return moved
        return self.b.add(base, moved, flags=("nsw",))

    def address(self, pointer: Any, offset: Any, kind: Any, size: int) -> Any:
        """Where element `offset` of `size` bytes lies, as a pointer to `kind`."""
        if isinstance(offset, ir.Constant):
            place = I64(offset.constant * size)
        else:
            place = offset if size == 1 else self.b.mul(offset, I64(size), flags=("nsw",))
        moved = self.b.gep(pointer, [place], source_etype=I8)
        return self.b.bitcast(moved, kind.as_pointer())

    # vectors

    def vector(self, element: Any) -> Any:
        return ir.VectorType(element, self.lanes)

    def constant(self, dtype: DType, value: Any) -> Any:
        """A vector of one number."""
        kind = element_type(dtype)
        plain = float(value) if dtype.is_floating else int(value)
        return ir.Constant(self.vector(kind), [ir.Constant(kind, plain)] * self.lanes)

    def stored_number(self, stored: bytes, dtype: DType) -> Any:
        """A vector of one number, given by its bytes."""
        return self.constant(dtype, np.frombuffer(stored, dtype.numpy)[0])

    def splat(self, scalar: Any) -> Any:
        """A vector of one scalar."""
        nothing = ir.Constant(self.vector(scalar.type), ir.Undefined)
        first = self.b.insert_element(nothing, scalar, I32(0))
        zeros = ir.Constant(ir.VectorType(I32, self.lanes), [0] * self.lanes)
        return self.b.shuffle_vector(first, nothing, zeros)

    def counting(self, dtype: DType) -> Any:
        """0, 1, 2, ..."""
        kind = element_type(dtype)
        number = float if dtype.is_floating else int
        lanes = [ir.Constant(kind, number(i)) for i in range(self.lanes)]
        return ir.Constant(self.vector(kind), lanes)

    def mask(self, count: int) -> Any:
        """The first `count` lanes."""
        lanes = [ir.Constant(I1, int(i < count)) for i in range(self.lanes)]
        return ir.Constant(self.vector(I1), lanes)

    def call(self, name: str, *arguments: Any, overloads: Sequence[Any] = ()) -> Any:
        """An intrinsic on values, named by the first one's type unless `overloads` says more."""
        kinds = overloads or (arguments[0].type,)
        full = ".".join(["llvm", name, *map(_suffix, kinds)])
        known = self.module.globals.get(full)
        if known is None:
            kind = ir.FunctionType(arguments[0].type, [a.type for a in arguments])
            known = ir.Function(self.module, kind, full)
        return self.b.call(known, arguments)

    def fma(self, x: Any, y: Any, z: Any) -> Any:
        """x y + z, rounded once."""
        return self.call("fma", x, y, z)

    # memory

    def load(self, pointer: Any, offset: Any, dtype: DType) -> Any:
        """One element."""
        kind = stored_type(dtype)
        loaded = self.b.load(self.address(pointer, offset, kind, dtype.size), typ=kind)
        loaded.align = dtype.size
        return self._to_register(loaded, dtype)

    def load_vector(self, pointer: Any, offset: Any, dtype: DType, mask: Any = None) -> Any:
        """Elements in a row; those outside the mask are zero and not touched."""
        kind = self.vector(stored_type(dtype))
        place = self.address(pointer, offset, kind, dtype.size)
        if mask is None:
            loaded = self.b.load(place, typ=kind)
            loaded.align = dtype.size
        else:
            nothing = ir.Constant(kind, [ir.Constant(kind.element, 0)] * self.lanes)
            loaded = self._masked("load", kind, [place, I32(dtype.size), mask, nothing], kind)
        return self._to_register(loaded, dtype)

    def load_strided(self, pointer: Any, offset: Any, dtype: DType, stride: int, count: int) -> Any:
        """Elements `stride` apart, the first `count` lanes of them."""
        kind = stored_type(dtype)
        vector = ir.Constant(self.vector(kind), [ir.Constant(kind, 0)] * self.lanes)
        for lane in range(count):
            at = self.b.add(offset, I64(lane * stride))
            element = self.b.load(self.address(pointer, at, kind, dtype.size), typ=kind)
            element.align = dtype.size
            vector = self.b.insert_element(vector, element, I32(lane))
        return self._to_register(vector, dtype)

    def store(self, value: Any, pointer: Any, offset: Any, dtype: DType) -> None:
        """One element."""
        value = self._to_memory(value, dtype)
        place = self.address(pointer, offset, value.type, dtype.size)
        self.b.store(value, place, align=dtype.size)

    def store_vector(
        self, value: Any, pointer: Any, offset: Any, dtype: DType, mask: Any = None
    ) -> None:
        """Elements in a row; those outside the mask are not touched."""
        value = self._to_memory(value, dtype)
        place = self.address(pointer, offset, value.type, dtype.size)
        if mask is None:
            self.b.store(value, place, align=dtype.size)
        else:
            arguments = [value, place, I32(dtype.size), mask]
            self._masked("store", value.type, arguments, ir.VoidType())

    def store_strided(
        self, value: Any, pointer: Any, offset: Any, dtype: DType, stride: int, count: int
    ) -> None:
        """The first `count` lanes, `stride` elements apart."""
        for lane in range(count):
            at = self.b.add(offset, I64(lane * stride))
            self.store(self.b.extract_element(value, I32(lane)), pointer, at, dtype)

    def prefetch(self, pointer: Any, offset: Any, dtype: DType, is_written: bool) -> None:
        """Bring an element's cache line near, to be read or written soon."""
        place = self.address(pointer, offset, I8, dtype.size)
        full = "llvm.prefetch.p0" if OPAQUE else "llvm.prefetch.p0i8"
        known = self.module.globals.get(full)
        if known is None:
            kind = ir.FunctionType(ir.VoidType(), [BYTES, I32, I32, I32])
            known = ir.Function(self.module, kind, full)
        self.b.call(known, [place, I32(int(is_written)), I32(3), I32(1)])

    def _masked(self, name: str, kind: Any, arguments: list[Any], result: Any) -> Any:
        pointer = "p0" if OPAQUE else f"p0{_suffix(kind)}"
        full = f"llvm.masked.{name}.{_suffix(kind)}.{pointer}"
        known = self.module.globals.get(full)
        if known is None:
            signature = ir.FunctionType(result, [a.type for a in arguments])
            known = ir.Function(self.module, signature, full)
        return self.b.call(known, arguments)

    def _to_register(self, loaded: Any, dtype: DType) -> Any:
        if not dtype.is_bool:
            return loaded
        zero = ir.Constant(I8, 0)
        if isinstance(loaded.type, ir.VectorType):
            zero = ir.Constant(loaded.type, [zero] * loaded.type.count)
        return self.b.icmp_unsigned("!=", loaded, zero)

    def _to_memory(self, value: Any, dtype: DType) -> Any:
        if not dtype.is_bool:
            return value
        is_vector = isinstance(value.type, ir.VectorType)
        return self.b.zext(value, ir.VectorType(I8, value.type.count) if is_vector else I8)
