"""Relatives of Adam: Adamax, Nadam, Lamb."""

from __future__ import annotations

from typing import Any

from slipstream.keras.optimizers.optimizer import Optimizer
from slipstream.ops.arithmetic import abs as absolute
from slipstream.ops.arithmetic import maximum, pow, sqrt, square
from slipstream.ops.comparison import greater, logical_and
from slipstream.ops.conversion import cast
from slipstream.ops.indexing import where
from slipstream.ops.reduction import reduce_euclidean_norm


class _Moments(Optimizer):
    """An optimizer of two decay rates and two slots."""

    slot_names = ("momentum", "velocity")

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        name: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(
            learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm,
            name or type(self).__name__.lower(), **options,
        )  # fmt: skip
        self.beta_1, self.beta_2, self.epsilon = beta_1, beta_2, epsilon

    def build(self, variables: Any) -> None:
        if self.built:
            return
        super().build(variables)
        slots = self.add_slots(self._trainable_variables, *self.slot_names)
        self._firsts, self._seconds = slots

    def _moved(self, gradient: Any, variable: Any) -> tuple[Any, Any]:
        """The moving means of the gradient and of its square, after this gradient."""
        place = self.index_of(variable)
        mean, spread = self._firsts[place], self._seconds[place]
        mean.assign(mean + (gradient - mean) * (1 - self.beta_1))
        spread.assign(spread + (square(gradient) - spread) * (1 - self.beta_2))
        return mean.value(), spread.value()

    def get_config(self) -> dict[str, Any]:
        own = {"beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon}
        return super().get_config() | own


class Adamax(_Moments):
    """Adam with the largest gradient instead of the root mean square (Kingma and Ba 2015, 7.1)."""

    slot_names = ("momentum", "norm")

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        place = self.index_of(variable)
        mean, largest = self._firsts[place], self._seconds[place]
        mean.assign(mean + (gradient - mean) * (1 - self.beta_1))
        largest.assign(maximum(largest * self.beta_2, absolute(gradient)))
        step = cast(self.iterations + 1, variable.dtype)
        rate = learning_rate / (1 - pow(self.beta_1, step))
        variable.assign_sub(mean * rate / (largest + self.epsilon))


class Nadam(_Moments):
    """Adam with Nesterov's look ahead (Dozat 2016), its momentum slowly growing to beta_1."""

    def build(self, variables: Any) -> None:
        if self.built:
            return
        super().build(variables)
        self._product = self._scalar(1.0, "float32", "u_product")

    def _momentum_of(self, step: Any) -> Any:
        return self.beta_1 * (1.0 - 0.5 * pow(0.96, step))

    def begin_step(self) -> None:
        step = cast(self.iterations + 1, self._product.dtype)
        self._product.assign(self._product * self._momentum_of(step))

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        kind = variable.dtype
        mean, spread = self._moved(gradient, variable)
        step, product = cast(self.iterations + 1, kind), cast(self._product.value(), kind)
        now, soon = self._momentum_of(step), self._momentum_of(step + 1)
        ahead = mean * (soon / (1 - product * soon)) + gradient * ((1 - now) / (1 - product))
        size = sqrt(spread / (1 - pow(self.beta_2, step))) + self.epsilon
        variable.assign_sub(ahead * learning_rate / size)


class Lamb(_Moments):
    """Adam whose step in each variable is as long as the variable (You and others 2020)."""

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        mean, spread = self._moved(gradient, variable)
        step = cast(self.iterations + 1, variable.dtype)
        mean = mean / (1 - pow(self.beta_1, step))
        spread = spread / (1 - pow(self.beta_2, step))
        direction = mean / (sqrt(spread) + self.epsilon)
        ours, theirs = reduce_euclidean_norm(variable), reduce_euclidean_norm(direction)
        both = logical_and(greater(ours, 0), greater(theirs, 0))
        trust = where(both, ours / where(both, theirs, 1), 1)
        variable.assign_sub(direction * (trust * learning_rate))
