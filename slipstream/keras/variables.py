"""Weights: variables with a path, and with what regularises and constrains them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from slipstream.ir.dtypes import as_dtype
from slipstream.keras import config
from slipstream.keras.context import FRAME, path_of
from slipstream.primitives.base import REGISTRY
from slipstream.runtime.variable import Variable


class KerasVariable(Variable):
    """A variable of a layer, optimizer or metric.

    `name` is 'kernel', `path` is 'sequential/dense/kernel'. Assignable: `trainable`,
    `regularizer`, `constraint`.
    """

    __hash__ = Variable.__hash__

    def __init__(
        self,
        initializer: Any,
        shape: Any = None,
        dtype: Any = None,
        trainable: bool = True,
        autocast: bool = True,
        name: str | None = None,
        regularizer: Callable[[Any], Any] | None = None,
        constraint: Callable[[Any], Any] | None = None,
    ) -> None:
        dtype = as_dtype(dtype or config.floatx())
        initial = initializer
        if callable(initializer) and shape is not None:
            sizes = tuple(int(n) for n in shape)
            initial = lambda: initializer(sizes, dtype=dtype)  # noqa: E731
        super().__init__(initial, trainable=trainable, name=name or "variable", dtype=dtype)
        self.path = path_of(self._name)
        self.autocast, self.born_trainable = autocast, bool(trainable)
        self.regularizer, self.constraint = regularizer, constraint

    @property
    def name(self) -> str:
        return self._name

    def _operand(self) -> Any:
        tensor = super()._operand()
        wanted = FRAME.autocast
        if wanted is None or wanted is tensor.dtype or not self.autocast:
            return tensor
        return REGISTRY["cast"](tensor, dtype=wanted) if tensor.dtype.is_floating else tensor

    def __reduce__(self) -> tuple[Any, ...]:
        arguments = (self.numpy(), None, self.dtype.name, self._trainable, self.autocast, self.name)
        return KerasVariable, arguments

    def __repr__(self) -> str:
        return f"<Variable path={self.path}, shape={self.shape}, dtype={self.dtype.name}>"
