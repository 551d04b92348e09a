"""Gradient descent, with momentum."""

from __future__ import annotations

from typing import Any

from slipstream.keras.optimizers.optimizer import Optimizer
from slipstream.ops.shaping import expand_dims
from slipstream.runtime.slices import IndexedSlices


class SGD(Optimizer):
    """w -= rate * g; with momentum m = momentum * m - rate * g, w += m (Nesterov: looks ahead).

    >>> from slipstream.runtime.variable import Variable
    >>> w = Variable(1.0)
    >>> SGD(0.1).apply_gradients([(2.0, w)])
    <Variable path=sgd/iteration, shape=(), dtype=int64>
    >>> round(float(w), 4)
    0.8
    """

    def __init__(
        self,
        learning_rate: Any = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        name: str = "SGD",
        **options: Any,
    ) -> None:
        super().__init__(
            learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, name.lower(),
            **options,
        )  # fmt: skip
        if not isinstance(momentum, float | int) or not 0 <= momentum <= 1:
            raise ValueError(f"`momentum` must be a float between [0, 1]. Received: {momentum}")
        self.momentum, self.nesterov = momentum, nesterov
        self.takes_rows = momentum == 0

    def build(self, variables: Any) -> None:
        if self.built:
            return
        super().build(variables)
        if self.momentum:
            (self.momentums,) = self.add_slots(self._trainable_variables, "momentum")

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        if isinstance(gradient, IndexedSlices):
            rows = expand_dims(gradient.indices, axis=-1)
            variable.scatter_nd_sub(rows, gradient.values * learning_rate)
            return
        step = gradient * learning_rate
        if not self.momentum:
            variable.assign_sub(step)
            return
        slot = self.momentums[self.index_of(variable)]
        velocity = slot * self.momentum - step
        slot.assign(velocity)
        variable.assign_add(velocity * self.momentum - step if self.nesterov else velocity)

    def get_config(self) -> dict[str, Any]:
        own = {"momentum": self.momentum, "nesterov": self.nesterov}
        return super().get_config() | own
