"""Dtypes changed: cast; complex numbers taken apart and put together."""

from __future__ import annotations

from typing import Any

import numpy as np

from slipstream.ir.dtypes import COMPLEX, FLOATS, DType, as_dtype
from slipstream.ir.graph import Array
from slipstream.ir.types import TensorType
from slipstream.primitives.base import Primitive, Pull, define, misfit
from slipstream.primitives.comparison import equal
from slipstream.primitives.families import broadcast, elementwise, same_dtype, sum_to, where
from slipstream.primitives.operand import Operand, scalar
from slipstream.primitives.samples import booleans, integers, reals, sample


def _cast_rule(x: TensorType, *, dtype: DType) -> TensorType:
    if x.dtype.kind == "string" or dtype.kind == "string":
        raise misfit("cast", "strings are not cast to numbers", "tf.strings.to_number", x=x)
    return x.with_dtype(dtype)


def _cast(x: Array, *, dtype: DType) -> Array:
    if x.dtype.kind == "c" and not dtype.is_complex:
        x = x.real
    if x.dtype.kind in "fV" and dtype.is_integer:  # V is the kind of bfloat16
        return _saturating(x, dtype)
    return x.astype(dtype.numpy)


def _saturating(x: Array, dtype: DType) -> Array:
    """Towards zero; nan becomes 0 and numbers out of range the nearest end, on every processor."""
    info = np.iinfo(dtype.numpy)
    wide = np.nan_to_num(x.astype(np.float64), nan=0.0)
    clipped = np.clip(np.trunc(wide), float(info.min), float(info.max))
    whole = np.asarray(clipped, dtype.numpy)
    return np.where(clipped >= float(info.max), dtype.numpy.type(info.max), whole)


cast: Primitive = define(
    Primitive(
        "cast",
        "elementwise",
        _cast_rule,
        _cast,
        lambda pull: [cast(pull.g, dtype=pull.inputs[0].dtype)],
        samples=(
            sample(reals(3, 5), dtype=as_dtype("float64")),
            sample(reals(3, 5), dtype=as_dtype("int32")),
            sample(integers(-5, 5, 7), dtype=as_dtype("float32")),
            sample(booleans(7), dtype=as_dtype("float32")),
        ),
        doc="The same numbers in another dtype; floats go towards zero to integers",
    )
)
conjugate: Primitive = elementwise(
    "conjugate", np.conjugate, [reals(3, 5)], derivative=lambda g, x, y: conjugate(g),
    dtypes=COMPLEX, doc="The complex conjugate",
)  # fmt: skip


def conj(x: Any) -> Any:
    """The complex conjugate; a real operand itself."""
    return conjugate(x) if x.dtype.is_complex else x


def _part_rule(x: TensorType) -> TensorType:
    return x.with_dtype(x.dtype.real_dtype)


def _complex_rule(x: TensorType, y: TensorType) -> TensorType:
    dtype = same_dtype("complex", (x, y))
    if dtype.name not in ("float32", "float64"):
        raise misfit("complex", "the parts are not float32 or float64", real=x, imaginary=y)
    return TensorType(
        broadcast("complex", (x, y)), as_dtype("complex64" if dtype.bits == 32 else "complex128")
    )


def _complex(x: Array, y: Array) -> Array:
    out = np.empty(np.broadcast_shapes(x.shape, y.shape), np.result_type(x.dtype, np.complex64))
    out.real, out.imag = x, y
    return out


def _zero_like(g: Any) -> Any:
    return scalar(0, g.dtype)


complex_: Primitive = define(
    Primitive(
        "complex",
        "elementwise",
        _complex_rule,
        _complex,
        lambda pull: [
            sum_to(real(pull.g), pull.inputs[0].shape),
            sum_to(imaginary(pull.g), pull.inputs[1].shape),
        ],
        samples=(sample(reals(3, 5), reals(5)),),
        facts={"dtypes": FLOATS[2:]},
        doc="x + i y",
    )
)
real: Primitive = define(
    Primitive(
        "real",
        "elementwise",
        _part_rule,
        np.real,
        lambda pull: [complex_(pull.g, _zero_like(pull.g))],
        samples=(sample(reals(3, 5)),),
        facts={"dtypes": COMPLEX},
        doc="The real part",
    )
)
imaginary: Primitive = define(
    Primitive(
        "imaginary",
        "elementwise",
        _part_rule,
        np.imag,
        lambda pull: [complex_(_zero_like(pull.g), pull.g)],
        samples=(sample(reals(3, 5)),),
        facts={"dtypes": COMPLEX},
        doc="The imaginary part",
    )
)


def _modulus_derivative(pull: Pull) -> list[Operand]:
    x, y = pull.inputs[0], pull.outputs[0]
    safe = where(equal(y, y.coerce(0)), 1, y)
    unit = complex_(real(x) / safe, imaginary(x) / safe)
    return [unit * cast(pull.g, dtype=x.dtype)]


modulus = define(
    Primitive(
        "modulus",
        "elementwise",
        _part_rule,
        np.abs,
        _modulus_derivative,
        samples=(sample(reals(3, 5)),),
        facts={"dtypes": COMPLEX},
        doc="|x| of a complex number",
    )
)
