"""Epochs over arrays in memory: a step gathers its own batch, and one call makes many steps.

The program is given the arrays as they are and the numbers of a batch's samples. Python runs
between calls only, some ten times a second, or after each batch for callbacks that ask for it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from slipstream.ir.dtypes import from_numpy, int64
from slipstream.ir.graph import Array
from slipstream.ir.types import TensorType
from slipstream.keras.models.adapters import Arrays
from slipstream.ops.indexing import gather
from slipstream.runtime.function import RUN_EAGERLY, ConcreteFunction, traced
from slipstream.runtime.structure import flatten, map_structure

SAMPLES = 1 << 40  # in the types of the arrays: any number, so that one program does for all
PAUSE = 0.1  # seconds between two times that Python looks


def is_steady(source: Any) -> bool:
    """Whether batches are samples of arrays of numbers, and programs are compiled."""
    return isinstance(source, Arrays) and source.is_numeric and not RUN_EAGERLY[0]


class Steps:
    """A step over batches of some size and of arrays of some types, as a program."""

    def __init__(self, step: Callable[[Any], Any], name: str) -> None:
        self._step, self._name = step, name
        self._programs: dict[Any, ConcreteFunction] = {}

    def __call__(self, data: Any, numbers: Array) -> Any:
        """One step for each row of `numbers` [steps, batch]; what the last returned."""
        leaves = [np.ascontiguousarray(leaf) for leaf in flatten(data) if leaf is not None]
        return self._program(data, leaves, numbers.shape[1]).repeat([numbers, *leaves], moving=0)

    def prepare(self, data: Any, size: int) -> None:
        """Have the program for batches of another size compiled while steps are made.

        It is traced here and now: tracing runs the model's Python, in which there may be one thread
        at a time.
        """
        leaves = [leaf for leaf in flatten(data) if leaf is not None]
        self._program(data, leaves, size).prepare()

    def _program(self, data: Any, leaves: list[Array], size: int) -> ConcreteFunction:
        types = [TensorType((SAMPLES, *a.shape[1:]), from_numpy(a.dtype)) for a in leaves]
        shape = map_structure(lambda leaf: leaf is None, data)
        key = repr(shape), tuple(types), size
        if key not in self._programs:
            self._programs[key] = self._traced(data, types, size)
        return self._programs[key]

    def _traced(self, data: Any, types: list[TensorType], size: int) -> ConcreteFunction:
        def step(numbers: Any, *leaves: Any) -> Any:
            given = iter(leaves)
            return self._step(
                map_structure(lambda a: None if a is None else gather(next(given), numbers), data)
            )

        return traced(step, self._name, [TensorType((size,), int64), *types])


class Pace:
    """How many steps to make at once, so that Python looks every tenth of a second."""

    def __init__(self, by_batch: bool) -> None:
        self._by_batch, self._steps = by_batch, 1

    def parts(self, numbers: Array) -> Iterator[Array]:
        """The rows of `numbers`, some at a time; what runs between two parts is timed."""
        first = 0
        while first < len(numbers):
            begun = time.perf_counter()
            yield numbers[first : first + self._steps]
            first += self._steps
            self._adapt(time.perf_counter() - begun)

    def _adapt(self, seconds: float) -> None:
        if not self._by_batch:
            wanted = int(self._steps * PAUSE / max(seconds, 1e-6))
            self._steps = max(1, min(wanted, 16 * self._steps))
