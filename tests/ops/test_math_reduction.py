"""Reductions and scans of `tf.math` against NumPy: axes in every form, dtypes, hard numbers."""

import ml_dtypes
import numpy as np
import pytest

from slipstream.errors import InvalidArgumentError
from slipstream.ops import reduction as r
from slipstream.runtime.convert import convert
from slipstream.runtime.tape import GradientTape

CUBE = np.random.default_rng(0).uniform(0.5, 2, (2, 3, 4)).astype(np.float32)
REFERENCE = {
    "reduce_sum": np.sum, "reduce_mean": np.mean, "reduce_max": np.max, "reduce_min": np.min,
    "reduce_prod": np.prod, "reduce_variance": np.var, "reduce_std": np.std,
    "reduce_logsumexp": lambda x, **k: np.log(np.sum(np.exp(x), **k)),
    "reduce_euclidean_norm": lambda x, **k: np.sqrt(np.sum(x * x, **k)),
}  # fmt: skip
AXES = [None, 0, -1, [1], (0, 2), [-1, -3], [], np.array([0, 1])]


def as_numpy(axis):
    return axis if axis is None or isinstance(axis, int) else tuple(int(a) for a in axis)


def gradient(function, value):
    x = convert(np.asarray(value, np.float64))
    with GradientTape() as tape:
        tape.watch(x)
        y = function(x)
    return tape.gradient(y, x).numpy().tolist()


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", AXES, ids=str)
@pytest.mark.parametrize("name", REFERENCE)
def test_reductions(name, axis, keepdims):
    found = getattr(r, name)(CUBE, axis=axis, keepdims=keepdims).numpy()
    wanted = REFERENCE[name](CUBE, axis=as_numpy(axis), keepdims=keepdims)
    assert found.dtype == np.float32
    assert found.shape == np.shape(wanted)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("axis", [None, 0, [-1]])
def test_all_and_any(axis):
    x = np.array([[True, False], [True, True]])
    assert r.reduce_all(x, axis).numpy().tolist() == np.all(x, as_numpy(axis)).tolist()
    assert r.reduce_any(x, axis).numpy().tolist() == np.any(x, as_numpy(axis)).tolist()
    with pytest.raises((TypeError, ValueError)):
        r.reduce_all([1, 0])


def test_an_axis_may_be_a_tensor():
    assert r.reduce_sum(CUBE, axis=convert([0, 1])).shape == (4,)
    assert r.argmax(CUBE, axis=convert(1)).shape == (2, 4)


@pytest.mark.parametrize("axis", [3, -4, [0, 0], [1, -2]])
def test_axes_that_are_none(axis):
    with pytest.raises(InvalidArgumentError, match="axis"):
        r.reduce_sum(CUBE, axis=axis)


def test_integers_keep_their_dtype_and_their_mean_is_cut_off():
    x = np.array([1, 0, 1, 0], np.int32)
    assert r.reduce_mean(x).dtype.name == "int32"
    assert int(r.reduce_mean(x)) == 0
    assert int(r.reduce_mean([-1, -2])) == -1
    assert int(r.reduce_mean(np.full(1000, 100, np.int8))) == 100
    assert r.reduce_sum(np.array([200, 100], np.uint8)).numpy() == 44
    assert int(r.reduce_euclidean_norm([3, 4])) == 5
    for function in (r.reduce_variance, r.reduce_std):
        with pytest.raises(TypeError, match="real or complex"):
            function(x)
    with pytest.raises(InvalidArgumentError):
        r.reduce_logsumexp(x)


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_the_mean_of_narrow_floats_does_not_overflow(dtype):
    x = np.full(100_000, 3, dtype)
    assert r.reduce_mean(x).numpy().dtype == dtype
    assert float(r.reduce_mean(x)) == 3
    assert float(r.reduce_variance(x)) == 0


def test_reductions_of_nothing():
    empty = np.zeros((0, 2), np.float32)
    assert r.reduce_sum(empty, 0).numpy().tolist() == [0, 0]
    assert r.reduce_prod(empty, 0).numpy().tolist() == [1, 1]
    assert r.reduce_max(empty, 0).numpy().tolist() == [-np.inf, -np.inf]
    assert np.isnan(r.reduce_mean(empty, 0).numpy()).all()
    assert r.reduce_logsumexp(empty, 0).numpy().tolist() == [-np.inf, -np.inf]


def test_complex_variance_is_real():
    z = np.array([1 + 1j, -1 - 1j], np.complex64)
    assert r.reduce_variance(z).dtype.name == "float32"
    assert float(r.reduce_variance(z)) == 2


