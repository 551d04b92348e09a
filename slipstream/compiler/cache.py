"""Compiled code kept between runs: object files named by the digest of what they are made from.

A file is its content's digest and the content, written aside and renamed, so any number of
processes share the folder. There is one for each kernel: equal ones of many programs are one file.
What is missing, broken or not permitted is as if it were not there.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

import llvmlite

from slipstream import settings

MOST_BYTES, MOST_FILES = 256 << 20, 10_000  # in the folder; what was used longest ago goes first
PARTS = 64  # a process looks at the folder again when it has added such a part of either
ADDED: dict[Path, tuple[int, int]] = {}  # files and bytes since this process looked at a folder
DIGEST = hashlib.sha256
SIZE = DIGEST().digest_size


def folder() -> Path:
    """Where compiled code is kept: `compiled` in `SLIPSTREAM_HOME`."""
    return settings.home() / "compiled"


@lru_cache(maxsize=1)
def _compiler() -> bytes:
    """The digest of the compiler itself: another one makes other code."""
    found = DIGEST(llvmlite.__version__.encode())
    for place, _, names in sorted(os.walk(Path(__file__).parent)):
        for name in sorted(names):
            if name.endswith(".py"):
                found.update(Path(place, name).read_bytes())
    return found.digest()


def key_of(text: str, target: object) -> str:
    """The name of the code that a text describes, on a target."""
    return DIGEST(_compiler() + repr(target).encode() + text.encode()).hexdigest()


def read(keys: Iterable[str]) -> dict[str, bytes]:
    """The code of those names that is there and whole."""
    place = folder()
    found = {key: _whole(place / key) for key in keys}
    return {key: content for key, content in found.items() if content is not None}


def _whole(path: Path) -> bytes | None:
    """What a file holds, if it is there and has its own digest; now it is used."""
    try:
        held = path.read_bytes()
    except OSError:
        return None
    with suppress(OSError):  # a folder that may only be read
        os.utime(path)
    content = held[SIZE:]
    return content if DIGEST(content).digest() == held[:SIZE] else None


def write(contents: Mapping[str, bytes]) -> None:
    """Keep code under names, if the folder lets us."""
    place = folder()
    with suppress(OSError):
        place.mkdir(parents=True, exist_ok=True)
        for key, content in contents.items():
            _put(place, key, content)
        if _is_due(place, len(contents), sum(map(len, contents.values()))):
            _bound(place)


def _is_due(place: Path, files: int, size: int) -> bool:
    """Whether to look at the folder: at first, and then when this process has added much."""
    known = ADDED.get(place, (MOST_FILES, MOST_BYTES))
    files, size = files + known[0], size + known[1]
    is_due = files * PARTS >= MOST_FILES or size * PARTS >= MOST_BYTES
    ADDED[place] = (0, 0) if is_due else (files, size)
    return is_due


def _put(place: Path, key: str, content: bytes) -> None:
    """Write a file aside, and rename it; if that fails, leave nothing behind."""
    handle, name = tempfile.mkstemp(dir=place, prefix=".")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(DIGEST(content).digest() + content)
        Path(name).replace(place / key)
    except OSError:
        Path(name).unlink()
        raise


def usage() -> tuple[int, int]:
    """How many files there are, and how many bytes."""
    try:
        sizes = [size for _, size, _ in _files(folder())]
    except OSError:  # nothing has been kept yet
        sizes = []
    return len(sizes), sum(sizes)


def _bound(place: Path) -> None:
    """Delete the files used longest ago, where there are too many, or too many bytes."""
    files = list(_files(place))
    total = sum(size for _, size, _ in files)
    if total <= MOST_BYTES and len(files) <= MOST_FILES:
        return
    total = 0
    for count, (_, size, path) in enumerate(sorted(files, reverse=True), start=1):
        total += size
        if total > MOST_BYTES or count > MOST_FILES:
            Path(path).unlink(missing_ok=True)


def _files(place: Path) -> Iterator[tuple[float, int, str]]:
    """(time of use, bytes, path) of each; another process may delete them meanwhile."""
    for entry in os.scandir(place):
        with suppress(OSError):
            state = entry.stat()
            yield state.st_mtime, state.st_size, entry.path
