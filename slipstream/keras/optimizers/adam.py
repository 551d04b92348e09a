"""Adam and its decoupled weight decay."""

from __future__ import annotations

from typing import Any

from slipstream.keras.optimizers.optimizer import Optimizer
from slipstream.keras.optimizers.rows import UsedRows
from slipstream.ops.arithmetic import maximum, pow, sqrt, square
from slipstream.ops.conversion import cast
from slipstream.runtime.slices import IndexedSlices


class Adam(Optimizer):
    """Steps by the mean of the gradients over the root of the mean of their squares, both moving
    (Kingma and Ba 2015); `amsgrad` takes the largest such root so far (Reddi and others 2018).
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        name: str = "adam",
        **options: Any,
    ) -> None:
        super().__init__(
            learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, name, **options
        )
        self.beta_1, self.beta_2 = beta_1, beta_2
        self.epsilon, self.amsgrad = epsilon, amsgrad

    def build(self, variables: Any) -> None:
        if self.built:
            return
        super().build(variables)
        slots = self.add_slots(self._trainable_variables, "momentum", "velocity")
        self._momentums, self._velocities = slots
        if self.amsgrad:
            (self._largest,) = self.add_slots(self._trainable_variables, "velocity_hat")

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        place = self.index_of(variable)
        step = cast(self.iterations + 1, variable.dtype)
        mean, spread = self._momentums[place], self._velocities[place]
        correction = self._correction(step)
        mean.assign(mean + (gradient - mean) * (1 - self.beta_1))
        spread.assign(spread + (square(gradient) - spread) * (1 - self.beta_2))
        if self.amsgrad:
            largest = self._largest[place]
            largest.assign(maximum(largest, spread))
            spread = largest
        change = mean * (learning_rate * correction) / (sqrt(spread) + self.epsilon)
        variable.assign_sub(change)

    def _correction(self, step: Any) -> Any:
        """What makes up for averages that began at zero, at a step that counts from 1."""
        return sqrt(1 - pow(self.beta_2, step)) / (1 - pow(self.beta_1, step))

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
            "amsgrad": self.amsgrad,
        }


class LazyAdam(Adam):
    """Adam that leaves alone the rows of a table of embeddings which the batch did not use.

    `Adam` moves every row at every step, for its averages go on when there is no gradient: a step
    costs what the table holds. Here the averages of a row and the row itself change only when the
    batch uses it, so a step costs what the batch touches. This is another algorithm, not the same
    one computed faster: momentum does not go on, and averages do not fade, while a row is unused
    (as `LazyAdam` of TensorFlow Addons and `torch.optim.SparseAdam` do it). Every other variable is
    stepped as `Adam` does it; so are tables where gradients are clipped, scaled or accumulated.

    >>> import slipstream as tf
    >>> model = tf.keras.Sequential([tf.keras.layers.Embedding(1000, 8)])
    >>> model.compile(tf.keras.optimizers.LazyAdam(), "mse")
    """

    takes_rows = True

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        if not isinstance(gradient, IndexedSlices):
            super().update_step(gradient, variable, learning_rate)
            return
        used, place = UsedRows.of(gradient), self.index_of(variable)
        means, spreads = self._momentums[place], self._velocities[place]
        mean, spread = used.read(means), used.read(spreads)
        mean = mean + (used.gradient - mean) * (1 - self.beta_1)
        spread = spread + (square(used.gradient) - spread) * (1 - self.beta_2)
        used.write(means, mean)
        used.write(spreads, spread)
        if self.amsgrad:
            spread = maximum(used.read(self._largest[place]), spread)
            used.write(self._largest[place], spread)
        correction = self._correction(cast(self.iterations + 1, variable.dtype))
        change = mean * (learning_rate * correction) / (sqrt(spread) + self.epsilon)
        used.write(variable, used.read(variable) - change)


class AdamW(Adam):
    """Adam, each step also taking away rate * weight_decay of the weights (Loshchilov 2019).

    ValueError for a weight_decay of None.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        weight_decay: float = 0.004,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        name: str = "adamw",
        **options: Any,
    ) -> None:
        if weight_decay is None:
            raise ValueError("Argument `weight_decay` must be a float. Received: weight_decay=None")
        super().__init__(
            learning_rate, beta_1, beta_2, epsilon, amsgrad, weight_decay, clipnorm, clipvalue,
            global_clipnorm, name, **options,
        )  # fmt: skip
