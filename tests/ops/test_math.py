"""Arithmetic, elementary functions and conversions of `tf.math` against NumPy and by hand."""

import numpy as np
import pytest

from slipstream.errors import InvalidArgumentError
from slipstream.ir.dtypes import as_dtype
from slipstream.ops import arithmetic, bitwise, comparison, conversion, elementary, special
from slipstream.ops import math as tf_math
from slipstream.runtime.convert import convert
from slipstream.runtime.tape import GradientTape
from slipstream.runtime.variable import Variable

REALS = np.array([[-2.5, -1.0, -0.3], [0.2, 0.9, 3.7]], np.float32)
POSITIVE = np.abs(REALS)
SMALL = REALS / 4
UNARY = [
    ("negative", np.negative, REALS), ("abs", np.abs, REALS), ("sign", np.sign, REALS),
    ("square", np.square, REALS), ("sqrt", np.sqrt, POSITIVE), ("floor", np.floor, REALS),
    ("rsqrt", lambda x: 1 / np.sqrt(x), POSITIVE), ("reciprocal", np.reciprocal, REALS),
    ("ceil", np.ceil, REALS), ("round", np.rint, REALS), ("rint", np.rint, REALS),
    ("exp", np.exp, REALS), ("expm1", np.expm1, REALS), ("log", np.log, POSITIVE),
    ("log1p", np.log1p, POSITIVE), ("sigmoid", lambda x: 1 / (1 + np.exp(-x)), REALS),
    ("log_sigmoid", lambda x: -np.log1p(np.exp(-x)), REALS),
    ("softplus", lambda x: np.log1p(np.exp(x)), REALS), ("tanh", np.tanh, REALS),
    ("sinh", np.sinh, REALS), ("cosh", np.cosh, REALS), ("asinh", np.arcsinh, REALS),
    ("acosh", np.arccosh, POSITIVE + 1), ("atanh", np.arctanh, SMALL), ("sin", np.sin, REALS),
    ("cos", np.cos, REALS), ("tan", np.tan, SMALL), ("asin", np.arcsin, SMALL),
    ("acos", np.arccos, SMALL), ("atan", np.arctan, REALS), ("is_nan", np.isnan, REALS),
    ("is_inf", np.isinf, REALS), ("is_finite", np.isfinite, REALS), ("softsign",
    lambda x: x / (1 + np.abs(x)), REALS), ("real", np.real, REALS), ("conj", np.conj, REALS),
    ("imag", np.imag, REALS), ("angle", np.angle, REALS),
]  # fmt: skip
BINARY = [
    ("add", np.add), ("subtract", np.subtract), ("multiply", np.multiply), ("divide", np.divide),
    ("truediv", np.divide), ("floordiv", np.floor_divide), ("floormod", np.mod), ("mod", np.mod),
    ("truncatemod", np.fmod), ("truncatediv", lambda x, y: np.trunc(x / y)),
    ("maximum", np.maximum), ("minimum", np.minimum), ("atan2", np.arctan2),
    ("squared_difference", lambda x, y: (x - y) ** 2), ("nextafter", np.nextafter),
    ("equal", np.equal), ("not_equal", np.not_equal), ("less", np.less),
    ("less_equal", np.less_equal), ("greater", np.greater), ("greater_equal", np.greater_equal),
    ("divide_no_nan", np.divide), ("multiply_no_nan", np.multiply), ("xdivy", np.divide),
]  # fmt: skip


def gradient(function, *values):
    tensors = [convert(np.asarray(v, np.float64)) for v in values]
    with GradientTape() as tape:
        tape.watch(tensors)
        y = function(*tensors)
    return [None if g is None else g.numpy().tolist() for g in tape.gradient(y, tensors)]


@pytest.mark.parametrize(("name", "reference", "x"), UNARY, ids=[u[0] for u in UNARY])
def test_functions_of_one_tensor(name, reference, x):
    found = getattr(tf_math, name)(x).numpy()
    wanted = reference(x)
    assert found.dtype == wanted.dtype
    np.testing.assert_allclose(found, wanted, rtol=3e-6)


