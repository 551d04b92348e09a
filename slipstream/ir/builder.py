"""Building a graph: each node is typed as it is added, constants are folded, equal nodes shared."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from slipstream.ir.graph import Array, Constant, Graph, Node, Operation, Params, Value, pruned
from slipstream.ir.types import TensorType

FOLD_LIMIT = 4096  # elements: a larger result is cheaper to compute than to carry
SHARE_LIMIT = 64  # bytes: larger constants are shared by identity only


def frozen(value: Any) -> Hashable:
    """A hashable stand-in for a parameter, equal for equal parameters."""
    if isinstance(value, np.ndarray):
        content = tuple(value.flat) if value.dtype.hasobject else value.tobytes()
        return (value.dtype.name, value.shape, content)
    if isinstance(value, (list, tuple)):
        return tuple(frozen(item) for item in value)
    if isinstance(value, dict):
        return tuple((key, frozen(value[key])) for key in sorted(value))
    if isinstance(value, (int, float, complex)):  # 1, 1.0, True and -0.0 are different parameters
        return (type(value).__name__, repr(value))
    return value if isinstance(value, Hashable) else id(value)


class Builder:
    """A graph under construction."""

    def __init__(self, name: str = "graph") -> None:
        self.name = name
        self.inputs: list[Value] = []
        self.nodes: list[Node] = []
        self._known: dict[Hashable, tuple[Value, ...]] = {}

    def input(self, type: TensorType) -> Value:
        """A new input of the program."""
        value = Value(type)
        self.inputs.append(value)
        return value

    def constant(self, array: Array) -> Constant:
        """The value of an array; equal small arrays are one value."""
        if array.nbytes > SHARE_LIMIT or array.dtype.hasobject:
            return Constant.of(array)
        key = ("constant", array.dtype.str, array.dtype.name, array.shape, array.tobytes())
        if key not in self._known:
            self._known[key] = (Constant.of(array.copy()),)
        known = self._known[key][0]
        assert isinstance(known, Constant)
        return known

    def add(
        self,
        operation: Operation,
        inputs: Sequence[Value],
        params: Params,
        origin: str | None = None,
    ) -> tuple[Value, ...]:
        """The outputs of `operation` on `inputs`: folded, shared with an equal node, or new."""
        inputs = tuple(inputs)
        if operation.effect:
            return self._append(operation, inputs, params, origin)
        key = (operation, inputs, frozen(dict(params)))  # holds the inputs: no address is reused
        if key not in self._known:
            self._known[key] = self._fold(operation, inputs, params) or self._append(
                operation, inputs, params, origin
            )
        return self._known[key]

    def _append(
        self, operation: Operation, inputs: tuple[Value, ...], params: Params, origin: str | None
    ) -> tuple[Value, ...]:
        types = operation.infer(tuple(v.type for v in inputs), params)
        outputs = tuple(Value(t) for t in types)
        self.nodes.append(Node(operation, inputs, dict(params), outputs, origin))
        return outputs

    def _fold(
        self, operation: Operation, inputs: tuple[Value, ...], params: Params
    ) -> tuple[Value, ...] | None:
        constants = [v for v in inputs if isinstance(v, Constant)]
        if not inputs or len(constants) != len(inputs):
            return None
        types = operation.infer(tuple(v.type for v in inputs), params)
        if sum(t.size for t in types) > FOLD_LIMIT:
            return None
        arrays = operation.compute(tuple(c.array for c in constants), params)
        return tuple(self.constant(a) for a in arrays)

    def graph(self, outputs: Sequence[Value], *, prune: bool = True) -> Graph:
        """The finished program; `prune` leaves out what the outputs do not need."""
        built = Graph(tuple(self.inputs), tuple(self.nodes), tuple(outputs), self.name)
        return pruned(built) if prune else built
