"""What layers know of the call they are part of: training or not, names, the dtype in force."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class CallContext:
    """One outermost call of a layer, and what is called inside it."""

    __slots__ = ("entry", "training")

    def __init__(self, entry: Any, training: Any = None) -> None:
        self.entry, self.training = entry, training


class _Frame(threading.local):
    """What is in force in this thread."""

    def __init__(self) -> None:
        self.call: CallContext | None = None
        self.names: list[str] = []
        self.autocast: Any = None  # the dtype float variables are read in, or None


FRAME = _Frame()


@contextmanager
def name_scope(name: str) -> Iterator[None]:
    """Within the block the paths of new variables go on with `name`."""
    FRAME.names.append(name)
    try:
        yield
    finally:
        FRAME.names.pop()


def path_of(name: str) -> str:
    """The path of a variable made now: 'sequential/dense/kernel'."""
    return "/".join([*FRAME.names, name])


@contextmanager
def autocast(dtype: Any) -> Iterator[None]:
    """Within the block float variables are read in `dtype` (None: in their own)."""
    outer, FRAME.autocast = FRAME.autocast, dtype
    try:
        yield
    finally:
        FRAME.autocast = outer
