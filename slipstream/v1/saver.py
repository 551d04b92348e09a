"""`tf.train.Saver`: the contents of a session's variables, kept in files.

A checkpoint is one file, `PATH-STEP.npz`, of arrays by the variables' names; `checkpoint` beside it
lists those kept.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from slipstream.errors import DataLossError, InvalidArgumentError, NotFoundError
from slipstream.files import write_aside
from slipstream.v1.graph import GraphKeys, get_default_graph
from slipstream.v1.session import Session

STATE = "checkpoint"


class Saver:
    """Saves and restores variables: all of the graph, a list, or a mapping of names to variables.

    `max_to_keep` newest checkpoints are kept; 0 or None keeps all.
    """

    def __init__(self, var_list: Any = None, max_to_keep: int | None = 5, **_options: Any) -> None:
        if var_list is None:
            var_list = get_default_graph().get_collection(GraphKeys.GLOBAL_VARIABLES)
        if not var_list:
            raise ValueError("No variables to save")
        self._variables = _by_name(var_list)
        self._max_to_keep = max_to_keep
        self.last_checkpoints: list[str] = []

    def save(
        self, sess: Session, save_path: str, global_step: Any = None, latest_filename: str = STATE,
        **_options: Any,
    ) -> str:  # fmt: skip
        """Write a checkpoint and return its path, which `restore` takes.

        A write that fails leaves earlier checkpoints as they were. InvalidArgumentError for a
        variable without a
        content.
        """
        step = "" if global_step is None else f"-{_step_number(sess, global_step)}"
        path = f"{save_path}{step}"
        contents = {name: sess.content(v) for name, v in self._variables.items()}
        for name, content in contents.items():
            if content is None:
                raise InvalidArgumentError(f"{name} has no content to save; run its initializer")
        folder = Path(path).parent
        folder.mkdir(parents=True, exist_ok=True)
        with write_aside(Path(path + ".npz")) as aside, aside.open("wb") as file:
            np.savez(file, **{name.replace("/", "|"): c for name, c in contents.items()})
        self._remember(path, folder / latest_filename)
        return path

    def _remember(self, path: str, state: Path) -> None:
        kept = [p for p in self.last_checkpoints if p != path] + [path]
        if self._max_to_keep:
            for old in kept[: -self._max_to_keep]:
                Path(old + ".npz").unlink(missing_ok=True)
            kept = kept[-self._max_to_keep :]
        self.last_checkpoints = kept
        with write_aside(state) as aside:
            names = [Path(p).name for p in kept]
            aside.write_text(json.dumps({"latest": names[-1], "all": names}))

    def restore(self, sess: Session, save_path: str) -> None:
        """Set the variables to what the checkpoint holds.

        NotFoundError if it or a variable in it is missing, DataLossError if it is corrupt,
        InvalidArgumentError if a
        shape differs; the variables are as before then.
        """
        found = _read(Path(save_path + ".npz"))
        for name, variable in self._variables.items():
            if name not in found:
                raise NotFoundError(f"Key {name} not found in checkpoint {save_path}")
            if found[name].shape != tuple(variable.shape):
                raise InvalidArgumentError(
                    f"{name} has shape {tuple(variable.shape)}, and {found[name].shape} in the "
                    f"checkpoint {save_path}"
                )
        for name, variable in self._variables.items():
            sess.load(variable, found[name])


def _by_name(var_list: Mapping[str, Any] | Sequence[Any]) -> dict[str, Any]:
    if isinstance(var_list, Mapping):
        return dict(var_list)
    return {variable.name.split(":")[0]: variable for variable in var_list}


def _step_number(session: Session, global_step: Any) -> int:
    return int(session.run(global_step)) if hasattr(global_step, "name") else int(global_step)


def _read(path: Path) -> dict[str, Any]:
    if not path.exists():
        raise NotFoundError(f"there is no checkpoint {path}")
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as held:
            return {name.replace("|", "/"): held[name] for name in held.files}
    except (zipfile.BadZipFile, ValueError, EOFError, OSError) as error:
        raise DataLossError(f"{path} is no readable checkpoint: {error}") from None


def latest_checkpoint(checkpoint_dir: str, latest_filename: str | None = None) -> str | None:
    """The path of the newest checkpoint in a folder, or None."""
    state = Path(checkpoint_dir) / (latest_filename or STATE)
    try:
        newest = Path(checkpoint_dir) / json.loads(state.read_text())["latest"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return str(newest) if Path(f"{newest}.npz").exists() else None
