"""Files appear whole or not at all; downloads are checked; nothing is left behind."""

import errno
import http.server
import threading
from pathlib import Path

import pytest

from slipstream.errors import (
    DataLossError,
    OpError,
    PermissionDeniedError,
    ResourceExhaustedError,
    UnavailableError,
)
from slipstream.files import checksum, download, write_aside, write_bytes, write_text

CONTENT = b"forty-two " * 1000
DIGEST = "22ef7c1bf0d2ae4a34ad57d0a75cf3dafdf3f27d9c3f9a3b3f44f2c0a7d3c000"


class Answers(http.server.BaseHTTPRequestHandler):
    """`/good` answers with the content, `/short` with less than promised, the rest with 404."""

    def do_GET(self):
        known = self.path in ("/good", "/short")
        self.send_response(200 if known else 404)
        self.send_header("Content-Length", str(len(CONTENT) if known else 0))
        self.end_headers()
        if known:
            self.wfile.write(CONTENT if self.path == "/good" else CONTENT[:100])

    def log_message(self, *arguments):
        pass


@pytest.fixture
def site():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def digest_of(content: bytes) -> str:
    import hashlib

    return hashlib.sha256(content).hexdigest()


def test_write_makes_folders_and_replaces(tmp_path):
    path = tmp_path / "a" / "b.txt"
    write_text(path, "one\n")
    write_text(path, "two\n")
    assert path.read_bytes() == b"two\n"
    assert [p.name for p in path.parent.iterdir()] == ["b.txt"]


def test_an_error_inside_keeps_the_old_content(tmp_path):
    path = tmp_path / "kept"
    write_bytes(path, b"old")

    def half_write():
        with write_aside(path) as aside:
            aside.write_bytes(b"ne")
            raise RuntimeError("interrupted")

    with pytest.raises(RuntimeError, match="interrupted"):
        half_write()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("code", "kind"),
    [(errno.ENOSPC, ResourceExhaustedError), (errno.EROFS, PermissionDeniedError)],
)
def test_a_full_or_read_only_disk(tmp_path, monkeypatch, code, kind):
    path = tmp_path / "kept"
    write_bytes(path, b"old")

    def refuse(self, content):
        raise OSError(code, "no")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", refuse)
        with pytest.raises(kind, match=r"\[save gallery\] could not write .*kept") as caught:
            write_bytes(path, b"new", "save gallery")
    assert str(caught.value).rpartition("\n  at ")[2].startswith(__file__)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_cannot_be_made(tmp_path):
    write_bytes(tmp_path / "file", b"old")
    with pytest.raises(OpError, match="could not write"):
        write_bytes(tmp_path / "file" / "inside", b"new")
    assert (tmp_path / "file").read_bytes() == b"old"


def test_download_takes_the_first_good_answer(tmp_path, site):
    target = tmp_path / "cache" / "file"
    urls = [f"{site}/none", f"{site}/short", f"{site}/good"]
    counts = []
    download(
        urls,
        target,
        digest=digest_of(CONTENT),
        progress=lambda done, total: counts.append((done, total)),
    )
    assert target.read_bytes() == CONTENT
    assert counts[-1] == (len(CONTENT), len(CONTENT))
    assert checksum(target) == digest_of(CONTENT)


def test_download_of_other_content_is_refused(tmp_path, site):
    with pytest.raises(DataLossError, match=f"published is {DIGEST}"):
        download([f"{site}/good"], tmp_path / "file", digest=DIGEST)
    assert list(tmp_path.iterdir()) == []


def test_offline_names_addresses_folder_and_hint(tmp_path):
    with pytest.raises(UnavailableError) as caught:
        download(["http://127.0.0.1:9/x", "nonsense"], tmp_path / "file", hint="SLIPSTREAM_DATA")
    text = str(caught.value)
    assert "http://127.0.0.1:9/x" in text
    assert "nonsense" in text
    assert str(tmp_path) in text
    assert "SLIPSTREAM_DATA" in text
    assert list(tmp_path.iterdir()) == []
