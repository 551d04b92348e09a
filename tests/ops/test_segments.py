"""Reductions over segments against loops in NumPy, derivatives against finite differences."""

import numpy as np
import pytest

import slipstream as tf
from slipstream.errors import InvalidArgumentError

REDUCERS = {
    "sum": (lambda rows: rows.sum(0), 0.0),
    "prod": (lambda rows: rows.prod(0), 1.0),
    "mean": (lambda rows: rows.mean(0), 0.0),
    "sqrt_n": (lambda rows: rows.sum(0) / np.sqrt(len(rows)), 0.0),
    "max": (lambda rows: rows.max(0), np.finfo(np.float64).min),
    "min": (lambda rows: rows.min(0), np.finfo(np.float64).max),
}
DATA = np.random.default_rng(3).normal(size=(17, 3))
IDS = np.random.default_rng(4).integers(-1, 5, 17)  # -1 is left out
IDS[IDS == 3] = 2  # so that segment 3 is empty


def reference(name, data, ids, count, empty):
    reduce = REDUCERS[name][0]
    rows = [data[ids == i] for i in range(count)]
    return np.stack([reduce(r) if len(r) else np.full(data.shape[1:], empty) for r in rows])


def unsorted(name):
    return getattr(tf.math, f"unsorted_segment_{name}")


@pytest.mark.parametrize("dtype", ["int32", "int64"])
@pytest.mark.parametrize("name", REDUCERS)
def test_unsorted(name, dtype):
    wanted = reference(name, DATA, IDS, 6, REDUCERS[name][1])
    ids = tf.constant(IDS, dtype)
    np.testing.assert_allclose(unsorted(name)(DATA, ids, 6).numpy(), wanted)
    later = tf.function(lambda x, i: unsorted(name)(x, i, 6))(tf.constant(DATA), ids)
    np.testing.assert_allclose(later.numpy(), wanted)


@pytest.mark.parametrize("name", sorted(REDUCERS.keys() - {"sqrt_n"}))
def test_sorted(name):
    ids = np.sort(np.abs(IDS))
    empty = 1.0 if name == "prod" else 0.0
    wanted = reference(name, DATA, ids, ids[-1] + 1, empty)
    found = getattr(tf.math, f"segment_{name}")(DATA, ids)
    np.testing.assert_allclose(found.numpy(), wanted)


@pytest.mark.parametrize("name", REDUCERS)
def test_segments_over_several_axes(name):
    data = DATA[:16].reshape(4, 4, 3)
    ids = np.abs(IDS[:16]).reshape(4, 4)
    found = unsorted(name)(data, ids, 5).numpy()
    wanted = reference(name, DATA[:16], ids.reshape(-1), 5, REDUCERS[name][1])
    np.testing.assert_allclose(found, wanted)


@pytest.mark.parametrize("name", REDUCERS)
def test_derivatives_to_second_order(name):
    """Of the sum of w f(x)^2, along a random direction, by central differences."""
    generator = np.random.default_rng(5)
    weights, step = generator.normal(size=(5, 3)), generator.normal(size=DATA.shape)
    kept = np.isin(np.arange(5), IDS)[:, None]  # empty extremes are as large as numbers get

    def value(x):
        y = tf.where(kept, unsorted(name)(x, IDS, 5), 0.0)
        return tf.reduce_sum(weights * y * y)

    def slope(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = value(x)
        return tf.reduce_sum(tape.gradient(y, x) * step)

    x = tf.constant(DATA)
    with tf.GradientTape() as tape:
        tape.watch(x)
        first = slope(x)
    second = tf.reduce_sum(tape.gradient(first, x) * step)
    h = 1e-5
    ahead, behind = tf.constant(DATA + h * step), tf.constant(DATA - h * step)
    np.testing.assert_allclose(first, (value(ahead) - value(behind)) / (2 * h), rtol=1e-6)
    np.testing.assert_allclose(second, (slope(ahead) - slope(behind)) / (2 * h), rtol=1e-5)


def test_products_through_zeros_have_derivatives():
    x = tf.constant([0.0, 2.0, 3.0, 0.0, 0.0])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.math.segment_prod(x, [0, 0, 0, 1, 1])
    assert y.numpy().tolist() == [0, 0]
    assert tape.gradient(y, x).numpy().tolist() == [6, 0, 0, 0, 0]


def test_equal_extremes_share_the_gradient():
    x = tf.constant([2.0, 2.0, 1.0])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.math.unsorted_segment_max(x, [0, 0, 0], 1)
    assert tape.gradient(y, x).numpy().tolist() == [0.5, 0.5, 0]


def test_integers():
    ids = [0, 0, 2]
    assert tf.math.segment_mean([-5, 2, 3], ids).numpy().tolist() == [-1, 0, 3]
    assert tf.math.segment_mean([-5, 2, 3], ids).dtype == "int32"
    assert tf.math.unsorted_segment_mean([1, 2, 3], ids, 3).numpy().tolist() == [1.5, 0, 3]
    assert tf.math.segment_prod([2, 3, 4], ids).numpy().tolist() == [6, 1, 4]
    lowest = tf.math.unsorted_segment_max([1, 2, 3], ids, 3).numpy().tolist()
    assert lowest == [2, np.iinfo(np.int32).min, 3]


@pytest.mark.parametrize("name", REDUCERS)
def test_nothing_to_reduce(name):
    empty = np.zeros((0, 2))
    found = unsorted(name)(empty, np.zeros(0, np.int32), 2).numpy()
    np.testing.assert_array_equal(found, np.full((2, 2), REDUCERS[name][1]))
    assert unsorted(name)(DATA, np.full(17, -1), 0).shape == (0, 3)


def test_misuse():
    with pytest.raises(InvalidArgumentError, match=r"\[segment_sum\] indices\[1\] = 2 is not in"):
        tf.math.unsorted_segment_sum([1.0, 2.0], [0, 2], 2)
    with pytest.raises(InvalidArgumentError, match=r"\[segment_max\] segment ids are not incr"):
        tf.math.segment_max([1.0, 2.0], [1, 0])
    with pytest.raises(InvalidArgumentError, match="not increasing from 0 on"):
        tf.math.segment_sum([1.0, 2.0], [-1, 0])
    with pytest.raises(InvalidArgumentError, match="not one segment number a row"):
        tf.math.unsorted_segment_sum([1.0, 2.0], [0, 1, 1], 2)
    with pytest.raises(InvalidArgumentError, match="a vector of integers"):
        tf.math.segment_sum([[1.0, 2.0]], [[0, 0]])
    with pytest.raises(
        InvalidArgumentError, match=r"\[segment_sum\].*tf.math.unsorted_segment_sum"
    ):
        tf.function(lambda i: tf.math.segment_sum([1.0, 2.0], i))(tf.constant([0, 1]))