@pytest.mark.parametrize(("name", "reference"), BINARY, ids=[b[0] for b in BINARY])
def test_functions_of_two_tensors_broadcast(name, reference):
    x, y = REALS[:, None, :], np.array([[0.7], [-1.3]], np.float32)
    found = getattr(tf_math, name)(x, y).numpy()
    wanted = reference(x, y)
    assert found.dtype == wanted.dtype
    np.testing.assert_allclose(found, wanted, rtol=3e-6)


@pytest.mark.parametrize("name", ["add", "pow", "maximum", "atan2", "less", "xlogy"])
def test_two_dtypes_are_not_mixed(name):
    x, y = convert(np.ones(2, np.float32)), convert(np.ones(2, np.float64))
    with pytest.raises(InvalidArgumentError, match="different dtypes"):
        getattr(tf_math, name)(x, y)


@pytest.mark.parametrize("name", ["sqrt", "exp", "sin", "floor", "erf", "sigmoid", "is_nan"])
def test_functions_of_floats_refuse_integers(name):
    with pytest.raises(InvalidArgumentError, match="dtype"):
        getattr(tf_math, name)([1, 2])


def test_python_numbers_take_the_dtype_of_the_tensor():
    x = convert(np.ones(2, np.float64))
    assert tf_math.add(1, x).dtype.name == "float64"
    assert tf_math.add(x, 1).dtype.name == "float64"
    assert tf_math.multiply(Variable(2.0), 3).numpy() == 6


@pytest.mark.parametrize(
    ("dtype", "wide"),
    [("int8", "float32"), ("uint16", "float32"), ("int32", "float64"), ("int64", "float64")],
)
def test_integers_divide_as_floats(dtype, wide):
    x = convert(np.array([1, 2], dtype))
    found = arithmetic.truediv(x, convert(np.array([2, 4], dtype)))
    assert found.dtype.name == wide
    assert found.numpy().tolist() == [0.5, 0.5]


def test_division_of_unlike_dtypes_is_a_type_error():
    with pytest.raises(TypeError, match="same dtype"):
        arithmetic.divide(convert(1), convert(1.0))


def test_integers_rounded_down_and_towards_zero():
    x, y = np.array([7, -7, 7, -7]), np.array([2, 2, -2, -2])
    assert arithmetic.floordiv(x, y).numpy().tolist() == [3, -4, -4, 3]
    assert arithmetic.truncatediv(x, y).numpy().tolist() == [3, -3, -3, 3]
    assert arithmetic.floormod(x, y).numpy().tolist() == [1, 1, -1, -1]
    assert arithmetic.truncatemod(x, y).numpy().tolist() == [1, -1, 1, -1]
    assert arithmetic.round(x) is not None
    with pytest.raises(InvalidArgumentError, match="zero"):
        arithmetic.floordiv([1], [0])


def test_zero_over_zero_and_its_derivative():
    x, y = [1.0, 0.0, np.inf, np.nan], [0.0, 0.0, 0.0, 2.0]
    assert arithmetic.divide_no_nan(x, y).numpy()[:3].tolist() == [0, 0, 0]
    assert gradient(arithmetic.divide_no_nan, [3.0, 1.0], [2.0, 0.0]) == [[0.5, 0], [-0.75, 0]]
    assert arithmetic.reciprocal_no_nan([0.0, 4.0]).numpy().tolist() == [0, 0.25]


def test_products_with_zero_hide_what_is_not_finite():
    found = arithmetic.multiply_no_nan([np.nan, np.inf, 3.0, np.nan], [0.0, 0.0, 0.0, 1.0])
    np.testing.assert_array_equal(found.numpy(), [0, 0, 0, np.nan])
    assert gradient(arithmetic.multiply_no_nan, [3.0], [0.0]) == [[0.0], [3.0]]


@pytest.mark.parametrize(
    ("function", "value"),
    [(elementary.xlogy, 0.0), (elementary.xlog1py, -1.0), (elementary.xdivy, 0.0)],
)
def test_zero_times_a_pole_is_zero(function, value):
    assert function([0.0], [value]).numpy().tolist() == [0]
    assert gradient(function, [0.0], [value]) == [[0.0], [0.0]]


