"""Element-wise functions at the points where formulas go wrong: zeros, poles, infinities, nan."""

import ml_dtypes
import numpy as np
import pytest

from slipstream.autodiff import differentiate
from slipstream.errors import InvalidArgumentError
from slipstream.ir.dtypes import INTEGERS, as_dtype, from_numpy
from slipstream.ir.types import TensorType
from slipstream.primitives import REGISTRY
from slipstream.primitives.evaluate import evaluate
from slipstream.primitives.tracing import trace

LADDER = np.array([0, 1e-30, 1e-10, 1e-4, 0.01, 0.3, 0.5, 0.999, 1, 1.001, 1.5, 3, 10, 30, 60, 88,
                   89, 100, 300, 700, 710, 1e4, 1e9, 1e18, 1e30, np.inf])  # fmt: skip
POINTS = np.concatenate([LADDER, -LADDER, [np.nan]])
WIDE = ["sigmoid", "softplus", "tan", "arcsin", "arccos", "sinh", "cosh", "arcsinh", "arccosh",
        "arctanh", "rsqrt", "reciprocal", "square", "is_nan", "is_inf", "is_finite"]  # fmt: skip


def types_of(arrays):
    return [TensorType(a.shape, from_numpy(a.dtype)) for a in arrays]


def meaning(name, *arrays, **params):
    return REGISTRY[name].compute(arrays, params)[0]


def gradient(name, *arrays, **params):
    graph = trace(lambda *xs: REGISTRY[name](*xs, **params), types_of(arrays))
    pullback = differentiate(graph, (True,) * len(arrays))
    return evaluate(pullback, [*arrays, np.ones(graph.outputs[0].type.shape, arrays[0].dtype)])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", WIDE)
def test_expansions_hold_over_the_whole_range(name, dtype):
    with np.errstate(over="ignore"):
        x = POINTS.astype(dtype)
    primitive = REGISTRY[name]
    found = evaluate(trace(primitive.expand, types_of([x])), [x])[0]
    wanted = meaning(name, x)
    if name == "tan":  # beyond, sine and cosine of NumPy themselves differ by their rounding
        found, wanted = found[np.abs(x) < 1e4], wanted[np.abs(x) < 1e4]
    tiny = np.finfo(dtype).smallest_normal
    np.testing.assert_allclose(found, wanted, rtol=8 * np.finfo(dtype).eps, atol=tiny)


@pytest.mark.parametrize("dtype", [np.int8, np.int32, np.float16, ml_dtypes.bfloat16, np.float64])
def test_remainders_have_the_sign_they_say(dtype):
    x = np.array([7, -7, 7, -7, 6, -6], dtype)
    y = np.array([3, 3, -3, -3, 3, 3], dtype)
    assert meaning("floor_mod", x, y).tolist() == [1, 2, -2, -1, 0, 0]
    assert meaning("truncated_mod", x, y).tolist() == [1, -1, 1, -1, 0, 0]
    assert meaning("floor_divide", x, y).tolist() == [2, -3, -3, 2, 2, -2]
    expanded = trace(REGISTRY["floor_mod"].expand, types_of([x, y]))
    assert evaluate(expanded, [x, y])[0].tolist() == [1, 2, -2, -1, 0, 0]


@pytest.mark.parametrize("name", ["floor_divide", "floor_mod", "truncated_mod"])
def test_integers_divided_by_zero(name):
    with pytest.raises(InvalidArgumentError, match="division by zero"):
        meaning(name, np.array([1, 2]), np.array([1, 0]))


def test_floats_divided_by_zero():
    found = meaning("divide", np.array([1.0, -1.0, 0.0]), np.zeros(3))
    np.testing.assert_array_equal(found, [np.inf, -np.inf, np.nan])


def test_integers_to_negative_powers():
    assert meaning("power", np.array([2, -3]), np.array([10, 3])).tolist() == [1024, -27]
    with pytest.raises(InvalidArgumentError, match="negative power"):
        meaning("power", np.array([2]), np.array([-1]))


