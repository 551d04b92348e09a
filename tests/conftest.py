"""What tests of several parts share."""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import standins

if "SLIPSTREAM_HOME" not in os.environ:  # the processes that share the tests inherit it
    HOME = tempfile.mkdtemp(prefix="slipstream-tests-")
    os.environ["SLIPSTREAM_HOME"] = HOME
    atexit.register(shutil.rmtree, HOME, ignore_errors=True)

REAL_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as `$SLIPSTREAM_DATA` names it: the real data, or small generated files."""
    if (REAL_DATA / "fashion-mnist").is_dir():
        return REAL_DATA
    return standins.write_all(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="session")
def standin_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small generated files in the same formats, always: fast."""
    return standins.write_all(tmp_path_factory.mktemp("standins"))


@pytest.fixture
def slipstream_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home folder and no data folder: nothing of this machine's is read or written."""
    monkeypatch.setenv("SLIPSTREAM_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("SLIPSTREAM_DATA", raising=False)
    return tmp_path / "home"
