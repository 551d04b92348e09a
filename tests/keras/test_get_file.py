"""keras.utils.get_file: downloads once, checks, unpacks."""

import hashlib
import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from slipstream.errors import DataLossError, UnavailableError
from slipstream.keras.utils.files import get_file


@pytest.fixture
def origin(tmp_path):
    path = tmp_path / "origin" / "words.txt"
    path.parent.mkdir()
    path.write_bytes(b"one two")
    return path


def test_keeps_what_it_downloaded(slipstream_home, origin):
    path = Path(get_file(origin=origin.as_uri()))
    assert path == slipstream_home / "datasets" / "words.txt"
    origin.unlink()
    assert Path(get_file(origin=origin.as_uri())).read_bytes() == b"one two"
    with pytest.raises(UnavailableError):
        get_file(origin=origin.as_uri(), force_download=True)
    assert path.read_bytes() == b"one two"


def test_names_and_folders(tmp_path, origin):
    path = get_file("other.txt", origin.as_uri(), cache_dir=str(tmp_path / "c"), cache_subdir="d")
    assert path == str(tmp_path / "c" / "d" / "other.txt")


@pytest.mark.parametrize("algorithm", ["md5", "sha256"])
def test_hash_is_checked(slipstream_home, origin, algorithm):
    right = hashlib.new(algorithm, b"one two").hexdigest()
    path = Path(get_file(origin=origin.as_uri(), file_hash=right))
    path.write_bytes(b"spoilt")
    with pytest.warns(UserWarning, match="downloading it again"):
        get_file(origin=origin.as_uri(), file_hash=right)
    assert path.read_bytes() == b"one two"
    with pytest.raises(ValueError, match="published is 0000"):
        get_file("new", origin.as_uri(), file_hash="0" * len(right))


def test_unusable_arguments(slipstream_home, origin):
    with pytest.raises(ValueError, match="no origin"):
        get_file("x")
    with pytest.raises(ValueError, match="plain file name"):
        get_file("a/b", origin.as_uri())
    with pytest.raises(ValueError, match="unknown hash"):
        get_file("x", origin.as_uri(), file_hash="abc")


def write_archive(path: Path, kind: str, names: list[str]) -> None:
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            for name in names:
                archive.writestr(name, name)
        return
    with tarfile.open(path, "w:gz") as archive:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size = len(name)
            archive.addfile(member, io.BytesIO(name.encode()))


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_unpacks(slipstream_home, tmp_path, kind):
    write_archive(tmp_path / "flowers.any", kind, ["flowers/rose.txt"])
    address = (tmp_path / "flowers.any").as_uri()
    folder = Path(get_file("flowers.any", address, extract=True))
    assert folder == slipstream_home / "datasets" / "flowers_extracted"
    assert (folder / "flowers" / "rose.txt").read_text() == "flowers/rose.txt"
    assert Path(get_file("flowers", address, extract=True)).name == "flowers"


def test_members_outside_are_refused(slipstream_home, tmp_path):
    write_archive(tmp_path / "evil.tar", "tar", ["../../outside.txt"])
    with pytest.raises(DataLossError, match="cannot unpack"):
        get_file("evil.tar", (tmp_path / "evil.tar").as_uri(), extract=True)
    assert not list(tmp_path.rglob("outside.txt"))
    assert [p.name for p in (slipstream_home / "datasets").iterdir()] == ["evil.tar"]


def test_no_archive_warns(slipstream_home, origin):
    with pytest.warns(UserWarning, match="is no archive"):
        get_file("words.txt", origin.as_uri(), extract=True)
