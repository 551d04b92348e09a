"""Linear systems and what comes of them: solutions, inverses, determinants, Cholesky factors.

Derivatives: M. B. Giles, "Collected matrix derivative results for forward and reverse mode
algorithmic differentiation", 2008; the Cholesky factor's in the form of I. Murray,
"Differentiation of the Cholesky decomposition", 2016. Meanings are LAPACK's, through NumPy.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from slipstream.ir.graph import Array
from slipstream.ir.types import TensorType
from slipstream.primitives.base import Primitive, Pull, define, misfit
from slipstream.primitives.elementwise import conj
from slipstream.primitives.families import same_dtype
from slipstream.primitives.matrices import (
    DTYPES,
    adjoint,
    as_columns,
    as_rows,
    by_lapack,
    check_matrix,
    diagonal_matrix,
    diagonal_part,
    like,
    lower,
    positive_definite,
    product,
    real_part,
    regular,
    upper,
)
from slipstream.primitives.samples import reals, sample

FACTS = {"dtypes": DTYPES}


def _square_rule(name: str) -> Any:
    def rule(x: TensorType) -> TensorType:
        check_matrix(name, x)
        return x

    return rule


# --- systems ---


def _check_system(name: str, a: TensorType, b: TensorType) -> TensorType:
    same_dtype(name, (a, b))
    check_matrix(name, a)
    if b.rank != a.rank or b.shape[:-1] != a.shape[:-1]:
        raise misfit(name, "the right-hand side does not fit", "[..., m, k]", matrix=a, rhs=b)
    return b


def _solve_rule(a: TensorType, b: TensorType, *, adjoint: bool) -> TensorType:
    return _check_system("solve", a, b)


def _conjugate_transpose(a: Array) -> Array:
    return np.asarray(np.conj(np.swapaxes(a, -1, -2)))


def _solve(a: Array, b: Array, *, adjoint: bool) -> Array:
    matrix = _conjugate_transpose(a) if adjoint else a
    return np.asarray(
        by_lapack("solve", "Input matrix is not invertible", lambda: np.linalg.solve(matrix, b))
    )


def _solve_derivative(pull: Pull) -> list[Any]:
    (a, _), turned = pull.inputs, pull.params["adjoint"]
    for_b = solve(a, pull.g, adjoint=not turned)
    return [_for_matrix(for_b, pull.outputs[0], turned) if pull.wanted[0] else None, for_b]


def _for_matrix(for_b: Any, x: Any, turned: bool) -> Any:
    """-b x*, or its adjoint where the matrix was used so."""
    return -product(x, adjoint(for_b)) if turned else -product(for_b, adjoint(x))


solve: Primitive = define(
    Primitive(
        "solve",
        "linalg",
        _solve_rule,
        _solve,
        _solve_derivative,
        samples=(
            sample(regular(3, 3), reals(3, 2), adjoint=False),
            sample(regular(2, 3, 3), reals(2, 3, 1), adjoint=True),
        ),
        facts=FACTS,
        doc="x with a x = b, or with a* x = b; b is [..., m, k]",
    )
)


def _triangular_solve_rule(
    a: TensorType, b: TensorType, *, lower: bool, adjoint: bool
) -> TensorType:
    return _check_system("triangular_solve", a, b)


def _triangular_solve(a: Array, b: Array, *, lower: bool, adjoint: bool) -> Array:
    if np.any(np.diagonal(a, axis1=-2, axis2=-1) == 0):
        raise misfit("triangular_solve", "Input matrix is not invertible")
    triangle = np.tril(a) if lower else np.triu(a)
    return np.asarray(np.linalg.solve(_conjugate_transpose(triangle) if adjoint else triangle, b))


def _triangular_solve_derivative(pull: Pull) -> list[Any]:
    (a, _), p = pull.inputs, pull.params
    for_b = triangular_solve(a, pull.g, lower=p["lower"], adjoint=not p["adjoint"])
    if not pull.wanted[0]:
        return [None, for_b]
    for_a = _for_matrix(for_b, pull.outputs[0], p["adjoint"])
    return [lower(for_a) if p["lower"] else upper(for_a), for_b]


triangular_solve: Primitive = define(
    Primitive(
        "triangular_solve",
        "linalg",
        _triangular_solve_rule,
        _triangular_solve,
        _triangular_solve_derivative,
        samples=(
            sample(regular(3, 3), reals(3, 2), lower=True, adjoint=False),
            sample(regular(2, 3, 3), reals(2, 3, 1), lower=True, adjoint=True),
            sample(regular(3, 3), reals(3, 2), lower=False, adjoint=False),
            sample(regular(3, 3), reals(3, 2), lower=False, adjoint=True),
        ),
        facts=FACTS,
        doc="x with a x = b or a* x = b, where only the lower or upper triangle of a is read",
    )
)


# --- inverses and determinants ---


def _inverse(x: Array) -> Array:
    return np.asarray(by_lapack("inverse", "Input is not invertible", lambda: np.linalg.inv(x)))


def _inverse_derivative(pull: Pull) -> list[Any]:
    turned = adjoint(pull.outputs[0])
    return [-product(turned, pull.g, turned)]


inverse = define(
    Primitive(
        "inverse",
        "linalg",
        _square_rule("inverse"),
        _inverse,
        _inverse_derivative,
        samples=(sample(regular(3, 3)), sample(regular(2, 4, 4))),
        facts=FACTS,
        doc="The inverse of square matrices",
    )
)


def _determinant_rule(x: TensorType) -> TensorType:
    check_matrix("determinant", x)
    return x.with_shape(x.shape[:-2])


def _times_inverse(g: Any, x: Any) -> Any:
    """g x^-* for one number g a matrix."""
    return as_rows(as_columns(g)) * adjoint(inverse(x))


determinant = define(
    Primitive(
        "determinant",
        "linalg",
        _determinant_rule,
        lambda x: np.asarray(np.linalg.det(x), x.dtype),
        lambda pull: [_times_inverse(pull.g * conj(pull.outputs[0]), pull.inputs[0])],
        samples=(sample(regular(3, 3)), sample(regular(2, 2, 2))),
        facts=FACTS,
        doc="The determinant of square matrices",
    )
)


def _sign_and_logarithm_rule(x: TensorType) -> tuple[TensorType, TensorType]:
    check_matrix("log_determinant", x)
    return x.with_shape(x.shape[:-2]), x.with_shape(x.shape[:-2])


def _sign_and_logarithm(x: Array) -> tuple[Array, Array]:
    sign, logarithm = np.linalg.slogdet(x)
    return np.asarray(sign, x.dtype), np.asarray(logarithm, x.dtype)


def _log_determinant_derivative(pull: Pull) -> list[Any]:
    g = pull.cotangents[1]
    return [_times_inverse(like(real_part(g), g.dtype), pull.inputs[0])]


log_determinant = define(
    Primitive(
        "log_determinant",
        "linalg",
        _sign_and_logarithm_rule,
        _sign_and_logarithm,
        _log_determinant_derivative,
        samples=(sample(regular(3, 3)), sample(regular(2, 2, 2))),
        facts=FACTS,
        doc="The sign of the determinant, and the logarithm of its absolute value. No derivative "
        "flows through the sign",
    )
)


# --- Cholesky ---


def _cholesky(x: Array) -> Array:
    return np.asarray(
        by_lapack(
            "cholesky",
            "Cholesky decomposition was not successful. The input might not be valid: "
            "it is not positive definite",
            lambda: np.linalg.cholesky(x),
        )
    )


def _cholesky_derivative(pull: Pull) -> list[Any]:
    """The symmetric cotangent, as TensorFlow's, although only the lower triangle is read."""
    factor = pull.outputs[0]
    middle = lower(product(adjoint(factor), pull.g))
    middle = middle - diagonal_matrix(diagonal_part(middle)) * 0.5
    left = triangular_solve(factor, middle, lower=True, adjoint=True)
    both = adjoint(triangular_solve(factor, adjoint(left), lower=True, adjoint=True))
    return [(both + adjoint(both)) * 0.5]


cholesky = define(
    Primitive(
        "cholesky",
        "linalg",
        _square_rule("cholesky"),
        _cholesky,
        _cholesky_derivative,
        samples=(
            sample(positive_definite(3, 3), smooth=False),
            sample(positive_definite(2, 4, 4), smooth=False),
        ),
        facts=FACTS,
        doc="The lower triangular l with l l* = x, of positive definite x, read below the diagonal",
    )
)
