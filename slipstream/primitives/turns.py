"""How often a while loop turns, where numbers that are known beforehand decide it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from slipstream.errors import OpError
from slipstream.ir.graph import Array, Graph, Value, pruned
from slipstream.primitives.control import acts
from slipstream.primitives.evaluate import evaluate

MOST = 10_000  # turns that are tried: each takes some microseconds


def turns(
    cond: Graph, body: Graph, known: Sequence[Array | None], maximum: int | None = None
) -> int | None:
    """The number of turns of `while_loop`; None if it hangs on what is not known, or is large.

    `known` are the loop variables at first and the invariants; None is one that is not known. The
    part of the loop that the condition depends on is run.
    """
    deciding = sorted(_deciding(cond, body))
    if acts(cond) or acts(body) or any(known[i] is None for i in deciding):
        return None
    carried = [i for i in deciding if i < len(body.outputs)]
    goes_on = _part(cond, deciding, cond.outputs)
    step = _part(body, deciding, [body.outputs[i] for i in carried])
    state = {i: known[i] for i in deciding}
    try:
        for count in range(MOST if maximum is None else min(maximum, MOST)):
            arrays = [array for array in state.values() if array is not None]
            if not evaluate(goes_on, arrays)[0]:
                return count
            state.update(zip(carried, evaluate(step, arrays), strict=True))
    except OpError:  # it will be told when the loop is run
        return None
    return maximum if maximum is not None and maximum <= MOST else None


def _deciding(cond: Graph, body: Graph) -> set[int]:
    """The inputs that the condition depends on, in whatever turn."""
    found: set[int] = set()
    new = _read(cond, cond.outputs)
    while new - found:
        found |= new
        new = _read(body, [body.outputs[i] for i in found if i < len(body.outputs)])
    return found


def _read(graph: Graph, outputs: Iterable[Value]) -> set[int]:
    """The numbers of the inputs that these outputs are computed from."""
    outputs = tuple(outputs)
    nodes = pruned(Graph(graph.inputs, graph.nodes, outputs)).nodes
    used = {v for node in nodes for v in node.inputs} | {*outputs}
    return {i for i, v in enumerate(graph.inputs) if v in used}


def _part(graph: Graph, inputs: Sequence[int], outputs: Iterable[Value]) -> Graph:
    """The part of a graph that makes these outputs, of these inputs."""
    return pruned(Graph(tuple(graph.inputs[i] for i in inputs), graph.nodes, tuple(outputs)))
