"""Teams of threads: the same bits for any number, and no harm from forks or other threads."""

import multiprocessing
import sys
import threading
import time

import numpy as np
import pytest
from comparison import types_of
from training import weights_after

from slipstream.compiler import kernels, threads
from slipstream.compiler.codegen import math
from slipstream.compiler.codegen.scalars import EMITTERS
from slipstream.compiler.codegen.team import LEAST_SPINS, Word
from slipstream.compiler.pipeline import schedule
from slipstream.compiler.program import load
from slipstream.compiler.threads import TEAMS
from slipstream.primitives import REGISTRY
from slipstream.primitives.evaluate import evaluate
from slipstream.primitives.tracing import trace


@pytest.fixture(autouse=True)
def always_awake(monkeypatch):
    """Threads work together however short a program is, and however long ago the last one."""
    monkeypatch.setattr(threads, "AWAKE", float("inf"))


@pytest.fixture(scope="module")
def alone():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLIPSTREAM_THREADS", "1")
        return weights_after()


@pytest.mark.parametrize("count", [2, 3, 8])
def test_any_number_of_threads_gives_the_same_bits(count, alone, monkeypatch):
    monkeypatch.setenv("SLIPSTREAM_THREADS", str(count))
    for found, wanted in zip(weights_after(), alone, strict=True):
        np.testing.assert_array_equal(found, wanted)
    assert count in TEAMS


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


@pytest.fixture(params=["the system's sleep", "a bell"])
def teams(request, monkeypatch):
    """Teams are made anew, and sleep on a bell as on systems without a call for it."""
    made = {}
    monkeypatch.setattr(threads, "TEAMS", made)
    if request.param == "a bell":
        monkeypatch.setattr(threads._native(), "sleep", None)
    yield made
    for known in made.values():
        known.stop()


def idle(words, count):
    """Whether so many workers fall asleep."""
    deadline = time.monotonic() + 30
    while words[Word.IDLE] != count and time.monotonic() < deadline:
        time.sleep(0.005)
    return words[Word.IDLE] == count


@pytest.mark.parametrize("count", [2, 3])
def test_workers_sleep_when_it_is_quiet_and_wake_again(count, teams, monkeypatch):
    monkeypatch.setenv("SLIPSTREAM_THREADS", str(count))
    program, arrays, wanted = product()
    for _ in range(3):
        np.testing.assert_allclose(program(arrays)[0], wanted, atol=1e-4)
        words = teams[count].words
        assert idle(words, count - 1)
        time.sleep(0.05)  # so long that spinning would have been in vain
    assert words[Word.SPINS_BETWEEN] == LEAST_SPINS  # sleeps were long
    assert words[Word.GENERATION] == 3


def test_a_short_program_does_not_wake_who_sleeps(teams, monkeypatch):
    """The caller alone is sooner through with it. Programs in a row are shared."""
    monkeypatch.setenv("SLIPSTREAM_THREADS", "2")
    monkeypatch.setattr(threads, "AWAKE", 0.2)
    program, arrays, wanted = product(96)
    (first,) = program(arrays)
    assert teams[2].words[Word.GENERATION] == 0
    shared = [program(arrays)[0].copy() for _ in range(3)]
    assert teams[2].words[Word.GENERATION] == 3
    time.sleep(0.4)
    (last,) = program(arrays)
    assert teams[2].words[Word.GENERATION] == 3
    for found in (first, *shared, last):
        np.testing.assert_array_equal(found, first)
        np.testing.assert_allclose(found, wanted, atol=1e-4)


def test_a_long_program_wakes_who_sleeps(teams, monkeypatch):
    monkeypatch.setenv("SLIPSTREAM_THREADS", "2")
    monkeypatch.setattr(threads, "AWAKE", 0.0)
    program, arrays, _ = product(512)
    program(arrays)
    assert teams[2].words[Word.GENERATION] == 1


def test_threads_that_sleep_at_barriers_give_the_same_bits(teams, alone, monkeypatch):
    monkeypatch.setenv("SLIPSTREAM_THREADS", "3")
    threads.team().words[[Word.SPINS_BETWEEN, Word.SPINS_AT_BARRIER]] = 0
    for found, wanted in zip(weights_after(), alone, strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_a_team_that_is_stopped_ends_its_threads(teams, monkeypatch):
    monkeypatch.setenv("SLIPSTREAM_THREADS", "3")
    before = {*threading.enumerate()}
    known = threads.team()
    mine = {*threading.enumerate()} - before
    assert len(mine) == 2
    assert idle(known.words, 2)
    known.stop()
    for thread in mine:
        thread.join(30)
    assert not any(thread.is_alive() for thread in mine)


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


def test_functions_with_vector_mathematics_cost_more_than_an_addition():
    for primitive, (emitter, *_) in EMITTERS.items():
        assert (emitter.__module__ == math.__name__) == (primitive.facts.get("cost", 1) > 1)


@pytest.mark.parametrize(("name", "shared"), [("exp", True), ("negative", False)])
def test_a_small_kernel_of_transcendental_functions_is_shared(name, shared):
    x = np.ones((64, 128), np.float32)
    (step,) = schedule(trace(REGISTRY[name], types_of([x]), "small"), ()).steps
    ((kernel, _),) = step.calls
    assert kernels.is_shared(kernel) == shared