def test_derivatives_of_x_log_y():
    by_x, by_y = gradient(elementary.xlogy, [2.0], [4.0])
    np.testing.assert_allclose([by_x, by_y], [[np.log(4)], [0.5]])
    by_x, by_y = gradient(elementary.xlog1py, [2.0], [3.0])
    np.testing.assert_allclose([by_x, by_y], [[np.log(4)], [0.5]])


def test_log_sigmoid_far_out():
    found = elementary.log_sigmoid(np.array([-1e4, 1e4])).numpy()
    assert found.tolist() == [-1e4, 0]
    assert gradient(elementary.log_sigmoid, [-1e4, 1e4]) == [[1.0, 0.0]]


def test_square_roots_at_zero():
    assert gradient(arithmetic.sqrt, [0.0]) == [[np.inf]]


def test_clipping_and_its_derivative_at_the_ends():
    x = [-2.0, -1.0, 0.5, 1.0, 3.0]
    assert arithmetic.clip_by_value(x, -1.0, 1.0).numpy().tolist() == [-1, -1, 0.5, 1, 1]
    slopes = gradient(lambda t: arithmetic.clip_by_value(t, -1.0, 1.0), x)
    assert slopes == [[0, 1, 1, 1, 0]]
    assert arithmetic.clip_by_value([1, 9], 2, 5).numpy().tolist() == [2, 5]
    with pytest.raises(InvalidArgumentError, match="do not broadcast to t"):
        arithmetic.clip_by_value([1.0], [0.0, 0.0], 1.0)


def test_sums_of_lists():
    assert arithmetic.add_n([[1, 2], [3, 4], [5, 6]]).numpy().tolist() == [9, 12]
    assert arithmetic.accumulate_n([[1.0], [2.0]], shape=[1]).numpy().tolist() == [3]
    with pytest.raises(ValueError, match="at least one"):
        arithmetic.add_n([])
    with pytest.raises(ValueError, match="shapes differ"):
        arithmetic.add_n([convert([1.0]), convert([[1.0]])])
    with pytest.raises(ValueError, match="incompatible"):
        arithmetic.accumulate_n([[1.0]], shape=[2])
    with pytest.raises(TypeError, match="float32"):
        arithmetic.accumulate_n([[1.0]], tensor_dtype="int32")


def test_scalar_multiples():
    assert arithmetic.scalar_mul(3, [1.0, 2.0]).numpy().tolist() == [3, 6]
    with pytest.raises(ValueError, match="scalar"):
        arithmetic.scalar_mul([3.0], [1.0])


def test_complex_numbers():
    z = np.array([3 + 4j, 0, -1j], np.complex64)
    assert arithmetic.abs(z).dtype.name == "float32"
    assert arithmetic.abs(z).numpy().tolist() == [5, 0, 1]
    np.testing.assert_allclose(arithmetic.sign(z).numpy(), [0.6 + 0.8j, 0, -1j], rtol=1e-6)
    np.testing.assert_allclose(arithmetic.squared_difference(z, 0j).numpy(), [25, 0, 1])
    np.testing.assert_allclose(conversion.angle(z).numpy(), np.angle(z), rtol=1e-6)
    assert conversion.conj(z).numpy()[0] == 3 - 4j
    assert conversion.complex([1.0], [2.0]).dtype.name == "complex64"
    assert conversion.complex(convert(1.0, "float64"), 2.0).numpy() == 1 + 2j
    with pytest.raises(TypeError, match="numeric"):
        conversion.conj(True)
    with pytest.raises(InvalidArgumentError, match="parts"):
        conversion.complex(1, 2)


def test_absolute_values_of_unsigned_integers():
    assert arithmetic.abs(np.array([1, 255], np.uint8)).numpy().tolist() == [1, 255]


