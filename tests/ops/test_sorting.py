"""Order: sort, argsort, top_k, in_top_k, searchsorted, unique, against NumPy."""

import numpy as np
import pytest

import slipstream as tf
from slipstream.errors import InvalidArgumentError

X = np.random.default_rng(0).integers(0, 9, (3, 17, 2)).astype(np.float32)  # with equal elements


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_sort_and_argsort(axis):
    np.testing.assert_array_equal(tf.sort(X, axis).numpy(), np.sort(X, axis))
    down = tf.sort(X, axis, "DESCENDING").numpy()
    np.testing.assert_array_equal(down, -np.sort(-X, axis))
    order = tf.argsort(X, axis, stable=True)
    np.testing.assert_array_equal(order.numpy(), np.argsort(X, axis, kind="stable"))
    assert order.dtype == "int32"
    order = tf.argsort(X, axis, "DESCENDING", stable=True).numpy()
    np.testing.assert_array_equal(order, np.argsort(-X, axis, kind="stable"))


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int64", "float16", "bfloat16", "float64"])
def test_sort_of_other_dtypes(dtype):
    x = tf.cast(X, dtype)
    found = tf.cast(tf.sort(x, axis=1, direction="DESCENDING"), "float32").numpy()
    np.testing.assert_array_equal(found, -np.sort(-X, 1))
    assert tf.sort(x).dtype == dtype


def test_sort_misuse():
    with pytest.raises(ValueError, match="ASCENDING or DESCENDING"):
        tf.sort(X, direction="UP")
    with pytest.raises(InvalidArgumentError, match=r"\[sort\] there is no such axis"):
        tf.sort(X, axis=3)


def test_the_derivative_of_a_sort_follows_the_elements():
    x = tf.constant([3.0, 1.0, 2.0], dtype="float64")
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.reduce_sum(tf.sort(x) ** 3 * [1.0, 10.0, 100.0])
        first = tape.gradient(y, x)
        total = tf.reduce_sum(first)
    assert first.numpy().tolist() == [2700, 3, 120]
    assert outer.gradient(total, x).numpy().tolist() == [1800, 6, 120]


@pytest.mark.parametrize("shape", [(7,), (3, 17), (2, 3, 300)])
@pytest.mark.parametrize("k", [0, 1, 3, 7])
def test_top_k_takes_the_first_of_equal_ones(shape, k):
    x = np.random.default_rng(1).integers(0, 5, shape).astype(np.float32)
    values, indices = tf.math.top_k(x, k)
    wanted = np.argsort(-x, -1, kind="stable")[..., :k]
    np.testing.assert_array_equal(indices.numpy(), wanted)
    np.testing.assert_array_equal(values.numpy(), np.take_along_axis(x, wanted, -1))
    assert indices.dtype == "int32"


def test_top_k_of_infinities_and_nan():
    x = np.zeros(100, np.float32)
    x[[5, 50]] = np.inf
    x[70] = -np.inf
    assert tf.math.top_k(x, 4).indices.numpy().tolist() == [5, 50, 0, 1]
    x[60] = np.nan
    assert tf.math.top_k(x, 3).indices.numpy().tolist() == [60, 5, 50]


def test_top_k_arguments():
    found = tf.nn.top_k(X, k=1, index_type="int64")
    assert found.indices.dtype == "int64" and found.values.shape == (3, 17, 1)
    with pytest.raises(InvalidArgumentError, match="does not have 3 elements"):
        tf.math.top_k(X, 3)


def test_the_derivative_of_top_k():
    x = tf.constant([1.0, 5.0, 3.0])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.math.top_k(x, 2).values * [10.0, 20.0]
    assert tape.gradient(y, x).numpy().tolist() == [0, 10, 20]


def test_in_top_k():
    scores = [
        [0.1, 0.5, 0.4],
        [0.3, 0.3, 0.3],
        [np.nan, 1, 0],
        [np.inf, 1, 0],
        [3, 2, 1],
        [1, 2, 3],
    ]
    targets = [2, 0, 1, 1, 3, -1]
    assert tf.math.in_top_k(targets, scores, 1).numpy().tolist() == [False, True] + [False] * 4
    assert tf.math.in_top_k(targets, scores, 2).numpy().tolist() == [True, True] + [False] * 4
    with pytest.raises(InvalidArgumentError, match="not one target a row"):
        tf.math.in_top_k([0], scores, 1)


@pytest.mark.parametrize("side", ["left", "right"])
def test_searchsorted(side):
    rows = np.sort(X[:, :, 0], 1)
    values = np.array([[-1.0, 4, 9, 4.5]] * 3, np.float32)
    found = tf.searchsorted(rows, values, side)
    wanted = [np.searchsorted(a, b, side) for a, b in zip(rows, values, strict=True)]
    np.testing.assert_array_equal(found.numpy(), wanted)
    assert found.dtype == "int32"
    assert tf.searchsorted(rows[0], values[0], side, out_type=tf.int64).dtype == "int64"
    with pytest.raises(ValueError, match="no such side"):
        tf.searchsorted(rows, values, "middle")
    with pytest.raises(InvalidArgumentError, match="the leading axes differ"):
        tf.searchsorted(rows, values[0])


def test_unique_keeps_the_order_of_first_appearance():
    y, idx, count = tf.unique_with_counts([7, 2, 7, 9, 2, 7])
    assert y.numpy().tolist() == [7, 2, 9] and idx.numpy().tolist() == [0, 1, 0, 2, 1, 0]
    assert count.numpy().tolist() == [3, 2, 1] and count.dtype == idx.dtype == "int32"
    words = tf.unique(["b", "a", "b"], out_idx=tf.int64)
    assert words.y.numpy().tolist() == [b"b", b"a"] and words.idx.dtype == "int64"
    assert tf.unique(np.zeros(0)).y.shape == (0,)
    with pytest.raises(InvalidArgumentError, match=r"\[unique\] this takes a vector"):
        tf.unique([[1]])
    with pytest.raises(InvalidArgumentError, match=r"\[unique\].*not known while tracing"):
        tf.function(lambda x: tf.unique(x).y)(tf.constant([1]))


def test_invert_permutation():
    assert tf.math.invert_permutation([3, 4, 0, 2, 1]).numpy().tolist() == [2, 4, 3, 0, 1]
    assert tf.math.invert_permutation(np.array([1, 0])).dtype == "int64"
    for wrong in ([0, 0], [1, 2], [0.0, 1.0], [[0]]):
        with pytest.raises(InvalidArgumentError, match="no permutation of 0"):
            tf.math.invert_permutation(wrong)
