"""Random programs: small graphs of typed operations, some with their derivatives, from a seed.

A graph is drawn node by node and computed as it is drawn, so that operands keep ordinary sizes and
indices stay in bounds. An operation of the table picks what fits it among the operands at hand.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from slipstream.autodiff import differentiate
from slipstream.errors import OpError
from slipstream.ir.builder import Builder
from slipstream.ir.dtypes import ALL, DType, bool_, float32, float64, int64
from slipstream.ir.graph import Array, Graph, Value
from slipstream.ir.types import Shape, TensorType
from slipstream.primitives import REGISTRY
from slipstream.primitives.base import interpreting
from slipstream.primitives.evaluate import evaluate
from slipstream.primitives.tracing import GraphInterpreter, Traced, as_tuple, replay, trace

DTYPES = {d.name: d for d in ALL}
SIZES = (1, 1, 2, 2, 3, 3, 4, 5, 7, 8, 9, 16, 17, 33)
MOST_ELEMENTS = 8_000
LARGEST = 1e4  # numbers beyond are left out, unless the graph is a wild one
FLOATING = ("float32",) * 8 + ("float64",) * 3 + ("float16",)
WHOLE = ("int32",) * 3 + ("int64", "int64", "int8", "uint8", "int16", "uint16", "uint32", "uint64")
SPECIAL = (
    np.nan,
    np.inf,
    -np.inf,
    -0.0,
    1e-40,
    1e12,
)  # no sum of these overflows in one order only

apply = REGISTRY.__getitem__


class Unfit(Exception):
    """Nothing at hand fits the operation."""


@dataclass(frozen=True)
class Case:
    """A program and its arguments; pairs (i, j) let output j be written into input i."""

    graph: Graph
    arrays: tuple[Array, ...]
    in_place: tuple[tuple[int, int], ...] = ()


class Drawing:
    """A graph being drawn: `pool` holds the operands at hand, `known` the arrays they are."""

    def __init__(self, seed: int, given: Sequence[Array] = ()) -> None:
        self.choices, self.numbers = random.Random(seed), np.random.default_rng(seed)
        self.builder, self.inner = Builder("fuzz"), bool(given)
        self.interpreter = GraphInterpreter(self.builder)
        self.known: dict[Value, Array] = {}
        self.pool: list[Traced] = []
        self.computed = 0  # how many nodes are
        self.wild = self.chance(0.05)
        for array in given:
            self.pool.append(self.input(array))

    # operands

    def chance(self, share: float) -> bool:
        return self.choices.random() < share

    def number(self, low: int, high: int) -> int:
        """From low to high, both included."""
        return self.choices.randint(low, high)

    def input(self, array: Array) -> Traced:
        value = self.builder.input(TensorType(array.shape, DTYPES[array.dtype.name]))
        self.known[value] = array
        return Traced(value)

    def fresh(self, shape: Shape, dtype: DType) -> Traced:
        """A new input or, in a loop's body always, a constant."""
        if math.prod(shape) > MOST_ELEMENTS:
            raise Unfit
        return self.holding(self.array(shape, dtype))

    def holding(self, array: Array) -> Traced:
        if self.inner or self.chance(0.2):
            value = self.builder.constant(array)
            self.known[value] = array
            return Traced(value)
        return self.input(array)

    def array(self, shape: Shape, dtype: DType) -> Array:
        if dtype.is_bool:
            return self.numbers.integers(0, 2, shape).astype(bool)
        if dtype.is_integer:
            low, high = (0, 20) if dtype.is_unsigned else (-10, 10)
            if self.wild:
                low, high = int(dtype.min), int(dtype.max)
            return self.numbers.integers(low, high, shape, dtype.numpy)
        drawn = self.numbers.normal(size=shape)
        if self.chance(0.2):  # many equal numbers
            drawn = np.rint(drawn)
        if self.wild:
            drawn = np.where(self.numbers.random(shape) < 0.1,
                             self.numbers.choice(SPECIAL, shape), drawn)  # fmt: skip
        with np.errstate(all="ignore"):
            return np.asarray(drawn).astype(dtype.numpy)

    def shape(self, least: int = 0, most: int = 4) -> Shape:
        sizes = [self.choices.choice(SIZES) for _ in range(self.number(least, most))]
        if sizes and self.chance(0.02):
            sizes[self.number(0, len(sizes) - 1)] = 0
        while math.prod(sizes) > MOST_ELEMENTS:
            sizes[sizes.index(max(sizes))] //= 2
        return tuple(sizes)

    def dtype(self, names: Sequence[str] = FLOATING) -> DType:
        return DTYPES[self.choices.choice(names)]

    def pick(self, fits: Callable[[TensorType], bool] = lambda _: True) -> Traced:
        """An operand at hand, rather a late one."""
        found = [x for x in self.pool if fits(x.type)]
        if not found:
            raise Unfit
        return found[max(self.number(0, len(found) - 1) for _ in range(2))]

    def floating(self, least: int = 0, most: int = 5) -> Traced:
        """An operand of floats with so many axes; a new one if there is none."""
        if not self.chance(0.1):
            try:
                return self.pick(lambda t: t.dtype.is_floating and least <= t.rank <= most)
            except Unfit:
                pass
        return self.fresh(self.shape(max(least, 1), min(most, 4)), self.dtype())

    def numeric(self, least: int = 0) -> Traced:
        """An operand of floats or integers."""
        if self.chance(0.7):
            return self.floating(least)
        return self.whole(least)

    def whole(self, least: int = 0) -> Traced:
        try:
            return self.pick(lambda t: t.dtype.is_integer and t.rank >= least)
        except Unfit:
            return self.fresh(self.shape(max(1, least)), self.dtype(WHOLE))

    def truths(self) -> Traced:
        try:
            return self.pick(lambda t: t.dtype.is_bool)
        except Unfit:
            return self.fresh(self.shape(1), bool_)

    def partner(self, x: Any) -> Traced:
        """An operand of the same dtype that broadcasts with x."""
        if self.chance(0.75):
            try:
                return self.pick(lambda t: t.dtype is x.dtype and _broadcast(t.shape, x.shape))
            except Unfit:
                pass
        return self.fresh(self.broadcastable(x.shape), x.dtype)

    def broadcastable(self, shape: Shape) -> Shape:
        """A shape that broadcasts to this one."""
        kept = shape[self.number(0, len(shape)) if self.chance(0.4) else 0 :]
        return tuple(1 if self.chance(0.2) else n for n in kept)

    def matching(self, shape: Shape, dtype: DType) -> Traced:
        """An operand of this very type: one at hand, or a new one."""
        found = [x for x in self.pool if x.type == TensorType(shape, dtype)]
        return (
            self.choices.choice(found) if found and self.chance(0.7) else self.fresh(shape, dtype)
        )

    def axes(self, rank: int) -> tuple[int, ...]:
        """Some axes, at least one if there is one."""
        count = self.number(min(1, rank), rank)
        return tuple(sorted(self.choices.sample(range(rank), count)))

    # steps

    def step(self, operation: Callable[[Drawing], Any]) -> bool:
        """Draw one operation; whether its results are at hand now."""
        try:
            with interpreting(self.interpreter):
                made = as_tuple(operation(self))
            self.compute()
        except (Unfit, OpError):
            return False
        if not all(self.is_ordinary(x) for x in made):
            return False
        self.pool += made
        return True

    def compute(self) -> None:
        """The arrays of new nodes; what fails, and all that needs it, stays unknown."""
        nodes, self.computed = self.builder.nodes[self.computed :], len(self.builder.nodes)
        for node in nodes:
            for value in node.inputs:
                if hasattr(value, "array"):
                    self.known[value] = value.array
            if all(v in self.known for v in node.inputs):
                arrays = tuple(self.known[v] for v in node.inputs)
                found = node.operation.compute(arrays, node.params)
                self.known.update(zip(node.outputs, found, strict=True))

    def is_ordinary(self, x: Any) -> bool:
        array = self.known.get(x.value, getattr(x.value, "array", None))
        if array is None or array.size > MOST_ELEMENTS:
            return False
        if not x.dtype.is_floating or self.wild:
            return True
        return bool(np.all(np.isfinite(array)) and np.all(np.abs(array) < LARGEST))

    def graph(self, outputs: Sequence[Traced]) -> Case:
        graph = self.builder.graph([x.value for x in outputs])
        return Case(graph, tuple(self.known[v] for v in graph.inputs))


