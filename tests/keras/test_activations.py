"""Activations: values by hand, both sides of their corners, names."""

import math

import numpy as np
import pytest

import slipstream as tf
from slipstream.keras import activations

X = [-4.0, -0.25, 0.0, 0.5, 2.0]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("linear", X),
        ("relu", [0, 0, 0, 0.5, 2]),
        ("relu6", [0, 0, 0, 0.5, 2]),
        ("leaky_relu", [-0.8, -0.05, 0, 0.5, 2]),
        ("elu", [math.expm1(-4), math.expm1(-0.25), 0, 0.5, 2]),
        ("celu", [math.expm1(-4), math.expm1(-0.25), 0, 0.5, 2]),
        ("exponential", [math.exp(x) for x in X]),
        ("sigmoid", [1 / (1 + math.exp(-x)) for x in X]),
        ("log_sigmoid", [-math.log1p(math.exp(-x)) for x in X]),
        ("hard_sigmoid", [0, 2.75 / 6, 0.5, 3.5 / 6, 5 / 6]),
        ("hard_silu", [0, -0.25 * 2.75 / 6, 0, 0.5 * 3.5 / 6, 2 * 5 / 6]),
        ("silu", [x / (1 + math.exp(-x)) for x in X]),
        ("gelu", [x * (1 + math.erf(x / math.sqrt(2))) / 2 for x in X]),
        ("tanh", [math.tanh(x) for x in X]),
        ("hard_tanh", [-1, -0.25, 0, 0.5, 1]),
        ("tanh_shrink", [x - math.tanh(x) for x in X]),
        ("hard_shrink", [-4, 0, 0, 0, 2]),
        ("soft_shrink", [-3.5, 0, 0, 0, 1.5]),
        ("softplus", [math.log1p(math.exp(x)) for x in X]),
        ("softsign", [x / (1 + abs(x)) for x in X]),
        ("squareplus", [(x + math.sqrt(x * x + 4)) / 2 for x in X]),
        ("sparse_plus", [0, 0.75**2 / 4, 0.25, 1.5**2 / 4, 2]),
        ("sparse_sigmoid", [0, 0.375, 0.5, 0.75, 1]),
        ("mish", [x * math.tanh(math.log1p(math.exp(x))) for x in X]),
        ("selu", [1.75809934 * math.expm1(x) if x < 0 else 1.05070099 * x for x in X]),
    ],
)
def test_values(name, expected):
    function = activations.get(name)
    np.testing.assert_allclose(function(tf.constant(X)), expected, rtol=1e-5, atol=1e-6)
    traced = tf.function(function)
    np.testing.assert_allclose(traced(tf.constant(X)), expected, rtol=1e-5, atol=1e-6)
    assert activations.serialize(function) == name


def test_relu_with_slope_ceiling_and_threshold():
    found = activations.relu([-3.0, 0.5, 1.0, 2.0, 5.0], 0.1, 3.0, 1.0)
    np.testing.assert_allclose(found, [-0.4, -0.05, 0, 2, 3], rtol=1e-6)
    np.testing.assert_allclose(activations.relu([-1.0, 9.0], max_value=6), [0, 6])
    np.testing.assert_allclose(activations.relu([-1.0, 9.0], max_value=4.0), [0, 4])


def test_parameters():
    np.testing.assert_allclose(activations.elu([-1.0], alpha=2.0), [2 * math.expm1(-1)], rtol=1e-6)
    np.testing.assert_allclose(
        activations.celu([-1.0], alpha=2.0), [2 * math.expm1(-0.5)], rtol=1e-6
    )
    np.testing.assert_allclose(activations.threshold([0.5, 2.0], 1.0, -7.0), [-7, 2])
    np.testing.assert_allclose(activations.gelu([1.0], approximate=True), [0.841192], rtol=1e-5)


def test_glu_gates_the_first_half():
    found = activations.glu([[1.0, 2.0, 0.0, 100.0]])
    np.testing.assert_allclose(found, [[0.5, 2.0]], rtol=1e-6)
    with pytest.raises(ValueError, match="divisible by 2"):
        activations.glu([[1.0, 2.0, 3.0]])


def test_softmax_along_one_axis_or_several():
    x = np.random.default_rng(0).normal(size=(2, 3, 4)).astype(np.float32)
    shares = np.exp(x)
    np.testing.assert_allclose(
        activations.softmax(x, axis=1), shares / shares.sum(1, keepdims=True), rtol=1e-5
    )
    np.testing.assert_allclose(
        activations.softmax(x, axis=(0, 2)), shares / shares.sum((0, 2), keepdims=True), rtol=1e-5
    )
    np.testing.assert_allclose(
        activations.log_softmax(x), np.log(shares / shares.sum(-1, keepdims=True)), rtol=1e-4
    )
    np.testing.assert_allclose(activations.softmax([1000.0, 1000.0]), [0.5, 0.5])


def test_sparsemax_projects_onto_probabilities():
    found = activations.sparsemax([[1.0, 2.0, 2.5], [0.1, 0.2, 0.3]]).numpy()
    np.testing.assert_allclose(found, [[0, 0.25, 0.75], [7 / 30, 1 / 3, 13 / 30]], rtol=1e-5)
    column = activations.sparsemax([[1.0], [3.0]], axis=0)
    np.testing.assert_allclose(column, [[0.0], [1.0]])


def test_gradients_stay_finite_far_out():
    x = tf.Variable([-200.0, -1.0, 1.0, 200.0])
    for name in ("elu", "celu", "selu", "softplus", "mish", "silu", "gelu", "log_sigmoid"):
        with tf.GradientTape() as tape:
            y = tf.reduce_sum(activations.get(name)(x))
        assert np.isfinite(tape.gradient(y, x)).all(), name


def test_names_and_configurations():
    assert activations.get(None) is activations.linear
    assert activations.get("swish") is activations.silu
    assert activations.get("hard_swish") is activations.hard_silu
    assert activations.serialize(activations.swish) == "silu"
    assert activations.deserialize("relu") is activations.relu
    config = {
        "module": "builtins",
        "class_name": "function",
        "config": "relu6",
        "registered_name": "function",
    }
    assert activations.get(config) is activations.relu6
    with pytest.raises(ValueError, match="Could not interpret activation function identifier"):
        activations.get("nope")
