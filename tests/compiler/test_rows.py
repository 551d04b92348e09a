"""Updates of tables of which a batch names few rows: the same bits as by the whole gradient."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from unittest import mock

import numpy as np
import pytest
from comparison import check, check_bits, types_of

from slipstream.compiler import pipeline, recipe
from slipstream.compiler.kernels import Picked
from slipstream.compiler.passes import rows
from slipstream.compiler.pipeline import KernelStep, schedule
from slipstream.compiler.program import Program, load
from slipstream.errors import InvalidArgumentError
from slipstream.primitives import REGISTRY
from slipstream.primitives.tracing import trace

apply = REGISTRY.__getitem__
ROWS, NAMED = 300, 9


@contextmanager
def never():
    """Gradients as large as their tables."""
    with mock.patch.object(pipeline, "by_rows", lambda found, _: [*found]):
        yield


@pytest.fixture(autouse=True)
def small_tables(monkeypatch):
    monkeypatch.setattr(rows, "LARGE", 1)
    monkeypatch.setattr(recipe, "key_of", lambda *_: None)


def numbers(*shape, dtype="float32", seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def operands(width, index="int64", dtype="float32", named=NAMED):
    """Table, two moments, names (some of them equal), rows to add, a rate."""
    names = np.random.default_rng(1).integers(0, ROWS, named).astype(index)
    names[1::3] = names[0]
    tables = [numbers(ROWS, width, dtype=dtype, seed=n) for n in range(3)]
    tables[2] = abs(tables[2])
    given = numbers(named, width, dtype=dtype, seed=4)
    return [*tables, names, given, np.asarray(0.01, dtype)]


def gradient(table, names, given):
    zeros = apply("broadcast_to")(table.coerce(0), shape=table.shape)
    return apply("scatter_add")(zeros, names, given)


def adam(table, mean, spread, names, given, rate):
    g = gradient(table, names, given)
    mean = mean + (g - mean) * 0.1
    spread = spread + (g * g - spread) * 0.001
    return table - rate * mean / (apply("sqrt")(spread) + 1e-7), mean, spread


def momentum(table, mean, spread, names, given, rate):
    mean = mean * 0.9 - rate * gradient(table, names, given)
    return table + mean, mean, spread


def decayed(table, mean, spread, names, given, rate):
    return (table - rate * (gradient(table, names, given) + table * 0.01),)


def drawn(function, arrays):
    return trace(function, types_of(arrays), "test")


def is_by_rows(graph):
    """Whether no scatter makes an array as large as the table."""
    steps = [step for step in schedule(graph, ()).steps if isinstance(step, KernelStep)]
    picks = [k for step in steps for k, _ in step.calls if isinstance(k, Picked)]
    adds = [k for k in picks if k.how == "add"]
    assert adds
    return all(k.rows == k.count for k in adds)


@pytest.mark.parametrize("function", [adam, momentum, decayed])
@pytest.mark.parametrize("width", [1, 7, 32, 33])
def test_updates_are_the_same_bits_as_by_the_whole_gradient(function, width):
    arrays = operands(width)
    graph = drawn(function, arrays)
    assert is_by_rows(graph)
    check(graph, arrays)
    found = load(graph, ())(arrays)
    with never():
        assert not is_by_rows(graph)
        wanted = load(graph, ())(arrays)
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("index", ["int32", "int64"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_variables_are_overwritten_where_they_lie(index, dtype):
    given = operands(16, index, dtype)
    graph = drawn(adam, given)
    results = []
    for way in (nullcontext, never):
        with way():
            arrays = [a.copy() for a in given]
            program = load(graph, ((0, 0), (1, 1), (2, 2)))
            for _ in range(3):
                found = program(arrays)
            assert [a is b for a, b in zip(found, arrays[:3], strict=True)] == [True] * 3
            results.append(arrays[:3])
    for one, other in zip(*results, strict=True):
        np.testing.assert_array_equal(one, other)
    planned = schedule(graph, ((0, 0), (1, 1), (2, 2)))
    assert len(planned.places.written) == 3
    assert planned.places.arena_bytes < given[0].nbytes  # the last places, and a few rows


def test_any_number_of_threads_gives_the_same_bits(monkeypatch):
    arrays = operands(32)
    graph = drawn(adam, arrays)
    assert is_by_rows(graph)
    check_bits(graph, arrays, monkeypatch)


def clipped(table, mean, spread, names, given, rate):
    """All of the gradient is needed for its norm."""
    g = gradient(table, names, given)
    norm = apply("sqrt")(apply("sum")(g * g, axes=(0, 1)))
    return (table - rate * g / norm,)


def given_back(table, mean, spread, names, given, rate):
    g = gradient(table, names, given)
    return table - rate * g, g


def by_columns(table, mean, spread, names, given, rate):
    return (
        table
        - gradient(table, names, given)
        * apply("slice")(given, starts=(0, 0), stops=(1, table.shape[1]), steps=(1, 1)),
    )


def twice(table, mean, spread, names, given, rate):
    g = gradient(table, names, given) + gradient(table, apply("reverse")(names, axes=(0,)), given)
    return (table - rate * g,)


@pytest.mark.parametrize("function", [clipped, given_back, by_columns, twice])
def test_other_uses_of_the_gradient(function):
    arrays = operands(8)
    check(drawn(function, arrays), arrays)


def test_many_named_rows_are_worth_the_whole_gradient():
    arrays = operands(8, named=ROWS // 2)
    graph = drawn(adam, arrays)
    assert not is_by_rows(graph)
    check(graph, arrays)


def test_a_name_out_of_bounds_changes_nothing():
    arrays = operands(8)
    arrays[3][4] = ROWS
    before = [a.copy() for a in arrays]
    program = Program(
        schedule(drawn(adam, arrays), ((0, 0), (1, 1), (2, 2))), ((0, 0), (1, 1), (2, 2))
    )
    with pytest.raises(InvalidArgumentError, match="300"):
        program(arrays)
    for array, old in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(array, old)
