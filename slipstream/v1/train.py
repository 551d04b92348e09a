"""The optimizers of TensorFlow 1 (`tf.train`)."""

from __future__ import annotations

from typing import Any, ClassVar

from slipstream.primitives.base import REGISTRY
from slipstream.primitives.elementwise import sqrt
from slipstream.runtime.convert import TensorLike, convert
from slipstream.v1.derivatives import gradients
from slipstream.v1.graph import GraphKeys, Operation, get_default_graph, in_graph
from slipstream.v1.initializers import Constant
from slipstream.v1.rates import (
    cosine_decay,
    create_global_step,
    exponential_decay,
    get_global_step,
    get_or_create_global_step,
    inverse_time_decay,
    natural_exp_decay,
    piecewise_constant,
    polynomial_decay,
)
from slipstream.v1.saver import Saver, latest_checkpoint
from slipstream.v1.variables import Variable

Slots = dict[str, Any]


class Optimizer:
    """Base of the optimizers: gradients, their application, and a slot variable for each variable
    and slot name.

    A subclass says in `_slot_names` which slots it keeps and what they begin with, and in `_step`
    how a variable and its
    slots change by a gradient.
    """

    GATE_NONE, GATE_OP, GATE_GRAPH = 0, 1, 2
    _slot_names: ClassVar[dict[str, float]] = {}

    def __init__(
        self, learning_rate: Any, use_locking: bool = False, name: str = "Optimizer"
    ) -> None:
        self._rate, self._name = learning_rate, name
        self._slots: dict[tuple[int, str], Variable] = {}

    def get_name(self) -> str:
        return self._name

    def minimize(
        self, loss: Any, global_step: Any = None, var_list: Any = None, gate_gradients: int = 1,
        aggregation_method: Any = None, colocate_gradients_with_ops: bool = False,
        name: str | None = None, grad_loss: Any = None,
    ) -> Operation:  # fmt: skip
        """The operation that takes one step towards a smaller `loss`."""
        pairs = self.compute_gradients(loss, var_list, grad_loss=grad_loss)
        if all(gradient is None for gradient, _ in pairs):
            names = [variable.name for _, variable in pairs]
            raise ValueError(
                "No gradients provided for any variable, check your graph for ops that do not "
                f"support gradients, between variables {names} and loss {loss}."
            )
        return self.apply_gradients(pairs, global_step, name)

    def compute_gradients(
        self, loss: Any, var_list: Any = None, gate_gradients: int = 1,
        aggregation_method: Any = None,
        colocate_gradients_with_ops: bool = False, grad_loss: Any = None,
    ) -> list[tuple[Any, Variable]]:  # fmt: skip
        """(gradient, variable) of each trainable variable, or of those in `var_list`."""
        variables = list(var_list) if var_list is not None else trainable_variables()
        if not variables:
            raise ValueError("No variables to optimize.")
        found = gradients(loss, variables, None if grad_loss is None else [grad_loss])
        return list(zip(found, variables, strict=True))

    def apply_gradients(
        self, grads_and_vars: Any, global_step: Any = None, name: str | None = None
    ) -> Operation:
        """The operation that changes the variables by their gradients, and counts the step."""
        pairs = [(g, v) for g, v in grads_and_vars if g is not None]
        if not pairs:
            raise ValueError("No gradients provided for any variable")
        with in_graph() as graph:
            slots = [self._slots_of(variable) for _, variable in pairs]
            shared = self._shared_state()
            done = [
                graph.add_operation(self._apply, (v, g, s, shared, self._settings()), "Apply", None)
                for (g, v), s in zip(pairs, slots, strict=True)
            ]
            with graph.control_dependencies(done):
                done += self._finish(shared)
            if global_step is not None:
                with graph.control_dependencies(done):
                    done.append(global_step.assign_add(1).op)
            return graph.add_operation(lambda: None, (), "NoOp", name or self._name, done)

    def variables(self) -> list[Variable]:
        """The slot variables made so far."""
        return list(self._slots.values())

    def get_slot(self, variable: Variable, name: str) -> Variable | None:
        return self._slots.get((id(variable), name))

    def get_slot_names(self) -> list[str]:
        return sorted(self._slot_names)

    def _slots_of(self, variable: Variable) -> Slots:
        graph = get_default_graph()
        for name, value in self._starts().items():
            if (id(variable), name) not in self._slots:
                start = Constant(value)(tuple(variable.shape), variable.dtype)
                plain = variable.name.split(":")[0]
                with graph.name_scope(None):
                    slot = Variable(start, trainable=False, name=f"{plain}/{self._name}")
                self._slots[id(variable), name] = slot
        return {name: self._slots[id(variable), name] for name in self._starts()}

    def _starts(self) -> dict[str, float]:
        return self._slot_names

    def _shared_state(self) -> Slots:
        """Variables of the optimizer itself."""
        return {}

    def _finish(self, shared: Slots) -> list[Operation]:
        """Operations after all variables have changed."""
        return []

    def _settings(self) -> dict[str, Any]:
        """The optimizer's numbers and tensors, such as a learning rate that is fed."""
        return {"rate": self._rate() if callable(self._rate) else self._rate}

    def _apply(
        self,
        variable: Variable,
        gradient: Any,
        slots: Slots,
        shared: Slots,
        settings: dict[str, Any],
    ) -> None:
        """Runs while a session traces."""
        dtype = variable.dtype
        numbers = {k: _number(v, dtype) for k, v in settings.items()}
        state = {k: slot.value() for k, slot in slots.items()}
        state |= {k: slot.value() for k, slot in shared.items()}
        now = variable.value()
        change, new_slots = self._step(now, convert(gradient, dtype), state, numbers)
        for name, content in new_slots.items():
            slots[name].cell.write(content)
        variable.cell.write(now - change)

    def _step(self, now: Any, gradient: Any, state: Slots, by: Slots) -> tuple[Any, Slots]:
        """(what is subtracted from the variable, the new contents of its slots)."""
        raise TypeError("tf.train.Optimizer takes no steps itself; use one of its subclasses")


