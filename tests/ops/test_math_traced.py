"""What functions give eagerly they give in a traced program too."""

import numpy as np
import pytest

from slipstream.ops import activations, losses, normalization, reduction
from slipstream.ops import math as tf_math
from slipstream.runtime.function import function
from slipstream.runtime.tape import GradientTape

X = np.random.default_rng(0).uniform(0.1, 0.9, (3, 4)).astype(np.float32)
Y = np.random.default_rng(1).uniform(0.1, 0.9, (3, 4)).astype(np.float32)
OF_TWO = {
    "add", "subtract", "multiply", "divide", "truediv", "floordiv", "floormod", "mod",
    "truncatediv", "truncatemod", "divide_no_nan", "multiply_no_nan", "squared_difference", "pow",
    "maximum",
    "minimum", "nextafter", "equal", "not_equal", "less", "less_equal", "greater", "greater_equal",
    "approximate_equal", "atan2", "xlogy", "xlog1py", "xdivy", "polygamma", "zeta", "igamma",
    "igammac",
}  # fmt: skip
OF_BOOLEANS = {
    "logical_and",
    "logical_or",
    "logical_xor",
    "logical_not",
    "reduce_all",
    "reduce_any",
}
OTHERS = {
    "scalar_mul": lambda f, x, y: f(2.0, x),
    "clip_by_value": lambda f, x, y: f(x, 0.3, y),
    "add_n": lambda f, x, y: f([x, y, x]),
    "accumulate_n": lambda f, x, y: f([x, y]),
    "polyval": lambda f, x, y: f([x, y], x),
    "betainc": lambda f, x, y: f(x, y, x),
    "bincount": lambda f, x, y: f(tf_math.argmax(x, 1), minlength=4, maxlength=4),
    "confusion_matrix": lambda f, x, y: f(tf_math.argmax(x, 1), tf_math.argmax(y, 1), 4),
    "acosh": lambda f, x, y: f(tf_math.add(x, 1.0)),
}


def call(name):
    f = getattr(tf_math, name)
    if name in OTHERS:
        return lambda x, y: OTHERS[name](f, x, y)
    if name in OF_TWO:
        return f
    if name in OF_BOOLEANS:
        both = name in {"logical_and", "logical_or", "logical_xor"}
        return lambda x, y: f(*(tf_math.less(t, 0.5) for t in ((x, y) if both else (x,))))
    return lambda x, y: f(x)


def agree(body):
    eager, traced = body(X, Y), function(body)(X, Y)
    for one, other in zip(
        *(v if isinstance(v, tuple) else (v,) for v in (eager, traced)), strict=True
    ):
        assert one.dtype is other.dtype
        np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-6)


@pytest.mark.parametrize("name", tf_math.__all__)
def test_tf_math(name):
    agree(call(name))


@pytest.mark.parametrize("name", activations.__all__)
def test_activations(name):
    agree(lambda x, y: getattr(activations, name)(tf_math.subtract(x, y)))


def test_losses():
    agree(lambda x, y: losses.sigmoid_cross_entropy_with_logits(x, y))
    agree(lambda x, y: losses.softmax_cross_entropy_with_logits(x, y))
    agree(lambda x, y: losses.sparse_softmax_cross_entropy_with_logits([0, 3, 1], x))
    agree(lambda x, y: losses.weighted_cross_entropy_with_logits(x, y, 2.0))
    agree(lambda x, y: losses.log_poisson_loss(x, y, compute_full_loss=True))


def test_normalization():
    agree(lambda x, y: reduction.moments(x, [0], keepdims=True))
    agree(lambda x, y: reduction.weighted_moments(x, [1], y))
    agree(lambda x, y: normalization.clip_by_norm(x, 0.1))
    agree(lambda x, y: tuple(normalization.clip_by_global_norm([x, y], 0.1)[0]))
    agree(lambda x, y: normalization.batch_normalization(x, x, y, y, x, 1e-3))


def test_a_label_known_too_late_gives_nan():
    @function
    def loss(labels):
        return losses.sparse_softmax_cross_entropy_with_logits(labels, X)

    found = loss(np.array([0, 4, -1])).numpy()
    assert np.isnan(found).tolist() == [False, True, True]


def test_gradients_inside_a_program():
    @function
    def slope(x):
        with GradientTape() as tape:
            tape.watch(x)
            y = tf_math.reduce_sum(activations.gelu(x))
        return tape.gradient(y, x)

    h = 1e-3
    numeric = (activations.gelu(X + h).numpy() - activations.gelu(X - h).numpy()) / (2 * h)
    np.testing.assert_allclose(slope(X).numpy(), numeric, rtol=1e-3)
