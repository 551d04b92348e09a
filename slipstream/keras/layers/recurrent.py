"""Recurrent layers: a cell applied along time. RNN, SimpleRNN, LSTM, GRU."""

from __future__ import annotations

from typing import Any, ClassVar

from slipstream.keras.layers.input_spec import InputSpec
from slipstream.keras.layers.layer import Layer
from slipstream.keras.layers.recurrent_cells import (
    BaseCell,
    GRUCell,
    LSTMCell,
    SimpleRNNCell,
    StackedRNNCells,
)
from slipstream.keras.registry import deserialize_keras_object, serialize_keras_object
from slipstream.keras.variables import KerasVariable
from slipstream.ops.array import zeros
from slipstream.ops.control import repeat
from slipstream.ops.indexing import where
from slipstream.ops.shaping import expand_dims, reverse, transpose
from slipstream.runtime.structure import flatten, pack


class RNN(Layer):
    """A cell applied to each step of [batch, steps, features].

    Gives the last output [batch, units], or all of them with `return_sequences`; with
    `return_state` a list of it and
    the last states. Masked steps leave the state as it is. `stateful` keeps the states from batch
    to batch.
    """

    def __init__(
        self,
        cell: Any,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        zero_output_for_mask: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.cell = StackedRNNCells(cell) if isinstance(cell, (list, tuple)) else cell
        if not hasattr(self.cell, "state_size"):
            raise ValueError(
                "The RNN cell should have a `state_size` attribute (single integer or list of "
                f"integers, one integer per RNN state). Received: cell={cell}"
            )
        self.return_sequences, self.return_state = return_sequences, return_state
        self.go_backwards, self.stateful, self.unroll = go_backwards, stateful, unroll
        self.zero_output_for_mask = zero_output_for_mask
        self.input_spec = [InputSpec(ndim=3)] if type(self) is RNN else InputSpec(ndim=3)
        self.supports_masking = True
        self.states: Any = None

    def build(self, sequences_shape: Any, initial_state_shape: Any = None) -> None:
        batch, _, features = sequences_shape
        if not self.cell.built:
            self.cell.build((batch, features))
        if self.stateful and self.states is None:
            if batch is None:
                raise ValueError(
                    "When using `stateful=True` in a RNN, the batch size must be static. "
                    f"Found dynamic batch size: sequence.shape={tuple(sequences_shape)}"
                )
            begin = flatten(self._begin(int(batch)))
            self.states = [KerasVariable(s.numpy(), trainable=False, name="state") for s in begin]

    def _begin(self, batch: int) -> Any:
        found = self.cell.get_initial_state(batch_size=batch)
        return list(found) if isinstance(found, (list, tuple)) else [found]

    def call(
        self, sequences: Any, initial_state: Any = None, mask: Any = None, training: bool = False
    ) -> Any:
        mask = mask[0] if isinstance(mask, list) else mask
        batch, steps = sequences.shape[:2]
        structure = self._begin(batch)
        states = self._states_now(initial_state, structure)
        if self.go_backwards:
            sequences = reverse(sequences, [1])
            mask = None if mask is None else reverse(mask, [1])
        outputs, last, states = self._over_time(sequences, states, structure, mask, training, steps)
        if self.stateful:
            for variable, state in zip(self.states, states, strict=True):
                variable.assign(state)
        result = transpose(outputs, [1, 0, *range(2, len(outputs.shape))])
        result = result if self.return_sequences else last
        return [result, *states] if self.return_state else result

    def _states_now(self, initial_state: Any, structure: Any) -> list[Any]:
        if initial_state is not None:
            return flatten(initial_state)
        if self.stateful and self.states is not None:
            return [variable.value() for variable in self.states]
        return flatten(structure)

    def _over_time(
        self,
        sequences: Any,
        states: list[Any],
        structure: Any,
        mask: Any,
        training: bool,
        steps: int,
    ) -> tuple[Any, Any, list[Any]]:
        """(outputs [steps, batch, ...], the last, last states): one native loop when traced."""
        time_major = transpose(sequences, [1, 0, *range(2, len(sequences.shape))])
        advance, xs = self._prepared_steps(time_major, structure, training)
        if mask is not None:
            xs = [*xs, transpose(mask, [1, 0])]
        count = len(states)

        def step(carry: list[Any], parts: list[Any]) -> Any:
            output, new = advance(parts[0], carry[:count])
            if mask is None:
                return new, [output, *new[1:]]
            seen = expand_dims(parts[1], -1)
            kept = [where(seen, a, b) for a, b in zip(new, carry, strict=False)]
            shown = where(seen, output, self._hidden(output, carry, count))
            return [*kept, shown], [shown]

        carry = list(states)
        if mask is not None:  # what is shown at a masked step is what was shown before it
            carry.append(self._nothing(states[0]))
        last, ys = repeat(step, carry, xs, steps)
        return ys[0], self._last(ys[0], last, count), last[:count]

    def _last(self, outputs: Any, carried: list[Any], count: int) -> Any:
        """The last output: what the loop carried to its end, if that is it."""
        if len(carried) > count:
            return carried[count]
        return carried[0] if isinstance(self.cell, BaseCell) else outputs[-1]

    def _nothing(self, state: Any) -> Any:
        """What is shown before the first step that is not masked."""
        size = getattr(self.cell, "output_size", None)
        return zeros((state.shape[0], size), state.dtype) if isinstance(size, int) else state * 0.0

    def _hidden(self, output: Any, carry: list[Any], count: int) -> Any:
        return output * 0.0 if self.zero_output_for_mask else carry[count]

    def _prepared_steps(self, xs: Any, structure: Any, training: bool) -> tuple[Any, list[Any]]:
        """(one step as a function, what it goes over); inputs are projected for all steps."""
        cell = self.cell
        if isinstance(cell, BaseCell):
            by_input, by_state = cell.dropout_masks(xs, xs.shape[1], training)
            projected = cell.project(xs if by_input is None else xs * by_input)

            def fast(x: Any, states: list[Any]) -> Any:
                if by_state is not None:
                    states = [states[0] * by_state, *states[1:]]
                return cell.step(x, states)

            return fast, [projected]

        def general(x: Any, states: list[Any]) -> Any:
            output, new = cell(x, pack(structure, states), training=training)
            return output, flatten(new)

        return general, [xs]

    def reset_state(self) -> None:
        """The kept states begin anew."""
        for variable in self.states or []:
            variable.assign(variable.numpy() * 0)

    reset_states = reset_state

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        mask = flatten(previous_mask)[0] if previous_mask is not None else None
        output = mask if self.return_sequences else None
        if not self.return_state:
            return output
        return [output, *(None for _ in flatten(self.cell.state_size))]

    def get_config(self) -> dict[str, Any]:
        names = (
            "return_sequences", "return_state", "go_backwards", "stateful", "unroll",
            "zero_output_for_mask",
        )  # fmt: skip
        found = {name: getattr(self, name) for name in names}
        return super().get_config() | found | self._cell_config()

    def _cell_config(self) -> dict[str, Any]:
        return {"cell": serialize_keras_object(self.cell)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        given = dict(config)
        if "cell" in given:
            given["cell"] = deserialize_keras_object(given["cell"])
        return super().from_config(given)


OWN = (
    "return_sequences", "return_state", "go_backwards", "stateful", "unroll",
    "zero_output_for_mask", "name", "dtype", "trainable", "activity_regularizer", "weights",
    "input_shape", "batch_input_shape", "input_dim", "batch_size", "batch_shape",
)  # fmt: skip


class BaseRecurrent(RNN):
    """A recurrent layer with a cell of its own; the cell's arguments are the layer's."""

    cell_class: ClassVar[type[BaseCell]] = SimpleRNNCell

    def __init__(self, units: int, *args: Any, **options: Any) -> None:
        own = {key: options.pop(key) for key in OWN if key in options}
        for older in ("implementation", "use_cudnn", "time_major", "input_length"):
            options.pop(older, None)
        cell = self.cell_class(units, *args, **options, **_cell_dtype(own))
        super().__init__(cell, **own)

    def __getattr__(self, name: str) -> Any:
        """What the cell knows: units, activation, dropout, ..."""
        if name.startswith("_") or name == "cell":
            raise AttributeError(name)
        return getattr(self.cell, name)

    def _cell_config(self) -> dict[str, Any]:
        config: dict[str, Any] = self.cell.get_config()
        return {k: v for k, v in config.items() if k not in ("name", "dtype", "trainable")}


def _cell_dtype(own: dict[str, Any]) -> dict[str, Any]:
    return {"dtype": own["dtype"]} if own.get("dtype") is not None else {}


class SimpleRNN(BaseRecurrent):
    """h' = activation(x W + h U + b) along time.

    >>> import slipstream as tf
    >>> SimpleRNN(4)(tf.zeros([2, 10, 3])).shape
    TensorShape([2, 4])
    """


class LSTM(BaseRecurrent):
    """Long short-term memory along time (Hochreiter & Schmidhuber 1997).

    >>> import slipstream as tf
    >>> LSTM(4, return_sequences=True)(tf.zeros([2, 10, 3])).shape
    TensorShape([2, 10, 4])
    """

    cell_class = LSTMCell


class GRU(BaseRecurrent):
    """Gated recurrent unit along time (Cho et al. 2014)."""

    cell_class = GRUCell
