"""Programs that check their memory: faults planted in records are found, and named."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from comparison import types_of
from test_loops import loop
from training import keras, layers, weights_after

from slipstream.compiler import guards
from slipstream.compiler.accesses import walks
from slipstream.compiler.bounds import check_plan
from slipstream.compiler.guards import GuardedProgram
from slipstream.compiler.kernels import Access, Load, LoopNest, Store, TimeLoop
from slipstream.compiler.memory import GUARD, Memory, pattern, unwritten
from slipstream.compiler.pipeline import KernelStep, schedule
from slipstream.compiler.program import load
from slipstream.errors import InternalError, InvalidArgumentError
from slipstream.ir.dtypes import DType, bool_, float32, float64, int32, int64, uint8
from slipstream.ir.types import TensorType
from slipstream.primitives import REGISTRY
from slipstream.primitives.tracing import trace

apply = REGISTRY.__getitem__
LABELS = {"x_labels": (0, 1), "y_labels": (1, 2), "out_labels": (0, 2)}


def numbers(*shape):
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def step(x, w, v):
    """Three kernels: a product, a sum that makes a variable's new content, an output."""
    y = apply("contract")(x, w, **LABELS)
    return apply("tanh")(apply("sum")(y * y, axes=(1,))), v + apply("sum")(y, axes=(0,))


ARRAYS = [numbers(6, 20), numbers(20, 37), numbers(37)]
IN_PLACE = ((2, 1),)


def planned():
    return schedule(trace(step, types_of(ARRAYS), "step"), IN_PLACE)


def broken(at, change):
    """The program in which a function of a kernel's record has changed that of one step."""
    found = planned()
    kernels = [n for n, s in enumerate(found.steps) if isinstance(s, KernelStep)]
    number = kernels[at]
    (kernel, values), *rest = found.steps[number].calls
    calls = ((change(kernel), values), *rest)
    found.steps[number] = replace(found.steps[number], calls=calls)
    return found


def store_moved(**moved):
    """A change of the access of a kernel's first store."""

    def change(kernel):
        first, *rest = kernel.stores
        return replace(
            kernel, stores=(replace(first, access=replace(first.access, **moved)), *rest)
        )

    return change


def load_moved(**moved):
    """A change of the access of a kernel's first load."""

    def change(kernel):
        place = next(n for n, i in enumerate(kernel.body) if isinstance(i, Load))
        body = [*kernel.body]
        body[place] = replace(body[place], access=replace(body[place].access, **moved))
        return replace(kernel, body=tuple(body))

    return change


def shortened(kernel):
    """The nest without the last index of its first axis."""
    return replace(kernel, shape=(kernel.shape[0] - 1, *kernel.shape[1:]))


def run(plan):
    return GuardedProgram(plan, IN_PLACE)([a.copy() for a in ARRAYS])


def test_the_results_are_those_of_the_program_to_the_bit():
    graph = trace(step, types_of(ARRAYS), "step")
    mine, theirs = [a.copy() for a in ARRAYS], [a.copy() for a in ARRAYS]
    found, wanted = guards.load(graph, IN_PLACE)(mine), load(graph, IN_PLACE)(theirs)
    for one, other in zip(found, wanted, strict=True):
        assert one.tobytes() == other.tobytes()
    assert found[1] is mine[2]
    assert mine[2].tobytes() == theirs[2].tobytes()
    assert mine[0].tobytes() == ARRAYS[0].tobytes()


def test_many_steps_are_those_of_the_program_to_the_bit():
    types = types_of([ARRAYS[0], *ARRAYS[1:]])
    graph = trace(step, types, "step")
    turns = numbers(5, 6, 20)
    mine, theirs = ([turns, *(a.copy() for a in ARRAYS[1:])] for _ in range(2))
    found = guards.load(graph, IN_PLACE).repeat(mine, 0, 5)
    wanted = load(graph, IN_PLACE).repeat(theirs, 0, 5)
    for one, other in zip(found, wanted, strict=True):
        assert one.tobytes() == other.tobytes()
    assert mine[2].tobytes() == theirs[2].tobytes()


