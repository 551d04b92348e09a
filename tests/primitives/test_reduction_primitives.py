"""Reductions and scans where the registry's random samples do not reach."""

import ml_dtypes
import numpy as np
import pytest

from slipstream.autodiff import differentiate
from slipstream.errors import InvalidArgumentError
from slipstream.ir.dtypes import from_numpy, int64
from slipstream.ir.types import TensorType
from slipstream.primitives import REGISTRY
from slipstream.primitives.evaluate import evaluate
from slipstream.primitives.tracing import trace


def meaning(name, *arrays, **params):
    return REGISTRY[name].compute(arrays, params)[0]


def gradient(name, x, **params):
    graph = trace(lambda t: REGISTRY[name](t, **params), [TensorType(x.shape, from_numpy(x.dtype))])
    seed = np.ones(graph.outputs[0].type.shape, x.dtype)
    return evaluate(differentiate(graph, (True,)), [x, seed])[0]


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_narrow_floats_are_added_up_in_float32(dtype):
    x = np.full(3000, 0.1, dtype)
    wanted = np.float32(x[0]) * 3000
    assert abs(float(meaning("sum", x, axes=(0,))) - wanted) <= wanted * ml_dtypes.finfo(dtype).eps
    partial = meaning("cumulative_sum", x, axis=0, exclusive=False, reverse=False)
    assert abs(float(partial[-1]) - wanted) <= wanted * ml_dtypes.finfo(dtype).eps


def test_the_extrema_of_nothing_are_the_ends_of_the_dtype():
    empty = np.zeros((0, 2), np.float32)
    assert meaning("max", empty, axes=(0,)).tolist() == [-np.inf, -np.inf]
    assert meaning("min", empty.astype(np.int8), axes=(0,)).tolist() == [127, 127]


def test_equal_extrema_share_the_derivative():
    x = np.array([1.0, 3.0, 3.0, 2.0])
    assert gradient("max", x, axes=(0,)).tolist() == [0, 0.5, 0.5, 0]


def test_the_derivative_of_a_product_with_zeros():
    assert gradient("product", np.array([2.0, 0, 5]), axes=(0,)).tolist() == [0, 10, 0]
    assert gradient("product", np.array([2.0, 0, 0]), axes=(0,)).tolist() == [0, 0, 0]


def test_the_first_of_equal_extrema_is_named():
    x = np.array([[1, 3, 3], [2, 0, 0]])
    assert meaning("argmax", x, axis=1, dtype=int64).tolist() == [1, 0]
    assert meaning("argmin", x, axis=1, dtype=int64).tolist() == [0, 1]


def test_an_empty_axis_has_no_extreme_element():
    with pytest.raises(InvalidArgumentError, match="non-empty"):
        REGISTRY["argmax"].infer((TensorType((0,), int64),), {"axis": 0, "dtype": int64})


def test_cumulative_logsumexp_keeps_small_beginnings_and_large_ends():
    x = np.array([-1000.0, 0.0, 1000.0])
    found = meaning("cumulative_logsumexp", x, axis=0, exclusive=False, reverse=False)
    assert found.tolist() == [-1000, 0, 1000]
    shifted = meaning("cumulative_logsumexp", x, axis=0, exclusive=True, reverse=False)
    assert shifted.tolist() == [-np.inf, -1000, 0]
    slopes = gradient("cumulative_logsumexp", x, axis=0, exclusive=False, reverse=False)
    assert slopes.tolist() == [1, 1, 1]


def test_scans_of_nothing():
    empty = np.zeros((2, 0), np.float32)
    for name in ("cumulative_sum", "cumulative_product", "cumulative_logsumexp"):
        assert meaning(name, empty, axis=1, exclusive=True, reverse=True).shape == (2, 0)
