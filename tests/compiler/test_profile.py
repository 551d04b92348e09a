"""Programs that measure themselves: the same results, every kernel timed, exact work."""

import json
import threading

import numpy as np
import pytest
from comparison import types_of
from test_loops import loop

from slipstream.compiler.describe import bytes_touched, flops
from slipstream.compiler.kernels import Contraction, Mark, Picked, is_for_all
from slipstream.compiler.pipeline import KernelStep, schedule
from slipstream.compiler.profile import Profile
from slipstream.compiler.program import Program, load
from slipstream.compiler.table import COLUMNS, Machine, print_profile, rows, save_profile
from slipstream.primitives import REGISTRY
from slipstream.primitives.tracing import trace
from slipstream.runtime.executor import executor
from slipstream.runtime.function import function
from slipstream.runtime.inspection import profiling
from slipstream.runtime.tensor import EagerTensor

apply = REGISTRY.__getitem__
LABELS = {"x_labels": (0, 1), "y_labels": (1, 2), "out_labels": (0, 2)}


def numbers(*shape):
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def dense(x, w):
    """A contraction that all threads share, one that none does, and a reduction."""
    y = apply("tanh")(apply("contract")(x, w, **LABELS))
    rows = apply("slice")(y, starts=(0, 0), stops=(4, 150), steps=(1, 1))
    small = apply("contract")(rows, w, x_labels=(0, 1), y_labels=(2, 1), out_labels=(0, 2))
    return y, small, apply("sum")(y, axes=(1,))


@pytest.fixture(scope="module")
def machine():
    return Machine()


def profiled(graph, in_place=()):
    profile = Profile()
    return profile, profile.load(graph, in_place)


@pytest.mark.parametrize("threads", ["1", "2", "3"])
def test_the_same_bits_and_a_time_for_every_kernel(threads, monkeypatch):
    monkeypatch.setenv("SLIPSTREAM_THREADS", threads)
    arrays = [numbers(100, 125), numbers(125, 150)]
    graph = trace(dense, types_of(arrays), "dense")
    _, program = profiled(graph)
    for _ in range(3):
        found = program(arrays)
    for one, other in zip(found, load(graph)(arrays), strict=True):
        assert one.tobytes() == other.tobytes()
    measured = program.measured()
    calls = [c for s in schedule(graph, ()).steps if isinstance(s, KernelStep) for c in s.calls]
    assert [m.entry.flops for m in measured] == [
        flops(c[0], s.group) for s in schedule(graph, ()).steps for c in s.calls
    ]
    assert len(measured) == len(calls)
    assert {m.entry.is_shared for m in measured} == {True, False}
    for one in measured:
        assert one.calls == 3
        assert 0 < one.least <= one.total / 3
    assert sum(m.total for m in measured) <= program.nanoseconds
    assert program.runs_made == 3


def test_the_work_of_a_contraction_is_exact():
    arrays = [numbers(100, 125), numbers(125, 150)]  # near on any machine, so one kernel
    graph = trace(lambda x, w: apply("contract")(x, w, **LABELS), types_of(arrays), "product")
    (step,) = schedule(graph, ()).steps
    (call,) = step.calls
    assert isinstance(call[0], Contraction)
    assert flops(call[0], step.group) == 2 * 100 * 125 * 150
    assert bytes_touched(call) == 4 * (100 * 125 + 125 * 150 + 100 * 150)


def test_the_work_of_a_convolution_is_exact():
    arrays = [numbers(2, 9, 9, 3), numbers(3, 3, 3, 16)]
    geometry = {"strides": (1, 1), "low": (0, 0), "high": (0, 0), "dilation": (1, 1), "groups": 1}
    graph = trace(lambda x, w: apply("convolution")(x, w, **geometry), types_of(arrays), "c")
    (step,) = schedule(graph, ()).steps
    (call,) = step.calls
    assert flops(call[0], step.group) == 2 * (2 * 7 * 7 * 16) * (3 * 3 * 3)
    assert bytes_touched(call) == 4 * (2 * 9 * 9 * 3 + 3 * 3 * 3 * 16 + 2 * 7 * 7 * 16)


def test_the_bytes_of_a_nest_count_what_is_read_twice_once():
    arrays = [numbers(64, 8), numbers(8)]
    graph = trace(lambda x, y: apply("sum")(x * y + x, axes=(0,)), types_of(arrays), "nest")
    (step,) = schedule(graph, ()).steps
    (call,) = step.calls
    assert flops(call[0], step.group) is None
    assert bytes_touched(call) == 4 * (64 * 8 + 8 + 8)


def test_the_bytes_of_rows_that_are_picked():
    arrays = [numbers(100, 8), np.array([3, 3, 7])]
    graph = trace(lambda x, i: apply("gather")(x, i, axis=0, batch_dims=0), types_of(arrays), "g")
    (step,) = schedule(graph, ()).steps
    check, call = step.calls
    assert isinstance(call[0], Picked)
    assert bytes_touched(check) == 3 * 8
    assert bytes_touched(call) == 3 * 8 + 2 * 3 * 8 * 4


