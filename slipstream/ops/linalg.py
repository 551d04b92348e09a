"""Linear algebra (`tf.linalg`): solving, factors, determinants, functions, norms of matrices.

Matrices are the last two axes of a tensor; the axes before them are a batch. The dtypes are
float32, float64, complex64 and complex128. Products are in `linear`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from slipstream.ir.dtypes import int32
from slipstream.ops.axes import axis_of, kept
from slipstream.primitives import decompositions, linalg, matrix_functions
from slipstream.primitives.base import misfit
from slipstream.primitives.elementwise import (
    absolute,
    cast,
    conj,
    greater,
    log,
    modulus,
    power,
    sqrt,
)
from slipstream.primitives.families import where
from slipstream.primitives.matrices import (
    adjoint as conjugate_transpose,
)
from slipstream.primitives.matrices import (
    as_columns,
    as_rows,
    diagonal_part,
    identity_matrix,
    like,
    product,
    real_part,
)
from slipstream.primitives.reduction import max_, sum_
from slipstream.primitives.structure import broadcast_to, concat, reshape, slice_along, transpose
from slipstream.runtime.convert import convert, convert_together
from slipstream.runtime.dispatch import operation


class QR(NamedTuple):
    """x = q r."""

    q: Any
    r: Any


class LogDeterminant(NamedTuple):
    """det x = sign exp(log_abs_determinant)."""

    sign: Any
    log_abs_determinant: Any


def _same_batch(name: str, matrix: Any, rhs: Any) -> tuple[Any, Any]:
    """Both operands with the batch axes that they broadcast to."""
    a, b = matrix.type.shape, rhs.type.shape
    try:
        batch = np.broadcast_shapes(a[:-2], b[:-2])
    except ValueError:
        raise misfit(
            name, "the batch sizes do not broadcast", matrix=matrix.type, rhs=rhs.type
        ) from None
    return (
        broadcast_to(matrix, shape=(*batch, *a[-2:])),
        broadcast_to(rhs, shape=(*batch, *b[-2:])),
    )


# --- systems ---


@operation
def solve(matrix: Any, rhs: Any, adjoint: bool = False, name: str | None = None) -> Any:
    """x [..., m, k] with matrix x = rhs, or with `adjoint` matrix* x = rhs, as `tf.linalg.solve`.

    InvalidArgumentError where the matrix is singular or the shapes do not fit.

    >>> import slipstream as tf
    >>> tf.linalg.solve([[2.0, 0.0], [0.0, 4.0]], [[2.0], [2.0]]).numpy().tolist()
    [[1.0], [0.5]]
    """
    matrix, rhs = convert_together(matrix, rhs)
    return linalg.solve(matrix, rhs, adjoint=bool(adjoint))


@operation
def triangular_solve(
    matrix: Any, rhs: Any, lower: bool = True, adjoint: bool = False, name: str | None = None
) -> Any:
    """`solve` for a triangular matrix, of which only the lower (or upper) triangle is read.

    Batch axes broadcast. InvalidArgumentError where the diagonal holds a zero.
    """
    matrix, rhs = _same_batch("triangular_solve", *convert_together(matrix, rhs))
    return linalg.triangular_solve(matrix, rhs, lower=bool(lower), adjoint=bool(adjoint))


@operation
def cholesky(input: Any, name: str | None = None) -> Any:
    """The lower triangular l with l l* = input, for positive definite matrices.

    Only the lower triangle is read. InvalidArgumentError where a matrix is not positive definite.

    >>> import slipstream as tf
    >>> tf.linalg.cholesky([[4.0, 2.0], [2.0, 10.0]]).numpy().tolist()
    [[2.0, 0.0], [1.0, 3.0]]
    """
    return linalg.cholesky(convert(input))


@operation
def cholesky_solve(chol: Any, rhs: Any, name: str | None = None) -> Any:
    """x with a x = rhs, given the Cholesky factor of a."""
    factor, rhs = _same_batch("cholesky_solve", *convert_together(chol, rhs))
    half = linalg.triangular_solve(factor, rhs, lower=True, adjoint=False)
    return linalg.triangular_solve(factor, half, lower=True, adjoint=True)


@operation
def lstsq(
    matrix: Any, rhs: Any, l2_regularizer: float = 0.0, fast: bool = True, name: str | None = None
) -> Any:
    """x [..., n, k] of least |matrix x - rhs|^2 + l2_regularizer |x|^2, as `tf.linalg.lstsq`.

    With fewer equations than unknowns and no regularizer, the x of least norm. `fast` solves the
    normal equations by Cholesky's method; without it a QR factorisation is used, which loses fewer
    digits and takes no regularizer. The matrix must have full rank.
    """
    a, b = convert_together(matrix, rhs)
    m, n = a.type.shape[-2:]
    if not fast:
        return _lstsq_by_qr(a, b, m >= n)
    turned = conjugate_transpose(a)
    gram = product(turned, a) if m >= n else product(a, turned)
    damped = gram + identity_matrix(min(m, n), a.dtype) * l2_regularizer
    factor = linalg.cholesky(damped)
    if m >= n:
        return cholesky_solve(factor, product(turned, b))
    return product(turned, cholesky_solve(factor, b))


def _lstsq_by_qr(a: Any, b: Any, tall: bool) -> Any:
    q, r = decompositions.qr(a if tall else conjugate_transpose(a), full=False)
    if tall:
        right = product(conjugate_transpose(q), b)
        return linalg.triangular_solve(r, right, lower=False, adjoint=False)
    return product(q, linalg.triangular_solve(r, b, lower=False, adjoint=True))


# --- inverses and determinants ---


@operation
def inv(input: Any, adjoint: bool = False, name: str | None = None) -> Any:
    """The inverse of square matrices, or of their adjoints. InvalidArgumentError if singular.

    >>> import slipstream as tf
    >>> tf.linalg.inv([[2.0, 0.0], [0.0, 4.0]]).numpy().tolist()
    [[0.5, 0.0], [0.0, 0.25]]
    """
    x = convert(input)
    return linalg.inverse(conjugate_transpose(x) if adjoint else x)


@operation
def det(input: Any, name: str | None = None) -> Any:
    """The determinants [...] of square matrices."""
    return linalg.determinant(convert(input))


@operation
def slogdet(input: Any, name: str | None = None) -> LogDeterminant:
    """The sign and the logarithm of the absolute value of determinants, both in the input's dtype.

    >>> import slipstream as tf
    >>> tf.linalg.slogdet([[0.0, 1.0], [1.0, 0.0]]).sign.numpy()
    np.float32(-1.0)
    """
    return LogDeterminant(*linalg.log_determinant(convert(input)))


@operation
def logdet(matrix: Any, name: str | None = None) -> Any:
    """The logarithm of the determinant of positive definite matrices, by Cholesky's method."""
    factor = linalg.cholesky(convert(matrix))
    diagonal = log(real_part(diagonal_part(factor)))
    return sum_(diagonal, axes=(len(diagonal.type.shape) - 1,)) * 2.0


