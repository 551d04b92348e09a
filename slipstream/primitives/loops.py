"""Loops: `scan`, of a length known before the program runs, and `while_loop`, of one that is not.

The derivative of a scan is a scan back over the stacked carries. That of a while loop is a
primitive of its own, which keeps the states of the forward loop and walks them back; it expands
into while loops, so that it can be derived again.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from slipstream.ir.dtypes import float64, int32
from slipstream.ir.graph import Array, Graph
from slipstream.ir.types import TensorType
from slipstream.primitives.base import Primitive, Pull, define, misfit
from slipstream.primitives.control import (
    VECTOR,
    also_acting,
    check_inputs,
    differentiable,
    kept,
    placed,
    pullback_of,
    unpacked,
)
from slipstream.primitives.elementwise import less, sin
from slipstream.primitives.evaluate import evaluate
from slipstream.primitives.operand import constant, scalar, zeros
from slipstream.primitives.reduction import sum_
from slipstream.primitives.samples import Spec, positive, reals, sample
from slipstream.primitives.structure import concat, reshape, slice_along
from slipstream.primitives.tracing import as_tuple, replay, trace

# --- scan ---


def _element(x: TensorType) -> TensorType:
    return x.with_shape(x.shape[1:])


def _check_scan(types: Sequence[TensorType], body: Graph, length: int, carry: int, xs: int) -> None:
    stacked = types[carry : carry + xs]
    if any(not x.shape or x.shape[0] != length for x in stacked):
        shown = ", ".join(map(str, stacked))
        raise misfit("scan", "the first size is not the length", xs=shown, length=length)
    check_inputs("scan", body, (*types[:carry], *map(_element, stacked), *types[carry + xs :]))
    if body.output_types[:carry] != tuple(types[:carry]):
        before, after = ", ".join(map(str, types[:carry])), ", ".join(map(str, body.output_types))
        raise misfit("scan", "the body changes the type of the carry", carry=before, returned=after)


def _scan_rule(
    *types: TensorType, body: Graph, length: int, carry: int, xs: int, reverse: bool
) -> tuple[TensorType, ...]:
    _check_scan(types, body, length, carry, xs)
    stacked = [y.with_shape((length, *y.shape)) for y in body.output_types[carry:]]
    return (*types[:carry], *stacked)


def _scan(*arrays: Array, body: Graph, length: int, carry: int, xs: int, reverse: bool) -> Any:
    state, stacked = arrays[:carry], arrays[carry : carry + xs]
    fixed = arrays[carry + xs :]
    ys = [np.empty((length, *y.shape), y.dtype.numpy) for y in body.output_types[carry:]]
    for step in reversed(range(length)) if reverse else range(length):
        found = evaluate(body, (*state, *(x[step] for x in stacked), *fixed))
        state = found[:carry]
        for y, element in zip(ys, found[carry:], strict=True):
            y[step] = element
    return unpacked((*state, *ys))


def _carries_before(pull: Pull) -> tuple[Any, ...]:
    """Each step's carry as the body received it, stacked.

    Where the body gives its new carry as an element too, the elements, moved by one step, are it;
    else the loop runs once more.
    """
    p = pull.params
    body, carry, reverse = p["body"], p["carry"], p["reverse"]
    given = [
        body.outputs.index(value, carry) if value in body.outputs[carry:] else None
        for value in body.outputs[:carry]
    ]
    if all(place is not None for place in given):
        return tuple(
            _moved(pull.inputs[i], pull.outputs[place], reverse)
            for i, place in enumerate(given)
            if place is not None
        )
    watching = Graph(
        body.inputs, body.nodes, (*body.outputs[:carry], *body.inputs[:carry]), body.name
    )
    return as_tuple(scan(*pull.inputs, **{**p, "body": watching}))[carry:]


def _moved(first: Any, after: Any, reverse: bool) -> Any:
    """The elements `after` each step, as what came before each step."""
    length, head = after.shape[0], reshape(first, shape=(1, *first.shape))
    if length == 0:
        return after
    if reverse:
        return concat(slice_along(after, 0, 1, length), head, axis=0)
    return concat(head, slice_along(after, 0, 0, length - 1), axis=0)


@lru_cache(maxsize=256)
def _scan_back_body(
    body: Graph, carry: int, xs: int, wanted: tuple[bool, ...], differentiate: Any
) -> Graph:
    """One step back.

    (cotangents of the carry, sums of those of the invariants; carry, x, cotangents of y; the
    invariants) -> (the same two; cotangents of x).
    """
    types, outputs = body.input_types, body.output_types
    flags = differentiable(outputs)
    moving = kept(types[:carry], flags[:carry])
    summed = kept(types[carry + xs :], wanted[carry + xs :])
    arriving = kept(outputs[carry:], flags[carry:])
    pullback = pullback_of(body, wanted, differentiate)

    def step(*operands: Any) -> Any:
        cotangents, rest = operands[: len(moving)], operands[len(moving) :]
        totals, rest = rest[: len(summed)], rest[len(summed) :]
        elements, rest = rest[: carry + xs], rest[carry + xs :]
        above, invariants = rest[: len(arriving)], rest[len(arriving) :]
        found = replay(pullback, (*elements, *invariants, *cotangents, *above))
        new, found_xs = found[: len(moving)], found[len(moving) : len(found) - len(summed)]
        added = found[len(found) - len(summed) :]
        sums = [total + g for total, g in zip(totals, added, strict=True)]
        return (*new, *sums, *found_xs)

    steps = (*moving, *summed, *types[: carry + xs], *arriving, *types[carry + xs :])
    return trace(step, steps, f"{body.name}_back")


def _scan_derivative(pull: Pull) -> list[Any]:
    p = pull.params
    carry, xs, body = p["carry"], p["xs"], p["body"]
    wanted = (*differentiable(body.input_types[:carry]), *pull.wanted[carry:])
    back = _scan_back_body(body, carry, xs, wanted, pull.differentiate)
    flags = differentiable(body.output_types)
    cotangents = kept(pull.cotangents[:carry], flags[:carry])
    invariants = pull.inputs[carry + xs :]
    totals = [zeros(v.type) for v in kept(invariants, wanted[carry + xs :])]
    elements = (*_carries_before(pull), *pull.inputs[carry : carry + xs])
    above = kept(pull.cotangents[carry:], flags[carry:])
    found = scan(
        *cotangents, *totals, *elements, *above, *invariants,
        body=back, length=p["length"], carry=len(cotangents) + len(totals),
        xs=len(elements) + len(above), reverse=not p["reverse"],
    )  # fmt: skip
    return _scan_placed(as_tuple(found), len(cotangents), len(totals), wanted, pull)


def _scan_placed(
    found: tuple[Any, ...], moving: int, summed: int, wanted: tuple[bool, ...], pull: Pull
) -> list[Any]:
    ordered = (*found[:moving], *found[moving + summed :], *found[moving : moving + summed])
    every = placed(iter(ordered), wanted)
    return [g if w else None for g, w in zip(every, pull.wanted, strict=True)]


# --- while ---


def _check_while(types: Sequence[TensorType], cond: Graph, body: Graph, carried: int) -> None:
    for graph in (cond, body):
        check_inputs("while_loop", graph, types)
    if (
        len(cond.outputs) != 1
        or not cond.output_types[0].dtype.is_bool
        or cond.output_types[0].rank
    ):
        returned = ", ".join(map(str, cond.output_types))
        raise misfit("while_loop", "the condition is not one boolean", "bool[]", returned=returned)
    if body.output_types != tuple(types[:carried]):
        before, after = (", ".join(map(str, t)) for t in (types[:carried], body.output_types))
        raise misfit(
            "while_loop", "the body changes the loop variables' types", before, returned=after
        )


def _while_rule(
    *types: TensorType, cond_graph: Graph, body_graph: Graph, carried: int, maximum: int | None
) -> tuple[TensorType, ...]:
    _check_while(types, cond_graph, body_graph, carried)
    return types[:carried]


def _states(
    arrays: Sequence[Array], cond: Graph, body: Graph, carried: int, maximum: int | None
) -> Any:
    """The loop variables before the first step and after each."""
    state, fixed, steps = tuple(arrays[:carried]), tuple(arrays[carried:]), 0
    yield state
    while (maximum is None or steps < maximum) and evaluate(cond, (*state, *fixed))[0]:
        state, steps = evaluate(body, (*state, *fixed)), steps + 1
        yield state


def _while(
    *arrays: Array, cond_graph: Graph, body_graph: Graph, carried: int, maximum: int | None
) -> Any:
    state: tuple[Array, ...] = ()
    for state in _states(arrays, cond_graph, body_graph, carried, maximum):  # noqa: B007
        pass
    return unpacked(state)


def _while_derivative(pull: Pull) -> list[Any]:
    carried, body = pull.params["carried"], pull.params["body_graph"]
    moving = differentiable(body.output_types)
    wanted = (*moving, *pull.wanted[carried:])
    pullback = pullback_of(body, wanted, pull.differentiate)
    given = kept(pull.cotangents, moving)
    found = while_gradient(
        *pull.inputs, *given, **pull.params, pullback=pullback, moving=len(given)
    )
    every = placed(iter(as_tuple(found)), wanted)
    return [g if w else None for g, w in zip(every, pull.wanted, strict=True)]


def _while_gradient_rule(
    *types: TensorType,
    cond_graph: Graph,
    body_graph: Graph,
    carried: int,
    maximum: int | None,
    pullback: Graph,
    moving: int,
) -> tuple[TensorType, ...]:
    _check_while(types[: len(types) - moving], cond_graph, body_graph, carried)
    check_inputs("while_gradient", pullback, types)
    return pullback.output_types


def _while_gradient(
    *arrays: Array,
    cond_graph: Graph,
    body_graph: Graph,
    carried: int,
    maximum: int | None,
    pullback: Graph,
    moving: int,
) -> Any:
    inputs = arrays[: len(arrays) - moving]
    cotangents = tuple(arrays[len(inputs) :])
    fixed = inputs[carried:]
    totals = [np.zeros(t.shape, t.dtype.numpy) for t in pullback.output_types[moving:]]
    states = list(_states(inputs, cond_graph, body_graph, carried, maximum))
    for state in reversed(states[:-1]):
        found = evaluate(pullback, (*state, *fixed, *cotangents))
        cotangents = found[:moving]
        totals = [total + g for total, g in zip(totals, found[moving:], strict=True)]
    return unpacked((*cotangents, *totals))


def _counting(cond: Graph, body: Graph, limited: bool) -> tuple[Graph, Graph]:
    """Condition and body with a counter before the loop variables.

    With `limited`, the bound of the counter comes after them and is the condition.
    """
    counter = TensorType((), int32)
    types = cond.input_types
    place = 1 + len(body.outputs)

    def goes_on(number: Any, *operands: Any) -> Any:
        return less(number, operands[place - 1]) if limited else replay(cond, operands)

    def step(number: Any, *operands: Any) -> Any:
        rest = (*operands[: place - 1], *operands[place:]) if limited else operands
        return (number + 1, *replay(body, rest))

    bound = (counter,) if limited else ()
    every = (counter, *types[: place - 1], *bound, *types[place - 1 :])
    return trace(goes_on, every, cond.name), trace(step, every, body.name)


def _while_gradient_expanded(
    *operands: Any,
    cond_graph: Graph,
    body_graph: Graph,
    carried: int,
    maximum: int | None,
    pullback: Graph,
    moving: int,
) -> Any:
    """Count the steps; then go back, each time from the beginning to the state before the step.

    The number of steps squared, in constant memory.
    """
    inputs, given = operands[: len(operands) - moving], operands[len(operands) - moving :]
    zero = scalar(0, int32)
    cond, body = _counting(cond_graph, body_graph, limited=False)
    steps = while_loop(
        zero, *inputs, cond_graph=cond, body_graph=body, carried=carried + 1, maximum=maximum
    )[0]
    totals = [zeros(t) for t in pullback.output_types[moving:]]
    goes_on, back = _while_back(cond_graph, body_graph, pullback, moving)
    found = while_loop(
        steps, *given, *totals, *inputs,
        cond_graph=goes_on, body_graph=back, carried=1 + len(given) + len(totals), maximum=None,
    )  # fmt: skip
    return unpacked(found[1:])


@lru_cache(maxsize=256)
def _while_back(
    cond_graph: Graph, body_graph: Graph, pullback: Graph, moving: int
) -> tuple[Graph, Graph]:
    """Condition and body of the way back.

    Its variables are the number of steps left, cotangents and sums; its invariants are what the
    forward loop began with.
    """
    carried = len(body_graph.outputs)
    limit, advance = _counting(cond_graph, body_graph, limited=True)
    totals = len(pullback.outputs) - moving

    def goes_on(left: Any, *operands: Any) -> Any:
        return less(left.coerce(0), left)

    def step(left: Any, *operands: Any) -> Any:
        cotangents, sums = operands[:moving], operands[moving : moving + totals]
        inputs = operands[moving + totals :]
        left = left - 1
        state = while_loop(
            left.coerce(0), *inputs[:carried], left, *inputs[carried:],
            cond_graph=limit, body_graph=advance, carried=carried + 1, maximum=None,
        )[1:]  # fmt: skip
        found = replay(pullback, (*state, *inputs[carried:], *cotangents))
        added = (total + g for total, g in zip(sums, found[moving:], strict=True))
        return (left, *found[:moving], *added)

    types = (TensorType((), int32), *pullback.output_types, *body_graph.input_types)
    return trace(goes_on, types, "goes_on"), trace(step, types, f"{body_graph.name}_back")


# --- the records ---

NUMBER = TensorType((), float64)


def _recurrence(h: Any, x: Any, w: Any) -> Any:
    new = sin(h * w) + x
    return new, h * new


def _emitting(h: Any, x: Any, w: Any) -> Any:
    new = sin(h * w + x)
    return new, new


def _halving_goes_on(x: Any, y: Any, w: Any) -> Any:
    return less(constant(np.asarray(1.0)), sum_(x * x, axes=(0,)))


def _halving(x: Any, y: Any, w: Any) -> Any:
    return x * 0.5, y * w + sin(x)


_THREE = (VECTOR, VECTOR, VECTOR)
_SCANNED: dict[str, Any] = {"length": 4, "carry": 1, "xs": 1}
_WHILE: dict[str, Any] = {
    "cond_graph": trace(_halving_goes_on, _THREE, "goes_on"),
    "body_graph": trace(_halving, _THREE, "halving"),
    "carried": 2,
}
_LARGE = Spec((3,), 4.0, 5.0)

scan: Primitive = also_acting(
    Primitive(
        "scan",
        "control",
        _scan_rule,
        _scan,
        _scan_derivative,
        samples=(
            sample(reals(3), reals(4, 3), reals(3), **_SCANNED, reverse=False,
                   body=trace(_recurrence, _THREE, "recurrence")),
            sample(reals(3), reals(4, 3), reals(3), **_SCANNED, reverse=True,
                   body=trace(_recurrence, _THREE, "recurrence")),
            sample(reals(3), reals(4, 3), reals(3), **_SCANNED, reverse=False,
                   body=trace(_emitting, _THREE, "emitting")),
            sample(reals(3), reals(4, 3), reals(3), **_SCANNED, reverse=True,
                   body=trace(_emitting, _THREE, "emitting")),
        ),
        facts={"dtypes": (float64,)},
        doc="body(carry..., x[t]..., invariants...) -> (carry..., y[t]...) for each t of `length`; "
        "gives the last carry and the stacked y. `reverse` goes from the last x to the first",
    )
)  # fmt: skip
while_loop: Primitive = also_acting(
    Primitive(
        "while_loop",
        "control",
        _while_rule,
        _while,
        _while_derivative,
        samples=tuple(
            sample(_LARGE, reals(3), positive(3), **_WHILE, maximum=m) for m in (None, 2, 0)
        ),
        facts={"dtypes": (float64,)},
        doc="body(carried..., invariants...) -> carried while cond of the same holds, at most "
        "`maximum` times; gives the last `carried` values",
    )
)


def _while_gradient_sample(maximum: int | None) -> Any:
    def back(x: Any, y: Any, w: Any, gx: Any, gy: Any) -> Any:
        return gx * 0.5 + gy * x, gy * w, gy * y

    pullback = trace(back, (*_THREE, VECTOR, VECTOR), "halving_pullback")
    return sample(
        _LARGE, reals(3), positive(3), reals(3), reals(3),
        **_WHILE, maximum=maximum, pullback=pullback, moving=2,
    )  # fmt: skip


while_gradient: Primitive = define(
    Primitive(
        "while_gradient",
        "control",
        _while_gradient_rule,
        _while_gradient,
        None,
        _while_gradient_expanded,
        samples=(_while_gradient_sample(None), _while_gradient_sample(2)),
        facts={"dtypes": (float64,)},
        doc="Cotangents of a while loop's inputs: its states, kept, and walked back by `pullback`",
    )
)
