"""Activations of `tf.nn` against NumPy, and at the points where formulas break."""

import math

import numpy as np
import pytest

from slipstream.errors import InvalidArgumentError
from slipstream.namespaces import math as math_namespace
from slipstream.ops import activations as nn
from slipstream.runtime.convert import convert
from slipstream.runtime.tape import GradientTape

X = np.linspace(-8, 8, 33)
ERF = np.vectorize(math.erf)


def softmax(x, axis=-1):
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


REFERENCE = {
    "relu": lambda x: np.maximum(x, 0),
    "relu6": lambda x: np.clip(x, 0, 6),
    "leaky_relu": lambda x: np.where(x > 0, x, 0.2 * x),
    "elu": lambda x: np.where(x > 0, x, np.expm1(x)),
    "selu": lambda x: 1.05070098735548 * np.where(x > 0, x, 1.67326324235438 * np.expm1(x)),
    "gelu": lambda x: 0.5 * x * (1 + ERF(x / np.sqrt(2))),
    "silu": lambda x: x / (1 + np.exp(-x)),
    "swish": lambda x: x / (1 + np.exp(-x)),
    "softplus": lambda x: np.log1p(np.exp(x)),
    "softsign": lambda x: x / (1 + np.abs(x)),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "tanh": np.tanh,
    "mish": lambda x: x * np.tanh(np.log1p(np.exp(x))),
    "hard_sigmoid": lambda x: np.clip(x + 3, 0, 6) / 6,
    "log_sigmoid": lambda x: -np.log1p(np.exp(-x)),
    "crelu": lambda x: np.concatenate([np.maximum(x, 0), np.maximum(-x, 0)]),
    "softmax": softmax,
    "log_softmax": lambda x: np.log(softmax(x)),
}


def slopes(function, values):
    x = convert(np.asarray(values, np.float64))
    with GradientTape() as tape:
        tape.watch(x)
        y = function(x)
    return tape.gradient(y, x).numpy()


@pytest.mark.parametrize("name", REFERENCE)
def test_values(name):
    found = getattr(nn, name)(X).numpy()
    np.testing.assert_allclose(found, REFERENCE[name](X), rtol=1e-12, atol=1e-15)
    single = getattr(nn, name)(X.astype(np.float32)).numpy()
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, REFERENCE[name](X), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", [n for n in REFERENCE if "softmax" not in n and n != "crelu"])
def test_derivatives_between_the_kinks(name):
    x = X[np.abs(X % 1.5) > 0.2] + 0.05
    h = 1e-6
    function = getattr(nn, name)
    numeric = (function(x + h).numpy() - function(x - h).numpy()) / (2 * h)
    np.testing.assert_allclose(slopes(function, x), numeric, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("name", REFERENCE)
def test_nothing_overflows(name):
    far = np.array([-1e4, -800.0, 800.0, 1e4])
    function = getattr(nn, name)
    assert np.isfinite(function(far).numpy()).all()
    assert np.isfinite(slopes(function, far)).all()


@pytest.mark.parametrize(
    ("name", "at_zero"),
    [("relu", 0), ("relu6", 0), ("leaky_relu", 0.2), ("elu", 1), ("gelu", 0.5), ("silu", 0.5),
     ("selu", 1.0507009873554805 * 1.6732632423543772), ("softplus", 0.5), ("softsign", 1)],
)  # fmt: skip
def test_derivatives_at_zero(name, at_zero):
    assert abs(slopes(getattr(nn, name), [0.0])[0] - at_zero) < 1e-12


def test_derivatives_at_the_upper_end():
    assert slopes(nn.relu6, [6.0]).tolist() == [0]
    assert slopes(nn.hard_sigmoid, [-3.0, 3.0]).tolist() == [0, 0]


@pytest.mark.parametrize("name", ["relu", "relu6", "elu", "leaky_relu", "softmax"])
def test_nan_stays(name):
    assert np.isnan(getattr(nn, name)([np.nan, 1.0]).numpy()[0])


def test_options():
    assert nn.leaky_relu([-1.0], alpha=0.5).numpy().tolist() == [-0.5]
    assert nn.leaky_relu([-5, 5]).numpy().tolist() == [-1, 5]
    assert nn.silu([1.0], beta=0.0).numpy().tolist() == [0.5]
    assert nn.crelu(np.ones((2, 3)), axis=0).shape == (4, 3)
    assert nn.relu([-1, 2]).numpy().tolist() == [0, 2]
    inner = np.sqrt(2 / np.pi) * (X + 0.044715 * X**3)
    np.testing.assert_allclose(nn.gelu(X, approximate=True).numpy(), 0.5 * X * (1 + np.tanh(inner)))


def test_softmax_of_hard_numbers():
    assert nn.softmax([1e5, 1e5, -1e5]).numpy().tolist() == [0.5, 0.5, 0]
    assert nn.softmax([-np.inf, 0.0]).numpy().tolist() == [0, 1]
    assert nn.log_softmax([0.0, 1e5]).numpy().tolist() == [-1e5, 0]
    assert math_namespace.log_softmax is nn.log_softmax


@pytest.mark.parametrize("axis", [0, 1, -1, None])
def test_softmax_along_each_axis(axis):
    x = np.random.default_rng(0).normal(size=(3, 4))
    number = -1 if axis is None else axis
    np.testing.assert_allclose(nn.softmax(x, axis).numpy(), softmax(x, number))
    np.testing.assert_allclose(nn.log_softmax(x, axis).numpy(), np.log(softmax(x, number)))
    with pytest.raises(InvalidArgumentError, match="axis"):
        nn.softmax(x, 2)


def test_derivative_of_softmax():
    x = convert(np.array([0.1, 0.7, -0.4]))
    with GradientTape() as tape:
        tape.watch(x)
        y = nn.softmax(x)
    p = y.numpy()
    np.testing.assert_allclose(tape.jacobian(y, x).numpy(), np.diag(p) - np.outer(p, p), atol=1e-15)


def test_integers_are_refused():
    for function in (nn.softmax, nn.elu, nn.gelu, nn.softplus):
        with pytest.raises(InvalidArgumentError):
            function([1, 2])
