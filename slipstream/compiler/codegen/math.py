"""Exponentials, logarithms and angles of vectors.

In float32 exp, expm1, log, log1p and tanh are straight vector code, within 4 ulp, by the
polynomials of Cephes (Moshier 1989); the rest calls the C library, lane by lane.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir

from slipstream.compiler.codegen.scalars import REALS, emits, extremum
from slipstream.compiler.codegen.vector import I32, Writer, element_type
from slipstream.compiler.kernels import Apply
from slipstream.ir.dtypes import float32, int32
from slipstream.primitives import elementwise as e
from slipstream.primitives.base import Primitive

LN2_HIGH, LN2_LOW = 0.693359375, -2.12194440e-4
ROUNDING = 1.5 * 2.0**23  # added to a float32, it leaves the nearest integer in the lowest bits
ROUNDING_BITS = 0x4B400000
EXP = (1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1,
       5.0000001201e-1)  # fmt: skip
LOG = (7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1,
       -1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1)  # fmt: skip
TANH = (-5.70498872745e-3, 2.06390887954e-2, -5.37397155531e-2, 1.33314422036e-1,
        -3.33332819422e-1)  # fmt: skip
TANH_NEAR = 0.625
SMALLEST_NORMAL, ROOT_HALF_BITS, ONE_BITS = 2.0**-126, 0x3F3504F3, 0x3F800000


class Floats:
    """Arithmetic on float32 vectors, with numbers where vectors may stand."""

    def __init__(self, writer: Writer) -> None:
        self.w, self.b = writer, writer.b

    def of(self, x: Any) -> Any:
        return self.w.constant(float32, x) if isinstance(x, (int, float)) else x

    def add(self, x: Any, y: Any) -> Any:
        return self.b.fadd(self.of(x), self.of(y))

    def sub(self, x: Any, y: Any) -> Any:
        return self.b.fsub(self.of(x), self.of(y))

    def mul(self, x: Any, y: Any) -> Any:
        return self.b.fmul(self.of(x), self.of(y))

    def div(self, x: Any, y: Any) -> Any:
        return self.b.fdiv(self.of(x), self.of(y))

    def fma(self, x: Any, y: Any, z: Any) -> Any:
        return self.w.fma(self.of(x), self.of(y), self.of(z))

    def where(self, condition: Any, yes: Any, no: Any) -> Any:
        return self.b.select(condition, self.of(yes), self.of(no))

    def test(self, x: Any, sign: str, y: Any) -> Any:
        """False of nan."""
        return self.b.fcmp_ordered(sign, self.of(x), self.of(y))

    def least(self, x: Any, y: float) -> Any:
        return extremum(self.w, "<=", x, self.of(y), float32)

    def most(self, x: Any, y: float) -> Any:
        return extremum(self.w, ">=", x, self.of(y), float32)

    def bits(self, x: Any) -> Any:
        return self.b.bitcast(x, self.w.vector(I32))

    def float(self, bits: Any) -> Any:
        return self.b.bitcast(bits, self.w.vector(ir.FloatType()))

    def whole(self, number: int) -> Any:
        return self.w.constant(int32, number)

    def polynomial(self, coefficients: Sequence[float], x: Any) -> Any:
        """The highest power's coefficient first (Horner)."""
        total = self.of(coefficients[0])
        for coefficient in coefficients[1:]:
            total = self.fma(total, x, coefficient)
        return total

    def power_of_two(self, n: Any) -> Any:
        """2 to a whole power in -126...127."""
        return self.float(self.b.shl(self.b.add(n, self.whole(127)), self.whole(23)))

    def reduced(self, x: Any) -> tuple[Any, Any]:
        """(n, exp(r) - 1) of x = n log(2) + r, |r| <= log(2) / 2."""
        shifted = self.fma(x, 1 / math.log(2), ROUNDING)
        n = self.b.sub(self.bits(shifted), self.whole(ROUNDING_BITS))
        steps = self.sub(shifted, ROUNDING)
        r = self.fma(steps, -LN2_LOW, self.fma(steps, -LN2_HIGH, x))
        return n, self.fma(self.mul(r, r), self.polynomial(EXP, r), r)


Vector = Callable[[Floats, Any], Any]


def exp(f: Floats, x: Any) -> Any:
    """The power of two is multiplied in two halves, so that results may be denormal or infinite."""
    n, rest = f.reduced(f.least(f.most(x, -110.0), 100.0))
    half = f.b.ashr(n, f.whole(1))
    scaled = f.mul(f.add(rest, 1.0), f.power_of_two(half))
    return f.mul(scaled, f.power_of_two(f.b.sub(n, half)))


