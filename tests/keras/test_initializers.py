"""Initializers, regularizers and constraints: spreads, values by hand, configurations."""

import numpy as np
import pytest

import slipstream as tf
from slipstream.keras import constraints, initializers, regularizers


@pytest.mark.parametrize(
    ("kind", "variance"),
    [
        ("GlorotUniform", 2 / 500),
        ("GlorotNormal", 2 / 500),
        ("HeUniform", 2 / 200),
        ("HeNormal", 2 / 200),
        ("LecunUniform", 1 / 200),
        ("LecunNormal", 1 / 200),
    ],
)
def test_variance_follows_the_fans(kind, variance):
    drawn = getattr(initializers, kind)(seed=3)((200, 300)).numpy()
    assert abs(drawn.mean()) < 0.02 * variance**0.5
    assert abs(drawn.var() / variance - 1) < 0.02
    if kind.endswith("Uniform"):
        assert np.abs(drawn).max() <= (3 * variance) ** 0.5


def test_fans_of_a_convolution_and_of_given_axes():
    scaling = initializers.VarianceScaling(1.0, "fan_out", "untruncated_normal", seed=1)
    assert abs(scaling((3, 3, 40, 50)).numpy().var() * 450 - 1) < 0.05
    chosen = initializers.VarianceScaling(
        1.0, "fan_in", "untruncated_normal", 1, input_axes=[1, 2], output_axes=[3]
    )
    assert abs(chosen((3, 4, 50, 60)).numpy().var() * 200 - 1) < 0.05
    assert chosen.get_config()["input_axes"] == [1, 2]


def test_plain_distributions():
    normal = initializers.RandomNormal(1.0, 2.0, seed=1)((50000,)).numpy()
    assert abs(normal.mean() - 1) < 0.05
    assert abs(normal.std() - 2) < 0.05
    cut = initializers.TruncatedNormal(1.0, 2.0, seed=1)((50000,)).numpy()
    assert cut.min() >= -3
    assert cut.max() <= 5
    assert abs(cut.std() - 2 * 0.8796) < 0.05
    uniform = initializers.RandomUniform(2.0, 4.0, seed=1)((50000,), "float64").numpy()
    assert uniform.dtype == np.float64
    assert 2 <= uniform.min() < 2.001
    assert 3.999 < uniform.max() < 4


def test_the_same_seed_draws_the_same():
    first, again = (initializers.HeNormal(seed=5)((3, 4)).numpy() for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert (initializers.HeNormal(seed=6)((3, 4)).numpy() != first).all()


@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (2, 2, 6, 4)])
def test_orthogonal_keeps_lengths(shape):
    matrix = initializers.Orthogonal(gain=2.0, seed=1)(shape).numpy().reshape(-1, shape[-1])
    product = matrix.T @ matrix if matrix.shape[0] >= matrix.shape[1] else matrix @ matrix.T
    np.testing.assert_allclose(product, 4 * np.eye(len(product)), atol=1e-5)


def test_orthogonal_directions_are_uniform():
    firsts = [initializers.Orthogonal(seed=n)((2, 2)).numpy()[0, 0] for n in range(60)]
    assert 10 < sum(first > 0 for first in firsts) < 50


def test_matrices_of_other_ranks_are_refused():
    np.testing.assert_array_equal(
        initializers.Identity(3.0)((2, 3)), [[3.0, 0.0, 0.0], [0.0, 3.0, 0.0]]
    )
    with pytest.raises(ValueError, match="only be used for 2D matrices"):
        initializers.Identity()((3,))
    with pytest.raises(ValueError, match="at least two-dimensional"):
        initializers.Orthogonal()((3,))


@pytest.mark.parametrize("kind", initializers.CLASSES, ids=lambda kind: kind.__name__)
def test_configuration_round_trip(kind):
    made = kind()
    config = initializers.serialize(made)
    assert config["module"] == "keras.initializers"
    again = initializers.deserialize(config)
    assert type(again) is kind
    assert again.get_config() == made.get_config()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [((0.0,), "scale"), ((1.0, "fan"), "mode"), ((1.0, "fan_in", "beta"), "distribution")],
)
def test_wrong_scaling(arguments, message):
    with pytest.raises(ValueError, match=message):
        initializers.VarianceScaling(*arguments)


def test_initializers_by_name():
    assert isinstance(initializers.get("he_normal"), initializers.HeNormal)
    assert isinstance(initializers.get("OrthogonalInitializer"), initializers.Orthogonal)
    with pytest.raises(ValueError, match="Could not interpret initializer identifier"):
        initializers.get("nope")


W = np.array([[1.0, -2.0], [3.0, 4.0]], np.float32)


def test_penalties_by_hand():
    assert float(regularizers.L1(0.1)(W)) == pytest.approx(1.0)
    assert float(regularizers.L2(0.1)(W)) == pytest.approx(3.0)
    assert float(regularizers.L1L2(0.1, 0.2)(W)) == pytest.approx(7.0)
    rows = abs(1 * 3 - 2 * 4) / (5**0.5 * 5)
    assert float(regularizers.OrthogonalRegularizer(0.1)(W)) == pytest.approx(0.1 * rows)
    columns = abs(1 * -2 + 3 * 4) / (10**0.5 * 20**0.5)
    found = float(regularizers.OrthogonalRegularizer(0.1, "columns")(W))
    assert found == pytest.approx(0.1 * columns)


def test_penalty_arguments():
    for wrong in (-1.0, "a", float("inf")):
        with pytest.raises(ValueError, match="expected a non-negative float"):
            regularizers.L1(wrong)
    with pytest.raises(ValueError, match="Invalid value for argument `mode`"):
        regularizers.OrthogonalRegularizer(mode="diagonal")
    with pytest.raises(ValueError, match="must have rank 2"):
        regularizers.OrthogonalRegularizer()(W[0])


@pytest.mark.parametrize("kind", regularizers.CLASSES, ids=lambda kind: kind.__name__)
def test_penalties_round_trip(kind):
    made = kind()
    again = regularizers.deserialize(regularizers.serialize(made))
    assert type(again) is kind
    assert again.get_config() == made.get_config()
    assert float(again(W)) == float(made(W))


def test_constraints_by_hand():
    lengths = np.linalg.norm(W, axis=0)
    np.testing.assert_allclose(constraints.MaxNorm(2)(W), W * 2 / lengths, rtol=1e-5)
    np.testing.assert_allclose(constraints.MaxNorm(10)(W), W, rtol=1e-5)
    np.testing.assert_allclose(constraints.UnitNorm(axis=[0, 1])(W), W / 30**0.5, rtol=1e-5)
    np.testing.assert_allclose(constraints.NonNeg()(W), np.maximum(W, 0))
    wanted = 0.5 * np.clip(lengths, 0.5, 2) + 0.5 * lengths
    np.testing.assert_allclose(
        constraints.MinMaxNorm(0.5, 2.0, 0.5)(W), W * wanted / lengths, rtol=1e-5
    )
    np.testing.assert_array_equal(constraints.UnitNorm()(W * 0), W * 0)


@pytest.mark.parametrize("name", ["max_norm", "unit_norm", "min_max_norm", "non_neg"])
def test_constraints_round_trip(name):
    made = constraints.get(name)
    again = constraints.deserialize(constraints.serialize(made))
    assert again.get_config() == made.get_config()
    traced = tf.function(again)
    np.testing.assert_allclose(traced(tf.constant(W)), made(W), rtol=1e-6)
