"""Convolution against sums written out, by hand, and by the adjoint identity."""

import itertools
import math

import numpy as np
import pytest

from slipstream.errors import InvalidArgumentError
from slipstream.ops.convolution import (
    atrous_conv2d,
    atrous_conv2d_transpose,
    conv1d,
    conv1d_transpose,
    conv2d,
    conv2d_transpose,
    conv3d,
    conv3d_transpose,
    conv_transpose,
    convolution,
    depthwise_conv2d,
    separable_conv2d,
)
from slipstream.runtime.abstract import infer_outputs
from slipstream.runtime.convert import convert
from slipstream.runtime.function import TensorSpec, function
from slipstream.runtime.tape import GradientTape

RANDOM = np.random.default_rng(11)


def numbers(*shape):
    return RANDOM.normal(size=shape)


def same_padding(size, kernel, stride, dilation):
    """TensorFlow's rule: ceil(n / stride) places, the odd element of padding at the end."""
    total = max((math.ceil(size / stride) - 1) * stride + (kernel - 1) * dilation + 1 - size, 0)
    return total // 2, total - total // 2


def reference(x, w, strides, padding, dilations):
    """[n, *spatial, ci] by [*kernel, ci / groups, co], element by element."""
    spatial, kernel = x.shape[1:-1], w.shape[:-2]
    if padding == "SAME":
        padding = [same_padding(*a) for a in zip(spatial, kernel, strides, dilations, strict=True)]
    elif padding == "VALID":
        padding = [(0, 0)] * len(spatial)
    out = tuple(
        (n + a + b - (k - 1) * d - 1) // s + 1
        for n, (a, b), k, s, d in zip(spatial, padding, kernel, strides, dilations, strict=True)
    )
    inner, outer = w.shape[-2], w.shape[-1]
    per_group = outer // (x.shape[-1] // inner)
    y = np.zeros((x.shape[0], *out, outer))
    for place in itertools.product(*map(range, (x.shape[0], *out, outer))):
        n, at, channel = place[0], place[1:-1], place[-1]
        first = channel // per_group * inner
        for tap in itertools.product(*map(range, kernel)):
            where = [
                o * s + t * d - low
                for o, s, t, d, (low, _) in zip(at, strides, tap, dilations, padding, strict=True)
            ]
            if all(0 <= i < size for i, size in zip(where, spatial, strict=True)):
                picked = x[(n, *where)][first : first + inner]
                y[place] += picked @ w[tap][:, channel]
    return y


CASES = [
    ((2, 7), 3, 4, (3,), (1,), (1,)),
    ((2, 7), 1, 2, (4,), (2,), (1,)),
    ((1, 9), 2, 3, (3,), (1,), (3,)),
    ((2, 5, 6), 3, 4, (3, 3), (1, 1), (1, 1)),
    ((2, 5, 6), 6, 2, (3, 2), (2, 1), (1, 1)),
    ((1, 8, 7), 1, 3, (2, 4), (3, 2), (1, 1)),
    ((1, 7, 8), 2, 2, (2, 3), (1, 1), (3, 2)),
    ((2, 5, 5), 5, 4, (1, 1), (1, 1), (1, 1)),
    ((1, 5, 4), 3, 2, (1, 1), (2, 3), (1, 1)),
    ((1, 3, 4, 5), 2, 3, (2, 2, 3), (1, 2, 1), (1, 1, 1)),
    ((1, 1, 1), 1, 1, (1, 1), (1, 1), (1, 1)),
]


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_convolution_against_loops(case, padding):
    sizes, inner, outer, kernel, strides, dilations = case
    x, w = numbers(*sizes, inner), numbers(*kernel, inner, outer)
    if padding == "VALID" and any(
        n < (k - 1) * d + 1 for n, k, d in zip(sizes[1:], kernel, dilations, strict=True)
    ):
        with pytest.raises(InvalidArgumentError, match="does not fit"):
            convolution(x, w, strides, padding, dilations=dilations)
        return
    found = convolution(x, w, strides, padding, dilations=dilations).numpy()
    np.testing.assert_allclose(found, reference(x, w, strides, padding, dilations), atol=1e-12)