def _number(value: Any, dtype: Any) -> Any:
    if isinstance(value, TensorLike):
        tensor = convert(value)
        return tensor if tensor.dtype is dtype else REGISTRY["cast"](tensor, dtype=dtype)
    return (
        convert(value, dtype)
        if isinstance(value, (int, float)) and not isinstance(value, bool)
        else value
    )


def trainable_variables(scope: str | None = None) -> list[Variable]:
    """The trainable variables of the default graph."""
    return get_default_graph().get_collection(GraphKeys.TRAINABLE_VARIABLES, scope)


class GradientDescentOptimizer(Optimizer):
    """w <- w - rate g"""

    def __init__(
        self, learning_rate: Any, use_locking: bool = False, name: str = "GradientDescent"
    ) -> None:
        super().__init__(learning_rate, use_locking, name)

    def _step(self, now: Any, gradient: Any, state: Slots, by: Slots) -> tuple[Any, Slots]:
        return by["rate"] * gradient, {}


class MomentumOptimizer(Optimizer):
    """m <- momentum m + g; w <- w - rate m, or rate (g + momentum m) with Nesterov's momentum."""

    _slot_names: ClassVar[dict[str, float]] = {"momentum": 0.0}

    def __init__(
        self, learning_rate: Any, momentum: Any, use_locking: bool = False, name: str = "Momentum",
        use_nesterov: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(learning_rate, use_locking, name)
        self._momentum, self._nesterov = momentum, use_nesterov

    def _settings(self) -> dict[str, Any]:
        return super()._settings() | {"factor": self._momentum}

    def _step(self, now: Any, gradient: Any, state: Slots, by: Slots) -> tuple[Any, Slots]:
        moment = by["factor"] * state["momentum"] + gradient
        direction = gradient + by["factor"] * moment if self._nesterov else moment
        return by["rate"] * direction, {"momentum": moment}


class AdagradOptimizer(Optimizer):
    """a <- a + g^2; w <- w - rate g / sqrt(a) (Duchi, Hazan, Singer 2011)."""

    def __init__(
        self, learning_rate: Any, initial_accumulator_value: float = 0.1, use_locking: bool = False,
        name: str = "Adagrad",
    ) -> None:  # fmt: skip
        if initial_accumulator_value <= 0:
            raise ValueError(
                f"initial_accumulator_value must be positive: {initial_accumulator_value}"
            )
        super().__init__(learning_rate, use_locking, name)
        self._start = initial_accumulator_value

    def _starts(self) -> dict[str, float]:
        return {"accumulator": self._start}

    def _step(self, now: Any, gradient: Any, state: Slots, by: Slots) -> tuple[Any, Slots]:
        total = state["accumulator"] + gradient * gradient
        return by["rate"] * gradient / sqrt(total), {"accumulator": total}


class AdadeltaOptimizer(Optimizer):
    """Steps scaled by the ratio of running root mean squares (Zeiler 2012)."""

    _slot_names: ClassVar[dict[str, float]] = {"accum": 0.0, "accum_update": 0.0}

    def __init__(
        self, learning_rate: Any = 0.001, rho: Any = 0.95, epsilon: Any = 1e-8,
        use_locking: bool = False, name: str = "Adadelta",
    ) -> None:  # fmt: skip
        super().__init__(learning_rate, use_locking, name)
        self._rho, self._epsilon = rho, epsilon

    def _settings(self) -> dict[str, Any]:
        return super()._settings() | {"rho": self._rho, "epsilon": self._epsilon}

    def _step(self, now: Any, gradient: Any, state: Slots, by: Slots) -> tuple[Any, Slots]:
        rho, epsilon = by["rho"], by["epsilon"]
        square = rho * state["accum"] + (1 - rho) * gradient * gradient
        update = gradient * sqrt(state["accum_update"] + epsilon) / sqrt(square + epsilon)
        moved = rho * state["accum_update"] + (1 - rho) * update * update
        return by["rate"] * update, {"accum": square, "accum_update": moved}


class RMSPropOptimizer(Optimizer):
    """Steps divided by a running root mean square of the gradient (Hinton's lecture 6e, 2012)."""

    def __init__(
        self, learning_rate: Any, decay: Any = 0.9, momentum: Any = 0.0, epsilon: Any = 1e-10,
        use_locking: bool = False, centered: bool = False, name: str = "RMSProp",
    ) -> None:  # fmt: skip
        super().__init__(learning_rate, use_locking, name)
        self._decay, self._momentum, self._epsilon = decay, momentum, epsilon
        self._centered = centered

    def _starts(self) -> dict[str, float]:
        starts = {"rms": 1.0, "momentum": 0.0}
        return starts | {"mg": 0.0} if self._centered else starts

    def _settings(self) -> dict[str, Any]:
        settings = {"decay": self._decay, "momentum": self._momentum, "epsilon": self._epsilon}
        return super()._settings() | settings

    def _step(self, now: Any, gradient: Any, state: Slots, by: Slots) -> tuple[Any, Slots]:
        keep = by["decay"]
        square = keep * state["rms"] + (1 - keep) * gradient * gradient
        slots, variance = {"rms": square}, square
        if self._centered:
            slots["mg"] = keep * state["mg"] + (1 - keep) * gradient
            variance = square - slots["mg"] * slots["mg"]
        scaled = by["rate"] * gradient / sqrt(variance + by["epsilon"])
        slots["momentum"] = by["momentum"] * state["momentum"] + scaled
        return slots["momentum"], slots


class AdamOptimizer(Optimizer):
    """Adam (Kingma & Ba 2015), in the form with the corrections moved into the rate (section 2)."""

    _slot_names: ClassVar[dict[str, float]] = {"m": 0.0, "v": 0.0}

    def __init__(
        self, learning_rate: Any = 0.001, beta1: Any = 0.9, beta2: Any = 0.999, epsilon: Any = 1e-8,
        use_locking: bool = False, name: str = "Adam",
    ) -> None:  # fmt: skip
        super().__init__(learning_rate, use_locking, name)
        self._beta1, self._beta2, self._epsilon = beta1, beta2, epsilon
        self._powers: Slots = {}

    def _settings(self) -> dict[str, Any]:
        settings = {"beta1": self._beta1, "beta2": self._beta2, "epsilon": self._epsilon}
        return super()._settings() | settings

    def _shared_state(self) -> Slots:
        graph = get_default_graph()
        if not self._powers:
            with graph.name_scope(None):
                self._powers = {
                    "beta1_power": Variable(self._beta1, trainable=False, name="beta1_power"),
                    "beta2_power": Variable(self._beta2, trainable=False, name="beta2_power"),
                }
        return self._powers

    def _finish(self, shared: Slots) -> list[Operation]:
        powers = zip(shared.values(), (self._beta1, self._beta2), strict=True)
        return [power.assign(power * beta).op for power, beta in powers]

    def _step(self, now: Any, gradient: Any, state: Slots, by: Slots) -> tuple[Any, Slots]:
        first, second = by["beta1"], by["beta2"]
        powers = [_number(state[k], now.dtype) for k in ("beta1_power", "beta2_power")]
        m = first * state["m"] + (1 - first) * gradient
        v = second * state["v"] + (1 - second) * gradient * gradient
        rate = by["rate"] * sqrt(1 - powers[1]) / (1 - powers[0])
        return rate * m / (sqrt(v) + by["epsilon"]), {"m": m, "v": v}


__all__ = [
    "AdadeltaOptimizer",
    "AdagradOptimizer",
    "AdamOptimizer",
    "GradientDescentOptimizer",
    "MomentumOptimizer",
    "Optimizer",
    "RMSPropOptimizer",
    "Saver",
    "cosine_decay",
    "create_global_step",
    "exponential_decay",
    "get_global_step",
    "get_or_create_global_step",
    "inverse_time_decay",
    "latest_checkpoint",
    "natural_exp_decay",
    "piecewise_constant",
    "polynomial_decay",
]
