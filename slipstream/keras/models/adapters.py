"""Where batches come from: arrays, tensors, datasets, generators, sequences.

A source gives batches as (x, y, sample_weight) tuples and says how many there are; over arrays a
batch is one gather.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

from slipstream.ir.graph import Array
from slipstream.runtime.convert import TensorLike, as_array, convert
from slipstream.runtime.seeds import GLOBAL
from slipstream.runtime.structure import flatten, map_structure
from slipstream.runtime.tensor import EagerTensor

Batch = tuple[Any, Any, Any]
BATCH_SIZE = 32  # where none is given


class Arrays:
    """Batches of arrays of one length, shuffled each epoch if that is asked for."""

    def __init__(
        self, x: Any, y: Any, sample_weight: Any, batch_size: int | None, shuffle: bool = False
    ) -> None:
        self._data = tuple(_arrays(part) for part in (x, y, sample_weight))
        sizes = {len(a) for part in self._data if part is not None for a in flatten(part)}
        if len(sizes) > 1:
            raise ValueError(
                "Data cardinality is ambiguous. Make sure all arrays contain the same number of "
                f"samples. Received lengths: {sorted(sizes)}"
            )
        self.samples = sizes.pop()
        if not self.samples:
            raise ValueError("The data has no batches: its arrays hold no samples.")
        self.batch_size = int(batch_size or BATCH_SIZE)
        self._random: np.random.Generator | None = None
        if shuffle:
            self._random = np.random.Generator(np.random.Philox(key=GLOBAL.pipeline_key(None)))

    @property
    def batches(self) -> int:
        return -(-self.samples // self.batch_size)

    @property
    def data(self) -> tuple[Any, Any, Any]:
        """(x, y, sample_weight): arrays, or structures of arrays."""
        return self._data

    @property
    def is_numeric(self) -> bool:
        """Whether all arrays hold numbers or booleans."""
        return all(leaf.dtype.kind in "biufc" for leaf in flatten(self._data) if leaf is not None)

    def numbers(self) -> list[Array]:
        """The samples of an epoch's batches: [batches, batch size], and the rest [1, fewer]."""
        order = self._order()
        every = np.arange(self.samples) if order is None else order
        whole = self.samples - self.samples % self.batch_size
        parts = [every[:whole].reshape(-1, self.batch_size), every[None, whole:]]
        return [part for part in parts if part.size]

    def _order(self) -> Array | None:
        """The samples in this epoch's order; None for the one they are in."""
        return None if self._random is None else self._random.permutation(self.samples)

    def __iter__(self) -> Iterator[Batch]:
        order = self._order()
        for start in range(0, self.samples, self.batch_size):
            stop = min(start + self.batch_size, self.samples)
            chosen = slice(start, stop) if order is None else order[start:stop]
            x, y, weight = (_taken(part, chosen) for part in self._data)
            yield x, y, weight


def _arrays(structure: Any) -> Any:
    if structure is None:
        return None
    if isinstance(structure, (list, tuple)) and flatten(structure):
        numbers = all(isinstance(leaf, (int, float)) for leaf in flatten(structure))
        if numbers:
            return as_array(structure, None)
    return map_structure(_array, structure)


def _array(leaf: Any) -> Any:
    if isinstance(leaf, TensorLike):
        leaf = np.asarray(convert(leaf))
    elif hasattr(leaf, "to_numpy"):
        leaf = leaf.to_numpy()
    array = leaf if isinstance(leaf, np.ndarray) else as_array(leaf, None)
    if array.ndim == 0:
        raise ValueError("Input arrays must have a first dimension for the samples: got a scalar")
    return array.astype(np.float32) if array.dtype == np.float64 else array


def in_one_batch(x: Any, batch_size: int | None) -> list[Batch] | None:
    """The batch of one array of numbers, if it is no more than one."""
    if not isinstance(x, np.ndarray) or x.ndim == 0 or x.dtype.kind not in "biufc":
        return None
    if not 0 < len(x) <= (batch_size or BATCH_SIZE):
        return None
    return [(EagerTensor(np.ascontiguousarray(_array(x))), None, None)]


