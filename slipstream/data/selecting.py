"""Which elements, in which order: take, skip, shard, repeat, shuffle, unique."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from slipstream.data import indices
from slipstream.data.elements import Row
from slipstream.data.indices import IndexStream
from slipstream.data.seeds import generator
from slipstream.data.stage import Following, Stage, times


class Taken(Following):
    """The first elements."""

    label = "Take"

    def __init__(self, before: Stage, count: int) -> None:
        super().__init__(before)
        self._count = count

    def size(self) -> int:
        size = self.before.size()
        if self._count < 0:
            return size
        return self._count if size == -1 else min(size, self._count) if size >= 0 else size

    def rows(self) -> Iterator[Row]:
        rows = self.before.rows()
        return self.fed_by_indices() or (
            rows if self._count < 0 else itertools.islice(rows, self._count)
        )

    def index_stream(self) -> IndexStream | None:
        stream = self.before.index_stream()
        if stream is None or self._count < 0:
            return stream
        return IndexStream(stream.arrays, indices.limited(stream.blocks, self._count))


class Skipped(Following):
    """All but the first elements."""

    label = "Skip"

    def __init__(self, before: Stage, count: int) -> None:
        super().__init__(before)
        self._count = count

    def size(self) -> int:
        size = self.before.size()
        if self._count < 0:
            return 0
        return max(0, size - self._count) if size >= 0 else size

    def rows(self) -> Iterator[Row]:
        if self._count < 0:
            return iter([])
        return self.fed_by_indices() or itertools.islice(self.before.rows(), self._count, None)

    def index_stream(self) -> IndexStream | None:
        stream = self.before.index_stream() if self._count >= 0 else None
        if stream is None:
            return None
        return IndexStream(stream.arrays, indices.skipped(stream.blocks, self._count))


class Sharded(Following):
    """Every n-th element."""

    label = "Shard"

    def __init__(self, before: Stage, shards: int, index: int) -> None:
        if not 0 <= index < shards:
            raise ValueError(f"index={index} is not in [0, num_shards={shards})")
        super().__init__(before)
        self._shards, self._index = shards, index

    def size(self) -> int:
        size = self.before.size()
        return max(0, -(-(size - self._index) // self._shards)) if size >= 0 else size

    def rows(self) -> Iterator[Row]:
        return itertools.islice(self.before.rows(), self._index, None, self._shards)


class Repeated(Following):
    """The elements several times, or for ever."""

    label = "Repeat"

    def __init__(self, before: Stage, count: int) -> None:
        super().__init__(before)
        self._count = count

    def size(self) -> int:
        return times(self.before.size(), self._count)

    def _turns(self) -> Iterator[int]:
        return itertools.count() if self._count < 0 else iter(range(self._count))

    def rows(self) -> Iterator[Row]:
        for turn in self._turns():
            empty = True
            for row in self.before.rows():
                empty = False
                yield row
            if empty and turn == 0:
                return

    def index_stream(self) -> IndexStream | None:
        first = self.before.index_stream()
        if first is None or self.before.size() == 0:
            return None
        return IndexStream(first.arrays, self._blocks(first))

    def _blocks(self, first: IndexStream) -> Iterator[indices.Indices]:
        for turn in self._turns():
            stream = first if turn == 0 else self.before.index_stream()
            if stream is not None:
                yield from stream.blocks


class Shuffled(Following):
    """Elements drawn at random from a buffer."""

    label = "Shuffle"

    def __init__(self, before: Stage, buffer: int, seed: int | None, reshuffle: bool) -> None:
        if buffer < 1:
            raise ValueError(f"buffer_size={buffer} is not positive")
        super().__init__(before)
        self._buffer = buffer
        self._generator = generator(seed)
        self._fixed = None if reshuffle else self._generator.bit_generator.state

    def _random(self) -> np.random.Generator:
        """The generator of one iteration: it goes on, unless each is to be shuffled alike."""
        if self._fixed is not None:
            self._generator.bit_generator.state = self._fixed
        return self._generator

    def rows(self) -> Iterator[Row]:
        return self.fed_by_indices() or self._buffered()

    def _buffered(self) -> Iterator[Row]:
        random, buffer = self._random(), []
        for row in self.before.rows():
            if len(buffer) < self._buffer:
                buffer.append(row)
                continue
            place = int(random.integers(len(buffer)))
            yield buffer[place]
            buffer[place] = row
        for place in random.permutation(len(buffer)).tolist():
            yield buffer[place]

    def index_stream(self) -> IndexStream | None:
        stream = self.before.index_stream()
        if stream is None:
            return None
        size = self.before.size()
        buffer = min(self._buffer, size) if size >= 0 else self._buffer
        blocks = indices.shuffled(stream.blocks, max(buffer, 1), self._random())
        return IndexStream(stream.arrays, blocks)


class Unique(Following):
    """Each different element once."""

    label = "Unique"

    def size(self) -> int:
        return -2

    def rows(self) -> Iterator[Row]:
        seen: set[tuple[bytes, ...]] = set()
        for row in self.before.rows():
            key = tuple(bytes(a[()]) if a.dtype.hasobject else a.tobytes() for a in row)
            if key not in seen:
                seen.add(key)
                yield row
