"""Programs that were compiled before are found again, without a pass being run."""

from __future__ import annotations

import numpy as np
import pytest
from comparison import types_of

from slipstream.compiler import cache, program, recipe
from slipstream.compiler.recipe import Recipe
from slipstream.compiler.target import target
from slipstream.errors import InvalidArgumentError
from slipstream.primitives import REGISTRY
from slipstream.primitives.operand import constant
from slipstream.primitives.tracing import trace

apply = REGISTRY.__getitem__
IN_PLACE = ((2, 1), (0, 2))
ARRAYS = [
    np.linspace(-1, 1, 40, dtype=np.float32).reshape(8, 5),
    np.array([3, 0, 7], np.int32),
    np.arange(5, dtype=np.float32),
]


@pytest.fixture(autouse=True)
def empty(tmp_path, monkeypatch):
    monkeypatch.setenv("SLIPSTREAM_HOME", str(tmp_path))


def step(scale=2.0):
    """Rows that are picked, a sum, two variables' new contents (one of them a copy)."""

    def function(x, i, v):
        rows = apply("gather")(x, i, axis=0, batch_dims=0)
        total = apply("sum")(apply("tanh")(rows) * scale, axes=(0,))
        return total, v + total, apply("reverse")(x, axes=(0,))

    return trace(function, types_of(ARRAYS), "step")


def run(loaded):
    arrays = [a.copy() for a in ARRAYS]
    return [np.array(a) for a in loaded(arrays)]


def test_a_program_is_recalled_with_the_same_bits(monkeypatch):
    first = program.load(step(), IN_PLACE)
    assert type(first) is program.Program

    def forbidden(*_):
        raise AssertionError("a pass was run")

    monkeypatch.setattr(program, "schedule", forbidden)
    second = program.load(step(), IN_PLACE)
    assert type(second) is program.Recalled
    assert second.recipe == first.recipe
    assert second.is_one_function == first.is_one_function
    for one, other in zip(run(first), run(second), strict=True):
        assert one.tobytes() == other.tobytes()


def test_a_recalled_program_tells_of_faults():
    program.load(step(), IN_PLACE)
    again = program.load(step(), IN_PLACE)
    bad = [ARRAYS[0].copy(), np.array([3, 9, 7], np.int32), ARRAYS[2].copy()]
    with pytest.raises(InvalidArgumentError, match=r"(?s)gather.*9.*test_recipe\.py"):
        again(bad)
    np.testing.assert_array_equal(bad[2], ARRAYS[2])  # the variable keeps its content


def test_other_numbers_and_other_variables_are_other_programs():
    chosen = target()
    keys = {
        recipe.key_of(step(), IN_PLACE, chosen),
        recipe.key_of(step(3.0), IN_PLACE, chosen),
        recipe.key_of(step(), (), chosen),
    }
    assert len(keys) == 3
    assert recipe.key_of(step(), IN_PLACE, chosen) in keys


@pytest.mark.parametrize("damage", ["recipe", "code", "both"])
def test_what_is_missing_is_compiled_anew(damage):
    wanted = run(program.load(step(), IN_PLACE))
    key = recipe.key_of(step(), IN_PLACE, target())
    for path in cache.folder().iterdir():
        if damage == "both" or (path.name == key) == (damage == "recipe"):
            path.write_bytes(path.read_bytes()[:-1])
    again = program.load(step(), IN_PLACE)
    assert type(again) is program.Program
    for one, other in zip(run(again), wanted, strict=True):
        assert one.tobytes() == other.tobytes()


def test_calls_to_numpy_are_planned_anew():
    arrays = [np.eye(4, dtype=np.float32)]
    graph = trace(lambda x: apply("svd")(x, full=False)[0], types_of(arrays), "svd")
    program.load(graph)
    assert type(program.load(graph)) is program.Program


def test_large_constants_are_not_kept():
    large = np.zeros(recipe.LARGEST // 4 + 1, np.float32)
    graph = trace(lambda x: x + constant(large), types_of([large]), "large")
    assert recipe.key_of(graph, (), target()) is None


def test_a_recipe_is_what_was_packed():
    known = program.load(step(), IN_PLACE).recipe
    assert Recipe.unpacked(known.packed()) == known
