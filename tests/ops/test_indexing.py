"""Picking parts of tensors, against NumPy."""

import numpy as np
import pytest

import slipstream as tf
from slipstream.errors import InvalidArgumentError

X = np.arange(4 * 5 * 3, dtype=np.float32).reshape(4, 5, 3)
new = None

KEYS = [
    0,
    -1,
    slice(None),
    slice(1, 3),
    slice(-3, None, 2),
    slice(None, None, -1),
    slice(3, 0, -2),
    slice(10, 20),
    slice(3, 1),
    slice(-100, 100),
    Ellipsis,
    new,
    (1, 2, 0),
    (1, slice(None), -1),
    (Ellipsis, 0),
    (0, Ellipsis),
    (Ellipsis, 1, slice(None, None, -2)),
    (new, 1, new, slice(4, 0, -3), new),
    (slice(None), new, Ellipsis, new),
    (slice(2, 2), 1),
    (slice(None, None, -1), slice(None, None, -1), slice(None, None, -1)),
    np.int64(2),
    (np.int32(1), slice(np.int64(1), np.int64(4))),
    (),
]


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_keys_mean_what_they_mean_in_numpy(key):
    x = tf.constant(X)
    np.testing.assert_array_equal(x[key].numpy(), X[key])
    np.testing.assert_array_equal(tf.function(lambda t: t[key])(x).numpy(), X[key])


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_the_derivative_of_a_selection_puts_it_back(key):
    x = tf.constant(X)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = x[key] * 2
    wanted = np.zeros_like(X)
    wanted[key] = 2
    np.testing.assert_array_equal(tape.gradient(y, x).numpy(), wanted)


def test_tensors_as_indices_and_bounds():
    x, two = tf.constant(X), tf.constant(2)
    np.testing.assert_array_equal(x[two].numpy(), X[2])
    np.testing.assert_array_equal(x[two:, ..., tf.constant(-1, "int64")].numpy(), X[2:, ..., -1])
    np.testing.assert_array_equal(x[: tf.shape(x)[0] - 1].numpy(), X[:-1])
    assert tf.Variable(X)[1, two].numpy().tolist() == X[1, 2].tolist()


def test_indices_that_come_when_the_program_runs():
    @tf.function
    def pick(x, i, j):
        return x[i, ::-1, j], x[..., tf.newaxis, j], x[:, i]

    for i, j in [(0, 1), (-1, -2), (3, 2)]:
        found = pick(tf.constant(X), tf.constant(i), tf.constant(j))
        wanted = X[i, ::-1, j], X[..., None, j], X[:, i]
        for ours, theirs in zip(found, wanted, strict=True):
            np.testing.assert_array_equal(ours.numpy(), theirs)
    with pytest.raises(InvalidArgumentError, match=r"= 9 is not in \[0, 4\)"):
        pick(tf.constant(X), tf.constant(9), tf.constant(0))


def test_a_mask_picks_elements():
    x, mask = tf.constant(X), X[:, :, 0] > 20
    np.testing.assert_array_equal(x[mask].numpy(), X[mask])
    np.testing.assert_array_equal(x[x > 7].numpy(), X[X > 7])
    with pytest.raises(InvalidArgumentError, match="not known while tracing"):
        tf.function(lambda t: t[t > 7])(x)


def test_places_outside_are_named():
    x = tf.constant(X)
    with pytest.raises(InvalidArgumentError, match="5 is outside axis 1"):
        x[0, 5]
    with pytest.raises(InvalidArgumentError, match="-5 is outside axis 0"):
        x[-5]
    with pytest.raises(InvalidArgumentError, match="the tensor has only 3"):
        x[0, 0, 0, 0]
    with pytest.raises(ValueError, match="the step of a slice is zero"):
        x[::0]
    with pytest.raises(ValueError, match="is there twice"):
        x[..., 0, ...]


@pytest.mark.parametrize("key", [1.0, "a", [0, 1], True, tf.constant([0, 1]), tf.constant(1.0)])
def test_what_is_no_index(key):
    with pytest.raises(TypeError, match="scalar integer tensor"):
        tf.constant(X)[key]


def test_a_loop_over_a_tensor_ends():
    assert [float(v) for v in tf.constant([1.0, 2.0])] == [1.0, 2.0]


