"""Views: values that are another value's elements in another arrangement, and cost nothing."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from slipstream.ir.graph import Node, Params, Value
from slipstream.ir.types import Shape
from slipstream.primitives import structure as s
from slipstream.primitives.base import Primitive
from slipstream.primitives.window import windows_


@dataclass(frozen=True)
class View:
    """Elements of `root`, which lies in rows in memory: the offset of the first, and strides."""

    root: Value
    offset: int
    strides: Shape


def row_major(shape: Shape) -> Shape:
    """The strides of an array that lies in rows, in elements."""
    strides, step = [], 1
    for size in reversed(shape):
        strides.append(step)
        step *= size
    return tuple(reversed(strides))


def whole(value: Value) -> View:
    """A value as it lies in memory."""
    return View(value, 0, row_major(value.type.shape))


def is_whole(view: View, shape: Shape) -> bool:
    """Whether the view is all of its root, in order."""
    own = row_major(shape)
    same = all(n == 1 or a == b for n, a, b in zip(shape, view.strides, own, strict=True))
    return same and not view.offset and math.prod(shape) == view.root.type.size


def _transposed(view: View, shape: Shape, out: Shape, params: Params) -> View:
    return View(view.root, view.offset, tuple(view.strides[i] for i in params["permutation"]))


def broadcast_strides(strides: Shape, shape: Shape, out: Shape) -> Shape:
    """Strides over `out` of an array that broadcasts to it."""
    kept = tuple(0 if n == 1 else step for n, step in zip(shape, strides, strict=True))
    return (0,) * (len(out) - len(shape)) + kept


def _broadcast(view: View, shape: Shape, out: Shape, params: Params) -> View:
    return View(view.root, view.offset, broadcast_strides(view.strides, shape, out))


def _sliced(view: View, shape: Shape, out: Shape, params: Params) -> View:
    starts, steps = params["starts"], params["steps"]
    offset = view.offset + sum(a * b for a, b in zip(starts, view.strides, strict=True))
    return View(view.root, offset, tuple(a * b for a, b in zip(view.strides, steps, strict=True)))


def _reversed(view: View, shape: Shape, out: Shape, params: Params) -> View:
    axes = params["axes"]
    offset = view.offset + sum((shape[a] - 1) * view.strides[a] for a in set(axes))
    strides = tuple(-n if a in axes else n for a, n in enumerate(view.strides))
    return View(view.root, offset, strides)


def _reshaped(view: View, shape: Shape, out: Shape, params: Params) -> View | None:
    strides = reshaped_strides(shape, view.strides, out)
    return None if strides is None else View(view.root, view.offset, strides)


def reshaped_strides(shape: Shape, strides: Shape, out: Shape) -> Shape | None:
    """Strides of the same elements in order in another shape; None where there are none."""
    merged = merge(shape, strides)
    found: list[int] = []
    for size in reversed(out):
        if size == 1:
            found.append(0)
            continue
        while merged and merged[-1][0] == 1:
            merged.pop()
        if not merged or merged[-1][0] % size:
            return None
        left, step = merged.pop()
        found.append(step)
        merged.append((left // size, step * size))
    return tuple(reversed(found))


def merge(shape: Shape, strides: Shape) -> list[tuple[int, int]]:
    """(size, stride) of the fewest axes that walk the same elements in the same order."""
    merged: list[tuple[int, int]] = []
    for size, step in zip(shape, strides, strict=True):
        if size == 1:
            continue
        if merged and merged[-1][1] == step * size:
            merged[-1] = merged[-1][0] * size, step
        else:
            merged.append((size, step))
    return merged


def _windows(view: View, shape: Shape, out: Shape, params: Params) -> View:
    first, *steps, last = view.strides
    over = (step * n for step, n in zip(steps, params["strides"], strict=True))
    within = (step * n for step, n in zip(steps, params["dilation"], strict=True))
    return View(view.root, view.offset, (first, *over, *within, last))


def _same(view: View, shape: Shape, out: Shape, params: Params) -> View:
    return view


Composer = Callable[[View, Shape, Shape, Params], "View | None"]
VIEWS: dict[Primitive, Composer] = {
    s.reshape: _reshaped,
    s.transpose: _transposed,
    s.broadcast_to: _broadcast,
    s.slice_: _sliced,
    s.reverse: _reversed,
    s.identity: _same,
    s.stop_gradient: _same,
    windows_: _windows,
}


def view_of(node: Node, views: dict[Value, View]) -> View | None:
    """The output of a node as a view, if it is one; `views` holds those of earlier values."""
    composer: Any = VIEWS.get(node.operation)  # type: ignore[call-overload]
    if composer is None or not node.outputs[0].type.size:
        return None
    (x,) = node.inputs
    inner = views.get(x) or whole(x)
    found: View | None = composer(inner, x.type.shape, node.outputs[0].type.shape, node.params)
    return found


def is_trivial(node: Node) -> bool:
    """Whether the output of a node is its input, element by element."""
    composer = VIEWS.get(node.operation)  # type: ignore[call-overload]
    same = composer is not None and node.inputs[0].type == node.outputs[0].type
    return same and composer in (_same, _reshaped, _broadcast)
