"""Which functions of mathematics are vector code, in which floats; the others the C library's.

The vector code is within 4 ulp; docs/design/005-vector-mathematics.md has a table of its errors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from slipstream.compiler.codegen import angles, error_functions, exponentials, powers
from slipstream.compiler.codegen.floats import Floats
from slipstream.compiler.codegen.scalars import REALS, emits
from slipstream.compiler.codegen.vector import Writer
from slipstream.compiler.kernels import Apply
from slipstream.ir.dtypes import DType, float32
from slipstream.primitives import elementwise as e
from slipstream.primitives.base import Primitive
from slipstream.primitives.error_functions import erf, erfc

Function = Callable[..., Any]  # of Floats and vectors
SINGLE = (float32,)


def _vector(primitive: Primitive, function: Function, dtypes: Sequence[DType] = REALS) -> None:
    """What has no code in float64 is expanded."""

    @emits(primitive, dtypes)
    def emitter(w: Writer, arguments: Sequence[Any], application: Apply) -> Any:
        return function(Floats(w, application.dtype), *arguments)


_vector(e.exp, exponentials.exp)
_vector(e.expm1, exponentials.expm1)
_vector(e.log, exponentials.log)
_vector(e.log1p, exponentials.log1p)
_vector(e.sigmoid, exponentials.sigmoid)
_vector(e.tanh, exponentials.tanh)
_vector(e.sinh, exponentials.sinh)
_vector(e.cosh, exponentials.cosh)
_vector(e.softplus, exponentials.softplus)
_vector(e.sin, angles.sin)
_vector(e.cos, angles.cos)
_vector(e.tan, angles.tan)
_vector(e.arctan, angles.atan)
_vector(e.arctan2, angles.atan2)
_vector(erf, error_functions.erf, SINGLE)
_vector(erfc, error_functions.erfc, SINGLE)


@emits(e.power, REALS)
def _power(w: Writer, arguments: Sequence[Any], application: Apply) -> Any:
    """In float64, which would need the logarithm in twice the precision, the C library's."""
    f = Floats(w, application.dtype)
    if application.dtype is float32:
        return powers.power(f, *arguments)
    return f.library("pow", *arguments)
