"""Base of metrics: variables that `update_state` adds to and `result` reads."""

from __future__ import annotations

from typing import Any

import numpy as np

from slipstream.keras import initializers
from slipstream.keras.context import name_scope
from slipstream.keras.dtype_policy import get as policy_of
from slipstream.keras.naming import auto_name
from slipstream.keras.variables import KerasVariable
from slipstream.runtime.variable import Variable


class Metric:
    """`update_state(y_true, y_pred, sample_weight)` adds to variables; `result()` reads them.

    Variables are made in `__init__` by `add_variable`. `metric(...)` updates and gives the result.
    Everything is public operations, so that a metric works eagerly and traced.
    """

    def __init__(self, dtype: Any = None, name: str | None = None) -> None:
        self.name = name or auto_name(type(self).__name__)
        self._policy = policy_of(dtype)
        self._made: list[Any] = []

    @property
    def dtype(self) -> str:
        return self._policy.compute_dtype

    def add_variable(
        self, shape: Any = (), initializer: Any = None, dtype: Any = None, aggregation: Any = None,
        name: str | None = None,
    ) -> Any:  # fmt: skip
        """A variable that `reset_state` sets to zero."""
        with name_scope(self.name):
            variable = KerasVariable(
                initializers.get("zeros" if initializer is None else initializer),
                shape=shape,
                dtype=dtype or self._policy.variable_dtype,
                trainable=False,
                autocast=False,
                name=name,
            )
        self._made.append(variable)
        return variable

    def add_weight(
        self, shape: Any = (), initializer: Any = None, dtype: Any = None, name: str | None = None,
        **_: Any,
    ) -> Any:  # fmt: skip
        """`add_variable`; the name may come first, as in Keras 2."""
        if isinstance(shape, str):
            shape, name = (), shape
        return self.add_variable(shape, initializer, dtype, name=name)

    @property
    def variables(self) -> list[Any]:
        """The variables of the metric and of the metrics in its attributes."""
        found = [v for v in vars(self).values() if isinstance(v, Variable)]
        for value in vars(self).values():
            for item in value if isinstance(value, (list, tuple)) else [value]:
                if isinstance(item, Metric):
                    found += item.variables
        return list({id(v): v for v in [*self._made, *found]}.values())

    weights = variables

    def reset_state(self) -> None:
        """Begin anew."""
        for variable in self.variables:
            variable.assign(_zeros(variable))

    def reset_states(self) -> None:
        """`reset_state`, as Keras 2 called it."""
        self.reset_state()

    def update_state(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} does not override update_state")

    def result(self) -> Any:
        raise NotImplementedError(f"{type(self).__name__} does not override result")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.update_state(*args, **kwargs)
        return self.result()

    def get_config(self) -> dict[str, Any]:
        """The arguments the metric can be made again with."""
        return {"name": self.name, "dtype": self.dtype}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        return cls(**config)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"


def _zeros(variable: Any) -> Any:
    return np.zeros(tuple(variable.shape), variable.dtype.numpy)
