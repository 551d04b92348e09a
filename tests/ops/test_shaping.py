"""Other shapes of the same elements, against NumPy."""

import numpy as np
import pytest

import slipstream as tf
from slipstream.errors import InvalidArgumentError

X = np.arange(3 * 5 * 2, dtype=np.float32).reshape(3, 5, 2)


def same(found, wanted):
    np.testing.assert_array_equal(found.numpy(), wanted)


def traced(function, *arrays):
    """The results of a traced function, which must be those of the function itself."""
    now = function(*map(tf.constant, arrays))
    later = tf.function(function)(*map(tf.constant, arrays))
    same(later, now.numpy())
    return now


def test_reshape():
    same(traced(lambda x: tf.reshape(x, [-1, 6]), X), X.reshape(-1, 6))
    same(traced(lambda x: tf.reshape(x, [tf.shape(x)[0], -1]), X), X.reshape(3, -1))
    same(tf.reshape(np.zeros((0, 4)), [4, 0]), np.zeros((4, 0)))
    with pytest.raises(InvalidArgumentError, match=r"\[reshape\] 30 elements do not fill"):
        tf.reshape(X, [7, -1])


def test_transpose():
    same(traced(tf.transpose, X), X.T)
    same(tf.transpose(X, [1, -1, 0]), X.transpose(1, 2, 0))
    z = np.array([[1 + 2j, 3j]])
    same(tf.transpose(z, conjugate=True), z.conj().T)
    for wrong in ([0, 1, 5], [0, 1, 1], [0, 1], [0, 1, -4]):
        with pytest.raises(InvalidArgumentError, match="no permutation"):
            tf.transpose(X, wrong)
    same(tf.linalg.matrix_transpose(X), X.swapaxes(1, 2))
    with pytest.raises(ValueError, match="a matrix has two axes"):
        tf.linalg.matrix_transpose([1.0])


def test_axes_of_size_one():
    for axis in (-4, -1, 0, 2, 3):
        same(tf.expand_dims(X, axis), np.expand_dims(X, axis))
    thin = X.reshape(1, 3, 5, 1, 2)
    same(traced(tf.squeeze, thin), X)
    same(tf.squeeze(thin, [0]), thin[0])
    same(tf.squeeze(thin, axis=-2), thin[:, :, :, 0])
    with pytest.raises(InvalidArgumentError, match=r"\[squeeze\] axis 1 cannot go"):
        tf.squeeze(thin, 1)
    with pytest.raises(InvalidArgumentError, match=r"\[expand_dims\] there is no such axis"):
        tf.expand_dims(X, 4)


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_concat_and_stack(axis):
    same(tf.concat([X, X + 1], axis), np.concatenate([X, X + 1], axis))
    same(tf.stack([X, X + 1], axis), np.stack([X, X + 1], axis))
    same(tf.concat([X], axis), X)


def test_concat_and_stack_misuse():
    with pytest.raises(InvalidArgumentError, match=r"\[concat\] the shapes differ"):
        tf.concat([X, X[:, :1, :1]], 0)
    with pytest.raises(InvalidArgumentError, match="different dtypes"):
        tf.concat([tf.constant([1]), tf.constant([1.0])], 0)
    with pytest.raises(InvalidArgumentError, match=r"\[stack\] the shapes differ"):
        tf.stack([X, X[0]])
    for function in (lambda: tf.concat([], 0), lambda: tf.stack([])):
        with pytest.raises(ValueError, match="there are no tensors"):
            function()


def test_stack_adapts_numbers():
    assert tf.stack([1, tf.constant(2.5)]).numpy().tolist() == [1.0, 2.5]


def test_unstack():
    for axis in (0, 1, -1):
        parts = tf.unstack(X, axis=axis)
        for i, part in enumerate(parts):
            same(part, X.take(i, axis))
    with pytest.raises(ValueError, match="has 3 slices, not 2"):
        tf.unstack(X, num=2)


