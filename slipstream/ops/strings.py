"""Text (`tf.strings`): tensors of dtype string hold bytes.

What keeps the shape works in traced programs too, as a call of Python. Functions whose result has a
length that depends on the text (`split`) work eagerly. There are no ragged tensors.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np

from slipstream.errors import InvalidArgumentError, NotWhileTracing, message
from slipstream.ir.dtypes import DType, as_dtype, bool_, int32, string
from slipstream.ir.graph import Array
from slipstream.ir.types import TensorType
from slipstream.ops.axes import axes_of
from slipstream.ops.host import array_text
from slipstream.primitives.base import misfit
from slipstream.primitives.host import py_function
from slipstream.runtime.convert import convert
from slipstream.runtime.dispatch import operation
from slipstream.runtime.tensor import EagerTensor, constant_value


def _texts(name: str, value: Any) -> Any:
    tensor = convert(value)
    if tensor.dtype is not string:
        raise misfit(name, "the input is no text", "dtype string", input=tensor.type)
    return tensor


def _of_list(items: list[Any], shape: tuple[int, ...], dtype: DType) -> Array:
    out = np.empty(len(items), dtype.numpy)
    out[:] = items
    return out.reshape(shape)


def _each(function: Callable[..., Any], dtype: DType, *tensors: Any) -> Any:
    """`function` of corresponding elements, which broadcast, as a tensor of `dtype`."""
    shape = np.broadcast_shapes(*(t.type.shape for t in tensors))

    def run(*arrays: Array) -> Array:
        columns = (np.broadcast_to(a, shape).reshape(-1) for a in arrays)
        rows = zip(*columns, strict=True)
        return _of_list([function(*row) for row in rows], shape, dtype)

    return py_function(*tensors, function=run, types=(TensorType(shape, dtype),), pullback=None)


def _by_unit(name: str, unit: str) -> bool:
    """Whether characters are counted, rather than bytes."""
    if unit not in ("BYTE", "UTF8_CHAR"):
        raise ValueError(f"[{name}] unit must be BYTE or UTF8_CHAR; received {unit!r}")
    return unit == "UTF8_CHAR"


@operation
def join(inputs: Any, separator: str = "", name: str | None = None) -> Any:
    """The texts of the tensors in the list one after the other; shapes broadcast.

    >>> import slipstream as tf
    >>> tf.strings.join(["a", ["b", "c"]], separator="-").numpy().tolist()
    [b'a-b', b'a-c']
    """
    between = separator.encode() if isinstance(separator, str) else bytes(separator)
    tensors = [_texts("join", x) for x in inputs]
    return _each(lambda *texts: between.join(texts), string, *tensors)


@operation
def reduce_join(
    inputs: Any, axis: Any = None, keepdims: bool = False, separator: str = "",
    name: str | None = None,
) -> Any:  # fmt: skip
    """The texts joined along axes (default: all)."""
    x = _texts("reduce_join", inputs)
    axes = axes_of(axis, len(x.type.shape), "reduce_join")
    others = tuple(i for i in range(len(x.type.shape)) if i not in axes)
    rest = tuple(x.type.shape[i] for i in others)
    kept = tuple(1 if i in axes else n for i, n in enumerate(x.type.shape))
    shape = kept if keepdims else rest
    count = int(np.prod(rest, dtype=int))

    def run(array: Array) -> Array:
        rows = np.transpose(array, (*others, *axes)).reshape(count, -1)
        return _of_list([separator.encode().join(row) for row in rows], shape, string)

    return py_function(x, function=run, types=(TensorType(shape, string),), pullback=None)


def _recased(name: str, change: str) -> Callable[..., Any]:
    def function(input: Any, encoding: str = "", name: str | None = None) -> Any:
        if encoding not in ("", "utf-8"):
            raise ValueError(f"[{change}] encoding must be '' or 'utf-8'; received {encoding!r}")
        if encoding:
            return _each(
                lambda text: getattr(text.decode(), change)().encode(),
                string,
                _texts(change, input),
            )
        return _each(lambda text: getattr(text, change)(), string, _texts(change, input))

    function.__name__ = function.__qualname__ = name
    function.__doc__ = (
        f"""The texts in {change} case: ASCII letters, or all with encoding "utf-8"."""
    )
    return operation(function)


lower, upper = _recased("lower", "lower"), _recased("upper", "upper")


@operation
def strip(input: Any, name: str | None = None) -> Any:
    """The texts without white space at their ends."""
    return _each(lambda text: text.strip(), string, _texts("strip", input))


@operation
def length(input: Any, unit: str = "BYTE", name: str | None = None) -> Any:
    """How many bytes (or with unit UTF8_CHAR characters) each text has, int32.

    >>> import slipstream as tf
    >>> tf.strings.length(["ab", ""]).numpy().tolist()
    [2, 0]
    """
    characters = _by_unit("length", unit)
    return _each(
        lambda text: len(text.decode(errors="replace") if characters else text),
        int32,
        _texts("length", input),
    )


@operation
def substr(input: Any, pos: Any, len: Any, unit: str = "BYTE", name: str | None = None) -> Any:
    """`len` bytes (or characters) of each text from `pos` on; negative ones count from the end.

    InvalidArgumentError for a position outside the text.
    """
    characters = _by_unit("substr", unit)

    def part(text: bytes, start: Any, count: Any) -> bytes:
        letters: Any = text.decode() if characters else text
        size = letters.__len__()
        if not -size <= start <= size:
            raise InvalidArgumentError(
                message("substr", f"pos {start} out of range for a text of length {size}")
            )
        begin = int(start) + (size if start < 0 else 0)
        found = letters[begin : begin + int(count)]
        return bytes(found.encode()) if characters else bytes(found)

    return _each(part, string, _texts("substr", input), convert(pos), convert(len))


def _pattern(pattern: Any) -> re.Pattern[bytes]:
    raw = pattern if isinstance(pattern, (str, bytes)) else _known_text("regex", pattern)
    try:
        return re.compile(raw.encode() if isinstance(raw, str) else raw)
    except re.error as error:
        raise InvalidArgumentError(
            message("regex", f"Invalid pattern: {error}", received={"pattern": raw})
        ) from None


def _known_text(name: str, value: Any) -> bytes:
    array = constant_value(convert(value))
    if array is None:
        raise NotWhileTracing(message(name, "the text must be known while tracing"))
    return bytes(array.reshape(-1)[0])


@operation
def regex_replace(
    input: Any, pattern: Any, rewrite: Any, replace_global: bool = True, name: str | None = None
) -> Any:
    r"""The texts with what matches `pattern` replaced: everywhere, or once.

    \1 to \9 in `rewrite` are the groups of the match, \0 all of it. Patterns are those of Python's
    `re`, which has what RE2 has.

    >>> import slipstream as tf
    >>> tf.strings.regex_replace("tensor", "(e|o)", r"<\1>").numpy()
    b't<e>ns<o>r'
    """
    compiled = _pattern(pattern)
    raw = rewrite.encode() if isinstance(rewrite, str) else _known_text("regex_replace", rewrite)
    template = raw.replace(b"\\0", b"\\g<0>")
    count = 0 if replace_global else 1
    return _each(
        lambda text: compiled.sub(template, text, count), string, _texts("regex_replace", input)
    )


@operation
def regex_full_match(input: Any, pattern: Any, name: str | None = None) -> Any:
    """Whether each text as a whole matches the pattern."""
    compiled = _pattern(pattern)
    return _each(
        lambda text: compiled.fullmatch(text) is not None, bool_, _texts("regex_full_match", input)
    )


@operation
def to_number(input: Any, out_type: Any = "float32", name: str | None = None) -> Any:
    """The numbers the texts stand for. InvalidArgumentError for a text that is no number.

    >>> import slipstream as tf
    >>> tf.strings.to_number(["1.5", "-2"]).numpy().tolist()
    [1.5, -2.0]
    """
    dtype = as_dtype(out_type)
    kind = int if dtype.is_integer else float

    def number(text: bytes) -> Any:
        try:
            return kind(text)
        except ValueError:
            raise InvalidArgumentError(
                message(
                    "to_number", f"StringToNumberOp could not correctly convert string: {text!r}"
                )
            ) from None

    return _each(number, dtype, _texts("to_number", input))


def _float_format(precision: int, scientific: bool, shortest: bool) -> str:
    letter = "g" if shortest else "e" if scientific else "f"
    return f".{precision}{letter}" if precision >= 0 else letter


@operation
def as_string(
    input: Any, precision: int = -1, scientific: bool = False, shortest: bool = False,
    width: int = -1, fill: str = "", name: str | None = None,
) -> Any:  # fmt: skip
    """Numbers and booleans as text, floats with `precision` digits after the point (default 6).

    `scientific` writes exponents, `shortest` the shorter of both; `width` pads with spaces, or with
    `fill`.

    >>> import slipstream as tf
    >>> tf.strings.as_string([1.5, 2.0], precision=2).numpy().tolist()
    [b'1.50', b'2.00']
    """
    tensor = convert(input)
    if scientific and shortest:
        raise ValueError("[as_string] Cannot select both scientific and shortest notation")
    spec = _float_format(precision, scientific, shortest)
    sign = fill if fill in ("-", "0", "+", " ") else ""
    align, flag = (">", sign) if sign not in ("-", "0") else ("<" if sign == "-" else "0", "")

    def text(value: Any) -> bytes:
        if isinstance(value, bytes):
            plain = value.decode()
        elif isinstance(value, (bool, np.bool_)):
            plain = "true" if value else "false"
        elif isinstance(value, (complex, np.complexfloating)):
            plain = f"({value.real:{spec}},{value.imag:{spec}})"
        else:
            plain = f"{value:{flag}{spec}}" if tensor.dtype.is_floating else f"{value:{flag}d}"
        if width > len(plain):
            plain = plain.zfill(width) if align == "0" else f"{plain:{align}{width}}"
        return plain.encode()

    return _each(text, string, tensor)


@operation
def format(
    template: str, inputs: Any = (), placeholder: str = "{}", summarize: int = 3,
    name: str | None = None,
) -> Any:  # fmt: skip
    """The template with tensors in the places of `placeholder`, written as `tf.print` does.

    >>> import slipstream as tf
    >>> tf.strings.format("x = {}", tf.constant([1, 2])).numpy()
    b'x = [1 2]'
    """
    listed = inputs if isinstance(inputs, (list, tuple)) else [inputs]
    tensors = [convert(x) for x in listed]
    first, *rest = template.split(placeholder)
    if len(rest) != len(tensors):
        raise ValueError(
            f"[format] {len(rest)} placeholders in the template, but {len(tensors)} inputs"
        )

    def run(*arrays: Array) -> Array:
        parts = (array_text(a, summarize) + r for a, r in zip(arrays, rest, strict=True))
        return _of_list([(first + "".join(parts)).encode()], (), string)

    return py_function(*tensors, function=run, types=(TensorType((), string),), pullback=None)


@operation
def split(input: Any, sep: Any = None, maxsplit: int = -1, name: str | None = None) -> Any:
    """The parts of a text between separators (None: white space), [parts]; eager only.

    Of texts [n] a tensor [n, parts]: TensorFlow gives ragged tensors, here all must have equally
    many parts, else InvalidArgumentError.

    >>> import slipstream as tf
    >>> tf.strings.split("a b c").numpy().tolist()
    [b'a', b'b', b'c']
    """
    tensor = _texts("split", input)
    array = constant_value(tensor)
    if array is None:
        raise InvalidArgumentError(
            message("split", "how many parts there are is not known while a program is traced",
                    hint="tf.py_function, or splitting before the traced function")
        )  # fmt: skip
    between = None if not sep else sep.encode() if isinstance(sep, str) else bytes(sep)
    rows = [text.split(between, maxsplit) for text in array.reshape(-1)]
    counts = sorted({len(row) for row in rows})
    if len(counts) > 1:
        raise misfit("split", "the texts have different numbers of parts", "one", counts=counts)
    flat = [part for row in rows for part in row]
    shape = (*array.shape, counts[0] if counts else 0)
    return EagerTensor(_of_list(flat, shape, string))
