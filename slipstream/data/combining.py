"""Several datasets as one: zip, enumerate, concatenate, sampling."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from slipstream.data.elements import Row, merged_sizes
from slipstream.data.indices import IndexStream
from slipstream.data.seeds import generator
from slipstream.data.stage import INFINITE, UNKNOWN, Following, Stage
from slipstream.ir.dtypes import int64
from slipstream.runtime.function import TensorSpec
from slipstream.runtime.structure import flatten, map_structure


class Zipped(Stage):
    """Elements side by side, in a structure of datasets."""

    label = "Zip"

    def __init__(self, structure: Any) -> None:
        self._structure, self._stages = structure, flatten(structure)
        if not self._stages:
            raise TypeError("Must pass at least one dataset to `zip`.")

    @property
    def element_spec(self) -> Any:
        return map_structure_of_stages(self._structure)

    def size(self) -> int:
        sizes = [stage.size() for stage in self._stages]
        finite = [n for n in sizes if n >= 0]
        if UNKNOWN in sizes:
            return UNKNOWN
        return min(finite) if finite else INFINITE

    def rows(self) -> Iterator[Row]:
        columns = (stage.rows() for stage in self._stages)
        return (tuple(itertools.chain(*parts)) for parts in zip(*columns, strict=False))


def map_structure_of_stages(structure: Any) -> Any:
    """Each stage's spec in its place; a spec may be a structure itself."""
    if isinstance(structure, dict):
        return {key: map_structure_of_stages(structure[key]) for key in structure}
    if isinstance(structure, (tuple, list)):
        return tuple(map_structure_of_stages(item) for item in structure)
    return structure.element_spec


class Enumerated(Following):
    """(number, element)."""

    label = "Zip"

    def __init__(self, before: Stage, start: int) -> None:
        super().__init__(before)
        self._start = start

    @property
    def element_spec(self) -> Any:
        return TensorSpec((), int64), self.before.element_spec

    def rows(self) -> Iterator[Row]:
        counted = enumerate(self.before.rows(), self._start)
        return ((np.asarray(number, np.int64), *row) for number, row in counted)


class Concatenated(Stage):
    """One dataset, then another of elements alike."""

    label = "Concatenate"

    def __init__(self, first: Stage, second: Stage) -> None:
        kinds = [[s.dtype for s in flatten(stage.element_spec)] for stage in (first, second)]
        if kinds[0] != kinds[1]:
            raise TypeError(
                "Incompatible datasets to concatenate: "
                f"{first.element_spec!r} and {second.element_spec!r}"
            )
        self._first, self._second = first, second

    @property
    def element_spec(self) -> Any:
        return map_structure(merged_sizes, self._first.element_spec, self._second.element_spec)

    def size(self) -> int:
        sizes = self._first.size(), self._second.size()
        return sum(sizes) if min(sizes) >= 0 else (INFINITE if INFINITE in sizes else UNKNOWN)

    def rows(self) -> Iterator[Row]:
        return itertools.chain(self._first.rows(), self._second.rows())

    def index_stream(self) -> IndexStream | None:
        return None


class Sampled(Stage):
    """Elements of datasets drawn at random."""

    label = "DirectedInterleave"

    def __init__(
        self, stages: Sequence[Stage], weights: Any, seed: int | None, stop_on_empty: bool
    ) -> None:
        if not stages:
            raise ValueError("Invalid `datasets`. `datasets` should not be empty.")
        self._stages, self._stop = stages, stop_on_empty
        given = np.ones(len(stages)) if weights is None else np.asarray(weights, float)
        if given.shape != (len(stages),):
            raise ValueError(f"{len(stages)} datasets need as many weights, not {given.shape}")
        self._weights, self._generator = given, generator(seed)

    @property
    def element_spec(self) -> Any:
        return self._stages[0].element_spec

    def rows(self) -> Iterator[Row]:
        iterators = [stage.rows() for stage in self._stages]
        weights = self._weights.copy()
        while weights.sum() > 0:
            choice = int(self._generator.choice(len(weights), p=weights / weights.sum()))
            row = next(iterators[choice], None)
            if row is not None:
                yield row
            elif self._stop:
                return
            else:
                weights[choice] = 0