def expm1(f: Floats, x: Any) -> Any:
    """2 (2^(n-1) (exp(r) - 1) + 2^(n-1) - 1/2), whose terms do not overflow."""
    n, rest = f.reduced(f.least(f.most(x, -30.0), 100.0))
    half = f.power_of_two(f.b.sub(n, f.whole(1)))
    found = f.fma(half, rest, f.sub(half, 0.5))
    found = f.where(f.test(x, ">", 89.0), math.inf, f.add(found, found))
    return f.where(f.test(x, "==", 0.0), x, found)


def log(f: Floats, x: Any) -> Any:
    """x = 2^e (1 + t), 1 + t in [sqrt(1/2), sqrt(2))."""
    tiny = f.test(x, "<", SMALLEST_NORMAL)
    bits = f.bits(f.where(tiny, f.mul(x, 2.0**23), x))
    above = f.b.sub(bits, f.whole(ROOT_HALF_BITS))
    whole = f.b.ashr(above, f.whole(23))
    t = f.sub(f.float(f.b.sub(bits, f.b.shl(whole, f.whole(23)))), 1.0)
    power = f.b.sitofp(whole, f.w.vector(ir.FloatType()))
    power = f.sub(power, f.where(tiny, 23.0, 0.0))
    square = f.mul(t, t)
    rest = f.mul(f.mul(t, square), f.polynomial(LOG, t))
    rest = f.fma(square, -0.5, f.fma(power, LN2_LOW, rest))
    found = f.fma(power, LN2_HIGH, f.add(t, rest))
    found = f.where(f.test(x, "==", math.inf), x, found)
    found = f.where(f.test(x, "==", 0.0), -math.inf, found)
    negative = f.b.fcmp_unordered("<", x, f.of(0.0))  # or nan
    return f.where(negative, math.nan, found)


def log1p(f: Floats, x: Any) -> Any:
    """log(u) of the rounded u = 1 + x, and what the rounding lost, divided by u."""
    u = f.add(x, 1.0)
    lost = f.where(f.test(x, ">=", 1.0), f.sub(1.0, f.sub(u, x)), f.sub(x, f.sub(u, 1.0)))
    plain = log(f, u)
    inside = f.b.and_(f.test(u, ">", 0.0), f.test(u, "<", math.inf))
    found = f.where(inside, f.add(plain, f.div(lost, u)), plain)
    return f.where(f.test(x, "==", 0.0), x, found)


def tanh(f: Floats, x: Any) -> Any:
    """A polynomial near zero, 1 - 2 / (exp(2 a) + 1) of a = |x| elsewhere."""
    a = f.w.call("fabs", x)
    square = f.mul(x, x)
    near = f.fma(f.mul(square, x), f.polynomial(TANH, square), x)
    grown = exp(f, f.mul(f.least(a, 20.0), 2.0))
    far = f.sub(1.0, f.div(2.0, f.add(grown, 1.0)))
    far = f.w.call("copysign", far, x)
    found = f.where(f.test(a, "<", TANH_NEAR), near, far)
    return f.where(f.test(x, "==", 0.0), x, found)


def _by_lanes(w: Writer, name: str, arguments: Sequence[Any]) -> Any:
    """A function of the C library on each lane."""
    result = ir.Constant(arguments[0].type, ir.Undefined)
    element = arguments[0].type.element
    known = w.module.globals.get(name)
    if known is None:
        kind = ir.FunctionType(element, [element] * len(arguments))
        known = ir.Function(w.module, kind, name)
        known.attributes.add("nounwind")
    for lane in range(w.lanes):
        scalars = [w.b.extract_element(x, I32(lane)) for x in arguments]
        result = w.b.insert_element(result, w.b.call(known, scalars), I32(lane))
    return result


def _function(primitive: Primitive, library: str, vector: Vector | None = None) -> None:
    @emits(primitive, REALS)
    def emitter(w: Writer, arguments: Sequence[Any], application: Apply) -> Any:
        if vector is not None and application.dtype is float32:
            return vector(Floats(w), *arguments)
        short = isinstance(element_type(application.dtype), ir.FloatType)
        return _by_lanes(w, library + ("f" if short else ""), arguments)


_function(e.exp, "exp", exp)
_function(e.expm1, "expm1", expm1)
_function(e.log, "log", log)
_function(e.log1p, "log1p", log1p)
_function(e.tanh, "tanh", tanh)
_function(e.sin, "sin")
_function(e.cos, "cos")
_function(e.arctan, "atan")
_function(e.arctan2, "atan2")
_function(e.power, "pow")
