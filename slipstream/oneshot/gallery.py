"""The gallery: classes shown once, recognised from then on.

On disk a gallery is `gallery.json`, a short text that names everything, and one array file whose
name carries the digest of its content. The arrays are written first and the text last, by a
rename: whoever reads finds either the old gallery whole or the new one, whatever happens between.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from slipstream.errors import (
    DataLossError,
    FailedPreconditionError,
    InvalidArgumentError,
    NotFoundError,
    OpError,
    message,
)
from slipstream.files import write_bytes, write_text
from slipstream.oneshot.distances import METRICS, all_distances, prepare
from slipstream.oneshot.pictures import SIDE, to_bytes

FORMAT, VERSION = "slipstream-gallery", 1
FILENAME = "gallery.json"
UNKNOWN = "unknown"


@dataclass(frozen=True)
class Answer:
    """What a picture is taken for.

    `name` is the nearest class, or `unknown` when even that lies beyond the threshold; `nearest`
    lists classes with their distances, nearest first.
    """

    name: str
    distance: float
    nearest: tuple[tuple[str, float], ...]

    @property
    def known(self) -> bool:
        return self.name != UNKNOWN


@dataclass
class Gallery:
    """Examples with their names and embeddings, and the threshold beyond which all is unknown.

    `embeddings` is float32 `[examples, size]`, `pictures` uint8 `[examples, 28, 28]`; `model` tells
    which network made the embeddings, so that a gallery is not used with another.

    >>> gallery = Gallery(threshold=1.0)
    >>> gallery.add("hat", np.array([0.0, 0.0]), np.zeros((28, 28)))
    >>> gallery.add("boot", np.array([5.0, 0.0]), np.zeros((28, 28)))
    >>> [answer.name for answer in gallery.identify(np.array([[4.5, 0.1], [2.5, 9.0]]))]
    ['boot', 'unknown']
    """

    threshold: float
    model: str = ""
    metric: str = "euclidean"
    names: list[str] = field(default_factory=list)
    embeddings: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    pictures: np.ndarray = field(default_factory=lambda: np.zeros((0, SIDE, SIDE), np.uint8))

    def __post_init__(self) -> None:
        if not np.isfinite(self.threshold):
            refuse("an unusable threshold", "a finite distance", {"threshold": self.threshold})

    def __len__(self) -> int:
        return len(self.names)

    @property
    def classes(self) -> list[str]:
        """The names, each once, in the order they first came."""
        return list(dict.fromkeys(self.names))

    def add(self, name: str, embedding: np.ndarray, picture: np.ndarray) -> None:
        """Enrolls one example; a name that is there already gets one example more.

        `embedding` is `[size]`, `picture` `[28, 28]` in 0 to 1 or uint8. Raises
        `InvalidArgumentError` for an unusable name, size or value; the gallery is then unchanged.
        """
        require_name(name)
        vector = prepare(np.asarray(embedding)[None])
        if len(self) and vector.shape[1] != self.embeddings.shape[1]:
            received = {"size": vector.shape[1]}
            expected = f"embeddings of size {self.embeddings.shape[1]}"
            refuse("an embedding of another size", expected, received)
        if picture.shape != (SIDE, SIDE):
            refuse("a picture of another size", "28x28", {"shape": picture.shape})
        self.embeddings = np.concatenate([self.embeddings, vector]) if len(self) else vector
        self.pictures = np.concatenate([self.pictures, to_bytes(picture)[None]])
        self.names = [*self.names, name]

    def remove(self, name: str) -> int:
        """Forgets a class; returns how many examples it had. Raises `NotFoundError`."""
        keep = [index for index, one in enumerate(self.names) if one != name]
        removed = len(self) - len(keep)
        if not removed:
            expected = f"one of {self.classes}"
            text = message("gallery", f"no class {name!r} is enrolled", expected=expected)
            raise NotFoundError(text)
        self.names = [self.names[index] for index in keep]
        self.embeddings, self.pictures = self.embeddings[keep], self.pictures[keep]
        return removed

    def identify(self, embeddings: np.ndarray, count: int = 3) -> list[Answer]:
        """For each embedding, `[n, size]`, the `count` nearest classes, or unknown.

        A class is as far as its nearest example. Raises `FailedPreconditionError` when the gallery
        is empty.
        """
        if not len(self):
            hint = "enrolling a class first"
            raise FailedPreconditionError(message("identify", "the gallery is empty", hint=hint))
        distances = all_distances(embeddings, self.embeddings, self.metric)
        owner = np.array([self.classes.index(name) for name in self.names])
        by_class = np.full((len(distances), len(self.classes)), np.inf, np.float32)
        for example, place in enumerate(owner):
            np.minimum(by_class[:, place], distances[:, example], out=by_class[:, place])
        return [self.answer(row, count) for row in by_class]

    def answer(self, distances: np.ndarray, count: int) -> Answer:
        """The answer for one picture, from its distance to every class."""
        order = np.argsort(distances, kind="stable")
        names = self.classes
        nearest = tuple((names[index], float(distances[index])) for index in order[:count])
        name, distance = names[order[0]], float(distances[order[0]])
        return Answer(name if distance <= self.threshold else UNKNOWN, distance, nearest)

    def save(self, folder: Path | str) -> None:
        """Writes the gallery into a folder, whole or not at all.

        Raises `ResourceExhaustedError` on a full disk, `PermissionDeniedError` in a closed folder;
        what was saved before is then intact.
        """
        folder = Path(folder)
        content = pack(self.embeddings, self.pictures)
        arrays = f"gallery-{hashlib.sha256(content).hexdigest()[:32]}.npz"
        header = {
            "format": FORMAT,
            "version": VERSION,
            "model": self.model,
            "metric": self.metric,
            "threshold": float(self.threshold),
            "arrays": arrays,
            "names": self.names,
        }
        if not (folder / arrays).is_file():
            write_bytes(folder / arrays, content, "save gallery")
        text = json.dumps(header, ensure_ascii=False, indent=1, allow_nan=False)
        try:
            write_text(folder / FILENAME, text + "\n", "save gallery")
        except OpError:
            remove_unused(folder)
            raise
        remove_unused(folder)

    @staticmethod
    def load(folder: Path | str, model: str | None = None) -> Gallery:
        """Reads a gallery.

        Raises `NotFoundError` when there is none, `DataLossError` when it is damaged,
        `FailedPreconditionError` when it is of a newer version, or of another `model` than given.
        """
        path = Path(folder) / FILENAME
        header = read_header(path)
        if model is not None and header["model"] != model:
            received = {"gallery": header["model"], "model": model}
            hint = "enrolling the pictures again with this model"
            happened = f"{path} was made with another model"
            text = message("load gallery", happened, received=received, hint=hint)
            raise FailedPreconditionError(text)
        embeddings, pictures = read_arrays(path.parent / header["arrays"])
        if not len(header["names"]) == len(embeddings) == len(pictures):
            raise damaged(path, "its names and arrays do not belong together")
        return Gallery(
            header["threshold"],
            header["model"],
            header["metric"],
            header["names"],
            embeddings,
            pictures,
        )


def pack(embeddings: np.ndarray, pictures: np.ndarray) -> bytes:
    """The bytes of the array file."""
    stream = io.BytesIO()
    np.savez_compressed(stream, embeddings=embeddings, pictures=pictures)
    return stream.getvalue()


def read_header(path: Path) -> dict[str, Any]:
    """The checked content of `gallery.json`."""
    if not path.is_file():
        hint = "slipstream oneshot enroll, to make one"
        raise NotFoundError(message("load gallery", f"there is no gallery {path}", hint=hint))
    try:
        header = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as problem:
        raise damaged(path, f"it is no JSON text ({problem})") from problem
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise damaged(path, f"it is not a {FORMAT} file")
    if header.get("version") != VERSION:
        received = {"version": header.get("version")}
        happened = f"{path} has a version this program cannot read"
        hint = "the newest slipstream"
        text = message(
            "load gallery", happened, expected=str(VERSION), received=received, hint=hint
        )
        raise FailedPreconditionError(text)
    wrong = faults(header)
    if wrong:
        raise damaged(path, f"it has no usable {', '.join(wrong)}")
    return header


def faults(header: Mapping[str, Any]) -> list[str]:
    """Which entries are missing or of the wrong kind."""
    names, arrays = header.get("names"), header.get("arrays")
    threshold = header.get("threshold")
    sound = {
        "names": isinstance(names, list) and all(isinstance(name, str) for name in names),
        # A plain name: a gallery from elsewhere must not make us read outside its folder.
        "arrays": isinstance(arrays, str) and Path(arrays).name == arrays,
        "threshold": isinstance(threshold, float) and bool(np.isfinite(threshold)),
        "model": isinstance(header.get("model"), str),
        "metric": header.get("metric") in METRICS,
    }
    return [entry for entry, good in sound.items() if not good]


def read_arrays(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings and pictures, with the content checked against the file's name."""
    if not path.is_file():
        raise damaged(path, "it is not there")
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest()[:32] != path.stem.removeprefix("gallery-"):
        raise damaged(path, "its content is not what was saved")
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            embeddings, pictures = arrays["embeddings"], arrays["pictures"]
    except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile, zlib.error) as problem:
        raise damaged(path, f"its arrays cannot be read ({problem})") from problem
    if embeddings.ndim != 2 or pictures.shape[1:] != (SIDE, SIDE) or pictures.dtype != np.uint8:
        raise damaged(path, f"shapes {embeddings.shape} and {pictures.shape} are no gallery's")
    return prepare(embeddings), pictures


def remove_unused(folder: Path) -> None:
    """Removes array files that the saved gallery does not name."""
    with contextlib.suppress(OpError, OSError):
        used = read_header(folder / FILENAME)["arrays"]
        for path in folder.glob("gallery-*.npz"):
            if path.name != used:
                path.unlink()


def require_name(name: str) -> None:
    """Raises unless the name is a printable text that does not mean 'unknown'."""
    if not name.strip() or not name.isprintable() or name == UNKNOWN:
        expected = f"a printable name other than {UNKNOWN!r}"
        refuse("an unusable name", expected, {"name": repr(name)})


def refuse(happened: str, expected: str, received: Mapping[str, object]) -> None:
    """Raises the error of an example that cannot be enrolled."""
    raise InvalidArgumentError(message("enroll", happened, expected=expected, received=received))


def damaged(path: Path, wrong: str) -> DataLossError:
    """The error of a gallery file that cannot be used."""
    hint = "enrolling the pictures again into a new folder"
    return DataLossError(message("load gallery", f"{path} is not usable: {wrong}", hint=hint))
