"""The IDX format of MNIST and its descendants: reading, with every byte accounted for.

A file is two zero bytes, a byte for the element type, a byte for the number of dimensions, each
dimension as a big-endian 32-bit count, then the elements in row-major order; mostly gzipped.
Source: the format's description on the MNIST page (LeCun, Cortes, Burges).
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import IO, cast

import numpy as np

from slipstream.errors import DataLossError, NotFoundError, message

ELEMENTS = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
BLOCK = 1 << 24
GZIP = b"\x1f\x8b"
BROKEN = (EOFError, OSError, zlib.error)


def read_idx(path: Path | str) -> np.ndarray:
    """The array in an IDX file, gzipped or plain.

    Returns an array of the file's shape in native byte order. Raises `NotFoundError` when there is
    no such file and `DataLossError`, naming the file and what is wrong with it, when it is no IDX
    file, is cut short, goes on after its end, or does not unpack.
    """
    path = Path(path)
    if not path.is_file():
        raise NotFoundError(message("read_idx", f"there is no file {path}"))
    with path.open("rb") as raw:
        packed = raw.read(2) == GZIP
        raw.seek(0)
        try:
            stream = cast(IO[bytes], gzip.GzipFile(fileobj=raw) if packed else raw)
            return read_stream(stream, path)
        except BROKEN as problem:
            raise damaged(path, f"it does not unpack ({problem})") from problem


def read_stream(stream: IO[bytes], path: Path) -> np.ndarray:
    """Header, then exactly as many elements as the header says."""
    element, shape = read_header(stream, path)
    size = math.prod(shape) * element.itemsize
    # One byte more than promised: reading it makes gzip check its own sum, and finds leftovers.
    content = read_at_most(stream, size + 1)
    if len(content) != size:
        more = "more" if len(content) > size else f"only {len(content)}"
        raise damaged(path, f"its header promises {size} bytes of {shape}, there are {more}")
    return np.frombuffer(content, element).reshape(shape).astype(element.newbyteorder("="))


def read_at_most(stream: IO[bytes], size: int) -> bytes:
    """Up to `size` bytes; block by block, so that a header's lie does not ask for all memory."""
    blocks = bytearray()
    while len(blocks) < size and (block := stream.read(min(BLOCK, size - len(blocks)))):
        blocks += block
    return bytes(blocks)


def read_header(stream: IO[bytes], path: Path) -> tuple[np.dtype, tuple[int, ...]]:
    """The element type and the shape an IDX file declares."""
    magic = stream.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in ELEMENTS or not magic[3]:
        raise damaged(path, f"it does not begin as an IDX file does (first bytes {magic.hex()})")
    counts = stream.read(4 * magic[3])
    if len(counts) < 4 * magic[3]:
        raise damaged(path, "it ends inside its header")
    return np.dtype(ELEMENTS[magic[2]]), struct.unpack(f">{magic[3]}I", counts)


def read_pictures(path: Path | str, size: tuple[int, int] = (28, 28)) -> np.ndarray:
    """Pictures from an IDX file: uint8, `[pictures, height, width]`, of exactly `size`."""
    pictures = read_idx(path)
    if pictures.ndim != 3 or pictures.dtype != np.uint8 or pictures.shape[1:] != size:
        content = f"{pictures.dtype} of shape {pictures.shape}"
        raise damaged(Path(path), f"it holds {content}, not pictures of {size[0]}x{size[1]} bytes")
    return pictures


def read_labels(path: Path | str, classes: int = 10) -> np.ndarray:
    """Labels from an IDX file: uint8, `[labels]`, every one below `classes`."""
    labels = read_idx(path)
    if labels.ndim != 1 or labels.dtype != np.uint8:
        raise damaged(Path(path), f"it holds {labels.dtype} of shape {labels.shape}, not labels")
    if labels.size and labels.max() >= classes:
        first = int(np.argmax(labels >= classes))
        wrong = f"label {labels[first]} at position {first} is not below {classes}"
        raise damaged(Path(path), wrong)
    return labels


def damaged(path: Path, wrong: str) -> DataLossError:
    """The error of a data file that cannot be used."""
    hint = "removing it: a file in the cache is then downloaded again"
    return DataLossError(message("read_idx", f"{path} is not usable: {wrong}", hint=hint))