def _broadcast(one: Shape, other: Shape) -> bool:
    try:
        return math.prod(np.broadcast_shapes(one, other)) <= MOST_ELEMENTS
    except ValueError:
        return False


# --- the table of operations ---

UNARY = (
    "negative", "absolute", "sign", "square", "exp", "expm1", "tanh", "sin", "cos", "arctan",
    "sigmoid", "softplus", "relu", "erf", "floor", "ceil", "round", "truncate", "sinh", "cosh",
    "arcsinh", "is_nan", "is_finite", "identity", "stop_gradient", "tan",
)  # fmt: skip
POSITIVE = ("sqrt", "rsqrt", "reciprocal", "log", "log1p", "arccosh")
BINARY = ("add", "subtract", "multiply", "maximum", "minimum", "arctan2")
WHOLE_BINARY = (
    "add", "subtract", "multiply", "maximum", "minimum", "bitwise_and", "bitwise_or", "bitwise_xor",
)  # fmt: skip
COMPARISONS = ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal")


def unary(d: Drawing) -> Any:
    return apply(d.choices.choice(UNARY))(d.floating())


def of_positive(d: Drawing) -> Any:
    x = d.floating()
    x = apply("absolute")(x)  # a sum of no zero but -0 may be either: nothing divides by it
    x = x if d.wild else x + 1.0
    return apply(d.choices.choice(POSITIVE))(x)


