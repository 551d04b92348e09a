"""Kernels in a row that go through the samples of a batch, done part by part.

Each thread takes a part of the samples through all of them before it takes the next. What only they
read never leaves the core's own cache, and no thread waits for another between them.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby
from typing import NamedTuple

from slipstream.compiler.collapse import tidied
from slipstream.compiler.kernels import Chain, Entry, sharing, written_buffers
from slipstream.compiler.passes.made import KernelStep, Made
from slipstream.compiler.passes.place import ALIGNMENT, Step, places_of
from slipstream.compiler.portions import Portion, bytes_of, portion
from slipstream.ir.dtypes import uint8
from slipstream.ir.graph import Graph, Value
from slipstream.ir.types import TensorType

FEWEST_PARTS, MOST_PARTS = 8, 256
WORTH = 256 << 10  # bytes that need not leave the cache
ALIKE = 0.98  # of the gain: then fewer parts are better


def chained(
    made: Sequence[Made], graph: Graph, variables: Sequence[tuple[int, int]], cache: int
) -> list[Made]:
    """The steps with those in chains that are worth it; a part should fit a cache of so many bytes.

    Steps that wait for a chain come after it, in their order.
    """
    if sum(isinstance(one.step, KernelStep) for one in made) < 2:
        return [*made]
    around = _Around.of(made, graph, variables)
    found: list[Made] = []
    for is_plain, run in groupby(made, _is_plain):
        steps = [*run]
        found += _Run(steps, around, cache).best() if is_plain else steps
    return found


def _is_of(value: Value, samples: int) -> bool:
    return value.type.rank > 0 and value.type.shape[0] == samples


def _is_plain(one: Made) -> bool:
    return isinstance(one.step, KernelStep) and not one.touched.may_fail


@dataclass(frozen=True)
class _Around:
    """What there is to know of the whole program: who reads and writes what, what must last."""

    made: Sequence[Made]
    given: frozenset[Value]  # inputs that stay as they are
    lasting: frozenset[Value]
    updates: frozenset[Value]  # new contents of variables
    readers: Mapping[Value, set[int]] = field(default_factory=dict)  # by the identity of steps
    writers: Mapping[Value, set[int]] = field(default_factory=dict)
    found: dict[int, set[Value]] = field(default_factory=dict)  # by the number of samples

    @classmethod
    def of(
        cls, made: Sequence[Made], graph: Graph, variables: Sequence[tuple[int, int]]
    ) -> _Around:
        old = {graph.inputs[i] for i, _ in variables}
        updates = frozenset(graph.outputs[j] for _, j in variables)
        readers: dict[Value, set[int]] = {}
        writers: dict[Value, set[int]] = {}
        for one in made:
            for known, values in ((readers, one.touched.reads), (writers, one.touched.writes)):
                for value in values:
                    known.setdefault(value, set()).add(id(one.step))
        given = frozenset(v for v in graph.inputs if v not in old)
        return cls(made, given, frozenset(graph.outputs), updates, readers, writers)

    def sampled(self, samples: int) -> set[Value]:
        """What the program makes of so many samples: of inputs, of rows that it has picked."""
        if samples not in self.found:
            self.found[samples] = self._sampled(samples)
        return self.found[samples]

    def _sampled(self, samples: int) -> set[Value]:
        found = {v for v in self.given if _is_of(v, samples)}
        for one in self.made:
            if not found.isdisjoint(one.touched.reads):
                found.update(one.touched.writes)
            elif not _is_plain(one):
                found.update(v for v in one.touched.writes if _is_of(v, samples))
        return found


class _Link:
    """A call of a chain: its kernel on a part, and which of its buffers each part has apart."""

    def __init__(self, portion: Portion, values: tuple[Value, ...]) -> None:
        self.portion, self.values = portion, values
        self.made = {values[n] for n in written_buffers(portion.kernel)}

    @cached_property
    def bytes(self) -> int:
        """That the kernel goes through."""
        return bytes_of(self.portion.kernel)

    def fits(self, made: set[Value]) -> bool:
        """Whether it reads of these values no more than its part."""
        return all(n in self.portion.apart for n, v in enumerate(self.values) if v in made)


_Known = dict[tuple[int, int], list[_Link] | None]  # by the identity of a step, and parts


class _Order(NamedTuple):
    """Steps in their new order: lists of more than one are chains. And what is gained."""

    parts: int
    groups: list[list[Made]]
    gain: float


def _best(orders: Sequence[_Order]) -> _Order:
    """The order with the fewest parts among those that gain about the most."""
    most = max(order.gain for order in orders)
    return min((o for o in orders if o.gain >= ALIKE * most), key=lambda o: o.parts)


class _Run:
    """Kernels in a row, none of which can fail."""

    def __init__(
        self, made: list[Made], around: _Around, cache: int, known: _Known | None = None
    ) -> None:
        self.made, self.around, self.cache = made, around, cache
        self.known: _Known = {} if known is None else known

    def best(self) -> list[Made]:
        """The run with the chains that keep most in the cache."""
        orders: list[_Order] = []
        for samples, ways in self._ways():
            orders = [self._order(samples, parts) for parts in ways]
            if max((order.gain for order in orders), default=0) >= WORTH:
                break
        else:
            return self.made
        found = []
        for is_chain, groups in groupby(_best(orders).groups, lambda group: len(group) > 1):
            if is_chain:
                found += [self._joined(group, ways) for group in groups]
            else:  # other samples and parts may suit these
                rest = [one for (one,) in groups]
                found += _Run(rest, self.around, self.cache, self.known).best()
        return found

    def _joined(self, group: list[Made], ways: Sequence[int]) -> Made:
        """The steps as a chain, in as many parts as suit these."""
        orders = []
        for parts in ways:
            ordering = _Ordering()
            for one in group:
                ordering.take(one, self._linked([one], parts))
            ordering.close()
            if len(ordering.groups) == 1:
                orders.append(_Order(parts, ordering.groups, self._gain(group, parts)))
        return _Joining(self._linked(group, _best(orders).parts), group, self).run()

    def _ways(self) -> Iterator[tuple[int, list[int]]]:
        """How many samples there may be, and in how many parts."""
        sizes: Counter[int] = Counter()
        for value in self._written:
            if value.type.rank > 1:
                sizes[value.type.shape[0]] += value.type.bytes
        for samples, size in sizes.most_common(2):
            most = min(samples, MOST_PARTS)
            ways = [parts for parts in range(FEWEST_PARTS, most + 1) if samples % parts == 0]
            if size >= WORTH and ways:
                yield samples, ways

    @cached_property
    def _written(self) -> list[Value]:
        """In an order that is the same in every process."""
        return [*dict.fromkeys(v for one in self.made for v in one.touched.writes)]

    # the order

    def _order(self, samples: int, parts: int) -> _Order:
        """The steps with as much as can be in chains of so many parts."""
        sampled = self.around.sampled(samples)
        ordering = _Ordering()
        for one in self.made:
            links = self._linked([one], parts) if sampled.intersection(one.touched.writes) else None
            ordering.take(one, links)
        ordering.close()
        groups = [*self._worth(ordering.groups, parts)]
        gain = sum(self._gain(group, parts) for group in groups if len(group) > 1)
        return _Order(parts, groups, gain)

    def _worth(self, groups: Sequence[list[Made]], parts: int) -> Iterator[list[Made]]:
        """The groups, the steps of small chains one by one."""
        for group in groups:
            if len(group) > 1 and self._gain(group, parts) >= WORTH:
                yield group
            else:
                yield from ([one] for one in group)

    def _linked(self, group: Sequence[Made], parts: int) -> list[_Link] | None:
        """The calls of steps in so many parts; None if one of them cannot be."""
        found = []
        for one in group:
            key = id(one.step), parts
            if key not in self.known:
                self.known[key] = self._links(one, parts)
            links = self.known[key]
            if links is None:
                return None
            found += links
        return found

    def _links(self, one: Made, parts: int) -> list[_Link] | None:
        assert isinstance(one.step, KernelStep)
        if self.around.updates.intersection(one.touched.writes):
            return None
        found = []
        for kernel, values in one.step.calls:
            cut = portion(kernel, [v.type.size for v in values], parts)
            if cut is None:
                return None
            found.append(_Link(cut, values))
        return found

    def _gain(self, group: Sequence[Made], parts: int) -> float:
        """The bytes that stay near; what does not fit the cache is still nearer than memory."""
        links = self._linked(group, parts) or []
        most = max((link.bytes for link in links), default=1)
        return self._kept_bytes(group) * math.sqrt(min(1.0, self.cache / most))

    def _kept_bytes(self, group: Sequence[Made]) -> int:
        """The bytes of what only a chain reads."""
        return sum(v.type.bytes for v in self.kept(group))

    def kept(self, group: Sequence[Made]) -> list[Value]:
        """What only these steps write and read."""
        own, around = {id(one.step) for one in group}, self.around
        return [
            v
            for v in dict.fromkeys(v for one in group for v in one.touched.writes)
            if v not in around.lasting
            and around.writers[v] <= own
            and around.readers.get(v, set()) <= own
        ]


class _Ordering:
    """Steps put in order, a chain as long as it goes, and what waits for it behind it."""

    def __init__(self) -> None:
        self.groups: list[list[Made]] = []
        self.chain: list[Made] = []
        self.made: set[Value] = set()  # by the chain
        self.waiting: list[Made] = []
        self.late: set[Value] = set()  # made by those that wait

    def take(self, one: Made, links: Sequence[_Link] | None) -> None:
        """The next step; `links` if it can be in a chain."""
        touches = {*one.touched.reads, *one.touched.writes}
        if links is not None and self._fits(links):
            if touches & self.late:
                self.close()
            self.chain.append(one)
            self.made.update(*(link.made for link in links))
        elif touches & (self.made | self.late):
            self.waiting.append(one)
            self.late.update(one.touched.writes)
        else:
            self.groups.append([one])

    def _fits(self, links: Sequence[_Link]) -> bool:
        made = {*self.made}
        for link in links:
            if not link.fits(made):
                return False
            made |= link.made
        return True

    def close(self) -> None:
        """End the chain."""
        if self.chain:
            self.groups.append(self.chain)
        self.groups += [[one] for one in self.waiting]
        self.chain, self.waiting = [], []
        self.made, self.late = set(), set()


class _Joining:
    """The record of a chain."""

    def __init__(self, links: list[_Link] | None, group: list[Made], run: _Run) -> None:
        assert links is not None
        self.links, self.group = links, group
        kept = run.kept(group)
        self.length = next(
            v.type.size // step
            for link in links
            for n, v in enumerate(link.values)
            if n in link.portion.apart and (step := link.portion.steps[n])
        )
        self.places, self.part_bytes = self._places(kept)
        self.arena = Value(TensorType((self.length * self.part_bytes,), uint8))
        self.buffers: list[Value] = []
        self.entries: list[Entry] = []

    def _places(self, kept: Sequence[Value]) -> tuple[dict[Value, int], int]:
        """Where in a part's memory what is kept lies, and how large it is."""
        lives: dict[Value, tuple[int, int]] = {}
        for number, link in enumerate(self.links):
            for value in link.values:
                lives[value] = lives.get(value, (number, number))[0], number
        part = {v: Value(TensorType((v.type.bytes // self.length,), uint8)) for v in kept}
        found = places_of({part[v]: lives[v] for v in kept})
        size = -(-found.arena_bytes // ALIGNMENT) * ALIGNMENT
        return {v: found.arena[part[v]] for v in kept}, size

    def run(self) -> Made:
        calls = tuple(map(self._call, self.links))
        made = dict.fromkeys(v for one in self.group for v in one.touched.writes)
        written = tuple(v for v in made if v in self.buffers)
        scratch = (self.arena,) if self.places else ()
        numbers = tuple(self.buffers.index(v) for v in (*written, *scratch))
        own = tuple(
            n for n, entry in enumerate(self.entries) if self.buffers[entry.buffer] is self.arena
        )
        record = Chain(self.length, calls, tuple(self.entries), own, tuple(sorted(numbers)))
        steps = tuple(one.step for one in self.group if isinstance(one.step, KernelStep))
        reads = tuple(v for v in self.buffers if v not in written and v is not self.arena)
        step = KernelStep(((record, tuple(self.buffers)),), written, steps[0].group, steps)
        return Made(step, Step(True, reads, (*written, *scratch)))

    def _call(self, link: _Link) -> tuple[object, tuple[int, ...]]:
        steps = link.portion.steps
        entries = [
            self._entry(value, step) for value, step in zip(link.values, steps, strict=False)
        ]
        kernel = sharing(tidied(link.portion.kernel), entries)
        return kernel, tuple(entries[: kernel.buffers])

    def _entry(self, value: Value, step: int) -> int:
        if value in self.places:
            entry = Entry(self._buffer(self.arena), self.places[value], self.part_bytes)
        else:
            entry = Entry(self._buffer(value), 0, step * value.type.dtype.size)
        if entry not in self.entries:
            self.entries.append(entry)
        return self.entries.index(entry)

    def _buffer(self, value: Value) -> int:
        if value not in self.buffers:
            self.buffers.append(value)
        return self.buffers.index(value)
