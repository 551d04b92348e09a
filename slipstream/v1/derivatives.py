"""`tf.gradients`: derivatives of a graph, as tensors that a session runs."""

from __future__ import annotations

from typing import Any

from slipstream.autodiff import backward
from slipstream.autodiff.reverse import applications_of
from slipstream.primitives.base import current
from slipstream.primitives.operand import ones, zeros
from slipstream.primitives.rows import Rows
from slipstream.runtime.convert import convert
from slipstream.runtime.function import TensorSpec
from slipstream.runtime.structure import flatten
from slipstream.runtime.variable import Variable as EagerVariable
from slipstream.v1.graph import GraphTensor, in_graph


def gradients(
    ys: Any,
    xs: Any,
    grad_ys: Any = None,
    name: str = "gradients",
    stop_gradients: Any = None,
    **_options: Any,
) -> list[Any]:
    """The derivatives of the sum of `ys` by each of `xs` (tensors or variables), as tensors to run.

    None stands where nothing connects them.
    """
    with in_graph() as graph:
        targets, sources = flatten(ys), flatten(xs)
        seeds = flatten(grad_ys) if grad_ys is not None else [None] * len(targets)
        connected = _connected(graph, targets, sources)
        kept = [s for s, c in zip(sources, connected, strict=True) if c]
        specs = [TensorSpec(s.shape, s.dtype) for s in kept]
        stops = flatten(stop_gradients) if stop_gradients is not None else []
        found = iter(
            graph.add_step(
                _gradients,
                (targets, kept, seeds, stops),
                {},
                type="gradients",
                name=name,
                specs=specs,
            )
            if kept
            else []
        )
        if kept:
            graph.operations[-1].inputs += [s for s in kept if isinstance(s, GraphTensor)]
        return [next(found) if c else None for c in connected]


def _connected(graph: Any, targets: list[Any], sources: list[Any]) -> list[bool]:
    """Whether a target depends on each source, by the steps that lie between."""
    reached: set[int] = set()
    cells: set[Any] = set()
    waiting = list(targets)
    while waiting:
        tensor = waiting.pop()
        if isinstance(tensor, EagerVariable):
            cells.add(tensor.cell)
        if id(tensor) in reached or not isinstance(tensor, GraphTensor):
            continue
        reached.add(id(tensor))
        waiting += tensor.op.inputs
        cells.update(tensor.op.cells)
    return [id(s) in reached or getattr(s, "cell", None) in cells for s in sources]


def _gradients(targets: list[Any], sources: list[Any], seeds: list[Any], stops: list[Any]) -> Any:
    """Runs while a session traces: walks the nodes drawn so far."""
    tracer: Any = current()
    while hasattr(tracer.outer, "builder"):
        tracer = tracer.outer
    points = [_source(tracer, s) for s in sources]
    applications = applications_of(list(tracer.builder.nodes), tracer)
    stopped = {convert(s).identity for s in stops}
    kept = [a for a in applications if not stopped & {o.identity for o in a.outputs}]
    tensors = [convert(t) for t in targets]
    starts = [
        ones(t.type) if seed is None else convert(seed, t.dtype)
        for t, seed in zip(tensors, seeds, strict=True)
    ]
    found = backward(kept, tensors, starts, points)
    return [
        zeros(p.type) if g is None else g.dense() if isinstance(g, Rows) else g
        for p, g in zip(points, found, strict=True)
    ]


def _source(tracer: Any, source: Any) -> Any:
    """A variable's content as the steps before read it, or the tensor itself."""
    if isinstance(source, GraphTensor) or not hasattr(source, "cell"):
        return convert(source)
    if source.cell not in tracer.cells:
        return source.value()
    return tracer.wrap(tracer.cells[source.cell])
