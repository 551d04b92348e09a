"""Making tensors, and asking for their shapes."""

import numpy as np
import pytest

import slipstream as tf
from slipstream.errors import InvalidArgumentError


@pytest.mark.parametrize(
    "arguments",
    [(5,), (3, 18, 3), (5, 0, -2), (0, 1, 0.25), (3.0,), (2, 2), (0.0, 1.0, 0.3)],
)
def test_range_is_numpys(arguments):
    found, wanted = tf.range(*arguments), np.arange(*arguments)
    np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-6)
    assert found.dtype == ("int32" if wanted.dtype.kind == "i" else "float32")


def test_range_takes_its_dtype_from_the_widest():
    assert tf.range(start=0, limit=3, dtype="float64").dtype == "float64"
    assert tf.range(np.int64(3)).dtype == "int64"
    assert tf.range(0, tf.constant(2.5), np.int64(1)).dtype == "float32"
    assert tf.range(tf.constant(1.0, "float64"), 3).dtype == "float64"


@pytest.mark.parametrize("arguments", [(5, 1), (1, 5, -1), (1, 5, 0)])
def test_range_that_never_arrives(arguments):
    with pytest.raises(InvalidArgumentError, match=r"\[range\] delta is zero, or leads away"):
        tf.range(*arguments)


def test_linspace_is_numpys():
    for start, stop, count in [(0.0, 1.0, 5), (3.0, -2.0, 17), (1.0, 9.0, 1)]:
        found = tf.linspace(start, stop, count)
        np.testing.assert_allclose(found.numpy(), np.linspace(start, stop, count), rtol=1e-6)
        assert found.dtype == "float32"
    whole = tf.linspace(0, 10, 5)
    assert whole.dtype == "float64" and whole.numpy().tolist() == [0, 2.5, 5, 7.5, 10]
    ends = np.array([0.0, 1.0]), np.array([[4.0, 5.0], [8.0, 9.0]])
    for axis in (0, 1, 2, -1):
        found = tf.linspace(*ends, 3, axis=axis).numpy()
        np.testing.assert_allclose(found, np.linspace(*ends, 3, axis=axis))
    with pytest.raises(ValueError, match="num of 1 or more"):
        tf.linspace(0.0, 1.0, 0)
    with pytest.raises(InvalidArgumentError, match=r"\[linspace\] there is no such axis"):
        tf.linspace(0.0, 1.0, 3, axis=2)


def test_fills():
    assert tf.zeros([2, 3]).dtype == "float32" and tf.zeros(3).shape == (3,)
    assert tf.zeros(np.array([2, 1])).shape == (2, 1) and tf.ones(tf.constant([3])).shape == (3,)
    assert tf.ones([], "int64").numpy() == 1
    assert tf.zeros([2], tf.string).numpy().tolist() == [b"", b""]
    assert tf.zeros_like(tf.constant([1, 2])).dtype == "int32"
    assert tf.ones_like([True, False], dtype="float64").numpy().tolist() == [1.0, 1.0]
    assert tf.fill([2, 2], 7).numpy().tolist() == [[7, 7], [7, 7]]
    with pytest.raises(InvalidArgumentError, match="value must be a scalar"):
        tf.fill([2], [1, 2])


def test_eye():
    np.testing.assert_array_equal(tf.eye(2, 3, dtype="int32").numpy(), np.eye(2, 3))
    assert tf.eye(3, batch_shape=[2, 1]).shape == (2, 1, 3, 3)


def test_constants_with_a_shape():
    assert tf.constant(0.5, shape=[2, 2]).numpy().tolist() == [[0.5, 0.5], [0.5, 0.5]]
    assert tf.constant([1, 2, 3, 4], shape=(2, 2)).numpy().tolist() == [[1, 2], [3, 4]]
    with pytest.raises(TypeError, match="do not fill the shape"):
        tf.constant([1, 2, 3], shape=[2, 2])


def test_shapes_are_int32():
    x = tf.zeros([3, 0, 5])
    assert tf.shape(x).numpy().tolist() == [3, 0, 5] and tf.shape(x).dtype == "int32"
    assert tf.shape(x, out_type=tf.int64).dtype == "int64"
    assert int(tf.size(x)) == 0 and tf.size(x).dtype == "int32"
    assert int(tf.rank(x)) == 3
    assert [s.numpy().tolist() for s in tf.shape_n([x, tf.zeros([2])])] == [[3, 0, 5], [2]]


@pytest.mark.parametrize("axis", [None, -1, 0, 1, 2])
@pytest.mark.parametrize("dtype", ["uint8", "int32", "int64"])
def test_one_hot_is_rows_of_an_identity(axis, dtype):
    indices = np.array([[1, 0, 4], [3, 2, 1]], dtype)
    wanted = np.moveaxis(np.eye(5)[indices], -1, 2 if axis in (None, -1) else axis)
    np.testing.assert_array_equal(tf.one_hot(indices, 5, axis=axis).numpy(), wanted)


