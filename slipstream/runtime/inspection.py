"""Looking into compiled programs: `profiling` measures those that run, `showing` writes them down.

    with profiling() as profile:
        model.fit(x, y)
    print_profile(profile)

Programs that were compiled before are compiled anew for it, and run as ever after it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from slipstream.compiler.profile import Profile
from slipstream.compiler.show import Shown
from slipstream.runtime.executor import EXECUTORS


class InspectingExecutor:
    """The native executor with another way to load a graph."""

    name = "native"
    in_place = True

    def __init__(self, load: Callable[..., Any]) -> None:
        self.load = load


@contextmanager
def loading(load: Callable[..., Any]) -> Iterator[None]:
    """Let the native executor load graphs by a function.

    Nothing comes of it where `SLIPSTREAM_EXECUTOR` names another executor.
    """
    before = EXECUTORS.get("native")
    EXECUTORS["native"] = InspectingExecutor(load)
    try:
        yield
    finally:
        if before is None:
            del EXECUTORS["native"]
        else:
            EXECUTORS["native"] = before


@contextmanager
def profiling() -> Iterator[Profile]:
    """Measure all programs that run; gives the programs and their times."""
    profile = Profile()
    with loading(profile.load):
        yield profile


@contextmanager
def showing(folder: Path, *, only: str = "", code: bool = False) -> Iterator[Shown]:
    """Write down every program that is loaded, or those of one name, in folders of a folder.

    With `code` the LLVM text and the assembly of each kernel, too.
    """
    shown = Shown(folder, only, code)
    with loading(shown.load):
        yield shown
