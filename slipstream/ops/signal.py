"""Signal processing (`tf.signal`): Fourier transforms, frames, short-time transforms, windows."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from slipstream.ir.dtypes import as_dtype
from slipstream.ir.graph import Array
from slipstream.ops.axes import axes_of, axis_of, known
from slipstream.primitives import fourier
from slipstream.primitives.base import misfit
from slipstream.primitives.operand import constant
from slipstream.primitives.structure import concat, pad, reshape, slice_along, transpose
from slipstream.runtime.convert import convert
from slipstream.runtime.dispatch import operation

# --- Fourier transforms ---


def _resized(x: Any, sizes: tuple[int, ...]) -> Any:
    """The last axes cropped or padded with zeros to the sizes."""
    shape = x.type.shape
    change = (0,) * (len(shape) - len(sizes)) + tuple(
        n - m for n, m in zip(sizes, shape[len(shape) - len(sizes) :], strict=True)
    )
    if not any(change):
        return x
    none = (0,) * len(shape)
    return pad(x, x.coerce(0), low=none, high=change, interior=none)


def _lengths(x: Any, fft_length: Any, rank: int, halved: bool, name: str) -> tuple[int, ...]:
    """The sizes of the transformed axes: those given, or those of the input."""
    shape = x.type.shape
    if len(shape) < rank:
        raise misfit(name, "the input has too few axes", f"rank {rank} or more", input=x.type)
    if fft_length is None:
        last = 2 * (shape[-1] - 1) if halved else shape[-1]
        return (*shape[len(shape) - rank : -1], last)
    sizes = tuple(int(n) for n in known(fft_length, name, "fft_length").reshape(-1))
    if len(sizes) != rank:
        raise misfit(name, "fft_length has another number of sizes", str(rank), fft_length=sizes)
    return sizes


def _whole(name: str, rank: int, inverse: bool, text: str) -> Callable[..., Any]:
    def transform(input: Any, name: str | None = None) -> Any:
        return fourier.fft(convert(input), rank=rank, inverse=inverse)

    return _named(transform, name, text)


def _named(function: Callable[..., Any], name: str, text: str) -> Callable[..., Any]:
    function.__name__ = function.__qualname__ = name
    function.__doc__ = text
    return operation(function)


def _of_real(name: str, rank: int) -> Callable[..., Any]:
    def transform(input_tensor: Any, fft_length: Any = None, name: str | None = None) -> Any:
        x = convert(input_tensor)
        sizes = _lengths(x, fft_length, rank, False, "rfft")
        return fourier.rfft(_resized(x, sizes), rank=rank)

    return _named(
        transform,
        name,
        f"""The transform of real numbers over the last {rank} axes: complex, and of the last axis
    the n // 2 + 1 first frequencies. `fft_length` ({rank} sizes) crops or pads the input.""",
    )


