"""docs/from_scratch.py runs, says what it promises, and its two executors agree."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

TUTORIAL = Path(__file__).parent.parent / "docs" / "from_scratch.py"
MOST_LINES = 700


@pytest.fixture(scope="module")
def tutorial() -> ModuleType:
    """The tutorial as a module."""
    spec = importlib.util.spec_from_file_location("from_scratch", TUTORIAL)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["from_scratch"] = module  # where its dataclasses look for their annotations
    spec.loader.exec_module(module)
    return module


def test_it_trains_and_says_so() -> None:
    command = [sys.executable, str(TUTORIAL)]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout
    losses = re.findall(r"^ *\d+ +(\d\.\d+) +(\d\.\d+)$", said, re.MULTILINE)
    assert len(losses) == 5
    for by_numpy, natively in losses:
        assert float(by_numpy) == pytest.approx(float(natively), abs=1e-4)
    assert float(losses[-1][0]) < 0.05 < float(losses[0][0])
    found = re.search(r"accuracy (\d+\.\d)%", said)
    assert found is not None
    assert float(found[1]) > 95
    assert re.search(r"a step takes \d+ us by NumPy, \d+ us by machine code", said)


def test_it_stays_short() -> None:
    assert len(TUTORIAL.read_text(encoding="utf-8").splitlines()) <= MOST_LINES


def test_tanh_has_a_third_derivative(tutorial: ModuleType) -> None:
    x = tutorial.as_tensor(0.5)
    y = tutorial.tanh(x)
    for _ in range(3):
        (y,) = tutorial.gradient(y, [x])
    t = np.tanh(0.5)
    assert float(y.value) == pytest.approx(-2 * (1 - t**2) * (1 - 3 * t**2), rel=1e-4)


def composed(tutorial: ModuleType, x: object, w: object) -> object:
    """A function that uses every operation of the tutorial."""
    hidden = tutorial.tanh(x @ w) * 0.5 + tutorial.exp(x @ w * -0.1)
    shifted = hidden - tutorial.sum_to(hidden, shape=(1, hidden.shape[1])) / 7.0
    crossed = tutorial.transpose(shifted) @ shifted
    return tutorial.mean(tutorial.log(1.0 + crossed * crossed) / (2.0 - 0.01 * crossed))


@pytest.mark.parametrize("order", [1, 2])
def test_derivatives_are_those_of_finite_differences(tutorial: ModuleType, order: int) -> None:
    random = np.random.default_rng(0)
    x, w = random.normal(size=(5, 3)), random.normal(size=(3, 4)) * 0.5
    direction = random.normal(size=w.shape)

    def value(matrix: np.ndarray) -> object:
        tensor = tutorial.as_tensor(matrix)
        result = composed(tutorial, tutorial.as_tensor(x), tensor)
        for _ in range(order):
            (slope,) = tutorial.gradient(result, [tensor])
            result, last = tutorial.sum_to(slope * direction, shape=()), result
        return float(result.value), float(last.value)

    step = 1e-2
    difference = (value(w + step * direction)[1] - value(w - step * direction)[1]) / (2 * step)
    assert value(w)[0] == pytest.approx(difference, rel=2e-2, abs=2e-3)


@pytest.mark.parametrize("rows", [1, 3, 17, 32])
@pytest.mark.parametrize("columns", [1, 5, 48])
def test_machine_code_agrees_with_numpy(tutorial: ModuleType, rows: int, columns: int) -> None:
    random = np.random.default_rng(rows * columns)
    with tutorial.drawing():
        x, w = tutorial.placeholder(rows, 9), tutorial.placeholder(9, columns)
        result = composed(tutorial, x, w)
        fetches = [result, *tutorial.gradient(result, [x, w]), tutorial.transpose(x), w]
    feeds = {x: random.normal(size=x.shape), w: random.normal(size=w.shape) * 0.3}
    by_numpy = tutorial.Session(tutorial.interpreted).run(fetches, feeds)
    natively = tutorial.Session(tutorial.compiled).run(fetches, feeds)
    for expected, found in zip(by_numpy, natively, strict=True):
        np.testing.assert_allclose(found, expected, rtol=2e-3, atol=2e-5)


@pytest.mark.parametrize("executor", ["interpreted", "compiled"])
def test_new_contents_are_computed_from_old_ones(tutorial: ModuleType, executor: str) -> None:
    session = tutorial.Session(getattr(tutorial, executor))
    with tutorial.drawing():
        a, b = tutorial.Variable([1.0, 2.0]), tutorial.Variable([3.0, 4.0])
        updates = {a: b, b: a + b}
    (fetched,) = session.run([a], {}, updates)
    np.testing.assert_array_equal(fetched, [1, 2])
    np.testing.assert_array_equal(session.contents[a], [3, 4])
    np.testing.assert_array_equal(session.contents[b], [4, 6])


@pytest.mark.parametrize("executor", ["interpreted", "compiled"])
def test_a_number_and_a_transposed_view_can_be_fed(tutorial: ModuleType, executor: str) -> None:
    with tutorial.drawing():
        x, factor = tutorial.placeholder(3, 2), tutorial.placeholder()
        scaled = x * factor
    given = np.arange(6.0).reshape(2, 3).T
    (found,) = tutorial.Session(getattr(tutorial, executor)).run([scaled], {x: given, factor: 2.0})
    np.testing.assert_array_equal(found, given * 2)


def test_errors_come_before_memory_is_touched(tutorial: ModuleType) -> None:
    session = tutorial.Session(tutorial.compiled)
    with tutorial.drawing():
        x = tutorial.placeholder(4, 2)
        doubled = x + x
    with pytest.raises(ValueError, match="not fed"):
        session.run([doubled], {})
    with pytest.raises(ValueError, match=r"shape \(4, 2\) is fed \(3, 2\)"):
        session.run([doubled], {x: np.zeros((3, 2))})
    with pytest.raises(ValueError, match="has no value yet"):
        tutorial.exp(x)
    with pytest.raises(ValueError, match=r"\[matmul\] expected"):
        tutorial.matmul(np.zeros((2, 3)), np.zeros((2, 3)))
