"""Functions of corresponding elements: arithmetic, comparison, logic, the elementary functions."""

from __future__ import annotations

from typing import Any

import numpy as np

from slipstream.ir.dtypes import COMPLEX, FLOATS, INTEGERS, DType, as_dtype, bool_
from slipstream.ir.graph import Array
from slipstream.ir.types import TensorType
from slipstream.primitives.base import Primitive, Pull, define, misfit
from slipstream.primitives.families import (
    broadcast,
    elementwise,
    predicate,
    same_dtype,
    sum_to,
    where,
)
from slipstream.primitives.operand import Operand, scalar, zeros
from slipstream.primitives.samples import (
    between,
    booleans,
    distinct,
    integers,
    positive,
    reals,
    sample,
)

NUMERIC = FLOATS + INTEGERS + COMPLEX
REAL = FLOATS + INTEGERS
CONTINUOUS = FLOATS + COMPLEX
PAIR = (sample(reals(3, 17), reals(3, 17)), sample(reals(4, 1, 3), reals(5, 1)))
DISTINCT_PAIR = (sample(distinct(3, 5), between(2.5, 4.0, 5)), sample(distinct(4), reals(3, 4)))


def conj(x: Any) -> Any:
    """The complex conjugate; a real operand itself."""
    return conjugate(x) if x.dtype.is_complex else x


add = elementwise(
    "add",
    np.add,
    PAIR,
    derivative=(lambda g, x, y, z: g, lambda g, x, y, z: g),
    dtypes=NUMERIC,
    doc="x + y",
)
subtract = elementwise(
    "subtract",
    np.subtract,
    PAIR,
    derivative=(lambda g, x, y, z: g, lambda g, x, y, z: -g),
    dtypes=NUMERIC,
    doc="x - y",
)
multiply = elementwise(
    "multiply",
    np.multiply,
    PAIR,
    derivative=(lambda g, x, y, z: g * conj(y), lambda g, x, y, z: g * conj(x)),
    dtypes=NUMERIC,
    doc="x y",
)
divide = elementwise(
    "divide",
    np.true_divide,
    (sample(reals(3, 17), positive(3, 17)), sample(reals(4, 1), positive(5))),
    derivative=(lambda g, x, y, z: g / conj(y), lambda g, x, y, z: -g * conj(z / y)),
    dtypes=CONTINUOUS,
    doc="x / y",
)


def _floor_divide(x: Array, y: Array) -> Array:
    if x.dtype.kind in "iu" and not np.all(y):
        raise misfit("floor_divide", "integer division by zero")
    return np.asarray(np.floor_divide(x, y))


def _floor_mod(x: Array, y: Array) -> Array:
    if x.dtype.kind in "iu" and not np.all(y):
        raise misfit("floor_mod", "integer division by zero")
    return np.asarray(np.mod(x, y))


def _truncated_mod(x: Array, y: Array) -> Array:
    if x.dtype.kind in "iu" and not np.all(y):
        raise misfit("truncated_mod", "integer division by zero")
    return np.asarray(np.fmod(x, y))


floor_divide = elementwise(
    "floor_divide", _floor_divide, (sample(reals(3, 5), positive(3, 5)),), dtypes=REAL,
    doc="The largest integer not above x / y",
)  # fmt: skip
floor_mod = elementwise(
    "floor_mod",
    _floor_mod,
    (sample(reals(3, 5), positive(3, 5), smooth=False),),
    derivative=(lambda g, x, y, z: g, lambda g, x, y, z: -g * floor(x / y)),
    dtypes=REAL,
    doc="The remainder with the sign of y",
)
truncated_mod = elementwise(
    "truncated_mod", _truncated_mod, (sample(reals(3, 5), positive(3, 5)),), dtypes=REAL,
    doc="The remainder with the sign of x, as C's fmod and %",
)  # fmt: skip


def _power(x: Array, y: Array) -> Array:
    if x.dtype.kind == "i" and np.any(y < 0):
        raise misfit("power", "an integer to a negative power is not an integer")
    return np.asarray(np.power(x, y))


def _power_by_base(g: Any, x: Any, y: Any, z: Any) -> Any:
    return g * conj(y * power(x, y - 1))


def _power_by_exponent(g: Any, x: Any, y: Any, z: Any) -> Any:
    if x.dtype.is_complex:
        return g * conj(z * log(x))
    safe = where(greater(x, x.coerce(0)), x, x.coerce(1))
    return g * z * log(safe)


power = elementwise(
    "power",
    _power,
    (sample(positive(3, 5), positive(3, 5)), sample(positive(4, 1), between(0, 2, 3))),
    derivative=(_power_by_base, _power_by_exponent),
    dtypes=NUMERIC,
    doc="x to the power y",
)


