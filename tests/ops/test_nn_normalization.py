"""Norms, clipping by norms and normalisation, by hand and against NumPy."""

import numpy as np
import pytest

from slipstream.ops import normalization as n
from slipstream.runtime.convert import convert
from slipstream.runtime.slices import IndexedSlices
from slipstream.runtime.tape import GradientTape

X = np.random.default_rng(0).normal(size=(4, 3, 5)).astype(np.float32)


def gradient(function, value):
    x = convert(np.asarray(value, np.float64))
    with GradientTape() as tape:
        tape.watch(x)
        y = function(x)
    return tape.gradient(y, x).numpy()


@pytest.mark.parametrize("axis", [None, 1, [-1, 0]])
def test_l2_normalize(axis):
    axes = tuple(axis) if isinstance(axis, list) else axis
    wanted = X / np.sqrt(np.sum(X * X, axes, keepdims=True))
    np.testing.assert_allclose(n.l2_normalize(X, axis).numpy(), wanted, rtol=1e-5)


def test_l2_normalize_of_zero_and_complex_numbers():
    assert n.l2_normalize([0.0, 0.0]).numpy().tolist() == [0, 0]
    assert gradient(n.l2_normalize, [0.0, 0.0]).tolist() == [1e6, 1e6]
    np.testing.assert_allclose(n.l2_normalize([3 + 0j, 4j]).numpy(), [0.6, 0.8j], rtol=1e-6)


def test_l2_loss():
    assert float(n.l2_loss([[3.0], [4.0]])) == 12.5
    assert gradient(n.l2_loss, [3.0, 4.0]).tolist() == [3, 4]


def test_batch_normalization():
    mean, variance = X.mean((0, 1)), X.var((0, 1))
    scale, offset = np.float32(2) + 0 * mean, np.float32(1) + 0 * mean
    found = n.batch_normalization(X, mean, variance, offset, scale, 1e-3).numpy()
    wanted = (X - mean) / np.sqrt(variance + 1e-3) * 2 + 1
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)
    plain = n.batch_normalization(X, mean, variance, None, None, 1e-3).numpy()
    np.testing.assert_allclose(plain, (wanted - 1) / 2, rtol=1e-4, atol=1e-5)


def test_clip_by_norm():
    np.testing.assert_allclose(n.clip_by_norm([3.0, 4.0], 1.0).numpy(), [0.6, 0.8], rtol=1e-6)
    assert n.clip_by_norm([3.0, 4.0], 10.0).numpy().tolist() == [3, 4]
    assert n.clip_by_norm([0.0, 0.0], 1.0).numpy().tolist() == [0, 0]
    rows = n.clip_by_norm([[3.0, 4.0], [0.3, 0.4]], 1.0, axes=[1]).numpy()
    np.testing.assert_allclose(rows, [[0.6, 0.8], [0.3, 0.4]], rtol=1e-6)
    assert gradient(lambda t: n.clip_by_norm(t, 1.0), [0.0, 0.0]).tolist() == [1, 1]


def test_global_norms():
    tensors = [convert([3.0]), None, convert([[4.0]])]
    assert float(n.global_norm(tensors)) == 5
    clipped, norm = n.clip_by_global_norm(tensors, 2.5)
    assert float(norm) == 5
    assert [None if t is None else t.numpy().tolist() for t in clipped] == [[1.5], None, [[2.0]]]
    clipped, _ = n.clip_by_global_norm(tensors, 10.0)
    assert clipped[0].numpy().tolist() == [3]
    clipped, norm = n.clip_by_global_norm([convert([6.0])], 1.0, use_norm=3.0)
    assert (clipped[0].numpy().tolist(), float(norm)) == ([2], 3)
    assert n.clip_by_global_norm([[0.0]], 1.0)[0][0].numpy().tolist() == [0]


def test_a_norm_that_is_not_finite_spoils_all():
    clipped, norm = n.clip_by_global_norm([[np.inf], [1.0]], 1.0)
    assert float(norm) == np.inf
    assert np.isnan(clipped[1].numpy()).all()


def test_rows_of_a_table_are_clipped_as_rows():
    rows = IndexedSlices(convert([[3.0], [4.0]]), convert([5, 0]), (7, 1))
    clipped = n.clip_by_norm(rows, 1.0)
    assert isinstance(clipped, IndexedSlices)
    np.testing.assert_allclose(clipped.values.numpy(), [[0.6], [0.8]], rtol=1e-6)
    assert float(n.global_norm([rows])) == 5
    (scaled,), _ = n.clip_by_global_norm([rows], 1.0)
    assert isinstance(scaled, IndexedSlices)
    assert scaled.indices.numpy().tolist() == [5, 0]


def test_what_is_no_list_of_tensors():
    with pytest.raises(TypeError, match="sequence"):
        n.global_norm(convert([1.0]))
    with pytest.raises(ValueError, match="no tensor"):
        n.global_norm([None])
