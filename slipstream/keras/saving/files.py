"""Files of models: `.keras` (a zip of configuration and weights) and `.weights.h5`.

Both have Keras 3's layout. A file is written aside and renamed, so that a full disk leaves the
earlier one.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from slipstream.files import write_aside
from slipstream.keras.registry import deserialize_keras_object, serialize_keras_object
from slipstream.keras.saving.weights import load_state, save_state

CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
KERAS_VERSION = "3.0.0"  # whose format is written


def save_model(model: Any, filepath: Any, overwrite: bool = True, **_: Any) -> None:
    """Write a model, with its weights, what it was compiled with and the optimizer's state."""
    path = Path(filepath)
    if path.suffix != ".keras":
        raise ValueError(
            "Invalid filepath extension for saving. Please add a `.keras` extension to the path "
            f"(Keras' native format). Received: filepath={filepath}."
        )
    if path.exists() and not overwrite:
        raise FileExistsError(f"{path} exists, and overwrite=False")
    metadata = {
        "keras_version": KERAS_VERSION,
        "date_saved": datetime.now(timezone.utc).strftime("%Y-%m-%d@%H:%M:%S"),
    }
    with write_aside(path, "save_model") as aside, zipfile.ZipFile(aside, "w") as archive:
        archive.writestr(METADATA, json.dumps(metadata))
        archive.writestr(CONFIG, json.dumps(serialize_keras_object(model)))
        archive.writestr(WEIGHTS, _weights_file(model))


def _weights_file(model: Any) -> bytes:
    import h5py

    held = io.BytesIO()
    with h5py.File(held, "w") as file:
        save_state(model, file)
    return held.getvalue()


def load_model(
    filepath: Any, custom_objects: Any = None, compile: bool = True, safe_mode: bool = True
) -> Any:
    """The model of a `.keras` file.

    ValueError for a file that is none, is truncated, or was not written by Keras; a class it names
    must be one of
    Keras', registered, or among `custom_objects`. Python functions in it (lambdas) need
    safe_mode=False.
    """
    path = Path(filepath)
    if not path.exists():
        raise ValueError(
            f"File not found: filepath={filepath}. Please ensure the file is an accessible "
            "`.keras` zip file."
        )
    with _opened(path) as archive:
        config = _json(archive, CONFIG, path)
        if not compile:
            config.pop("compile_config", None)
        model = deserialize_keras_object(config, custom_objects, safe_mode)
        with _h5(io.BytesIO(archive.read(WEIGHTS)), path) as file:
            load_state(model, file)
    return model


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(path) as archive:
            missing = [n for n in (CONFIG, WEIGHTS) if n not in archive.namelist()]
            if missing:
                raise ValueError(f"{path} is no Keras model: it holds no {missing[0]}")
            broken = archive.testzip()
            if broken is not None:
                raise ValueError(f"{path} is corrupt: {broken} in it does not match its checksum")
            yield archive
    except zipfile.BadZipFile as error:
        raise ValueError(f"{path} is no Keras model, or is truncated: {error}") from None


def _json(archive: zipfile.ZipFile, name: str, path: Path) -> Any:
    try:
        return json.loads(archive.read(name))
    except ValueError as error:
        raise ValueError(f"{path} is corrupt: {name} in it is no JSON: {error}") from None


@contextmanager
def _h5(source: Any, path: Path) -> Iterator[Any]:
    import h5py

    try:
        file = h5py.File(source, "r")
    except OSError as error:
        raise ValueError(f"{path} holds no readable weights: {error}") from None
    with file:
        yield file


def save_weights(model: Any, filepath: Any, overwrite: bool = True) -> None:
    """Write the weights to a `.weights.h5` file."""
    path = Path(filepath)
    if not path.name.endswith(".weights.h5"):
        raise ValueError(f"The filename must end in `.weights.h5`. Received: filepath={filepath}")
    if path.exists() and not overwrite:
        raise FileExistsError(f"{path} exists, and overwrite=False")
    content = _weights_file(model)
    with write_aside(path, "save_weights") as aside:
        aside.write_bytes(content)


def load_weights(model: Any, filepath: Any, skip_mismatch: bool = False) -> None:
    """Take the weights of a `.weights.h5` or `.keras` file. ValueError if they do not fit."""
    path = Path(filepath)
    if not path.exists():
        raise ValueError(f"File not found: {path}")
    if path.suffix == ".keras":
        with _opened(path) as archive, _h5(io.BytesIO(archive.read(WEIGHTS)), path) as file:
            load_state(model, file, skip_mismatch)
        return
    if not path.name.endswith(".weights.h5"):
        raise ValueError(
            f"File format not supported: filepath={filepath}. Weights are in `.weights.h5` or "
            "`.keras` files."
        )
    with _h5(path, path) as file:
        load_state(model, file, skip_mismatch)
