"""Whole programs: odd sizes, views, reductions together; variables written where they lie."""

from __future__ import annotations

import numpy as np
import pytest
from comparison import check, types_of

from slipstream.compiler.program import load
from slipstream.errors import InvalidArgumentError
from slipstream.ir.dtypes import as_dtype
from slipstream.primitives import REGISTRY
from slipstream.primitives.evaluate import evaluate
from slipstream.primitives.tracing import trace

SIZES = (0, 1, 3, 16, 17, 33, 100)
apply = REGISTRY.__getitem__


def normal(*shape, dtype="float32"):
    generator = np.random.default_rng(sum(shape))
    return (generator.normal(size=shape) * 3).astype(dtype)


def drawn(function, arrays):
    return trace(function, types_of(arrays), "test")


@pytest.mark.parametrize("rows", SIZES)
@pytest.mark.parametrize("columns", SIZES)
def test_fused_work_of_any_size(rows, columns):
    def function(x, y):
        z = apply("maximum")(x * y, y - x)
        return (
            z,
            apply("transpose")(z + 1.0, permutation=(1, 0)),
            apply("sum")(z, axes=(0,)),
            apply("max")(apply("absolute")(z), axes=(1,)) if columns else z,
            apply("sum")(x * x, axes=(0, 1)),
        )

    arrays = [normal(rows, columns), normal(columns)]
    check(drawn(function, arrays), arrays)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int8", "uint8", "int64", "bool"])
def test_views_of_views(dtype):
    def function(x):
        turned = apply("transpose")(x, permutation=(2, 0, 1))
        part = apply("slice")(turned, starts=(0, 1, 0), stops=(5, 4, 3), steps=(2, 2, 1))
        back = apply("reverse")(part, axes=(0, 2))
        flat = apply("reshape")(back, shape=(-1,))
        return flat, back, apply("equal")(back, back), apply("reshape")(x, shape=(4, 15))

    arrays = [normal(4, 3, 5).astype(dtype)]
    check(drawn(function, arrays), arrays)


@pytest.mark.parametrize("source", ["float32", "float64", "int8", "uint16", "int64", "bool"])
@pytest.mark.parametrize("wanted", ["float32", "float64", "int8", "uint8", "int32", "bool"])
def test_casts_stop_at_the_ends(source, wanted):
    values = np.array([0, 1, -1, 1e10, -1e10, np.nan, np.inf, -np.inf, 2.5, -2.5, 300, 127.9])
    with np.errstate(all="ignore"):
        arrays = [values.astype(source)]
    check(drawn(lambda x: apply("cast")(x, dtype=as_dtype(wanted)), arrays), arrays)


def test_a_group_does_not_wait_for_itself():
    def function(x):
        y = x * x
        mean = apply("reshape")(apply("sum")(y, axes=(1,)), shape=(7, 1))
        return y - mean, apply("sum")((y - mean) * y, axes=(0,))

    arrays = [normal(7, 9)]
    check(drawn(function, arrays), arrays)


def test_programs_return_arrays_of_their_own():
    arrays = [normal(5), np.float32(2.0).reshape(())]
    graph = drawn(lambda x, y: (x, x, apply("reshape")(x, shape=(5, 1)), y, x.coerce(3)), arrays)
    outputs = load(graph, ())(arrays)
    for output in outputs:
        assert not any(np.shares_memory(output, a) for a in arrays)
    assert not np.shares_memory(outputs[0], outputs[1])
    check(graph, arrays)


@pytest.mark.parametrize(
    "function",
    [
        lambda x, y: (x + y, x * y),
        lambda x, y: (y, x),
        lambda x, y: (x - apply("sum")(x, axes=(0,)), y + x),
        lambda x, y: (apply("reverse")(x, axes=(0,)), apply("reverse")(x, axes=(0,)) + y),
        lambda x, y: (apply("cumulative_sum")(y, axis=0, exclusive=False, reverse=False), x),
    ],
)
def test_variables_are_written_where_they_lie(function):
    variables = [normal(37), normal(37) + 1]
    graph = drawn(function, variables)
    expected = evaluate(graph, [v.copy() for v in variables])
    outputs = load(graph, ((0, 0), (1, 1)))(variables)
    for variable, output, wanted in zip(variables, outputs, expected, strict=True):
        assert output is variable
        np.testing.assert_allclose(variable, wanted, rtol=1e-5, atol=1e-5)


def test_a_failing_call_leaves_variables_alone():
    def function(x, y):
        return x + 1.0, apply("floor_divide")(y, y)

    graph = drawn(function, [normal(5), np.arange(5)])
    variable = normal(5)
    with pytest.raises(InvalidArgumentError, match="division by zero"):
        load(graph, ((0, 0),))([variable, np.arange(5)])
    np.testing.assert_array_equal(variable, normal(5))
