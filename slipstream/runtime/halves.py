"""A program in two halves, for a tape that watches a call of it: forward, which also gives what
backward needs, and backward, which makes of that and of cotangents the gradients.

Both are run by the executor in force. What a second tape asks of the first one's gradient goes by
the derivative of `call`, in which everything can be derived again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from slipstream.autodiff import differentiate
from slipstream.ir.graph import Array, Graph
from slipstream.primitives.base import LEVEL, REGISTRY, Primitive, Pull
from slipstream.primitives.control import differentiable, kept, placed, pullback_of, unpacked
from slipstream.primitives.tracing import replay, trace
from slipstream.runtime.eager import EAGER
from slipstream.runtime.executor import Executor, Loaded, executor
from slipstream.runtime.tensor import EagerTensor

CALL = REGISTRY["call"]


class Split(NamedTuple):
    """forward(inputs) -> (outputs, remembered); backward(inputs, remembered, cotangents) ->
    cotangents of the wanted inputs.
    """

    forward: Graph
    backward: Graph


def split(graph: Graph, wanted: tuple[bool, ...]) -> Split:
    """The halves of a graph whose wanted inputs' gradients will be asked for."""
    pullback = pullback_of(graph, wanted, differentiate)
    count = len(graph.inputs)
    late = set(pullback.inputs[count:])  # what depends on a cotangent
    for node in pullback.nodes:
        if not late.isdisjoint(node.inputs):
            late.update(node.outputs)
    early = [node for node in pullback.nodes if late.isdisjoint(node.inputs)]
    after = [node for node in pullback.nodes if not late.isdisjoint(node.inputs)]
    made = {value for node in early for value in node.outputs}
    used = [*(v for node in after for v in node.inputs), *pullback.outputs]
    remembered = tuple(dict.fromkeys(v for v in used if v in made))
    first = Graph(pullback.inputs[:count], tuple(early), remembered, graph.name)
    given = (*pullback.inputs[:count], *remembered, *pullback.inputs[count:])
    second = Graph(given, tuple(after), pullback.outputs, pullback.name)
    return Split(_joined(graph, first), second)


def _joined(graph: Graph, further: Graph) -> Graph:
    """The outputs of both graphs on the same inputs; what they share is computed once."""
    return trace(
        lambda *xs: (*replay(graph, xs), *replay(further, xs)), graph.input_types, graph.name
    )


class Halves:
    """The two programs of a graph, run on eager tensors."""

    def __init__(self, graph: Graph, wanted: tuple[bool, ...]) -> None:
        self.graph, self.wanted = graph, wanted
        self._split = split(graph, wanted)
        self._loaded: dict[tuple[Executor, Graph], Loaded] = {}

    def _run(self, graph: Graph, arrays: Sequence[Array]) -> list[Array]:
        key = executor(), graph
        if key not in self._loaded:
            self._loaded[key] = key[0].load(graph, ())
        return list(self._loaded[key](arrays))

    def __call__(self, inputs: Sequence[EagerTensor]) -> tuple[EagerTensor, ...]:
        """The graph's outputs, shown to the recorders as those of one operation."""
        arrays = [tensor.array for tensor in inputs]
        found = self._run(self._split.forward, arrays)
        count = len(self.graph.outputs)
        outputs = tuple(map(EagerTensor, found[:count]))
        operation = self._operation([*arrays, *found[count:]])
        shown = unpacked(outputs)
        for recorder in LEVEL.recorders:
            recorder.record(operation, tuple(inputs), {"graph": self.graph}, shown)
        return outputs

    def _operation(self, remembered: list[Array]) -> Primitive:
        """`call`, whose derivative runs the second half on what the first has left."""

        def derivative(pull: Pull) -> Sequence[Any]:
            more = any(w and not known for w, known in zip(pull.wanted, self.wanted, strict=True))
            if LEVEL.recorders or LEVEL.interpreter is not EAGER or more:
                return CALL.derivative(pull)  # type: ignore[misc]
            flags = differentiable(self.graph.output_types)
            cotangents = [g.array for g in kept(pull.cotangents, flags)]
            found = self._run(self._split.backward, [*remembered, *cotangents])
            return placed(iter(map(EagerTensor, found)), self.wanted)

        return Primitive("call", "control", CALL.rule, CALL.meaning, derivative, CALL.expand)