@pytest.mark.parametrize("reverse", [False, True])
def test_loops_step_through_a_guarded_body(reverse):
    graph, arrays = loop(5, reverse)
    for one, other in zip(guards.load(graph)(arrays), load(graph)(arrays), strict=True):
        assert one.tobytes() == other.tobytes()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda e: replace(e, step=2 * e.step or 8), r"in turn \d+, step \d+, \w+ bytes \d+ to"),
        (lambda e: replace(e, offset=e.offset - 4), r"in turn 0, step \d+, \w+ bytes -4 to"),
    ],
)
def test_an_address_that_leaves_its_buffer_in_some_turn_is_found(change, said):
    graph, _ = loop(5, False)
    plan = schedule(graph, ())
    check_plan(plan)
    at, number = next(
        (n, k)
        for n, one in enumerate(plan.steps)
        for k, call in enumerate(one.calls)
        if isinstance(call[0], TimeLoop)
    )
    calls = [*plan.steps[at].calls]
    record, values = calls[number]
    calls[number] = replace(record, entries=tuple(map(change, record.entries))), values
    plan.steps[at] = replace(plan.steps[at], calls=tuple(calls))
    with pytest.raises(InternalError, match=rf"\[scan\] kernel \d+ \(loop: 5 steps of .* {said}"):
        check_plan(plan)


def test_the_kernels_of_a_loop_are_looked_at_one_by_one(monkeypatch):
    looked, look = [], GuardedProgram.look

    def looking(self, place, *given):
        looked.append((self.planned.graph.name, place.number))
        look(self, place, *given)

    monkeypatch.setattr(GuardedProgram, "look", looking)
    graph, arrays = loop(5, False)
    guards.load(graph)(arrays)
    kernels = {number for name, number in looked if name == "body"}
    assert len(kernels) > 1
    assert all(looked.count(("body", number)) == 5 for number in kernels)


def test_texts_are_numpys_alone():
    words = np.array(["one", "two"], object)
    graph = trace(lambda x, y: apply("equal")(x, y), types_of([words, words]), "texts")
    (found,) = guards.load(graph)([words, words[::-1]])
    np.testing.assert_array_equal(found, [False, False])


def test_what_numpy_makes_is_guarded():
    graph = trace(
        lambda x: apply("svd")(x + x, full=False)[0] * 2.0, types_of([numbers(4, 4)]), "s"
    )
    (found,), (wanted,) = guards.load(graph)([numbers(4, 4)]), load(graph)([numbers(4, 4)])
    assert found.tobytes() == wanted.tobytes()


# --- faults in records ---


@pytest.mark.parametrize(
    ("at", "change", "said"),
    [
        (1, store_moved(offset=1), "writes elements 1 to 6 of 4 bytes; expected 0 to 5"),
        (1, store_moved(offset=-1), "writes elements -1 to 4 of 4 bytes; expected 0 to 5"),
        (1, load_moved(strides=(38, 1)), "reads elements 0 to 226 of 4 bytes; expected 0 to 221"),
        (1, load_moved(offset=10), "reads elements 10 to 231 of 4 bytes; expected 0 to 221"),
        (0, lambda k: replace(k, offsets=(1, 0)), "reads elements 1 to 120 of 4 bytes"),
        (0, lambda k: replace(k, offsets=(0, -3)), "reads elements -3 to 736 of 4 bytes"),
    ],
)
def test_an_access_that_leaves_its_buffer_is_found_before_it_runs(at, change, said):
    plan = broken(at, change)
    with pytest.raises(InternalError) as raised:
        check_plan(plan)
    text = str(raised.value)
    assert text.startswith(f"[{plan.steps[at].group.nodes[0].operation.name}] kernel {at + 1} (")
    assert said in text and "received buffer=" in text and ": float32[" in text
    assert f"\n  at {__file__}:" in text


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (store_moved(offset=1), "has written byte 1 after a buffer; expected no change around"),
        (store_moved(offset=7), "has written byte 5 after a buffer"),
        (store_moved(offset=-1), "has written byte 4 before a buffer"),
        (store_moved(strides=(-1, 0)), "has written byte 20 before a buffer"),
        (shortened, "has left element (5,) unwritten"),
        (load_moved(offset=10), "or computed it from what nobody wrote"),
    ],
)
def test_what_a_kernel_does_beside_its_buffers_is_found_when_it_has_run(change, said):
    with pytest.raises(InternalError) as raised:
        run(broken(1, change))
    text = str(raised.value)
    assert text.startswith("[sum] kernel 2 (nest: ")
    assert said in text
    assert f"\n  at {__file__}:" in text


