"""Fourier transforms over the last axes, unnormalised forwards and divided by the sizes backwards.

Cooley and Tukey's algorithm (1965), as NumPy has it.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from slipstream.ir.dtypes import COMPLEX, FLOATS, as_dtype
from slipstream.ir.graph import Array
from slipstream.ir.types import TensorType
from slipstream.primitives.base import Primitive, Pull, define, misfit
from slipstream.primitives.elementwise import real
from slipstream.primitives.operand import constant
from slipstream.primitives.samples import reals, sample
from slipstream.primitives.structure import pad


def _check(name: str, x: TensorType, rank: int, dtypes: tuple[Any, ...]) -> None:
    if x.dtype not in dtypes:
        allowed = ", ".join(d.name for d in dtypes)
        raise misfit(name, "the dtype has no such transform", f"one of {allowed}", x=x)
    if not 1 <= rank <= x.rank or 0 in x.shape[-rank:]:
        raise misfit(name, f"there are no {rank} axes to transform", x=x)


def _axes(rank: int) -> tuple[int, ...]:
    return tuple(range(-rank, 0))


def _fft_rule(x: TensorType, *, rank: int, inverse: bool) -> TensorType:
    _check("fft", x, rank, COMPLEX)
    return x


def _fft(x: Array, *, rank: int, inverse: bool) -> Array:
    transform = np.fft.ifftn if inverse else np.fft.fftn
    return np.asarray(transform(x, axes=_axes(rank)), x.dtype)


def _fft_derivative(pull: Pull) -> list[Any]:
    rank, inverse = pull.params["rank"], pull.params["inverse"]
    size = math.prod(pull.g.shape[-rank:])
    return [fft(pull.g, rank=rank, inverse=not inverse) * (1 / size if inverse else size)]


fft: Primitive = define(
    Primitive(
        "fft",
        "fourier",
        _fft_rule,
        _fft,
        _fft_derivative,
        samples=(
            sample(reals(2, 5), rank=1, inverse=False),
            sample(reals(2, 4), rank=1, inverse=True),
            sample(reals(2, 3, 4), rank=2, inverse=False),
            sample(reals(2, 3, 2), rank=3, inverse=True),
        ),
        facts={"dtypes": COMPLEX},
        doc="The discrete Fourier transform over the last `rank` axes, or its inverse",
    )
)


def _rfft_rule(x: TensorType, *, rank: int) -> TensorType:
    _check("rfft", x, rank, FLOATS[2:])
    dtype = as_dtype(f"complex{2 * x.dtype.bits}")
    return TensorType((*x.shape[:-1], x.shape[-1] // 2 + 1), dtype)


def _rfft(x: Array, *, rank: int) -> Array:
    dtype = np.result_type(x.dtype, np.complex64)
    return np.asarray(np.fft.rfftn(x, axes=_axes(rank)), dtype)


def _rfft_derivative(pull: Pull) -> list[Any]:
    """The whole transform's, with zeros for the half that is not computed."""
    rank, shape = pull.params["rank"], pull.inputs[0].shape
    missing = shape[-1] - pull.g.shape[-1]
    none = (0,) * len(shape)
    whole = pad(pull.g, pull.g.coerce(0), low=none, high=(*none[1:], missing), interior=none)
    return [real(fft(whole, rank=rank, inverse=True)) * math.prod(shape[-rank:])]


rfft = define(
    Primitive(
        "rfft",
        "fourier",
        _rfft_rule,
        _rfft,
        _rfft_derivative,
        samples=(
            sample(reals(2, 5), rank=1),
            sample(reals(2, 4), rank=1),
            sample(reals(2, 3, 4), rank=2),
            sample(reals(2, 3, 3), rank=3),
        ),
        facts={"dtypes": FLOATS[2:]},
        doc="The n // 2 + 1 first frequencies of real numbers; the others are their conjugates",
    )
)


def _irfft_rule(x: TensorType, *, rank: int, length: int) -> TensorType:
    _check("irfft", x, rank, COMPLEX)
    if length < 1 or x.shape[-1] != length // 2 + 1:
        raise misfit("irfft", "the length does not fit", "x.shape[-1] == length // 2 + 1",
                     x=x, length=length)  # fmt: skip
    return TensorType((*x.shape[:-1], length), x.dtype.real_dtype)


def _irfft(x: Array, *, rank: int, length: int) -> Array:
    shape = (*x.shape[x.ndim - rank : -1], length)
    return np.asarray(np.fft.irfftn(x, shape, axes=_axes(rank)), x.real.dtype)


def _irfft_derivative(pull: Pull) -> list[Any]:
    """Frequencies count twice, but for the first, and the last of an even length."""
    rank, length = pull.params["rank"], pull.params["length"]
    back = rfft(pull.g, rank=rank)
    weights = np.full(length // 2 + 1, 2 / math.prod(pull.g.shape[-rank:]))
    weights[0] /= 2
    if length % 2 == 0:
        weights[-1] /= 2
    return [back * constant(weights.astype(back.dtype.numpy))]


irfft = define(
    Primitive(
        "irfft",
        "fourier",
        _irfft_rule,
        _irfft,
        _irfft_derivative,
        samples=(
            sample(reals(2, 3), rank=1, length=5),
            sample(reals(2, 3), rank=1, length=4),
            sample(reals(2, 3, 3), rank=2, length=4),
            sample(reals(2, 3, 2), rank=3, length=3),
        ),
        facts={"dtypes": COMPLEX},
        doc="`length` real numbers of their length // 2 + 1 first frequencies",
    )
)
