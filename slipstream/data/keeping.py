"""Elements kept or made ahead: cache, prefetch."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from slipstream.data.elements import Row
from slipstream.data.indices import IndexStream
from slipstream.data.stage import Following, Stage
from slipstream.errors import DataLossError
from slipstream.files import write_aside


class Cached(Following):
    """The elements, kept from the first time they are all read."""

    label = "Cache"

    def __init__(self, before: Stage, filename: str) -> None:
        super().__init__(before)
        self._path = Path(f"{filename}.npz") if filename else None
        self._held: list[Row] | None = None

    def rows(self) -> Iterator[Row]:
        if self._held is None and self._path is not None and self._path.exists():
            self._held = _load(self._path)
        if self._held is not None:
            yield from self._held
            return
        held = []
        for row in self.before.rows():
            held.append(row)
            yield row
        self._held = held
        if self._path is not None:
            _save(self._path, held)


def _save(path: Path, rows: list[Row]) -> None:
    arrays = {f"{i}_{j}": a for i, row in enumerate(rows) for j, a in enumerate(row)}
    width = len(rows[0]) if rows else 0
    with write_aside(path) as aside, aside.open("wb") as file:
        np.savez(file, shape=np.array([len(rows), width]), **arrays)


def _load(path: Path) -> list[Row]:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as held:
            count, width = held["shape"].tolist()
            return [tuple(held[f"{i}_{j}"] for j in range(width)) for i in range(count)]
    except Exception as error:
        raise DataLossError(f"{path} is no readable cache: {error}; delete it") from None


class Prefetched(Following):
    """The elements, made ahead by a thread."""

    label = "Prefetch"

    def __init__(self, before: Stage, size: int) -> None:
        super().__init__(before)
        self._size = max(1, size)

    def index_stream(self) -> IndexStream | None:
        return self.before.index_stream()

    def rows(self) -> Iterator[Row]:
        ahead: queue.Queue[tuple[str, Any]] = queue.Queue(self._size)
        stop = threading.Event()
        worker = threading.Thread(target=self._fill, args=(ahead, stop), daemon=True)
        worker.start()
        try:
            while True:
                kind, item = ahead.get()
                if kind == "error":
                    raise item
                if kind == "end":
                    return
                yield item
        finally:
            stop.set()

    def _fill(self, ahead: queue.Queue[tuple[str, Any]], stop: threading.Event) -> None:
        try:
            for row in self.before.rows():
                if not _offered(ahead, stop, ("row", row)):
                    return
            _offered(ahead, stop, ("end", None))
        except Exception as error:  # handed to the thread that iterates
            _offered(ahead, stop, ("error", error))


def _offered(
    ahead: queue.Queue[tuple[str, Any]], stop: threading.Event, item: tuple[str, Any]
) -> bool:
    """Put an item into the queue, unless nobody iterates any more."""
    while not stop.is_set():
        try:
            ahead.put(item, timeout=0.1)
        except queue.Full:
            continue
        return True
    return False