def binary(d: Drawing) -> Any:
    x = d.floating()
    pair = [x, d.partner(x)]
    d.choices.shuffle(pair)
    return apply(d.choices.choice(BINARY))(*pair)


def divide(d: Drawing) -> Any:
    x = d.floating()
    y = apply("absolute")(d.partner(x)) + 0.5
    names = ("divide", "divide", "floor_mod", "floor_divide", "truncated_mod", "power")
    name = d.choices.choice(names)
    return apply(name)(y, apply("tanh")(x)) if name == "power" else apply(name)(x, y)


def whole_binary(d: Drawing) -> Any:
    x = d.whole()
    return apply(d.choices.choice(WHOLE_BINARY))(x, d.partner(x))


def whole_unary(d: Drawing) -> Any:
    name = d.choices.choice(("negative", "absolute", "sign", "invert", "square"))
    return apply(name)(d.whole())


def whole_divide(d: Drawing) -> Any:
    x = d.whole()
    names = ("floor_divide", "floor_mod", "truncated_mod", "left_shift", "right_shift")
    y = d.numbers.integers(1, 8, d.broadcastable(x.shape)).astype(x.dtype.numpy)
    return apply(d.choices.choice(names))(x, d.holding(y))


def compare(d: Drawing) -> Any:
    x = d.numeric()
    return apply(d.choices.choice(COMPARISONS))(x, d.partner(x))


def logic(d: Drawing) -> Any:
    x = d.truths()
    if d.chance(0.2):
        return apply("logical_not")(x)
    return apply(d.choices.choice(("logical_and", "logical_or", "logical_xor")))(x, d.partner(x))


def select(d: Drawing) -> Any:
    x = d.numeric()
    y = d.partner(x)
    shape = np.broadcast_shapes(x.shape, y.shape)
    try:
        condition = d.pick(lambda t: t.dtype.is_bool and _broadcast(t.shape, shape))
    except Unfit:
        condition = d.fresh(d.broadcastable(shape), bool_)
    return apply("select")(condition, x, y)


