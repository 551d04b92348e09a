"""Omniglot, read from its zip files: handwritten characters of many alphabets.

Lake, Salakhutdinov and Tenenbaum, "Human-level concept learning through probabilistic program
induction", Science 350, 2015. A zip holds `NAME/ALPHABET/characterNN/NNNN_NN.png`, black on white.
"""

from __future__ import annotations

import contextlib
import zipfile
import zlib
from pathlib import Path, PurePosixPath

import numpy as np

from slipstream import settings
from slipstream.errors import DataLossError, OpError, message
from slipstream.files import checksum, write_aside
from slipstream.oneshot.picture_set import PictureSet
from slipstream.oneshot.pictures import PictureOptions, read_picture, to_bytes

FORM = 1  # raised when the preparation below changes, so that old caches are left alone
INK_ON_PAPER = PictureOptions(invert="yes")


def read_omniglot(path: Path, name: str) -> PictureSet:
    """The drawings of one zip file at 28x28, light on dark; classes are `ALPHABET/characterNN`.

    The prepared pictures are cached under the home folder by the content of the zip. Raises
    `DataLossError` when the zip or a drawing in it is damaged, or it holds no drawings.
    """
    cache = settings.home() / "datasets" / "prepared" / f"omniglot-{FORM}-{checksum(path)[:24]}.npz"
    found = load_cache(cache)
    images, classes = found if found is not None else read_zip(path)
    if found is None:
        save_cache(cache, images, classes)
    names, labels = np.unique(classes, return_inverse=True)
    groups = tuple(str(one).split("/", 1)[0] for one in names)
    return PictureSet(name, images, labels.astype(np.int64), tuple(map(str, names)), groups)


def read_zip(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Pictures uint8 `[n, 28, 28]` and the class name of each, in the order of their names."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = sorted(filter(is_drawing, archive.namelist()))
            pictures = [read_drawing(archive, member) for member in members]
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError) as problem:
        raise damaged(path, str(problem)) from problem
    if not members:
        raise damaged(path, "it holds no drawings ALPHABET/CHARACTER/*.png")
    return np.stack(pictures), np.array(["/".join(m.split("/")[-3:-1]) for m in members])


def is_drawing(member: str) -> bool:
    """Whether a zip member is a picture in a folder in a folder, and not a system's leftover."""
    path = PurePosixPath(member)
    hidden = any(part.startswith((".", "__")) for part in path.parts)
    return path.suffix == ".png" and len(path.parts) >= 3 and not hidden


def read_drawing(archive: zipfile.ZipFile, member: str) -> np.ndarray:
    """One drawing as uint8 `[28, 28]`."""
    try:
        return to_bytes(read_picture(archive.read(member), INK_ON_PAPER))
    except DataLossError as problem:
        raise damaged(Path(str(archive.filename)), f"{member} is no readable picture") from problem


def load_cache(path: Path) -> tuple[np.ndarray, np.ndarray] | None:
    """What an earlier run prepared; None when there is none or it is damaged."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            return archive["images"], archive["classes"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
        return None


def save_cache(path: Path, images: np.ndarray, classes: np.ndarray) -> None:
    """Keeps the prepared pictures; a disk that is full or closed only costs time later."""
    with contextlib.suppress(OpError), write_aside(path) as aside, aside.open("wb") as stream:
        np.savez_compressed(stream, images=images, classes=classes)


def damaged(path: Path, wrong: str) -> DataLossError:
    """The error of a zip file that cannot be used."""
    hint = "removing it: a file in the cache is then downloaded again"
    return DataLossError(message("omniglot", f"{path} is not usable: {wrong}", hint=hint))
