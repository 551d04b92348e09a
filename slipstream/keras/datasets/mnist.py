"""MNIST: 60,000 and 10,000 grey 28x28 pictures of handwritten digits.

LeCun, Bottou, Bengio and Haffner, "Gradient-based learning applied to document recognition", 1998.
"""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np

from slipstream import settings
from slipstream.data_files import MNIST, load_both
from slipstream.errors import DataLossError, message

Halves = tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
ARRAYS = ("x_train", "y_train", "x_test", "y_test")


def load_data(path: str = "mnist.npz") -> Halves:
    """Loads MNIST: `(x_train, y_train), (x_test, y_test)`.

    `x_train` and `x_test` are uint8 of shape `(60000, 28, 28)` and `(10000, 28, 28)`, `y_train` and
    `y_test` the digits as uint8. `path` names an `.npz` file with these four arrays, absolute or
    under the data set cache, read when it is there; otherwise the published files are looked for in
    `$SLIPSTREAM_DATA/mnist`, then in the cache, then downloaded and checked.

    Raises `DataLossError` for a damaged file, `NotFoundError` when `$SLIPSTREAM_DATA` has only part
    of the set, `UnavailableError` when a download is needed and there is no network.
    """
    archive = settings.home() / "datasets" / Path(path).expanduser()
    return read_archive(archive) if archive.is_file() else load_both(MNIST)


def read_archive(path: Path) -> Halves:
    """The four arrays of an `.npz` file."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            x_train, y_train, x_test, y_test = (archive[name] for name in ARRAYS)
    except (KeyError, ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error) as problem:
        happened = f"{path} is not usable: {problem}"
        expected = f"an .npz file with {', '.join(ARRAYS)}"
        raise DataLossError(message("mnist.load_data", happened, expected=expected)) from problem
    return (x_train, y_train), (x_test, y_test)