def test_slice():
    found = tf.slice(X, [1, 0, 2], [2, -1, 1])
    np.testing.assert_array_equal(found.numpy(), X[1:3, :, 2:3])
    later = tf.function(lambda x, i: tf.slice(x, [i, 0, i], [2, 5, 1]))
    for i in (0, 2):
        found = later(tf.constant(X), tf.constant(i)).numpy()
        np.testing.assert_array_equal(found, X[i : i + 2, :, i : i + 1])
    with pytest.raises(InvalidArgumentError, match=r"begin\[0\] = 3 is not in \[0, 2\]"):
        later(tf.constant(X), tf.constant(3))
    with pytest.raises(InvalidArgumentError, match=r"\[slice\] the bounds are outside"):
        tf.slice(X, [3, 0, 0], [2, 1, 1])
    with pytest.raises(InvalidArgumentError, match="one begin and one size an axis"):
        tf.slice(X, [0, 0], [1, 1])


def test_the_derivative_of_a_slice_at_a_place_that_comes_later():
    @tf.function
    def slope(x, i):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.reduce_sum(tf.slice(x, [i], [2]) ** 2)
        return tape.gradient(y, x)

    found = slope(tf.constant([1.0, 2.0, 3.0, 4.0]), tf.constant(1))
    assert found.numpy().tolist() == [0, 4, 6, 0]


@pytest.mark.parametrize(
    ("begin", "end", "strides", "masks", "key"),
    [
        ([1, 0, 0], [3, 5, 3], [1, 2, 1], {}, (slice(1, 3), slice(0, 5, 2), slice(0, 3))),
        ([-1, -1], [-9, -9], [-1, -2], {}, (slice(-1, -9, -1), slice(-1, -9, -2))),
        ([1, 1], [2, 2], None, {"begin_mask": 2, "end_mask": 1}, (slice(1, None), slice(None, 2))),
        ([0, 2], [0, 0], None, {"ellipsis_mask": 1, "shrink_axis_mask": 2}, (..., 2)),
        ([0, 1], [0, 2], None, {"new_axis_mask": 1}, (None, slice(1, 2))),
        ([-1], [0], None, {"shrink_axis_mask": 1}, -1),
        ([1, 0, 2], [2, 0, 3], [1, 1, 1], {"ellipsis_mask": 2}, (slice(1, 2), ..., slice(2, 3))),
    ],
)
def test_strided_slice(begin, end, strides, masks, key):
    found = tf.strided_slice(X, begin, end, strides, **masks)
    np.testing.assert_array_equal(found.numpy(), X[key])


def test_strided_slice_misuse():
    with pytest.raises(InvalidArgumentError, match="different lengths"):
        tf.strided_slice(X, [0, 0], [1])
    with pytest.raises(InvalidArgumentError, match="is outside axis"):
        tf.strided_slice(X, [4], [5], shrink_axis_mask=1)


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_gather_is_take(axis, dtype):
    indices = np.array([[2, 0, 1], [0, 0, 2]], dtype)
    found = tf.gather(X, indices, axis=axis)
    np.testing.assert_array_equal(found.numpy(), X.take(indices, axis))


def test_gather_in_batches():
    x = np.arange(2 * 3 * 4 * 2, dtype=np.float64).reshape(2, 3, 4, 2)
    indices = np.array([[3, 0], [1, 1]])
    found = tf.gather(x, indices, axis=2, batch_dims=1).numpy()
    np.testing.assert_array_equal(found, np.stack([x[b][:, indices[b]] for b in range(2)]))
    both = np.array([[2, 0, 1], [1, 1, 0]])
    for batch_dims in (1, -1):  # a negative number counts from the axes of the indices
        found = tf.gather(x, both, batch_dims=batch_dims).numpy()
        np.testing.assert_array_equal(found, np.stack([x[b][both[b]] for b in range(2)]))
    np.testing.assert_array_equal(
        tf.gather(x, both, batch_dims=2, axis=2).numpy(),
        np.take_along_axis(x, both[:, :, None, None], 2)[:, :, 0],
    )


def test_gather_names_the_index_outside():
    with pytest.raises(InvalidArgumentError, match=r"indices\[1,0\] = 4 is not in \[0, 4\)"):
        tf.gather(X, [[0], [4]])
    with pytest.raises(InvalidArgumentError, match=r"= -1 is not in"):
        tf.gather(X, [-1])
    with pytest.raises(InvalidArgumentError, match="not integers"):
        tf.gather(X, [1.0])
    with pytest.raises(InvalidArgumentError, match="batch dimensions differ"):
        tf.gather(X, [[0]], batch_dims=1)


