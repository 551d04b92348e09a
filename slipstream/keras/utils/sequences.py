"""Batches by number: `Sequence`, which Keras 3 calls `PyDataset`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


class PyDataset:
    """Override `__len__` (how many batches) and `__getitem__` (batch number i)."""

    def __init__(
        self, workers: int = 1, use_multiprocessing: bool = False, max_queue_size: int = 10
    ) -> None:
        self.workers, self.use_multiprocessing = workers, use_multiprocessing
        self.max_queue_size = max_queue_size

    @property
    def num_batches(self) -> int | None:
        return len(self)

    def __len__(self) -> int:
        raise TypeError(f"{type(self).__name__} does not say how many batches it has: __len__")

    def __getitem__(self, index: int) -> Any:
        raise TypeError(f"{type(self).__name__} gives no batches: override __getitem__")

    def __iter__(self) -> Iterator[Any]:
        return (self[index] for index in range(len(self)))

    def on_epoch_begin(self) -> None:
        """Before each epoch."""

    def on_epoch_end(self) -> None:
        """After each epoch."""


Sequence = PyDataset