@pytest.mark.parametrize(
    ("channels", "groups", "outer"), [(4, 2, 6), (6, 3, 3), (4, 4, 4), (3, 3, 9)]
)
def test_groups_follow_from_the_filter(channels, groups, outer):
    x, w = numbers(2, 4, 5, channels), numbers(2, 3, channels // groups, outer)
    found = conv2d(x, w, [1, 2], "SAME").numpy()
    np.testing.assert_allclose(found, reference(x, w, (1, 2), "SAME", (1, 1)), atol=1e-12)


def test_conv2d_by_hand():
    x = np.arange(9.0).reshape(1, 3, 3, 1)
    w = np.array([[1.0, 0.0], [0.0, -1.0]]).reshape(2, 2, 1, 1)
    assert conv2d(x, w, 1, "VALID").numpy().ravel().tolist() == [-4, -4, -4, -4]
    same = [[-4, -4, 2], [-4, -4, 5], [6, 7, 8]]
    assert conv2d(x, w, 1, "SAME").numpy()[0, :, :, 0].tolist() == same


def test_same_puts_the_odd_padding_at_the_end():
    """Width 4, kernel 3, stride 2: two places, one element of padding, after."""
    x, w = np.arange(1.0, 5.0).reshape(1, 4, 1), np.ones((3, 1, 1))
    assert conv1d(x, w, 2, "SAME").numpy().ravel().tolist() == [6, 7]


def test_explicit_padding_in_either_format():
    x, w = numbers(1, 4, 5, 2), numbers(3, 3, 2, 3)
    expected = reference(x, w, (1, 1), [(2, 1), (0, 3)], (1, 1))
    last = conv2d(x, w, 1, [[0, 0], [2, 1], [0, 3], [0, 0]]).numpy()
    first = conv2d(
        x.transpose(0, 3, 1, 2), w, 1, [[0, 0], [0, 0], [2, 1], [0, 3]], data_format="NCHW"
    ).numpy()
    np.testing.assert_allclose(last, expected, atol=1e-12)
    np.testing.assert_allclose(first.transpose(0, 2, 3, 1), expected, atol=1e-12)


@pytest.mark.parametrize(
    ("function", "rank", "data_format"),
    [(conv1d, 1, "NCW"), (conv2d, 2, "NCHW"), (conv3d, 3, "NCDHW")],
)
def test_channels_first(function, rank, data_format):
    x, w = numbers(2, *range(4, 4 + rank), 3), numbers(*[2] * rank, 3, 4)
    moved = np.moveaxis(x, -1, 1)
    found = function(moved, w, 2, "SAME", data_format=data_format).numpy()
    expected = function(x, w, 2, "SAME").numpy()
    np.testing.assert_allclose(np.moveaxis(found, 1, -1), expected, atol=1e-12)


def test_strides_and_dilations_as_numbers_and_lists():
    x, w = numbers(1, 8, 8, 2), numbers(2, 2, 2, 3)
    expected = conv2d(x, w, 2, "SAME").numpy()
    for strides in ([2], [2, 2], (1, 2, 2, 1), np.array([2, 2])):
        np.testing.assert_array_equal(conv2d(x, w, strides, "SAME").numpy(), expected)
    dilated = conv2d(x, w, 1, "SAME", dilations=[1, 2, 2, 1]).numpy()
    np.testing.assert_array_equal(atrous_conv2d(x, w, 2, "SAME").numpy(), dilated)
    moved = conv2d(x.transpose(0, 3, 1, 2), w, [1, 1, 2, 2], "SAME", data_format="NCHW").numpy()
    np.testing.assert_allclose(moved.transpose(0, 2, 3, 1), expected, atol=1e-12)


def test_several_batch_axes():
    x, w = numbers(2, 3, 5, 5, 2), numbers(3, 3, 2, 4)
    found = conv2d(x, w, 1, "SAME").numpy()
    flat = conv2d(x.reshape(6, 5, 5, 2), w, 1, "SAME").numpy()
    np.testing.assert_array_equal(found, flat.reshape(2, 3, 5, 5, 4))


def test_empty_batch():
    assert conv2d(numbers(0, 4, 4, 2), numbers(3, 3, 2, 5), 1, "SAME").shape == (0, 4, 4, 5)


TRANSPOSED = [
    (conv1d_transpose, (2, 7, 3), (3, 3, 4), 2, "SAME", 1),
    (conv2d_transpose, (2, 6, 5, 3), (3, 2, 3, 4), 1, "VALID", 1),
    (conv2d_transpose, (1, 8, 7, 2), (3, 3, 2, 5), 2, "SAME", 1),
    (conv2d_transpose, (1, 8, 7, 2), (3, 2, 2, 1), 1, "SAME", 2),
    (conv3d_transpose, (1, 4, 3, 5, 2), (2, 2, 3, 2, 3), 2, "SAME", 1),
]


@pytest.mark.parametrize(("function", "big", "kernel", "stride", "padding", "rate"), TRANSPOSED)
def test_transposed_is_the_adjoint(function, big, kernel, stride, padding, rate):
    """<convolution(x), y> = <x, transposed(y)> for all x and y."""
    x, w = numbers(*big), numbers(*kernel)
    options = {"strides": stride, "padding": padding, "dilations": rate}
    forward = convolution(x, w, **options).numpy()
    y = numbers(*forward.shape)
    for transposed in (function, conv_transpose):
        back = transposed(y, w, big, **options).numpy()
        assert back.shape == big
        np.testing.assert_allclose(np.sum(forward * y), np.sum(x * back))


def test_transposed_by_hand_and_channels_first():
    x, w = np.ones((1, 2, 2, 1)), np.ones((2, 2, 1, 1))
    found = conv2d_transpose(x, w, [1, 4, 4, 1], 2, "SAME").numpy()
    assert found.tolist() == np.ones((1, 4, 4, 1)).tolist()
    y, v = numbers(1, 3, 4, 2), numbers(3, 3, 5, 2)
    last = conv2d_transpose(y, v, [1, 6, 7, 5], 2).numpy()
    first = conv2d_transpose(
        y.transpose(0, 3, 1, 2), v, [1, 5, 6, 7], 2, data_format="NCHW"
    ).numpy()
    np.testing.assert_allclose(first.transpose(0, 2, 3, 1), last, atol=1e-12)


def test_atrous_transpose():
    x, w = numbers(1, 7, 6, 2), numbers(2, 3, 2, 3)
    y = numbers(1, 7, 6, 3)
    left = np.sum(atrous_conv2d(x, w, 2, "SAME").numpy() * y)
    right = np.sum(x * atrous_conv2d_transpose(y, w, [1, 7, 6, 2], 2, "SAME").numpy())
    np.testing.assert_allclose(left, right)


@pytest.mark.parametrize("multiplier", [1, 2])
def test_depthwise_and_separable(multiplier):
    x, w = numbers(2, 5, 6, 3), numbers(3, 2, 3, multiplier)
    found = depthwise_conv2d(x, w, [1, 2, 2, 1], "SAME").numpy()
    each = [reference(x[..., [c]], w[:, :, [c], :], (2, 2), "SAME", (1, 1)) for c in range(3)]
    np.testing.assert_allclose(found, np.concatenate(each, -1), atol=1e-12)
    point = numbers(1, 1, 3 * multiplier, 4)
    separable = separable_conv2d(x, w, point, [1, 2, 2, 1], "SAME").numpy()
    np.testing.assert_allclose(separable, found @ point[0, 0], atol=1e-12)
    first = depthwise_conv2d(
        x.transpose(0, 3, 1, 2), w, [1, 1, 2, 2], "SAME", data_format="NCHW"
    ).numpy()
    np.testing.assert_allclose(first.transpose(0, 2, 3, 1), found, atol=1e-12)


def test_depthwise_of_one_channel():
    x, w = numbers(1, 5, 5, 1), numbers(3, 3, 1, 4)
    found = depthwise_conv2d(x, w, [1, 1, 1, 1], "VALID").numpy()
    np.testing.assert_allclose(found, reference(x, w, (1, 1), "VALID", (1, 1)), atol=1e-12)


def test_gradients_against_differences():
    x, w = numbers(2, 6, 5, 4), numbers(3, 2, 2, 6)
    a, b = convert(x), convert(w)
    weights = numbers(2, 3, 3, 6)

    def loss(x, w):
        return np.sum(reference(x, w, (2, 2), "SAME", (1, 1)) * weights)

    with GradientTape() as tape:
        tape.watch([a, b])
        y = conv2d(a, b, 2, "SAME") * weights
    found = tape.gradient(y, [a, b])
    for gradient, index in zip(found, range(2), strict=True):
        step = numbers(*(x, w)[index].shape)
        moved = [(x + h * step, w) if index == 0 else (x, w + h * step) for h in (1e-6, -1e-6)]
        slope = (loss(*moved[0]) - loss(*moved[1])) / 2e-6
        np.testing.assert_allclose(np.sum(gradient.numpy() * step), slope, rtol=1e-6)


def test_second_gradient():
    """The derivative of |d loss / dx|^2 by the filter, against differences."""
    x, w = numbers(1, 4, 4, 2), numbers(2, 2, 2, 3)

    def slope(w):
        operand, filters = convert(x), convert(w)
        with GradientTape() as outer:
            outer.watch(filters)
            with GradientTape() as inner:
                inner.watch(operand)
                y = conv2d(operand, filters, 1, "SAME")
                loss = y * y
            gradient = inner.gradient(loss, operand)
            squared = gradient * gradient
        return np.sum(squared.numpy()), outer.gradient(squared, filters).numpy()

    step = numbers(*w.shape)
    difference = (slope(w + 1e-6 * step)[0] - slope(w - 1e-6 * step)[0]) / 2e-6
    np.testing.assert_allclose(np.sum(slope(w)[1] * step), difference, rtol=1e-6)


def test_traced_equals_eager():
    x, w = numbers(2, 5, 5, 2), numbers(3, 3, 2, 4)

    @function
    def both(x, w):
        y = conv2d(x, w, 2, "SAME")
        return y, conv2d_transpose(y, w, [x.shape[0], 5, 5, 2], 2)

    for traced, expected in zip(both(x, w), both.python_function(x, w), strict=True):
        np.testing.assert_allclose(traced.numpy(), expected.numpy())


def test_an_unknown_batch_stays_unknown():
    w = convert(numbers(3, 3, 1, 4).astype("f"))
    spec = TensorSpec([None, 28, 28, 1])
    found = infer_outputs(lambda x: conv2d(x, w, 2, "VALID"), spec)
    assert tuple(found.shape) == (None, 13, 13, 4)


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_large_batches_are_cut_in_parts(dtype):
    """More windows than are copied at a time give the same sums."""
    x, w = numbers(40, 20, 20, 16).astype(dtype), numbers(3, 3, 16, 2).astype(dtype)
    found = conv2d(x, w, 1, "SAME").numpy()
    single = np.concatenate([conv2d(x[i : i + 1], w, 1, "SAME").numpy() for i in range(40)])
    tolerance = 2e-2 if dtype == "float16" else 1e-4
    np.testing.assert_allclose(found, single, atol=tolerance)
    assert found.dtype == dtype


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: conv2d(numbers(1, 5, 5, 4), numbers(3, 3, 3, 8), 1, "SAME"),
         "the filter has 3 input channels, the input 4"),
        (lambda: conv2d(numbers(1, 5, 5, 4), numbers(3, 3, 2, 3), 1, "SAME"),
         "the filter has 2 input channels, the input 4"),
        (lambda: conv2d(numbers(5, 5, 4), numbers(3, 3, 4, 8), 1, "SAME"), "the input has rank 3"),
        (lambda: conv2d(numbers(1, 5, 5, 4), numbers(3, 4, 8), 1, "SAME"), "the filter has rank 3"),
        (lambda: conv2d(numbers(1, 2, 5, 4), numbers(3, 3, 4, 8), 1, "VALID"),
         "a window of 3 does not fit into an axis of 2"),
        (lambda: conv2d(numbers(1, 5, 5, 4), numbers(3, 3, 4, 8), 0, "SAME"), "at least 1"),
        (lambda: conv2d(numbers(1, 5, 5, 4), numbers(3, 3, 4, 8), [1, 1, 1], "SAME"),
         "strides cannot be read"),
        (lambda: conv2d(numbers(1, 5, 5, 4), numbers(3, 3, 4, 8), [2, 1, 1, 1], "SAME"),
         "strides over the batch or the channels"),
        (lambda: conv2d(numbers(1, 5, 5, 4), numbers(3, 3, 4, 8), 1, "FULL"), "padding='FULL'"),
        (lambda: conv2d(numbers(1, 5, 5, 4), numbers(3, 3, 4, 8), 1,
                        [[0, 0], [-1, 0], [0, 0], [0, 0]]),
         "the padding cannot be read"),
        (lambda: conv2d(numbers(1, 5, 5, 4), numbers(3, 3, 4, 8), 1, "SAME", data_format="CHWN"),
         "NHWC or NCHW"),
        (lambda: conv2d_transpose(numbers(1, 3, 3, 2), numbers(3, 3, 5, 2), [1, 9, 9, 5], 2),
         "a convolution of the output shape has sizes (1, 5, 5)"),
        (lambda: conv2d_transpose(numbers(1, 3, 3, 2), numbers(3, 3, 2, 5), [1, 6, 6, 5], 2),
         "the filter maps 5 channels to 2"),
        (lambda: conv2d_transpose(numbers(1, 3, 3, 2), numbers(3, 3, 5, 2), [6, 6], 2),
         "the output shape cannot be read"),
        (lambda: depthwise_conv2d(numbers(1, 5, 5, 4), numbers(3, 3, 3, 1), [1] * 4, "SAME"),
         "the filter has 3 input channels, the input 4"),
        (lambda: separable_conv2d(numbers(1, 5, 5, 4), numbers(3, 3, 4, 1), numbers(2, 2, 4, 3),
                                  [1] * 4, "SAME"), "the pointwise filter is none"),
        (lambda: convolution(numbers(1, 2, 2), numbers(2, 2)), "1, 2 or 3 spatial axes"),
    ],
)  # fmt: skip
def test_errors_say_what_does_not_fit(call, text):
    with pytest.raises(InvalidArgumentError) as caught:
        call()
    assert text in str(caught.value)
    assert "test_convolution.py" in str(caught.value)
