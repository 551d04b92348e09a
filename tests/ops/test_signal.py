"""tf.signal against NumPy's transforms and against frames and windows written out."""

import numpy as np
import pytest

from slipstream.errors import InvalidArgumentError
from slipstream.ops import signal as tf
from slipstream.runtime.convert import convert
from slipstream.runtime.function import function
from slipstream.runtime.tape import GradientTape

RANDOM = np.random.default_rng(5)


def numbers(*shape, dtype=np.float64):
    drawn = RANDOM.normal(size=shape)
    if np.dtype(dtype).kind == "c":
        drawn = drawn + 1j * RANDOM.normal(size=shape)
    return drawn.astype(dtype)


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("dtype", [np.complex64, np.complex128])
def test_transforms_of_complex_numbers(rank, dtype):
    x = numbers(2, 3, 4, 5, dtype=dtype)
    ending, axes = ("", "2d", "3d")[rank - 1], tuple(range(-rank, 0))
    close = 1e-4 if dtype == np.complex64 else 1e-12
    found = getattr(tf, f"fft{ending}")(x)
    assert found.numpy().dtype == dtype
    np.testing.assert_allclose(found.numpy(), np.fft.fftn(x, axes=axes), close, close)
    np.testing.assert_allclose(getattr(tf, f"ifft{ending}")(found).numpy(), x, close, close)


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("lengths", [None, (5, 6, 7), (2, 3, 4)])
def test_transforms_of_real_numbers(rank, lengths):
    x = numbers(2, 3, 4, 6)
    ending, axes = ("", "2d", "3d")[rank - 1], tuple(range(-rank, 0))
    sizes = None if lengths is None else list(lengths[-rank:])
    found = getattr(tf, f"rfft{ending}")(x, sizes).numpy()
    np.testing.assert_allclose(found, np.fft.rfftn(x, sizes, axes), 1e-12, 1e-12)
    back = getattr(tf, f"irfft{ending}")(found, sizes).numpy()
    expected = np.fft.irfftn(found, sizes or x.shape[-rank:], axes)
    np.testing.assert_allclose(back, expected, 1e-12, 1e-12)


def test_transforms_check_their_input():
    with pytest.raises(InvalidArgumentError, match="dtype"):
        tf.fft(numbers(3))
    with pytest.raises(InvalidArgumentError, match="too few axes"):
        tf.rfft2d(numbers(3))
    with pytest.raises(InvalidArgumentError, match="number of sizes"):
        tf.rfft(numbers(3), [3, 3])


@pytest.mark.parametrize("size", [4, 5])
def test_shifts(size):
    x = numbers(size, 3)
    np.testing.assert_array_equal(tf.fftshift(x).numpy(), np.fft.fftshift(x))
    np.testing.assert_array_equal(tf.fftshift(x, axes=[0]).numpy(), np.fft.fftshift(x, 0))
    np.testing.assert_array_equal(tf.ifftshift(tf.fftshift(x)).numpy(), x)


def test_windows():
    for size in (1, 2, 7, 8):
        symmetric = tf.hann_window(size, periodic=False).numpy()
        np.testing.assert_allclose(symmetric, np.hanning(size), 1e-6, 1e-6)
        symmetric = tf.hamming_window(size, periodic=False, dtype="float64").numpy()
        np.testing.assert_allclose(symmetric, np.hamming(size), 1e-12)
    np.testing.assert_allclose(tf.hann_window(8).numpy(), np.hanning(9)[:8], 1e-6, 1e-6)
    np.testing.assert_allclose(tf.hann_window(7).numpy(), np.hanning(7), 1e-6, 1e-6)
    with pytest.raises(ValueError, match="floating"):
        tf.hann_window(4, dtype="int32")