def test_casting_floats_to_integers_saturates():
    x = np.array([1.9, -1.9, 300, -300, np.nan, np.inf, -np.inf], np.float32)
    for name in ("float32", "bfloat16", "float16"):
        y = x.astype(as_dtype(name).numpy)
        cast = meaning("cast", y, dtype=as_dtype("int8"))
        assert cast.tolist() == [1, -1, 127, -128, 0, 127, -128]
        assert meaning("cast", y, dtype=as_dtype("uint8")).tolist() == [1, 0, 255, 0, 0, 255, 0]
        assert meaning("cast", y[2], dtype=as_dtype("int8")).tolist() == 127


@pytest.mark.parametrize("dtype", INTEGERS, ids=lambda d: d.name)
def test_casting_infinity_reaches_the_ends_of_every_integer_dtype(dtype):
    ends = meaning("cast", np.array([-np.inf, np.inf]), dtype=dtype)
    assert ends.tolist() == [dtype.min, dtype.max]


def test_casting_complex_numbers_keeps_the_real_part():
    assert meaning("cast", np.array([1.5 + 2j]), dtype=as_dtype("float32")).tolist() == [1.5]
    assert meaning("cast", np.array([0j, 2 + 0j]), dtype=as_dtype("bool")).tolist() == [False, True]


def test_bits_of_signed_and_unsigned_integers():
    signed, unsigned = np.array([-8], np.int8), np.array([0xF8], np.uint8)
    one = np.ones(1, np.int8)
    assert meaning("right_shift", signed, one).tolist() == [-4]
    assert meaning("right_shift", unsigned, one.astype(np.uint8)).tolist() == [0x7C]
    assert meaning("left_shift", unsigned, one.astype(np.uint8)).tolist() == [0xF0]
    assert meaning("invert", signed).tolist() == [7]


def test_extrema_pass_on_nan_and_give_a_tie_to_the_first():
    x, y = np.array([1.0, np.nan, 2.0]), np.array([np.nan, 1.0, 2.0])
    for name in ("maximum", "minimum"):
        assert np.isnan(meaning(name, x, y)[:2]).all()
        assert [g[2] for g in gradient(name, x, y)] == [1.0, 0.0]


def test_derivatives_at_the_edges():
    zero = np.zeros(1)
    assert gradient("absolute", zero)[0] == 0
    assert gradient("sqrt", zero)[0] == np.inf
    assert gradient("tanh", np.array([1e3]))[0] == 0
    assert gradient("sigmoid", np.array([-1e3]))[0] == 0
    assert gradient("softplus", np.array([1e3]))[0] == 1
    assert gradient("softplus", np.array([-1e3]))[0] == 0
    by_base, by_exponent = gradient("power", zero, np.array([2.0]))
    assert by_base == 0
    assert by_exponent == 0
    assert gradient("modulus", np.zeros(1, complex))[0] == 0


def test_a_negative_base_has_a_derivative_by_itself_only():
    by_base, by_exponent = gradient("power", np.array([-2.0]), np.array([3.0]))
    assert by_base == 12
    assert by_exponent == 0


def test_selected_nan_stays_out_of_the_derivative():
    """What is not chosen gets exactly zero, whatever its own derivative would be."""
    graph = trace(
        lambda x: REGISTRY["select"](REGISTRY["greater"](x, x.coerce(0)), x * 2, x.coerce(1)),
        types_of([np.array([1.0, -1.0])]),
    )
    pulled = evaluate(differentiate(graph, (True,)), [np.array([1.0, -1.0]), np.ones(2)])
    assert pulled[0].tolist() == [2.0, 0.0]


def test_relu_at_zero_nan_and_integers():
    assert gradient("relu", np.array([-1.0, 0.0, 2.0]))[0].tolist() == [0, 0, 1]
    assert np.isnan(meaning("relu", np.array([np.nan])))[0]
    assert meaning("relu", np.array([-3, 4])).tolist() == [0, 4]
