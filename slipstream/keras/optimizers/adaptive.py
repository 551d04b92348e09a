"""Optimizers that divide by the gradients' size so far: Adagrad, Adadelta, RMSprop, Ftrl."""

from __future__ import annotations

from typing import Any

from slipstream.keras import initializers
from slipstream.keras.optimizers.optimizer import Optimizer
from slipstream.keras.optimizers.rows import UsedRows
from slipstream.ops.arithmetic import clip_by_value, pow, rsqrt, sqrt, square
from slipstream.runtime.slices import IndexedSlices


class Adagrad(Optimizer):
    """w -= rate * g / sqrt(sum of g² + epsilon) (Duchi, Hazan and Singer 2011).

    Of a table of embeddings only the rows that the batch used are touched; the others would not
    change.
    """

    takes_rows = True

    def __init__(
        self,
        learning_rate: Any = 0.001,
        initial_accumulator_value: float = 0.1,
        epsilon: float = 1e-7,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        name: str = "adagrad",
        **options: Any,
    ) -> None:
        super().__init__(
            learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, name, **options
        )
        self.initial_accumulator_value, self.epsilon = initial_accumulator_value, epsilon

    def build(self, variables: Any) -> None:
        if self.built:
            return
        super().build(variables)
        start = initializers.Constant(self.initial_accumulator_value)
        (self._accumulators,) = self.add_slots(
            self._trainable_variables, "accumulator", initializer=start
        )

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        total = self._accumulators[self.index_of(variable)]
        if isinstance(gradient, IndexedSlices):
            used = UsedRows.of(gradient)
            sums = used.read(total) + square(used.gradient)
            step = used.gradient * learning_rate * rsqrt(sums + self.epsilon)
            used.write(total, sums)
            used.write(variable, used.read(variable) - step)
            return
        total.assign_add(square(gradient))
        variable.assign_sub(gradient * learning_rate * rsqrt(total + self.epsilon))

    def get_config(self) -> dict[str, Any]:
        own = {"initial_accumulator_value": self.initial_accumulator_value}
        return super().get_config() | own | {"epsilon": self.epsilon}


class Adadelta(Optimizer):
    """Steps of the root mean square of earlier steps over that of the gradients (Zeiler 2012).

    The paper has learning_rate = 1.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        rho: float = 0.95,
        epsilon: float = 1e-7,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        name: str = "adadelta",
        **options: Any,
    ) -> None:
        super().__init__(
            learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, name, **options
        )
        self.rho, self.epsilon = rho, epsilon

    def build(self, variables: Any) -> None:
        if self.built:
            return
        super().build(variables)
        names = ("accumulated_grad", "accumulated_delta_var")
        self._gradients, self._steps = self.add_slots(self._trainable_variables, *names)

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        place, fresh = self.index_of(variable), 1 - self.rho
        gradients, steps = self._gradients[place], self._steps[place]
        gradients.assign(gradients * self.rho + square(gradient) * fresh)
        ratio = sqrt(steps + self.epsilon) * rsqrt(gradients + self.epsilon)
        step = ratio * gradient
        steps.assign(steps * self.rho + square(step) * fresh)
        variable.assign_sub(step * learning_rate)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"rho": self.rho, "epsilon": self.epsilon}


class RMSprop(Optimizer):
    """w -= rate * g / sqrt(moving mean of g²), with momentum if given (Hinton 2012, lecture 6).

    `centered` takes the moving variance of g instead of the mean square.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-7,
        centered: bool = False,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        name: str = "rmsprop",
        **options: Any,
    ) -> None:
        super().__init__(
            learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, name, **options
        )
        self.rho, self.momentum = rho, momentum
        self.epsilon, self.centered = epsilon, centered

    def build(self, variables: Any) -> None:
        if self.built:
            return
        super().build(variables)
        (self._velocities,) = self.add_slots(self._trainable_variables, "velocity")
        if self.momentum > 0:
            (self._momentums,) = self.add_slots(self._trainable_variables, "momentum")
        if self.centered:
            (self._means,) = self.add_slots(self._trainable_variables, "average_gradient")

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        place, fresh = self.index_of(variable), 1 - self.rho
        squares = self._velocities[place]
        squares.assign(squares * self.rho + square(gradient) * fresh)
        spread = squares + self.epsilon
        if self.centered:
            mean = self._means[place]
            mean.assign(mean * self.rho + gradient * fresh)
            spread = spread - square(mean)
        step = gradient * learning_rate * rsqrt(spread)
        if self.momentum > 0:
            moving = self._momentums[place]
            moving.assign(moving * self.momentum + step)
            step = moving.value()
        variable.assign_sub(step)

    def get_config(self) -> dict[str, Any]:
        names = ("rho", "momentum", "epsilon", "centered")
        return super().get_config() | {name: getattr(self, name) for name in names}


class Ftrl(Optimizer):
    """Follow the regularized leader: weights of little use become exactly 0 (McMahan and others
    2013). ValueError for negative strengths.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        learning_rate_power: float = -0.5,
        initial_accumulator_value: float = 0.1,
        l1_regularization_strength: float = 0.0,
        l2_regularization_strength: float = 0.0,
        l2_shrinkage_regularization_strength: float = 0.0,
        beta: float = 0.0,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        name: str = "ftrl",
        **options: Any,
    ) -> None:
        super().__init__(
            learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, name, **options
        )
        self.learning_rate_power = learning_rate_power
        self.initial_accumulator_value = initial_accumulator_value
        self.l1_regularization_strength = l1_regularization_strength
        self.l2_regularization_strength = l2_regularization_strength
        self.l2_shrinkage_regularization_strength = l2_shrinkage_regularization_strength
        self.beta = beta
        self._check()

    def _check(self) -> None:
        if self.learning_rate_power > 0:
            raise ValueError(
                "`learning_rate_power` needs to be negative or zero. "
                f"Received: learning_rate_power={self.learning_rate_power}."
            )
        for name in OPTIONS[1:5]:
            value = getattr(self, name)
            if value < 0:
                raise ValueError(
                    f"`{name}` needs to be positive or zero. Received: {name}={value}."
                )

    def build(self, variables: Any) -> None:
        if self.built:
            return
        super().build(variables)
        start = initializers.Constant(self.initial_accumulator_value)
        self._accumulators, self._linears = [], []
        for variable in self._trainable_variables:
            add = self.add_variable_from_reference
            self._accumulators.append(add(variable, "accumulator", start))
            self._linears.append(add(variable, "linear"))

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        place, power = self.index_of(variable), -self.learning_rate_power
        total, linear = self._accumulators[place], self._linears[place]
        shrinkage = variable * (2.0 * self.l2_shrinkage_regularization_strength)
        grown = total + square(gradient)
        change = (pow(grown, power) - pow(total, power)) / learning_rate
        linear.assign_add(gradient + shrinkage - change * variable)
        curve = (pow(grown, power) + self.beta) / learning_rate
        curve = curve + 2.0 * self.l2_regularization_strength
        limit = self.l1_regularization_strength
        variable.assign((clip_by_value(linear, -limit, limit) - linear) / curve)
        total.assign(grown)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {name: getattr(self, name) for name in OPTIONS}


OPTIONS = (
    "learning_rate_power", "initial_accumulator_value", "l1_regularization_strength",
    "l2_regularization_strength", "l2_shrinkage_regularization_strength", "beta",
)  # fmt: skip
