"""`slipstream profile` and `slipstream show`: a script runs as itself, and is looked into."""

import json
import sys

import pytest

from slipstream.cli import main

PROGRAM = """
import sys
import numpy as np
import slipstream as tf
from beside import SIZE

assert __name__ == "__main__"
layers = tf.keras.layers
model = tf.keras.Sequential([layers.Input((20,)), layers.Dense(8, "relu"), layers.Dense(SIZE)])
model.compile("adam", "mse")
x, y = np.ones((64, 20), np.float32), np.ones((64, SIZE), np.float32)
model.fit(x, y, batch_size=16, epochs=2, verbose=0)
model.predict(x[:1], verbose=0)


@tf.function
def plain(x):
    return tf.tanh(x) @ x


plain(tf.ones((4, 4)))
with tf.compat.v1.Graph().as_default(), tf.compat.v1.Session() as session:
    print(session.run(tf.compat.v1.constant(2.0) * 3.0), sys.argv[1:])
"""


@pytest.fixture
def script(tmp_path):
    (tmp_path / "beside.py").write_text("SIZE = 3\n")
    path = tmp_path / "program.py"
    path.write_text(PROGRAM)
    return path


def test_every_way_to_run_is_measured(script, tmp_path, capsys):
    saved, before = tmp_path / "profile.json", (sys.argv, sys.path)
    assert main(["profile", "--save", str(saved), str(script), "--epochs", "2"]) == 0
    assert (sys.argv, sys.path) == before
    printed = capsys.readouterr().out
    assert "6.0 ['--epochs', '2']" in printed
    runs = {one["name"]: one["runs"] for one in json.loads(saved.read_text())["programs"]}
    assert runs["train_step"] == 8  # 2 epochs of 4 batches
    assert (runs["predict_step"], runs["plain"]) == (1, 1)
    for text in ("train_step of int64(16)", "8 runs of", "contract 16x20, 20x8 -> 16x8; then add",
                 "outside kernels", "GFLOP/s of one thread"):  # fmt: skip
        assert text in printed


def test_a_script_that_fails_is_measured_up_to_there(tmp_path, capsys):
    path = tmp_path / "wrong.py"
    path.write_text("import slipstream as tf\ntf.function(tf.tanh)(tf.ones(3))\nraise KeyError(7)")
    assert main(["profile", str(path)]) == 1
    captured = capsys.readouterr()
    assert "1 runs of" in captured.out
    assert "KeyError: 7" in captured.err
    assert "runpy" not in captured.err and "cli.py" not in captured.err


@pytest.mark.parametrize(
    ("end", "status", "said"),
    [("sys.exit()", 0, ""), ("sys.exit(3)", 3, ""), ("sys.exit('no data')", 1, "no data\n")],
)
def test_how_a_script_ends(end, status, said, tmp_path, capsys):
    path = tmp_path / "ends.py"
    path.write_text(f"import sys\n{end}")
    assert main(["profile", str(path)]) == status
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("No compiled program has run.\n", said)


def test_a_script_that_is_interrupted_is_measured_up_to_there(tmp_path, capsys):
    path = tmp_path / "long.py"
    path.write_text(
        "import slipstream as tf\ntf.function(tf.tanh)(tf.ones(3))\nraise KeyboardInterrupt"
    )
    assert main(["profile", str(path)]) == 130
    captured = capsys.readouterr()
    assert "1 runs of" in captured.out and "interrupted" in captured.err


def test_a_module_runs_as_python_runs_it(tmp_path, monkeypatch, capsys):
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside" / "__init__.py").write_text("")
    program = "import sys\nassert __name__ == '__main__'\nprint(sys.argv[1:])\nraise KeyError(8)"
    (tmp_path / "inside" / "program.py").write_text(program)
    monkeypatch.chdir(tmp_path)
    assert main(["profile", "-m", "inside.program", "--steps", "3"]) == 1
    captured = capsys.readouterr()
    assert captured.out == "['--steps', '3']\nNo compiled program has run.\n"
    assert "KeyError: 8" in captured.err and "runpy" not in captured.err


def test_a_script_that_is_not_there(capsys):
    assert main(["profile", "none.py"]) == 2
    assert "[profile] there is no such script; received script=none.py" in capsys.readouterr().err


def test_there_is_nothing_to_measure_in_the_reference(script, monkeypatch, capsys):
    monkeypatch.setenv("SLIPSTREAM_EXECUTOR", "reference")
    assert main(["profile", str(script)]) == 2
    assert "the executor reference compiles nothing" in capsys.readouterr().err


def test_programs_are_written_down(script, tmp_path, capsys):
    folder = tmp_path / "shown"
    assert main(["show", "--out", str(folder), "--only", "train_step", str(script)]) == 0
    assert capsys.readouterr().out.splitlines() == ["6.0 []", str(folder / "01-train_step")]
    kernels = next((folder / "01-train_step").glob("*-kernels.txt")).read_text()
    assert "contract 16x20, 20x8 -> 16x8; then add, maximum" in kernels


def test_nothing_to_write_down(tmp_path, capsys):
    path = tmp_path / "empty.py"
    path.write_text("")
    assert main(["show", "--out", str(tmp_path / "shown"), str(path)]) == 0
    assert capsys.readouterr().out == "No program was compiled.\n"
