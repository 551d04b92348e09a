"""The Python operators of tensors and variables, and how the two sides of one are brought to one
dtype.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from slipstream.ir.dtypes import float64
from slipstream.primitives.base import REGISTRY
from slipstream.primitives.elementwise import cast
from slipstream.runtime.convert import TensorLike, beside


def divided(x: Any, y: Any) -> Any:
    """True division; integers are divided as float64, as Python's are."""
    if x.dtype.is_integer:
        x, y = cast(x, dtype=float64), cast(y, dtype=float64)
    return REGISTRY["divide"](x, y)


def magnitude(x: Any) -> Any:
    """|x|; real for complex x, and x itself where nothing is negative."""
    if x.dtype.is_complex:
        return REGISTRY["modulus"](x)
    return x if x.dtype.is_unsigned or x.dtype.is_bool else REGISTRY["absolute"](x)


def _bits(logical: str, bitwise: str) -> Callable[[Any, Any], Any]:
    def function(x: Any, y: Any) -> Any:
        return REGISTRY[logical if x.dtype.is_bool else bitwise](x, y)

    function.__name__ = logical
    return function


def _binary(function: Callable[[Any, Any], Any], swapped: bool = False) -> Any:
    def operator(self: Operators, other: Any) -> Any:
        mine = self._operand()
        theirs = other if type(other) is type(mine) else self._beside(mine, other)
        if theirs is NotImplemented:
            return NotImplemented
        return function(theirs, mine) if swapped else function(mine, theirs)

    return operator


class Operators(TensorLike):
    """Mixed into Tensor and Variable; `_operand()` is the tensor the operators work on."""

    __slots__ = ()
    __array_priority__ = 100.0  # so that `numpy_array + tensor` asks the tensor
    hooks: ClassVar[
        dict[str, Callable[..., Any]]
    ] = {}  # what higher floors provide: getitem, matmul

    def _beside(self, mine: Any, other: Any) -> Any:
        """`other` as an operand beside `mine`, or NotImplemented if it knows better itself."""
        if getattr(type(other), "takes_over", False):
            return NotImplemented
        return beside(other, mine.dtype)

    __add__ = _binary(REGISTRY["add"])
    __radd__ = _binary(REGISTRY["add"], swapped=True)
    __sub__ = _binary(REGISTRY["subtract"])
    __rsub__ = _binary(REGISTRY["subtract"], swapped=True)
    __mul__ = _binary(REGISTRY["multiply"])
    __rmul__ = _binary(REGISTRY["multiply"], swapped=True)
    __truediv__ = _binary(divided)
    __rtruediv__ = _binary(divided, swapped=True)
    __floordiv__ = _binary(REGISTRY["floor_divide"])
    __rfloordiv__ = _binary(REGISTRY["floor_divide"], swapped=True)
    __mod__ = _binary(REGISTRY["floor_mod"])
    __rmod__ = _binary(REGISTRY["floor_mod"], swapped=True)
    __pow__ = _binary(REGISTRY["power"])
    __rpow__ = _binary(REGISTRY["power"], swapped=True)
    __lt__ = _binary(REGISTRY["less"])
    __le__ = _binary(REGISTRY["less_equal"])
    __gt__ = _binary(REGISTRY["greater"])
    __ge__ = _binary(REGISTRY["greater_equal"])
    __and__ = _binary(_bits("logical_and", "bitwise_and"))
    __rand__ = _binary(_bits("logical_and", "bitwise_and"), swapped=True)
    __or__ = _binary(_bits("logical_or", "bitwise_or"))
    __ror__ = _binary(_bits("logical_or", "bitwise_or"), swapped=True)
    __xor__ = _binary(_bits("logical_xor", "bitwise_xor"))
    __rxor__ = _binary(_bits("logical_xor", "bitwise_xor"), swapped=True)
    __matmul__ = _binary(lambda x, y: Operators.hooks["matmul"](x, y))
    __rmatmul__ = _binary(lambda x, y: Operators.hooks["matmul"](x, y), swapped=True)

    def __eq__(self, other: object) -> Any:
        return self._compared(other, "equal")

    def __ne__(self, other: object) -> Any:
        return self._compared(other, "not_equal")

    def _compared(self, other: Any, name: str) -> Any:
        """Element-wise, as in TensorFlow 2; a comparison with None or an unlike thing is not."""
        if other is None:
            return name == "not_equal"
        mine = self._operand()
        theirs = other if type(other) is type(mine) else self._beside(mine, other)
        return NotImplemented if theirs is NotImplemented else REGISTRY[name](mine, theirs)

    def __neg__(self) -> Any:
        return REGISTRY["negative"](self._operand())

    def __pos__(self) -> Any:
        return self._operand()

    def __abs__(self) -> Any:
        return magnitude(self._operand())

    def __invert__(self) -> Any:
        mine = self._operand()
        return REGISTRY["logical_not" if mine.dtype.is_bool else "invert"](mine)

    def __getitem__(self, key: Any) -> Any:
        return Operators.hooks["getitem"](self._operand(), key)

    def __hash__(self) -> int:
        raise TypeError(f"{type(self).__name__} is unhashable; use its .ref() as the key")

    def ref(self) -> Reference:
        """A hashable reference, equal for the same object."""
        return Reference(self)


class Reference:
    """What `.ref()` gives: a key for dictionaries and sets; `.deref()` is the object."""

    __slots__ = ("_object",)

    def __init__(self, object: Any) -> None:
        self._object = object

    def deref(self) -> Any:
        return self._object

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Reference) and other._object is self._object

    def __hash__(self) -> int:
        return id(self._object)
