"""Where the files of a named data set are: `$SLIPSTREAM_DATA`, the cache, or its own site.

`$SLIPSTREAM_DATA/<name>` wins when that folder exists, and its files are taken as they are. Else
files come from the cache, `settings.home()/datasets/<name>`, into which they are downloaded once
and checked against their published SHA-256.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from slipstream import settings
from slipstream.errors import DataLossError, NotFoundError, message
from slipstream.files import download
from slipstream.idx import read_labels, read_pictures


@dataclass(frozen=True)
class Source:
    """A published data set: its name, where it is published, and the SHA-256 of every file."""

    name: str
    sites: tuple[str, ...]
    digests: Mapping[str, str]
    licence: str


FASHION_MNIST = Source(
    "fashion-mnist",
    (
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    ),
    {
        "train-images-idx3-ubyte.gz": (
            "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"
        ),
        "train-labels-idx1-ubyte.gz": (
            "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"
        ),
        "t10k-images-idx3-ubyte.gz": (
            "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"
        ),
        "t10k-labels-idx1-ubyte.gz": (
            "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"
        ),
    },
    "MIT, Zalando Research",
)

MNIST = Source(
    "mnist",
    (
        # The authors' page no longer serves the files to everyone; the two after it are the
        # copies TensorFlow's and PyTorch's users have had since, with the same content.
        "https://yann.lecun.com/exdb/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
    ),
    {
        "train-images-idx3-ubyte.gz": (
            "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"
        ),
        "train-labels-idx1-ubyte.gz": (
            "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"
        ),
        "t10k-images-idx3-ubyte.gz": (
            "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"
        ),
        "t10k-labels-idx1-ubyte.gz": (
            "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"
        ),
    },
    "CC BY-SA 3.0, LeCun, Cortes and Burges",
)

OMNIGLOT = Source(
    "omniglot",
    ("https://raw.githubusercontent.com/brendenlake/omniglot/master/python/",),
    {
        "images_background_small1.zip": (
            "f38eb80f801274ac2b4dff5b24289016bfaba4a7d5bb50deebf27104ad6cb8a4"
        ),
        "images_background_small2.zip": (
            "3ccaa407515a8778e5d0861875af38b17e418f301ad5bb3b5a6b65d901a41c7f"
        ),
    },
    "MIT, Lake, Salakhutdinov and Tenenbaum",
)

PREFIXES = {"train": "train", "test": "t10k"}


def given_folder(source: Source) -> Path | None:
    """The data set's folder under `$SLIPSTREAM_DATA`, if there is one."""
    root = settings.read("SLIPSTREAM_DATA")
    folder = Path(root).expanduser() / source.name if root else None
    return folder if folder is not None and folder.is_dir() else None


def cache_folder(source: Source) -> Path:
    """Where the data set's downloads are kept."""
    return settings.home() / "datasets" / source.name


def present(folder: Path, filename: str) -> Path | None:
    """The file in a folder, packed or already unpacked."""
    candidates = (folder / filename, folder / filename.removesuffix(".gz"))
    return next((path for path in candidates if path.is_file()), None)


def find(source: Source, filename: str) -> Path:
    """The path of one file of a data set, downloaded first when it is nowhere yet.

    Raises `NotFoundError` when `$SLIPSTREAM_DATA` has the data set's folder without this file
    (files of two origins are never mixed), and `UnavailableError` when the file would have to be
    downloaded and no site answers.
    """
    given = given_folder(source)
    if given is not None:
        return present(given, filename) or fail_incomplete(source, given, filename)
    folder = cache_folder(source)
    hint = (
        f"putting the files of {source.name} into {folder}, or into "
        f"<folder>/{source.name} with SLIPSTREAM_DATA=<folder>"
    )
    urls = [site + filename for site in source.sites]
    return present(folder, filename) or download(
        urls, folder / filename, digest=source.digests[filename], hint=hint
    )


def fail_incomplete(source: Source, folder: Path, filename: str) -> Path:
    """Says which of a data set's files a folder has and which it lacks."""
    missing = [name for name in source.digests if present(folder, name) is None]
    text = message(
        "load_data",
        f"{source.name} in SLIPSTREAM_DATA lacks {filename}",
        expected=f"{', '.join(source.digests)} in {folder}",
        received={"missing": ", ".join(missing)},
        hint=f"adding them from {source.sites[0]}, or unsetting SLIPSTREAM_DATA to download them",
    )
    raise NotFoundError(text)


def load_split(source: Source, split: str) -> tuple[np.ndarray, np.ndarray]:
    """One half of a data set in IDX files: pictures uint8 `[n, 28, 28]`, labels uint8 `[n]`.

    `split` is `"train"` or `"test"`. Works when only that half is there.
    """
    prefix = PREFIXES[split]
    pictures_path = find(source, f"{prefix}-images-idx3-ubyte.gz")
    labels_path = find(source, f"{prefix}-labels-idx1-ubyte.gz")
    pictures, labels = read_pictures(pictures_path), read_labels(labels_path)
    if len(pictures) != len(labels):
        happened = f"{pictures_path} and {labels_path} do not belong together"
        received = {"pictures": len(pictures), "labels": len(labels)}
        raise DataLossError(message("load_data", happened, received=received))
    return pictures, labels


def load_both(
    source: Source,
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Both halves of a data set in IDX files, as Keras returns them."""
    return load_split(source, "train"), load_split(source, "test")
