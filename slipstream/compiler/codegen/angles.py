"""Sines, cosines, tangents and the angles they belong to, as straight vector code.

Multiples of pi are taken away in three parts (Cody and Waite, Software Manual for the Elementary
Functions, 1980), whose products are exact by fused multiply-adds. From large angles they are taken
after Payne and Hanek (SIGNUM Newsletter 18, 1983), by pieces of 1 / pi in a loop that is entered
only if a lane needs it. The polynomials are minimax, by Remez' exchange.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from llvmlite import ir

from slipstream.compiler.codegen.floats import Floats
from slipstream.compiler.codegen.vector import BYTES, I32, Writer
from slipstream.ir.dtypes import float32, float64

PI = {  # in three parts, each rounded down: the signs of zeros stay
    float32: (3.141592502593994, 1.5099578831723193e-07, 1.078060505991553e-14),
    float64: (3.141592653589793, 1.224646799147353e-16, 2.1657133478438278e-32),
}
SIN = {  # (sin(r) - r) / r^3 in r^2, where |r| <= pi / 2, and a little more
    float32: (-0.16666658222675323, 0.00833303015679121, -0.00019806850468739867,
              2.599519120849436e-06),
    float64: (-0.16666666666666666, 0.008333333333333207, -0.0001984126984121248,
              2.7557319211569444e-06, -2.50521069044123e-08, 1.6058941001262895e-10,
              -7.643019328737977e-13, 2.7214189256913523e-15),
}  # fmt: skip
TAN = {  # (tan(r) - r) / r^3 in r^2, where |r| <= pi / 4, and a little more
    float32: (0.33333122730255127, 0.1333969384431839, 0.05333652347326279, 0.024699009954929352,
              0.002685838844627142, 0.009643730707466602),
    float64: (0.3333333333333278, 0.1333333333341414, 0.05396825392687648, 0.021869489604337187,
              0.008863219226605084, 0.0035922885395146234, 0.0014547611282886871,
              0.0005950518411341053, 0.0002224169346676533, 0.0001364504663988658,
              -2.6281799843418922e-05, 8.935742970802492e-05, -4.482574711837749e-05,
              2.0851118792371902e-05),
}  # fmt: skip
ATAN = {  # (atan(t) - t) / t^3 in t^2, where |t| <= 1
    float32: (-0.33333152532577515, 0.19993767142295837, -0.14211001992225647,
              0.10665770620107651, -0.0755167081952095, 0.04320499300956726,
              -0.016363469883799553, 0.0029195290990173817),
    float64: (-0.3333333333333186, 0.1999999999975523, -0.14285714271345176, 0.1111111067901238,
              -0.09090901239413143, 0.0769221297085039, -0.06665860644930147, 0.05877309199832024,
              -0.05239238397058265, 0.04673965061979711, -0.04092672148999572,
              0.03406838442824338, -0.025827542056587854, 0.016978773787928385,
              -0.009185105792107417, 0.003856268080674494, -0.0011641792859880297,
              0.00022304652054232378, -2.0261048772711884e-05),
}  # fmt: skip
FAR = {float32: 2.0**17, float64: 2.0**30}  # from here on three parts of pi are too few

INVERSE_PI = 0x517CC1B727220A94FE13ABE8FA9A6EE06DB14ACC9E21C820FF  # 200 bits of 1 / pi
PIECE = 25  # bits of 1 / pi whose product with a float32 is exact in float64
PIECES = tuple(
    ((INVERSE_PI >> (200 - end)) & ((1 << PIECE) - 1)) * 2.0**-end
    for end in range(PIECE, 201, PIECE)
)


def _without_turns(f: Floats, x: Any, unit: float, ahead: float) -> tuple[Any, Any]:
    """(r, odd) where x = n unit pi + r, n + ahead is an integer, and |r| is at most half a unit.

    `odd` holds the lowest bit of n + ahead where the sign is. `ahead` is 0 or 1/2.
    """
    rounding = f.format.rounding
    turns = f.fma(x, 1 / (math.pi * unit), ahead or rounding)
    shifted = f.add(turns, rounding) if ahead else turns
    n = f.sub(shifted, rounding)
    n = f.sub(n, ahead) if ahead else n
    r = x
    for part in PI[f.dtype]:
        r = f.fma(n, -part * unit, r)
    return r, f.to_sign(f.bits(shifted))


def _far_without_turns(f: Floats, x: Any, unit: float, ahead: float) -> tuple[Any, Any]:
    """The same for every float32 from `FAR` on.

    Each piece of 1 / pi gives an exact product, of which even numbers are taken away, exactly too.
    """
    d = Floats(f.w, float64)
    wide = d.mul(f.wide(x), 0.5 / unit)
    pieces = _table(f.w, "pieces_of_1_by_pi", PIECES)

    def once(index: Any, carried: Sequence[Any]) -> Sequence[Any]:
        turns, count = carried
        half = d.mul(wide, f.w.splat(f.w.load(pieces, index, float64)))
        half = d.sub(half, d.nearest(half))
        turns = d.fma(half, 2.0, turns)
        whole = d.nearest(turns)
        return d.sub(turns, whole), d.add(count, whole)

    turns, count = f.w.loop(len(PIECES), once, [d.of(ahead), d.of(0.0)])
    odd = f.b.trunc(d.bits(d.add(count, d.format.rounding)), f.w.vector(I32))
    return f.narrow(d.mul(turns, math.pi * unit)), f.to_sign(odd)


def _table(w: Writer, name: str, numbers: Sequence[float]) -> Any:
    """A constant array in the module, entered once."""
    known = w.module.globals.get(name)
    if known is None:
        kind = ir.ArrayType(ir.DoubleType(), len(numbers))
        known = ir.GlobalVariable(w.module, kind, name)
        known.linkage, known.global_constant = "internal", True
        known.initializer = ir.Constant(kind, numbers)
    return w.b.bitcast(known, BYTES)


def _reduced(f: Floats, x: Any, unit: float, ahead: float = 0.0) -> list[Any]:
    """`_without_turns`; of float32 wherever they are."""
    near = _without_turns(f, x, unit, ahead)
    if f.dtype is not float32:
        return [*near]
    return f.replaced(_is_far(f, x), near, lambda: _far_without_turns(f, x, unit, ahead))


def _is_far(f: Floats, x: Any) -> Any:
    return f.test(f.absolute(x), ">=", FAR[f.dtype])


def _wherever(f: Floats, x: Any, found: Any, library: str) -> Any:
    """The value found; of far float64 the C library's."""
    if f.dtype is float32:
        return found
    return f.replaced(_is_far(f, x), [found], lambda: [f.library(library, x)])[0]


