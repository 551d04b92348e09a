"""A kernel on a part of its work: the same record with one loop cut into equal parts.

Part p of P is that kernel with every buffer moved on by p times a step. Where an array is made so
part by part, each makes the p-th P-th of its elements, and nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from slipstream.compiler.accesses import Walk, walks
from slipstream.compiler.kernels import (
    Access,
    Contraction,
    Counter,
    Kernel,
    Load,
    Loop,
    LoopNest,
    Store,
    written_buffers,
)

FEWEST_ROWS = 12  # of a contraction's part: fewer leave tiles empty
WORTH = 8  # multiply-adds of a part for each byte of the operand that all parts read
WORTH_NEAR = 4  # the same, where that operand stays in the cache


class Portion(NamedTuple):
    """The kernel of the first part; for each buffer the elements from part to part.

    `apart` are buffers of which each part touches its own elements alone.
    """

    kernel: LoopNest | Contraction
    steps: tuple[int, ...]
    apart: frozenset[int]


def portion(kernel: Kernel, sizes: Sequence[int], parts: int, near: int = 0) -> Portion | None:
    """A kernel, called with buffers of these sizes, in so many parts; None if it has none.

    All that it writes is written apart. An operand of no more than `near` bytes stays in the cache
    from part to part.
    """
    if isinstance(kernel, LoopNest):
        cuts = _cuts_of_nest(kernel, parts)
    elif isinstance(kernel, Contraction) and kernel.blocks is None:
        cuts = _cuts_of_contraction(kernel, parts, near)
    else:
        return None
    for cut, moves in cuts:
        steps = _steps(kernel.buffers, moves)
        if steps is None:
            continue
        apart = _apart(cut, steps, sizes, parts)
        if written_buffers(cut) <= apart:
            return Portion(cut, steps, apart)
    return None


Cut = tuple[LoopNest | Contraction, list[tuple[int, int]]]  # and (buffer, step) of each access


def _cuts_of_nest(nest: LoopNest, parts: int) -> Iterator[Cut]:
    """The nest with one of the loops cut, for each that can be."""
    for axis, size in enumerate(nest.shape):
        if (
            nest.reduced[axis]
            or size % parts
            or any(isinstance(i, Counter) and i.access.strides[axis] for i in nest.body)
        ):
            continue
        share = size // parts
        shape = (*nest.shape[:axis], share, *nest.shape[axis + 1 :])
        accesses = [i.access for i in (*nest.body, *nest.stores) if isinstance(i, Load | Store)]
        yield replace(nest, shape=shape), [(a.buffer, a.strides[axis] * share) for a in accesses]


def _cuts_of_contraction(record: Contraction, parts: int, near: int) -> Iterator[Cut]:
    for place, loop in enumerate((*record.outer, record.rows)):
        share = loop.size // parts
        is_rows = place == len(record.outer)
        if loop.size % parts or (is_rows and share < FEWEST_ROWS):
            continue
        cut = _with_rows(record, share) if is_rows else _with_outer(record, place, share)
        if not _is_worth(cut, loop, near):
            continue
        accesses = [i.access for i in (*record.body, *record.stores) if isinstance(i, Load | Store)]
        moves = [(a.buffer, a.strides[place] * share) for a in accesses]
        yield cut, [(0, loop.left * share), (1, loop.right * share), *moves]


def _is_worth(cut: Contraction, loop: Loop, near: int) -> bool:
    """Whether a part multiplies enough for each number that it shares with all others."""
    loops = (*cut.walked, *cut.inner)
    products = math.prod(n.size for n in loops)
    shared = sum(
        math.prod(n.size for n in loops if getattr(n, side)) * cut.dtype.size
        for side in ("left", "right")
        if not getattr(loop, side)
    )
    return products >= (WORTH_NEAR if shared <= near else WORTH) * shared


def _with_rows(record: Contraction, share: int) -> Contraction:
    return replace(record, rows=replace(record.rows, size=share))


def _with_outer(record: Contraction, place: int, share: int) -> Contraction:
    """A loop of one turn is none."""
    outer = record.outer
    if share > 1:
        less = replace(outer[place], size=share)
        return replace(record, outer=(*outer[:place], less, *outer[place + 1 :]))

    def moved(access: Access) -> Access:
        strides = access.strides
        return replace(access, strides=(*strides[:place], *strides[place + 1 :]))

    return replace(
        record,
        outer=(*outer[:place], *outer[place + 1 :]),
        body=tuple(
            replace(i, access=moved(i.access)) if isinstance(i, Load) else i for i in record.body
        ),
        stores=tuple(replace(s, access=moved(s.access)) for s in record.stores),
    )


def _steps(buffers: int, moves: Sequence[tuple[int, int]]) -> tuple[int, ...] | None:
    """One step for each buffer; None where two accesses of one move differently."""
    found: dict[int, int] = {}
    for buffer, step in moves:
        if found.setdefault(buffer, step) != step:
            return None
    return tuple(found.get(buffer, 0) for buffer in range(buffers))


def _apart(cut: Kernel, steps: Sequence[int], sizes: Sequence[int], parts: int) -> frozenset[int]:
    """The buffers that the first part touches only the first of as many parts of."""

    def is_inside(walk: Walk) -> bool:
        first, last = walk.reach
        return first >= 0 and last < steps[walk.buffer]

    inside = {n for n, step in enumerate(steps) if step * parts == sizes[n]}
    return frozenset(inside - {w.buffer for w in walks(cut) if not is_inside(w)})


def bytes_of(kernel: Kernel) -> int:
    """About how many bytes of memory a kernel goes through, each read or written once."""
    sizes: dict[int, int] = {}
    ends: dict[int, int] = {}
    seen = set()
    for walk in walks(kernel):
        place = walk.buffer, walk.offset, walk.strides
        if place in seen:
            continue
        seen.add(place)
        first, last = walk.reach
        sizes[walk.buffer] = sizes.get(walk.buffer, 0) + walk.count * walk.item
        ends[walk.buffer] = max(ends.get(walk.buffer, 0), (last + 1 - min(first, 0)) * walk.item)
    return sum(min(size, ends[number]) for number, size in sizes.items())
