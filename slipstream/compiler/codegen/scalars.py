"""Element-wise operations as vector instructions: a table from primitive to emitter.

An emitter is `emitter(writer, arguments, application) -> vector`. `is_native` says which dtypes an
operation has code for; what has none, here or by expansion, is computed by NumPy.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir

from slipstream.compiler.codegen.vector import CONTRACT, Writer, element_type
from slipstream.compiler.kernels import NATIVE, Apply
from slipstream.ir.dtypes import INTEGERS, DType, bool_, float32, float64
from slipstream.primitives import elementwise as e
from slipstream.primitives.base import Primitive

Emitter = Callable[[Writer, Sequence[Any], Apply], Any]
REALS = (float32, float64)
NUMBERS = tuple(d for d in NATIVE if not d.is_bool)
EMITTERS: dict[Primitive, tuple[Emitter, tuple[DType, ...]]] = {}


def emits(primitive: Primitive, dtypes: Sequence[DType]) -> Callable[[Emitter], Emitter]:
    """Enter an emitter for arguments of these dtypes."""

    def enter(emitter: Emitter) -> Emitter:
        EMITTERS[primitive] = emitter, tuple(dtypes)
        return emitter

    return enter


def is_native(operation: Any, inputs: Sequence[DType], outputs: Sequence[DType]) -> bool:
    """Whether there is an emitter for these dtypes."""
    known = EMITTERS.get(operation)
    return (
        known is not None
        and all(
            d in known[1] or (d is bool_ and d in NATIVE and operation is e.select) for d in inputs
        )
        and all(d in NATIVE for d in outputs)
    )


def emit(w: Writer, application: Apply, arguments: Sequence[Any]) -> Any:
    """The instructions of one application."""
    return EMITTERS[application.operation][0](w, arguments, application)


def _arithmetic(primitive: Primitive, floating: str, whole: str, dtypes: Any = NUMBERS) -> None:
    @emits(primitive, dtypes)
    def emitter(w: Writer, arguments: Sequence[Any], application: Apply) -> Any:
        if application.dtype.is_floating:
            return getattr(w.b, floating)(*arguments, flags=CONTRACT)
        return getattr(w.b, whole)(*arguments)


_arithmetic(e.add, "fadd", "add")
_arithmetic(e.subtract, "fsub", "sub")
_arithmetic(e.multiply, "fmul", "mul")
_arithmetic(e.divide, "fdiv", "udiv", REALS)


def compare(w: Writer, sign: str, x: Any, y: Any, dtype: DType) -> Any:
    """x sign y, as booleans; false of nan, but for !=."""
    if dtype.is_floating:
        return (w.b.fcmp_unordered if sign == "!=" else w.b.fcmp_ordered)(sign, x, y)
    unsigned = dtype.is_unsigned or dtype.is_bool
    return (w.b.icmp_unsigned if unsigned else w.b.icmp_signed)(sign, x, y)


def _comparison(primitive: Primitive, sign: str) -> None:
    @emits(primitive, NATIVE)
    def emitter(w: Writer, arguments: Sequence[Any], application: Apply) -> Any:
        return compare(w, sign, *arguments, application.dtypes[0])


for _primitive, _sign in (
    (e.equal, "=="), (e.not_equal, "!="), (e.less, "<"), (e.less_equal, "<="), (e.greater, ">"),
    (e.greater_equal, ">="),
):  # fmt: skip
    _comparison(_primitive, _sign)


def _extremum(primitive: Primitive, sign: str) -> None:
    @emits(primitive, NUMBERS)
    def emitter(w: Writer, arguments: Sequence[Any], application: Apply) -> Any:
        return extremum(w, sign, *arguments, application.dtype)


def extremum(w: Writer, sign: str, x: Any, y: Any, dtype: DType) -> Any:
    """The one of x and y that is first by `sign`; nan if one is."""
    first = compare(w, sign, x, y, dtype)
    if dtype.is_floating:
        first = w.b.or_(first, w.b.fcmp_unordered("uno", x, x))
    return w.b.select(first, x, y)


_extremum(e.maximum, ">=")
_extremum(e.minimum, "<=")


def _bitwise(primitive: Primitive, name: str, dtypes: Sequence[DType]) -> None:
    @emits(primitive, dtypes)
    def emitter(w: Writer, arguments: Sequence[Any], application: Apply) -> Any:
        return getattr(w.b, name)(*arguments)


for _primitive, _name in (
    (e.bitwise_and, "and_"), (e.bitwise_or, "or_"), (e.bitwise_xor, "xor"), (e.invert, "not_"),
):  # fmt: skip
    _bitwise(_primitive, _name, INTEGERS)
for _primitive, _name in (
    (e.logical_and, "and_"), (e.logical_or, "or_"), (e.logical_xor, "xor"),
    (e.logical_not, "not_"),
):  # fmt: skip
    _bitwise(_primitive, _name, (bool_,))


@emits(e.left_shift, INTEGERS)
def _left_shift(w: Writer, arguments: Sequence[Any], application: Apply) -> Any:
    """As in NumPy, 0 where more bits are shifted than there are."""
    x, y = arguments
    fits = w.b.icmp_unsigned("<", y, w.constant(application.dtype, application.dtype.bits))
    return w.b.select(fits, w.b.shl(x, y), w.constant(application.dtype, 0))


@emits(e.right_shift, INTEGERS)
def _right_shift(w: Writer, arguments: Sequence[Any], application: Apply) -> Any:
    """As in NumPy, only the sign is left where more bits are shifted than there are."""
    (x, y), dtype = arguments, application.dtype
    last = w.constant(dtype, dtype.bits - 1)
    fits = w.b.icmp_unsigned("<=", y, last)
    if dtype.is_unsigned:
        return w.b.select(fits, w.b.lshr(x, y), w.constant(dtype, 0))
    return w.b.ashr(x, w.b.select(fits, y, last))


@emits(e.select, NATIVE)
def _select(w: Writer, arguments: Sequence[Any], application: Apply) -> Any:
    return w.b.select(*arguments)


@emits(e.negative, NUMBERS)
def _negative(w: Writer, arguments: Sequence[Any], application: Apply) -> Any:
    return w.b.fneg(*arguments) if application.dtype.is_floating else w.b.neg(*arguments)


@emits(e.absolute, NUMBERS)
def _absolute(w: Writer, arguments: Sequence[Any], application: Apply) -> Any:
    (x,), dtype = arguments, application.dtype
    if dtype.is_floating:
        return w.call("fabs", x)
    if dtype.is_unsigned:
        return x
    return w.b.select(compare(w, "<", x, w.constant(dtype, 0), dtype), w.b.neg(x), x)


@emits(e.sign, NUMBERS)
def _sign(w: Writer, arguments: Sequence[Any], application: Apply) -> Any:
    (x,), dtype = arguments, application.dtype
    zero, one = w.constant(dtype, 0), w.constant(dtype, 1)
    positive = w.b.select(compare(w, ">", x, zero, dtype), one, zero)
    if dtype.is_unsigned:
        return positive
    signed = w.b.select(compare(w, "<", x, zero, dtype), w.constant(dtype, -1), positive)
    return w.b.select(w.b.fcmp_unordered("uno", x, x), x, signed) if dtype.is_floating else signed


def _intrinsic(primitive: Primitive, name: str) -> None:
    @emits(primitive, REALS)
    def emitter(w: Writer, arguments: Sequence[Any], application: Apply) -> Any:
        return w.call(name, *arguments)


for _primitive, _name in (
    (e.sqrt, "sqrt"), (e.floor, "floor"), (e.ceil, "ceil"), (e.round_, "rint"),
    (e.truncate, "trunc"),
):  # fmt: skip
    _intrinsic(_primitive, _name)


@emits(e.cast, NATIVE)
def _cast(w: Writer, arguments: Sequence[Any], application: Apply) -> Any:
    (x,), source, wanted = arguments, application.dtypes[0], application.dtype
    return convert(w, x, source, wanted)


def convert(w: Writer, x: Any, source: DType, wanted: DType) -> Any:
    """x in another dtype; floats go towards zero to integers, and stop at the ends."""
    kind = w.vector(element_type(wanted))
    if source is wanted:
        return x
    if wanted.is_bool:
        return compare(w, "!=", x, w.constant(source, 0), source)
    if source.is_floating:
        if wanted.is_floating:
            return (w.b.fpext if wanted.bits > source.bits else w.b.fptrunc)(x, kind)
        name = "fptoui.sat" if wanted.is_unsigned else "fptosi.sat"
        return _saturated(w, name, x, kind)
    unsigned = source.is_unsigned or source.is_bool
    if wanted.is_floating:
        return (w.b.uitofp if unsigned else w.b.sitofp)(x, kind)
    if wanted.bits <= source.bits and not source.is_bool:
        return x if wanted.bits == source.bits else w.b.trunc(x, kind)
    return (w.b.zext if unsigned else w.b.sext)(x, kind)


def _saturated(w: Writer, name: str, x: Any, kind: Any) -> Any:
    full = f"llvm.{name}.v{w.lanes}i{kind.element.width}.v{w.lanes}" + (
        "f32" if isinstance(x.type.element, ir.FloatType) else "f64"
    )
    known = w.module.globals.get(full)
    if known is None:
        known = ir.Function(w.module, ir.FunctionType(kind, [x.type]), full)
    return w.b.call(known, [x])
