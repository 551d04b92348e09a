"""A folder of class folders as a data set."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from slipstream.errors import InvalidArgumentError, NotFoundError, message
from slipstream.oneshot.picture_set import PictureSet
from slipstream.oneshot.pictures import DEFAULT, EXTENSIONS, PictureOptions, read_picture, to_bytes

LAYOUT = "one folder a class, with pictures in it: FOLDER/CLASS/*.png"


def read_folder(folder: Path | str, options: PictureOptions = DEFAULT) -> PictureSet:
    """Pictures in `FOLDER/CLASS/`, or `FOLDER/GROUP/CLASS/` for classes in groups.

    Files that have no picture's extension are passed over. Raises `NotFoundError` when there is no
    such folder, `InvalidArgumentError` when it holds no class or only one, `DataLossError` naming
    the first picture that cannot be read.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise NotFoundError(message("read_folder", f"there is no folder {folder}", expected=LAYOUT))
    classes = find_classes(folder)
    require_classes(folder, classes)
    names = sorted(classes)
    images = [
        to_bytes(read_picture(path, options)) for name in names for path in sorted(classes[name])
    ]
    labels = np.repeat(np.arange(len(names)), [len(classes[name]) for name in names])
    return PictureSet(folder.name, np.stack(images), labels, tuple(names), find_groups(names))


def find_classes(folder: Path) -> dict[str, list[Path]]:
    """The pictures of every sub-folder that directly holds some, by its relative name."""
    classes: dict[str, list[Path]] = {}
    for path in folder.rglob("*"):
        relative = path.relative_to(folder)
        hidden = any(part.startswith(".") for part in relative.parts)
        if hidden or path.suffix.lower() not in EXTENSIONS or not path.is_file():
            continue
        classes.setdefault(relative.parent.as_posix(), []).append(path)
    return classes


def require_classes(folder: Path, classes: dict[str, list[Path]]) -> None:
    """Raises unless there are at least two class folders; drops pictures that lie outside any."""
    loose = classes.pop(".", [])
    if len(classes) >= 2:
        return
    if classes:
        happened = f"{folder} has only one class, {next(iter(classes))}; two are needed to compare"
    elif loose:
        happened = f"the {len(loose)} pictures of {folder} lie in no class folder"
    else:
        happened = f"{folder} holds no pictures"
    raise InvalidArgumentError(message("read_folder", happened, expected=LAYOUT))


def find_groups(names: list[str]) -> tuple[str, ...]:
    """The first folder of every class, when each lies in one."""
    if all(name.count("/") == 1 for name in names):
        return tuple(name.split("/", 1)[0] for name in names)
    return ()
