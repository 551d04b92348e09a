"""Arrays that are put together: what follows element by element, or adds up, is done to the parts.

A concatenation or a padding by zeros is a `mosaic` of its parts. Element-wise work on it is work on
each part, and joins the kernels that make them; a sum of it is the sum of theirs. The array itself
is made where something needs it whole.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np

from slipstream.compiler.operations import has_native_types, is_elementwise, is_filled
from slipstream.ir.builder import Builder
from slipstream.ir.graph import Constant, Graph, Node, Value
from slipstream.ir.types import Shape, TensorType
from slipstream.primitives.elementwise import add
from slipstream.primitives.mosaic import are_apart, mosaic, stops_of
from slipstream.primitives.reduction import sum_
from slipstream.primitives.structure import concat, iota, pad, slice_

MOST_PARTS = 16  # that work is repeated for: a tile of a convolution is 4 x 4


@dataclass(frozen=True)
class Part:
    """A value, and where it lies: from `starts` on, `steps` apart."""

    value: Value
    starts: Shape
    steps: Shape

    @property
    def shape(self) -> Shape:
        return self.value.type.shape


@dataclass(frozen=True)
class Assembly:
    """An array of parts; zeros elsewhere."""

    type: TensorType
    parts: tuple[Part, ...]

    @property
    def is_covered(self) -> bool:
        """Whether the parts are all of it."""
        return sum(p.value.type.size for p in self.parts) == self.type.size


def assemble(graph: Graph) -> Graph:
    """The graph with its arrays put together as late as possible."""
    return _Assembling(graph).run()


class _Assembling:
    def __init__(self, graph: Graph) -> None:
        self.graph, self.builder = graph, Builder(graph.name)
        self.known: dict[Value, Value] = {v: self.builder.input(v.type) for v in graph.inputs}
        self.assemblies: dict[Value, Assembly] = {}
        self.made: dict[Hashable, list[tuple[Value, Shape]]] = {}  # by parts: where the first lies
        self.origin: str | None = None

    def run(self) -> Graph:
        for node in self.graph.nodes:
            self.origin = node.origin
            self._take(node)
        return self.builder.graph([self._read(v) for v in self.graph.outputs])

    def _read(self, value: Value) -> Value:
        """The value whole."""
        if isinstance(value, Constant):
            return value
        if value not in self.known:
            self.known[value] = self._whole(self.assemblies[value])
        return self.known[value]

    def _whole(self, found: Assembly) -> Value:
        """The array itself: made now, or seen in a larger one of the same parts."""
        first, shape = found.parts[0].starts, found.type.shape
        key = tuple((p.value, p.steps, _apart(p.starts, first)) for p in found.parts)
        for other, start in self.made.get(key, ()):
            begin = _apart(start, first)
            stops = tuple(a + n for a, n in zip(begin, shape, strict=True))
            inside = all(e <= n for e, n in zip(stops, other.type.shape, strict=True))
            if inside and min(begin, default=0) >= 0:
                return self._add(
                    slice_, [other], starts=begin, stops=stops, steps=(1,) * len(shape)
                )[0]
        (whole,) = self._add(
            mosaic, [p.value for p in found.parts], shape=shape,
            starts=tuple(p.starts for p in found.parts),
            steps=tuple(p.steps for p in found.parts),
        )  # fmt: skip
        self.made.setdefault(key, []).append((whole, first))
        return whole

    def _add(self, operation: Any, inputs: Sequence[Value], **params: Any) -> tuple[Value, ...]:
        return self.builder.add(operation, inputs, params, self.origin)

    def _take(self, node: Node) -> None:
        found: Assembly | Value | None = None
        if has_native_types(node) and is_filled(node):
            found = self._assembled(node)
        if isinstance(found, Assembly):
            self.assemblies[node.outputs[0]] = found
        elif found is not None:
            self.known[node.outputs[0]] = found
        else:
            inputs = [self._read(v) for v in node.inputs]
            outputs = self._add(node.operation, inputs, **node.params)
            self.known.update(zip(node.outputs, outputs, strict=True))

    def _assembled(self, node: Node) -> Assembly | Value | None:
        """The node's output in parts, or made from parts; None where it is like any other."""
        operation: Any = node.operation
        if operation is concat:
            return self._concatenated(node)
        if operation is mosaic:
            places = zip(node.inputs, node.params["starts"], node.params["steps"], strict=True)
            return Assembly(
                node.outputs[0].type, tuple(p for place in places for p in self._placed(*place))
            )
        if operation is pad:
            return self._padded(node)
        if operation is sum_ and node.inputs[0] in self.assemblies:
            return self._summed(node, self.assemblies[node.inputs[0]])
        if operation is not iota and is_elementwise(node):
            return (self._beside(node) if operation is add else None) or self._followed(node)
        return None

    # putting together

    def _placed(self, value: Value, starts: Shape, steps: Shape) -> list[Part]:
        """A value in its place, in parts if it is in parts that cover it."""
        inner = self.assemblies.get(value)
        if inner is None or not inner.is_covered:
            return [Part(self._read(value), starts, steps)]
        return [_moved(part, starts, steps) for part in inner.parts]

    def _concatenated(self, node: Node) -> Assembly:
        axis, start, parts = node.params["axis"], 0, []
        for value in node.inputs:
            shape = value.type.shape
            starts = tuple(start if i == axis else 0 for i in range(len(shape)))
            parts += self._placed(value, starts, (1,) * len(shape))
            start += shape[axis]
        return Assembly(node.outputs[0].type, tuple(parts))

    def _padded(self, node: Node) -> Assembly | None:
        x, value = node.inputs
        low, high, interior = (node.params[name] for name in ("low", "high", "interior"))
        is_zero = isinstance(value, Constant) and not np.any(value.array)
        if not is_zero or min(*low, *high, 0) < 0:
            return None
        steps = tuple(n + 1 for n in interior)
        inner = self.assemblies.get(x)
        if inner is None:
            return Assembly(node.outputs[0].type, (Part(self._read(x), low, steps),))
        return Assembly(node.outputs[0].type, tuple(_moved(p, low, steps) for p in inner.parts))

    def _beside(self, node: Node) -> Assembly | None:
        """A sum of arrays whose parts do not meet: the gradient of an array that was split."""
        one, other = map(self.assemblies.get, node.inputs)
        if one is None or other is None or one.type != other.type:
            return None
        places = ([(p.shape, p.starts, p.steps) for p in found.parts] for found in (one, other))
        if not all(are_apart(a, b) for a, b in product(*places)):
            return None
        return Assembly(one.type, (*one.parts, *other.parts))

    # what follows

    def _followed(self, node: Node) -> Assembly | None:
        """An element-wise operation, done to each part of the one input that is in parts."""
        places = [i for i, v in enumerate(node.inputs) if v in self.assemblies]
        if len(places) != 1 or node.inputs[places[0]].type.shape != node.outputs[0].type.shape:
            return None
        found = self.assemblies[node.inputs[places[0]]]
        if len(found.parts) > MOST_PARTS or not (found.is_covered or _keeps_zero(node, places[0])):
            return None
        parts = []
        for part in found.parts:
            inputs = [
                part.value if i == places[0] else self._piece(self._read(v), part, found.type.shape)
                for i, v in enumerate(node.inputs)
            ]
            (value,) = self._add(node.operation, inputs, **node.params)
            parts.append(replace(part, value=value))
        return Assembly(node.outputs[0].type, tuple(parts))

    def _piece(self, value: Value, part: Part, shape: Shape) -> Value:
        """What lies beside a part, of an array that broadcasts to the whole shape."""
        own = value.type.shape
        if not own:
            return value
        skipped = len(shape) - len(own)
        ends = stops_of(part.shape, part.starts, part.steps)
        rows = zip(own, part.starts[skipped:], ends[skipped:], part.steps[skipped:], strict=True)
        bounds = [(0, 1, 1) if n == 1 else (a, b, step) for n, a, b, step in rows]
        starts, stops, steps = (tuple(bound[i] for bound in bounds) for i in range(3))
        if (starts, stops, steps) == ((0,) * len(own), own, (1,) * len(own)):
            return value
        return self._add(slice_, [value], starts=starts, stops=stops, steps=steps)[0]

    def _summed(self, node: Node, found: Assembly) -> Value | None:
        """A sum over axes: equal parts are added first, then summed once."""
        axes, shape = node.params["axes"], found.type.shape
        kept = [i for i in range(len(shape)) if i not in axes]
        if any(p.shape[i] != shape[i] for p in found.parts for i in kept):
            return None
        groups: dict[Shape, Value] = {}
        for part in found.parts:
            known = groups.get(part.shape)
            groups[part.shape] = part.value if known is None else self._sum_of(known, part.value)
        first, *others = (self._add(sum_, [v], axes=axes)[0] for v in groups.values())
        for other in others:
            first = self._sum_of(first, other)
        return first

    def _sum_of(self, one: Value, other: Value) -> Value:
        return self._add(add, [one, other])[0]


def _apart(one: Shape, other: Shape) -> Shape:
    return tuple(a - b for a, b in zip(one, other, strict=True))


def _moved(part: Part, starts: Shape, steps: Shape) -> Part:
    """A part of something that is put from `starts` on, `steps` apart."""
    return Part(
        part.value,
        tuple(a + n * step for a, n, step in zip(starts, part.starts, steps, strict=True)),
        tuple(a * b for a, b in zip(part.steps, steps, strict=True)),
    )


def _keeps_zero(node: Node, place: int) -> bool:
    """Whether zero at this input gives zero: whatever other booleans are, if others are known."""
    choices = []
    for i, value in enumerate(node.inputs):
        numpy = value.type.dtype.numpy
        if i == place:
            choices.append([np.zeros((), numpy)])
        elif isinstance(value, Constant) and math.prod(value.type.shape) == 1:
            choices.append([value.array.reshape(())])
        elif value.type.dtype.is_bool:
            choices.append([np.asarray(False), np.asarray(True)])
        else:
            return False
    return not any(
        np.any(node.operation.compute(given, node.params)[0]) for given in product(*choices)
    )
