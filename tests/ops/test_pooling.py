"""Pooling against windows written out, by hand, and the way its gradient goes."""

import itertools
import math

import numpy as np
import pytest

from slipstream.errors import InvalidArgumentError
from slipstream.ir.dtypes import int32, int64
from slipstream.ops.pooling import (
    avg_pool,
    avg_pool1d,
    avg_pool2d,
    avg_pool3d,
    max_pool,
    max_pool1d,
    max_pool2d,
    max_pool3d,
    max_pool_with_argmax,
    pool,
)
from slipstream.runtime.convert import convert
from slipstream.runtime.tape import GradientTape

RANDOM = np.random.default_rng(5)


def windows(spatial, kernel, strides, padding, dilations):
    """For each place of the window, the indices it covers inside the input."""
    axes = []
    for n, k, s, d in zip(spatial, kernel, strides, dilations, strict=True):
        extent = (k - 1) * d + 1
        out = math.ceil(n / s) if padding == "SAME" else (n - extent) // s + 1
        low = max((out - 1) * s + extent - n, 0) // 2 if padding == "SAME" else 0
        axes.append([[o * s + t * d - low for t in range(k)] for o in range(out)])
    for place in itertools.product(*(range(len(a)) for a in axes)):
        covered = itertools.product(*(a[i] for a, i in zip(axes, place, strict=True)))
        inside = [c for c in covered if all(0 <= i < n for i, n in zip(c, spatial, strict=True))]
        yield place, inside


def reference(function, x, kernel, strides, padding, dilations=None):
    dilations = dilations or (1,) * len(kernel)
    found = {
        place: function([x[(slice(None), *c)] for c in covered], axis=0)
        for place, covered in windows(x.shape[1:-1], kernel, strides, padding, dilations)
    }
    sizes = tuple(max(i) + 1 for i in zip(*found, strict=True))
    out = np.zeros((x.shape[0], *sizes, x.shape[-1]))
    for place, value in found.items():
        out[(slice(None), *place)] = value
    return out


CASES = [
    ((2, 7), (2,), (2,)),
    ((2, 7), (3,), (1,)),
    ((2, 4, 6), (2, 2), (2, 2)),
    ((1, 5, 7), (3, 2), (2, 3)),
    ((1, 5, 5), (2, 2), (3, 3)),
    ((1, 5, 5), (1, 1), (1, 1)),
    ((1, 3, 4, 5), (2, 1, 3), (1, 2, 2)),
]


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize(("sizes", "kernel", "strides"), CASES)
def test_pools_against_loops(sizes, kernel, strides, padding):
    x = RANDOM.normal(size=(*sizes, 3)) - 3  # all below zero: padding must not win
    maxima = reference(np.max, x, kernel, strides, padding)
    means = reference(np.mean, x, kernel, strides, padding)
    by_rank = {
        1: (max_pool1d, avg_pool1d),
        2: (max_pool2d, avg_pool2d),
        3: (max_pool3d, avg_pool3d),
    }
    for maximum in (max_pool, by_rank[len(kernel)][0]):
        np.testing.assert_array_equal(maximum(x, kernel, strides, padding).numpy(), maxima)
    for mean in (avg_pool, by_rank[len(kernel)][1]):
        np.testing.assert_allclose(mean(x, kernel, strides, padding).numpy(), means)


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize(("kind", "function"), [("MAX", np.max), ("AVG", np.mean)])
def test_pool_with_dilations(kind, function, padding):
    x = RANDOM.normal(size=(2, 7, 8, 2))
    found = pool(x, [2, 3], kind, padding=padding, dilations=[3, 2]).numpy()
    expected = reference(function, x, (2, 3), (1, 1), padding, (3, 2))
    np.testing.assert_allclose(found, expected)


def test_by_hand():
    x = np.array([[1.0, 5, 2], [3, 0, 4], [9, 8, 7]]).reshape(1, 3, 3, 1)
    assert max_pool(x, 2, 2, "SAME").numpy()[0, :, :, 0].tolist() == [[5, 4], [9, 7]]
    assert max_pool(x, 2, 1, "VALID").numpy()[0, :, :, 0].tolist() == [[5, 5], [9, 8]]
    assert avg_pool(x, 2, 2, "SAME").numpy()[0, :, :, 0].tolist() == [[2.25, 3], [8.5, 7]]


@pytest.mark.parametrize(
    ("function", "data_format", "rank"),
    [
        (max_pool, "NCW", 1),
        (avg_pool, "NCHW", 2),
        (max_pool2d, "NCHW", 2),
        (avg_pool3d, "NCDHW", 3),
    ],
)
def test_channels_first(function, data_format, rank):
    x = RANDOM.normal(size=(2, *range(4, 4 + rank), 3))
    moved = function(np.moveaxis(x, -1, 1), 2, 2, "SAME", data_format=data_format).numpy()
    np.testing.assert_allclose(np.moveaxis(moved, 1, -1), function(x, 2, 2, "SAME").numpy())