def test_logsumexp_of_hard_numbers():
    assert abs(float(r.reduce_logsumexp([1000.0, 1000.0])) - 1000.6931) < 1e-3
    assert float(r.reduce_logsumexp([-np.inf, -np.inf])) == -np.inf
    assert float(r.reduce_logsumexp([np.inf, 0.0])) == np.inf
    assert np.isnan(float(r.reduce_logsumexp([np.nan, 0.0])))
    assert gradient(r.reduce_logsumexp, [1000.0, 1000.0, -1000.0]) == [0.5, 0.5, 0]


def test_derivatives_at_edges():
    assert gradient(r.reduce_euclidean_norm, [0.0, 0.0]) == [0, 0]
    assert gradient(r.reduce_max, [1.0, 2.0, 2.0]) == [0, 0.5, 0.5]
    assert gradient(r.reduce_prod, [0.0, 3.0]) == [3, 0]
    assert gradient(r.reduce_mean, [1.0, 2.0]) == [0.5, 0.5]
    assert gradient(r.reduce_variance, [1.0, 3.0]) == [-1, 1]


def test_arg_extrema():
    x = np.array([[1, 3, 3], [7, 2, 7]])
    assert r.argmax(x).numpy().tolist() == [1, 0, 1]
    assert r.argmax(x, 1).dtype.name == "int64"
    assert r.argmax(x, -1, output_type="int32").dtype.name == "int32"
    assert r.argmin(x, 1).numpy().tolist() == [0, 1]
    assert r.argmax([False, True, True]).numpy() == 1
    with pytest.raises(InvalidArgumentError):
        r.argmax(np.zeros((2, 0)), 1)
    with pytest.raises(InvalidArgumentError):
        r.argmax(x, 2)


def test_scans():
    assert r.cumsum([1, 2, 3]).numpy().tolist() == [1, 3, 6]
    assert r.cumsum([1, 2, 3], exclusive=True).numpy().tolist() == [0, 1, 3]
    assert r.cumsum([1, 2, 3], reverse=True).numpy().tolist() == [6, 5, 3]
    assert r.cumsum([1, 2, 3], exclusive=True, reverse=True).numpy().tolist() == [5, 3, 0]
    assert r.cumprod([2, 3, 4], exclusive=True).numpy().tolist() == [1, 2, 6]
    np.testing.assert_array_equal(r.cumsum(CUBE, -2).numpy(), np.cumsum(CUBE, 1))
    found = r.cumulative_logsumexp(CUBE, axis=2).numpy()
    np.testing.assert_allclose(found, np.logaddexp.accumulate(CUBE, 2), rtol=1e-6)
    with pytest.raises(InvalidArgumentError):
        r.cumsum([1], axis=1)


def test_counts():
    assert int(r.count_nonzero([[0, 1], [2, 0]])) == 2
    assert r.count_nonzero([[0, 1], [2, 0]], axis=0, keepdims=True).numpy().tolist() == [[1, 1]]
    assert r.count_nonzero([0.0, 1.0], dtype="int32").dtype.name == "int32"
    assert int(r.count_nonzero(["", "a", " "])) == 2
    assert int(r.count_nonzero([True, False])) == 1
    assert float(r.zero_fraction([0.0, 1.0, 0.0, 3.0])) == 0.5


def test_moments():
    mean, variance = r.moments(CUBE, axes=[0, 1])
    np.testing.assert_allclose(mean.numpy(), CUBE.mean((0, 1)), rtol=1e-6)
    np.testing.assert_allclose(variance.numpy(), CUBE.var((0, 1)), rtol=1e-5)
    assert r.moments(CUBE, [1], keepdims=True)[1].shape == (2, 1, 4)
    half = r.moments(np.full(5000, 20, np.float16), [0])
    assert [float(m) for m in half] == [20, 0]
    weights = np.array([[1.0], [3.0]], np.float32)
    mean, variance = r.weighted_moments(np.array([[1.0, 2], [5, 2]], np.float32), [0], weights)
    assert mean.numpy().tolist() == [4, 2]
    assert variance.numpy().tolist() == [3, 0]


def test_second_derivative_of_a_variance():
    x = convert(np.array([1.0, 2.0, 4.0]))
    with GradientTape() as outer:
        outer.watch(x)
        with GradientTape() as inner:
            inner.watch(x)
            y = r.moments(x, [0])[1]
        first = inner.gradient(y, x)
    hessian = outer.jacobian(first, x).numpy()
    np.testing.assert_allclose(hessian, 2 / 3 * (np.eye(3) - 1 / 3), atol=1e-12)
