"""What a compiled program needs beside its code, as plain numbers: kept on disk, too.

A program that is one row of kernels is found again by the digest of its graph. Then no pass runs,
no kernel is planned, and its code is linked at once.
"""

from __future__ import annotations

import hashlib
import marshal
import sys
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import NamedTuple

import numpy as np

from slipstream.compiler import cache, kernels
from slipstream.compiler.operations import is_pick
from slipstream.compiler.passes import winograd
from slipstream.compiler.target import Target
from slipstream.ir.builder import frozen
from slipstream.ir.dtypes import as_dtype
from slipstream.ir.graph import Array, Constant, Graph, Value, subgraphs
from slipstream.ir.types import Shape, TensorType

LARGEST = 1 << 20  # bytes of a constant that is kept


class Place(NamedTuple):
    """A slot, where its value lies in the arena (or nothing), its dtype and shape."""

    slot: int
    offset: int
    dtype: str
    shape: Shape

    @classmethod
    def of(cls, slot: int, type: TensorType, offset: int = -1) -> Place:
        return cls(slot, offset, type.dtype.name, type.shape)

    @property
    def type(self) -> TensorType:
        return TensorType(self.shape, as_dtype(self.dtype))


class Known(NamedTuple):
    """A constant: its slot, and its elements as bytes."""

    slot: int
    dtype: str
    shape: Shape
    content: bytes

    @property
    def array(self) -> Array:
        kind = as_dtype(self.dtype).numpy
        return np.frombuffer(self.content, kind).reshape(self.shape).copy()


class Check(NamedTuple):
    """Indices that are checked: what asks, their slot and shape, their limit, the user's line."""

    operation: str
    slot: int
    shape: Shape
    limit: int
    origin: str | None


class Part(NamedTuple):
    """What is known of a segment: whether threads share it, whether it checks anything, and whether
    one thread is through with it before others that sleep would be awake.
    """

    is_shared: bool
    may_fail: bool
    is_short: bool


@dataclass(frozen=True)
class Recipe:
    """Slots are numbers in a table of addresses.

    `overwrites` says of each variable written whether its new content is made where the old one
    lies. A `fault` of -1 is none.
    """

    slots: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    fresh: tuple[Place, ...]
    constants: tuple[Known, ...]
    arena_bytes: int
    arena: tuple[Place, ...]
    overwrites: tuple[bool, ...]
    fault: int
    checks: tuple[Check, ...] = ()
    parts: tuple[Part, ...] = ()
    files: tuple[str, ...] = ()  # of object code, in the cache

    def packed(self) -> bytes:
        """As bytes; nothing in them is executed when they are read."""
        return marshal.dumps(tuple(_plain(item) for item in astuple(self)))

    @classmethod
    def unpacked(cls, content: bytes) -> Recipe:
        values = [*marshal.loads(content)]
        kinds = {3: Place, 4: Known, 6: Place, 9: Check, 10: Part}
        for place, kind in kinds.items():
            values[place] = tuple(kind(*item) for item in values[place])
        return cls(*values)


def _plain(item: object) -> object:
    return tuple(map(_plain, item)) if isinstance(item, tuple) else item


def key_of(graph: Graph, in_place: Sequence[tuple[int, int]], target: Target) -> str | None:
    """The name of a program's recipe; None if it holds too much to be kept.

    Limits that tests and measurements set are part of it: they decide what a program becomes.
    """
    limits = kernels.WORTH_SHARING, winograd.WORTH
    found = hashlib.sha256(f"{sys.version} {limits} {in_place}".encode())
    if not _enter(graph, found):
        return None
    return cache.key_of(f"recipe {found.hexdigest()}", target)


def _enter(graph: Graph, found: hashlib._Hash) -> bool:
    """Enter all that a graph is; False if a constant is too large."""
    numbers: dict[Value, int] = {value: n for n, value in enumerate(graph.inputs)}

    def number(value: Value) -> int:
        if isinstance(value, Constant) and value not in numbers:
            found.update(value.array.tobytes())
            found.update(str(value.type).encode())
        return numbers.setdefault(value, len(numbers))

    constants = [v for n in graph.nodes for v in n.inputs if isinstance(v, Constant)]
    constants += [v for v in graph.outputs if isinstance(v, Constant)]
    if any(v.array.nbytes > LARGEST or v.array.dtype.hasobject for v in constants):
        return False
    found.update(repr([str(v.type) for v in graph.inputs]).encode())
    for node in graph.nodes:
        if not all(_enter(inner, found) for inner in subgraphs(node.params)):
            return False
        plain = {k: v for k, v in node.params.items() if not any(subgraphs({k: v}))}
        origin = node.origin if is_pick(node) else None  # part of what a fault says
        places = [*map(number, node.inputs)], [*map(number, node.outputs)]
        types = [str(v.type) for v in node.outputs]
        found.update(repr((node.operation.name, places, types, frozen(plain), origin)).encode())
    found.update(repr([*map(number, graph.outputs)]).encode())
    return True