def cast(d: Drawing) -> Any:
    names = (*FLOATING, *WHOLE, "bool", "bool")
    return apply("cast")(d.pick(), dtype=d.dtype(names))


def reduce(d: Drawing) -> Any:
    if d.chance(0.15):
        x = d.truths()
        return apply(d.choices.choice(("all", "any")))(x, axes=d.axes(len(x.shape)))
    x = d.numeric(1)
    axes, name = (
        d.axes(len(x.shape)),
        d.choices.choice(("sum", "sum", "sum", "max", "min", "product")),
    )
    if name == "product" and x.dtype.is_floating:  # in no order does a part of it overflow
        x = apply("minimum")(apply("absolute")(x), x.coerce(1.5))
        if math.prod(x.shape[axis] for axis in axes) > 200:
            raise Unfit
    return apply(name)(x, axes=axes)


def arg_extremum(d: Drawing) -> Any:
    x = d.numeric(1)
    axis = d.number(0, len(x.shape) - 1)
    return apply(d.choices.choice(("argmax", "argmin")))(x, axis=axis, dtype=int64)


def cumulative(d: Drawing) -> Any:
    x = d.floating(1)
    params = {"exclusive": d.chance(0.5), "reverse": d.chance(0.5)}
    name = d.choices.choice(("cumulative_sum", "cumulative_product"))
    return apply(name)(x, axis=d.number(0, len(x.shape) - 1), **params)


