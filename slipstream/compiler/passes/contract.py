"""Contractions as loops: which axis is held in rows, which in vectors, which operand is rearranged.

A contraction that the tiles do not suit (integers, matrix by vector, element by element along a
batch) is a product and a sum in a loop nest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from slipstream.compiler.kernels import (
    Access,
    Apply,
    Contraction,
    Instruction,
    Kernel,
    Load,
    Loop,
    LoopNest,
    Number,
    Store,
    Total,
)
from slipstream.compiler.views import View, broadcast_strides, row_major
from slipstream.ir.dtypes import DType
from slipstream.ir.graph import Constant, Node, Value
from slipstream.ir.types import Shape
from slipstream.primitives.arithmetic import multiply
from slipstream.primitives.reduction import sum_

ENOUGH_ROWS = 8
FEWEST_COLUMNS = 4  # fewer leave most of each vector empty


@dataclass(frozen=True)
class Product:
    """A contraction of two views: its loops, those with a stride in the result first."""

    left: View
    right: View
    loops: tuple[Loop, ...]
    dtype: DType


class Choice(NamedTuple):
    """The loops of a product that fits the tiles; `rows` is None where there is none."""

    rows: Loop | None
    columns: Loop
    outer: tuple[Loop, ...]
    inner: tuple[Loop, ...]


def mirrored(product: Product) -> Product:
    """The same product with its operands exchanged."""
    loops = tuple(Loop(n.size, n.right, n.left, n.out) for n in product.loops)
    return replace(product, left=product.right, right=product.left, loops=loops)


def fewest(loops: Iterable[Loop]) -> tuple[Loop, ...]:
    """The same loops, one where two walk together through all three arrays."""
    merged: list[Loop] = []
    for loop in loops:
        if loop.size == 1:
            continue
        for index, outer in enumerate(merged):
            if _continues(outer, loop):
                merged[index] = replace(loop, size=loop.size * outer.size)
                break
            if _continues(loop, outer):
                merged[index] = replace(outer, size=loop.size * outer.size)
                break
        else:
            merged.append(loop)
    return tuple(merged)


def _continues(outer: Loop, inner: Loop) -> bool:
    size = inner.size
    return (outer.left, outer.right, outer.out) == (
        inner.left * size, inner.right * size, inner.out * size,
    )  # fmt: skip


def chosen(product: Product) -> Choice | None:
    """How the tiles do a product whose columns are those of the right operand; None if not."""
    columns = next((n for n in product.loops if n.out == 1 and not n.left), None)
    inner = tuple(n for n in product.loops if not n.out)
    if columns is None or columns.size < FEWEST_COLUMNS or not inner:
        return None
    out = [n for n in product.loops if n.out and n is not columns]
    rows = max((n for n in out if not n.right), key=_as_rows, default=None)
    if rows is None and product.dtype.is_integer:
        return None
    return Choice(rows, columns, tuple(n for n in out if n is not rows), inner)


def _as_rows(loop: Loop) -> tuple[int, int]:
    """Enough rows to keep the multipliers busy; among such loops, rows that lie near each other."""
    return min(loop.size, ENOUGH_ROWS), -abs(loop.left) - abs(loop.out)


def contraction(product: Product, choice: Choice) -> Contraction:
    """The record of the kernel."""
    return Contraction(
        choice.outer,
        choice.rows or Loop(1, 0, 0, 0),
        choice.columns,
        choice.inner,
        (product.left.offset, product.right.offset),
        product.dtype,
    )


def as_nest(product: Product) -> LoopNest:
    """A product and a sum, element by element."""
    order = sorted(product.loops, key=lambda n: -n.out)
    strides = [tuple(getattr(n, name) for n in order) for name in ("left", "right", "out")]
    dtype = product.dtype
    body = (
        Load(Access(0, product.left.offset, strides[0]), dtype),
        Load(Access(1, product.right.offset, strides[1]), dtype),
        Apply(multiply, (0, 1), (dtype, dtype), dtype),
    )
    reduced = tuple(not n.out for n in order)
    store = Store(Access(2, 0, strides[2]), 2, dtype, sum_ if any(reduced) else None)
    return LoopNest(tuple(n.size for n in order), reduced, body, (store,))


def kernel(product: Product) -> tuple[Kernel, tuple[View, View]]:
    """The kernel of a product, and the operands in the order of its buffers."""
    if product.dtype.is_floating:
        for form in (product, mirrored(product)):
            choice = chosen(form)
            if choice is not None and choice.columns.right == 1:
                return contraction(form, choice), (form.left, form.right)
    return as_nest(product), (product.left, product.right)


def to_rearrange(product: Product) -> str | None:
    """Which operand must be laid out anew for the tiles: left, right or none."""
    if not product.dtype.is_floating:
        return None
    for name, form in (("right", product), ("left", mirrored(product))):
        choice = chosen(form)
        if choice is not None:
            worth = choice.rows is not None and choice.rows.size >= FEWEST_COLUMNS
            return name if choice.columns.right != 1 and worth else None
    return None


def rearranged(product: Product, name: str) -> tuple[Product, View, Sequence[int]]:
    """The product with one operand in rows, columns last; that operand as it is, and its shape.

    The view's strides and the shape are over the operand's own loops.
    """
    old: View = getattr(product, name)
    own = [n for n in product.loops if getattr(n, name)]
    own.sort(key=lambda n: (n.out == 1, -abs(n.out), -abs(getattr(n, name))))
    step, strides = 1, {}
    for loop in reversed(own):
        strides[loop] = step
        step *= loop.size
    loops = tuple(replace(n, **{name: strides.get(n, 0)}) for n in product.loops)
    source = View(old.root, old.offset, tuple(getattr(n, name) for n in own))
    return replace(product, loops=loops), source, [n.size for n in own]


def walk_of(view: View, shape: Shape, out: Shape, record: Contraction) -> Access | None:
    """How an array is read beside a contraction's result: an access of buffer 0.

    None where the loops do not walk it with one stride each, or vectors do not lie in rows.
    """
    own = broadcast_strides(view.strides, shape, out)
    axes = [
        (n, step, stride) for n, step, stride in zip(out, row_major(out), own, strict=True) if n > 1
    ]
    found = [_stride_along(loop, axes) for loop in record.walked]
    if None in found or found[-1] not in (0, 1):
        return None
    return Access(0, view.offset, tuple(n or 0 for n in found))


def _stride_along(loop: Loop, axes: Sequence[tuple[int, int, int]]) -> int | None:
    """The stride of a loop through axes of (size, step in the result, stride in the array)."""
    if loop.size == 1:
        return 0
    place = min(i for i, (_, step, _) in enumerate(axes) if step <= loop.out)
    size, step, stride = axes[place]
    times = loop.out // step
    stride, covered = stride * times, size // times
    while covered < loop.size:
        place -= 1
        size, _, outer = axes[place]
        if outer != stride * covered:
            return None
        covered *= size
    return stride


def finished(
    record: Contraction,
    total: Value,
    nodes: Sequence[Node],
    stored: Sequence[Value],
    view: Callable[[Value], View],
) -> tuple[Contraction, tuple[Value, ...], frozenset[Value]]:
    """The record with what follows the sum; the buffers after the operands; those read in step."""
    buffers: dict[Value, int] = {}
    body: list[Instruction] = [Total(record.dtype)]
    known: dict[Value, int] = {total: 0}
    own = Access(0, 0, tuple(loop.out for loop in record.walked))
    walks: dict[Value, set[Access]] = {}

    def read(value: Value) -> int:
        if value in known:
            return known[value]
        seen = view(value)
        if isinstance(seen.root, Constant) and seen.root.type.size == 1:
            body.append(Number(seen.root.array.tobytes(), value.type.dtype))
        else:
            walk = walk_of(seen, value.type.shape, total.type.shape, record)
            assert walk is not None
            walks.setdefault(seen.root, set()).add(walk)
            number = buffers.setdefault(seen.root, 2 + len(buffers))
            body.append(Load(replace(walk, buffer=number), value.type.dtype))
        known[value] = len(body) - 1
        return known[value]

    for node in nodes:
        (out,) = node.outputs
        arguments = tuple(map(read, node.inputs))
        dtypes = tuple(v.type.dtype for v in node.inputs)
        body.append(Apply(node.operation, arguments, dtypes, out.type.dtype))
        known[out] = len(body) - 1
    stores = []
    for value in stored:
        number = buffers.setdefault(value, 2 + len(buffers))
        stores.append(Store(replace(own, buffer=number), known[value], value.type.dtype))
    in_step = frozenset(v for v, seen in walks.items() if seen == {own})
    whole = replace(record, body=tuple(body), stores=tuple(stores))
    return whole, tuple(buffers), in_step
