"""Eager operations: quiet, in any thread, and numbers beside tensors are as they were written."""

import threading
import warnings

import numpy as np
import pytest

import slipstream as tf


def silent():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isinf(float(tf.constant(1e38) * 10.0))
        assert np.isnan(float(tf.math.log(tf.constant(-1.0))))
        assert np.isinf(float(tf.reduce_sum(tf.constant([3e38, 3e38]))))


def test_overflow_is_no_warning_in_any_thread():
    failed = []

    def guarded():
        try:
            silent()
        except Warning as warning:
            failed.append(warning)

    threads = [threading.Thread(target=guarded) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    silent()
    assert not failed


def test_numpy_warns_of_what_is_not_ours():
    silent()
    with pytest.warns(RuntimeWarning, match="overflow"):
        np.float32(3e38) * np.float32(10)


def test_python_in_an_operation_may_use_operations():
    found = tf.py_function(lambda x: tf.exp(x) + 1.0, [tf.constant(0.0)], tf.float32)
    assert float(found) == 2.0


@pytest.mark.parametrize("number", [0.0, -0.0, 1, 1.0, 2.5, float("inf")])
def test_numbers_beside_tensors(number):
    for _ in range(2):
        found = tf.constant([2.0], tf.float64) * number
        np.testing.assert_array_equal(found, [2.0 * number])
        assert np.signbit(found.numpy()[0]) == np.signbit(2.0 * number)
    with pytest.raises(TypeError, match="without a loss"):
        tf.constant([1]) + 2.5


def test_matrices_whatever_their_strides():
    a = np.arange(12, dtype=np.float32).reshape(3, 4)
    x = tf.constant(a)
    np.testing.assert_array_equal(tf.matmul(x, tf.transpose(x)), a @ a.T)
    np.testing.assert_array_equal(tf.matmul(tf.cast(x, tf.int8), tf.cast(a.T, tf.int8)),
                                  (a @ a.T).astype(np.int8))  # fmt: skip
    with pytest.raises(tf.errors.InvalidArgumentError, match="inner sizes differ"):
        tf.matmul(x, x)