def test_many_steps_of_one_call_are_as_many_runs():
    arrays = [numbers(50, 7), numbers(7)]
    types = types_of([arrays[0][0], arrays[1]])
    graph = trace(lambda x, v: (apply("sum")(x * v, axes=(0,)), v + x), types, "step")
    _, program = profiled(graph, ((1, 1),))
    assert program.is_one_function
    program.repeat(arrays, 0, 50)
    assert program.runs_made == 50
    assert {m.calls for m in program.measured()} == {50}


def test_calls_to_numpy_are_timed():
    arrays = [numbers(6, 6)]
    graph = trace(lambda x: apply("svd")(apply("tanh")(x), full=False)[0], types_of(arrays), "s")
    _, program = profiled(graph)
    program(arrays)
    assert [m.entry.kind for m in program.measured()] == ["nest", "call-out"]
    assert program.measured()[1].entry.text == "svd 6x6 -> 6, 6x6, 6x6"


@pytest.mark.parametrize("threads", ["1", "2"])
@pytest.mark.parametrize("reverse", [False, True])
def test_the_kernels_of_a_loop_are_steps_of_it(threads, reverse, monkeypatch):
    monkeypatch.setenv("SLIPSTREAM_THREADS", threads)
    graph, arrays = loop(7, reverse)
    _, program = profiled(graph)
    for _ in range(2):
        found = program(arrays)
    for one, other in zip(found, load(graph)(arrays), strict=True):
        assert one.tobytes() == other.tobytes()
    steps = [m for m in program.measured() if m.entry.kind.startswith("step: ")]
    (product,) = [m.entry for m in steps if m.entry.kind == "step: contraction"]
    assert product.flops == 2 * 6 * 5 * 5
    assert "tanh" in product.text
    assert {m.calls for m in steps} == {14}
    assert sum(m.total for m in program.measured()) <= program.nanoseconds


def test_a_programs_frames_are_summed():
    """Two threads of Python in one program: each has a frame, and a clock of its own."""
    arrays = [numbers(100, 125), numbers(125, 150)]
    _, program = profiled(trace(dense, types_of(arrays), "dense"))
    program.release(program.frame())
    frames = [program.frame(), program.frame()]
    for frame in frames:
        program.release(frame)
    workers = [threading.Thread(target=program, args=(arrays,)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert {m.calls for m in program.measured()} == {4}


def test_programs_compiled_before_are_measured_and_run_unmeasured_after():
    @function
    def double(x):
        return x + x

    given = EagerTensor(numbers(3))
    double(given)
    native = executor()
    with profiling() as profile:
        double(given)
    assert executor() is native
    double(given)
    (loaded,) = profile.loaded
    assert loaded.program.runs_made == 1
    assert loaded.program.planned.graph.name == "double"
    assert loaded.planning > 0 and loaded.coding > 0


def test_the_executor_comes_back_after_an_error():
    native = executor()
    with pytest.raises(KeyError), profiling():
        raise KeyError
    assert executor() is native


def test_marks_stand_between_kernels_with_the_barriers_that_they_need():
    arrays = [numbers(100, 125), numbers(125, 150)]
    graph = trace(dense, types_of(arrays), "dense")
    _, program = profiled(graph)
    calls = [call for step in program.planned.steps for call in step.calls]
    found, plain = program._segment(calls), Program._segment(program, calls)
    start, *marks = found.calls[::2]
    assert found.calls[1::2] == plain.calls
    assert start[0].is_start and not any(mark.is_start for mark, _ in marks)
    assert len({slots for _, slots in marks}) == len(marks) == len(calls)
    assert all(isinstance(found.calls[n][0], Mark) for n in found.barriers)
    shared = [is_for_all(kernel) for kernel, _ in plain.calls] + [False]
    waits = [n for n in range(len(calls)) if shared[n] or shared[n + 1]]
    assert list(found.barriers) == [2 * n + 2 for n in waits]


def test_the_table(capsys, machine):
    arrays = [numbers(100, 125), numbers(125, 150)]
    profile, program = profiled(trace(dense, types_of(arrays), "dense"))
    program(arrays)
    print_profile(profile, top=2)
    printed = capsys.readouterr().out
    assert "dense of float32(100x125), float32(125x150): 1 runs" in printed
    assert "contract 100x125, 125x150 -> 100x150; then tanh" in printed
    assert "2 others" in printed and "Peak" in printed
    shown = rows(program, machine, 9, False)
    assert {len(row) for row in shown} == {len(COLUMNS)}
    shares = [float(row[7].rstrip("%")) for row in shown if row[7]]
    assert sum(shares) == pytest.approx(100, abs=1)
    by_least = rows(program, machine, 9, True)
    assert sum(float(row[7].rstrip("%")) for row in by_least if row[7]) == pytest.approx(100, abs=1)


def test_nothing_to_print(capsys):
    print_profile(Profile())
    assert capsys.readouterr().out == "No compiled program has run.\n"


def test_a_profile_as_json(tmp_path):
    arrays = [numbers(100, 125), numbers(125, 150)]
    profile, program = profiled(trace(dense, types_of(arrays), "dense"))
    program(arrays)
    save_profile(profile, tmp_path / "profile.json")
    held = json.loads((tmp_path / "profile.json").read_text())
    assert held["peak"]["all"] > 0
    (one,) = held["programs"]
    assert (one["name"], one["runs"], one["inputs"][0]) == ("dense", 1, "float32[100,125]")
    assert one["kernels"][0]["flops"] == 2 * 100 * 125 * 150