def _first_wins(g: Any, x: Any, y: Any, z: Any) -> Any:
    return where(equal(x, z), g, g.coerce(0))


def _second_wins(g: Any, x: Any, y: Any, z: Any) -> Any:
    return where(equal(x, z), g.coerce(0), g)


maximum = elementwise(
    "maximum", np.maximum, DISTINCT_PAIR, derivative=(_first_wins, _second_wins), dtypes=REAL,
    doc="The larger of x and y; nan if one is",
)  # fmt: skip
minimum = elementwise(
    "minimum", np.minimum, DISTINCT_PAIR, derivative=(_first_wins, _second_wins), dtypes=REAL,
    doc="The smaller of x and y; nan if one is",
)  # fmt: skip
arctan2 = elementwise(
    "arctan2",
    np.arctan2,
    (sample(positive(3, 5), reals(3, 5)),),
    derivative=(
        lambda g, y, x, z: g * x / (x * x + y * y),
        lambda g, y, x, z: -g * y / (x * x + y * y),
    ),
    dtypes=FLOATS,
    doc="The angle of the point (x, y): arctan2(y, x)",
)
nextafter = elementwise(
    "nextafter", np.nextafter, (sample(reals(3, 5), reals(3, 5)),), dtypes=FLOATS[2:],
    doc="The next representable number after x towards y",
)  # fmt: skip

# one argument

negative = elementwise(
    "negative", np.negative, [reals(3, 17)], derivative=lambda g, x, y: -g, dtypes=NUMERIC,
    doc="-x",
)  # fmt: skip
absolute = elementwise(
    "absolute", np.abs, [distinct(3, 16)], derivative=lambda g, x, y: g * sign(x), dtypes=REAL,
    doc="|x| of a real number",
)  # fmt: skip
sign = elementwise("sign", np.sign, [reals(3, 5)], dtypes=REAL, doc="-1, 0 or 1")
square = elementwise(
    "square", np.square, [reals(3, 17)], derivative=lambda g, x, y: g * conj(x + x),
    dtypes=NUMERIC, expand=lambda x: x * x, doc="x x",
)  # fmt: skip
sqrt = elementwise(
    "sqrt", np.sqrt, [positive(3, 17)], derivative=lambda g, x, y: g * 0.5 / conj(y),
    dtypes=CONTINUOUS, doc="The square root",
)  # fmt: skip


def _rsqrt(x: Array) -> Array:
    return np.asarray(np.reciprocal(np.sqrt(x)))


rsqrt = elementwise(
    "rsqrt", _rsqrt, [positive(3, 17)], derivative=lambda g, x, y: g * -0.5 * conj(y / x),
    dtypes=CONTINUOUS, expand=lambda x: 1 / sqrt(x), doc="1 / sqrt(x)",
)  # fmt: skip
reciprocal = elementwise(
    "reciprocal", np.reciprocal, [positive(3, 17)], derivative=lambda g, x, y: -g * conj(y * y),
    dtypes=CONTINUOUS, expand=lambda x: 1 / x, doc="1 / x",
)  # fmt: skip
exp = elementwise(
    "exp", np.exp, [reals(3, 17)], derivative=lambda g, x, y: g * conj(y), dtypes=CONTINUOUS,
    doc="e to the power x",
)  # fmt: skip
expm1 = elementwise(
    "expm1", np.expm1, [reals(3, 17)], derivative=lambda g, x, y: g * conj(y + 1),
    dtypes=CONTINUOUS, doc="exp(x) - 1, exact near zero",
)  # fmt: skip
log = elementwise(
    "log", np.log, [positive(3, 17)], derivative=lambda g, x, y: g / conj(x), dtypes=CONTINUOUS,
    doc="The natural logarithm",
)  # fmt: skip
log1p = elementwise(
    "log1p", np.log1p, [positive(3, 17)], derivative=lambda g, x, y: g / conj(x + 1),
    dtypes=CONTINUOUS, doc="log(1 + x), exact near zero",
)  # fmt: skip


def _sigmoid(x: Array) -> Array:
    if x.dtype.kind == "c":
        return np.asarray(1 / (1 + np.exp(-x)))
    z = np.exp(-np.abs(x))
    return np.asarray(np.where(x >= 0, np.ones_like(z), z) / (1 + z), x.dtype)


sigmoid = elementwise(
    "sigmoid", _sigmoid, [reals(3, 17)], derivative=lambda g, x, y: g * conj(y * (1 - y)),
    dtypes=CONTINUOUS, expand=lambda x: 1 / (1 + exp(-x)), doc="1 / (1 + exp(-x))",
)  # fmt: skip
tanh = elementwise(
    "tanh", np.tanh, [reals(3, 17)], derivative=lambda g, x, y: g * conj(1 - y * y),
    dtypes=CONTINUOUS, doc="The hyperbolic tangent",
)  # fmt: skip


