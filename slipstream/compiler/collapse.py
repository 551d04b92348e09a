"""Loop nests over the fewest axes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from slipstream.compiler.kernels import Access, Counter, Kernel, Load, LoopNest


def tidied(kernel: Kernel) -> Kernel:
    """A kernel as code is made for it."""
    return collapsed(kernel) if isinstance(kernel, LoopNest) else kernel


def collapsed(nest: LoopNest) -> LoopNest:
    """The same nest over the fewest axes: those of size 1 go, those that lie in a row are one."""
    accesses = [i.access for i in nest.body if isinstance(i, (Load, Counter))]
    accesses += [s.access for s in nest.stores]
    keep = [axis for axis, size in enumerate(nest.shape) if size > 1]
    groups: list[list[int]] = []
    for axis in keep:
        if groups and _mergeable(nest, groups[-1][-1], axis, accesses):
            groups[-1].append(axis)
        else:
            groups.append([axis])
    sizes = [math.prod(nest.shape[axis] for axis in group) for group in groups]
    last = [group[-1] for group in groups]

    def moved(access: Access) -> Access:
        return replace(access, strides=tuple(access.strides[axis] for axis in last))

    return LoopNest(
        tuple(sizes),
        tuple(nest.reduced[axis] for axis in last),
        tuple(
            replace(i, access=moved(i.access)) if isinstance(i, (Load, Counter)) else i
            for i in nest.body
        ),
        tuple(replace(s, access=moved(s.access)) for s in nest.stores),
    )


def _mergeable(nest: LoopNest, outer: int, inner: int, accesses: Sequence[Access]) -> bool:
    size = nest.shape[inner]
    return nest.reduced[outer] == nest.reduced[inner] and all(
        a.strides[outer] == a.strides[inner] * size for a in accesses
    )
