"""`KerasTensor`: what a layer is called with to draw a functional model. A shape, a dtype, no
numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from slipstream.ir.dtypes import DType, as_dtype
from slipstream.keras.naming import auto_name
from slipstream.runtime.convert import TensorLike
from slipstream.runtime.eager import EAGER
from slipstream.runtime.function import TensorSpec
from slipstream.runtime.shape import TensorShape
from slipstream.runtime.structure import flatten, map_structure


def _binary(name: str, swapped: bool = False) -> Any:
    def operator(self: KerasTensor, other: Any) -> Any:
        pair = (other, self) if swapped else (self, other)
        return KerasTensor.hooks["operator"](name, pair)

    return operator


def _unary(name: str) -> Any:
    def operator(self: KerasTensor) -> Any:
        return KerasTensor.hooks["operator"](name, (self,))

    return operator


class KerasTensor(TensorLike):
    """The output of `Input` or of a layer in a functional model; sizes of `shape` may be None."""

    takes_over = True  # beside a tensor, its own operators are asked
    hooks: ClassVar[dict[str, Callable[..., Any]]] = {}  # set by layers/operation.py

    def __init__(
        self, shape: Any, dtype: Any = "float32", name: str | None = None, **_kinds: Any
    ) -> None:
        self.shape = TensorShape(shape)
        self._dtype = as_dtype(dtype)
        self.name = name or auto_name("keras_tensor")
        self._keras_history: Any = None
        EAGER.symbolic = KerasTensor  # from now on operations look for such arguments

    @property
    def dtype(self) -> DType:
        return self._dtype

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def spec(self) -> TensorSpec:
        return TensorSpec(self.shape, self._dtype)

    def take_over(self, function: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        """An operation met this tensor: it becomes a layer."""
        return KerasTensor.hooks["operation"](function, args, kwargs)

    def _operand(self) -> Any:
        raise ValueError(
            "A KerasTensor is symbolic: it's a placeholder for a shape and a dtype. It doesn't "
            "have any actual numerical value, and cannot be used inside a traced function or "
            f"converted to an array. Received: {self!r}. Use it in layers, or in functions of "
            "slipstream called outside of tf.function."
        )

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return self._operand()

    def __bool__(self) -> bool:
        raise TypeError("A symbolic KerasTensor cannot be used as a boolean.")

    def __iter__(self) -> Any:
        raise TypeError("Iterating over a symbolic KerasTensor is not supported.")

    def __len__(self) -> int:
        if not self.shape or self.shape[0] is None:
            raise TypeError("The length of this KerasTensor is not known.")
        return int(self.shape[0])

    def __getitem__(self, key: Any) -> Any:
        return KerasTensor.hooks["operator"]("getitem", (self, key))

    __array_priority__ = 200.0  # so that `numpy_array + tensor` asks this tensor
    __add__, __radd__ = _binary("add"), _binary("add", True)
    __sub__, __rsub__ = _binary("subtract"), _binary("subtract", True)
    __mul__, __rmul__ = _binary("multiply"), _binary("multiply", True)
    __truediv__, __rtruediv__ = _binary("divide"), _binary("divide", True)
    __floordiv__, __rfloordiv__ = _binary("floordiv"), _binary("floordiv", True)
    __mod__, __rmod__ = _binary("mod"), _binary("mod", True)
    __pow__, __rpow__ = _binary("pow"), _binary("pow", True)
    __matmul__, __rmatmul__ = _binary("matmul"), _binary("matmul", True)
    __lt__, __le__, __gt__ = _binary("less"), _binary("less_equal"), _binary("greater")
    __ge__, __and__, __or__ = _binary("greater_equal"), _binary("and"), _binary("or")
    __neg__, __abs__, __invert__ = _unary("negative"), _unary("abs"), _unary("invert")
    __hash__ = object.__hash__

    def __repr__(self) -> str:
        facts = f"shape={self.shape}, dtype={self._dtype.name}"
        return f"<KerasTensor {facts}, name={self.name}>"


def is_keras_tensor(item: Any) -> bool:
    return isinstance(item, KerasTensor)


def any_symbolic(structure: Any) -> bool:
    """Whether a KerasTensor is among the leaves."""
    return any(isinstance(leaf, KerasTensor) for leaf in flatten(structure))


def to_specs(structure: Any) -> Any:
    """TensorSpecs in the place of KerasTensors."""
    return map_structure(lambda t: t.spec if isinstance(t, KerasTensor) else t, structure)


def of_specs(structure: Any) -> Any:
    """KerasTensors in the place of TensorSpecs."""
    return map_structure(
        lambda s: KerasTensor(s.shape, s.dtype) if isinstance(s, TensorSpec) else s, structure
    )