@pytest.mark.parametrize(
    ("wanted", "axis", "places"),
    [
        (3, 0, [1, 2]),
        ([1, 4], 1, [1]),
        ([1, -1, 2], 1, [1, 3]),
        ([0, 5], -2, [0]),
        (np.array(2), 2, [1]),
        (tf.constant([2, 1]), 0, [2]),
    ],
)
def test_split(wanted, axis, places):
    found = tf.split(X, wanted, axis)
    for ours, theirs in zip(found, np.split(X, places, axis), strict=True):
        same(ours, theirs)


def test_split_misuse():
    with pytest.raises(InvalidArgumentError, match="2 parts do not divide the axis of size 5"):
        tf.split(X, 2, axis=1)
    for wrong in ([1, 2], [-1, 6], [-1, -1, 5]):
        with pytest.raises(InvalidArgumentError, match="do not add up to the axis of size 5"):
            tf.split(X, wrong, axis=1)


def test_tile_and_repeat():
    same(traced(lambda x: tf.tile(x, [2, 1, 3]), X), np.tile(X, [2, 1, 3]))
    same(tf.tile(X, [0, 1, 1]), np.tile(X, [0, 1, 1]))
    same(traced(lambda x: tf.repeat(x, 2), X), np.repeat(X, 2))
    same(tf.repeat(X, [2, 0, 1], axis=0), np.repeat(X, [2, 0, 1], axis=0))
    same(tf.repeat(X, 3, axis=-1), np.repeat(X, 3, axis=-1))
    with pytest.raises(InvalidArgumentError, match=r"\[tile\] one multiple an axis"):
        tf.tile(X, [2])
    for wrong in ([1, 2], [-1, 1, 1]):
        with pytest.raises(InvalidArgumentError, match=r"\[repeat\] not one count for each of 3"):
            tf.repeat(X, wrong, axis=0)


@pytest.mark.parametrize("mode", ["CONSTANT", "REFLECT", "SYMMETRIC", "reflect"])
@pytest.mark.parametrize("paddings", [[[1, 2], [0, 0], [0, 1]], [[0, 0], [4, 3], [1, 0]]])
def test_pad_is_numpys(mode, paddings):
    found = traced(lambda x: tf.pad(x, paddings, mode), X)
    same(found, np.pad(X, paddings, mode.lower()))
    same(tf.pad(X, np.array(paddings), mode), found.numpy())


def test_pad_values_and_sizes():
    assert tf.pad([1], [[1, 1]], constant_values=9).numpy().tolist() == [9, 1, 9]
    wide = tf.function(lambda x: tf.pad(x, [[0, tf.shape(x)[0]]]))(tf.ones([2]))
    assert wide.numpy().tolist() == [1, 1, 0, 0]


def test_pad_misuse():
    with pytest.raises(InvalidArgumentError, match="a pair of numbers from 0 on"):
        tf.pad([1, 2], [[-1, 1]])
    with pytest.raises(InvalidArgumentError, match="a pair of numbers"):
        tf.pad(X, [[1, 1]])
    with pytest.raises(InvalidArgumentError, match="no wider than the tensor"):
        tf.pad([1, 2], [[2, 0]], "REFLECT")
    with pytest.raises(ValueError, match="CONSTANT, REFLECT or SYMMETRIC"):
        tf.pad([1], [[1, 1]], "WRAP")


def test_reverse_and_roll():
    same(traced(lambda x: tf.reverse(x, [0, -1]), X), X[::-1, :, ::-1])
    same(traced(lambda x: tf.roll(x, 7, 1), X), np.roll(X, 7, 1))
    same(tf.roll(X, [1, -2], [0, 1]), np.roll(X, [1, -2], [0, 1]))
    same(tf.roll(X, [1, 1], [0, 0]), np.roll(X, [1, 1], [0, 0]))
    with pytest.raises(InvalidArgumentError, match=r"\[roll\] not one shift an axis"):
        tf.roll(X, [1, 2], 0)