def test_the_gradient_of_a_gather_is_a_list_of_rows():
    table = tf.Variable(X[:, :, 0])
    with tf.GradientTape() as tape:
        y = tf.reduce_sum(tf.gather(table, [1, 3, 1]) * [[1.0], [2.0], [3.0]])
    rows = tape.gradient(y, table)
    assert isinstance(rows, tf.IndexedSlices) and rows.values.shape == (3, 5)
    dense = tf.convert_to_tensor(rows).numpy()
    assert dense[:, 0].tolist() == [0, 4, 0, 2]


def test_other_selections_have_whole_gradients():
    """A list of rows is only for lookups: x[i] at a place that comes later is none, nor a mask."""

    @tf.function
    def slope(x, i):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = x[i] * 3.0
        return tape.gradient(y, x)

    assert slope(tf.constant([1.0, 2.0, 3.0]), tf.constant(-1)).numpy().tolist() == [0, 0, 3]
    x = tf.constant([1.0, 2.0, 3.0])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = x[x > 1.5] * 2.0
    assert tape.gradient(y, x).numpy().tolist() == [0, 2, 2]


def test_small_batch_indices_do_not_wrap_around():
    x = tf.constant(np.random.default_rng(0).normal(size=(40, 10)))
    places = tf.constant(np.full((40, 1), 9, np.uint8))
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.gather(x, places, batch_dims=1)
    assert tape.gradient(y, x).numpy()[:, 9].tolist() == [1.0] * 40


def test_gather_nd():
    indices = np.array([[[0, 1], [3, 4]], [[2, 2], [1, 0]]])
    found = tf.gather_nd(X, indices).numpy()
    np.testing.assert_array_equal(found, X[indices[..., 0], indices[..., 1]])
    np.testing.assert_array_equal(tf.gather_nd(X, [[]] * 2).numpy(), np.stack([X, X]))
    batched = np.array([[[1]], [[0]], [[4]], [[2]]])
    found = tf.gather_nd(X, batched, batch_dims=1).numpy()
    np.testing.assert_array_equal(found[:, 0], X[np.arange(4), [1, 0, 4, 2]])
    with pytest.raises(InvalidArgumentError, match=r"= 5 is not in \[0, 5\)"):
        tf.gather_nd(X, [[0, 5]])
    with pytest.raises(InvalidArgumentError, match="index vectors do not fit"):
        tf.gather_nd(X, [[0, 0, 0, 0]])


def test_where():
    condition = X[:, :, :1] > 20
    found = tf.where(condition, X, -1.0).numpy()
    np.testing.assert_array_equal(found, np.where(condition, X, -1))
    np.testing.assert_array_equal(tf.where(condition).numpy(), np.argwhere(condition))
    assert tf.where([0, 2, 3]).dtype == "int64"
    assert tf.where([0, 2, 3]).numpy().tolist() == [[1], [2]]
    assert tf.where([False]).shape == (0, 1)
    with pytest.raises(ValueError, match="one of x and y is missing"):
        tf.where([True], 1)
    with pytest.raises(InvalidArgumentError, match=r"\[where\].*not known while tracing"):
        tf.function(lambda c: tf.where(c))(tf.constant([True]))


def test_boolean_mask():
    mask = X[0] > 6
    found = tf.boolean_mask(X, mask, axis=1).numpy()
    np.testing.assert_array_equal(found, X[:, mask])
    np.testing.assert_array_equal(tf.boolean_mask(X, X[:, 0, 0] > 20).numpy(), X[2:])
    for wrong in ([True], True):
        with pytest.raises(ValueError, match="mask does not cover"):
            tf.boolean_mask(X, wrong)


@pytest.mark.parametrize(("dtype", "place"), [(tf.uint8, 200), (tf.int8, -2)])
def test_traced_places_of_narrow_dtypes_reach_long_axes(dtype, place):
    long = np.arange(300)
    found = tf.function(lambda x, i: x[i])(tf.constant(long), tf.constant(place, dtype))
    assert found.numpy() == long[place]


def test_errors_name_the_index_that_is_outside():
    with pytest.raises(InvalidArgumentError, match=r"indices = -1 is not in \[0, 3\)"):
        tf.gather([1, 2, 3], -1)
    with pytest.raises(InvalidArgumentError, match=r"indices\[1,1\] = 2 is not in \[0, 2\)"):
        tf.gather_nd([[1, 2], [3, 4], [5, 6]], [[2, 0], [2, 2]])
    with pytest.raises(InvalidArgumentError, match=r"indices\[1\] = 9 is not in \[0, 9\)"):
        tf.unravel_index([8, 9], [3, 3])
