"""`keras.utils.get_file`: a file from the network, once."""

from __future__ import annotations

import shutil
import tarfile
import urllib.parse
import warnings
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

from slipstream import settings
from slipstream.errors import DataLossError, message
from slipstream.files import checksum, download

ALGORITHMS = {32: "md5", 64: "sha256"}
BROKEN_ARCHIVE = (OSError, EOFError, tarfile.TarError, zipfile.BadZipFile, zlib.error)


def get_file(
    fname: str | None = None,
    origin: str | None = None,
    untar: bool = False,
    md5_hash: str | None = None,
    file_hash: str | None = None,
    cache_subdir: str = "datasets",
    hash_algorithm: str = "auto",
    extract: bool = False,
    archive_format: str | Sequence[str] | None = "auto",
    cache_dir: str | None = None,
    force_download: bool = False,
) -> str:
    """Downloads a file unless it is cached; returns its path, or its folder when extracted.

    The file lands in `cache_dir/cache_subdir` (`cache_dir` defaults to Slipstream's home folder)
    as `fname`, by default the last part of `origin`. `file_hash` is its md5 or sha256; a cached
    file with another hash is downloaded again. With `extract` (or `untar`), a tar or zip archive
    is unpacked into `<fname up to its first dot>_extracted`, or into `fname` when that has no dot.

    Raises `ValueError` for unusable arguments or a wrong hash, `UnavailableError` when the address
    does not answer, `DataLossError` for a broken archive; nothing half-written stays.

    Source: https://keras.io/api/utils/python_utils/#get_file-function
    """
    address = require_origin(origin)
    folder = Path(cache_dir or settings.home()).expanduser() / cache_subdir
    target, unpacked = places(folder, fname, address, bool(extract or untar))
    digest, algorithm = (md5_hash, "md5") if md5_hash and not file_hash else (file_hash, "auto")
    if algorithm == "auto":
        algorithm = choose_algorithm(digest, hash_algorithm)
    fetched = force_download or not is_cached(target, digest, algorithm)
    if fetched:
        fetch(address, target, digest, algorithm)
    if unpacked is None:
        return str(target)
    if fetched or not unpacked.exists():
        unpack(target, unpacked, "tar" if untar else archive_format)
    return str(unpacked)


def require_origin(origin: str | None) -> str:
    """The address to fetch from."""
    if not origin:
        expected = "the address of the file, as in origin='https://...'"
        received = {"origin": origin}
        raise ValueError(message("get_file", "no origin", expected=expected, received=received))
    return origin


def places(folder: Path, fname: str | None, origin: str, extract: bool) -> tuple[Path, Path | None]:
    """Where the file goes, and where its contents go when it is unpacked."""
    name = fname or Path(urllib.parse.urlsplit(origin).path).name
    if not name or Path(name).name != name:
        expected = "a plain file name; its folder goes into cache_dir"
        received = {"fname": repr(fname), "origin": repr(origin)}
        raise ValueError(message("get_file", "no file name", expected=expected, received=received))
    if not extract:
        return folder / name, None
    if fname and "." in fname:
        return folder / name, folder / (name.split(".", 1)[0] + "_extracted")
    return folder / f"{name}_archive", folder / name


def choose_algorithm(digest: str | None, algorithm: str) -> str:
    """The hash algorithm: as named, or by the length of the digest."""
    if algorithm != "auto" or digest is None:
        return "sha256" if algorithm == "auto" else algorithm
    if len(digest) not in ALGORITHMS:
        expected = "32 hexadecimal digits of md5 or 64 of sha256"
        text = message("get_file", "unknown hash", expected=expected, received={"hash": digest})
        raise ValueError(text)
    return ALGORITHMS[len(digest)]


def is_cached(target: Path, digest: str | None, algorithm: str) -> bool:
    """Whether the file is there with the right content; warns when the content is another."""
    if not target.is_file():
        return False
    if digest is None or checksum(target, algorithm) == digest.lower():
        return True
    warnings.warn(
        f"{target} does not have the {algorithm} hash {digest}; downloading it again", stacklevel=3
    )
    return False


def fetch(origin: str, target: Path, digest: str | None, algorithm: str) -> None:
    """Downloads, with a wrong hash as the ValueError that Keras raises."""
    try:
        download([origin], target, digest=digest, algorithm=algorithm)
    except DataLossError as problem:
        raise ValueError(str(problem)) from problem


def unpack(archive: Path, folder: Path, formats: str | Sequence[str] | None) -> None:
    """Unpacks into a folder aside, which then takes the place of `folder`."""
    wanted = {"auto": ("tar", "zip"), None: ()}.get(formats, formats)  # type: ignore[arg-type]
    wanted = (wanted,) if isinstance(wanted, str) else tuple(wanted or ())
    is_tar = "tar" in wanted and tarfile.is_tarfile(archive)
    if not is_tar and not ("zip" in wanted and zipfile.is_zipfile(archive)):
        warnings.warn(f"{archive} is no archive of the formats {wanted}", stacklevel=3)
        return
    aside = folder.with_name(f".{folder.name}.aside")
    try:
        shutil.rmtree(aside, ignore_errors=True)
        extract_all(archive, aside, is_tar)
        shutil.rmtree(folder, ignore_errors=True)
        aside.rename(folder)
    except BROKEN_ARCHIVE as problem:
        raise DataLossError(message("get_file", f"cannot unpack {archive}: {problem}")) from problem
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def extract_all(archive: Path, folder: Path, is_tar: bool) -> None:
    """Extracts every member; tar members may neither leave the folder nor be devices."""
    if not is_tar:
        with zipfile.ZipFile(archive) as zipped:
            zipped.extractall(folder)
        return
    with tarfile.open(archive) as tape:
        if hasattr(tarfile, "data_filter"):
            tape.extractall(folder, filter="data")
        else:  # early patch releases of Python 3.10 and 3.11
            tape.extractall(folder, [member for member in tape if is_harmless(member, folder)])


def is_harmless(member: tarfile.TarInfo, folder: Path) -> bool:
    """Whether a member is a plain file or folder that stays inside."""
    inside = (folder / member.name).resolve().is_relative_to(folder.resolve())
    return inside and (member.isfile() or member.isdir())
