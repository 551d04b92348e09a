"""tf.linalg against NumPy, on real and complex batches, and the gradients of what is composed."""

import numpy as np
import pytest

from slipstream.errors import InvalidArgumentError
from slipstream.ops import linalg as tf
from slipstream.primitives.matrices import transposed
from slipstream.runtime.convert import convert
from slipstream.runtime.function import function
from slipstream.runtime.tape import GradientTape

RANDOM = np.random.default_rng(3)


def numbers(*shape, dtype=np.float64):
    drawn = RANDOM.normal(size=shape)
    if np.dtype(dtype).kind == "c":
        drawn = drawn + 1j * RANDOM.normal(size=shape)
    return drawn.astype(dtype)


def adjoint(x):
    return np.conj(np.swapaxes(x, -1, -2))


def check_gradient(python_function, *arrays, tolerance=1e-6):
    """Against central differences along a random direction, of all arrays together."""
    tensors = [convert(a) for a in arrays]
    with GradientTape() as tape:
        tape.watch(tensors)
        result = python_function(*tensors)
    weights = RANDOM.normal(size=result.type.shape)
    found = tape.gradient(result, tensors, output_gradients=convert(weights))
    steps = [RANDOM.normal(size=a.shape) for a in arrays]
    h = 1e-5
    above, below = (
        np.sum(
            python_function(
                *(convert(a + w * s) for a, s in zip(arrays, steps, strict=True))
            ).numpy()
            * weights
        )
        for w in (h, -h)
    )
    exact = sum(np.sum(f.numpy() * s) for f, s in zip(found, steps, strict=True))
    assert exact == pytest.approx((above - below) / (2 * h), rel=tolerance, abs=tolerance)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64, np.complex128])
def test_systems_against_numpy(dtype):
    close = 2e-4 if np.dtype(dtype).itemsize in (4, 8) and dtype != np.float64 else 1e-10
    a, b = numbers(2, 4, 4, dtype=dtype), numbers(2, 4, 3, dtype=dtype)
    definite = a @ adjoint(a) + np.eye(4, dtype=dtype)
    factor = tf.cholesky(definite).numpy()
    pairs = [
        (tf.solve(a, b), np.linalg.solve(a, b)),
        (tf.solve(a, b, adjoint=True), np.linalg.solve(adjoint(a), b)),
        (tf.triangular_solve(a, b), np.linalg.solve(np.tril(a), b)),
        (
            tf.triangular_solve(a, b, lower=False, adjoint=True),
            np.linalg.solve(adjoint(np.triu(a)), b),
        ),
        (tf.cholesky(definite), np.linalg.cholesky(definite)),
        (tf.cholesky_solve(factor, b), np.linalg.solve(definite, b)),
        (tf.inv(a), np.linalg.inv(a)),
        (tf.inv(a, adjoint=True), np.linalg.inv(adjoint(a))),
        (tf.det(a), np.linalg.det(a)),
        (tf.logdet(definite), np.linalg.slogdet(definite)[1]),
        (tf.slogdet(a).log_abs_determinant, np.linalg.slogdet(a)[1]),
        (tf.slogdet(a).sign, np.linalg.slogdet(a)[0]),
    ]
    for found, expected in pairs:
        np.testing.assert_allclose(found.numpy(), expected, close, close)
    assert tf.solve(a, b).numpy().dtype == dtype


def test_triangular_solve_broadcasts_batches():
    a, b = numbers(4, 4), numbers(5, 4, 2)
    np.testing.assert_allclose(tf.triangular_solve(a, b).numpy(), np.linalg.solve(np.tril(a), b))
    with pytest.raises(InvalidArgumentError, match="batch sizes"):
        tf.triangular_solve(numbers(3, 4, 4), b)


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("shape", [(7, 3), (3, 7), (4, 4)])
def test_least_squares(fast, shape):
    a, b = numbers(*shape), numbers(shape[0], 2)
    expected = np.linalg.lstsq(a, b, rcond=None)[0]
    np.testing.assert_allclose(tf.lstsq(a, b, fast=fast).numpy(), expected, 1e-7)


def test_regularised_least_squares():
    a, b = numbers(7, 3), numbers(7, 2)
    expected = np.linalg.solve(a.T @ a + 0.5 * np.eye(3), a.T @ b)
    np.testing.assert_allclose(tf.lstsq(a, b, l2_regularizer=0.5).numpy(), expected)
    wide = a.T
    expected = np.linalg.solve(wide.T @ wide + 0.5 * np.eye(7), wide.T @ b[:3])
    np.testing.assert_allclose(tf.lstsq(wide, b[:3], l2_regularizer=0.5).numpy(), expected)


def test_factors_have_their_shapes_and_multiply_back():
    x = numbers(2, 5, 3)
    q, r = tf.qr(x)
    full = tf.qr(x, full_matrices=True)
    assert q.shape == (2, 5, 3) and full.q.shape == (2, 5, 5) and full.r.shape == (2, 5, 3)
    np.testing.assert_allclose(q.numpy() @ r.numpy(), x)
    s, u, v = tf.svd(x, full_matrices=True)
    assert (s.shape, u.shape, v.shape) == ((2, 3), (2, 5, 5), (2, 3, 3))
    np.testing.assert_allclose(
        (u.numpy()[..., :3] * s.numpy()[..., None, :]) @ adjoint(v.numpy()), x
    )
    np.testing.assert_allclose(tf.svd(x, compute_uv=False).numpy(), s.numpy())


