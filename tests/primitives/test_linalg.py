"""Derivatives of factorisations where the registry walk cannot ask: complex matrices, whose factors
have free phases, and Cholesky's, which reads one triangle; and what is wrong with a matrix."""

import numpy as np
import pytest
from test_registry import check_pullback, types_of

from slipstream.autodiff import differentiate
from slipstream.errors import InvalidArgumentError
from slipstream.primitives.decompositions import eig, eigh, qr, svd
from slipstream.primitives.elementwise import modulus
from slipstream.primitives.evaluate import evaluate
from slipstream.primitives.fourier import fft, irfft, rfft
from slipstream.primitives.linalg import (
    cholesky,
    determinant,
    inverse,
    log_determinant,
    solve,
    triangular_solve,
)
from slipstream.primitives.matrices import adjoint, as_rows, identity_matrix, like, product
from slipstream.primitives.matrix_functions import (
    matrix_exponential,
    matrix_logarithm,
    matrix_square_root,
)
from slipstream.primitives.tracing import trace


def complex_matrix(*shape, seed=0):
    generator = np.random.default_rng(seed)
    return generator.normal(size=shape) + 1j * generator.normal(size=shape)


def positive_from(x):
    """x x* + 1, positive definite."""
    return product(x, adjoint(x)) + identity_matrix(x.shape[-2], x.dtype)


def weighted(values, vectors):
    """vectors diag(f(values)) vectors*: without the phases of the vectors."""
    weights = like(values * values * values, vectors.dtype)
    return product(vectors * as_rows(weights), adjoint(vectors))


def of_svd(x):
    s, u, v = svd(x, full=False)
    return product(u * as_rows(like(s * s, u.dtype)), adjoint(v)), weighted(s, v), weighted(s, u)


def of_eig(x):
    values, vectors = eig(x)
    return values, modulus(vectors)


def of_qr(x):
    q, r = qr(x, full=False)
    return product(q, adjoint(q)), product(adjoint(r), r), product(q, r)


COMPLEX_FUNCTIONS = {
    "cholesky": (lambda x: cholesky(positive_from(x)), (2, 3, 3)),
    "eigh": (lambda x: weighted(*eigh(positive_from(x))), (3, 3)),
    "eig": (of_eig, (3, 3)),
    "svd-tall": (of_svd, (4, 3)),
    "svd-wide": (of_svd, (2, 4)),
    "svd-square": (of_svd, (3, 3)),
    "qr-tall": (of_qr, (4, 2)),
    "inverse": (lambda x: inverse(positive_from(x)), (3, 3)),
    "determinant": (determinant, (2, 3, 3)),
    "log_determinant": (lambda x: log_determinant(x)[1], (3, 3)),
    "solve": (lambda x: solve(positive_from(x), x, adjoint=True), (3, 3)),
    "triangular_solve": (lambda x: triangular_solve(x, x, lower=True, adjoint=True), (3, 3)),
    "exponential": (matrix_exponential, (2, 2)),
    "square_root": (lambda x: matrix_square_root(positive_from(x)), (2, 2)),
    "logarithm": (lambda x: matrix_logarithm(positive_from(x)), (2, 2)),
}


@pytest.mark.parametrize("name", COMPLEX_FUNCTIONS)
def test_derivatives_of_complex_matrices(name):
    function, shape = COMPLEX_FUNCTIONS[name]
    arrays = [complex_matrix(*shape)]
    graph = trace(function, types_of(arrays))
    check_pullback(graph, arrays, seed=4, tolerance=1e-6)


@pytest.mark.parametrize("name", ["cholesky", "eigh"])
def test_second_derivatives_by_a_square(name):
    function, _ = COMPLEX_FUNCTIONS[name]
    generator = np.random.default_rng(3)
    arrays = [generator.normal(size=(3, 3))]
    graph = trace(function, types_of(arrays))
    check_pullback(graph, arrays, seed=5, tolerance=1e-6)
    pullback = differentiate(graph, (True,))
    check_pullback(pullback, [*arrays, generator.normal(size=(3, 3))], seed=6, tolerance=1e-5)


