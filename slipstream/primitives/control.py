"""Choices between sub-programs, and calls of one. Sub-programs are graphs held as parameters.

All sub-programs of one choice take the same inputs. Their meaning is that of their nodes; their
derivative chooses in the same way between their pullbacks, so it can be derived again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from slipstream.ir.dtypes import float64
from slipstream.ir.graph import Array, Graph, Node
from slipstream.ir.types import TensorType
from slipstream.primitives.base import Primitive, Pull, define, misfit
from slipstream.primitives.elementwise import sin
from slipstream.primitives.evaluate import evaluate
from slipstream.primitives.operand import zeros
from slipstream.primitives.samples import booleans, integers, reals, sample
from slipstream.primitives.tracing import as_tuple, replay, trace

Differentiate = Callable[[Graph, tuple[bool, ...]], Graph]


def unpacked(outputs: Sequence[Any]) -> Any:
    """One output by itself, several as a tuple: what a meaning returns."""
    return outputs[0] if len(outputs) == 1 else tuple(outputs)


def check_inputs(name: str, graph: Graph, types: Sequence[TensorType]) -> None:
    """Raise unless a sub-program can be called with inputs of these types."""
    if graph.input_types != tuple(types):
        raise misfit(
            name,
            f"the inputs do not fit the sub-program {graph.name}",
            ", ".join(map(str, graph.input_types)),
            inputs=", ".join(map(str, types)),
        )


def differentiable(types: Sequence[TensorType]) -> tuple[bool, ...]:
    return tuple(t.dtype.is_differentiable for t in types)


@lru_cache(maxsize=256)
def pullback_of(graph: Graph, wanted: tuple[bool, ...], differentiate: Differentiate) -> Graph:
    """(inputs, cotangents of the differentiable outputs) -> cotangents of the wanted inputs."""
    pullback = differentiate(graph, wanted)
    outputs = graph.output_types

    def function(*operands: Any) -> Any:
        given = iter(operands[len(graph.inputs) :])
        cotangents = [next(given) if d else zeros(t) for t, d in zip(outputs, flags, strict=True)]
        return replay(pullback, (*operands[: len(graph.inputs)], *cotangents))

    flags = differentiable(outputs)
    return quiet(trace(function, (*graph.input_types, *kept(outputs, flags)), pullback.name))


def quiet(graph: Graph) -> Graph:
    """The graph without the effects that no output needs: a pullback does not print again."""
    live = set(graph.outputs)
    needed: list[Node] = []
    for node in reversed(graph.nodes):
        if not live.isdisjoint(node.outputs):
            live.update(node.inputs)
            needed.append(node)
    return Graph(graph.inputs, tuple(reversed(needed)), graph.outputs, graph.name)


def acts(graph: Graph) -> bool:
    """Whether a node of the graph, or of one inside it, has an effect."""
    return any(node.operation.effect for node in graph.nodes)


def kept(items: Sequence[Any], flags: Sequence[bool]) -> tuple[Any, ...]:
    """The items whose flag is true."""
    return tuple(item for item, flag in zip(items, flags, strict=True) if flag)


def placed(found: Iterator[Any], wanted: Sequence[bool]) -> list[Any]:
    """One of `found` for each wanted place, None for the others."""
    return [next(found) if w else None for w in wanted]


def _check_branches(name: str, graphs: Sequence[Graph], types: Sequence[TensorType]) -> None:
    for graph in graphs:
        check_inputs(name, graph, types)
        if graph.output_types != graphs[0].output_types:
            raise misfit(
                name,
                "the branches give different types",
                "the same shapes and dtypes from each",
                **{f"branch{i}": ", ".join(map(str, g.output_types)) for i, g in enumerate(graphs)},
            )


def _cond_rule(
    predicate: TensorType, *types: TensorType, then_graph: Graph, else_graph: Graph
) -> tuple[TensorType, ...]:
    if predicate.rank or not predicate.dtype.is_bool:
        raise misfit("cond", "the predicate is not one boolean", "bool[]", predicate=predicate)
    _check_branches("cond", (then_graph, else_graph), types)
    return then_graph.output_types


def _cond(predicate: Array, *captures: Array, then_graph: Graph, else_graph: Graph) -> Any:
    return unpacked(evaluate(then_graph if predicate else else_graph, captures))


def _choice_derivative(pull: Pull, graphs: Sequence[Graph]) -> tuple[tuple[Graph, ...], Any]:
    """The pullbacks of the branches, and what they are called with after the captures."""
    wanted = pull.wanted[1:]
    pullbacks = tuple(pullback_of(g, wanted, pull.differentiate) for g in graphs)
    return pullbacks, kept(pull.cotangents, differentiable(graphs[0].output_types))


def _cond_derivative(pull: Pull) -> list[Any]:
    if not any(pull.wanted):
        return [None] * len(pull.inputs)
    graphs = pull.params["then_graph"], pull.params["else_graph"]
    (then_graph, else_graph), cotangents = _choice_derivative(pull, graphs)
    found = cond(*pull.inputs, *cotangents, then_graph=then_graph, else_graph=else_graph)
    return placed(iter(as_tuple(found)), pull.wanted)


def _switch_rule(
    index: TensorType, *types: TensorType, graphs: tuple[Graph, ...]
) -> tuple[TensorType, ...]:
    if index.rank or not index.dtype.is_integer or not graphs:
        raise misfit("switch", "the index is not one integer", "int32[]", index=index)
    _check_branches("switch", graphs, types)
    return graphs[0].output_types


def _switch(index: Array, *captures: Array, graphs: tuple[Graph, ...]) -> Any:
    chosen = int(index)
    inside = 0 <= chosen < len(graphs)
    return unpacked(evaluate(graphs[chosen if inside else -1], captures))


def _switch_derivative(pull: Pull) -> list[Any]:
    if not any(pull.wanted):
        return [None] * len(pull.inputs)
    graphs, cotangents = _choice_derivative(pull, pull.params["graphs"])
    found = switch(*pull.inputs, *cotangents, graphs=graphs)
    return placed(iter(as_tuple(found)), pull.wanted)


def _call_rule(*types: TensorType, graph: Graph) -> tuple[TensorType, ...]:
    check_inputs("call", graph, types)
    return graph.output_types


def _call_derivative(pull: Pull) -> list[Any]:
    graph = pull.params["graph"]
    if not any(pull.wanted):
        return [None] * len(pull.inputs)
    pullback = pullback_of(graph, pull.wanted, pull.differentiate)
    cotangents = kept(pull.cotangents, differentiable(graph.output_types))
    found = call(*pull.inputs, *cotangents, graph=pullback)
    return placed(iter(as_tuple(found)), pull.wanted)


_ACTING: dict[str, Primitive] = {}  # by the name of the primitive without effects


def also_acting(primitive: Primitive) -> Primitive:
    """Define the primitive, and its twin for sub-programs that have effects."""
    twin = replace(primitive, name=f"{primitive.name}_with_effects", effect=True)
    _ACTING[primitive.name] = define(twin)
    return define(primitive)


def fitting(primitive: Primitive, *graphs: Graph) -> Primitive:
    """The primitive, or its twin if one of the sub-programs has effects, so that they are kept."""
    return _ACTING[primitive.name] if any(map(acts, graphs)) else primitive


VECTOR = TensorType((3,), float64)


def _sine(x: Any, y: Any) -> Any:
    return sin(x * y), x * x


def _product(x: Any, y: Any) -> Any:
    return x * y * y, y


SINE, PRODUCT = trace(_sine, (VECTOR, VECTOR), "sine"), trace(_product, (VECTOR, VECTOR), "product")

cond: Primitive = also_acting(
    Primitive(
        "cond",
        "control",
        _cond_rule,
        _cond,
        _cond_derivative,
        samples=tuple(
            sample(booleans(), reals(3), reals(3), then_graph=a, else_graph=b)
            for a, b in ((SINE, PRODUCT), (PRODUCT, SINE))
        ),
        facts={"dtypes": (float64,)},
        doc="then_graph(captures) where the predicate holds, else else_graph(captures)",
    )
)
switch: Primitive = also_acting(
    Primitive(
        "switch",
        "control",
        _switch_rule,
        _switch,
        _switch_derivative,
        samples=tuple(
            sample(integers(low, low + 1), reals(3), reals(3), graphs=(SINE, PRODUCT, SINE))
            for low in (1, 2, 7)
        ),
        facts={"dtypes": (float64,)},
        doc="The sub-program with the index's number; the last one for an index out of range",
    )
)
call: Primitive = also_acting(
    Primitive(
        "call",
        "control",
        _call_rule,
        lambda *xs, graph: unpacked(evaluate(graph, xs)),
        _call_derivative,
        lambda *xs, graph: unpacked(replay(graph, xs)),
        samples=(sample(reals(3), reals(3), graph=SINE),),
        facts={"dtypes": (float64,), "inline": True},
        doc="The outputs of a sub-program",
    )
)
