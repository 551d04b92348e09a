"""Compiled code on disk: used again, and never the reason for a failure."""

import numpy as np
import pytest
from comparison import types_of

from slipstream.compiler import cache, code
from slipstream.compiler.program import load
from slipstream.primitives import REGISTRY
from slipstream.primitives.tracing import trace


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("SLIPSTREAM_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def run():
    """A small program, loaded anew."""
    x = np.linspace(-2, 2, 7, dtype=np.float32)
    graph = trace(lambda a: REGISTRY["tanh"](a + a), types_of([x]), "small")
    np.testing.assert_allclose(load(graph)([x])[0], np.tanh(x + x), rtol=1e-6)


def files(home):
    return sorted((home / "compiled").iterdir())


def test_a_second_load_compiles_nothing(home, monkeypatch):
    run()
    assert len(files(home)) == 1
    monkeypatch.setattr(code, "object_code", lambda *_: pytest.fail("compiled again"))
    run()


def test_a_broken_file_is_made_anew(home):
    run()
    (path,) = files(home)
    whole = path.read_bytes()
    for broken in (b"", whole[:40], whole[:-1] + bytes([whole[-1] ^ 1])):
        path.write_bytes(broken)
        run()
        assert path.read_bytes() == whole


def test_a_folder_that_cannot_be_is_no_failure(home):
    home.write_text("a file where a folder should be")
    run()
    assert home.read_text().startswith("a file")


def test_what_was_used_longest_ago_goes_first(home, monkeypatch):
    monkeypatch.setattr(cache, "MOST_BYTES", 300)
    for name in "abcd":
        cache.write(name, name.encode() * 100)
        cache.os.utime(home / "compiled" / name, (ord(name), ord(name)))
    assert [path.name for path in files(home)] == ["c", "d"]
    assert cache.read("d") == b"d" * 100
    assert cache.read("a") is None


def test_another_target_or_program_has_another_name(home):
    from slipstream.compiler.target import Target, target

    other = Target("x86_64-unknown-linux-gnu", "x86-64-v2", "", 128)
    names = {cache.key_of("a", target()), cache.key_of("b", target()), cache.key_of("a", other)}
    assert len(names) == 3
