"""Making tensors of what users write: numbers, lists, NumPy arrays, variables, lists of tensors."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from slipstream.errors import message
from slipstream.ir.dtypes import DType, as_dtype, float32, int32, int64, string
from slipstream.ir.graph import Array
from slipstream.ir.types import TensorType
from slipstream.primitives.base import REGISTRY, current


class TensorLike:
    """What can stand for a tensor: a tensor itself, or a variable. `_operand()` is that tensor."""

    __slots__ = ()

    def _operand(self) -> Any:
        raise TypeError(f"{type(self).__name__} does not stand for a tensor")


def is_tensor(x: Any) -> bool:
    """Whether x is a tensor, or a variable, which stands for one."""
    return isinstance(x, TensorLike)


_PYTHON_NUMBERS = {bool: np.dtype(bool), int: np.dtype(np.int32), float: np.dtype(np.float32)}


def convert(value: Any, dtype: Any = None, name: str = "value") -> Any:
    """`value` as a Tensor, of `dtype` if it is given.

    Tensors and variables must have that dtype already (ValueError); Python numbers, lists and
    arrays are converted.
    Without a dtype: integers become int32 (int64 if they need it), floats float32, arrays keep
    theirs.
    """
    if isinstance(value, TensorLike):
        tensor = value._operand()
        if dtype is not None and tensor.dtype is not as_dtype(dtype):
            raise ValueError(
                message(
                    "convert_to_tensor",
                    "the tensor has another dtype, and none is converted silently",
                    expected=as_dtype(dtype).name,
                    received={name: tensor.type},
                    hint="tf.cast",
                )
            )
        return tensor
    wanted = None if dtype is None else as_dtype(dtype)
    if isinstance(value, (list, tuple)) and _holds_tensors(value):
        return _stacked([convert(item, wanted, name) for item in value])
    return current().constant(as_array(value, wanted, name))


def _holds_tensors(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return any(_holds_tensors(item) for item in value)
    return isinstance(value, TensorLike)


def _stacked(tensors: list[Any]) -> Any:
    dtype = tensors[0].dtype
    rows = [t if t.dtype is dtype else REGISTRY["cast"](t, dtype=dtype) for t in tensors]
    rows = [REGISTRY["reshape"](t, shape=(1, *t.shape)) for t in rows]
    return REGISTRY["concat"](*rows, axis=0)


def as_array(value: Any, dtype: DType | None, name: str = "value") -> Array:
    """A fresh array of a Python value, checked not to lose anything; TypeError, ValueError if it
    would.
    """
    if isinstance(value, np.ndarray | np.generic):
        return _array_of_numpy(value, dtype, name)
    number = _PYTHON_NUMBERS.get(type(value))
    if number is not None and dtype is not None and dtype.kind != "string":
        _check_number(value, dtype, name)
        return np.array(value, dtype.numpy)
    if hasattr(value, "__array__"):
        return _array_of_numpy(np.asarray(value), dtype, name)
    if value is None:
        raise ValueError(message("convert_to_tensor", "None is not a value", received={name: None}))
    return _array_of_list(value, dtype, name)


def _check_number(value: Any, dtype: DType, name: str) -> None:
    fits = (
        (dtype.is_integer and isinstance(value, int) and not isinstance(value, bool))
        or (dtype.is_bool and isinstance(value, bool))
        or (dtype.is_differentiable and not isinstance(value, bool))
    )
    if fits and dtype.is_integer and not dtype.min <= value <= dtype.max:
        fits = False
    if not fits:
        raise TypeError(
            message(
                "convert_to_tensor",
                f"{value!r} cannot become {dtype.name} without a loss",
                received={name: repr(value)},
                hint="tf.cast",
            )
        )


def _array_of_numpy(value: Any, dtype: DType | None, name: str) -> Array:
    array = np.asarray(value)
    if array.dtype.kind in "SU" or (array.dtype.hasobject and array.size):
        return _strings(array, dtype, name)
    found = as_dtype(array.dtype)
    wanted = dtype or found
    if wanted is not found and not _same_sort(found, wanted):
        raise TypeError(
            message(
                "convert_to_tensor",
                f"an array of {found.name} does not become {wanted.name} silently",
                received={name: TensorType(array.shape, found)},
                hint="tf.cast",
            )
        )
    return np.array(array, wanted.numpy, order="C", copy=True)


def _same_sort(found: DType, wanted: DType) -> bool:
    """Whether an array may be converted: within a kind, or up from integers to complex."""
    order = {"bool": 0, "uint": 1, "int": 1, "float": 2, "complex": 3, "string": 9}
    low, high = order[found.kind], order[wanted.kind]
    return low == high or (low in (1, 2) and high in (2, 3))


def _strings(array: Array, dtype: DType | None, name: str) -> Array:
    flat = [_bytes(item, name) for item in array.reshape(-1)]
    if dtype not in (None, string):
        raise TypeError(
            message("convert_to_tensor", f"text does not become {dtype}", received={name: array})
        )
    out = np.empty(len(flat), object)
    out[:] = flat
    return out.reshape(array.shape)


def _bytes(item: Any, name: str) -> bytes:
    if isinstance(item, str):
        return item.encode()
    if isinstance(item, bytes):
        return item
    kind = type(item).__name__
    text = f"a {kind} is neither a number nor text; ragged lists are not tensors"
    raise ValueError(message("convert_to_tensor", text, received={name: repr(item)[:60]}))


def _array_of_list(value: Any, dtype: DType | None, name: str) -> Array:
    try:
        array = np.array(value)
    except (ValueError, TypeError) as error:
        raise ValueError(
            message("convert_to_tensor", "the value is not rectangular", received={name: error})
        ) from None
    if array.dtype.kind in "SUO":
        array = np.array(value, dtype=object)
        return _strings(array, dtype, name)
    if dtype is None:
        return array.astype(_default_dtype(array).numpy)
    _check_list(array, dtype, {name: repr(value)[:60]})
    if array.dtype.kind == "i" and dtype.is_integer and array.size:
        for extreme in (array.min(), array.max()):
            _check_number(int(extreme), dtype, name)
    return array.astype(dtype.numpy)


def _check_list(array: Array, dtype: DType, received: dict[str, Any]) -> None:
    """TypeError where the elements of a list would lose something."""
    sorts = {"f": "floats", "i": "integers", "b": "truth values", "c": "complex numbers"}
    found, kind = sorts.get(array.dtype.kind, "values"), array.dtype.kind
    loses = (
        (kind == "f" and dtype.is_integer)
        or (kind == "c" and not dtype.is_complex)
        or ((kind == "b") is not dtype.is_bool)
    )
    if array.size and loses:
        text = f"{found} do not become {dtype.name} silently"
        raise TypeError(message("convert_to_tensor", text, received=received, hint="tf.cast"))


def _default_dtype(array: Array) -> DType:
    """What a list of Python numbers becomes: float32 and int32, wider integers int64."""
    if array.dtype.kind == "f":
        return float32
    if array.dtype.kind in "iu":
        wide = array.size and (array.min() < int32.min or array.max() > int32.max)
        return int64 if wide else int32
    return as_dtype(array.dtype)


def convert_together(*values: Any, dtype: Any = None) -> list[Any]:
    """Several values as tensors of one dtype: that of the first tensor, to which numbers adapt."""
    if dtype is None:
        operands = [v._operand() for v in values if isinstance(v, TensorLike)]
        if len(operands) == len(values):
            return operands
    wanted = as_dtype(dtype) if dtype is not None else _shared_dtype(values)
    return [v._operand() if isinstance(v, TensorLike) else convert(v, wanted) for v in values]


def _shared_dtype(values: tuple[Any, ...]) -> DType | None:
    for value in values:
        if isinstance(value, (TensorLike, np.ndarray, np.generic)):
            return as_dtype(value.dtype)
    arrays = [as_array(value, None) for value in values if not _holds_tensors(value)]
    if len(arrays) < len(values) or any(a.dtype.hasobject for a in arrays):
        return None
    return (
        as_dtype(np.result_type(*arrays)) if len({a.dtype.kind for a in arrays}) == 1 else float32
    )


def beside(other: Any, dtype: DType) -> Any:
    """`other` converted to stand beside an operand of `dtype`: numbers and arrays of its kind
    adapt.
    """
    if isinstance(other, TensorLike):
        return other._operand()
    if isinstance(other, (np.ndarray, np.generic)):
        found = as_dtype(other.dtype)
        return convert(other, dtype if found.kind == dtype.kind else None)
    if type(other) in (int, float) and other:  # 0.0 and -0.0 are one key
        return current().constant(_number(type(other), other, dtype.name))
    return convert(other, dtype)


@functools.lru_cache(maxsize=1024)
def _number(kind: type, value: float, dtype: str) -> Array:
    """The array of a number that operators meet again and again; nobody writes to it."""
    array = as_array(value, as_dtype(dtype))
    array.flags.writeable = False
    return array
