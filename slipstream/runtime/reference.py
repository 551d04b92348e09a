"""The reference executor: the NumPy meaning of each node in order, over numbered slots."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from slipstream.errors import OpError, located
from slipstream.ir.graph import Array, Constant, Graph, Node, Value
from slipstream.primitives.evaluate import last_uses


class ReferenceExecutor:
    """Runs graphs by NumPy. The other executors must agree with it."""

    name = "reference"
    in_place = False

    def load(self, graph: Graph, in_place: tuple[tuple[int, int], ...] = ()) -> _Program:
        """The program as a list of steps over slots, each freed after its last use."""
        slots = _Slots()
        inputs = [slots.of(v) for v in graph.inputs]
        steps = [
            _Step(node, slots, freed)
            for node, freed in zip(graph.nodes, last_uses(graph), strict=True)
        ]
        outputs = [slots.of(v) for v in graph.outputs]
        return _Program(inputs, steps, outputs, slots, in_place)


class _Slots:
    """Numbers for values; constants are in place from the beginning."""

    def __init__(self) -> None:
        self.initial: list[Any] = []
        self._numbers: dict[Value, int] = {}

    def of(self, value: Value) -> int:
        if value not in self._numbers:
            self._numbers[value] = len(self.initial)
            self.initial.append(value.array if isinstance(value, Constant) else None)
        return self._numbers[value]


class _Step:
    """One node: its meaning, where its inputs lie, where its outputs go, what is free after it."""

    __slots__ = ("freed", "inputs", "meaning", "node", "outputs", "params")

    def __init__(self, node: Node, slots: _Slots, freed: list[Value]) -> None:
        self.node = node
        self.meaning: Callable[..., Any] = node.operation.meaning  # type: ignore[attr-defined]
        self.params = dict(node.params)
        self.inputs = [slots.of(v) for v in node.inputs]
        self.outputs = [slots.of(v) for v in node.outputs]
        self.freed = [slots.of(v) for v in freed if not isinstance(v, Constant)]


class _Program:
    def __init__(
        self, inputs: list[int], steps: list[_Step], outputs: list[int], slots: _Slots,
        in_place: tuple[tuple[int, int], ...],
    ) -> None:  # fmt: skip
        self.inputs, self.steps, self.outputs, self.in_place = inputs, steps, outputs, in_place
        self.initial = slots.initial

    def hold(self, first: int) -> None:
        """Nothing to do: it looks at every array each time."""

    def __call__(self, arrays: Sequence[Array]) -> list[Array]:
        held = list(self.initial)
        for slot, array in zip(self.inputs, arrays, strict=True):
            held[slot] = array
        with np.errstate(all="ignore"):
            for step in self.steps:
                self._run(step, held)
        return [np.asarray(held[slot]) for slot in self.outputs]

    def repeat(self, arrays: Sequence[Array], moving: int, steps: int) -> list[Array]:
        """As many runs; each finds the variables as the one before left them."""
        given = [*arrays]
        for number in range(steps):
            given[moving] = arrays[moving][number]
            results = self(given)
            for i, j in self.in_place:
                given[i] = results[j]
        return results

    def _run(self, step: _Step, held: list[Any]) -> None:
        try:
            result = step.meaning(*[held[i] for i in step.inputs], **step.params)
        except (OpError, ValueError, FloatingPointError) as error:
            raise located(error, step.node.origin) from error.__cause__
        if isinstance(result, tuple):
            for slot, array in zip(step.outputs, result, strict=True):
                held[slot] = np.asarray(array)
        else:
            held[step.outputs[0]] = result
        for slot in step.freed:
            held[slot] = None
