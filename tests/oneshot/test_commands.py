"""The command line: what it prints, and that every user error is one message and exit status 2."""

import re
import subprocess
import sys

import numpy as np
import pytest
import standins
from PIL import Image

import slipstream
from slipstream.cli import main
from slipstream.oneshot.batches import Batches
from slipstream.oneshot.storage import Model

TINY = (
    *("--epochs", "1", "--steps", "4", "--ways", "4", "--each", "3"),
    *("--channels", "4", "--embedding", "8", "--views", "1"),
)


@pytest.fixture(autouse=True)
def data(standin_data, slipstream_home, monkeypatch):
    monkeypatch.setenv("SLIPSTREAM_DATA", str(standin_data))


@pytest.fixture
def folder(tmp_path):
    """Three classes of eight pictures."""
    root = tmp_path / "pictures"
    images = standins.examples(standins.shapes(3, 9), np.arange(3).repeat(8), 4)
    for row, image in enumerate(images):
        path = root / "abc"[row // 8] / f"{row}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    return root


def run(*arguments):
    return main(["oneshot", *map(str, arguments)])


def refused(capsys, *arguments):
    """The one message of a command that a user got wrong."""
    assert run(*arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    lines = [line for line in printed.err.splitlines() if line.startswith("slipstream:")]
    assert len(lines) == 1
    assert "Traceback" not in printed.err
    return lines[0]


def test_the_whole_way_on_a_folder(folder, tmp_path, capsys):
    out = tmp_path / "model"
    assert run("train", "--data", folder, "--out", out, "--classes", "a,b", *TINY) == 0
    assert "held-out pairs right" in capsys.readouterr().out
    assert Model.load(out).origin.classes == ("a", "b")
    assert run("evaluate", out, "--data", "mnist", "--ways", 3, "--draws", 5) == 0
    assert "3-way 1-shot accuracy, 5 draws" in capsys.readouterr().out
    assert run("enroll", out, "--name", "sea", folder / "c" / "16.png") == 0
    assert run("enroll", out, "--name", "bee", folder / "b" / "8.png") == 0
    assert "2 classes" in capsys.readouterr().out
    assert run("identify", out, folder / "c" / "16.png", folder / "b" / "8.png") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(": ")[1].split()[0] for line in lines] == ["sea", "bee"]
    assert run("identify", out, "--threshold", 0, "--invert", "yes", folder / "a" / "1.png") == 0
    assert ": unknown" in capsys.readouterr().out


def test_bad_data_is_named(folder, tmp_path, capsys):
    train = ("train", "--out", tmp_path / "model", *TINY, "--data")
    assert "unknown data set" in refused(capsys, *train, "fashion")
    assert "unknown class" in refused(capsys, *train, folder, "--classes", "a,z")
    (folder / "b" / "9.png").write_bytes(b"no picture")
    assert "9.png cannot be read" in refused(capsys, *train, folder)
    for name in "bc":
        for path in (folder / name).iterdir():
            path.unlink()
    assert "only one class, a" in refused(capsys, *train, folder)
    assert not (tmp_path / "model").exists()


def test_a_damaged_data_file_is_named(tmp_path, monkeypatch, capsys):
    standins.write_split(tmp_path / "fashion-mnist", "train", 50, 1, 2)
    path = tmp_path / "fashion-mnist" / "train-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-2000])
    monkeypatch.setenv("SLIPSTREAM_DATA", str(tmp_path))
    asked = ("train", "--data", "fashion-mnist", "--out", tmp_path / "model", *TINY)
    assert "train-images-idx3-ubyte.gz is not usable" in refused(capsys, *asked)


def test_a_training_that_diverges(folder, tmp_path, capsys, monkeypatch):
    nothing = np.full((12, 28, 28, 1), np.nan, np.float32)
    monkeypatch.setattr(Batches, "pictures", lambda self, rows: nothing[: len(rows)])
    asked = ("train", "--data", folder, "--out", tmp_path / "model", *TINY)
    assert "the loss became nan in epoch 1, step 1" in refused(capsys, *asked)


def test_a_folder_that_is_no_model(tmp_path, capsys):
    assert "there is no model" in refused(capsys, "evaluate", tmp_path)
    (tmp_path / "model.json").write_text("{}")
    assert "not a slipstream-oneshot file" in refused(capsys, "report", tmp_path)


def test_wrong_values(folder, tmp_path, capsys):
    train = ("train", "--data", folder, "--out", tmp_path)
    assert "unusable epochs" in refused(capsys, *train, "--epochs", 0)
    assert "unusable loss" in refused(capsys, *train, "--loss", "magic")
    sweep = ("sweep", "--data", folder, "--out", tmp_path)
    assert "cannot be varied" in refused(capsys, *sweep, "--vary", "speed=1,2")


@pytest.mark.parametrize(
    "arguments",
    [[], ["oneshot"], ["oneshot", "train"], ["oneshot", "sweep", "--vary", "embedding"]],
)
def test_a_command_line_that_says_too_little(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_interrupted(monkeypatch, folder, tmp_path, capsys):
    def interrupted(self):
        raise KeyboardInterrupt

    monkeypatch.setattr(Batches, "draw", interrupted)
    assert run("train", "--data", folder, "--out", tmp_path / "model", *TINY) == 130
    assert "interrupted" in capsys.readouterr().err


def test_info(capsys, monkeypatch):
    monkeypatch.setenv("SLIPSTREAM_THREADS", "3")
    assert main(["info"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith(f"slipstream {slipstream.__version__}\n")
    for text in ("processor", "threads    3", "executor   native", "SLIPSTREAM_THREADS=3"):
        assert text in printed
    assert re.search(r"target     \S+, vectors of (128|256|512) bits", printed)
    assert re.search(r"cache      \d+ files, [\d.]+ MB of compiled code in ", printed)


def test_info_of_operations(capsys):
    assert main(["info", "--ops"]) == 0
    how = {line.split()[0]: line.split()[-1] for line in capsys.readouterr().out.splitlines()}
    assert (how["add"], how["contract"], how["concat"]) == ("native", "native", "native")
    assert (how["window_max"], how["argmax"], how["random_bits"]) == ("expanded",) * 3
    assert (how["svd"], how["py_function"]) == ("call-out", "call-out")


def test_it_runs_as_a_module():
    command = [sys.executable, "-m", "slipstream", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == slipstream.__version__