def _softplus(x: Array) -> Array:
    return np.asarray(np.logaddexp(x, np.zeros_like(x)), x.dtype)


softplus = elementwise(
    "softplus", _softplus, [reals(3, 17)], derivative=lambda g, x, y: g * sigmoid(x),
    dtypes=FLOATS, expand=lambda x: maximum(x, x.coerce(0)) + log1p(exp(-absolute(x))),
    doc="log(1 + exp(x))",
)  # fmt: skip
sin = elementwise(
    "sin", np.sin, [reals(3, 17)], derivative=lambda g, x, y: g * conj(cos(x)),
    dtypes=CONTINUOUS, doc="The sine of an angle in radians",
)  # fmt: skip
cos = elementwise(
    "cos", np.cos, [reals(3, 17)], derivative=lambda g, x, y: -g * conj(sin(x)),
    dtypes=CONTINUOUS, doc="The cosine of an angle in radians",
)  # fmt: skip
tan = elementwise(
    "tan", np.tan, [between(-1, 1, 3, 17)], derivative=lambda g, x, y: g * conj(1 + y * y),
    dtypes=CONTINUOUS, expand=lambda x: sin(x) / cos(x), doc="The tangent",
)  # fmt: skip
arcsin = elementwise(
    "arcsin", np.arcsin, [between(-0.9, 0.9, 3, 5)], dtypes=CONTINUOUS,
    derivative=lambda g, x, y: g * conj(rsqrt(1 - x * x)), doc="The inverse sine",
)  # fmt: skip
arccos = elementwise(
    "arccos", np.arccos, [between(-0.9, 0.9, 3, 5)], dtypes=CONTINUOUS,
    derivative=lambda g, x, y: -g * conj(rsqrt(1 - x * x)), doc="The inverse cosine",
)  # fmt: skip
arctan = elementwise(
    "arctan", np.arctan, [reals(3, 5)], derivative=lambda g, x, y: g / conj(1 + x * x),
    dtypes=CONTINUOUS, doc="The inverse tangent",
)  # fmt: skip
sinh = elementwise(
    "sinh", np.sinh, [reals(3, 5)], derivative=lambda g, x, y: g * conj(cosh(x)),
    dtypes=CONTINUOUS, expand=lambda x: _sinh(x), doc="The hyperbolic sine",
)  # fmt: skip
cosh = elementwise(
    "cosh", np.cosh, [reals(3, 5)], derivative=lambda g, x, y: g * conj(sinh(x)),
    dtypes=CONTINUOUS, expand=lambda x: (exp(x) + exp(-x)) * 0.5, doc="The hyperbolic cosine",
)  # fmt: skip


def _sinh(x: Any) -> Any:
    """sinh by expm1, which keeps its digits near zero: with t = expm1(x), (t + t / (t + 1)) / 2."""
    t = expm1(absolute(x))
    return sign(x) * (t + t / (t + 1)) * 0.5


arcsinh = elementwise(
    "arcsinh", np.arcsinh, [reals(3, 5)], derivative=lambda g, x, y: g * conj(rsqrt(x * x + 1)),
    dtypes=CONTINUOUS, doc="The inverse hyperbolic sine",
)  # fmt: skip
arccosh = elementwise(
    "arccosh", np.arccosh, [between(1.2, 3, 3, 5)], dtypes=CONTINUOUS,
    derivative=lambda g, x, y: g * conj(rsqrt(x * x - 1)), doc="The inverse hyperbolic cosine",
)  # fmt: skip
arctanh = elementwise(
    "arctanh", np.arctanh, [between(-0.9, 0.9, 3, 5)], dtypes=CONTINUOUS,
    derivative=lambda g, x, y: g / conj(1 - x * x), doc="The inverse hyperbolic tangent",
)  # fmt: skip
floor = elementwise("floor", np.floor, [reals(3, 5)], dtypes=FLOATS, doc="Down to an integer")
ceil = elementwise("ceil", np.ceil, [reals(3, 5)], dtypes=FLOATS, doc="Up to an integer")
round_ = elementwise(
    "round", np.rint, [reals(3, 5)], dtypes=FLOATS, doc="To the nearest integer, halves to even"
)
truncate = elementwise("truncate", np.trunc, [reals(3, 5)], dtypes=FLOATS, doc="Towards zero")
conjugate = elementwise(
    "conjugate", np.conjugate, [reals(3, 5)], derivative=lambda g, x, y: conjugate(g),
    dtypes=COMPLEX, doc="The complex conjugate",
)  # fmt: skip