def _odd_series(f: Floats, x: Any, coefficients: Sequence[float]) -> Any:
    """x + x^3 (a polynomial in x^2)."""
    square = f.mul(x, x)
    return f.fma(f.mul(square, x), f.polynomial(coefficients, square), x)


def _sine(f: Floats, x: Any, ahead: float) -> Any:
    """sin(x + ahead pi) = (-1)^(n + ahead) sin(r)."""
    r, odd = _reduced(f, x, 1.0, ahead)
    return f.exclusive(_odd_series(f, r, SIN[f.dtype]), odd)


def sin(f: Floats, x: Any) -> Any:
    found = f.where(f.test(x, "==", 0.0), x, _sine(f, x, 0.0))
    return _wherever(f, x, found, "sin")


def cos(f: Floats, x: Any) -> Any:
    return _wherever(f, x, _sine(f, x, 0.5), "cos")


def tan(f: Floats, x: Any) -> Any:
    """tan(r), or -1 / tan(r) where n is odd."""
    r, odd = _reduced(f, x, 0.5)
    found = _odd_series(f, r, TAN[f.dtype])
    is_odd = f.b.icmp_unsigned("!=", odd, f.whole(0))
    found = f.div(f.where(is_odd, -1.0, found), f.where(is_odd, found, 1.0))
    return _wherever(f, x, found, "tan")


def atan(f: Floats, x: Any) -> Any:
    """atan(a) of a = |x|, or pi / 2 + atan(-1 / a) where a > 1."""
    a = f.absolute(x)
    steep = f.test(a, ">", 1.0)
    t = f.div(f.where(steep, -1.0, a), f.where(steep, a, 1.0))
    found = f.add(_odd_series(f, t, ATAN[f.dtype]), f.where(steep, math.pi / 2, 0.0))
    return f.with_sign(found, x)


def atan2(f: Floats, y: Any, x: Any) -> Any:
    """The angle of (|x|, |y|) from the nearer axis, then from the positive x axis."""
    across, up = f.absolute(x), f.absolute(y)
    steep = f.test(up, ">", across)
    high, low = f.most(across, up), f.least(up, across)  # both nan if x and y are, else one
    high = f.where(f.test(high, "==", 0.0), 1.0, high)
    t = f.where(f.test(low, "==", high), 1.0, f.div(low, high))
    found = _odd_series(f, t, ATAN[f.dtype])
    found = f.where(steep, f.sub(math.pi / 2, found), found)
    left = f.b.icmp_signed("<", f.bits(x), f.whole(0))
    return f.with_sign(f.where(left, f.sub(math.pi, found), found), y)