def test_reverse_sequence():
    lengths = np.array([3, 0, 1, 5, 4], np.int64)
    wanted = X.swapaxes(0, 1).copy()  # [5, 3, 2] whose batch is axis 0
    wide = np.concatenate([wanted, wanted + 100], 1)  # 6 along the sequence
    expected = wide.copy()
    for b, n in enumerate(lengths):
        expected[b, :n] = wide[b, :n][::-1]
    same(tf.reverse_sequence(wide, lengths, seq_axis=1), expected)
    moved = np.ascontiguousarray(wide.transpose(2, 1, 0))
    found = tf.reverse_sequence(moved, lengths, seq_axis=1, batch_axis=2)
    same(found, expected.transpose(2, 1, 0))
    with pytest.raises(InvalidArgumentError, match=r"\[reverse_sequence\] there must be one"):
        tf.reverse_sequence(wide, [1, 2], seq_axis=1)


def test_broadcasting():
    column = X[:, :1, 0]  # [3, 1]
    found = traced(lambda x: tf.broadcast_to(x, [4, 3, 2]), column)
    same(found, np.broadcast_to(column, [4, 3, 2]))
    with pytest.raises(InvalidArgumentError, match=r"\[broadcast_to\]"):
        tf.broadcast_to(X, [3, 5, 3])
    assert tf.broadcast_dynamic_shape([2, 1], [3]).numpy().tolist() == [2, 3]


@pytest.mark.parametrize(
    ("x", "y", "wanted"),
    [
        ([2, 1], [3], [2, 3]),
        ([None, 3], [1, 3], [None, 3]),
        ([None, 3], [5, 1], [5, 3]),
        ([None], [None], [None]),
        ([], [4], [4]),
    ],
)
def test_static_shapes_broadcast(x, y, wanted):
    found = tf.broadcast_static_shape(tf.TensorShape(x), tf.TensorShape(y))
    assert found.as_list() == wanted


def test_static_shapes_that_do_not_broadcast():
    with pytest.raises(ValueError, match="do not broadcast"):
        tf.broadcast_static_shape(tf.TensorShape([2]), tf.TensorShape([3]))


@pytest.mark.parametrize(
    "function",
    [
        lambda x: tf.transpose(x, [2, 0, 1]),
        lambda x: tf.tile(x, [1, 2, 2]),
        lambda x: tf.repeat(x, [1, 0, 3], axis=0),
        lambda x: tf.pad(x, [[1, 0], [2, 2], [0, 0]], "REFLECT"),
        lambda x: tf.pad(x, [[1, 0], [2, 2], [1, 1]], "SYMMETRIC"),
        lambda x: tf.roll(x, [2, 1], [1, 0]),
        lambda x: tf.concat([x, 2 * x], 1),
        lambda x: tf.stack(tf.split(x, [3, 1, 1], 1)[1:], 0),
        lambda x: tf.reverse_sequence(x, [3, 1, 5], 1),
    ],
)
def test_derivatives_are_the_transposes(function):
    """These functions are linear: <g, f(x)> = <f'(g), x>."""
    x = tf.constant(X)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = function(x)
    g = np.random.default_rng(0).normal(size=y.shape).astype("f")
    back = tape.gradient(y, x, output_gradients=tf.constant(g)).numpy()
    np.testing.assert_allclose((g * y.numpy()).sum(), (back * X).sum(), rtol=1e-4)


def test_stack_of_the_rows_of_an_array():
    same(tf.stack(np.array([[1, 2], [3, 4]]), axis=1), [[1, 3], [2, 4]])


def test_pad_of_what_is_no_number():
    same(tf.pad([True], [[1, 2]]), [False, True, False, False])
    assert tf.pad(["a"], [[1, 0]]).numpy().tolist() == [b"", b"a"]
    same(tf.pad([False], [[0, 1]], constant_values=True), [False, True])


def test_shapes_that_do_not_fit_are_typed_errors():
    with pytest.raises(InvalidArgumentError, match=r"\[broadcast_dynamic_shape\] the shapes do"):
        tf.broadcast_dynamic_shape([2, 3], [3, 1, 2])
    with pytest.raises(InvalidArgumentError, match="does not broadcast"):
        tf.tile([1, 2], [-1])
