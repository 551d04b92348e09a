"""A stage of a pipeline: what it gives, and how often it can be asked for it.

`Dataset` is the face that users see; stages do the work, each knowing only the stage before it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

from slipstream.data.elements import Row
from slipstream.data.indices import IndexStream

INFINITE = -1
UNKNOWN = -2


class Stage(ABC):
    """Elements as flat tuples of arrays. `label` is the word TensorFlow prints for the kind."""

    label = ""

    @property
    @abstractmethod
    def element_spec(self) -> Any:
        """The TensorSpecs of an element, in its structure."""

    @abstractmethod
    def rows(self) -> Iterator[Row]:
        """The elements, from the beginning."""

    def size(self) -> int:
        """How many elements; INFINITE or UNKNOWN where that is no number."""
        return UNKNOWN

    def index_stream(self) -> IndexStream | None:
        """The elements as indices into arrays, if that is all the pipeline does so far."""
        return None


class Following(Stage):
    """A stage after another one, by default of elements like that one's."""

    def __init__(self, before: Stage) -> None:
        self.before = before

    @property
    def element_spec(self) -> Any:
        return self.before.element_spec

    def size(self) -> int:
        return self.before.size()

    def fed_by_indices(self) -> Iterator[Row] | None:
        """Single rows of the index stream, where there is one: a stage's rows for nothing."""
        stream = self.index_stream()
        if stream is None:
            return None
        return (
            tuple(a[i] for a in stream.arrays) for block in stream.blocks for i in block.tolist()
        )


def times(size: int, factor: int) -> int:
    """A size repeated `factor` times; -1 is for ever."""
    if factor < 0:
        return INFINITE if size else 0
    return size * factor if size >= 0 else (size if factor else 0)
