"""Seeds: which numbers the random operations of a program draw.

A scope has a seed and one stream of states for each seed of an operation. The global scope is that
of `tf.random.set_seed`;
a TensorFlow 1 graph has a scope of its own. A stream is a cell, so traced programs draw on it too:
each draw reads the
state and writes the next one.
"""

from __future__ import annotations

import hashlib
import os
from typing import Any

from slipstream.primitives.base import LEVEL
from slipstream.primitives.random import next_state, state_of
from slipstream.runtime.variable import Cell

UNSEEDED = 87654321  # stands for the global seed where only an operation has one


class SeedScope:
    """The streams of one seed."""

    def __init__(self, seed: int | None = None) -> None:
        self.seed = seed
        self._cells: dict[int | None, Cell] = {}
        self._pipelines = 0

    def reset(self, seed: int | None) -> None:
        """Begin all streams anew; programs traced before draw on the new ones."""
        self.seed, self._pipelines = seed, 0
        for operation_seed, cell in self._cells.items():
            cell.replace(state_of(self.key(operation_seed)))

    def key(self, operation_seed: int | None) -> int:
        """64 bits that the two seeds determine; from the system's entropy if there are none."""
        if self.seed is None and operation_seed is None:
            return int.from_bytes(os.urandom(8), "little")
        first = UNSEEDED if self.seed is None else self.seed
        return mixed(first, operation_seed)

    def cell(self, operation_seed: int | None) -> Cell:
        """The stream for operations of this seed, or of none."""
        if operation_seed not in self._cells:
            self._cells[operation_seed] = Cell(state_of(self.key(operation_seed)))
        return self._cells[operation_seed]

    def pipeline_key(self, operation_seed: int | None) -> int:
        """A key for a data pipeline: by its place in the program where it has no seed."""
        if operation_seed is not None or self.seed is None:
            return self.key(operation_seed)
        self._pipelines += 1
        return mixed(self.seed, "pipeline", self._pipelines)


def mixed(*parts: Any) -> int:
    """64 bits, different for different parts."""
    text = repr(parts).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little")


GLOBAL = SeedScope()


def scope() -> SeedScope:
    """The scope of the program that is running or being traced."""
    found: SeedScope | None = getattr(LEVEL.interpreter, "seed_scope", None)
    return GLOBAL if found is None else found


def draw_state(operation_seed: int | None = None) -> Any:
    """A state that is used once: uint32[4]."""
    cell = scope().cell(operation_seed)
    state = cell.read()
    cell.write(next_state(state))
    return state