def distance(plan, one, other):
    """Elements from the beginning of one value's array to that of another's, in a frame."""
    program = GuardedProgram(plan, IN_PLACE)
    places = program._filled(ARRAYS).memory.places
    return (places[program.slots[other]][0] - places[program.slots[one]][0]) // 4


def test_an_array_that_a_kernel_does_not_write_must_stay():
    plan = planned()
    (value,) = plan.steps[1].written
    offset = distance(plan, value, plan.graph.inputs[1])
    with pytest.raises(
        InternalError, match=r"kernel 2 .* has changed a buffer that it does not write"
    ):
        run(broken(1, store_moved(offset=offset)))


def test_an_input_must_stay_where_a_program_is_too_large_to_compare(monkeypatch):
    plan = planned()
    (value,) = plan.steps[1].written
    offset = distance(plan, value, plan.graph.inputs[1])
    monkeypatch.setattr(guards, "SMALL", 0)
    monkeypatch.setattr(guards, "unwritten", lambda array, dtype: None)
    with pytest.raises(InternalError, match=r"\[step\] a kernel .* has written an input"):
        run(broken(1, store_moved(offset=offset)))


# --- faults in the plan ---


def test_values_that_live_together_must_not_share_memory():
    plan = planned()
    first, second, *_ = plan.places.arena
    plan.places.arena[second] = plan.places.arena[first]
    with pytest.raises(InternalError, match="reads what is not in memory any more, or not yet"):
        check_plan(plan)


def test_an_old_content_must_not_be_read_after_the_new_one_is_written():
    plan = planned()
    variable, new = plan.graph.inputs[2], plan.graph.outputs[1]
    plan.steps.append(replace(plan.steps[-1], calls=(copy_of(variable, plan.graph.outputs[0]),)))
    with pytest.raises(InternalError, match="reads what is not in memory any more"):
        check_plan(plan)
    del plan.places.written[new]
    check_plan(plan)


def copy_of(value, other):
    """A kernel that copies the first elements of one array to another."""
    size = min(value.type.size, other.type.size)
    access = Access(0, 0, (1,))
    store = Store(replace(access, buffer=1), 0, float32)
    return LoopNest((size,), (False,), (Load(access, float32),), (store,)), (value, other)


def test_what_is_not_made_yet_must_not_be_read():
    plan = planned()
    plan.steps.reverse()
    with pytest.raises(InternalError, match="reads what is not in memory any more, or not yet"):
        check_plan(plan)


# --- memory ---


def test_arrays_lie_between_guard_zones():
    memory = Memory({3: TensorType((3, 5), float32), 8: TensorType((), bool_)})
    assert np.isnan(memory.arrays[3]).all() and memory.arrays[3].shape == (3, 5)
    for array in memory.arrays.values():
        array[...] = 1
    assert memory.trespass() is None
    for slot, place, distance in (
        (3, memory.places[3][1], 1), (3, memory.places[3][1] + GUARD - 1, GUARD),
        (3, memory.places[3][0] - 1, -1), (8, memory.places[8][0] - 2, -2),
    ):  # fmt: skip
        old, memory.bytes[place] = memory.bytes[place], 0
        assert memory.trespass() == (slot, distance)
        memory.bytes[place] = old
    assert memory.trespass() is None


