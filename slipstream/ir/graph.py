"""What a program is: values, nodes and the graph that lists them in topological order.

Nodes and values are dumb frozen records compared by identity. There is no variable and no hidden
state in a graph: a program that updates variables takes their old contents as inputs and returns
the new ones as outputs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from slipstream.ir.dtypes import from_numpy
from slipstream.ir.types import TensorType

Array = np.ndarray[Any, Any]
Params = Mapping[str, Any]


class Operation(Protocol):
    """What the graph needs to know of an operation; `primitives.Primitive` is one."""

    @property
    def name(self) -> str: ...

    @property
    def effect(self) -> bool:
        """Whether it acts on the world outside the program, so that it is kept, and in order."""

    def infer(self, inputs: tuple[TensorType, ...], params: Params) -> tuple[TensorType, ...]:
        """The types of the outputs; raises a user error where the inputs do not fit."""

    def compute(self, inputs: tuple[Array, ...], params: Params) -> tuple[Array, ...]:
        """The NumPy meaning."""


@dataclass(frozen=True, eq=False)
class Value:
    """One array that a program handles: an input or an output of a node."""

    type: TensorType


@dataclass(frozen=True, eq=False)
class Constant(Value):
    """A value known when the program is built."""

    array: Array

    @staticmethod
    def of(array: Array) -> Constant:
        return Constant(TensorType(array.shape, from_numpy(array.dtype)), array)


@dataclass(frozen=True, eq=False)
class Node:
    """One operation applied: its inputs, its static parameters, its outputs."""

    operation: Operation
    inputs: tuple[Value, ...]
    params: Params
    outputs: tuple[Value, ...]
    origin: str | None = None  # the user's file:line


@dataclass(frozen=True, eq=False)
class Graph:
    """A program: `outputs` computed from `inputs` by `nodes`, in order."""

    inputs: tuple[Value, ...]
    nodes: tuple[Node, ...]
    outputs: tuple[Value, ...]
    name: str = field(default="graph")

    @property
    def input_types(self) -> tuple[TensorType, ...]:
        return tuple(v.type for v in self.inputs)

    @property
    def output_types(self) -> tuple[TensorType, ...]:
        return tuple(v.type for v in self.outputs)

    def __str__(self) -> str:
        from slipstream.ir.text import print_graph

        return print_graph(self)


def subgraphs(params: Params) -> Iterator[Graph]:
    """The graphs a node holds as parameters: a loop's body, a condition's branches."""
    for value in params.values():
        if isinstance(value, Graph):
            yield value
        elif isinstance(value, tuple):
            yield from (item for item in value if isinstance(item, Graph))


def pruned(graph: Graph) -> Graph:
    """The same program without the nodes that nothing needs; effects are kept."""
    live = set(graph.outputs)
    kept: list[Node] = []
    for node in reversed(graph.nodes):
        if node.operation.effect or not live.isdisjoint(node.outputs):
            live.update(node.inputs)
            kept.append(node)
    return Graph(graph.inputs, tuple(reversed(kept)), graph.outputs, graph.name)
