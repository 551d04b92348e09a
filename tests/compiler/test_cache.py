"""Compiled code on disk: used again, and never the reason for a failure."""

import errno
import os
import subprocess
import sys
import time

import numpy as np
import pytest
from comparison import types_of

from slipstream.compiler import cache, code
from slipstream.compiler.codegen import image
from slipstream.compiler.program import load
from slipstream.compiler.target import Target, target
from slipstream.primitives import REGISTRY
from slipstream.primitives.tracing import trace

SMALL = """
import os, sys
import numpy as np
from slipstream.compiler import cache
from slipstream.compiler.program import load
from slipstream.ir.dtypes import float32
from slipstream.ir.types import TensorType
from slipstream.primitives import REGISTRY
from slipstream.primitives.tracing import trace

for size in range(7, 11):
    x = np.linspace(-2, 2, size, dtype=np.float32)
    graph = trace(lambda a: REGISTRY["tanh"](a + a), [TensorType((size,), float32)], "small")
    np.testing.assert_allclose(load(graph)([x])[0], np.tanh(x + x), rtol=1e-6)
"""


@pytest.fixture
def home(tmp_path, monkeypatch):
    target()  # what the processor is, is known from here on
    monkeypatch.setenv("SLIPSTREAM_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def compiled(monkeypatch):
    """The names of the modules that were compiled."""
    found = []
    plain = code.compiled

    def spy(wanted, chosen):
        known = cache.read(wanted)
        found.extend(key for key in wanted if key not in known)
        return plain(wanted, chosen)

    monkeypatch.setattr(code, "compiled", spy)
    return found


def run(also=None):
    """A small program, loaded anew; another operation makes it another one with a kernel more."""
    x, y = np.linspace(-2, 2, 7, dtype=np.float32), np.linspace(1, 2, 9, dtype=np.float32)

    def both(a, b):
        first = REGISTRY["tanh"](a + a)
        return (first, REGISTRY[also](b)) if also else first

    results = load(trace(both, types_of([x, y]), "small"))([x, y])
    np.testing.assert_allclose(results[0], np.tanh(x + x), rtol=1e-6)
    if also:
        np.testing.assert_allclose(results[1], getattr(np, also)(y), rtol=1e-6)


def files(home):
    return sorted((home / "compiled").iterdir())


def start(home, text, *arguments):
    """A Python process whose cache is there."""
    return subprocess.Popen(
        [sys.executable, "-c", text, *arguments],
        env={**os.environ, "SLIPSTREAM_HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_a_second_load_compiles_nothing(home, compiled):
    run()
    assert len(compiled) == 2  # a kernel, and what calls it
    compiled.clear()
    run()
    assert compiled == []


def test_equal_kernels_of_two_programs_are_compiled_once(home, compiled):
    run("sqrt")
    compiled.clear()
    run("exp")
    assert len([name for name in compiled if name.startswith("kernel")]) == 1


def test_a_broken_file_is_made_anew(home):
    run()
    for path in files(home):
        whole = path.read_bytes()
        for broken in (b"", whole[:40], whole[:-1] + bytes([whole[-1] ^ 1]), b"garbage" * 999):
            path.write_bytes(broken)
            run()
            assert path.read_bytes() == whole


def test_a_folder_that_cannot_be_is_no_failure(home):
    home.write_text("a file where a folder should be")
    run()
    assert home.read_text().startswith("a file")


def test_a_folder_that_may_only_be_read_is_read(home, compiled, monkeypatch):
    def refuse(*_, **__):
        raise OSError(errno.EROFS, "Read-only file system")

    run()
    before = files(home)
    monkeypatch.setattr(cache.tempfile, "mkstemp", refuse)
    monkeypatch.setattr(cache.os, "utime", refuse)
    compiled.clear()
    run()
    assert compiled == []
    run("exp")
    assert files(home) == before


@pytest.mark.skipif(sys.platform == "win32", reason="no limit for the size of files there")
def test_a_full_disk_leaves_nothing_half_written(home):
    limit = "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))\n"
    process = start(home, limit + SMALL)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output
    assert files(home) == []


def test_twenty_processes_share_a_folder(home):
    """Half of them delete what the others made, and files are cut short meanwhile."""
    limit = "cache.MOST_FILES = 3 if sys.argv[1] == '1' else 1000\n"
    text = SMALL.replace("\nfor", f"\n{limit}for")
    processes = [start(home, text, str(number % 2)) for number in range(20)]
    while any(process.poll() is None for process in processes):
        _cut_short(home / "compiled")
        time.sleep(0.01)
    for process in processes:
        output, _ = process.communicate(timeout=120)
        assert process.returncode == 0, output
    assert not [path for path in files(home) if path.name.startswith(".")]
    run()


def _cut_short(folder):
    for path in list(folder.glob("kernel*"))[:1]:
        try:
            os.truncate(path, 50)
        except FileNotFoundError:
            continue


def test_what_was_used_longest_ago_goes_first(home, monkeypatch):
    monkeypatch.setattr(cache, "MOST_BYTES", 300)
    for name in "abcd":
        cache.write({name: name.encode() * 100})
        os.utime(home / "compiled" / name, (ord(name), ord(name)))
    assert [path.name for path in files(home)] == ["c", "d"]
    assert cache.read("ad") == {"d": b"d" * 100}


def test_files_are_bounded_in_number(home, monkeypatch):
    monkeypatch.setattr(cache, "MOST_FILES", 3)
    cache.write(dict.fromkeys("abcde", b""))
    assert len(files(home)) == 3


def test_the_folder_is_looked_at_once_for_many_programs(home, monkeypatch):
    """A program is kept in two writes: its code, and its recipe."""
    looks, plain = [], cache._files
    monkeypatch.setattr(cache, "_files", lambda place: looks.append(place) or plain(place))
    for also in (None, "sqrt", "exp"):
        run(also)
    assert len(files(home)) == 9
    assert len(looks) == 1
    cache.write({"large": bytes(cache.MOST_BYTES // cache.PARTS)})
    assert len(looks) == 2


def test_another_target_or_program_has_another_name():
    other = Target("x86_64-unknown-linux-gnu", "x86-64-v2", "", 128)
    names = {cache.key_of("a", target()), cache.key_of("b", target()), cache.key_of("a", other)}
    assert len(names) == 3


OWN_LINKER = sys.platform == "linux" and os.uname().machine == "x86_64"


@pytest.mark.skipif(not OWN_LINKER, reason="LLVM links other kinds of code")
def test_a_warm_process_does_without_llvm(home):
    """It is 45 MB and 40 ms of a process that compiles nothing."""
    told = "\nprint('llvmlite.binding' in sys.modules, Path('/proc/self/maps').read_text().count"
    text = "from pathlib import Path" + SMALL + told + "('libllvmlite'))"
    for expected in ("True", "False 0"):
        output, _ = start(home, text).communicate(timeout=120)
        assert output.startswith(expected), output


def test_llvm_links_what_is_not_linked_here(home, monkeypatch):
    def unfit(_):
        raise image.Unfit("another kind")

    monkeypatch.setattr(image, "Image", unfit)
    run("sin")


@pytest.mark.parametrize("content", [b"", b"\x7fELF", b"\xfe\xed\xfa\xcf" + bytes(100), bytes(200)])
def test_other_kinds_of_files_are_not_linked_here(content):
    with pytest.raises(image.Unfit):
        image.Image([content])