def test_arguments_in_the_data_format():
    x = RANDOM.normal(size=(1, 6, 6, 2))
    expected = max_pool(x, 2, 2, "VALID").numpy()
    np.testing.assert_array_equal(
        max_pool(x, [1, 2, 2, 1], [1, 2, 2, 1], "VALID").numpy(), expected
    )
    padded = max_pool2d(x, 2, 2, [[0, 0], [1, 1], [1, 1], [0, 0]]).numpy()
    wider = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=-np.inf)
    np.testing.assert_array_equal(padded, max_pool(wider, 2, 2, "VALID").numpy())


def test_integers_have_maxima_and_no_average():
    x = np.arange(-9, 0, dtype=np.int32).reshape(1, 3, 3, 1)
    assert max_pool(x, 2, 2, "SAME").numpy().ravel().tolist() == [-5, -4, -2, -1]
    with pytest.raises(InvalidArgumentError, match="only floats have an average"):
        avg_pool(x, 2, 2, "SAME")


def test_empty_batch():
    assert max_pool(np.zeros((0, 4, 4, 3), "f"), 2, 2, "SAME").shape == (0, 2, 2, 3)
    assert avg_pool(np.zeros((0, 4, 4, 3), "f"), 2, 2, "SAME").shape == (0, 2, 2, 3)


def gradient(function, x):
    operand = convert(x)
    with GradientTape() as tape:
        tape.watch(operand)
        y = function(operand)
    return tape.gradient(y, operand).numpy()


def test_the_first_of_equal_maxima_gets_the_gradient():
    x = np.ones((1, 2, 4, 1))
    found = gradient(lambda t: max_pool(t, 2, 2, "VALID"), x)
    assert found[0, :, :, 0].tolist() == [[1, 0, 1, 0], [0, 0, 0, 0]]


def test_gradients_of_windows_that_share_an_element_add_up():
    x = np.array([0.0, 1, 5, 2, 3]).reshape(1, 5, 1)
    found = gradient(lambda t: max_pool1d(t, 3, 1, "VALID"), x)
    assert found.ravel().tolist() == [0, 0, 3, 0, 0]


def test_gradient_of_an_average_leaves_padding_out():
    x = np.zeros((1, 3, 1))
    found = gradient(lambda t: avg_pool1d(t, 2, 2, "SAME"), x)
    assert found.ravel().tolist() == [0.5, 0.5, 1]


def test_infinite_cotangents_stay_where_they_belong():
    x = np.array([1.0, 2, 4, 3]).reshape(1, 4, 1)
    weights = np.array([np.inf, 1.0]).reshape(1, 2, 1)
    found = gradient(lambda t: max_pool1d(t, 2, 2, "VALID") * weights, x)
    assert found.ravel().tolist() == [0, np.inf, 1, 0]


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize(("kernel", "stride"), [(2, 2), (3, 2), (2, 1)])
@pytest.mark.parametrize("batch", [False, True])
def test_argmax_points_at_the_maximum(kernel, stride, padding, batch):
    x = RANDOM.permutation(2 * 5 * 7 * 3).reshape(2, 5, 7, 3).astype(np.float32)
    values, places = max_pool_with_argmax(x, kernel, stride, padding, include_batch_in_index=batch)
    assert places.dtype is int64
    flat = x.reshape(-1) if batch else x.reshape(2, -1)
    index = places.numpy()
    picked = flat[index] if batch else np.stack([f[i] for f, i in zip(flat, index, strict=True)])
    np.testing.assert_array_equal(picked, values.numpy())
    np.testing.assert_array_equal(values.numpy(), max_pool(x, kernel, stride, padding).numpy())


def test_argmax_dtype():
    x = np.ones((1, 2, 2, 1), np.float32)
    assert max_pool_with_argmax(x, 2, 2, "VALID", output_dtype=int32)[1].dtype is int32


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda x: max_pool(x, [2, 2, 2, 1], 1, "SAME"), "ksize over the batch or the channels"),
        (lambda x: max_pool(x, 9, 1, "VALID"), "a window of 9 does not fit into an axis of 4"),
        (lambda x: max_pool(x[0, 0], 2, 1, "SAME"), "no window over 0 axes"),
        (lambda x: max_pool1d(x[0, 0], 2, 1, "SAME"), "the input has rank 2"),
        (lambda x: max_pool(x, 2, 0, "VALID"), "at least 1"),
        (lambda x: avg_pool(x, 2, 2, "FULL"), "the padding cannot be read"),
        (lambda x: pool(x, 2, "SUM"), "there is no such pooling"),
        (lambda x: max_pool_with_argmax(x, 2, 2, "SAME", "NCHW"), "no such data format"),
    ],
)
def test_errors_say_what_does_not_fit(call, text):
    with pytest.raises(InvalidArgumentError) as caught:
        call(np.zeros((1, 4, 4, 2), np.float32))
    assert text in str(caught.value)
    assert "test_pooling.py" in str(caught.value)