def _taken(part: Any, chosen: Any) -> Any:
    if part is None:
        return None
    return map_structure(lambda a: EagerTensor(np.ascontiguousarray(a[chosen])), part)


class Iterated:
    """Batches that something gives: a dataset, a generator, a sequence."""

    def __init__(self, source: Any) -> None:
        self._source = source
        self._one_shot = iter(source) if hasattr(source, "__next__") else None
        size = getattr(source, "stage", None)
        count = size.size() if size is not None else _length(source)
        self.batches: int | None = count if count is not None and count >= 0 else None
        self.infinite = size is not None and count == -1

    def __iter__(self) -> Iterator[Batch]:
        if self._one_shot is not None:
            return (unpacked(batch) for batch in self._one_shot)
        if not hasattr(self._source, "__iter__") and hasattr(self._source, "__getitem__"):
            return (unpacked(self._source[i]) for i in range(len(self._source)))
        return (unpacked(batch) for batch in self._source)

    def on_epoch_end(self) -> None:
        if hasattr(self._source, "on_epoch_end"):
            self._source.on_epoch_end()


def _length(source: Any) -> int | None:
    try:
        return len(source)
    except TypeError:
        return getattr(source, "num_batches", None)


def unpacked(batch: Any) -> Batch:
    """(x, y, sample_weight) of what a source gives: x alone, a pair, or all three."""
    if not isinstance(batch, tuple):
        batch = (batch,)
    if len(batch) > 3:
        raise ValueError(
            "Data is expected to be in format `x`, `(x,)`, `(x, y)`, or `(x, y, sample_weight)`, "
            f"found: {len(batch)} parts"
        )
    parts = [None if p is None else map_structure(_tensor, p) for p in batch]
    x, y, weight = (*parts, None, None, None)[:3]
    return x, y, weight


def _tensor(leaf: Any) -> Any:
    if isinstance(leaf, np.ndarray) and leaf.dtype == np.float64:
        leaf = leaf.astype(np.float32)
    return convert(leaf)


def source_of(
    x: Any, y: Any, sample_weight: Any, batch_size: int | None, shuffle: bool = False
) -> Any:
    """The batches of what `fit` and its kin were given."""
    iterated = hasattr(x, "stage") or hasattr(x, "__next__") or _is_sequence(x)
    if not iterated:
        return Arrays(x, y, sample_weight, batch_size, shuffle)
    if y is not None or sample_weight is not None:
        raise ValueError(
            "When passing `x` as a dataset, generator or sequence, it gives the targets (and "
            "sample weights) itself: `y` and `sample_weight` should not be passed."
        )
    return Iterated(x)


def _is_sequence(x: Any) -> bool:
    """A `PyDataset`, or any object of batches by number."""
    plain = (np.ndarray, list, tuple, dict, str, TensorLike)
    return (
        hasattr(x, "__getitem__")
        and hasattr(x, "__len__")
        and not isinstance(x, plain)
        and not (hasattr(x, "__array__") or hasattr(x, "to_numpy"))
    )


def limited(source: Any, steps: int | None, kept: list[Any]) -> Iterator[Batch]:
    """The batches of one epoch; with `steps`, an endless source goes on where it stopped."""
    if steps is None:
        return iter(source)
    if not kept:
        kept.append(iter(source))
    return itertools.islice(kept[0], steps)


def split_off(data: tuple[Any, ...], fraction: float) -> tuple[Any, Any]:
    """(all but the last part, the last part) of arrays, as validation_split asks for."""
    arrays = tuple(_arrays(part) for part in data)
    count = len(flatten(next(a for a in arrays if a is not None))[0])
    cut = int(count * (1 - fraction))
    if not 0 < cut < count:
        raise ValueError(
            f"Training data contains {count} samples, which is not sufficient to split it into a "
            f"validation and training set as specified by `validation_split={fraction}`."
        )
    head = tuple(None if a is None else map_structure(lambda v: v[:cut], a) for a in arrays)
    tail = tuple(None if a is None else map_structure(lambda v: v[cut:], a) for a in arrays)
    return head, tail