def _to_real(name: str, rank: int) -> Callable[..., Any]:
    def transform(input_tensor: Any, fft_length: Any = None, name: str | None = None) -> Any:
        x = convert(input_tensor)
        sizes = _lengths(x, fft_length, rank, True, "irfft")
        halved = (*sizes[:-1], sizes[-1] // 2 + 1)
        return fourier.irfft(_resized(x, halved), rank=rank, length=sizes[-1])

    return _named(
        transform,
        name,
        f"""Real numbers of their transform's half over the last {rank} axes, as `rfft` gives it.
    `fft_length` ({rank} sizes) is the result's; by default 2 (n - 1) on the last axis.""",
    )


fft = _whole("fft", 1, False, "The discrete Fourier transform of complex numbers, last axis.")
ifft = _whole("ifft", 1, True, "The inverse of `fft`.")
fft2d = _whole("fft2d", 2, False, "The Fourier transform over the last two axes.")
ifft2d = _whole("ifft2d", 2, True, "The inverse of `fft2d`.")
fft3d = _whole("fft3d", 3, False, "The Fourier transform over the last three axes.")
ifft3d = _whole("ifft3d", 3, True, "The inverse of `fft3d`.")
rfft, irfft = _of_real("rfft", 1), _to_real("irfft", 1)
rfft2d, irfft2d = _of_real("rfft2d", 2), _to_real("irfft2d", 2)
rfft3d, irfft3d = _of_real("rfft3d", 3), _to_real("irfft3d", 3)


def _rolled(x: Any, axis: int, places: int) -> Any:
    size = x.type.shape[axis]
    parts = [slice_along(x, axis, places, size), slice_along(x, axis, 0, places)]
    return concat(*parts, axis=axis) if size else x


@operation
def fftshift(x: Any, axes: Any = None, name: str | None = None) -> Any:
    """Frequency zero moved to the middle of the axes (default: all).

    >>> import slipstream as tf
    >>> tf.signal.fftshift([0, 1, 2, -2, -1]).numpy().tolist()
    [-2, -1, 0, 1, 2]
    """
    shifted = convert(x)
    for axis in axes_of(axes, len(shifted.type.shape), "fftshift"):
        shifted = _rolled(shifted, axis, -(-shifted.type.shape[axis] // 2))
    return shifted


@operation
def ifftshift(x: Any, axes: Any = None, name: str | None = None) -> Any:
    """The inverse of `fftshift`."""
    shifted = convert(x)
    for axis in axes_of(axes, len(shifted.type.shape), "ifftshift"):
        shifted = _rolled(shifted, axis, shifted.type.shape[axis] // 2)
    return shifted


# --- windows ---


def _raised_cosine(length: Any, periodic: bool, dtype: Any, first: float, second: float) -> Any:
    size = int(known(length, "window", "window_length"))
    kind = as_dtype(dtype)
    if not kind.is_floating:
        raise ValueError(f"'dtype' must be a floating point type, not {kind.name}")
    if size == 1:
        return constant(np.ones(1, kind.numpy))
    period = size if periodic and size % 2 == 0 else size - 1
    angle = 2 * math.pi * np.arange(size) / max(period, 1)
    return constant((first - second * np.cos(angle)).astype(kind.numpy))


@operation
def hann_window(
    window_length: Any, periodic: bool = True, dtype: Any = "float32", name: str | None = None
) -> Any:
    """von Hann's window: 1/2 - 1/2 cos(2 pi k / n).

    n is window_length - 1; if `periodic` and window_length is even, it is window_length, as in
    TensorFlow.

    >>> import slipstream as tf
    >>> tf.signal.hann_window(4).numpy().tolist()
    [0.0, 0.5, 1.0, 0.5]
    """
    return _raised_cosine(window_length, periodic, dtype, 0.5, 0.5)


@operation
def hamming_window(
    window_length: Any, periodic: bool = True, dtype: Any = "float32", name: str | None = None
) -> Any:
    """Hamming's window: 0.54 - 0.46 cos(2 pi k / n); see `hann_window`."""
    return _raised_cosine(window_length, periodic, dtype, 0.54, 0.46)


# --- frames ---


def _last(x: Any, axis: int) -> Any:
    """The axis moved to the end."""
    order = [i for i in range(len(x.type.shape)) if i != axis]
    return transpose(x, permutation=(*order, axis))


@operation
def frame(
    signal: Any, frame_length: Any, frame_step: Any, pad_end: bool = False, pad_value: Any = 0,
    axis: int = -1, name: str | None = None,
) -> Any:  # fmt: skip
    """Windows of `frame_length` samples, `frame_step` apart: the axis becomes [frames, length].

    `pad_end` adds frames until every sample begins one's step, filled up with `pad_value`.

    >>> import slipstream as tf
    >>> tf.signal.frame([1, 2, 3, 4, 5], 3, 2).numpy().tolist()
    [[1, 2, 3], [3, 4, 5]]
    """
    x = convert(signal)
    length, step = (
        int(known(value, "frame", name))
        for value, name in ((frame_length, "frame_length"), (frame_step, "frame_step"))
    )
    if length < 1 or step < 1:
        raise misfit("frame", "sizes are positive", frame_length=length, frame_step=step)
    place = axis_of(axis, len(x.type.shape), "frame")
    rank = len(x.type.shape)
    frames = _frames_of_last(_last(x, place), length, step, pad_end, pad_value)
    order = (*range(place), rank - 1, rank, *range(place, rank - 1))
    return transpose(frames, permutation=order)


def _frames_of_last(x: Any, length: int, step: int, pad_end: bool, value: Any) -> Any:
    """[..., frames, length], joined of blocks of `step` samples, each read by several frames."""
    size, batch = x.type.shape[-1], x.type.shape[:-1]
    count = -(-size // step) if pad_end else max(0, 1 + (size - length) // step)
    parts = -(-length // step)
    total = (max(count, 1) - 1 + parts) * step
    none = (0,) * len(x.type.shape)
    high = (*none[1:], total - size)
    filled = pad(x, convert(value, x.dtype), low=none, high=high, interior=none)
    blocks = reshape(filled, shape=(*batch, total // step, step))
    axis = len(batch)
    shifted = [slice_along(blocks, axis, part, part + count) for part in range(parts)]
    return slice_along(concat(*shifted, axis=axis + 1), axis + 1, 0, length)


@operation
def overlap_and_add(signal: Any, frame_step: Any, name: str | None = None) -> Any:
    """Frames [..., frames, length] added up, each `frame_step` after the one before.

    >>> import slipstream as tf
    >>> tf.signal.overlap_and_add([[1, 1, 1], [1, 1, 1]], 2).numpy().tolist()
    [1, 1, 2, 1, 1]
    """
    x, step = convert(signal), int(known(frame_step, "overlap_and_add", "frame_step"))
    *batch, count, length = x.type.shape
    parts, axis = -(-length // step), len(batch)
    padded = _resized(x, (count, parts * step))
    none: tuple[int, ...] = (0,) * len(x.type.shape)
    total: Any = None
    for part in range(parts):
        piece = slice_along(padded, axis + 1, part * step, (part + 1) * step)
        low = (*none[:axis], part, 0)
        high = (*none[:axis], parts - 1 - part, 0)
        moved = pad(piece, piece.coerce(0), low=low, high=high, interior=none)
        total = moved if total is None else total + moved
    joined = reshape(total, shape=(*batch, (count + parts - 1) * step))
    return slice_along(joined, axis, 0, (count - 1) * step + length)


def _enclosing_power_of_two(number: int) -> int:
    return 1 << max(number - 1, 0).bit_length()


@operation
def stft(
    signals: Any, frame_length: Any, frame_step: Any, fft_length: Any = None,
    window_fn: Callable[..., Any] | None = hann_window, pad_end: bool = False,
    name: str | None = None,
) -> Any:  # fmt: skip
    """The short-time Fourier transform [..., frames, fft_length // 2 + 1] of real signals [..., n].

    `fft_length` is by default the next power of two from frame_length on. `window_fn(frame_length,
    dtype=)` gives the window; None is none.
    """
    frames = frame(signals, frame_length, frame_step, pad_end)
    length = int(known(frame_length, "stft", "frame_length"))
    if window_fn is not None:
        frames = frames * window_fn(length, dtype=frames.dtype)
    size = _enclosing_power_of_two(length) if fft_length is None else fft_length
    return rfft(frames, [size])


@operation
def inverse_stft(
    stfts: Any, frame_length: Any, frame_step: Any, fft_length: Any = None,
    window_fn: Callable[..., Any] | None = hann_window, name: str | None = None,
) -> Any:  # fmt: skip
    """Signals [..., n] of short-time transforms; the window should undo that of `stft`
    (`inverse_stft_window_fn`)."""
    length = int(known(frame_length, "inverse_stft", "frame_length"))
    size = _enclosing_power_of_two(length) if fft_length is None else fft_length
    frames = irfft(stfts, [size])
    frames = _resized(frames, (length,))
    if window_fn is not None:
        frames = frames * window_fn(length, dtype=frames.dtype)
    return overlap_and_add(frames, frame_step)


def inverse_stft_window_fn(
    frame_step: Any, forward_window_fn: Callable[..., Any] = hann_window, name: str | None = None
) -> Callable[..., Any]:
    """The window with which `inverse_stft` undoes an `stft` by `forward_window_fn`.

    D. Griffin and J. Lim, "Signal estimation from modified short-time Fourier transform", 1984.
    """
    step = int(known(frame_step, "inverse_stft_window_fn", "frame_step"))

    def window(frame_length: Any, dtype: Any = "float32") -> Any:
        forward = forward_window_fn(frame_length, dtype=dtype)
        size = forward.type.shape[0]
        parts = -(-size // step)
        squares = _resized(forward * forward, (parts * step,))
        rows = reshape(squares, shape=(parts, step))
        total = slice_along(rows, 0, 0, 1)
        for part in range(1, parts):
            total = total + slice_along(rows, 0, part, part + 1)
        repeated = reshape(concat(*[total] * parts, axis=0), shape=(parts * step,))
        return forward / slice_along(repeated, 0, 0, size)

    return window


# --- the mel scale ---


def _mel(frequency: Any) -> Array:
    """Hertz to mel: 1127 ln(1 + f / 700) (O'Shaughnessy 1987)."""
    return np.asarray(1127.0 * np.log1p(np.asarray(frequency) / 700.0))


@operation
def linear_to_mel_weight_matrix(
    num_mel_bins: int = 20, num_spectrogram_bins: int = 129, sample_rate: Any = 8000,
    lower_edge_hertz: float = 125.0, upper_edge_hertz: float = 3800.0, dtype: Any = "float32",
    name: str | None = None,
) -> Any:  # fmt: skip
    """[num_spectrogram_bins, num_mel_bins]: triangles, evenly spaced in mel, by which a spectrogram
    is multiplied.

    The lowest bin, the constant part of the signal, belongs to no triangle.
    """
    rate = float(known(sample_rate, "linear_to_mel_weight_matrix", "sample_rate"))
    if not 0 <= lower_edge_hertz < upper_edge_hertz <= rate / 2:
        raise ValueError(
            "expected 0 <= lower_edge_hertz < upper_edge_hertz <= sample_rate / 2, received "
            f"{lower_edge_hertz}, {upper_edge_hertz} and a rate of {rate}"
        )
    bins = _mel(np.linspace(0, rate / 2, num_spectrogram_bins)[1:])[:, None]
    edges = np.linspace(_mel(lower_edge_hertz), _mel(upper_edge_hertz), num_mel_bins + 2)
    low, middle, high = edges[:-2], edges[1:-1], edges[2:]
    rising, falling = (bins - low) / (middle - low), (high - bins) / (high - middle)
    weights = np.maximum(0, np.minimum(rising, falling))
    return constant(np.pad(weights, ((1, 0), (0, 0))).astype(as_dtype(dtype).numpy))
