"""Losses of `tf.nn` by hand, against NumPy, and where logits are large."""

import numpy as np
import pytest

from slipstream.errors import InvalidArgumentError
from slipstream.ops import losses
from slipstream.runtime.convert import convert
from slipstream.runtime.tape import GradientTape

GENERATOR = np.random.default_rng(0)
LOGITS = GENERATOR.normal(size=(5, 4)) * 3
LABELS = np.eye(4)[[0, 3, 1, 1, 2]]
SIGMOID = losses.sigmoid_cross_entropy_with_logits
SOFTMAX = losses.softmax_cross_entropy_with_logits
SPARSE = losses.sparse_softmax_cross_entropy_with_logits


def gradients(function, *values):
    tensors = [convert(np.asarray(v, np.float64)) for v in values]
    with GradientTape() as tape:
        for tensor in tensors:
            tape.watch(tensor)
        y = function(*tensors)
    return [g.numpy() for g in tape.gradient(y, tensors)]


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def test_sigmoid_cross_entropy():
    z, x = np.abs(np.sin(LOGITS)), LOGITS
    s = 1 / (1 + np.exp(-x))
    wanted = -z * np.log(s) - (1 - z) * np.log(1 - s)
    np.testing.assert_allclose(SIGMOID(z, x).numpy(), wanted, rtol=1e-10)
    by_labels, by_logits = gradients(SIGMOID, z, x)
    np.testing.assert_allclose(by_logits, s - z, atol=1e-14)
    np.testing.assert_allclose(by_labels, -x)


def test_sigmoid_cross_entropy_of_large_logits():
    found = SIGMOID([1.0, 0.0, 1.0, 0.0], [1e4, 1e4, -1e4, -1e4]).numpy()
    assert found.tolist() == [0, 1e4, 1e4, 0]
    assert gradients(SIGMOID, [1.0, 0.0], [-1e4, 1e4])[1].tolist() == [-1, 1]
    assert gradients(SIGMOID, [1.0, 0.0], [0.0, 0.0])[1].tolist() == [-0.5, 0.5]


def test_weighted_cross_entropy():
    z, x, q = LABELS, LOGITS, 3.0
    s = 1 / (1 + np.exp(-x))
    wanted = -q * z * np.log(s) - (1 - z) * np.log(1 - s)
    found = losses.weighted_cross_entropy_with_logits(z, x, q).numpy()
    np.testing.assert_allclose(found, wanted, rtol=1e-9)
    far = losses.weighted_cross_entropy_with_logits([1.0, 0.0], [-1e4, 1e4], 2.0).numpy()
    assert far.tolist() == [2e4, 1e4]


def test_softmax_cross_entropy():
    wanted = -np.sum(LABELS * np.log(softmax(LOGITS)), -1)
    np.testing.assert_allclose(SOFTMAX(LABELS, LOGITS).numpy(), wanted)
    np.testing.assert_allclose(SOFTMAX(LABELS.T, LOGITS.T, axis=0).numpy(), wanted)
    by_labels, by_logits = gradients(SOFTMAX, LABELS, LOGITS)
    np.testing.assert_allclose(by_logits, softmax(LOGITS) - LABELS, atol=1e-14)
    np.testing.assert_allclose(by_labels, -np.log(softmax(LOGITS)))


def test_softmax_cross_entropy_of_large_logits():
    logits = np.array([[1e5, 0.0, -1e5], [1e5, 0.0, -1e5]])
    labels = np.array([[1.0, 0, 0], [0, 0, 1.0]])
    assert SOFTMAX(labels, logits).numpy().tolist() == [0, 2e5]
    assert gradients(SOFTMAX, labels, logits)[1].tolist() == [[0, 0, 0], [1, 0, -1]]


def test_labels_are_broadcast():
    found = SOFTMAX(np.array([0.25, 0.25, 0.25, 0.25]), LOGITS).numpy()
    np.testing.assert_allclose(found, -np.log(softmax(LOGITS)).mean(-1))
    with pytest.raises(InvalidArgumentError, match="broadcast"):
        SOFTMAX(np.ones((5, 3)), LOGITS)


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.uint8, np.int8])
def test_sparse_softmax_cross_entropy(dtype):
    labels = LABELS.argmax(-1).astype(dtype)
    found = SPARSE(labels, LOGITS).numpy()
    np.testing.assert_allclose(found, -np.log(softmax(LOGITS))[np.arange(5), labels])
    x = convert(LOGITS)
    with GradientTape() as tape:
        tape.watch(x)
        y = SPARSE(labels, x)
    np.testing.assert_allclose(tape.gradient(y, x).numpy(), softmax(LOGITS) - LABELS, atol=1e-14)


def test_sparse_labels_of_more_axes_and_none():
    logits = GENERATOR.normal(size=(2, 3, 4))
    assert SPARSE(np.zeros((2, 3), int), logits).shape == (2, 3)
    assert SPARSE(2, logits[0, 0]).shape == ()
    assert SPARSE(np.zeros((0,), int), np.zeros((0, 4))).shape == (0,)


def test_one_class_more_than_the_labels_can_count():
    logits = np.zeros((1, 300))
    assert np.isfinite(SPARSE(np.array([127], np.int8), logits).numpy()).all()


def test_sparse_errors():
    with pytest.raises(InvalidArgumentError, match=r"label 4 is no class; expected in \[0, 4\)"):
        SPARSE([0, 4, 1, 1, 2], LOGITS)
    with pytest.raises(InvalidArgumentError, match="label -1"):
        SPARSE([0, -1, 1, 1, 2], LOGITS)
    with pytest.raises(InvalidArgumentError, match="no integers"):
        SPARSE([0.0] * 5, LOGITS)
    with pytest.raises(InvalidArgumentError, match="without the last axis"):
        SPARSE([0, 1], LOGITS)


@pytest.mark.parametrize("function", [SOFTMAX, SIGMOID])
def test_half_precision(function):
    narrow = function(LABELS.astype(np.float16), LOGITS.astype(np.float16)).numpy()
    assert narrow.dtype == np.float16
    np.testing.assert_allclose(narrow, function(LABELS, LOGITS).numpy(), rtol=1e-2, atol=2e-3)


def test_log_poisson_loss():
    c, z = np.array([0.5, -1.0, 2.0]), np.array([0.5, 3.0, 10.0])
    np.testing.assert_allclose(losses.log_poisson_loss(z, c).numpy(), np.exp(c) - z * c)
    full = losses.log_poisson_loss(z, c, compute_full_loss=True).numpy()
    stirling = z * np.log(z) - z + 0.5 * np.log(2 * np.pi * z)
    np.testing.assert_allclose(full, np.exp(c) - z * c + np.where(z > 1, stirling, 0))


@pytest.mark.parametrize(
    "function",
    [
        SIGMOID,
        losses.log_poisson_loss,
        lambda z, x: losses.weighted_cross_entropy_with_logits(z, x, 1.0),
    ],
)
def test_shapes_that_differ(function):
    with pytest.raises(ValueError, match="shapes differ"):
        function(np.ones(3), np.ones((3, 1)))
