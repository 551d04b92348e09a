"""Small generated data in the formats of the real sets, for machines that do not have those.

Every class has a picture of its own, shifted and made noisy from example to example, so that a
program can learn it.
"""

from __future__ import annotations

import gzip
import io
import struct
import zipfile
from pathlib import Path

import numpy as np

ALPHABETS = ("Alpha", "Beta", "Gamma", "Delta", "Epsilon")
CHARACTERS, DRAWINGS = 20, 6


def write_idx(path: Path, array: np.ndarray) -> None:
    """An IDX file of unsigned bytes, gzipped when its name says so."""
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    content = header + array.astype(np.uint8).tobytes()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


def shapes(classes: int, seed: int) -> np.ndarray:
    """One smooth 28x28 picture a class, values 0 to 1."""
    random = np.random.default_rng(seed)
    coarse = random.random((classes, 5, 5)) > 0.5
    fine = np.kron(coarse, np.ones((1, 4, 4)))
    return np.pad(fine, ((0, 0), (4, 4), (4, 4)))


def examples(patterns: np.ndarray, labels: np.ndarray, seed: int) -> np.ndarray:
    """Noisy, shifted uint8 pictures of the given classes."""
    random = np.random.default_rng(seed)
    pictures = patterns[labels] * random.uniform(150, 255, (len(labels), 1, 1))
    pictures += random.normal(0, 12, pictures.shape)
    shifts = random.integers(-2, 3, (len(labels), 2))
    moved = [np.roll(p, tuple(s), (0, 1)) for p, s in zip(pictures, shifts, strict=True)]
    return np.clip(moved, 0, 255).astype(np.uint8)


def write_split(folder: Path, prefix: str, count: int, seed: int, pattern_seed: int) -> None:
    """The two IDX files of one half of a ten-class set."""
    folder.mkdir(parents=True, exist_ok=True)
    labels = np.random.default_rng(seed).permutation(np.arange(count) % 10)
    pictures = examples(shapes(10, pattern_seed), labels, seed)
    write_idx(folder / f"{prefix}-images-idx3-ubyte.gz", pictures)
    write_idx(folder / f"{prefix}-labels-idx1-ubyte.gz", labels)


def drawing(pattern: np.ndarray, random: np.random.Generator) -> bytes:
    """A black-on-white 105x105 PNG."""
    from PIL import Image

    large = np.kron(np.roll(pattern, random.integers(-2, 3, 2), (0, 1)), np.ones((3, 3))) > 0.5
    ink = np.pad(large, ((10, 11), (10, 11)))
    stream = io.BytesIO()
    Image.fromarray(~ink).save(stream, "PNG")
    return stream.getvalue()


def write_omniglot(path: Path, seed: int) -> None:
    """A zip of drawings: `NAME/ALPHABET/characterNN/NNNN_NN.png`."""
    random = np.random.default_rng(seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for alphabet in ALPHABETS:
            for character, pattern in enumerate(shapes(CHARACTERS, int(random.integers(1 << 30)))):
                folder = f"{path.stem}/{alphabet}{seed}/character{character + 1:02d}"
                for number in range(DRAWINGS):
                    name = f"{folder}/{character:04d}_{number + 1:02d}.png"
                    archive.writestr(name, drawing(pattern, random))


def write_all(folder: Path) -> Path:
    """Everything the folder of real data holds, in small."""
    write_split(folder / "fashion-mnist", "train", 1200, seed=1, pattern_seed=11)
    write_split(folder / "fashion-mnist", "t10k", 400, seed=2, pattern_seed=11)
    write_split(folder / "mnist", "t10k", 400, seed=3, pattern_seed=12)
    write_omniglot(folder / "omniglot" / "images_background_small1.zip", seed=1)
    write_omniglot(folder / "omniglot" / "images_background_small2.zip", seed=2)
    return folder
