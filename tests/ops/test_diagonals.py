"""Diagonals and bands, against NumPy's diagonals one by one."""

import numpy as np
import pytest

import slipstream as tf
from slipstream.errors import InvalidArgumentError

ALIGNMENTS = ("RIGHT_LEFT", "LEFT_RIGHT", "LEFT_LEFT", "RIGHT_RIGHT")
SIZES = [(3, 4), (4, 3), (3, 3), (1, 5)]


def matrices(rows, columns):
    return np.arange(1.0, 2 * rows * columns + 1).reshape(2, rows, columns)


def lines(x, low, high, align, padding):
    """Each diagonal from the highest to the lowest, moved to one side and filled up."""
    above, below = align.split("_")
    found = [np.diagonal(x, k, -2, -1) for k in range(high, low - 1, -1)]
    width = max(line.shape[-1] for line in found)
    filled = []
    for k, line in zip(range(high, low - 1, -1), found, strict=True):
        missing = width - line.shape[-1]
        right = "RIGHT" in ((above,) if k > 0 else (below,))
        pair = (missing, 0) if right else (0, missing)
        filled.append(np.pad(line, [(0, 0), pair], constant_values=padding))
    return np.stack(filled, 1)


@pytest.mark.parametrize("align", ALIGNMENTS)
@pytest.mark.parametrize("sizes", SIZES)
def test_bands_of_diagonals(sizes, align):
    x = matrices(*sizes)
    for low in range(1 - sizes[0], sizes[1]):
        for high in range(low + 1, sizes[1]):
            if low * high > 0 or max(sizes) == 5 or sizes[0] != sizes[1]:
                continue  # where no diagonal has the full length both sides decide; see below
            band = (low, high)
            parts = tf.linalg.diag_part(x, k=band, padding_value=-9, align=align)
            np.testing.assert_array_equal(parts.numpy(), lines(x, low, high, align, -9))
            check_inverse(x, parts, band, align)


def check_inverse(x, parts, band, align):
    """diag puts the diagonals back where diag_part took them, set_diag into another matrix."""
    rows, columns = x.shape[1:]
    number = np.arange(columns) - np.arange(rows)[:, None]
    inside = (number >= band[0]) & (number <= band[1])
    again = tf.linalg.diag(
        parts, k=band, num_rows=rows, num_cols=columns, padding_value=5.0, align=align
    )
    np.testing.assert_array_equal(again.numpy(), np.where(inside, x, 5))
    found = tf.linalg.set_diag(-x, parts, k=band, align=align).numpy()
    np.testing.assert_array_equal(found, np.where(inside, x, -x))


@pytest.mark.parametrize("align", ALIGNMENTS)
@pytest.mark.parametrize("sizes", SIZES)
def test_every_band_comes_back(sizes, align):
    x = matrices(*sizes)
    for low in range(1 - sizes[0], sizes[1]):
        for high in range(low, sizes[1]):
            parts = tf.linalg.diag_part(x, k=(low, high), align=align)
            check_inverse(x, parts, (low, high), align)


@pytest.mark.parametrize("sizes", SIZES)
def test_single_diagonals(sizes):
    x = matrices(*sizes)
    for k in range(1 - sizes[0], sizes[1]):
        found = tf.linalg.diag_part(x, k=k).numpy()
        np.testing.assert_array_equal(found, np.diagonal(x, k, 1, 2))


def test_the_sides_a_documented_example_shows():
    x = np.array([[1, 2, 3, 4], [5, 6, 7, 8], [9, 8, 7, 6]])
    found = tf.linalg.diag_part(x, k=(1, 3), padding_value=9)
    assert found.numpy().tolist() == [[9, 9, 4], [9, 3, 8], [2, 7, 6]]


