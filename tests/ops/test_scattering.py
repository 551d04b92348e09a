"""Putting values into tensors, taking tensors apart and together, against NumPy."""

import numpy as np
import pytest

import slipstream as tf
from slipstream.errors import InvalidArgumentError
from slipstream.primitives import scattering

X = np.arange(4 * 5 * 3, dtype=np.float32).reshape(4, 5, 3)
PLACES = np.array([[0, 1], [3, 4], [0, 1]])  # one of them twice
UPDATES = np.array([[100.0, -1, 7], [2, 2, 2], [10, 20, 30]], np.float32)
ROWS = tuple(PLACES.T)


def applied(ufunc):
    out = X.copy()
    ufunc.at(out, ROWS, UPDATES)
    return out


@pytest.mark.parametrize(
    ("name", "ufunc"),
    [("add", np.add), ("sub", np.subtract), ("max", np.maximum), ("min", np.minimum)],
)
@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_equal_places_combine(name, ufunc, dtype):
    function = getattr(tf, f"tensor_scatter_nd_{name}")
    np.testing.assert_array_equal(
        function(X, PLACES.astype(dtype), UPDATES).numpy(), applied(ufunc)
    )
    later = tf.function(function)(*map(tf.constant, (X, PLACES, UPDATES)))
    np.testing.assert_array_equal(later.numpy(), applied(ufunc))


def test_update_and_its_derivatives():
    wanted = X.copy()
    wanted[0, 1], wanted[3, 4] = UPDATES[2], UPDATES[1]
    x, updates = tf.constant(X), tf.constant(UPDATES)
    with tf.GradientTape() as tape:
        tape.watch([x, updates])
        y = tf.tensor_scatter_nd_update(x, PLACES, updates)
        total = tf.reduce_sum(y * 2)
    np.testing.assert_array_equal(y.numpy(), wanted)
    by_x, by_updates = tape.gradient(total, [x, updates])
    assert by_x.numpy()[ROWS].tolist() == [[0.0] * 3] * 3 and by_x.numpy()[1].min() == 2
    assert by_updates.numpy()[:, 0].tolist() == [0, 2, 2]  # the first was overwritten


def test_scatter_nd():
    found = tf.scatter_nd([[1], [3], [1]], [9, 10, 11], [5])
    assert found.numpy().tolist() == [0, 20, 0, 10, 0] and found.dtype == "int32"
    assert tf.scatter_nd([[0]], [[1.0, 2.0]], tf.constant([2, 2])).shape == (2, 2)


def test_scatter_misuse():
    with pytest.raises(InvalidArgumentError, match=r"indices\[0,0\] = 5 is not in \[0, 3\)"):
        tf.scatter_nd([[5]], [1.0], [3])
    with pytest.raises(InvalidArgumentError, match="not one update an index"):
        tf.tensor_scatter_nd_add(X, PLACES, UPDATES[:2])
    with pytest.raises(InvalidArgumentError, match="different dtypes"):
        tf.tensor_scatter_nd_add(X, PLACES, tf.constant(UPDATES, tf.float64))


@pytest.mark.parametrize("ufunc", [np.add, np.maximum])
@pytest.mark.parametrize("shape", [(7,), (7, 3), (2, 3, 2), (3, 0)])
def test_rows_are_combined_in_blocks(monkeypatch, ufunc, shape):
    monkeypatch.setattr(scattering, "BLOCK", 5)
    generator = np.random.default_rng(0)
    table, rows = generator.normal(size=shape), generator.integers(0, shape[0], 11)
    updates = generator.normal(size=(11, *shape[1:]))
    before, wanted = table.copy(), table.copy()
    ufunc.at(wanted, rows, updates)
    np.testing.assert_allclose(scattering.combine_rows(ufunc, table, rows, updates), wanted)
    np.testing.assert_array_equal(table, before)


def test_dynamic_partition_and_stitch_are_inverse():
    numbers = np.array([2, 0, 2, 1])
    parts = tf.dynamic_partition(X, numbers, 4)
    for i, part in enumerate(parts):
        np.testing.assert_array_equal(part.numpy(), X[numbers == i])
    places = tf.dynamic_partition(np.arange(4), numbers, 4)
    np.testing.assert_array_equal(tf.dynamic_stitch(places, parts).numpy(), X)


def test_dynamic_partition_over_several_axes():
    numbers = (X[:, :, 0] > 20).astype(np.int32)
    x = tf.constant(X)
    with tf.GradientTape() as tape:
        tape.watch(x)
        few, many = tf.dynamic_partition(x, numbers, 2)
        total = tf.reduce_sum(many)
    np.testing.assert_array_equal(few.numpy(), X[numbers == 0])
    slope = tape.gradient(total, x).numpy()
    np.testing.assert_array_equal(slope, np.broadcast_to(numbers[..., None], X.shape))


def test_dynamic_partition_misuse():
    with pytest.raises(InvalidArgumentError, match=r"\[dynamic_partition\].*= 2 is not in"):
        tf.dynamic_partition([1, 2], [0, 2], 2)
    with pytest.raises(InvalidArgumentError, match="not one partition number a slice"):
        tf.dynamic_partition([1, 2], [0, 1, 1], 2)
    with pytest.raises(InvalidArgumentError, match="not known while tracing"):
        tf.function(lambda p: tf.dynamic_partition([1, 2], p, 2))(tf.constant([0, 1]))


def test_dynamic_stitch():
    found = tf.dynamic_stitch([2, [[1, 0], [3, 2]]], [[5.0, 6.0], np.arange(8.0).reshape(2, 2, 2)])
    assert found.numpy().tolist() == [[2, 3], [0, 1], [6, 7], [4, 5]]  # of both 2s the later one
    with pytest.raises(InvalidArgumentError, match="nothing belongs at place 1"):
        tf.dynamic_stitch([[0, 2]], [[1, 2]])
    with pytest.raises(InvalidArgumentError, match="a place is negative"):
        tf.dynamic_stitch([[0, -1]], [[1, 2]])
    with pytest.raises(InvalidArgumentError, match="not one place a slice"):
        tf.dynamic_stitch([[0, 1]], [[1, 2, 3]])
    with pytest.raises(InvalidArgumentError, match="not as many indices as data"):
        tf.dynamic_stitch([[0, 1]], [[1, 2], [3]])


def test_setdiff1d():
    out, idx = tf.setdiff1d([1, 2, 3, 4, 5, 6, 2], [1, 3, 5])
    assert out.numpy().tolist() == [2, 4, 6, 2] and idx.numpy().tolist() == [1, 3, 5, 6]
    assert idx.dtype == "int32" and tf.setdiff1d([1], [1], "int64").idx.dtype == "int64"


def test_unravel_index():
    numbers = np.array([0, 7, 22, 59])
    found = tf.unravel_index(numbers, [4, 5, 3]).numpy()
    np.testing.assert_array_equal(found, np.unravel_index(numbers, (4, 5, 3)))
    assert tf.unravel_index(22, [4, 5, 3]).numpy().tolist() == [1, 2, 1]