def _cutoff(s: Any, shape: tuple[int, ...], factor: Any) -> Any:
    """factor times the largest singular value, [..., 1]; by default the rounding of the largest."""
    largest = max_(s, axes=(len(s.type.shape) - 1,))
    if factor is None:
        factor = 10.0 * max(shape[-2:]) * float(np.finfo(s.dtype.numpy).eps)
    return as_columns(largest * (convert(factor, s.dtype) if not _is_float(factor) else factor))


def _is_float(value: Any) -> bool:
    return isinstance(value, (int, float))


@operation
def pinv(a: Any, rcond: Any = None, validate_args: bool = False, name: str | None = None) -> Any:
    """The pseudo-inverse [..., n, m] (Moore 1920, Penrose 1955), by singular values.

    Singular values up to `rcond` times the largest count as zero (default: 10 max(m, n) times the
    dtype's rounding).
    """
    x = convert(a)
    s, u, v = decompositions.svd(x, full=False)
    large = greater(s, _cutoff(s, x.type.shape, rcond))
    inverted = where(large, 1.0 / where(large, s, 1.0), 0.0)
    return product(v * as_rows(like(inverted, x.dtype)), conjugate_transpose(u))


@operation
def matrix_rank(
    a: Any, tol: Any = None, validate_args: bool = False, name: str | None = None
) -> Any:
    """How many singular values exceed `tol` (default: max(m, n) times the rounding of the largest),
    int32 [...].

    >>> import slipstream as tf
    >>> int(tf.linalg.matrix_rank([[1.0, 2.0], [2.0, 4.0]]))
    1
    """
    x = convert(a)
    s = decompositions.svd(x, full=False)[0]
    if tol is None:
        step = float(np.finfo(s.dtype.numpy).eps)
        bound = _cutoff(s, x.type.shape, max(x.type.shape[-2:]) * step)
    else:
        bound = convert(tol, s.dtype)
    return sum_(cast(greater(s, bound), dtype=int32), axes=(len(s.type.shape) - 1,))


