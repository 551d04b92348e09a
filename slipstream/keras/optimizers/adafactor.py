"""Adafactor."""

from __future__ import annotations

from typing import Any

from slipstream.keras.optimizers.optimizer import Optimizer
from slipstream.ops.arithmetic import maximum, minimum, pow, rsqrt, sqrt, square
from slipstream.ops.conversion import cast
from slipstream.ops.reduction import reduce_mean
from slipstream.ops.shaping import expand_dims


def _size(x: Any) -> Any:
    """The root mean square of all elements."""
    return sqrt(reduce_mean(square(x)))


class Adafactor(Optimizer):
    """Steps by the root mean square of the gradients, of which matrices keep only the means of rows
    and columns (Shazeer and Stern 2018).

    `relative_step` limits the rate to 1 / sqrt(step); the rate is that of the variable's size.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_2_decay: float = -0.8,
        epsilon_1: float = 1e-30,
        epsilon_2: float = 1e-3,
        clip_threshold: float = 1.0,
        relative_step: bool = True,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        name: str = "adafactor",
        **options: Any,
    ) -> None:
        super().__init__(
            learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, name, **options
        )
        self.beta_2_decay, self.epsilon_1, self.epsilon_2 = beta_2_decay, epsilon_1, epsilon_2
        self.clip_threshold, self.relative_step = clip_threshold, relative_step

    def build(self, variables: Any) -> None:
        if self.built:
            return
        super().build(variables)
        self._rows, self._columns, self._squares = [], [], []
        for variable in self._trainable_variables:
            shape = tuple(int(n) for n in variable.shape)
            matrix = len(shape) > 1
            rows, columns = (shape[:-1], (*shape[:-2], shape[-1])) if matrix else ((), ())
            self._rows.append(self._slot(variable, rows, "r"))
            self._columns.append(self._slot(variable, columns, "c"))
            self._squares.append(self.add_variable_from_reference(variable, "velocity"))

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        place, step = self.index_of(variable), cast(self.iterations + 1, variable.dtype)
        rate = minimum(learning_rate, rsqrt(step)) if self.relative_step else learning_rate
        rate = maximum(_size(variable), self.epsilon_2) * rate
        kept = 1 - pow(step, self.beta_2_decay)
        squares = square(gradient) + self.epsilon_1
        if len(gradient.shape) > 1:
            rows, columns = self._rows[place], self._columns[place]
            rows.assign(rows * kept + reduce_mean(squares, axis=-1) * (1 - kept))
            columns.assign(columns * kept + reduce_mean(squares, axis=-2) * (1 - kept))
            shares = rows / reduce_mean(rows, axis=-1, keepdims=True)
            self._squares[place].assign(expand_dims(shares, -1) * expand_dims(columns, -2))
        else:
            moving = self._squares[place]
            moving.assign(moving * kept + squares * (1 - kept))
        direction = gradient * rsqrt(self._squares[place].value())
        limit = maximum(_size(direction) / self.clip_threshold, 1.0)
        variable.assign_sub(direction / limit * rate)

    def get_config(self) -> dict[str, Any]:
        names = ("beta_2_decay", "epsilon_1", "epsilon_2", "clip_threshold", "relative_step")
        return super().get_config() | {name: getattr(self, name) for name in names}
