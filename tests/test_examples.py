"""The examples run as a user runs them, and find what they look for."""

import os
import runpy
from pathlib import Path

import numpy as np
import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"


def run(name, capsys):
    """(the program's variables, what it printed)"""
    held = runpy.run_path(os.fspath(EXAMPLES / name), run_name="__main__")
    return held, capsys.readouterr().out


@pytest.fixture(autouse=True)
def fresh_graph():
    """Each program begins with an empty default graph, as it would in a process of its own."""
    from slipstream import v1

    v1.reset_default_graph()


@pytest.mark.smoke
def test_v1_constants(capsys):
    held, printed = run("v1_constants.py", capsys)
    assert held["result"] == 42.0
    assert 'Tensor("mul:0", shape=(), dtype=float32)' in printed


@pytest.mark.smoke
def test_v1_placeholders(capsys):
    held, printed = run("v1_placeholders.py", capsys)
    np.testing.assert_array_equal(held["one"], [[321.0]])
    np.testing.assert_array_equal(held["values"].ravel(), [1.0, 10.0, 100.0])
    assert held["summed"] == 111.0
    assert "You must feed a value for placeholder tensor 'x'" in printed


@pytest.mark.smoke
@pytest.mark.parametrize("name", ["v1_linear_regression.py", "v2_linear_regression.py"])
def test_linear_regression_recovers_the_line(name, capsys):
    held, _ = run(name, capsys)
    slope, intercept = held["found"] if "found" in held else (held["slope"], held["intercept"])
    assert abs(np.asarray(slope).item() - 3.0) < 1e-2
    assert abs(np.asarray(intercept).item() - 2.0) < 1e-2


@pytest.mark.smoke
def test_v2_constants(capsys):
    held, printed = run("v2_constants.py", capsys)
    assert held["c"].numpy() == 42.0
    assert "tf.Tensor(42.0, shape=(), dtype=float32)" in printed


@pytest.mark.smoke
def test_v2_functions(capsys):
    held, _ = run("v2_functions.py", capsys)
    np.testing.assert_array_equal(held["one"], [[321.0]])
    assert float(held["summed"]) == 111.0
