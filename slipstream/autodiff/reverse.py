"""Reverse mode (Linnainmaa 1970): walk the applications backwards, pulling cotangents.

The walk itself applies primitives, under whatever interpreter is current. So the gradient of a
graph is a graph, that of eager arrays is computed at once, and derivatives have derivatives.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from slipstream.ir.builder import Builder
from slipstream.ir.graph import Constant, Graph, Params, Value
from slipstream.primitives.base import Primitive, Pull, interpreting
from slipstream.primitives.operand import Operand, zeros
from slipstream.primitives.rows import Rows
from slipstream.primitives.tracing import GraphInterpreter, Traced, as_tuple, replay, trace

Cotangent = Any  # an Operand, Rows, or None for zero


class Application(NamedTuple):
    """A primitive applied to operands."""

    primitive: Primitive
    inputs: tuple[Operand, ...]
    params: Params
    outputs: tuple[Operand, ...]


def backward(
    applications: Sequence[Application],
    targets: Sequence[Operand],
    cotangents: Sequence[Cotangent],
    sources: Sequence[Operand],
) -> list[Cotangent]:
    """The cotangents of `sources`, given those of `targets`; None where nothing connects them."""
    wanted_in_the_end = {source.identity for source in sources}
    relevant, reached = _relevant(applications, wanted_in_the_end)
    total: dict[int, Cotangent] = {}
    for target, cotangent in zip(targets, cotangents, strict=True):
        _add(total, target, cotangent)
    for application in reversed(relevant):
        arriving = [total.get(o.identity) for o in application.outputs]
        for output in application.outputs:
            if output.identity not in wanted_in_the_end:
                total.pop(output.identity, None)
        if any(c is not None for c in arriving):
            for operand, cotangent in zip(
                application.inputs, _pull(application, arriving, reached), strict=True
            ):
                _add(total, operand, cotangent)
    return [total.get(source.identity) for source in sources]


def _relevant(
    applications: Sequence[Application], sources: set[int]
) -> tuple[list[Application], set[int]]:
    """The applications that depend on the sources, each result once; and all they lead to."""
    reached = set(sources)
    done: set[int] = set()
    relevant = []
    for application in applications:
        result = application.outputs[0].identity if application.outputs else 0
        if result in done or not any(i.identity in reached for i in application.inputs):
            continue
        done.add(result)
        reached.update(o.identity for o in application.outputs if o.dtype.is_differentiable)
        relevant.append(application)
    return relevant, reached


def _pull(
    application: Application, arriving: Sequence[Cotangent], reached: set[int]
) -> Sequence[Cotangent]:
    primitive = application.primitive
    dense = tuple(
        zeros(output.type) if cotangent is None else as_dense(cotangent)
        for cotangent, output in zip(arriving, application.outputs, strict=True)
    )
    wanted = tuple(i.identity in reached and i.dtype.is_differentiable for i in application.inputs)
    pull = Pull(
        dense, application.inputs, application.outputs, application.params, wanted, differentiate
    )
    if primitive.derivative is not None:
        return primitive.derivative(pull)
    if primitive.expand is not None:
        return _pull_expansion(primitive, pull)
    raise LookupError(f"[{primitive.name}] no gradient is defined for this operation")


def _pull_expansion(primitive: Primitive, pull: Pull) -> list[Cotangent]:
    """The derivative of a primitive that is defined by others: that of its expansion."""
    expand = primitive.expand
    assert expand is not None
    graph = trace(lambda *xs: expand(*xs, **pull.params), [i.type for i in pull.inputs])
    found = iter(_replay_pullback(differentiate(graph, pull.wanted), pull))
    return [next(found) if wanted else None for wanted in pull.wanted]


def _replay_pullback(pullback: Graph, pull: Pull) -> tuple[Operand, ...]:
    return replay(pullback, (*pull.inputs, *pull.cotangents))


def as_dense(cotangent: Cotangent) -> Operand:
    """A cotangent as an operand of the full shape."""
    operand: Operand = cotangent.dense() if isinstance(cotangent, Rows) else cotangent
    return operand


def _add(total: dict[int, Cotangent], operand: Operand, cotangent: Cotangent) -> None:
    if cotangent is None or not operand.dtype.is_differentiable:
        return
    known = total.get(operand.identity)
    if known is None:
        total[operand.identity] = cotangent
    elif isinstance(known, Rows) and isinstance(cotangent, Rows):
        total[operand.identity] = known.joined(cotangent)
    else:
        total[operand.identity] = as_dense(known) + as_dense(cotangent)


def applications_of(nodes: Sequence[Any], interpreter: GraphInterpreter) -> list[Application]:
    """The nodes of a graph as applications of operands that `interpreter` wraps."""
    wrapped: dict[Value, Operand] = {}

    def wrap(value: Value) -> Operand:
        if value not in wrapped:
            wrapped[value] = interpreter.wrap(value)
        return wrapped[value]

    return [
        Application(
            node.operation,
            tuple(map(wrap, node.inputs)),
            node.params,
            tuple(map(wrap, node.outputs)),
        )
        for node in nodes
    ]


@lru_cache(maxsize=256)
def differentiate(graph: Graph, wanted: tuple[bool, ...]) -> Graph:
    """The pullback of a graph: (inputs, cotangents of outputs) -> cotangents of the wanted inputs.

    The forward nodes it needs are part of it. A wanted input that nothing connects gets zeros.
    """
    builder = Builder(f"{graph.name}_pullback")
    interpreter = GraphInterpreter(builder)
    mapping: dict[Value, Value] = {value: builder.input(value.type) for value in graph.inputs}
    cotangents = [Traced(builder.input(value.type)) for value in graph.outputs]
    for node in graph.nodes:
        inputs = [v if isinstance(v, Constant) else mapping[v] for v in node.inputs]
        outputs = builder.add(node.operation, inputs, node.params, node.origin)
        mapping.update(zip(node.outputs, outputs, strict=True))
    applications = applications_of(list(builder.nodes), interpreter)
    targets = [Traced(v if isinstance(v, Constant) else mapping[v]) for v in graph.outputs]
    sources = [Traced(mapping[v]) for v, w in zip(graph.inputs, wanted, strict=True) if w]
    with interpreting(interpreter):
        found = backward(applications, targets, cotangents, sources)
        results = [
            zeros(source.type) if cotangent is None else as_dense(cotangent)
            for source, cotangent in zip(sources, found, strict=True)
        ]
    return builder.graph([interpreter.lift(r) for r in as_tuple(results)])