def test_eigenvalues():
    x = numbers(3, 4, 4)
    symmetric = x + adjoint(x)
    values, vectors = tf.eigh(symmetric)
    np.testing.assert_allclose(
        symmetric @ vectors.numpy(), vectors.numpy() * values.numpy()[:, None, :], atol=1e-12
    )
    np.testing.assert_allclose(tf.eigvalsh(symmetric).numpy(), values.numpy())
    values, vectors = tf.eig(x.astype(np.float32))
    assert values.numpy().dtype == np.complex64
    np.testing.assert_allclose(
        x @ vectors.numpy(), vectors.numpy() * values.numpy()[:, None, :], atol=1e-4
    )
    np.testing.assert_allclose(tf.eigvals(x.astype(np.float32)).numpy(), values.numpy())


def test_pseudo_inverse_and_rank_of_a_matrix_without_full_rank():
    x = numbers(5, 2) @ numbers(2, 4)
    np.testing.assert_allclose(tf.pinv(x).numpy(), np.linalg.pinv(x), atol=1e-12)
    assert int(tf.matrix_rank(x)) == 2
    assert int(tf.matrix_rank(x, tol=1e6)) == 0
    z = numbers(3, 2, dtype=np.complex128)
    np.testing.assert_allclose(tf.pinv(z).numpy(), np.linalg.pinv(z), atol=1e-12)
    assert tf.matrix_rank(numbers(6, 3, 4)).numpy().tolist() == [3] * 6


def test_matrix_functions_undo_each_other():
    x = numbers(2, 3, 3) * 0.4
    np.testing.assert_allclose(tf.logm(tf.expm(x)).numpy(), x, 1e-7, 1e-9)
    root = tf.sqrtm(tf.expm(x)).numpy()
    np.testing.assert_allclose(root @ root, tf.expm(x).numpy(), 1e-9)


@pytest.mark.parametrize("ord", ["euclidean", 1, 2, np.inf, 3, 0.5])
@pytest.mark.parametrize("axis", [None, 1, -1])
def test_norms_of_vectors(ord, axis):
    x = numbers(3, 4, 2)
    flat = x.reshape(-1) if axis is None else x
    expected = np.linalg.norm(flat, 2 if ord == "euclidean" else ord, axis)
    np.testing.assert_allclose(tf.norm(x, ord, axis).numpy(), expected)
    kept = tf.norm(x, ord, axis, keepdims=True)
    assert kept.shape == ((1, 1, 1) if axis is None else np.sum(x, axis, keepdims=True).shape)


@pytest.mark.parametrize("ord", ["euclidean", "fro", 1, 2, np.inf])
@pytest.mark.parametrize("axis", [(0, 1), (-1, -2), [2, 0]])
def test_norms_of_matrices(ord, axis):
    x = numbers(3, 4, 2)
    expected = np.linalg.norm(x, "fro" if ord == "euclidean" else ord, tuple(axis))
    np.testing.assert_allclose(tf.norm(x, ord, axis).numpy(), expected)


def test_norms_that_do_not_exist():
    for options in ({"ord": "nuc"}, {"ord": -1}, {"ord": 3, "axis": [0, 1]}, {"axis": [0, 1, 2]},
                    {"axis": [0, 0]}):  # fmt: skip
        with pytest.raises(ValueError, match="must be"):
            tf.norm(numbers(2, 2, 2), **options)


def test_normalize_gives_the_norm_too():
    x = numbers(3, 4)
    normal, length = tf.normalize(x, axis=1)
    np.testing.assert_allclose(np.linalg.norm(normal.numpy(), axis=1), 1)
    assert length.shape == (3, 1) and tf.normalize(x)[1].shape == (1, 1)


def test_cross_products():
    a, b = numbers(4, 3), numbers(4, 3)
    np.testing.assert_allclose(tf.cross(a, b).numpy(), np.cross(a, b))
    with pytest.raises(InvalidArgumentError, match="vectors"):
        tf.cross(numbers(2), numbers(2))


@pytest.mark.parametrize(
    "python_function",
    [
        lambda x: tf.logdet(tf.expm(x + transposed(x))),
        lambda x: tf.lstsq(x, x),
        lambda x: tf.lstsq(x, x * x, fast=False),
        lambda x: tf.pinv(x),
        lambda x: tf.norm(x, 2, axis=[0, 1]),
        lambda x: tf.norm(x, 3, axis=1),
        lambda x: tf.normalize(x, axis=0)[0],
        lambda x: tf.cross(x, x * x),
        lambda x: tf.svd(x, compute_uv=False),
    ],
)
def test_gradients_of_what_is_composed(python_function):
    x = numbers(3, 3) + 2 * np.eye(3)
    symmetric = x + x.T
    check_gradient(python_function, symmetric)


def test_traced_solutions_are_the_eager_ones():
    a, b = numbers(3, 3), numbers(3, 1)
    traced = function(lambda a, b: tf.solve(a, b))
    np.testing.assert_allclose(traced(convert(a), convert(b)).numpy(), np.linalg.solve(a, b))


def test_a_singular_matrix_names_the_users_line():
    with pytest.raises(InvalidArgumentError, match=r"(?s)not invertible.*test_matrices.py"):
        tf.inv(np.zeros((2, 2)))