@pytest.mark.parametrize(("length", "step"), [(4, 2), (3, 2), (5, 5), (2, 3), (1, 1)])
@pytest.mark.parametrize("pad_end", [False, True])
def test_frames(length, step, pad_end):
    x = np.arange(11.0)
    starts = range(0, 11, step) if pad_end else range(0, 11 - length + 1, step)
    filled = np.concatenate([x, np.full(20, -1.0)])
    expected = np.array([filled[s : s + length] for s in starts])
    found = tf.frame(x, length, step, pad_end, -1.0)
    np.testing.assert_array_equal(found.numpy(), expected)


def test_frames_of_an_inner_axis_and_of_too_little():
    x = numbers(2, 7, 3)
    found = tf.frame(x, 3, 2, axis=1).numpy()
    assert found.shape == (2, 3, 3, 3)
    np.testing.assert_array_equal(found[:, 1], x[:, 2:5])
    assert tf.frame(np.zeros(2), 3, 1).shape == (0, 3)


@pytest.mark.parametrize(("length", "step"), [(4, 2), (3, 2), (5, 5), (2, 3)])
def test_overlapping_frames_add_up(length, step):
    x = numbers(2, 6, length)
    expected = np.zeros((2, 5 * step + length))
    for i in range(6):
        expected[:, i * step : i * step + length] += x[:, i]
    np.testing.assert_allclose(tf.overlap_and_add(x, step).numpy(), expected)


def test_short_time_transform_is_the_transform_of_windowed_frames():
    x = numbers(2, 50).astype(np.float32)
    found = tf.stft(x, 12, 5).numpy()
    assert found.shape == (2, 8, 9) and found.dtype == np.complex64
    frames = np.stack([x[:, s : s + 12] for s in range(0, 39, 5)], 1)
    expected = np.fft.rfft(frames * np.hanning(13)[:12], 16)
    np.testing.assert_allclose(found, expected, 1e-4, 1e-4)
    plain = tf.stft(x, 12, 5, fft_length=12, window_fn=None, pad_end=True)
    assert plain.shape == (2, 10, 7)


def test_inverse_short_time_transform_gives_the_signal_back():
    x = numbers(64)
    transformed = tf.stft(x, 16, 4)
    back = tf.inverse_stft(transformed, 16, 4, window_fn=tf.inverse_stft_window_fn(4)).numpy()
    np.testing.assert_allclose(back[16:48], x[16:48], 1e-9)


def test_short_time_transform_is_traced_and_derived():
    x = numbers(30)

    def power(x):
        spectrum = tf.stft(x, 8, 3)
        return tf.irfft(spectrum * spectrum, [8])

    def gradient(x):
        with GradientTape() as tape:
            tape.watch(x)
            result = power(x)
        return tape.gradient(result, x)

    eager, traced = gradient(convert(x)), function(gradient)(convert(x))
    np.testing.assert_allclose(traced.numpy(), eager.numpy(), 1e-12)
    step, h = numbers(30), 1e-6
    total = [np.sum(power(convert(x + w * step)).numpy()) for w in (h, -h)]
    assert np.sum(eager.numpy() * step) == pytest.approx((total[0] - total[1]) / (2 * h), rel=1e-6)


def test_mel_weights_are_triangles():
    weights = tf.linear_to_mel_weight_matrix(10, 65, 8000, 100.0, 3900.0).numpy()
    assert weights.shape == (65, 10) and weights.min() == 0 and weights.max() <= 1
    assert np.all(weights[0] == 0) and np.all(np.diff(weights.argmax(0)) > 0)
    hertz = np.linspace(0, 4000, 65)
    middle = 700 * (np.exp(np.linspace(*(1127 * np.log1p(np.array([100, 3900]) / 700)), 12)[1:-1]
                           / 1127) - 1)  # fmt: skip
    assert np.all(np.abs(hertz[weights.argmax(0)] - middle) <= 62.5)
    with pytest.raises(ValueError, match="sample_rate / 2"):
        tf.linear_to_mel_weight_matrix(upper_edge_hertz=5000.0)
