"""Compiled code kept between runs: object files named by the digest of what they are made from.

A file is its content's digest and the content, written aside and renamed, so any number of
processes share the folder. What is missing, broken or not permitted is as if it were not there.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import llvmlite

from slipstream import settings
from slipstream.compiler.target import Target

MOST_BYTES = 256 << 20  # in the folder; the files used longest ago go first
DIGEST = hashlib.sha256
SIZE = DIGEST().digest_size


def folder() -> Path:
    """Where compiled code is kept: `compiled` in `SLIPSTREAM_HOME`."""
    return settings.home() / "compiled"


@lru_cache(maxsize=1)
def _compiler() -> bytes:
    """The digest of the compiler itself: another one makes other code."""
    found = DIGEST(llvmlite.__version__.encode())
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        found.update(path.read_bytes())
    return found.digest()


def key_of(text: str, target: Target) -> str:
    """The name of the code for a program's description on a target."""
    return DIGEST(_compiler() + repr(target).encode() + text.encode()).hexdigest()


def read(key: str) -> bytes | None:
    """The code of that name, if it is there and whole."""
    path = folder() / key
    try:
        held = path.read_bytes()
        os.utime(path)
    except OSError:
        return None
    content = held[SIZE:]
    return content if DIGEST(content).digest() == held[:SIZE] else None


def write(key: str, content: bytes) -> None:
    """Keep code under a name, if the folder lets us."""
    place = folder()
    try:
        place.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=place, prefix=".")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(DIGEST(content).digest() + content)
            Path(name).replace(place / key)
        except OSError:
            Path(name).unlink()
            return
        _bound(place)
    except OSError:
        return


def _bound(place: Path) -> None:
    """Delete the files used longest ago, where there are too many bytes."""
    files = sorted(_files(place), reverse=True)
    total = 0
    for _, size, path in files:
        total += size
        if total > MOST_BYTES:
            path.unlink(missing_ok=True)


def _files(place: Path) -> Iterator[tuple[float, int, Path]]:
    """(time of use, bytes, path) of each; another process may delete them meanwhile."""
    for entry in os.scandir(place):
        try:
            state = entry.stat()
        except OSError:
            continue
        yield state.st_mtime, state.st_size, Path(entry.path)
