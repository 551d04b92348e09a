"""exp, log and what is made of them, as straight vector code in float32 and float64.

Arguments are reduced as by Cody and Waite (Software Manual for the Elementary Functions, 1980);
log and log1p in float64 take the series in t / (2 + t) of FDLIBM (Sun Microsystems, 1993). The
polynomials are minimax, by Remez' exchange, rounded one coefficient after the other.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from slipstream.compiler.codegen.floats import Floats
from slipstream.ir.dtypes import float32, float64

LN2 = {  # in two parts, the first one rounded down
    float32: (0.6931471228599548, 5.7699989068e-08),
    float64: (0.6931471805599453, 2.3190468138462996e-17),
}
EXP = {  # (exp(r) - 1 - r) / r^2 where |r| <= log(2) / 2
    float32: (0.4999999701976776, 0.16666539013385773, 0.04166775569319725, 0.008367124944925308,
              0.0013835638528689742),
    float64: (0.5, 0.16666666666666677, 0.04166666666666669, 0.008333333333321778,
              0.0013888888888886864, 0.00019841269885337447, 2.480158729460668e-05,
              2.7557233920721586e-06, 2.7557259976738785e-07, 2.5118670355050416e-08,
              2.0947664936145692e-09),
}  # fmt: skip
LIMITS = {float32: (-104.0, 104.0), float64: (-746.0, 746.0)}  # exp is 0 and infinite beyond
LOG = (  # (log(1 + t) - t) / t^2 where |t| <= 1/3
    -0.5, 0.33333197236061096, -0.24999919533729553, 0.20011435449123383, -0.1667444407939911,
    0.13989664614200592, -0.12273456156253815, 0.14060454070568085, -0.1248922348022461,
)  # fmt: skip
LOG_BY_RATIO = (  # (2 atanh(s) - 2 s) / s^3 in s^2, where |s| <= 1/5
    0.6666666666667272, 0.399999999961521, 0.2857142939729418, 0.22222138318550355,
    0.18186364225670396, 0.1525001416955241, 0.15369622439881725,
)  # fmt: skip
LEAST_PART = 2 / 3  # logarithms are of numbers in [2/3, 4/3)


class Power(NamedTuple):
    """2^n exp(r): n in the lowest bits of an integer, biased twice; |r| <= log(2) / 2."""

    n: Any
    r: Any


def reduced(f: Floats, x: Any, bias: int, rest: Any = None) -> Power:
    """x - rest as n log(2) + r, with a bias added to n; n is below 2^9, or 2^12 in float64."""
    rounding = f.format.rounding + bias
    shifted = f.fma(x, 1 / math.log(2), rounding)
    steps = f.sub(shifted, rounding)
    high, low = LN2[f.dtype]
    r = f.fma(steps, -low, f.fma(steps, -high, x))
    return Power(f.bits(shifted), r if rest is None else f.sub(r, rest))


def split_exp(f: Floats, x: Any, rest: Any = None) -> tuple[Any, Any, Any]:
    """Three factors of exp(x - rest) for x within the limits: near 1, and two powers of two.

    Two, since what they make may be denormal or infinite.
    """
    power = reduced(f, x, 2 * f.format.bias, rest)
    half = f.b.shl(power.n, f.whole(f.format.fraction - 1))
    half = f.b.and_(half, f.whole(f.format.exponents))
    other = f.b.sub(f.to_exponent(power.n), half)
    near = f.polynomial((1.0, 1.0, *EXP[f.dtype]), power.r)
    return near, f.float(half), f.float(other)


def exp(f: Floats, x: Any) -> Any:
    least, most = LIMITS[f.dtype]
    near, half, other = split_exp(f, f.least(f.most(x, least), most))
    return f.mul(f.mul(near, half), other)


def _decayed(f: Floats, x: Any) -> Any:
    """exp(-|x|)."""
    least, _ = LIMITS[f.dtype]
    near, half, other = split_exp(f, f.most(f.negative(f.absolute(x)), least))
    return f.mul(f.mul(near, half), other)


def _exp_of_r_less_1(f: Floats, r: Any) -> Any:
    return f.fma(f.mul(r, r), f.polynomial(EXP[f.dtype], r), r)


def _quarter_of_expm1(f: Floats, x: Any) -> Any:
    """2^(n-2) (exp(r) - 1) + 2^(n-2) - 1/4, which is finite a little longer than sinh."""
    most = (f.format.bias + 2.1) * math.log(2)
    power = reduced(f, f.least(f.most(x, -40.0), most), f.format.bias - 2)
    quarter = f.float(f.to_exponent(power.n))
    return f.fma(quarter, _exp_of_r_less_1(f, power.r), f.sub(quarter, 0.25))


def _is_tiny(f: Floats, x: Any) -> Any:
    """Whether x x is nothing beside x."""
    return f.test(f.absolute(x), "<", 2.0 ** -(f.format.fraction + 2))


def expm1(f: Floats, x: Any) -> Any:
    return f.where(_is_tiny(f, x), x, f.mul(_quarter_of_expm1(f, x), 4.0))


def sinh(f: Floats, x: Any) -> Any:
    """(t + t / (t + 1)) / 2 of t = expm1(|x|)."""
    half = f.mul(_quarter_of_expm1(f, f.absolute(x)), 2.0)
    bounded = f.least(half, 2.0**64)  # of an infinite one, what is added is 0, not nan
    found = f.add(half, f.div(bounded, f.fma(half, 2.0, 1.0)))
    return f.where(_is_tiny(f, x), x, f.with_sign(found, x))


def cosh(f: Floats, x: Any) -> Any:
    """(e + 1 / e) / 2 of e = exp(|x|)."""
    half = f.fma(_quarter_of_expm1(f, f.absolute(x)), 2.0, 0.5)
    return f.add(half, f.div(0.25, half))


def sigmoid(f: Floats, x: Any) -> Any:
    """1 / (1 + exp(-x)), or exp(x) / (1 + exp(x)) where x < 0."""
    decayed = _decayed(f, x)
    return f.div(f.where(f.test(x, "<", 0.0), decayed, 1.0), f.add(decayed, 1.0))


def complement_of_decay(f: Floats, t: Any) -> Any:
    """1 - exp(-t) where 0 <= t <= 60: 1 - 2^n + 2^n (1 - exp(-s)), t = s - n log(2)."""
    rounding = f.format.rounding + f.format.bias
    shifted = f.fma(t, -1 / math.log(2), rounding)
    s = f.fma(f.sub(shifted, rounding), math.log(2), t)  # the smaller 2^n, the less it matters
    series = [number * (-1) ** (power + 1) for power, number in enumerate(EXP[f.dtype])]
    near = f.fma(f.mul(s, s), f.polynomial(series, s), s)
    scale = f.float(f.to_exponent(f.bits(shifted)))
    return f.fma(scale, near, f.sub(1.0, scale))


def tanh(f: Floats, x: Any) -> Any:
    """(1 - e) / (1 + e) of e = exp(-2 |x|)."""
    a = f.least(f.absolute(x), 20.0)
    found = complement_of_decay(f, f.add(a, a))
    return f.with_sign(f.div(found, f.sub(2.0, found)), x)


# logarithms


def _log_of_1_plus(f: Floats, t: Any) -> Any:
    """log(1 + t), 1 + t in [2/3, 4/3)."""
    if f.dtype is float32:
        return f.fma(f.mul(t, t), f.polynomial(LOG, t), t)
    s = f.div(t, f.add(t, 2.0))
    half = f.mul(f.mul(t, t), 0.5)
    square = f.mul(s, s)
    rest = f.fma(square, f.polynomial(LOG_BY_RATIO, square), half)
    return f.sub(t, f.fma(f.negative(s), rest, half))


def _exponent_above(f: Floats, x: Any) -> Any:
    """The bits of e where x > 0 is 2^e m, m in [2/3, 4/3)."""
    above = f.b.sub(f.bits(x), f.bits_of(LEAST_PART))
    return f.b.and_(above, f.whole(-(1 << f.format.fraction)))


def _log_from(f: Floats, exponent: Any, t: Any, less: Any = None) -> Any:
    """log(2^e (1 + t)); `exponent` are the bits of e, of which `less` is taken away."""
    kind = f.w.vector(f.format.kind)
    power = f.b.sitofp(f.b.ashr(exponent, f.whole(f.format.fraction)), kind)
    power = power if less is None else f.sub(power, less)
    return f.fma(power, math.log(2), _log_of_1_plus(f, t))


def log(f: Floats, x: Any) -> Any:
    """Denormal x are taken times a power of two."""
    tiny = f.test(x, "<", 2.0 ** (1 - f.format.bias))
    moved = f.format.fraction + 1
    normal = f.where(tiny, f.mul(x, 2.0**moved), x)
    exponent = _exponent_above(f, normal)
    t = f.sub(f.float(f.b.sub(f.bits(normal), exponent)), 1.0)
    found = _log_from(f, exponent, t, f.where(tiny, float(moved), 0.0))
    found = f.where(f.test(x, "<", math.inf), found, x)
    beyond = f.where(f.test(x, "==", 0.0), -math.inf, math.nan)
    return f.where(f.b.fcmp_unordered("<=", x, f.of(0.0)), beyond, found)


def log1p(f: Floats, x: Any) -> Any:
    """1 + x = 2^e (1 + t), t = 2^-e x + (2^-e - 1), so that nothing of x is lost."""
    exponent = _exponent_above(f, f.add(x, 1.0))
    scaled = f.float(f.b.sub(f.bits(x), exponent))
    quadruple = f.float(f.b.sub(f.bits_of(4.0), exponent))  # 2^-e may be denormal
    t = f.add(scaled, f.fma(quadruple, 0.25, -1.0))
    found = f.with_sign(_log_from(f, exponent, t), x)
    found = f.where(f.test(x, "<", math.inf), found, x)
    beyond = f.where(f.test(x, "==", -1.0), -math.inf, math.nan)
    return f.where(f.b.fcmp_unordered("<=", x, f.of(-1.0)), beyond, found)


def softplus(f: Floats, x: Any) -> Any:
    """max(x, 0) + log(1 + exp(-|x|)), whose 1 + t may reach 2: the exponent is 0 or 1."""
    decayed = _decayed(f, x)
    large = f.test(decayed, ">=", 1 / 3)
    t = f.where(large, f.fma(decayed, 0.5, -0.5), decayed)
    found = f.add(_log_of_1_plus(f, t), f.where(large, math.log(2), 0.0))
    return f.add(found, f.most(x, 0.0))
