"""What a kernel is, in words and numbers: its kind, its shape, its operations, its work."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import fields

from slipstream.compiler.accesses import walks
from slipstream.compiler.kernels import (
    Apply,
    Bounds,
    Chain,
    Contraction,
    Kernel,
    LastPlaces,
    LoopNest,
    Picked,
    TimeLoop,
    plain,
)
from slipstream.compiler.passes.fuse import Group
from slipstream.compiler.passes.lay import Call
from slipstream.compiler.pipeline import KernelStep
from slipstream.ir.graph import Node
from slipstream.ir.types import Shape
from slipstream.primitives.elementwise import multiply
from slipstream.primitives.structure import identity

MANY = 1 << 32  # a size that stands for any
MOST_NAMES = 6  # operations that are named


def kind_of(kernel: Kernel, group: Group) -> str:
    """One word or two: contraction, nest, copy, lay, pick, ..."""
    if isinstance(kernel, Contraction):
        return "contraction"
    if isinstance(kernel, Bounds | TimeLoop | Chain):
        return bare_kind(kernel)
    if isinstance(kernel, Picked | LastPlaces):
        return "pick"
    if group.kind == "call":  # beside a loop
        return "copy"
    if group.kind == "product":
        if isinstance(kernel, LoopNest) and not _is_product(kernel):
            return "copy" if len(kernel.body) == 1 else "nest"
        return "product nest"
    return group.kind


def text_of(call: Call, step: KernelStep) -> str:
    """What a kernel does: shapes, and which operations are one with it."""
    text = _text(call[0], step.group)
    parts = [c for c in step.calls if not isinstance(c[0], Bounds)]
    if len(parts) == 1 or call not in parts:
        return text
    return f"{text}, part {parts.index(call) + 1} of {len(parts)}"


def _text(kernel: Kernel, group: Group) -> str:
    first, *rest = group.nodes
    if isinstance(kernel, TimeLoop):
        steps = kernel.length if kernel.length < MANY else "any number of"
        return f"{steps} steps of {len(kernel.calls)} kernels, {node_text(first)}"
    if isinstance(kernel, Chain):
        return f"{kernel.length} parts through {len(kernel.calls)} kernels, {node_text(first)}, ..."
    if isinstance(kernel, Bounds):
        return f"{kernel.count} indices < {kernel.limit if kernel.limit < MANY else 'size'}"
    if isinstance(kernel, LoopNest) and "nest" in (group.kind, kind_of(kernel, group)):
        return nest_text(kernel)
    if group.kind == "product":
        return f"{node_text(first)}{_then(rest)}"
    if isinstance(kernel, LoopNest) and group.kind == "call":
        return nest_text(kernel)
    if group.kind == "nest":  # rows of a table, beside its update
        return bare_text(kernel)
    if group.kind == "copy":
        name = "rearrange" if first.operation is identity else first.operation.name
        return f"{name} to {shape_text(group.nodes[0].outputs[0].type.shape)}"
    return node_text(first)


def node_text(node: Node) -> str:
    """An operation and its shapes: `contract 64x784, 784x128 -> 64x128`."""
    given, made = (
        ", ".join(shape_text(v.type.shape) for v in values)
        for values in (node.inputs, node.outputs)
    )
    return f"{node.operation.name} {given} -> {made}".replace("  ", " ")


def nest_text(nest: LoopNest) -> str:
    """The sizes of the loops, those summed over in brackets, and how often what is done there."""
    sizes = zip(nest.shape, nest.reduced, strict=True)
    shape = "x".join(f"[{n}]" if is_reduced else str(n) for n, is_reduced in sizes) or "1"
    names = [i.operation.name for i in nest.body if isinstance(i, Apply)]
    names += [s.reduction.name for s in nest.stores if s.reduction is not None]
    return f"{shape}: {_listed(names) or 'copy'}"


def shape_text(shape: Shape) -> str:
    """`64x784`; a scalar is 1."""
    return "x".join("any" if n >= MANY else str(n) for n in shape) or "1"


def _then(nodes: Sequence[Node]) -> str:
    names = _listed(node.operation.name for node in nodes)
    return f"; then {names}" if names else ""


def _listed(names: Iterable[str]) -> str:
    """The most frequent names first, with their numbers."""
    counts = Counter(names).most_common()
    shown = [f"{count} {name}" if count > 1 else name for name, count in counts[:MOST_NAMES]]
    rest = sum(count for _, count in counts[MOST_NAMES:])
    return ", ".join([*shown, f"{rest} more"] if rest else shown)


# --- kernels in loops, of which only the record is known ---


def bare_kind(kernel: Kernel) -> str:
    """The kind of a kernel by its record."""
    kinds = {Contraction: "contraction", LoopNest: "nest", TimeLoop: "loop"}
    return kinds.get(type(kernel), type(kernel).__name__.lower())


def bare_text(kernel: Kernel) -> str:
    """What a kernel does by its record: sizes of loops, those summed over in brackets."""
    if isinstance(kernel, LoopNest):
        return nest_text(kernel)
    if isinstance(kernel, Contraction):
        kept = [str(loop.size) for loop in kernel.walked if loop.size > 1]
        summed = [f"[{loop.size}]" for loop in kernel.inner]
        then = _listed(i.operation.name for i in kernel.body if isinstance(i, Apply))
        return f"{'x'.join([*kept, *summed])}: product{f'; then {then}' if then else ''}"
    return record_sizes(kernel)


def record_sizes(kernel: Kernel) -> str:
    """The numbers of a record that has no loops."""
    named = ((f.name, getattr(kernel, f.name)) for f in fields(kernel))
    return ", ".join(f"{name} {value}" for name, value in named if isinstance(value, int | str))


# --- work ---


def products(kernel: Contraction) -> int:
    """Two operations for each product."""
    return 2 * math.prod(loop.size for loop in (*kernel.walked, *kernel.inner))


def flops(kernel: Kernel, group: Group) -> int | None:
    """The multiplications and additions of a contraction, two a product; None for all others."""
    if isinstance(kernel, Contraction):
        return products(kernel)
    if isinstance(kernel, LoopNest) and group.kind == "product" and _is_product(kernel):
        return 2 * math.prod(kernel.shape)
    if isinstance(kernel, TimeLoop | Chain) and kernel.length < MANY:
        return kernel.turns * sum(flops(inner, group) or 0 for inner in plain(kernel.calls))
    return None


def _is_product(kernel: LoopNest) -> bool:
    """Whether a nest multiplies two arrays, and maybe sums up, and nothing else."""
    return [i.operation for i in kernel.body if isinstance(i, Apply)] == [multiply]


def bytes_touched(call: Call) -> int:
    """The bytes of the elements that a kernel reads, and of those that it writes.

    An element counts once for reading and once for writing, however often that is done.
    """
    kernel, values = call
    if isinstance(kernel, Picked):
        rows = kernel.batch * kernel.outer * kernel.count * kernel.width * kernel.dtype.size
        passes = 3 if kernel.how == "add" else 2
        return kernel.batch * kernel.count * kernel.index.size + passes * rows
    if isinstance(kernel, Bounds):
        return kernel.count * kernel.index.size
    if isinstance(kernel, TimeLoop | Chain):
        return sum(value.type.bytes for value in values)
    if isinstance(kernel, LastPlaces):
        return kernel.count * (2 * kernel.index.size + 3 * 4)
    found: Counter[tuple[int, bool]] = Counter()
    for walk in walks(kernel):
        found[walk.buffer, walk.writes] += walk.count * walk.item
    return sum(min(count, values[buffer].type.bytes) for (buffer, _), count in found.items())