def test_one_hot_values_and_dtypes():
    assert tf.one_hot([1], 2).dtype == "float32"
    found = tf.one_hot([0, -1, 9], 3, on_value=5, off_value=-5)
    assert found.dtype == "int32"
    assert found.numpy().tolist() == [[5, -5, -5], [-5, -5, -5], [-5, -5, -5]]
    flags = tf.one_hot([1], 2, on_value=True, off_value=False)
    assert flags.numpy().tolist() == [[False, True]]
    assert tf.one_hot(1, 3, dtype="bool").numpy().tolist() == [False, True, False]


def test_small_integers_do_not_wrap_around():
    few = np.array([5], np.uint8)
    assert tf.one_hot(few, 300).numpy().sum() == 1
    long = np.array([200], np.uint8)
    assert tf.sequence_mask(long, 300, dtype="int32").numpy().sum() == 200


def test_one_hot_misuse():
    with pytest.raises(InvalidArgumentError, match=r"\[one_hot\] these must be integers"):
        tf.one_hot([1.0], 3)
    with pytest.raises(InvalidArgumentError, match=r"\[one_hot\] there is no such axis"):
        tf.one_hot([1], 3, axis=2)


def test_sequence_mask():
    lengths = np.array([[1, 3], [0, 2]])
    wanted = np.arange(3) < lengths[..., None]
    np.testing.assert_array_equal(tf.sequence_mask(lengths).numpy(), wanted)
    assert tf.sequence_mask(lengths, 5, dtype=tf.float32).shape == (2, 2, 5)
    with pytest.raises(InvalidArgumentError, match="maxlen"):
        tf.function(lambda n: tf.sequence_mask(n))(tf.constant([1, 2]))


@pytest.mark.parametrize("indexing", ["xy", "ij"])
@pytest.mark.parametrize("sizes", [(3,), (3, 2), (3, 2, 4)])
def test_meshgrid_is_numpys(indexing, sizes):
    axes = [np.arange(n) + 10 * n for n in sizes]
    found = tf.meshgrid(*axes, indexing=indexing)
    for ours, theirs in zip(found, np.meshgrid(*axes, indexing=indexing), strict=True):
        np.testing.assert_array_equal(ours.numpy(), theirs)


def test_meshgrid_knows_two_orders():
    with pytest.raises(ValueError, match="expected 'xy' or 'ij'"):
        tf.meshgrid([1], indexing="yx")


def test_ensure_shape():
    x = tf.zeros([2, 3])
    assert tf.ensure_shape(x, [None, 3]) is x
    with pytest.raises(InvalidArgumentError, match=r"\[ensure_shape\].*\(None, 4\)"):
        tf.ensure_shape(x, [None, 4])


def test_sizes_that_come_later_are_said_to_be_unknown():
    with pytest.raises(InvalidArgumentError, match=r"\[zeros\].*not known while tracing"):
        tf.function(lambda n: tf.zeros(n))(tf.constant([2]))
    with pytest.raises(InvalidArgumentError, match=r"\[range\].*not known while tracing"):
        tf.function(lambda n: tf.range(n))(tf.constant(3))
    traced = tf.function(lambda x: tf.zeros(tf.shape(x)) + tf.cast(tf.shape(x)[1], tf.float32))
    assert traced(tf.ones([2, 3])).numpy().tolist() == [[3.0] * 3] * 2


def test_identity_and_stop_gradient():
    x = tf.constant(3.0)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.identity(x) * x + tf.stop_gradient(x * x)
    assert float(tape.gradient(y, x)) == 6.0


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("zeros", lambda: tf.zeros([None, 2])),
        ("ones", lambda: tf.ones(-1)),
        ("fill", lambda: tf.fill([2, -3], 1)),
        ("eye", lambda: tf.eye(2, -1)),
        ("one_hot", lambda: tf.one_hot([0], -2)),
    ],
)
def test_sizes_that_are_none(name, make):
    with pytest.raises(InvalidArgumentError, match=rf"\[{name}\] a size is unknown or negative"):
        make()


def test_identity_n_and_static_values():
    first, second = tf.identity_n([1, [2.0, 3.0]])
    assert (first.numpy(), second.numpy().tolist()) == (1, [2.0, 3.0])
    assert tf.get_static_value(tf.constant([1, 2])).tolist() == [1, 2]
    assert tf.get_static_value(tf.constant([1, 2]), partial=True) == [1, 2]
    seen = []
    traced = tf.function(
        lambda x: seen.append((tf.get_static_value(x), tf.get_static_value(tf.shape(x))))
    )
    traced(tf.ones([2, 3]))
    assert seen[0][0] is None
    assert seen[0][1].tolist() == [2, 3]
