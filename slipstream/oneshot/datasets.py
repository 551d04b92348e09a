"""Labelled pictures by name, or from a folder of class folders."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from slipstream.data_files import FASHION_MNIST, MNIST, OMNIGLOT, Source, find, load_split
from slipstream.errors import InvalidArgumentError, NotFoundError, message
from slipstream.oneshot.extras import require_extra
from slipstream.oneshot.folders import read_folder
from slipstream.oneshot.letters import read_letters
from slipstream.oneshot.omniglot import read_omniglot
from slipstream.oneshot.picture_set import PictureSet
from slipstream.oneshot.pictures import DEFAULT, PictureOptions, to_bytes

SPLITS = ("train", "test", "all")
HELD_OUT = 0.2  # of every class, where a data set has no published test half
CLOTHES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
DIGITS = tuple("0123456789")


def load(data: str | Path, split: str = "train", options: PictureOptions = DEFAULT) -> PictureSet:
    """A data set by name, or the pictures in a folder of class folders.

    Names: `fashion-mnist`, `mnist`, `omniglot-small1`, `omniglot-small2` (five alphabets each) and
    `omniglot` (both; the two alphabets they share, Greek and Latin, once); with no need of a
    network `digits` (8x8, inside scikit-learn) and `letters` (A to J in typefaces). `split` is
    `train`, `test` or `all`; a set with no published test half holds out a fifth of every class,
    the same each time. `options` say how pictures of a folder are prepared.

    Raises `InvalidArgumentError` for an unknown split and for folders with fewer than two classes,
    `NotFoundError` for an unknown name, `DataLossError` for damaged files, `UnavailableError` when
    a download or a package is needed and missing.

    >>> digits = load("digits", "all")
    >>> digits.images.shape, digits.class_names[:3]
    ((1797, 28, 28), ('0', '1', '2'))
    """
    if split not in SPLITS:
        received = {"split": repr(split)}
        text = message("load", "unknown split", expected=f"one of {SPLITS}", received=received)
        raise InvalidArgumentError(text)
    if str(data) in NAMED:
        return NAMED[str(data)](split)
    if Path(data).is_dir():
        return take(read_folder(data, options), split)
    expected = f"one of {', '.join(NAMED)}, or a folder of class folders"
    received = {"data": repr(str(data))}
    raise NotFoundError(message("load", "unknown data set", expected=expected, received=received))


def published(source: Source, names: tuple[str, ...], split: str) -> PictureSet:
    """A set in IDX files with its published halves."""
    halves = [load_split(source, half) for half in ("train", "test") if split in (half, "all")]
    images, labels = (np.concatenate(parts) for parts in zip(*halves, strict=True))
    return PictureSet(source.name, images, labels.astype(np.int64), names)


def take(whole: PictureSet, split: str) -> PictureSet:
    """A half of a set that has no published halves."""
    if split == "all":
        return whole
    train, test = whole.hold_out(HELD_OUT)
    return train if split == "train" else test


def omniglot_half(number: int) -> PictureSet:
    """One of the two small background sets."""
    path = find(OMNIGLOT, f"images_background_small{number}.zip")
    return read_omniglot(path, f"omniglot-small{number}")


def omniglot_both() -> PictureSet:
    """Both small background sets, classes that both have once."""
    return omniglot_half(1).merge(omniglot_half(2), "omniglot")


def digits() -> PictureSet:
    """scikit-learn's 1797 digits of 8x8, brought to MNIST's form: 20x20 in 28x28."""
    bunch = require_extra("sklearn.datasets").load_digits()
    image_module = require_extra("PIL.Image")
    small = (bunch.images / 16).astype(np.float32)
    bicubic = image_module.Resampling.BICUBIC
    large = [np.asarray(image_module.fromarray(one).resize((20, 20), bicubic)) for one in small]
    images = np.pad(to_bytes(np.stack(large)), ((0, 0), (4, 4), (4, 4)))
    return PictureSet("digits", images, bunch.target.astype(np.int64), DIGITS)


NAMED: dict[str, Callable[[str], PictureSet]] = {
    "fashion-mnist": lambda split: published(FASHION_MNIST, CLOTHES, split),
    "mnist": lambda split: published(MNIST, DIGITS, split),
    "omniglot": lambda split: take(omniglot_both(), split),
    "omniglot-small1": lambda split: take(omniglot_half(1), split),
    "omniglot-small2": lambda split: take(omniglot_half(2), split),
    "digits": lambda split: take(digits(), split),
    "letters": lambda split: take(read_letters(), split),
}
