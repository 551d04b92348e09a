"""Variables: cells that hold an array, and the public `Variable` on top.

A graph knows no variables. Reading a cell while tracing adds the cell's content as an input of the
program; writing it
makes the new content an output. Outside a trace both happen at once.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import numpy as np

from slipstream.errors import InvalidArgumentError, message
from slipstream.ir.dtypes import DType, as_dtype, from_numpy
from slipstream.ir.graph import Array
from slipstream.ir.memory import aligned_copy
from slipstream.ir.types import TensorType
from slipstream.primitives.base import LEVEL, REGISTRY, current
from slipstream.runtime.convert import convert
from slipstream.runtime.operators import Operators
from slipstream.runtime.shape import TensorShape
from slipstream.runtime.tensor import EagerTensor


class Cell:
    """The storage of a variable: an array, or None before it has a content.

    `owned` says that no tensor shares the array, so that a program may write into it.
    """

    __slots__ = ("__weakref__", "_tensor", "array", "owned", "type", "variable")

    def __init__(self, array: Array | None, type: TensorType | None = None) -> None:
        self.variable: Callable[[], Any] = _nothing  # a weak reference to the variable on top
        self.array: Any = array
        self.type = type or TensorType(array.shape, from_numpy(array.dtype))  # type: ignore[union-attr]
        self.owned = False
        self._tensor: EagerTensor | None = None

    def tensor(self) -> EagerTensor:
        """The content as a tensor, the same one until the cell is written."""
        if self._tensor is None or self._tensor.array is not self.array:
            self._tensor = EagerTensor(self.array)
        self.owned = False
        return self._tensor

    def replace(self, array: Array, *, owned: bool = False) -> None:
        """New content of the same type."""
        self.array, self.owned, self._tensor = array, owned, None

    def exclusive(self) -> Array:
        """The content in an array that nothing else shares."""
        if not self.owned:
            self.replace(aligned_copy(self.array), owned=True)
        return self.array

    def read(self) -> Any:
        return current().read_cell(self)  # type: ignore[attr-defined]

    def write(self, operand: Any) -> None:
        current().write_cell(self, operand)  # type: ignore[attr-defined]


def _nothing() -> None:
    return None


class Variable(Operators):
    """A tensor that assignment changes; programs read and write it.

    `initial_value` is anything a tensor can be made of, or a function without arguments that gives
    it.
    """

    __hash__ = Operators.__hash__

    def __init__(
        self,
        initial_value: Any = None,
        trainable: bool = True,
        validate_shape: bool = True,
        name: str | None = None,
        dtype: Any = None,
        shape: Any = None,
        **_placement: Any,
    ) -> None:
        array = initial_array(initial_value, dtype)
        if shape is not None and not TensorShape(shape).is_compatible_with(array.shape):
            raise ValueError(f"the initial value has shape {array.shape}, not {tuple(shape)}")
        self.cell = Cell(array)
        self.cell.variable = weakref.ref(self)
        self._trainable = bool(trainable)
        self._name = name or "Variable"
        note = getattr(current(), "variable_created", None)
        if note is not None:
            note(self)

    def _operand(self) -> Any:
        tensor = self.cell.read()
        for recorder in LEVEL.recorders:
            recorder.read(self, tensor)  # type: ignore[attr-defined]
        return tensor

    def value(self) -> Any:
        """The content as a tensor, which later assignments do not change."""
        return self._operand()

    read_value = value

    @property
    def trainable(self) -> bool:
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._trainable = bool(value)

    @property
    def type(self) -> TensorType:
        return self.cell.type

    @property
    def shape(self) -> TensorShape:
        return TensorShape(self.cell.type.shape)

    def get_shape(self) -> TensorShape:
        return self.shape

    @property
    def ndim(self) -> int:
        return self.cell.type.rank

    @property
    def dtype(self) -> DType:
        return self.cell.type.dtype

    @property
    def name(self) -> str:
        return f"{self._name}:0"

    @property
    def device(self) -> str:
        return "/job:localhost/replica:0/task:0/device:CPU:0"

    def numpy(self) -> Any:
        """A copy of the content as a NumPy array; of rank 0, a NumPy scalar."""
        return self.cell.array.copy() if self.cell.type.shape else self.cell.array[()]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.array(self.value(), dtype=dtype)

    def assign(
        self, value: Any, use_locking: bool = False, name: Any = None, read_value: bool = True
    ) -> Variable:
        """Replace the content. ValueError if the shape is another one."""
        tensor = convert(value, self.dtype)
        if tensor.type.shape != self.type.shape:
            raise ValueError(
                message(
                    f"assign to {self._name}",
                    "the value has another shape than the variable",
                    expected=str(self.shape),
                    received={"value": tensor.shape},
                )
            )
        self.cell.write(tensor)
        return self

    def assign_add(
        self, delta: Any, use_locking: bool = False, name: Any = None, read_value: bool = True
    ) -> Variable:
        """Add to the content."""
        return self.assign(REGISTRY["add"](self._operand(), convert(delta, self.dtype)))

    def assign_sub(
        self, delta: Any, use_locking: bool = False, name: Any = None, read_value: bool = True
    ) -> Variable:
        """Subtract from the content."""
        return self.assign(REGISTRY["subtract"](self._operand(), convert(delta, self.dtype)))

    def scatter_nd_add(self, indices: Any, updates: Any, name: Any = None) -> Variable:
        """Add `updates` at `indices`, as `tf.tensor_scatter_nd_add`."""
        return self._scattered("scatter_nd_add", indices, updates)

    def scatter_nd_sub(self, indices: Any, updates: Any, name: Any = None) -> Variable:
        return self._scattered("scatter_nd_add", indices, -convert(updates, self.dtype))

    def scatter_nd_update(self, indices: Any, updates: Any, name: Any = None) -> Variable:
        return self._scattered("scatter_nd_update", indices, updates)

    def _scattered(self, name: str, indices: Any, updates: Any) -> Variable:
        updates = convert(updates, self.dtype)
        return self.assign(REGISTRY[name](self._operand(), convert(indices), updates))

    def __len__(self) -> int:
        return len(self._operand())

    def __iter__(self) -> Any:
        return iter(self._operand())

    def __bool__(self) -> bool:
        return bool(self._operand())

    def __int__(self) -> int:
        return int(self._operand())

    def __float__(self) -> float:
        return float(self._operand())

    def __index__(self) -> int:
        return int(self._operand().__index__())

    def __format__(self, spec: str) -> str:
        return format(self.value(), spec) if spec else str(self)

    def __deepcopy__(self, memo: Any) -> Variable:
        copied = Variable(self.numpy(), self._trainable, name=self._name)
        memo[id(self)] = copied
        return copied

    def __reduce__(self) -> tuple[Any, ...]:
        return Variable, (self.numpy(), self._trainable, True, self._name)

    def __repr__(self) -> str:
        return (
            f"<tf.Variable '{self.name}' shape={self.shape} dtype={self.dtype.name}, "
            f"numpy={self.cell.array!r}>"
        )


def initial_array(initial_value: Any, dtype: Any) -> Array:
    if initial_value is None:
        raise ValueError("a variable needs an initial value: tf.Variable(tf.zeros([2, 3]))")
    interpreter = current()
    evaluate_initial: Callable[..., Array] | None = getattr(interpreter, "initial_array", None)
    if evaluate_initial is not None:  # while tracing: variables are made outside the program
        return evaluate_initial(initial_value, dtype)
    if callable(initial_value) and not isinstance(initial_value, Operators):
        initial_value = initial_value()
    tensor = convert(initial_value)
    wanted = as_dtype(dtype) if dtype is not None else tensor.dtype
    if isinstance(initial_value, Operators) and wanted is not tensor.dtype:
        raise InvalidArgumentError(
            f"the initial value is {tensor.dtype.name}, the variable {wanted.name}; cast it"
        )
    tensor = tensor if wanted is tensor.dtype else convert(initial_value, wanted)
    return np.array(tensor.array, copy=True, order="C")
