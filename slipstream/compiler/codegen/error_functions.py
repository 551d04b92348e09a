"""The error function and its complement in float32, as straight vector code."""

from __future__ import annotations

from typing import Any

from slipstream.compiler.codegen.exponentials import complement_of_decay, split_exp
from slipstream.compiler.codegen.floats import Floats

ERF = (  # -log(erfc(a)) / a where 0 <= a <= 3.93
    1.128379225730896, 0.6366153359413147, 0.10282688587903976, -0.01937013678252697,
    0.0002913694770541042, 0.0011771894060075283, -0.00035006634425371885, 3.584752994356677e-05,
)  # fmt: skip
ERF_IS_1 = 3.93
ERFCX = (  # (1 + 2 a) exp(a^2) erfc(a) in (a - 2) / (a + 2), where 0 <= a <= 10.1
    1.2769783735275269, -0.09276411682367325, -0.16603004932403564, 0.16405725479125977,
    -0.05421721935272217, -0.008070433512330055, 0.00867053959518671, 0.0013428999809548259,
    -0.00126736203674227, -0.00043134420411661267,
)  # fmt: skip
ERFC_IS_0 = 10.06


def erf(f: Floats, x: Any) -> Any:
    """1 - exp(-a p(a)) of a = |x|."""
    a = f.least(f.absolute(x), ERF_IS_1)
    return f.with_sign(complement_of_decay(f, f.mul(a, f.polynomial(ERF, a))), x)


def erfc(f: Floats, x: Any) -> Any:
    """exp(-a^2) times a factor between 1 / (1 + 2 a) and 1.3 of it, of a = |x|.

    By the transformation of Shepherd and Laframboise (Mathematics of Computation 36, 1981). What
    the rounded square lacks is taken away from the exponent.
    """
    a = f.least(f.absolute(x), ERFC_IS_0)
    square = f.mul(a, a)
    lost = f.fma(a, a, f.negative(square))
    near, half, other = split_exp(f, f.negative(square), lost)
    above, twice = f.add(a, 2.0), f.fma(a, 2.0, 1.0)
    inverse = f.div(1.0, f.mul(above, twice))
    q = f.mul(f.sub(a, 2.0), f.mul(twice, inverse))
    error = f.fma(f.negative(q), a, f.fma(f.add(q, 1.0), -2.0, a))  # a - 2 - q (a + 2)
    q = f.fma(error, f.mul(twice, inverse), q)
    numerator = f.polynomial(ERFCX, q)
    by_twice = f.mul(above, inverse)
    factor = f.mul(numerator, by_twice)
    error = f.sub(numerator, factor)
    error = f.fma(f.mul(factor, -2.0), a, error)
    factor = f.fma(error, by_twice, factor)
    tail = f.mul(f.mul(f.mul(near, factor), half), other)
    return f.where(f.test(x, "<", 0.0), f.sub(2.0, tail), tail)
