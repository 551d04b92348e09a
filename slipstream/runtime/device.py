"""`tf.device`: where operations run. There is one processor, so a name is checked and no more."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_NAME = re.compile(
    r"(/job:\w+)?(/replica:\d+)?(/task:\d+)?(/?(device:)?[a-z]+:(\d+|\*))?", re.IGNORECASE
)


@contextmanager
def device(name: str | Callable[[Any], str] | None) -> Iterator[None]:
    """Within the block operations are meant for a device: all of them run on this processor.

    ValueError for what is no device's name, such as '/cpu:0' or '/device:GPU:0'.

    >>> with device("/GPU:0"):
    ...     pass
    """
    if isinstance(name, str) and not _NAME.fullmatch(name):
        raise ValueError(f"Unknown attribute or malformed device specification: '{name}'")
    yield