# questions, logic, bits

equal = predicate("equal", np.equal, (*PAIR, sample(integers(0, 3, 4), integers(0, 3, 4))))
not_equal = predicate("not_equal", np.not_equal, PAIR)
less = predicate("less", np.less, PAIR, dtypes=REAL)
less_equal = predicate("less_equal", np.less_equal, PAIR, dtypes=REAL)
greater = predicate("greater", np.greater, PAIR, dtypes=REAL)
greater_equal = predicate("greater_equal", np.greater_equal, PAIR, dtypes=REAL)
is_nan = predicate("is_nan", np.isnan, (sample(reals(3, 5)),), dtypes=FLOATS)
is_inf = predicate("is_inf", np.isinf, (sample(reals(3, 5)),), dtypes=FLOATS)
is_finite = predicate("is_finite", np.isfinite, (sample(reals(3, 5)),), dtypes=FLOATS)

LOGICAL = (sample(booleans(3, 5), booleans(5)),)
BITS = (sample(integers(0, 100, 3, 5), integers(0, 100, 5)),)
SHIFTS = (sample(integers(0, 100, 3, 5), integers(0, 7, 5)),)
logical_and = elementwise("logical_and", np.logical_and, LOGICAL, dtypes=(bool_,))
logical_or = elementwise("logical_or", np.logical_or, LOGICAL, dtypes=(bool_,))
logical_xor = elementwise("logical_xor", np.logical_xor, LOGICAL, dtypes=(bool_,))
logical_not = elementwise("logical_not", np.logical_not, (sample(booleans(7)),), dtypes=(bool_,))
bitwise_and = elementwise("bitwise_and", np.bitwise_and, BITS, dtypes=INTEGERS)
bitwise_or = elementwise("bitwise_or", np.bitwise_or, BITS, dtypes=INTEGERS)
bitwise_xor = elementwise("bitwise_xor", np.bitwise_xor, BITS, dtypes=INTEGERS)
invert = elementwise("invert", np.invert, (sample(integers(0, 100, 7)),), dtypes=INTEGERS)
left_shift = elementwise("left_shift", np.left_shift, SHIFTS, dtypes=INTEGERS)
right_shift = elementwise("right_shift", np.right_shift, SHIFTS, dtypes=INTEGERS)

# mixed dtypes


def _select_rule(condition: TensorType, x: TensorType, y: TensorType) -> TensorType:
    if not condition.dtype.is_bool:
        raise misfit("select", "the condition is not boolean", condition=condition)
    shape = broadcast("select", (condition, x, y))
    return TensorType(shape, same_dtype("select", (x, y)))


def _select_derivative(pull: Pull) -> list[Any]:
    condition, x, y = pull.inputs
    nothing = zeros(TensorType((), pull.g.dtype))
    return [
        None,
        sum_to(select(condition, pull.g, nothing), x.shape) if pull.wanted[1] else None,
        sum_to(select(condition, nothing, pull.g), y.shape) if pull.wanted[2] else None,
    ]


select = define(
    Primitive(
        "select",
        "elementwise",
        _select_rule,
        np.where,
        _select_derivative,
        samples=(
            sample(booleans(3, 5), reals(3, 5), reals(3, 5)),
            sample(booleans(4, 1), reals(3), reals(2, 1, 3)),
        ),
        doc="x where the condition holds, else y",
    )
)


def _cast_rule(x: TensorType, *, dtype: DType) -> TensorType:
    if x.dtype.kind == "string" or as_dtype(dtype).kind == "string":
        raise misfit("cast", "strings are not cast to numbers", "tf.strings.to_number", x=x)
    return x.with_dtype(dtype)


def _cast(x: Array, *, dtype: DType) -> Array:
    if x.dtype.kind == "c" and not dtype.is_complex:
        x = x.real
    if x.dtype.kind == "f" and dtype.is_integer:
        return _saturating(x, dtype)
    return x.astype(dtype.numpy)


def _saturating(x: Array, dtype: DType) -> Array:
    """Towards zero; nan becomes 0 and numbers out of range the nearest end, on every processor."""
    info = np.iinfo(dtype.numpy)
    wide = np.nan_to_num(x.astype(np.float64), nan=0.0)
    clipped = np.clip(np.trunc(wide), float(info.min), float(info.max))
    out = clipped.astype(dtype.numpy)
    out[...] = np.where(clipped >= float(info.max), info.max, out)
    return out


define(
    cast := Primitive(
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


complex_ = define(
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


def _zero_like(g: Any) -> Any:
    return scalar(0, g.dtype)


real = define(
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
imaginary = define(
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
    safe = where(equal(y, y.coerce(0)), y.coerce(1), y)
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
