"""Arithmetic on vectors of floats, as the functions of mathematics are written in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from llvmlite import ir

from slipstream.compiler.codegen.vector import I32, I64, Writer, element_type
from slipstream.ir.dtypes import DType, float32, float64


@dataclass(frozen=True)
class Format:
    """How IEEE 754 lays out a float: the bits of its fraction, the bias of its exponent."""

    kind: Any
    integer: Any
    fraction: int
    bias: int

    @property
    def rounding(self) -> float:
        """Added to a float, it leaves the nearest integer in the lowest bits of the sum."""
        return 1.5 * 2.0**self.fraction

    @property
    def sign(self) -> int:
        """The bit of the sign."""
        return 1 << (self.integer.width - 1)

    @property
    def exponents(self) -> int:
        """The bits of the exponent."""
        return self.sign - (1 << self.fraction)


FORMATS = {
    float32: Format(ir.FloatType(), I32, 23, 127),
    float64: Format(ir.DoubleType(), I64, 52, 1023),
}


@lru_cache(maxsize=4096)
def _repeated(kind: Any, number: float, lanes: int) -> Any:
    """A vector of one number: one object a number, as each writes its text only once."""
    return ir.Constant(ir.VectorType(kind, lanes), [ir.Constant(kind, number)] * lanes)


class Floats:
    """Arithmetic on vectors of one float dtype, with numbers where vectors may stand."""

    def __init__(self, writer: Writer, dtype: DType) -> None:
        self.w, self.b, self.dtype, self.format = writer, writer.b, dtype, FORMATS[dtype]

    def of(self, x: Any) -> Any:
        """A vector; of one number if `x` is one."""
        if isinstance(x, (int, float)):
            return _repeated(element_type(self.dtype), float(x), self.w.lanes)
        return x

    def add(self, x: Any, y: Any) -> Any:
        return self.b.fadd(self.of(x), self.of(y))

    def sub(self, x: Any, y: Any) -> Any:
        return self.b.fsub(self.of(x), self.of(y))

    def mul(self, x: Any, y: Any) -> Any:
        return self.b.fmul(self.of(x), self.of(y))

    def div(self, x: Any, y: Any) -> Any:
        return self.b.fdiv(self.of(x), self.of(y))

    def fma(self, x: Any, y: Any, z: Any) -> Any:
        """x y + z, rounded once."""
        return self.w.fma(self.of(x), self.of(y), self.of(z))

    def negative(self, x: Any) -> Any:
        return self.b.fneg(x)

    def absolute(self, x: Any) -> Any:
        return self.w.call("fabs", x)

    def nearest(self, x: Any) -> Any:
        """The nearest integer, the even one of two."""
        return self.w.call("rint", x)

    def with_sign(self, x: Any, sign: Any) -> Any:
        """|x| with the sign of another."""
        return self.w.call("copysign", self.of(x), sign)

    def polynomial(self, coefficients: Sequence[float], x: Any) -> Any:
        """The lowest power's coefficient first; by Horner's rule."""
        *lower, total = coefficients
        for coefficient in reversed(lower):
            total = self.fma(total, x, coefficient)
        return total

    # choices

    def test(self, x: Any, sign: str, y: Any) -> Any:
        """False of nan."""
        return self.b.fcmp_ordered(sign, self.of(x), self.of(y))

    def where(self, condition: Any, yes: Any, no: Any) -> Any:
        return self.b.select(condition, self.of(yes), self.of(no))

    def least(self, x: Any, bound: Any) -> Any:
        """The smaller one; x if it is nan."""
        return self.where(self.test(bound, "<", x), bound, x)

    def most(self, x: Any, bound: Any) -> Any:
        """The larger one; x if it is nan."""
        return self.where(self.test(bound, ">", x), bound, x)

    def replaced(
        self, condition: Any, values: Sequence[Any], slow: Callable[[], Sequence[Any]]
    ) -> list[Any]:
        """The values, and in lanes of the condition those of `slow`, which runs if there is one."""
        every = ir.IntType(self.w.lanes)
        some = self.b.icmp_unsigned("!=", self.b.bitcast(condition, every), every(0))
        before = self.b.block
        with self.b.if_then(some, likely=False):
            others = zip(slow(), values, strict=True)
            found = [self.b.select(condition, other, value) for other, value in others]
            inside = self.b.block
        joined = [self.b.phi(value.type) for value in values]
        for phi, value, other in zip(joined, values, found, strict=True):
            phi.add_incoming(value, before)
            phi.add_incoming(other, inside)
        return joined

    # bits

    def bits(self, x: Any) -> Any:
        """The float as an integer of its size."""
        return self.b.bitcast(x, self.w.vector(self.format.integer))

    def float(self, bits: Any) -> Any:
        """The float of these bits."""
        return self.b.bitcast(bits, self.w.vector(self.format.kind))

    def whole(self, number: int) -> Any:
        """A vector of one integer of the floats' size."""
        return _repeated(self.format.integer, number, self.w.lanes)

    def bits_of(self, number: float) -> Any:
        """The bits of one number, everywhere."""
        return self.bits(self.of(number))

    def sign_of(self, x: Any) -> Any:
        """The bit of the sign alone."""
        return self.b.and_(self.bits(x), self.whole(self.format.sign))

    def exclusive(self, x: Any, bits: Any) -> Any:
        """The float with these bits of it flipped."""
        return self.float(self.b.xor(self.bits(x), bits))

    def to_exponent(self, bits: Any) -> Any:
        """The lowest bits, moved to where the exponent is."""
        return self.b.shl(bits, self.whole(self.format.fraction))

    def to_sign(self, bits: Any) -> Any:
        """The lowest bit, moved to where the sign is."""
        return self.b.shl(bits, self.whole(self.format.integer.width - 1))

    # other floats

    def wide(self, x: Any) -> Any:
        """In float64."""
        return self.b.fpext(x, self.w.vector(ir.DoubleType()))

    def narrow(self, x: Any) -> Any:
        """In float32, rounded."""
        return self.b.fptrunc(x, self.w.vector(ir.FloatType()))

    # the C library

    def library(self, name: str, *arguments: Any) -> Any:
        """A function of the C library, `name` in double precision, on each lane."""
        kind = self.format.kind
        full = name + ("f" if self.dtype is float32 else "")
        known = self.w.module.globals.get(full)
        if known is None:
            known = ir.Function(self.w.module, ir.FunctionType(kind, [kind] * len(arguments)), full)
            known.attributes.add("nounwind")
        result = ir.Constant(self.w.vector(kind), ir.Undefined)
        for lane in range(self.w.lanes):
            scalars = [self.b.extract_element(x, I32(lane)) for x in arguments]
            result = self.b.insert_element(result, self.b.call(known, scalars), I32(lane))
        return result
