"""Python's collector of circles, kept from looking at a whole program again and again.

It runs whenever many objects were made, which is all the time while a program is compiled, and then
looks at all there are. Passes and records make no circles; llvmlite's modules do.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def paused() -> Iterator[None]:
    """The collector does not run by itself; after that it does, if it did before."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def collect_young() -> None:
    """Free the circles among what was made since the last time."""
    gc.collect(0)
