"""Teams of threads: the same bits for any number, and no harm from forks or other threads."""

import multiprocessing
import sys
import threading
import time

import numpy as np
import pytest
from comparison import types_of
from training import weights_after

from slipstream.compiler.program import load
from slipstream.compiler.threads import TEAMS, team
from slipstream.primitives import REGISTRY
from slipstream.primitives.evaluate import evaluate
from slipstream.primitives.tracing import trace


@pytest.fixture(scope="module")
def alone():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLIPSTREAM_THREADS", "1")
        return weights_after()


@pytest.mark.parametrize("threads", [2, 3, 8])
def test_any_number_of_threads_gives_the_same_bits(threads, alone, monkeypatch):
    monkeypatch.setenv("SLIPSTREAM_THREADS", str(threads))
    for found, wanted in zip(weights_after(), alone, strict=True):
        np.testing.assert_array_equal(found, wanted)
    assert threads in TEAMS


def product(size=192):
    """A program that is worth sharing, its arguments and its result."""
    random = np.random.default_rng(1)
    arrays = [random.normal(size=(size, size)).astype(np.float32) for _ in range(2)]
    labels = {"x_labels": (0, 1), "y_labels": (1, 2), "out_labels": (0, 2)}
    graph = trace(
        lambda x, y: REGISTRY["tanh"](REGISTRY["contract"](x, y, **labels)), types_of(arrays), "p"
    )
    return load(graph), arrays, evaluate(graph, arrays)[0]


def test_python_threads_call_at_once(monkeypatch):
    monkeypatch.setenv("SLIPSTREAM_THREADS", "2")
    program, arrays, wanted = product()
    wrong = []

    def repeat():
        for _ in range(30):
            (found,) = program(arrays)
            if not np.allclose(found, wanted, atol=1e-4):
                wrong.append(found)

    callers = [threading.Thread(target=repeat) for _ in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(60)
    assert not any(caller.is_alive() for caller in callers)
    assert not wrong


def test_workers_sleep_when_it_is_quiet_and_wake_again(monkeypatch):
    monkeypatch.setenv("SLIPSTREAM_THREADS", "2")
    program, arrays, wanted = product()
    program(arrays)
    deadline = time.monotonic() + 30
    while not team().asleep and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(team().asleep) == 1
    np.testing.assert_allclose(program(arrays)[0], wanted, atol=1e-4)


def _call(program, arrays, wanted, queue):
    queue.put(bool(np.allclose(program(arrays)[0], wanted, atol=1e-4)))


@pytest.mark.skipif(sys.platform == "win32", reason="no fork there")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_has_a_team_of_its_own(monkeypatch):
    monkeypatch.setenv("SLIPSTREAM_THREADS", "2")
    program, arrays, wanted = product()
    program(arrays)
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_call, args=(program, arrays, wanted, queue))
    child.start()
    assert queue.get(timeout=60)
    child.join(60)
    assert child.exitcode == 0