def test_diag_makes_the_smallest_square():
    for k in (-2, 0, 1):
        found = tf.linalg.diag([1, 2, 3], k=k).numpy()
        np.testing.assert_array_equal(found, np.diag([1, 2, 3], k))
    tall = tf.linalg.diag([1, 2], k=-1, num_rows=3).numpy()
    assert tall.tolist() == [[0, 0], [1, 0], [0, 2]]
    wide = tf.linalg.diag([1.0, 2.0], num_cols=4, padding_value=7.0).numpy()
    assert wide.tolist() == [[1, 7, 7, 7], [7, 2, 7, 7]]
    assert tf.linalg.diag(np.ones((5, 0))).shape == (5, 0, 0)


def test_misuse():
    x = matrices(3, 4)
    for wrong in (4, -3, (0, 4)):
        with pytest.raises(InvalidArgumentError, match="there is no such diagonal"):
            tf.linalg.diag_part(x, k=wrong)
    with pytest.raises(InvalidArgumentError, match="lowest and the highest"):
        tf.linalg.diag_part(x, k=(1, 0))
    with pytest.raises(ValueError, match="LEFT or RIGHT twice"):
        tf.linalg.diag_part(x, align="CENTRE")
    with pytest.raises(InvalidArgumentError, match=r"\[set_diag\].*have another shape"):
        tf.linalg.set_diag(x, np.ones((2, 4)))
    with pytest.raises(InvalidArgumentError, match=r"\[diag\].*have another shape"):
        tf.linalg.diag([1, 2, 3], num_rows=2)
    with pytest.raises(InvalidArgumentError, match="a matrix has two axes"):
        tf.linalg.diag_part([1.0])


def test_derivatives_follow_the_elements():
    x = tf.constant(matrices(3, 4))
    weights = np.random.default_rng(0).normal(size=(2, 2, 3))
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.linalg.diag_part(x, k=(0, 1)) * weights
    found = tape.gradient(y, x).numpy()
    wanted = np.zeros((2, 3, 4))
    for i in range(3):
        wanted[:, i, i], wanted[:, i, i + 1] = weights[:, 1, i], weights[:, 0, i]
    np.testing.assert_allclose(found, wanted)
    one = tf.constant(matrices(3, 4)[0])
    with tf.GradientTape() as tape:
        tape.watch(one)
        y = tf.linalg.diag_part(one)
    assert tape.gradient(y, one).numpy().tolist() == np.eye(3, 4).tolist()
    d = tf.constant([[1.0, 2.0], [3.0, 4.0]], "float64")
    with tf.GradientTape() as tape:
        tape.watch([x, d])
        y = tf.linalg.set_diag(x[:, :2, :2], d) * 3.0
    by_x, by_d = tape.gradient(y, [x, d])
    assert by_x.numpy()[0].tolist() == [[0, 3, 0, 0], [3, 0, 0, 0], [0, 0, 0, 0]]
    assert by_d.numpy().tolist() == [[3, 3], [3, 3]]


def test_trace_and_tensor_diagonals():
    x = matrices(3, 4)
    np.testing.assert_array_equal(tf.linalg.trace(x).numpy(), np.trace(x, axis1=1, axis2=2))
    flat = np.arange(1, 7).reshape(2, 3)
    whole = tf.linalg.tensor_diag(flat)
    assert whole.shape == (2, 3, 2, 3) and int(whole[1, 2, 1, 2]) == 6
    assert whole.numpy().sum() == flat.sum()
    np.testing.assert_array_equal(tf.linalg.tensor_diag_part(whole).numpy(), flat)
    with pytest.raises(InvalidArgumentError, match="both halves"):
        tf.linalg.tensor_diag_part(x)


@pytest.mark.parametrize("sizes", SIZES)
def test_band_part(sizes):
    x = matrices(*sizes)
    for lower in (-1, 0, 1, 2):
        for upper in (-1, 0, 1):
            wanted = x if lower < 0 else np.triu(x, -lower)
            wanted = wanted if upper < 0 else np.tril(wanted, upper)
            found = tf.linalg.band_part(x, lower, upper).numpy()
            np.testing.assert_array_equal(found, wanted)
