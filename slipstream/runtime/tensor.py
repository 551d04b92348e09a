"""`Tensor`: what users hold. Eager ones hold an array; symbolic ones stand for a value of a program
being traced.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from slipstream.errors import InvalidArgumentError, NotWhileTracing, message
from slipstream.ir.dtypes import DType, from_numpy
from slipstream.ir.graph import Array, Constant, Value
from slipstream.ir.memory import copied
from slipstream.ir.types import TensorType
from slipstream.primitives.operand import Operand
from slipstream.runtime.convert import convert, convert_together
from slipstream.runtime.operators import Operators
from slipstream.runtime.shape import TensorShape


class Tensor(Operators, Operand):
    """An array of one dtype that does not change. Made by operations, `constant` and
    `convert_to_tensor`.
    """

    __slots__ = ("__weakref__", "_keras_mask")  # the mask that Keras' layers hand on with a tensor

    def _operand(self) -> Tensor:
        return self

    @property
    def identity(self) -> int:
        return id(self)

    @property
    def shape(self) -> TensorShape:
        return TensorShape(self.type.shape)

    def get_shape(self) -> TensorShape:
        return self.shape

    @property
    def ndim(self) -> int:
        return len(self.type.shape)

    @property
    def name(self) -> str:
        return f"tensor_{self.identity}"

    def set_shape(self, shape: Any) -> None:
        """Check the shape; sizes are always known while a program is traced."""
        self.shape.assert_is_compatible_with(TensorShape(shape))

    def __len__(self) -> int:
        if not self.type.shape:
            raise TypeError("Scalar tensor has no `len()`")
        return self.type.shape[0]

    def __iter__(self) -> Iterator[Any]:
        if not self.type.shape:
            raise TypeError("Cannot iterate over a scalar tensor")
        return (self[i] for i in range(self.type.shape[0]))


class EagerTensor(Tensor):
    """A tensor whose array is known. The array is never written to again."""

    __slots__ = ("_type", "array")

    def __init__(self, array: Array) -> None:
        self.array = array

    @property
    def type(self) -> TensorType:
        try:
            return self._type
        except AttributeError:
            self._type = TensorType(self.array.shape, from_numpy(self.array.dtype))
            return self._type

    @property
    def dtype(self) -> DType:
        return from_numpy(self.array.dtype)

    @property
    def shape(self) -> TensorShape:
        return TensorShape(self.array.shape)

    @property
    def device(self) -> str:
        return "/job:localhost/replica:0/task:0/device:CPU:0"

    def numpy(self) -> Any:
        """A copy as a NumPy array; of rank 0, a NumPy scalar."""
        return copied(self.array) if self.array.shape else self.array[()]

    def tolist(self) -> Any:
        return self.array.tolist()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.array(self.array, dtype=dtype)

    def _scalar(self, kind: type) -> Any:
        if self.array.size != 1:
            raise TypeError(
                f"only a tensor of one element becomes {kind.__name__}, not {self.shape}"
            )
        return kind(self.array.reshape(()).item())

    def __bool__(self) -> bool:
        if self.array.size != 1:
            raise ValueError(
                "The truth value of an array with more than one element is ambiguous. "
                "Use slipstream.reduce_any or slipstream.reduce_all"
            )
        return bool(self.array.reshape(())[()])

    def __int__(self) -> int:
        return int(self._scalar(int))

    def __float__(self) -> float:
        return float(self._scalar(float))

    def __complex__(self) -> complex:
        return complex(self._scalar(complex))

    def __index__(self) -> int:
        if not self.dtype.is_integer:
            raise TypeError(f"a {self.dtype.name} tensor is no index; only integers are")
        return int(self._scalar(int))

    def __format__(self, spec: str) -> str:
        return format(self.array[()], spec) if not self.array.shape else format(str(self), spec)

    def __reduce__(self) -> tuple[Any, ...]:
        return EagerTensor, (self.array,)

    def __deepcopy__(self, memo: Any) -> EagerTensor:
        return self

    def __str__(self) -> str:
        body = _text(self.array, str)
        gap = "\n" if "\n" in body else ""
        return f"tf.Tensor({gap}{body}{',' + gap if gap else ', '}{_facts(self)})".replace(
            ",\nshape", ", shape"
        )

    def __repr__(self) -> str:
        body = _text(self.array, repr)
        gap = "\n" if self.array.shape else ""
        return f"<tf.Tensor: {_facts(self)}, numpy={gap}{body}>"


def _text(array: Array, form: Any) -> str:
    if array.dtype.hasobject or array.shape:
        return str(form(array if array.shape else array[()]))
    return str(form(array[()])) if form is str else str(array[()])


def _facts(tensor: Tensor) -> str:
    shape = tensor.shape
    return f"shape={shape}, dtype={tensor.dtype.name}"


class SymbolicTensor(Tensor):
    """A value of the program that `tracer` draws; it has a shape and a dtype but no numbers yet."""

    __slots__ = ("tracer", "value")

    def __init__(self, value: Value, tracer: Any) -> None:
        self.value, self.tracer = value, tracer

    @property
    def type(self) -> TensorType:
        return self.value.type

    @property
    def identity(self) -> int:
        return id(self.value)

    def _no_numbers(self, what: str) -> Exception:
        return NotWhileTracing(
            message(
                what,
                "a tensor of a program that is being traced has no numbers yet",
                received={"tensor": self.type},
                hint="tf.cond or tf.while_loop for decisions, or work outside the traced function",
            )
        )

    def numpy(self) -> Any:
        raise self._no_numbers("numpy")

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        raise self._no_numbers("array")

    def __bool__(self) -> bool:
        raise self._no_numbers("bool")

    def __int__(self) -> int:
        raise self._no_numbers("int")

    def __float__(self) -> float:
        raise self._no_numbers("float")

    def __repr__(self) -> str:
        return f"<tf.Tensor: {_facts(self)} (traced)>"


def constant_value(tensor: Any) -> Array | None:
    """The array of a tensor that is already known while tracing, else None."""
    if isinstance(tensor, EagerTensor):
        return tensor.array
    if isinstance(tensor, SymbolicTensor) and isinstance(tensor.value, Constant):
        return tensor.value.array
    return None


def require(condition: bool, operation: str, happened: str, **received: Any) -> None:
    """Raise InvalidArgumentError unless the condition holds."""
    if not condition:
        raise InvalidArgumentError(message(operation, happened, received=received))


__all__ = [
    "EagerTensor",
    "SymbolicTensor",
    "Tensor",
    "constant_value",
    "convert",
    "convert_together",
    "require",
]