def test_a_change_of_other_arrays_is_seen():
    memory = Memory({0: TensorType((4,), int32), 1: TensorType((4,), int32)})
    before = memory.bytes.copy()
    memory.arrays[1][2] = 7
    assert memory.changed(before, {1}) is None
    assert memory.changed(before, {0}) == 1


@pytest.mark.parametrize("dtype", [float32, float64, bool_, int64])
def test_one_element_that_nobody_wrote_is_seen(dtype):
    array = np.ones(7, dtype.numpy)
    assert unwritten(array, dtype) is None
    array.view(np.uint8)[3 * dtype.size : 4 * dtype.size] = bits(dtype)
    assert unwritten(array, dtype) == 3


def bits(dtype: DType):
    return np.array([pattern(dtype)], np.uint64).view(np.uint8)[: dtype.size]


def test_chance_may_make_what_looks_unwritten():
    random = np.random.default_rng(0).integers(0, 256, 10_000).astype(np.uint8)
    assert unwritten(random, uint8) is None
    assert unwritten(np.full(20, 0xCB, np.uint8), uint8) == 0
    once = np.array([5, -0x34343435], np.int32)
    assert unwritten(once, int32) is None
    assert unwritten(once[[1, 1, 0]], int32) == 0


def test_what_is_computed_from_the_pattern_holds_it():
    """Sums, products and roots of a quiet NaN keep its bits."""
    memory = Memory({0: TensorType((8,), float32)})
    assert unwritten(np.sqrt(memory.arrays[0] * 2 + 1), float32) == 0


def test_the_walks_of_a_record_are_what_numpy_would_touch():
    found = [*walks(planned().steps[0].calls[0][0])]
    assert [(w.buffer, w.writes) for w in found] == [(0, False), (1, False), (2, True), (3, True)]
    assert [w.count for w in found] == [6 * 20, 20 * 37, 6 * 37, 6 * 37]
    assert [w.reach for w in found] == [(0, 119), (0, 739), (0, 221), (0, 221)]


# --- the switch ---


def test_training_and_prediction_are_the_same_bits(monkeypatch):
    wanted = weights_after()
    monkeypatch.setenv("SLIPSTREAM_DEBUG", "1")
    looked, look = set(), GuardedProgram.look

    def looking(self, *given):
        looked.add(self.planned.graph.name)
        look(self, *given)

    monkeypatch.setattr(GuardedProgram, "look", looking)
    for one, other in zip(weights_after(), wanted, strict=True):
        assert one.tobytes() == other.tobytes()
    assert "train_step" in looked


@pytest.mark.parametrize("debug", ["0", "1"])
def test_prediction_and_recurrence(debug, monkeypatch):
    keras.utils.set_random_seed(5)
    model = keras.Sequential([layers.Input((7, 3)), layers.LSTM(9), layers.Dense(4)])
    x = numbers(10, 7, 3)
    wanted = model.predict(x, verbose=0)
    monkeypatch.setenv("SLIPSTREAM_DEBUG", debug)
    again = keras.Sequential([layers.Input((7, 3)), layers.LSTM(9), layers.Dense(4)])
    again.set_weights(model.get_weights())
    assert again.predict(x, verbose=0).tobytes() == wanted.tobytes()


def test_indices_out_of_bounds_are_still_the_users_error():
    graph = trace(lambda x, i: apply("gather")(x, i, axis=0, batch_dims=0),
                  types_of([numbers(4, 3), np.array([0])]), "g")  # fmt: skip
    with pytest.raises(InvalidArgumentError, match="gather"):
        guards.load(graph)([numbers(4, 3), np.array([4])])


def test_the_checks_load_only_where_they_are_asked_for():
    """A process that compiles nothing spends half of its first step on loading modules."""
    text = "import sys, slipstream.runtime.native; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
    names = done.stdout.split()
    assert "slipstream.compiler.program" in names
    assert not {f"slipstream.compiler.{name}" for name in ("guards", "bounds", "memory")} & {*names}
