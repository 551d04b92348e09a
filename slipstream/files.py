"""Files written whole or not at all, and files fetched from the network with their checksum."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import http.client
import os
import secrets
import sys
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from slipstream.errors import (
    DataLossError,
    OpError,
    PermissionDeniedError,
    ResourceExhaustedError,
    UnavailableError,
    UnknownError,
    message,
)

BLOCK = 1 << 20
TIMEOUT_SECONDS = 30.0
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}

Progress = Callable[[int, int], None]  # bytes so far, bytes in all (0 when unknown)


class Unanswered(Exception):
    """An address did not give the file."""


def checksum(path: Path | str, algorithm: str = "sha256") -> str:
    """The hexadecimal digest of a file's content, by any algorithm of `hashlib`."""
    digest = hashlib.new(algorithm)
    with Path(path).open("rb") as stream:
        for block in iter(lambda: stream.read(BLOCK), b""):
            digest.update(block)
    return digest.hexdigest()


class write_aside:
    """Gives a path beside `path` to write to; it takes `path`'s place when the block ends well.

    Whatever happens inside, `path` holds either its old content or the new, whole; the file aside
    is removed. A full disk raises `ResourceExhaustedError`, a forbidden place
    `PermissionDeniedError`, both naming the file.
    """

    def __init__(self, path: Path | str, operation: str = "save") -> None:
        self.path, self.operation = Path(path), operation
        unique = f"{os.getpid()}.{secrets.token_hex(4)}"
        self.aside = self.path.with_name(f".{self.path.name}.{unique}.aside")

    def __enter__(self) -> Path:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as problem:
            raise disk_error(problem, self.path, self.operation) from problem
        return self.aside

    def __exit__(self, kind: object, problem: BaseException | None, trace: object) -> None:
        try:
            if isinstance(problem, OSError):
                raise problem
            if problem is None:
                flush_to_disk(self.aside)
                self.aside.replace(self.path)
        except OSError as met:
            raise disk_error(met, self.path, self.operation) from met
        finally:
            with contextlib.suppress(OSError):
                self.aside.unlink(missing_ok=True)


def flush_to_disk(path: Path) -> None:
    """Waits until the file's bytes are stored, so that the rename cannot overtake them."""
    with path.open("rb+") as stream:
        os.fsync(stream.fileno())


def disk_error(problem: OSError, path: Path, operation: str) -> OpError:
    """The typed error of an `OSError` met while `operation` wrote `path`."""
    kind: type[OpError] = UnknownError
    hint = ""
    if problem.errno in FULL:
        kind, hint = ResourceExhaustedError, "freeing space; what was there before is unchanged"
    elif problem.errno in FORBIDDEN:
        kind, hint = PermissionDeniedError, "a folder you may write to"
    happened = f"could not write {path}: {problem.strerror or problem}"
    return kind(message(operation, happened, hint=hint))


def write_text(path: Path | str, text: str, operation: str = "save") -> None:
    """Writes UTF-8 text whole or not at all."""
    with write_aside(path, operation) as aside:
        aside.write_text(text, encoding="utf-8", newline="\n")


def write_bytes(path: Path | str, content: bytes, operation: str = "save") -> None:
    """Writes bytes whole or not at all."""
    with write_aside(path, operation) as aside:
        aside.write_bytes(content)


def download(
    urls: Sequence[str],
    target: Path | str,
    *,
    digest: str | None = None,
    algorithm: str = "sha256",
    progress: Progress | None = None,
    hint: str = "",
) -> Path:
    """Fetches `target` from the first of `urls` that answers with the right content.

    The file is written aside and renamed only once its `digest` is right. Raises `DataLossError`
    when every answer had other content, `UnavailableError` when no address answered; both list
    every address with what went wrong there, and the folder the file was meant for.
    """
    target = Path(target)
    failures: list[str] = []
    corrupt = False
    for url in urls:
        try:
            with write_aside(target, "download") as aside:
                fetch(url, aside, progress or announce(url))
                require_digest(aside, url, digest, algorithm)
            return target
        except Unanswered as problem:
            failures.append(f"{url}: {problem}")
        except DataLossError as problem:
            corrupt = True
            failures.append(f"{url}: {problem}")
    kind = DataLossError if corrupt else UnavailableError
    happened = f"could not download {target.name} into {target.parent}"
    raise kind(message("download", happened, received={"answers": failures}, hint=hint))


def fetch(url: str, path: Path, progress: Progress) -> None:
    """Copies what `url` answers into `path`; raises `Unanswered` when the network fails."""
    with ask(url) as answer, path.open("wb") as out:
        total = int(answer.headers.get("Content-Length") or 0)
        received = 0
        while block := read_block(answer):
            out.write(block)
            received += len(block)
            progress(received, total)
    if total and received != total:
        raise Unanswered(f"the answer ended after {received} of {total} bytes")


def ask(url: str) -> Any:
    """The open answer of an address."""
    try:
        request = urllib.request.Request(url, headers={"User-Agent": "slipstream"})
        return urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS)
    except (OSError, http.client.HTTPException, ValueError) as problem:
        raise Unanswered(str(getattr(problem, "reason", None) or problem)) from problem


def read_block(answer: Any) -> bytes:
    """The next bytes of an answer, with network errors told apart from those of the disk."""
    try:
        return bytes(answer.read(BLOCK))
    except (OSError, http.client.HTTPException) as problem:
        raise Unanswered(str(problem) or type(problem).__name__) from problem


def require_digest(path: Path, url: str, digest: str | None, algorithm: str) -> None:
    """Raises `DataLossError` when the file's content is not the one whose digest is known."""
    if digest is None:
        return
    found = checksum(path, algorithm)
    if found != digest.lower():
        raise DataLossError(f"{algorithm} of the content is {found}, published is {digest}")


def announce(url: str) -> Progress:
    """Reports a download on the error stream: a line that counts on a terminal, else one line."""
    live = sys.stderr.isatty()
    sys.stderr.write(f"Downloading {url}\n")

    def report(done: int, total: int) -> None:
        if not live:
            return
        share = f" of {total / 1e6:.1f}" if total else ""
        end = "\n" if done == total else ""
        sys.stderr.write(f"\r  {done / 1e6:.1f}{share} MB{end}")
        sys.stderr.flush()

    return report
