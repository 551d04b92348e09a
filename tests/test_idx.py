"""IDX files: every way one can be wrong is said."""

import gzip
import struct

import numpy as np
import pytest
from standins import write_idx

from slipstream.errors import DataLossError, NotFoundError
from slipstream.idx import read_idx, read_labels, read_pictures

PICTURES = np.arange(3 * 28 * 28, dtype=np.uint8).reshape(3, 28, 28)


@pytest.mark.parametrize("name", ["pictures.gz", "pictures"])
def test_reads_back_what_was_written(tmp_path, name):
    write_idx(tmp_path / name, PICTURES)
    np.testing.assert_array_equal(read_pictures(tmp_path / name), PICTURES)


@pytest.mark.parametrize(("code", "kind"), [(0x0B, "i2"), (0x0C, "i4"), (0x0D, "f4"), (0x0E, "f8")])
def test_reads_big_endian_elements_natively(tmp_path, code, kind):
    values = np.array([[1, -2], [300, 4]], kind)
    header = struct.pack(">BBBBII", 0, 0, code, 2, 2, 2)
    (tmp_path / "x").write_bytes(header + values.astype(f">{kind}").tobytes())
    found = read_idx(tmp_path / "x")
    np.testing.assert_array_equal(found, values)
    assert found.dtype == np.dtype(kind)


def test_missing_file(tmp_path):
    with pytest.raises(NotFoundError, match=r"there is no file .*nothing"):
        read_idx(tmp_path / "nothing")


def spoil(content: bytes, how: str) -> bytes:
    packed = gzip.compress(content)
    return {
        "empty": b"",
        "no idx": b"GIF89a" + content,
        "header only": content[:6],
        "truncated": content[:-1],
        "too long": content + b"x",
        "truncated gzip": packed[: len(packed) // 2],
        "no gzip trailer": packed[:-6],
        "flipped sum": packed[:-8] + bytes([packed[-8] ^ 1]) + packed[-7:],
        "flipped byte": packed[:30] + bytes([packed[30] ^ 0xFF]) + packed[31:],
        "impossible size": content[:4] + b"\xff" * 12 + content[16:],
    }[how]


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("empty", "does not begin as an IDX file"),
        ("no idx", "does not begin as an IDX file"),
        ("header only", "ends inside its header"),
        ("truncated", "promises 2352 bytes .* only 2351"),
        ("too long", "there are more"),
        ("truncated gzip", "does not unpack"),
        ("no gzip trailer", "does not unpack"),
        ("flipped sum", "does not unpack"),
        ("flipped byte", "is not usable"),
        ("impossible size", "promises"),
    ],
)
def test_damage_names_the_file_and_what_is_wrong(tmp_path, how, says):
    write_idx(tmp_path / "plain", PICTURES)
    path = tmp_path / "damaged"
    path.write_bytes(spoil((tmp_path / "plain").read_bytes(), how))
    with pytest.raises(DataLossError, match=says) as caught:
        read_pictures(path)
    assert str(path) in str(caught.value)


def test_labels_out_of_range(tmp_path):
    write_idx(tmp_path / "labels", np.array([0, 9, 10, 3]))
    with pytest.raises(DataLossError, match="label 10 at position 2 is not below 10"):
        read_labels(tmp_path / "labels")


def test_labels_and_pictures_are_told_apart(tmp_path):
    write_idx(tmp_path / "pictures", PICTURES)
    write_idx(tmp_path / "labels", np.arange(3))
    with pytest.raises(DataLossError, match="not labels"):
        read_labels(tmp_path / "pictures")
    with pytest.raises(DataLossError, match="not pictures of 28x28"):
        read_pictures(tmp_path / "labels")


def test_pictures_of_another_size(tmp_path):
    write_idx(tmp_path / "small", PICTURES[:, :20])
    with pytest.raises(DataLossError, match=r"shape \(3, 20, 28\), not pictures of 28x28"):
        read_pictures(tmp_path / "small")
