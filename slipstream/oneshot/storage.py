"""A trained network as a folder: `model.json`, and one array file named by its content.

As with the gallery, the arrays are written first and the text that names them last, by a rename:
whoever reads finds the old model whole or the new one. Nothing in the folder is ever executed.
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
from slipstream.oneshot.models import Embedder, Siamese, build
from slipstream.oneshot.recipe import Recipe
from slipstream.oneshot.training import History

FORMAT, VERSION = "slipstream-oneshot", 1
FILENAME = "model.json"
BAD_ARRAYS = (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile, zlib.error)


@dataclass(frozen=True)
class Origin:
    """What a network was trained on: the data by name or folder, and the classes and groups."""

    data: str
    classes: tuple[str, ...]
    groups: tuple[str, ...] = ()


@dataclass
class Model:
    """A trained siamese network with all that is needed to use it and to tell how it came about.

    `threshold` is the distance within which two pictures are taken for one class, and
    `unknown_beyond` that from the nearest example beyond which a picture is of no enrolled class;
    `seconds` the time of training; `identity` tells this network's weights from any other's.
    """

    network: Siamese
    recipe: Recipe
    origin: Origin
    threshold: float
    unknown_beyond: float
    history: History = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def identity(self) -> str:
        return digest(pack(self.network.get_weights()))

    def embedder(self) -> Embedder:
        """What embeds pictures with this network, in the recipe's number of views."""
        return Embedder(self.network.tower, self.recipe.views)

    def save(self, folder: Path | str) -> Path:
        """Writes the folder, whole or not at all; returns the path of `model.json`.

        Raises `ResourceExhaustedError` on a full disk; what was saved before is then intact.
        """
        folder = Path(folder)
        content = pack(self.network.get_weights())
        arrays = f"weights-{digest(content)}.npz"
        header = {
            "format": FORMAT,
            "version": VERSION,
            "recipe": self.recipe.to_json(),
            "data": self.origin.data,
            "classes": list(self.origin.classes),
            "groups": list(self.origin.groups),
            "threshold": float(self.threshold),
            "unknown_beyond": float(self.unknown_beyond),
            "history": self.history,
            "seconds": self.seconds,
            "weights": arrays,
        }
        try:
            if not (folder / arrays).is_file():
                write_bytes(folder / arrays, content, "save model")
            text = json.dumps(header, ensure_ascii=False, indent=1)
            write_text(folder / FILENAME, text + "\n", "save model")
        finally:
            remove_unused(folder)
        return folder / FILENAME

    @staticmethod
    def load(folder: Path | str) -> Model:
        """Reads a folder.

        Raises `NotFoundError` when there is no model, `DataLossError` when it is damaged or no
        model of ours, `FailedPreconditionError` when it is of a version this program cannot read.
        """
        path = Path(folder) / FILENAME
        header = read_header(path)
        try:
            recipe = Recipe.from_json(header["recipe"])
        except (InvalidArgumentError, TypeError) as problem:
            raise damaged(path, f"its recipe is not usable ({problem})") from problem
        network = build(Siamese(recipe))
        set_weights(network, read_arrays(path.parent / header["weights"]), path)
        origin = Origin(header["data"], tuple(header["classes"]), tuple(header["groups"]))
        threshold = header["threshold"]
        # A folder from before there was a distance of its own for identifying has the one only.
        distances = (threshold, header.get("unknown_beyond", threshold))
        return Model(network, recipe, origin, *distances, header["history"], header["seconds"])


def pack(weights: list[np.ndarray]) -> bytes:
    """The bytes of the array file; equal weights give equal bytes."""
    stream = io.BytesIO()
    arrays: dict[str, Any] = {f"{place:03d}": array for place, array in enumerate(weights)}
    np.savez(stream, **arrays)
    return stream.getvalue()


def digest(content: bytes) -> str:
    """A name for some content."""
    return hashlib.sha256(content).hexdigest()[:32]


def set_weights(network: Any, arrays: list[np.ndarray], path: Path) -> None:
    """Puts saved arrays into a network; raises when they are not of its shapes."""
    wanted = [tuple(one.shape) for one in network.get_weights()]
    found = [array.shape for array in arrays]
    if wanted != found:
        raise damaged(path, f"its weights of shapes {found} do not fit its recipe's {wanted}")
    network.set_weights(arrays)


def read_header(path: Path) -> dict[str, Any]:
    """The checked content of `model.json`."""
    if not path.is_file():
        hint = f"slipstream oneshot train --out {path.parent}"
        raise NotFoundError(message("load model", f"there is no model {path}", hint=hint))
    try:
        header = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as problem:
        raise damaged(path, f"it is no JSON text ({problem})") from problem
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise damaged(path, f"it is not a {FORMAT} file")
    if header.get("version") != VERSION:
        received = {"version": header.get("version")}
        happened = f"{path} has a version this program cannot read"
        text = message("load model", happened, expected=str(VERSION), received=received)
        raise FailedPreconditionError(text)
    if wrong := faults(header):
        raise damaged(path, f"it has no usable {', '.join(wrong)}")
    return header


def faults(header: Mapping[str, Any]) -> list[str]:
    """Which entries are missing or of the wrong kind."""
    weights, threshold = header.get("weights"), header.get("threshold")
    beyond = header.get("unknown_beyond", threshold)
    sound = {
        "recipe": isinstance(header.get("recipe"), dict),
        "data": isinstance(header.get("data"), str),
        "classes": texts(header.get("classes")),
        "groups": texts(header.get("groups")),
        "threshold": isinstance(threshold, float) and bool(np.isfinite(threshold)),
        "unknown_beyond": isinstance(beyond, float) and bool(np.isfinite(beyond)),
        "history": isinstance(header.get("history"), dict),
        "seconds": isinstance(header.get("seconds"), (int, float)),
        # A plain name: a model from elsewhere must not make us read outside its folder.
        "weights": isinstance(weights, str) and Path(weights).name == weights,
    }
    return [entry for entry, good in sound.items() if not good]


def texts(value: object) -> bool:
    """Whether it is a list of texts."""
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def read_arrays(path: Path) -> list[np.ndarray]:
    """The saved weights, with the content checked against the file's name."""
    if not path.is_file():
        raise damaged(path, "it is not there")
    content = path.read_bytes()
    if digest(content) != path.stem.removeprefix("weights-"):
        raise damaged(path, "its content is not what was saved")
    return unpack(content, path)


def unpack(content: bytes, path: Path) -> list[np.ndarray]:
    """The arrays of `pack`; `path` is named in the error."""
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            return [arrays[name] for name in sorted(arrays.files)]
    except BAD_ARRAYS as problem:
        raise damaged(path, f"its arrays cannot be read ({problem})") from problem


def remove_unused(folder: Path) -> None:
    """Removes weights that the saved model does not name."""
    with contextlib.suppress(OpError, OSError):
        used = read_header(folder / FILENAME)["weights"]
        for path in folder.glob("weights-*.npz"):
            if path.name != used:
                path.unlink()


def damaged(path: Path, wrong: str) -> DataLossError:
    """The error of a model that cannot be used."""
    hint = "training it again, or a folder made by slipstream oneshot train"
    return DataLossError(message("load model", f"{path} is not usable: {wrong}", hint=hint))
