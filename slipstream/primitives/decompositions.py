"""Factors of matrices: QR, singular values, eigenvalues. Meanings are LAPACK's, through NumPy.

Derivatives: S. F. Walter and L. Lehmann, "Algorithmic differentiation of linear algebra functions",
2010 (QR); J. Townsend, "Differentiating the singular value decomposition", 2016, with the phase of
Z.-Q. Wan and S.-X. Zhang, 2019, for complex matrices; M. B. Giles, 2008 (eigenvalues). They exist
where singular values or eigenvalues differ; equal ones contribute nothing to each other.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from slipstream.ir.dtypes import as_dtype
from slipstream.ir.graph import Array
from slipstream.ir.types import TensorType
from slipstream.primitives.base import Primitive, Pull, define
from slipstream.primitives.elementwise import conj, imaginary, real
from slipstream.primitives.linalg import FACTS, solve, triangular_solve
from slipstream.primitives.matrices import (
    adjoint,
    as_columns,
    as_rows,
    by_lapack,
    check_matrix,
    diagonal_matrix,
    diagonal_part,
    inverse_differences,
    like,
    lower,
    product,
    real_part,
    regular,
)
from slipstream.primitives.reduction import sum_
from slipstream.primitives.samples import reals, sample
from slipstream.primitives.structure import concat, slice_along

# --- QR ---


def _qr_rule(x: TensorType, *, full: bool) -> tuple[TensorType, TensorType]:
    check_matrix("qr", x, square=False)
    *batch, m, n = x.shape
    k = m if full else min(m, n)
    return x.with_shape((*batch, m, k)), x.with_shape((*batch, k, n))


def _qr(x: Array, *, full: bool) -> tuple[Array, Array]:
    q, r = np.linalg.qr(x, "complete" if full else "reduced")
    return q, r


def _tall_qr_derivative(q: Any, r: Any, for_q: Any, for_r: Any) -> Any:
    """[q̄ + q copyltu(r r̄* - q̄* q)] r^-*."""
    middle = product(r, adjoint(for_r)) - product(adjoint(for_q), q)
    below = lower(middle, -1)
    both = below + adjoint(below) + diagonal_matrix(like(real_part(diagonal_part(middle)), q.dtype))
    right = for_q + product(q, both)
    return adjoint(triangular_solve(r, adjoint(right), lower=False, adjoint=False))


def _qr_derivative(pull: Pull) -> list[Any]:
    """Of a wide x = [y z], q comes of y alone, and r = [u v] with v = q* z."""
    (q, r), (for_q, for_r) = pull.outputs, pull.cotangents
    m, n = pull.inputs[0].shape[-2:]
    if m > n:
        if pull.params["full"]:
            raise LookupError("[qr] full_matrices of a tall matrix have no gradient")
        return [_tall_qr_derivative(q, r, for_q, for_r)]
    if m == n:
        return [_tall_qr_derivative(q, r, for_q, for_r)]
    axis = len(q.shape) - 1
    z = slice_along(pull.inputs[0], axis, m, n)
    u, for_u = slice_along(r, axis, 0, m), slice_along(for_r, axis, 0, m)
    for_v = slice_along(for_r, axis, m, n)
    for_y = _tall_qr_derivative(q, u, for_q + product(z, adjoint(for_v)), for_u)
    return [concat(for_y, product(q, for_v), axis=axis)]


qr = define(
    Primitive(
        "qr",
        "linalg",
        _qr_rule,
        _qr,
        _qr_derivative,
        samples=(
            sample(regular(3, 3), full=False),
            sample(reals(2, 5, 3), full=False),
            sample(reals(3, 5), full=True),
        ),
        facts=FACTS,
        doc="q with orthonormal columns and upper triangular r, x = q r; `full` completes q",
    )
)

# --- singular values ---


def _svd_rule(x: TensorType, *, full: bool) -> tuple[TensorType, TensorType, TensorType]:
    check_matrix("svd", x, square=False)
    *batch, m, n = x.shape
    k = min(m, n)
    return (
        TensorType((*batch, k), x.dtype.real_dtype),
        x.with_shape((*batch, m, m if full else k)),
        x.with_shape((*batch, n, n if full else k)),
    )


def _svd(x: Array, *, full: bool) -> tuple[Array, Array, Array]:
    u, s, vh = by_lapack(
        "svd", "the iteration did not converge", lambda: np.linalg.svd(x, full_matrices=full)
    )
    return s, u, np.conj(np.swapaxes(vh, -1, -2))


def _skew(x: Any) -> Any:
    return x - adjoint(x)


def _outside(basis: Any, x: Any) -> Any:
    """The part of the columns of x that the basis does not span."""
    return x - product(basis, adjoint(basis), x)


def _phase(v: Any, for_v: Any, s: Any) -> Any:
    """What the free phases of complex singular vectors contribute, as a diagonal."""
    along = sum_(conj(v) * for_v, axes=(len(v.shape) - 2,))
    return diagonal_matrix(like(imaginary(along), v.dtype) * -1j / like(s, v.dtype))


def _svd_derivative(pull: Pull) -> list[Any]:
    (s, u, v), (for_s, for_u, for_v) = pull.outputs, pull.cotangents
    if u.shape[-1] != v.shape[-1]:
        raise LookupError("[svd] full_matrices of a matrix that is not square have no gradient")
    dtype = u.dtype
    f = like(inverse_differences(s * s), dtype)
    columns, rows = as_rows(like(s, dtype)), as_columns(like(s, dtype))
    middle = f * _skew(product(adjoint(u), for_u)) * columns
    middle = middle + rows * (f * _skew(product(adjoint(v), for_v)))
    middle = middle + diagonal_matrix(like(for_s, dtype))
    if dtype.is_complex:
        middle = middle + _phase(v, for_v, s)
    total = product(u, middle, adjoint(v))
    if u.shape[-2] > u.shape[-1]:
        total = total + product(_outside(u, for_u) / columns, adjoint(v))
    if v.shape[-2] > v.shape[-1]:
        total = total + product(u, adjoint(_outside(v, for_v) / columns))
    return [total]


svd = define(
    Primitive(
        "svd",
        "linalg",
        _svd_rule,
        _svd,
        _svd_derivative,
        samples=(
            sample(regular(3, 3), full=False),
            sample(reals(2, 5, 3), full=False),
            sample(reals(2, 4), full=False),
            sample(regular(3, 3), full=True),
            sample(reals(2, 4), full=True, smooth=False),
        ),
        facts=FACTS,
        doc="s, u, v with x = u diag(s) v*, s from large to small; `full` completes u and v",
    )
)

# --- eigenvalues ---


def _eigh_rule(x: TensorType) -> tuple[TensorType, TensorType]:
    check_matrix("eigh", x)
    return TensorType(x.shape[:-1], x.dtype.real_dtype), x


def _eigh(x: Array) -> tuple[Array, Array]:
    values, vectors = by_lapack(
        "eigh", "the iteration did not converge", lambda: np.linalg.eigh(x, "L")
    )
    return values, vectors


def _eigh_derivative(pull: Pull) -> list[Any]:
    """v [diag(ē) + f v* v̄] v*, brought to the lower triangle, which alone is read."""
    (values, vectors), (for_values, for_vectors) = pull.outputs, pull.cotangents
    f = like(inverse_differences(values), vectors.dtype)
    middle = f * product(adjoint(vectors), for_vectors)
    middle = middle + diagonal_matrix(like(for_values, vectors.dtype))
    whole = product(vectors, middle, adjoint(vectors))
    both = lower(whole + adjoint(whole))
    return [both - diagonal_matrix(diagonal_part(both)) * 0.5]


eigh = define(
    Primitive(
        "eigh",
        "linalg",
        _eigh_rule,
        _eigh,
        _eigh_derivative,
        samples=(sample(reals(3, 3)), sample(reals(2, 4, 4))),
        facts=FACTS,
        doc="The eigenvalues, rising, and orthonormal eigenvectors, as columns, of self-adjoint x, "
        "of which the lower triangle is read",
    )
)


def _eig_rule(x: TensorType) -> tuple[TensorType, TensorType]:
    check_matrix("eig", x)
    dtype = x.dtype if x.dtype.is_complex else as_dtype(f"complex{2 * x.dtype.bits}")
    return TensorType(x.shape[:-1], dtype), TensorType(x.shape, dtype)


def _eig(x: Array) -> tuple[Array, Array]:
    dtype = np.result_type(x.dtype, np.complex64)
    values, vectors = by_lapack(
        "eig", "the iteration did not converge", lambda: np.linalg.eig(x.astype(dtype))
    )
    return values, vectors


def _eig_derivative(pull: Pull) -> list[Any]:
    """v^-* [diag(ē) + conj(f) (v* v̄ - v* v diag(re(v* v̄)))] v*, for vectors of length 1."""
    (values, vectors), (for_values, for_vectors) = pull.outputs, pull.cotangents
    turned, dtype = adjoint(vectors), vectors.dtype
    along = product(turned, for_vectors)
    kept = as_rows(like(real(diagonal_part(along)), dtype))
    middle = conj(inverse_differences(values)) * (along - product(turned, vectors) * kept)
    middle = middle + diagonal_matrix(for_values)
    whole = solve(turned, product(middle, turned), adjoint=False)
    return [like(whole, pull.inputs[0].dtype)]


eig = define(
    Primitive(
        "eig",
        "linalg",
        _eig_rule,
        _eig,
        _eig_derivative,
        samples=(sample(reals(3, 3), smooth=False), sample(reals(2, 4, 4), smooth=False)),
        facts=FACTS,
        doc="The complex eigenvalues and eigenvectors, as columns of length 1, of square matrices",
    )
)
