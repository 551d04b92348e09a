"""What the operations of linear algebra share: transposes, triangles, diagonals of operands.

Matrices are the last two axes; the axes before them are the batch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from slipstream.ir.dtypes import COMPLEX, FLOATS, DType
from slipstream.ir.graph import Array
from slipstream.ir.types import TensorType
from slipstream.primitives.base import misfit
from slipstream.primitives.contraction import matrix_product
from slipstream.primitives.elementwise import cast, complex_, conj, equal, real
from slipstream.primitives.families import where
from slipstream.primitives.operand import constant
from slipstream.primitives.reduction import sum_
from slipstream.primitives.samples import Spec
from slipstream.primitives.structure import reshape, transpose

DTYPES: tuple[DType, ...] = (*FLOATS[2:], *COMPLEX)  # what LAPACK works on


def transposed(x: Any) -> Any:
    """The last two axes swapped."""
    order = tuple(range(len(x.shape)))
    return transpose(x, permutation=(*order[:-2], order[-1], order[-2]))


def adjoint(x: Any) -> Any:
    """The conjugate transpose."""
    return conj(transposed(x))


def product(*factors: Any) -> Any:
    """The matrix product of operands with equal leading axes."""
    total = factors[0]
    for factor in factors[1:]:
        total = matrix_product(total, factor)
    return total


def _kept(x: Any, mask: Array) -> Any:
    return where(constant(mask), x, 0)


def lower(x: Any, diagonal: int = 0) -> Any:
    """Zeros above a diagonal; -1 is the one below the main diagonal."""
    return _kept(x, np.tri(x.shape[-2], x.shape[-1], diagonal, dtype=bool))


def upper(x: Any, diagonal: int = 0) -> Any:
    """Zeros below a diagonal."""
    return _kept(x, ~np.tri(x.shape[-2], x.shape[-1], diagonal - 1, dtype=bool))


def identity_matrix(size: int, dtype: DType) -> Any:
    return constant(np.eye(size, dtype=dtype.numpy))


def diagonal_part(x: Any) -> Any:
    """The diagonal [..., n] of square matrices."""
    eye = np.eye(x.shape[-1], dtype=bool)
    return sum_(_kept(x, eye), axes=(len(x.shape) - 1,))


def diagonal_matrix(d: Any) -> Any:
    """Square matrices [..., n, n] of a diagonal [..., n]."""
    return as_rows(d) * identity_matrix(d.shape[-1], d.dtype)


def as_rows(d: Any) -> Any:
    """[..., n] as [..., 1, n]: what multiplies columns."""
    return reshape(d, shape=(*d.shape[:-1], 1, d.shape[-1]))


def as_columns(d: Any) -> Any:
    """[..., n] as [..., n, 1]: what multiplies rows."""
    return reshape(d, shape=(*d.shape, 1))


def real_part(x: Any) -> Any:
    """The real part; a real operand itself."""
    return real(x) if x.dtype.is_complex else x


def like(x: Any, dtype: DType) -> Any:
    """A real operand in `dtype`; a complex one, wanted real, loses its imaginary part."""
    if x.dtype is dtype:
        return x
    if dtype.is_complex and x.dtype is dtype.real_dtype:
        return complex_(x, x.coerce(0))
    return real(x) if dtype is x.dtype.real_dtype else cast(x, dtype=dtype)


def inverse_differences(values: Any) -> Any:
    """1 / (values[j] - values[i]) at [..., i, j]; 0 on the diagonal and where two are equal."""
    differences = as_rows(values) - as_columns(values)
    same = equal(differences, differences.coerce(0))
    return where(same, 0, 1 / where(same, 1, differences))


def check_matrix(name: str, x: TensorType, square: bool = True) -> None:
    """Raise unless `x` is the type of (square) matrices that LAPACK works on."""
    if x.dtype not in DTYPES:
        allowed = ", ".join(d.name for d in DTYPES)
        raise misfit(name, "the dtype has no such operation", f"one of {allowed}", x=x)
    if x.rank < 2 or (square and x.shape[-1] != x.shape[-2]):
        kind = "square matrices" if square else "matrices"
        raise misfit(name, "the shape does not fit", f"{kind} on the last two axes", x=x)


def by_lapack(name: str, happened: str, function: Callable[[], Any]) -> Any:
    """What `function` gives; LAPACK's failure becomes an error of the operation."""
    try:
        return function()
    except np.linalg.LinAlgError:
        raise misfit(name, happened) from None


def _well_conditioned(generator: np.random.Generator, shape: tuple[int, ...]) -> Array:
    n = shape[-1]
    return np.asarray(generator.normal(size=shape) + 3 * np.sqrt(n) * np.eye(n))


def _positive_definite(generator: np.random.Generator, shape: tuple[int, ...]) -> Array:
    factor = generator.normal(size=shape)
    return np.asarray(factor @ np.swapaxes(factor, -1, -2) + np.eye(shape[-1]) * shape[-1])


def regular(*shape: int) -> Spec:
    """Matrices far from singular."""
    return Spec(shape, make=_well_conditioned)


def positive_definite(*shape: int) -> Spec:
    return Spec(shape, make=_positive_definite)
