"""Lion."""

from __future__ import annotations

from typing import Any

from slipstream.keras.optimizers.optimizer import Optimizer
from slipstream.ops.arithmetic import sign


class Lion(Optimizer):
    """Steps of one length in each direction: the sign of the momentum (Chen and others 2023).

    ValueError unless 0 < beta_1 <= 1.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.99,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        name: str = "lion",
        **options: Any,
    ) -> None:
        super().__init__(
            learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, name, **options
        )
        if not 0 < beta_1 <= 1:
            raise ValueError(
                "Argument `beta_1` must be in the [0, 1] range. Otherwise, the optimizer "
                f"degenerates to SignSGD. Received: beta_1={beta_1}."
            )
        self.beta_1, self.beta_2 = beta_1, beta_2

    def build(self, variables: Any) -> None:
        if self.built:
            return
        super().build(variables)
        (self._momentums,) = self.add_slots(self._trainable_variables, "momentum")

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        mean = self._momentums[self.index_of(variable)]
        ahead = mean * self.beta_1 + gradient * (1 - self.beta_1)
        variable.assign_sub(sign(ahead) * learning_rate)
        mean.assign(mean * self.beta_2 + gradient * (1 - self.beta_2))

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"beta_1": self.beta_1, "beta_2": self.beta_2}