def run(function, *arrays):
    return evaluate(trace(function, types_of(arrays)), arrays)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64, np.complex128])
@pytest.mark.parametrize("shape", [(4, 4), (2, 5, 3), (3, 2, 6)])
def test_factors_multiply_to_the_matrix(dtype, shape):
    x = complex_matrix(*shape)
    x = (x if dtype in (np.complex64, np.complex128) else x.real).astype(dtype)
    tolerance = 1e-5 if dtype in (np.float32, np.complex64) else 1e-12
    q, r = run(lambda x: qr(x, full=False), x)
    s, u, v = run(lambda x: svd(x, full=False), x)
    np.testing.assert_allclose(q @ r, x, 0, tolerance * 10)
    np.testing.assert_allclose(
        (u * s[..., None, :]) @ np.conj(np.swapaxes(v, -1, -2)), x, 0, tolerance * 10
    )
    assert q.dtype == u.dtype == dtype and s.dtype == x.real.dtype


def test_matrix_functions_of_known_matrices():
    turn = np.array([[0.0, -2.0], [2.0, 0.0]])
    rotation = np.array([[np.cos(2), -np.sin(2)], [np.sin(2), np.cos(2)]])
    np.testing.assert_allclose(run(matrix_exponential, turn)[0], rotation, 1e-14)
    jordan = np.array([[3.0, 1.0], [0.0, 3.0]])
    expected = np.array([[np.log(3), 1 / 3], [0, np.log(3)]])
    np.testing.assert_allclose(run(matrix_logarithm, jordan)[0], expected, 1e-13, 1e-13)
    root = run(matrix_square_root, jordan)[0]
    np.testing.assert_allclose(root @ root, jordan, 1e-14)
    large = np.array([[100.0, 30.0], [30.0, -50.0]])
    values, vectors = np.linalg.eigh(large)
    expected = (vectors * np.exp(values)) @ vectors.T
    np.testing.assert_allclose(run(matrix_exponential, large)[0], expected, 1e-11)


def test_the_exponential_undoes_the_logarithm():
    x = complex_matrix(5, 4, 4, seed=8)
    back = run(lambda x: matrix_exponential(matrix_logarithm(x)), x)[0]
    np.testing.assert_allclose(back, x, 0, 1e-9)


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (inverse, "not invertible"),
        (lambda x: solve(x, x, adjoint=False), "not invertible"),
        (lambda x: triangular_solve(x, x, lower=True, adjoint=False), "not invertible"),
        (lambda x: cholesky(x), "not positive definite"),
        (matrix_logarithm, "no such function"),
    ],
)
def test_a_singular_matrix_is_an_error(function, text):
    with pytest.raises(InvalidArgumentError, match=text):
        run(function, np.zeros((2, 2)))


def test_only_square_matrices_of_the_right_dtype_have_inverses():
    with pytest.raises(InvalidArgumentError, match="square matrices"):
        run(inverse, np.zeros((2, 3)))
    with pytest.raises(InvalidArgumentError, match="dtype"):
        run(inverse, np.zeros((2, 2), np.int32))


def test_transforms_of_real_numbers_are_half_of_the_whole():
    x = np.random.default_rng(1).normal(size=(2, 3, 5)).astype(np.float32)
    whole = run(lambda x: fft(x, rank=2, inverse=False), x.astype(np.complex64))[0]
    half = run(lambda x: rfft(x, rank=2), x)[0]
    assert half.dtype == np.complex64
    np.testing.assert_allclose(half, whole[..., :3], 1e-5, 1e-5)
    np.testing.assert_allclose(run(lambda x: irfft(x, rank=2, length=5), half)[0], x, 1e-5, 1e-5)
