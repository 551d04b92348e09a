"""Powers of float32, as straight vector code: 2^(y log2(x)) in float64, rounded once."""

from __future__ import annotations

import math
from typing import Any

from slipstream.compiler.codegen.floats import Floats
from slipstream.ir.dtypes import float64

LOG2 = (  # log2((1 + s) / (1 - s)) / s in s^2, where |s| <= 0.172
    2.8853900817902622, 0.9617966731193229, 0.5770836295953683, 0.41166991138546455,
    0.340784324727026,
)  # fmt: skip
EXP2 = (  # 2^r where |r| <= 1/2
    1.0000000005544192, 0.6931472057374132, 0.24022646889227, 0.05550328776694449,
    0.009618489087254191, 0.0013399931412627771, 0.00015345781565889903,
)  # fmt: skip
ROOT_HALF = 0.7071067811865476
FAR = 200.0  # powers of two beyond float32's
BEYOND = 1e30  # an exponent that makes all but 1 infinite or 0


def _log2(d: Floats, a: Any) -> Any:
    """log2 of a > 0, to 2^-37 of its size; 2^e m, m in [sqrt(1/2), sqrt(2)).

    The exponent is made a float by putting it below a power of two, the highest bits' work.
    """
    fraction, bias = d.format.fraction, d.format.bias
    above = d.b.add(d.bits(a), d.b.sub(d.bits_of(1.0), d.bits_of(ROOT_HALF)))
    biased = d.b.lshr(above, d.whole(fraction))
    exponent = d.b.and_(above, d.whole(d.format.exponents))
    m = d.float(d.b.add(d.b.sub(d.bits(a), exponent), d.bits_of(1.0)))
    large = 2.0**fraction
    e = d.sub(d.float(d.b.or_(biased, d.bits_of(large))), large + bias)
    s = d.div(d.sub(m, 1.0), d.add(m, 1.0))
    return d.fma(s, d.polynomial(LOG2, d.mul(s, s)), e)


def _exp2(d: Floats, x: Any) -> Any:
    """2^x; beyond float32's range only as far as that it is beyond."""
    x = d.least(d.most(x, -FAR), FAR)
    shifted = d.add(x, d.format.rounding)
    r = d.sub(x, d.sub(shifted, d.format.rounding))
    near = d.bits(d.polynomial(EXP2, r))
    return d.float(d.b.add(near, d.to_exponent(d.bits(shifted))))


def _size(f: Floats, a: Any, y: Any) -> Any:
    """a to the power y, a >= 0; nan where y is 0 and a is 0 or infinite."""
    d = Floats(f.w, float64)
    logarithm = d.where(f.test(a, "<", math.inf), _log2(d, f.wide(a)), f.wide(a))
    logarithm = d.where(f.test(a, "==", 0.0), -math.inf, logarithm)
    bounded = f.least(f.most(y, -BEYOND), BEYOND)  # so that 1 stays 1
    return f.narrow(_exp2(d, d.mul(logarithm, f.wide(bounded))))


def power(f: Floats, x: Any, y: Any) -> Any:
    """x to the power y, with the special cases of IEEE 754."""
    a, half = f.absolute(x), f.mul(y, 0.5)
    is_whole = f.test(f.nearest(y), "==", y)
    is_odd = f.b.and_(is_whole, f.b.fcmp_unordered("!=", f.nearest(half), half))
    size = _size(f, a, y)
    found = f.where(is_odd, f.with_sign(size, x), size)
    is_nan = f.b.and_(f.test(x, "<", 0.0), f.test(a, "<", math.inf))
    found = f.where(f.b.and_(is_nan, f.b.not_(is_whole)), math.nan, found)
    is_one = f.b.or_(f.test(y, "==", 0.0), f.test(x, "==", 1.0))
    return f.where(is_one, 1.0, found)