# --- factors ---


@operation
def qr(input: Any, full_matrices: bool = False, name: str | None = None) -> QR:
    """q [..., m, k] with orthonormal columns and upper triangular r [..., k, n], input = q r.

    k is min(m, n), or m with `full_matrices`, which has no gradient for m > n.
    """
    return QR(*decompositions.qr(convert(input), full=bool(full_matrices)))


@operation
def svd(
    tensor: Any, full_matrices: bool = False, compute_uv: bool = True, name: str | None = None
) -> Any:
    """s, u, v with tensor = u diag(s) v*; only s without `compute_uv`.

    s [..., k] falls; u is [..., m, k], v is [..., n, k], k = min(m, n), or square with
    `full_matrices`. Note that v is not transposed, unlike NumPy's.

    >>> import slipstream as tf
    >>> tf.linalg.svd([[3.0, 0.0], [0.0, 4.0]], compute_uv=False).numpy().tolist()
    [4.0, 3.0]
    """
    s, u, v = decompositions.svd(convert(tensor), full=bool(full_matrices) and compute_uv)
    return (s, u, v) if compute_uv else s


@operation
def eigh(tensor: Any, name: str | None = None) -> Any:
    """The eigenvalues [..., n], rising, and eigenvectors [..., n, n] of self-adjoint matrices.

    Only the lower triangle is read. Column i of the vectors belongs to value i.
    """
    values, vectors = decompositions.eigh(convert(tensor))
    return values, vectors


@operation
def eigvalsh(tensor: Any, name: str | None = None) -> Any:
    """The eigenvalues of self-adjoint matrices, rising."""
    return decompositions.eigh(convert(tensor))[0]


@operation
def eig(tensor: Any, name: str | None = None) -> Any:
    """The complex eigenvalues [..., n] and eigenvectors [..., n, n] of square matrices."""
    values, vectors = decompositions.eig(convert(tensor))
    return values, vectors


@operation
def eigvals(tensor: Any, name: str | None = None) -> Any:
    """The complex eigenvalues of square matrices."""
    return decompositions.eig(convert(tensor))[0]


# --- functions ---


@operation
def expm(input: Any, name: str | None = None) -> Any:
    """The matrix exponential of square matrices."""
    return matrix_functions.matrix_exponential(convert(input))


@operation
def logm(input: Any, name: str | None = None) -> Any:
    """The principal matrix logarithm, of matrices without eigenvalues on the negative axis."""
    return matrix_functions.matrix_logarithm(convert(input))


@operation
def sqrtm(input: Any, name: str | None = None) -> Any:
    """The principal square root, of matrices without eigenvalues on the negative axis."""
    return matrix_functions.matrix_square_root(convert(input))


# --- norms and products of vectors ---


def _size(x: Any) -> Any:
    return modulus(x) if x.dtype.is_complex else absolute(x)


def _vector_norm(x: Any, order: Any, axes: tuple[int, ...]) -> Any:
    if order in ("euclidean", "fro", 2):
        return sqrt(sum_(x * conj(x), axes=axes))
    size = _size(x)
    if order == 1:
        return sum_(size, axes=axes)
    if order == np.inf:
        return max_(size, axes=axes)
    powers = power(size, size.coerce(float(order)))
    return power(sum_(powers, axes=axes), size.coerce(1 / float(order)))


