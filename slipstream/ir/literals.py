"""Types, numbers and arrays as they are written in the text of a graph."""

from __future__ import annotations

import ast
import math
import re
from typing import Any, NoReturn

import numpy as np

from slipstream.errors import InvalidArgumentError, message
from slipstream.ir.dtypes import DType
from slipstream.ir.graph import Array
from slipstream.ir.printer import DTYPES, UNSIGNED
from slipstream.ir.types import TensorType


def fail(happened: str, line: int | None, expected: str = "") -> NoReturn:
    received = {"line": line} if line else None
    raise InvalidArgumentError(
        message("parse_graph", happened, expected=expected, received=received)
    )


def name_of(expression: ast.expr) -> str:
    if not isinstance(expression, ast.Name):
        fail(f"{ast.unparse(expression)} is no name", expression.lineno)
    return expression.id


def parse_type(text: str, line: int | None = None) -> TensorType:
    """The type that is written `float32[64,10]`."""
    found = re.fullmatch(r"(\w+)\[((?:\d+(?:,\d+)*)?)\]", text.replace(" ", ""))
    if not found or found[1] not in DTYPES:
        fail(f"{text!r} is no type", line, '"dtype[sizes]", as "float32[64,10]"')
    shape = tuple(int(n) for n in found[2].split(",") if n)
    return TensorType(shape, DTYPES[found[1]])


def plain(expression: ast.expr) -> Any:
    """A number, a text, or a call of one of the few makers of parameters."""
    if isinstance(expression, ast.Constant):
        return expression.value
    if isinstance(expression, ast.Name) and expression.id in ("nan", "inf"):
        return float(expression.id)
    if isinstance(expression, ast.UnaryOp) and isinstance(expression.op, ast.USub):
        number = plain(expression.operand)
        if isinstance(number, (int, float)):
            return -number
    if isinstance(expression, ast.Call) and isinstance(expression.func, ast.Name):
        return _made(expression, expression.func.id)
    fail(f"{ast.unparse(expression)} is no parameter", expression.lineno)


def _made(call: ast.Call, maker: str) -> Any:
    if maker == "array":
        return array_of(call)
    if maker == "opaque":
        fail("the program holds a Python object, which text cannot carry", call.lineno)
    arguments = list(map(plain, call.args))
    if maker == "complex" and len(arguments) == 2:
        return complex(*arguments)
    if maker == "type" and len(arguments) == 1:
        return parse_type(str(arguments[0]), call.lineno)
    if maker == "scalar" and len(arguments) == 2:
        return np.asarray(arguments[1], _dtype(arguments[0], call.lineno).numpy)[()]
    fail(f"{ast.unparse(call)} is no parameter", call.lineno)


def _dtype(name: Any, line: int) -> DType:
    if name not in DTYPES:
        fail(f"{name!r} is no dtype", line, f"one of {', '.join(DTYPES)}")
    return DTYPES[name]


def array_of(call: ast.Call) -> Array:
    """The array of `array(dtype, shape, elements)`, where elements may be `[one] * count`."""
    line = call.lineno
    if len(call.args) != 3 or call.keywords:
        fail(f"{ast.unparse(call)} is no array", line, "array(dtype, shape, elements)")
    dtype, shape = _dtype(plain(call.args[0]), line), _sizes(call.args[1])
    listed, count = _listed(call.args[2])
    if len(listed) * count != math.prod(shape):
        fail(f"{len(listed) * count} elements do not fill the shape {shape}", line)
    flat = _filled([_element(e, dtype) for e in listed] * count, dtype, line)
    return flat.reshape(shape)


def _listed(expression: ast.expr) -> tuple[list[ast.expr], int]:
    """The elements of a list, and how often they are repeated."""
    count: Any = 1
    if isinstance(expression, ast.BinOp) and isinstance(expression.op, ast.Mult):
        count = plain(expression.right)
        expression = expression.left
    if not isinstance(expression, ast.List) or not isinstance(count, int):
        fail(f"the elements {ast.unparse(expression)} are no list", expression.lineno)
    return expression.elts, count


def _sizes(expression: ast.expr) -> tuple[int, ...]:
    sizes = [plain(e) for e in expression.elts] if isinstance(expression, ast.Tuple) else None
    if sizes is None or not all(isinstance(n, int) and n >= 0 for n in sizes):
        fail(f"{ast.unparse(expression)} is no shape", expression.lineno)
    return tuple(sizes)


def _element(expression: ast.expr, dtype: DType) -> Any:
    """One element: a number, or the bits of a nan that is not the usual one."""
    if not isinstance(expression, ast.Call):
        return plain(expression)
    maker, arguments = name_of(expression.func), expression.args
    if maker == "bits" and len(arguments) == 1:
        return np.asarray(plain(arguments[0]), UNSIGNED[dtype.size]).view(dtype.numpy)[()]
    if maker == "complex" and len(arguments) == 2:
        whole = np.empty((), dtype.numpy)
        whole.real, whole.imag = (_element(a, dtype.real_dtype) for a in arguments)
        return whole[()]
    fail(f"{ast.unparse(expression)} is no element", expression.lineno)


def _filled(elements: list[Any], dtype: DType, line: int) -> Array:
    out = np.empty(len(elements), dtype.numpy)
    try:
        with np.errstate(all="ignore"):
            for index, element in enumerate(elements):
                out[index] = element
    except (ValueError, TypeError, OverflowError) as error:
        fail(f"the elements are no {dtype.name}: {error}", line)
    return out