def mean(d: Drawing) -> Any:
    """x without its mean over some axes, perhaps in units of its deviation."""
    x = d.floating(1)
    axes = d.axes(len(x.shape))
    kept = tuple(1 if i in axes else n for i, n in enumerate(x.shape))
    count = max(1, x.type.size // max(1, math.prod(kept)))

    def average(y: Any) -> Any:
        return apply("reshape")(apply("sum")(y, axes=axes) / float(count), shape=kept)

    off = x - average(x)
    if d.chance(0.5):
        return off
    return off * apply("rsqrt")(average(apply("square")(off)) + 0.1)


def softmax(d: Drawing) -> Any:
    x = d.floating(1)
    axis = len(x.shape) - 1
    kept = (*x.shape[:-1], 1)
    best = apply("reshape")(apply("max")(x, axes=(axis,)), shape=kept)
    powers = apply("exp")(x - apply("stop_gradient")(best))
    return powers / apply("reshape")(apply("sum")(powers, axes=(axis,)), shape=kept)


def transpose(d: Drawing) -> Any:
    x = d.pick(lambda t: t.rank > 1)
    order = list(range(len(x.shape)))
    d.choices.shuffle(order)
    return apply("transpose")(x, permutation=tuple(order))


def reshape(d: Drawing) -> Any:
    """Axes joined, split, or set between."""
    x = d.pick()
    sizes = list(x.shape)
    for _ in range(d.number(1, 3)):
        place = d.number(0, max(0, len(sizes) - 1))
        if len(sizes) > 1 and d.chance(0.5):
            place = min(place, len(sizes) - 2)
            sizes[place : place + 2] = [sizes[place] * sizes[place + 1]]
        elif len(sizes) < 5:
            size = sizes[place] if sizes else 1
            factor = (
                d.choices.choice([n for n in range(1, size + 1) if size % n == 0]) if size else 1
            )
            sizes[place : place + 1] = [factor, size // factor]
    return apply("reshape")(x, shape=tuple(sizes))


def slice_(d: Drawing) -> Any:
    x = d.pick(lambda t: t.rank > 0)
    starts = tuple(d.number(0, n) if d.chance(0.3) else 0 for n in x.shape)
    stops = tuple(
        d.number(a, n) if d.chance(0.3) else n for a, n in zip(starts, x.shape, strict=True)
    )
    steps = tuple(d.choices.choice((1, 1, 1, 2, 3)) for _ in x.shape)
    return apply("slice")(x, starts=starts, stops=stops, steps=steps)


def reverse(d: Drawing) -> Any:
    x = d.pick(lambda t: t.rank > 0)
    return apply("reverse")(x, axes=d.axes(len(x.shape)))


def broadcast(d: Drawing) -> Any:
    x = d.pick(lambda t: t.rank < 4)
    own = tuple(d.choices.choice(SIZES) if n == 1 else n for n in x.shape)
    return apply("broadcast_to")(x, shape=(*d.shape(0, 1), *own))


def pad(d: Drawing) -> Any:
    x = d.pick(lambda t: t.rank > 0)
    number = d.fresh((), x.dtype)
    low, high = (tuple(d.choices.choice((0, 0, 1, 2, -1)) for _ in x.shape) for _ in range(2))
    interior = tuple(d.choices.choice((0, 0, 0, 1)) for _ in x.shape)
    return apply("pad")(x, number, low=low, high=high, interior=interior)


def concat(d: Drawing) -> Any:
    x = d.pick(lambda t: t.rank > 0)
    axis = d.number(0, len(x.shape) - 1)

    def fits(t: TensorType) -> bool:
        same = t.dtype is x.dtype and t.rank == len(x.shape)
        rest = x.shape[:axis] + x.shape[axis + 1 :]
        return same and t.shape[:axis] + t.shape[axis + 1 :] == rest

    return apply("concat")(*(d.pick(fits) for _ in range(d.number(1, 3))), axis=axis)


def iota(d: Drawing) -> Any:
    x = d.pick(lambda t: t.rank > 0 and not t.dtype.is_bool)
    axis = d.number(0, len(x.shape) - 1)
    return x + apply("iota")(shape=x.shape, axis=axis, dtype=x.dtype)


def contract(d: Drawing) -> Any:
    """Sums of products over some of the first operand's axes, others shared or not."""
    x = d.whole(1) if d.chance(0.1) else d.floating(1, 4)
    labels = list(range(len(x.shape)))
    summed = [i for i in labels if d.chance(0.4)]
    batch = [i for i in labels if i not in summed and d.chance(0.2)]
    new = [len(labels) + i for i in range(d.number(0, 2))]
    sizes = dict(enumerate(x.shape)) | {i: d.choices.choice(SIZES) for i in new}
    theirs = [*summed, *batch, *new]
    d.choices.shuffle(theirs)
    out = [i for i in (*labels, *new) if i not in summed]
    if d.chance(0.3):
        d.choices.shuffle(out)
    if math.prod(sizes.values()) > 20 * MOST_ELEMENTS:
        raise Unfit
    y = d.matching(tuple(sizes[i] for i in theirs), x.dtype)
    operands, names = [x, y], [tuple(labels), tuple(theirs)]
    if d.chance(0.3):
        operands.reverse()
        names.reverse()
    return apply("contract")(*operands, x_labels=names[0], y_labels=names[1], out_labels=tuple(out))


def dense(d: Drawing) -> Any:
    """A matrix product, a bias and an activation: what follows a contraction in its kernel."""
    x = d.floating(1, 3)
    rank, width = len(x.shape), d.choices.choice(SIZES)
    w = d.matching((x.shape[-1], width), x.dtype)
    labels = tuple(range(rank))
    y = apply("contract")(
        x, w, x_labels=labels, y_labels=(rank - 1, rank), out_labels=(*labels[:-1], rank)
    )
    y = y + d.fresh((width,), x.dtype)
    return apply(d.choices.choice(("tanh", "relu", "sigmoid", "identity")))(y)


def _geometry(d: Drawing, rank: int, window: Shape) -> dict[str, Shape]:
    def numbers(*of: int) -> Shape:
        return tuple(d.choices.choice(of) for _ in range(rank))

    strides = window if d.chance(0.3) else numbers(1, 1, 2, 3)
    padding = {name: numbers(0, 0, 1, 2) for name in ("low", "high")}
    return {"strides": strides, **padding, "dilation": numbers(1, 1, 1, 2)}


def _pictures(d: Drawing) -> Any:
    if d.chance(0.7):
        return d.floating(3, 4)
    sizes = [d.number(1, 2), *(d.number(3, 9) for _ in range(d.number(1, 2))), d.number(1, 6)]
    return d.fresh(tuple(sizes), d.dtype())


def convolution(d: Drawing) -> Any:
    if d.wild:  # nothing is said of 0 times infinity between the elements of a wide stride
        raise Unfit
    x = _pictures(d)
    rank, channels = len(x.shape) - 2, x.shape[-1]
    window = tuple(d.number(1, 3) for _ in range(rank))
    groups = d.choices.choice([g for g in range(1, channels + 1) if channels % g == 0] or [1])
    groups = groups if d.chance(0.3) else 1
    filters = groups * d.number(1, 5)
    w = d.matching((*window, channels // groups, filters), x.dtype)
    return apply("convolution")(x, w, groups=groups, **_geometry(d, rank, window))


def pool(d: Drawing) -> Any:
    x = _pictures(d)
    window = tuple(d.number(1, 3) for _ in x.shape[1:-1])
    name = d.choices.choice(("window_max", "window_sum", "window_argmax"))
    return apply(name)(x, window=window, **_geometry(d, len(window), window))


def gather(d: Drawing) -> Any:
    x = d.pick(lambda t: t.rank > 0 and t.size > 0)
    axis = d.number(0, len(x.shape) - 1)
    indices = d.numbers.integers(0, x.shape[axis], d.shape(0, 2)).astype("int32")
    return apply("gather")(x, d.holding(indices), axis=axis, batch_dims=0)


def scatter(d: Drawing) -> Any:
    x = d.floating(1)
    count = d.number(1, 5)
    if not x.type.size:
        raise Unfit
    indices = d.holding(d.numbers.integers(0, x.shape[0], (count,)).astype("int32"))
    return apply("scatter_add")(x, indices, d.fresh((count, *x.shape[1:]), x.dtype))


def scan(d: Drawing) -> Any:
    """A loop whose body is a small random graph that keeps its states within -1 and 1."""
    if d.inner and d.chance(0.8):
        raise Unfit
    length, dtype = d.number(1, 5), d.choices.choice((float32, float32, float64))
    states, rows = [d.shape(1, 2) for _ in range(d.number(1, 2))], d.shape(1, 2)
    begun = [d.array(state, dtype) for state in states]
    xs, fixed = d.array((length, *rows), dtype), d.array(states[0][-1:], dtype)
    body = Drawing(d.number(0, 2**31), [*begun, xs[0], fixed])
    for _ in range(d.number(2, 8)):
        body.step(body.choices.choice(OPERATIONS))
    after = [_next_state(body, i, state, dtype) for i, state in enumerate(states)]
    if None in after:
        raise Unfit
    elements = [state for state in after if d.chance(0.6)]
    elements += [body.pick() for _ in range(d.number(0, 2))]
    graph = body.builder.graph([found.value for found in (*after, *elements)])
    params = {"length": length, "carry": len(states), "xs": 1, "reverse": d.chance(0.4)}
    return apply("scan")(*map(d.holding, (*begun, xs, fixed)), **params, body=graph)


def while_loop(d: Drawing) -> Any:
    """A loop of a number of turns that is an input, over a state within -1 and 1."""
    if d.inner and d.chance(0.8):
        raise Unfit
    state, dtype = d.shape(1, 2), d.choices.choice((float32, float32, float64))
    bound, begun = np.asarray(d.number(0, 5), "int32"), d.array(state, dtype)
    arrays = [np.asarray(0, "int32"), begun, bound, d.array(state[-1:], dtype)]
    body = Drawing(d.number(0, 2**31), arrays)
    for _ in range(d.number(1, 6)):
        body.step(body.choices.choice(OPERATIONS))
    after = _next_state(body, 1, state, dtype)
    if after is None or not body.step(lambda b: b.pool[0] + 1):
        raise Unfit
    graph = body.builder.graph([body.pool[-1].value, after.value])
    cond = trace(lambda i, x, n, w: apply("less")(i, n), graph.input_types, "goes_on")
    params = {"carried": 2, "maximum": d.choices.choice((None, None, 2))}
    return apply("while_loop")(*map(d.holding, arrays), cond_graph=cond, body_graph=graph, **params)


def _next_state(body: Drawing, place: int, state: Shape, dtype: DType) -> Any:
    """tanh of the state and what the body has found that fits it."""
    old = body.pool[place]

    def mixed(_: Drawing) -> Any:
        other = body.pick(lambda t: t.dtype is dtype and _fits_into(t.shape, state))
        return apply("tanh")(old * 0.5 + other)

    return body.pool[-1] if body.step(mixed) else None


def _fits_into(shape: Shape, whole: Shape) -> bool:
    return _broadcast(shape, whole) and np.broadcast_shapes(shape, whole) == whole


OPERATIONS: tuple[Callable[[Drawing], Any], ...] = (
    unary, unary, unary, of_positive, binary, binary, binary, divide, whole_binary, whole_unary,
    whole_divide, compare, logic, select, cast, reduce, reduce, reduce, arg_extremum, cumulative,
    mean, softmax, transpose, transpose, reshape, reshape, slice_, slice_, reverse, broadcast, pad,
    concat, iota, contract, contract, dense, dense, convolution, pool, gather, scatter, scan,
    while_loop,
)  # fmt: skip


# --- whole programs ---


def random_case(seed: int) -> Case:
    """A random program with its arguments."""
    d = Drawing(seed)
    loops = not d.wild and d.chance(0.2)  # and their ways back
    for _ in range(d.number(1, 3)):
        d.pool.append(d.fresh(d.shape(1), d.dtype()))
    while loops and not d.step(scan):
        pass
    wanted, tries = d.number(3, 18), 0
    while wanted and tries < 100:
        wanted -= d.step(d.choices.choice(OPERATIONS))
        tries += 1
    outputs = [d.pick() for _ in range(d.number(1, 6))]
    case = d.graph([*outputs, d.pool[-1]])
    if loops or (not d.wild and d.chance(0.4)):
        case = with_derivative(case, d)
    return Case(case.graph, case.arrays, _variables(case.graph, d))


def with_derivative(case: Case, d: Drawing) -> Case:
    """The program and the cotangents of its inputs, in one graph; itself if it has none."""
    graph = case.graph
    wanted = tuple(t.dtype.is_floating for t in graph.input_types)
    try:
        pullback = differentiate(graph, wanted)
    except LookupError:
        return case
    cotangents = [d.array(t.shape, t.dtype) for t in graph.output_types]

    def both(*operands: Any) -> Any:
        found = replay(pullback, operands)
        return (*replay(graph, operands[: len(graph.inputs)]), *found)

    types = [*graph.input_types, *graph.output_types]
    arrays = (*case.arrays, *cotangents)
    whole = trace(both, types, "fuzz_gradient")
    try:
        evaluate(whole, arrays)
    except OpError:
        return case
    return Case(whole, arrays)


def _variables(graph: Graph, d: Drawing) -> tuple[tuple[int, int], ...]:
    """Some inputs, each with an output of its type that is its new content."""
    pairs: list[tuple[int, int]] = []
    for i, value in enumerate(graph.inputs):
        taken = {j for _, j in pairs}
        fitting = [
            j for j, o in enumerate(graph.outputs) if o.type == value.type and j not in taken
        ]
        if fitting and d.chance(0.4):
            pairs.append((i, d.choices.choice(fitting)))
    return tuple(pairs)