def test_casts():
    assert conversion.cast([1.9, -1.9, np.nan], "int32").numpy().tolist() == [1, -1, 0]
    assert conversion.cast([0, 2], "bool").numpy().tolist() == [False, True]
    x = convert([1.0])
    assert conversion.cast(x, "float32") is x
    assert conversion.saturate_cast([-5.0, 300.0], "uint8").numpy().tolist() == [0, 255]
    assert conversion.saturate_cast(np.array([2**40, -1]), "int32").numpy().tolist() == [
        2**31 - 1,
        -1,
    ]
    assert conversion.saturate_cast(np.array([1e30]), "float16").numpy().tolist() == [65504]
    assert conversion.saturate_cast(np.array([2**63], np.uint64), "int64").numpy() == [2**63 - 1]
    with pytest.raises(InvalidArgumentError, match="strings"):
        conversion.cast("1", as_dtype("int32"))


def test_questions_about_order():
    for x, growing, strictly in [
        ([], 1, 1),
        ([3], 1, 1),
        ([1, 1], 1, 0),
        ([1, 2], 1, 1),
        ([2, 1], 0, 0),
    ]:
        x = np.array(x, np.float32)
        assert bool(comparison.is_non_decreasing(x)) == growing
        assert bool(comparison.is_strictly_increasing(x)) == strictly
    near = comparison.approximate_equal([1.0, 2.0], [1.000001, 2.1])
    assert near.numpy().tolist() == [True, False]
    unsigned = comparison.approximate_equal(np.array([1], np.uint8), np.array([2], np.uint8), 2)
    assert unsigned.numpy().tolist() == [True]


def test_equality_of_strings_and_booleans():
    assert comparison.equal(["a", "b"], "a").numpy().tolist() == [True, False]
    assert comparison.not_equal([True, False], True).numpy().tolist() == [False, True]


def test_logic():
    x, y = np.array([0, 0, 1, 1], bool), np.array([0, 1, 0, 1], bool)
    assert comparison.logical_and(x, y).numpy().tolist() == [0, 0, 0, 1]
    assert comparison.logical_or(x, y).numpy().tolist() == [0, 1, 1, 1]
    assert comparison.logical_xor(x, y).numpy().tolist() == [0, 1, 1, 0]
    assert comparison.logical_not(x).numpy().tolist() == [1, 1, 0, 0]
    with pytest.raises((ValueError, TypeError)):
        comparison.logical_and([1, 2], [True, False])


def test_bits():
    assert int(bitwise.bitwise_and(12, 10)) == 8
    assert int(bitwise.bitwise_or(12, 10)) == 14
    assert int(bitwise.bitwise_xor(12, 10)) == 6
    assert int(bitwise.invert(0)) == -1
    assert int(bitwise.left_shift(3, 2)) == 12
    assert int(bitwise.right_shift(-8, 1)) == -4
    with pytest.raises(InvalidArgumentError):
        bitwise.bitwise_and(1.0, 2.0)


def test_polynomials():
    assert float(elementary.polyval([2.0, 0.0, 1.0], 3.0)) == 19
    assert elementary.polyval([], [1.0, 2.0]).numpy().tolist() == [0, 0]
    assert elementary.polyval([[1.0], [2.0]], [3.0, 4.0]).numpy().tolist() == [5, 6]
    with pytest.raises(ValueError, match="list"):
        elementary.polyval(3.0, 1.0)


def test_special_functions_by_hand():
    assert abs(float(special.ndtri(0.975)) - 1.959964) < 1e-6
    assert special.ndtri([0.0, 0.5, 1.0]).numpy().tolist() == [-np.inf, 0, np.inf]
    assert abs(float(special.lbeta([1.0, 2.0])) - np.log(0.5)) < 1e-6
    assert special.lbeta(np.ones((2, 3))).shape == (2,)
    assert abs(float(special.erf(0.5)) - 0.5204999) < 1e-6
    assert abs(float(special.igamma(1.0, 2.0)) - (1 - np.exp(-2))) < 1e-6
    assert abs(float(special.polygamma(1.0, 1.0)) - np.pi**2 / 6) < 1e-6
    assert abs(float(special.betainc(1.0, 1.0, 0.3)) - 0.3) < 1e-6


def test_powers():
    assert arithmetic.pow([2, 3], [3, 2]).numpy().tolist() == [8, 9]
    assert gradient(arithmetic.pow, [0.0], [2.0]) == [[0.0], [0.0]]
    with pytest.raises(InvalidArgumentError, match="negative power"):
        arithmetic.pow([2], [-1])
