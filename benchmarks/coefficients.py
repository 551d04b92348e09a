"""Where the polynomials of vector mathematics come from. It needs mpmath (`pip install mpmath`).

    python benchmarks/coefficients.py [name ...]

A polynomial is minimax, found by the exchange of E. Remez (1934) in 80 digits on a grid: the
largest error, times a weight that makes it the relative error of the whole function, is as small as
it can be. Then its coefficients are rounded to float32 or float64, the lowest power first, and
after each the others are fitted anew. Printed are the base-2 logarithms of the error before and
after rounding, and the coefficients, the lowest power first.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any, NamedTuple

import mpmath as mp
import numpy as np

mp.mp.dps = 80
GRID, ROUNDS, TINY = 400, 30, mp.mpf("1e-3")
Function = Callable[[Any], Any]


class Fit(NamedTuple):
    """A function to approximate by powers of x, where, and how much its errors count."""

    function: Function
    powers: Sequence[int]
    interval: tuple[Any, Any]
    weight: Function
    dtype: type = np.float32


def grid(low: Any, high: Any) -> list[Any]:
    """Points that crowd at the ends, as errors do; zero is not one of them."""
    middle, half = (low + high) / 2, (high - low) / 2
    return [middle - half * mp.cos(mp.pi * k / (GRID - 1)) for k in range(GRID)]


def extremes(errors: Sequence[Any]) -> list[int]:
    """Where the error is largest between two changes of its sign."""
    runs = groupby(range(len(errors)), key=lambda k: errors[k] >= 0)
    return [max(run, key=lambda k: abs(errors[k])) for _, run in runs]


def thinned(places: list[int], errors: Sequence[Any], count: int) -> list[int]:
    """As many extremes that alternate, the smallest ones left out."""
    places = list(places)
    while len(places) > count:
        least = min(range(len(places)), key=lambda i: abs(errors[places[i]]))
        inner = len(places) - count > 1 and 0 < least < len(places) - 1
        if inner:
            sides = (least - 1, least + 1)
            beside = min(sides, key=lambda i: abs(errors[places[i]]))
            del places[max(least, beside)], places[min(least, beside)]
        else:
            del places[0 if abs(errors[places[0]]) < abs(errors[places[-1]]) else -1]
    return places


def minimax(fit: Fit, known: Sequence[Any] = ()) -> tuple[list[Any], Any]:
    """The coefficients beyond the known ones, and the largest weighted error."""
    points = grid(*fit.interval)
    weights = [fit.weight(x) for x in points]
    powers, count = fit.powers[len(known) :], len(fit.powers) - len(known)
    wanted = [
        fit.function(x) - sum(c * x**p for c, p in zip(known, fit.powers, strict=False))
        for x in points
    ]
    places = [k * (GRID - 1) // count for k in range(count + 1)]
    for _ in range(ROUNDS):
        rows = [
            [points[k] ** p for p in powers] + [(-1) ** i / weights[k]]
            for i, k in enumerate(places)
        ]
        *found, level = mp.lu_solve(mp.matrix(rows), mp.matrix([wanted[k] for k in places]))
        errors = [
            (sum(c * x**p for c, p in zip(found, powers, strict=True)) - value) * weight
            for x, value, weight in zip(points, wanted, weights, strict=True)
        ]
        worst, peaks = max(map(abs, errors)), extremes(errors)
        if worst < abs(level) * mp.mpf("1.0001") or len(peaks) <= count:
            break
        places = thinned(peaks, errors, count + 1)
    return found, worst


def rounded(fit: Fit) -> tuple[list[float], Any, Any]:
    """The rounded coefficients, and the errors before and after rounding."""
    known: list[Any] = []
    _, before = minimax(fit)
    for _ in fit.powers:
        (first, *_), _ = minimax(fit, known)
        known.append(mp.mpf(float(fit.dtype(str(first)))))
    points = grid(*fit.interval)
    after = max(
        abs(sum(c * x**p for c, p in zip(known, fit.powers, strict=True)) - fit.function(x))
        * fit.weight(x)
        for x in points
    )
    return [float(c) for c in known], before, after


def relative(function: Function, order: int) -> Function:
    """What an error counts that is multiplied by x^order and added to the function's first term."""
    return lambda x: abs(x**order / function(x))


def odd(function: Function, terms: int, high: str, dtype: type = np.float32) -> Fit:
    """(f(x) - x) / x^3 in x^2, of an odd function."""
    powers = range(0, 2 * terms, 2)
    rest: Function = lambda x: (function(x) - x) / x**3  # noqa: E731
    return Fit(rest, powers, (TINY, mp.mpf(high)), relative(function, 3), dtype)


def exponential(degree: int, dtype: type = np.float32) -> Fit:
    """(exp(r) - 1 - r) / r^2."""
    high = mp.log(2) / 2 * mp.mpf("1.0001")
    rest: Function = lambda r: (mp.expm1(r) - r) / r**2  # noqa: E731
    return Fit(rest, range(degree - 1), (-high, high), relative(mp.expm1, 2), dtype)


def ratio(s: Any) -> Any:
    """log((1 + s) / (1 - s))."""
    return 2 * mp.atanh(s)


def scaled_complement(q: Any) -> Any:
    """(1 + 2 a) exp(a^2) erfc(a) where q is (a - 2) / (a + 2)."""
    a = 2 * (1 + q) / (1 - q)
    return (1 + 2 * a) * mp.exp(a * a) * mp.erfc(a)


THIRD, FIFTH, HALF = mp.mpf("0.33337"), mp.mpf("0.2001"), mp.mpf("0.5")
FITS = {
    "EXP float32": exponential(6),
    "EXP float64": exponential(12, np.float64),
    "LOG": Fit(
        lambda t: (mp.log1p(t) - t) / t**2, range(9), (-THIRD, THIRD), relative(mp.log1p, 2)
    ),
    "LOG_BY_RATIO": Fit(
        lambda s: (ratio(s) - 2 * s) / s**3, range(0, 14, 2), (TINY, FIFTH), relative(ratio, 3),
        np.float64,
    ),
    "SIN float32": odd(mp.sin, 4, "1.59"),
    "SIN float64": odd(mp.sin, 8, "1.5709", np.float64),
    "TAN float32": odd(mp.tan, 6, "0.795"),
    "TAN float64": odd(mp.tan, 14, "0.78541", np.float64),
    "ATAN float32": odd(mp.atan, 8, "1"),
    "ATAN float64": odd(mp.atan, 19, "1", np.float64),
    "ERF": Fit(
        lambda a: -mp.log(mp.erfc(a)) / a, range(8), (TINY, mp.mpf("3.93")),
        lambda a: a * mp.erfc(a) / mp.erf(a),
    ),
    "ERFCX": Fit(
        scaled_complement, range(10), (mp.mpf(-1), (mp.mpf("10.1") - 2) / (mp.mpf("10.1") + 2)),
        lambda q: 1 / scaled_complement(q),
    ),
    "LOG2": Fit(
        lambda s: ratio(s) / s / mp.log(2), range(0, 10, 2), (TINY, mp.mpf("0.1718")),
        lambda s: s * mp.log(2) / ratio(s), np.float64,
    ),
    "EXP2": Fit(lambda r: 2**r, range(7), (-HALF, HALF), lambda r: 2**-r, np.float64),
}  # fmt: skip


if __name__ == "__main__":
    for name in sys.argv[1:] or FITS:
        coefficients, before, after = rounded(FITS[name])
        logarithms = ", ".join(mp.nstr(mp.log(error, 2), 4) for error in (before, after))
        print(f"{name}: {logarithms}\n    {coefficients}", flush=True)
