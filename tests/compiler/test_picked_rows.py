"""Gather and scatter as kernels: in place, checked, the same as NumPy's."""

from __future__ import annotations

import numpy as np
import pytest

import slipstream as tf
from slipstream.compiler.pipeline import KernelStep, schedule
from slipstream.compiler.program import load
from slipstream.errors import InvalidArgumentError
from slipstream.ir.dtypes import float32, int64
from slipstream.ir.types import TensorType
from slipstream.primitives.indexing import gather, last_places
from slipstream.primitives.scattering import scatter_add, scatter_nd_update
from slipstream.primitives.structure import reshape, transpose
from slipstream.primitives.tracing import trace

TABLE = TensorType((50, 7), float32)
NAMES = TensorType((9,), int64)
ROWS = TensorType((9, 7), float32)


@pytest.fixture
def arrays() -> list[np.ndarray]:
    random = np.random.default_rng(0)
    table = random.normal(size=TABLE.shape).astype("f")
    return [table, random.integers(0, 50, 9), random.normal(size=ROWS.shape).astype("f")]


def test_a_scatter_into_a_variable_touches_its_rows_alone(arrays: list[np.ndarray]) -> None:
    """The table is written where it lies: no kernel copies it."""
    graph = trace(lambda t, i, x: scatter_add(t, i, x), [TABLE, NAMES, ROWS], "add")
    wanted = arrays[0].copy()
    np.add.at(wanted, arrays[1], arrays[2])
    (found,) = load(graph, ((0, 0),))(arrays)
    assert found is arrays[0]
    np.testing.assert_allclose(found, wanted, rtol=1e-6)
    planned = schedule(graph, ((0, 0),))
    assert planned.places.written == {planned.graph.outputs[0]: planned.graph.inputs[0]}


def test_of_equal_indices_the_last_is_kept(arrays: list[np.ndarray]) -> None:
    table, _, rows = arrays
    names = np.array([3, 3, 0, 49, 3, 1, 1, 0, 3])

    def put(t, i, x):
        return scatter_nd_update(t, reshape(i, shape=(9, 1)), x)

    (found,) = load(trace(put, [TABLE, NAMES, ROWS], "put"))([table, names, rows])
    wanted = table.copy()
    for name, row in zip(names, rows, strict=True):
        wanted[name] = row
    np.testing.assert_array_equal(found, wanted)
    (last,) = load(trace(lambda i: last_places(i, limit=50), [NAMES], "last"))([names])
    np.testing.assert_array_equal(last, [8, 8, 7, 3, 8, 6, 6, 7, 8])


def test_a_table_that_is_a_view_is_laid_out_first(arrays: list[np.ndarray]) -> None:
    def columns(t, i):
        return gather(transpose(t, permutation=(1, 0)), i, axis=1, batch_dims=0)

    (found,) = load(trace(columns, [TABLE, NAMES], "columns"))(arrays[:2])
    np.testing.assert_array_equal(found, arrays[0].T[:, arrays[1]])


def test_indices_are_checked_once_for_equal_tables(arrays: list[np.ndarray]) -> None:
    def twice(t, i, x):
        rows = gather(t, i, axis=0, batch_dims=0)
        return scatter_add(t, i, x), rows, gather(t + t, i, axis=0, batch_dims=0)

    planned = schedule(trace(twice, [TABLE, NAMES, ROWS], "twice"), ())
    assert all(isinstance(step, KernelStep) for step in planned.steps)
    assert len(planned.checks.nodes) == 1


@pytest.mark.parametrize("outside", [50, -1, 2**40])
def test_an_index_out_of_bounds_is_named_and_changes_nothing(
    arrays: list[np.ndarray], outside: int
) -> None:
    """Also not what the program would have written before it came to the index."""
    table, names, _ = arrays
    names[4] = outside

    def step(t, i, x):
        return scatter_add(t * 2, i, x), gather(t, i, axis=0, batch_dims=0)

    before = table.copy()
    program = load(trace(step, [TABLE, NAMES, ROWS], "step"), ((0, 0),))
    with pytest.raises(
        InvalidArgumentError, match=rf"indices\[4\] = {outside} is not in \[0, 50\)"
    ):
        program(arrays)
    np.testing.assert_array_equal(table, before)
    names[4] = 49
    wanted = before[names]
    np.testing.assert_array_equal(program(arrays)[1], wanted)


def test_an_embedding_out_of_bounds_stops_training_and_keeps_the_weights() -> None:
    layers = [tf.keras.layers.Embedding(10, 4), tf.keras.layers.Flatten(), tf.keras.layers.Dense(1)]
    model = tf.keras.Sequential([tf.keras.layers.Input((3,), dtype="int32"), *layers])
    model.compile("adam", "mse")
    x = np.arange(24).reshape(8, 3) % 10
    model.fit(x, np.ones((8, 1)), verbose=0)
    before = model.get_weights()
    x[2, 1] = 10
    with pytest.raises(InvalidArgumentError, match="= 10 is not in"):
        model.fit(x, np.ones((8, 1)), verbose=0, shuffle=False)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
