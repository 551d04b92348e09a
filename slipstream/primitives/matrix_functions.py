"""Functions of square matrices: exponential, square root, logarithm.

The derivative of each is the function itself, of a block matrix twice as large (R. Mathias, "A
chain rule for matrix functions", 1996): the upper right block of f([[x*, g], [0, x*]]).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from slipstream.ir.graph import Array
from slipstream.ir.types import TensorType
from slipstream.primitives.base import REGISTRY, Primitive, Pull, define
from slipstream.primitives.linalg import FACTS
from slipstream.primitives.matrices import adjoint, by_lapack, check_matrix, positive_definite
from slipstream.primitives.operand import zeros
from slipstream.primitives.samples import reals, sample
from slipstream.primitives.structure import concat, slice_along

PADE_EXPONENTIAL = tuple(
    math.comb(13, k) * math.factorial(26 - k) // math.factorial(13) for k in range(14)
)
PADE_LIMIT = 5.37  # the 1-norm up to which the approximation is exact in float64
POINTS = 7  # Gauss and Legendre's rule: the [7/7] Padé approximation of log(1 + x)
NEAR = 0.25  # the 1-norm up to which that one is exact in float64
ROOTS_AT_MOST = 100


def _norm(x: Array) -> float:
    """The largest 1-norm of the matrices."""
    return float(np.abs(x).sum(-2).max(initial=0.0)) if x.size else 0.0


def _exponential(x: Array) -> Array:
    """Scaling and squaring with the [13/13] Padé approximation (N. J. Higham, 2005)."""
    norm = _norm(x)
    squarings = max(0, math.ceil(math.log2(norm / PADE_LIMIT))) if 0 < norm < math.inf else 0
    scaled = x / 2.0**squarings
    square, b = scaled @ scaled, [float(c) for c in PADE_EXPONENTIAL]
    power = np.broadcast_to(np.eye(x.shape[-1], dtype=x.dtype), x.shape)
    odd, even = b[1] * power, b[0] * power
    for k in range(2, 14, 2):
        power = power @ square
        even = even + b[k] * power
        odd = odd + b[k + 1] * power
    odd = scaled @ odd
    result = np.linalg.solve(even - odd, even + odd)
    for _ in range(squarings):
        result = result @ result
    return np.asarray(result, x.dtype)


def _square_root(x: Array) -> Array:
    """The principal root, by the product form of Denman and Beavers' iteration (Higham, 2008)."""
    eye = np.eye(x.shape[-1], dtype=x.dtype)
    root, rest, before = x, x, math.inf
    for _ in range(ROOTS_AT_MOST):
        inverted = np.linalg.inv(rest)
        root = root @ (eye + inverted) * 0.5
        rest = 0.5 * (eye + 0.5 * (rest + inverted))
        error = _norm(rest - eye)
        if error == 0 or (error < 1e-3 and error >= before):
            break
        before = error
    return np.asarray(root, x.dtype)


def _logarithm(x: Array) -> Array:
    """Square roots until x is near 1, then log(1 + y) as an integral, by Gauss' rule."""
    eye, roots = np.eye(x.shape[-1], dtype=x.dtype), 0
    while _norm(x - eye) > NEAR and roots < ROOTS_AT_MOST:
        x, roots = _square_root(x), roots + 1
    y = x - eye
    points, weights = np.polynomial.legendre.leggauss(POINTS)
    total = np.zeros_like(y)
    for point, weight in zip((points + 1) / 2, weights / 2, strict=True):
        total = total + weight * np.linalg.solve(eye + point * y, y)
    return np.asarray(total * 2.0**roots, x.dtype)


def _function(name: str, meaning: Callable[[Array], Array], spec: Any, doc: str) -> Primitive:
    def rule(x: TensorType) -> TensorType:
        check_matrix(name, x)
        return x

    def wide(x: Array) -> Array:
        """In double precision, so that the scaling costs no digits."""
        exact = x.astype(np.result_type(x.dtype, np.float64))
        failed = "the matrix has no such function"
        return np.asarray(by_lapack(name, failed, lambda: meaning(exact)), x.dtype)

    def derivative(pull: Pull) -> list[Any]:
        turned, size = adjoint(pull.inputs[0]), pull.g.shape[-1]
        axis = len(pull.g.shape) - 1
        above = concat(turned, pull.g, axis=axis)
        below = concat(zeros(turned.type), turned, axis=axis)
        whole = REGISTRY[name](concat(above, below, axis=axis - 1))
        top = slice_along(whole, axis - 1, 0, size)
        return [slice_along(top, axis, size, 2 * size)]

    return define(
        Primitive(
            name, "linalg", rule, wide, derivative,
            samples=(sample(spec(3, 3)), sample(spec(2, 2, 2))), facts=FACTS, doc=doc,
        )
    )  # fmt: skip


matrix_exponential = _function(
    "matrix_exponential", _exponential, reals, "The matrix exponential: sum of x^k / k!"
)
matrix_square_root = _function(
    "matrix_square_root", _square_root, positive_definite, "The principal square root"
)
matrix_logarithm = _function(
    "matrix_logarithm", _logarithm, positive_definite, "The principal logarithm"
)
