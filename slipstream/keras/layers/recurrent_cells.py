"""One step of a recurrence: SimpleRNNCell, LSTMCell, GRUCell, and several stacked.

A cell projects its inputs by `project` (which does not depend on the step, so a layer does it for
all steps at once) and
goes one step by `step(projected, states)`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from slipstream.keras import activations, constraints, initializers, regularizers
from slipstream.keras.layers.layer import Layer
from slipstream.keras.registry import deserialize_keras_object, serialize_keras_object
from slipstream.keras.seeds import SeedGenerator
from slipstream.ops.array import ones, ones_like, zeros
from slipstream.ops.linear import matmul
from slipstream.ops.random import dropped
from slipstream.ops.shaping import concat, split

MODULES = {"initializer": initializers, "regularizer": regularizers, "constraint": constraints}


class BaseCell(Layer):
    """Weights of a recurrence with `gates` blocks of `units` columns."""

    gates: ClassVar[int] = 1

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        if units <= 0:
            raise ValueError(
                "Received an invalid value for argument `units`, expected a positive integer, "
                f"got {units}."
            )
        self.units, self.use_bias, self.seed = int(units), use_bias, seed
        self.activation = activations.get(activation)
        given = {
            "kernel": (kernel_initializer, kernel_regularizer, kernel_constraint),
            "recurrent": (recurrent_initializer, recurrent_regularizer, recurrent_constraint),
            "bias": (bias_initializer, bias_regularizer, bias_constraint),
        }
        for kind, values in given.items():
            for (part, module), value in zip(MODULES.items(), values, strict=True):
                setattr(self, f"{kind}_{part}", module.get(value))
        self.dropout, self.recurrent_dropout = float(dropout), float(recurrent_dropout)
        self.seed_generator = SeedGenerator(seed) if dropout or recurrent_dropout else None

    @property
    def state_size(self) -> Any:
        return self.units

    @property
    def output_size(self) -> int:
        return self.units

    def build(self, input_shape: Any) -> None:
        width = self.gates * self.units
        self.kernel = self._weight("kernel", "kernel", (int(input_shape[-1]), width))
        self.recurrent_kernel = self._weight("recurrent_kernel", "recurrent", (self.units, width))
        self.bias = self._weight("bias", "bias", self._bias_shape()) if self.use_bias else None

    def _bias_shape(self) -> tuple[int, ...]:
        return (self.gates * self.units,)

    def _weight(self, name: str, kind: str, shape: tuple[int, ...]) -> Any:
        return self.add_weight(
            name=name,
            shape=shape,
            **{part: getattr(self, f"{kind}_{part}") for part in MODULES},
        )

    def project(self, inputs: Any) -> Any:
        """The part of a step that the inputs alone determine, for one step or for all."""
        projected = matmul(inputs, self.kernel)
        return projected if self.bias is None else projected + self.bias

    def step(self, projected: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        """(output, new states) of one step."""
        raise TypeError(f"{type(self).__name__} has no step; use one of its subclasses")

    def call(self, inputs: Any, states: Any, training: bool = False) -> Any:
        given = list(states) if isinstance(states, (list, tuple)) else [states]
        masks = self.dropout_masks(inputs, inputs.shape[0], training)
        output, new = self.step(*self.masked(self.project, inputs, given, masks))
        return output, new

    def masked(
        self, project: Any, inputs: Any, states: list[Any], masks: tuple[Any, Any]
    ) -> tuple[Any, list[Any]]:
        """(projected inputs, states), with dropout where there are masks."""
        by_input, by_state = masks
        projected = project(inputs if by_input is None else inputs * by_input)
        if by_state is not None:
            states = [states[0] * by_state, *states[1:]]
        return projected, states

    def dropout_masks(self, inputs: Any, batch: int, training: bool) -> tuple[Any, Any]:
        """Factors for the inputs and the state, the same at all steps (Gal & Ghahramani 2016)."""
        if not training or self.seed_generator is None:
            return None, None
        by_input = by_state = None
        if self.dropout:
            like = ones((batch, inputs.shape[-1]), inputs.dtype)
            by_input = dropped(like, self.dropout, self.seed_generator.draw())
        if self.recurrent_dropout:
            like = ones((batch, self.units), inputs.dtype)
            by_state = dropped(like, self.recurrent_dropout, self.seed_generator.draw())
        return by_input, by_state

    def get_initial_state(self, batch_size: int, dtype: Any = None) -> list[Any]:
        """Zeros."""
        sizes = self.state_size if isinstance(self.state_size, list) else [self.state_size]
        return [zeros((batch_size, n), dtype or self.compute_dtype) for n in sizes]

    def get_config(self) -> dict[str, Any]:
        found: dict[str, Any] = {
            "units": self.units,
            "activation": activations.serialize(self.activation),
            "use_bias": self.use_bias,
            "dropout": self.dropout,
            "recurrent_dropout": self.recurrent_dropout,
            "seed": self.seed,
        }
        for kind in ("kernel", "recurrent", "bias"):
            for part, module in MODULES.items():
                found[f"{kind}_{part}"] = module.serialize(getattr(self, f"{kind}_{part}"))
        return super().get_config() | found


class SimpleRNNCell(BaseCell):
    """h' = activation(x W + h U + b)."""

    def step(self, projected: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        output = self.activation(projected + matmul(states[0], self.recurrent_kernel))
        return output, [output]


class LSTMCell(BaseCell):
    """Long short-term memory (Hochreiter & Schmidhuber 1997), with a forget gate (Gers et al.
    2000).

    The columns of the weights are the input, forget, cell and output gates.
    """

    gates = 4

    def __init__(
        self, units: int, activation: Any = "tanh", recurrent_activation: Any = "sigmoid",
        use_bias: bool = True, unit_forget_bias: bool = True, **options: Any,
    ) -> None:  # fmt: skip
        super().__init__(units, activation, use_bias, **options)
        self.recurrent_activation = activations.get(recurrent_activation)
        self.unit_forget_bias = unit_forget_bias

    @property
    def state_size(self) -> list[int]:
        return [self.units, self.units]

    def _weight(self, name: str, kind: str, shape: tuple[int, ...]) -> Any:
        if kind != "bias" or not self.unit_forget_bias:
            return super()._weight(name, kind, shape)

        def initializer(_: Any, dtype: Any = None) -> Any:
            """Ones for the forget gate, so that it begins open (Jozefowicz et al. 2015)."""
            others = self.bias_initializer
            parts = [others((self.units,), dtype=dtype), ones((self.units,), dtype)]
            return concat([*parts, others((2 * self.units,), dtype=dtype)], 0)

        return self.add_weight(
            name=name,
            shape=shape,
            initializer=initializer,
            regularizer=self.bias_regularizer,
            constraint=self.bias_constraint,
        )

    def step(self, projected: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        hidden, memory = states
        total = projected + matmul(hidden, self.recurrent_kernel)
        enter, forget, content, leave = split(total, 4, axis=-1)
        gate = self.recurrent_activation
        memory = gate(forget) * memory + gate(enter) * self.activation(content)
        output = gate(leave) * self.activation(memory)
        return output, [output, memory]

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "recurrent_activation": activations.serialize(self.recurrent_activation),
            "unit_forget_bias": self.unit_forget_bias,
        }


class GRUCell(BaseCell):
    """Gated recurrent unit (Cho et al. 2014); with `reset_after`, the gate acts after the product.

    The columns of the weights are the update, reset and content gates.
    """

    gates = 3

    def __init__(
        self, units: int, activation: Any = "tanh", recurrent_activation: Any = "sigmoid",
        use_bias: bool = True, reset_after: bool = True, **options: Any,
    ) -> None:  # fmt: skip
        super().__init__(units, activation, use_bias, **options)
        self.recurrent_activation = activations.get(recurrent_activation)
        self.reset_after = reset_after

    def _bias_shape(self) -> tuple[int, ...]:
        width = 3 * self.units
        return (2, width) if self.reset_after else (width,)

    def project(self, inputs: Any) -> Any:
        projected = matmul(inputs, self.kernel)
        if self.bias is None:
            return projected
        return projected + (self.bias[0] if self.reset_after else self.bias)

    def step(self, projected: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        hidden = states[0]
        x_update, x_reset, x_content = split(projected, 3, axis=-1)
        gate, units = self.recurrent_activation, self.units
        if self.reset_after:
            inner = matmul(hidden, self.recurrent_kernel)
            inner = inner if self.bias is None else inner + self.bias[1]
            h_update, h_reset, h_content = split(inner, 3, axis=-1)
            update, reset = gate(x_update + h_update), gate(x_reset + h_reset)
            content = self.activation(x_content + reset * h_content)
        else:
            both = matmul(hidden, self.recurrent_kernel[:, : 2 * units])
            h_update, h_reset = split(both, 2, axis=-1)
            update, reset = gate(x_update + h_update), gate(x_reset + h_reset)
            last = matmul(reset * hidden, self.recurrent_kernel[:, 2 * units :])
            content = self.activation(x_content + last)
        output = update * hidden + (ones_like(update) - update) * content
        return output, [output]

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "recurrent_activation": activations.serialize(self.recurrent_activation),
            "reset_after": self.reset_after,
        }


class StackedRNNCells(Layer):
    """Cells one on top of the other, as one cell."""

    def __init__(self, cells: Sequence[Any], **options: Any) -> None:
        super().__init__(**options)
        self.cells = list(cells)

    @property
    def state_size(self) -> list[Any]:
        return [cell.state_size for cell in self.cells]

    @property
    def output_size(self) -> Any:
        return self.cells[-1].output_size

    def build(self, input_shape: Any) -> None:
        shape = tuple(input_shape)
        for cell in self.cells:
            if not cell.built:
                cell.build(shape)
            shape = (shape[0], cell.output_size)

    def call(self, inputs: Any, states: Any, training: bool = False) -> Any:
        new = []
        for cell, state in zip(self.cells, states, strict=True):
            inputs, changed = cell(inputs, state, training=training)
            new.append(changed if isinstance(state, (list, tuple)) else changed[0])
        return inputs, new

    def get_initial_state(self, batch_size: int, dtype: Any = None) -> list[Any]:
        found = []
        for cell in self.cells:
            state = cell.get_initial_state(batch_size, dtype)
            nested = isinstance(cell.state_size, (list, tuple))
            found.append(state if nested or not isinstance(state, list) else state[0])
        return found

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"cells": [serialize_keras_object(c) for c in self.cells]}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        given = dict(config)
        given["cells"] = [deserialize_keras_object(c) for c in given["cells"]]
        return cls(**given)
