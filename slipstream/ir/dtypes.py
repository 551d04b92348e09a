"""Element types: the dtypes of TensorFlow, each tied to its NumPy dtype."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np


class DType:
    """An element type; one object a type, so that `is` compares.

    `dtype == "float32"` and `dtype == np.float32` are true for the equal type, as in TensorFlow.
    """

    def __init__(self, name: str, short: str, kind: str, bits: int) -> None:
        self.name, self.short, self.kind, self.bits = name, short, kind, bits

    @cached_property
    def numpy(self) -> np.dtype[Any]:
        """The NumPy dtype; bfloat16 comes from `ml_dtypes`, strings are objects of `bytes`."""
        if self.kind == "string":
            return np.dtype(object)
        if self.name == "bfloat16":
            import ml_dtypes

            dtype: np.dtype[Any] = np.dtype(ml_dtypes.bfloat16)
            return dtype
        return np.dtype(self.name)

    @property
    def as_numpy_dtype(self) -> type:
        return self.numpy.type

    @property
    def is_floating(self) -> bool:
        return self.kind == "float"

    @property
    def is_complex(self) -> bool:
        return self.kind == "complex"

    @property
    def is_integer(self) -> bool:
        return self.kind in ("int", "uint")

    @property
    def is_unsigned(self) -> bool:
        return self.kind == "uint"

    @property
    def is_bool(self) -> bool:
        return self.kind == "bool"

    @property
    def is_differentiable(self) -> bool:
        """Whether derivatives flow through values of this type."""
        return self.kind in ("float", "complex")

    @property
    def size(self) -> int:
        """Bytes an element."""
        return max(1, self.bits // 8)

    @property
    def real_dtype(self) -> DType:
        return {"complex64": float32, "complex128": float64}.get(self.name, self)

    @property
    def base_dtype(self) -> DType:
        return self

    @property
    def min(self) -> Any:
        return self._limits()[0]

    @property
    def max(self) -> Any:
        return self._limits()[1]

    def _limits(self) -> tuple[Any, Any]:
        if self.is_bool:
            return False, True
        if self.is_integer:
            info = np.iinfo(self.numpy)
            return info.min, info.max
        if self.is_floating:
            import ml_dtypes

            limits: Any = ml_dtypes.finfo(self.numpy)  # type: ignore[no-untyped-call]
            return limits.min, limits.max
        raise TypeError(f"{self.name} has no smallest and largest value")

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if other is None or isinstance(other, DType):
            return False
        try:
            return as_dtype(other) is self
        except TypeError:
            return False

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        return f"tf.{self.name}"

    def __str__(self) -> str:
        return f"<dtype: '{self.name}'>"

    def __reduce__(self) -> tuple[Any, ...]:
        return as_dtype, (self.name,)


float16 = DType("float16", "f16", "float", 16)
bfloat16 = DType("bfloat16", "bf16", "float", 16)
float32 = DType("float32", "f32", "float", 32)
float64 = DType("float64", "f64", "float", 64)
int8 = DType("int8", "i8", "int", 8)
int16 = DType("int16", "i16", "int", 16)
int32 = DType("int32", "i32", "int", 32)
int64 = DType("int64", "i64", "int", 64)
uint8 = DType("uint8", "u8", "uint", 8)
uint16 = DType("uint16", "u16", "uint", 16)
uint32 = DType("uint32", "u32", "uint", 32)
uint64 = DType("uint64", "u64", "uint", 64)
bool_ = DType("bool", "bool", "bool", 8)
complex64 = DType("complex64", "c64", "complex", 64)
complex128 = DType("complex128", "c128", "complex", 128)
string = DType("string", "str", "string", 64)

ALL: tuple[DType, ...] = (
    float16, bfloat16, float32, float64, int8, int16, int32, int64, uint8, uint16, uint32, uint64,
    bool_, complex64, complex128, string,
)  # fmt: skip
FLOATS: tuple[DType, ...] = (float16, bfloat16, float32, float64)
INTEGERS: tuple[DType, ...] = tuple(d for d in ALL if d.is_integer)
COMPLEX: tuple[DType, ...] = (complex64, complex128)

_BY_NAME = {d.name: d for d in ALL} | {"half": float16, "float": float32, "double": float64}
_BY_NUMPY: dict[np.dtype[Any], DType] = {
    d.numpy: d for d in ALL if d.name not in ("bfloat16", "string")
}
_BY_PYTHON: dict[type, DType] = {
    bool: bool_, int: int32, float: float32, complex: complex128, str: string, bytes: string,
}  # fmt: skip


def from_numpy(dtype: np.dtype[Any]) -> DType:
    """The element type of a NumPy array's dtype."""
    found = _BY_NUMPY.get(dtype)
    return found if found is not None else as_dtype(dtype)


def as_dtype(dtype: Any) -> DType:
    """The `DType` that a `DType`, a name, a NumPy dtype or a Python type stands for.

    Raises TypeError for anything else.
    """
    if isinstance(dtype, DType):
        return dtype
    if isinstance(dtype, str) and dtype in _BY_NAME:
        return _BY_NAME[dtype]
    if isinstance(dtype, type) and dtype in _BY_PYTHON:
        return _BY_PYTHON[dtype]
    try:
        numpy = np.dtype(dtype)
    except TypeError:
        raise TypeError(f"{dtype!r} is not a dtype; the dtypes are {sorted(_BY_NAME)}") from None
    if numpy.kind in "OSU":
        return string
    if numpy.name not in _BY_NAME:
        raise TypeError(f"NumPy's {numpy} has no tensor dtype; they are {sorted(_BY_NAME)}")
    return _BY_NAME[numpy.name]