def _matrix_norm(x: Any, order: Any, axes: tuple[int, int]) -> Any:
    """1 and inf are largest sums of columns and rows; 2 is the largest singular value."""
    rows, columns = axes
    if order in ("euclidean", "fro"):
        return _vector_norm(x, order, axes)
    if order in (1, np.inf):
        summed, other = (rows, columns) if order == 1 else (columns, rows)
        sums = sum_(_size(x), axes=(summed,))
        return max_(sums, axes=(other - (summed < other),))
    rank = len(x.type.shape)
    batch = [i for i in range(rank) if i not in axes]
    matrices = transpose(x, permutation=(*batch, rows, columns))
    return max_(decompositions.svd(matrices, full=False)[0], axes=(rank - 2,))


def _norm_axes(x: Any, axis: Any) -> tuple[int, ...]:
    rank = len(x.type.shape)
    if axis is None:
        return tuple(range(rank))
    listed = tuple(axis) if isinstance(axis, (list, tuple)) else (axis,)
    if len(listed) > 2 or len(set(listed)) < len(listed):
        raise ValueError(f"'axis' must be None, an integer, or two unique integers, not {axis}")
    return tuple(axis_of(i, rank, "norm") for i in listed)


@operation
def norm(
    tensor: Any, ord: Any = "euclidean", axis: Any = None, keepdims: bool | None = None,
    name: str | None = None,
) -> Any:  # fmt: skip
    """Norms of vectors along an axis, of matrices over two axes, or of all elements (`axis` None).

    `ord` of vectors: "euclidean", 1, 2, inf or any positive number; of matrices: "euclidean" or
    "fro", 1, 2, inf. ValueError for others.

    >>> import slipstream as tf
    >>> tf.norm([[3.0, 4.0], [6.0, 8.0]], axis=1).numpy().tolist()
    [5.0, 10.0]
    """
    x = convert(tensor)
    axes = _norm_axes(x, axis)
    of_matrices = isinstance(axis, (list, tuple)) and len(axis) == 2
    if of_matrices and ord not in ("euclidean", "fro", 1, 2, np.inf):
        raise ValueError(f"'ord' must be 'euclidean', 'fro', 1, 2 or inf for matrices, not {ord}")
    if not of_matrices and not (ord in ("euclidean", "fro") or (_is_float(ord) and ord > 0)):
        raise ValueError(f"'ord' must be 'euclidean' or a positive number for vectors, not {ord}")
    if of_matrices:
        return kept(_matrix_norm(x, ord, (axes[0], axes[1])), x, axes, keepdims)
    return kept(_vector_norm(x, ord, axes), x, axes, keepdims)


@operation
def normalize(
    tensor: Any, ord: Any = "euclidean", axis: Any = None, name: str | None = None
) -> Any:
    """tensor / norm, and the norm with sizes of 1, as `tf.linalg.normalize`."""
    x = convert(tensor)
    length = norm(x, ord, axis, keepdims=True)
    if axis is None:
        length = reshape(length, shape=(1,) * len(x.type.shape))
    return x / like(length, x.dtype), length


@operation
def cross(a: Any, b: Any, name: str | None = None) -> Any:
    """The cross products of vectors [..., 3].

    >>> import slipstream as tf
    >>> tf.linalg.cross([1, 0, 0], [0, 1, 0]).numpy().tolist()
    [0, 0, 1]
    """
    a, b = convert_together(a, b)
    if a.type.shape != b.type.shape or a.type.shape[-1:] != (3,):
        raise misfit("cross", "the vectors do not fit", "equal shapes [..., 3]", a=a.type, b=b.type)
    return _rolled(a, 1) * _rolled(b, 2) - _rolled(a, 2) * _rolled(b, 1)


def _rolled(x: Any, places: int) -> Any:
    """Elements 0, 1, 2 of the last axis, beginning with element `places`."""
    last = len(x.type.shape) - 1
    head, tail = slice_along(x, last, places, 3), slice_along(x, last, 0, places)
    return concat(head, tail, axis=last)
