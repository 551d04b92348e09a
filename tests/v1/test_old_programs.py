"""Small programs of 2016 to 2018 as tutorials have them: open ranks, sessions' options, rates."""

import logging
import math

import numpy as np
import pytest

import slipstream as tf2
import slipstream.v1 as tf


@pytest.fixture(autouse=True)
def graph():
    with tf.Graph().as_default() as made:
        yield made


def test_a_placeholder_without_a_shape_takes_any():
    x = tf.placeholder(tf.float32)
    y = x * 2 + 1
    assert str(x.shape) == "<unknown>"
    assert str(y) == 'Tensor("add:0", shape=<unknown>, dtype=float32)'
    total = tf.reduce_sum(y)
    assert total.shape == ()
    with tf.Session() as session:
        assert session.run(y, {x: 3}) == 7
        np.testing.assert_array_equal(session.run(y, {x: [1, 2]}), [3, 5])
        assert session.run(total, {x: np.ones((2, 3))}) == 18


def test_getting_started_of_2017():
    w, b = tf.Variable([0.3], dtype=tf.float32), tf.Variable([-0.3], dtype=tf.float32)
    x, y = tf.placeholder(tf.float32), tf.placeholder(tf.float32)
    loss = tf.reduce_sum(tf.square(w * x + b - y))
    train = tf.train.GradientDescentOptimizer(0.01).minimize(loss)
    feed = {x: [1, 2, 3, 4], y: [0, -1, -2, -3]}
    session = tf.Session(config=tf.ConfigProto(log_device_placement=False))
    session.run(tf.global_variables_initializer())
    for _ in range(1000):
        session.run(train, feed)
    found = session.run([w, b, loss], feed)
    np.testing.assert_allclose(np.ravel(found[:2]), [-1, 1], atol=1e-4)
    assert found[2] < 1e-8


def test_sizes_that_are_open_stay_so_beside_an_open_rank():
    x, y = tf.placeholder(tf.float32), tf.placeholder(tf.float32, [None, 3])
    assert (tf.reduce_mean(x) * y).shape.as_list() == [None, 3]


def test_matrices_of_open_rank():
    x = tf.placeholder(tf.float32)
    product = tf.matmul(x, x, transpose_b=True)
    with tf.Session() as session:
        assert session.run(product, {x: [[1, 2]]}).tolist() == [[5]]


def test_what_fits_no_shape_is_said_with_open_sizes():
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"a=float32\[\?,3\]"):
        tf.matmul(tf.placeholder(tf.float32, [None, 3]), tf.zeros([4, 2]))


def test_a_tensor_of_open_size_is_not_iterated():
    with pytest.raises(TypeError, match=r"use tf\.map_fn"):
        iter(tf.placeholder(tf.float32, [None]))
    assert len(list(tf.zeros([2, 3]))) == 2


def test_what_programs_set_up_first():
    old = tf2.compat.v1
    old.disable_v2_behavior()
    old.disable_eager_execution()
    assert not old.executing_eagerly()
    with pytest.raises(ValueError, match="import slipstream as tf"):
        old.enable_eager_execution()
    options = tf.ConfigProto(gpu_options=tf.GPUOptions(allow_growth=True))
    options.graph_options.optimizer_options.level = 1
    assert options.gpu_options.allow_growth is True
    tf.logging.set_verbosity(tf.logging.ERROR)
    assert tf.logging.get_verbosity() == logging.ERROR
    with tf.device("/gpu:0"):
        assert tf.Session(config=options).run(tf.constant(1)) == 1


def test_names_of_operations():
    a = tf.constant([[1.0]])
    tensors = [a, tf.matmul(a, a), tf.reduce_mean(a), tf.argmax(a, 1)]
    assert [t.op.name for t in tensors] == ["Const", "MatMul", "Mean", "ArgMax"]


def test_functions_of_older_names():
    a = tf.constant([3.0, 4.0])
    fetches = [tf.mul(a, a), tf.sub(a, 1.0), tf.neg(a), tf.pack([a, a])]
    loop = tf.while_loop(lambda i: i < 10, lambda i: i + 1, [tf.constant(0)])
    called = tf.py_func(np.sum, [a], tf.float32)
    with tf.Session() as session:
        product, less, negative, packed = session.run(fetches)
        assert session.run([loop, called]) == [10, 7.0]
        assert session.make_callable(a * 2, [a])([1.0, 1.0]).tolist() == [2, 2]
    assert (product.tolist(), less.tolist(), negative.tolist()) == ([9, 16], [2, 3], [-3, -4])
    assert packed.shape == (2, 2)


RATES = {
    "exponential_decay": ((0.1, 10, 0.5), lambda s: 0.1 * 0.5 ** (s / 10)),
    "natural_exp_decay": ((0.1, 10, 0.5), lambda s: 0.1 * math.exp(-0.5 * s / 10)),
    "inverse_time_decay": ((0.1, 10, 0.5), lambda s: 0.1 / (1 + 0.5 * s / 10)),
    "polynomial_decay": ((0.1, 10, 0.01), lambda s: 0.09 * (1 - min(s / 10, 1)) + 0.01),
    "cosine_decay": ((0.1, 10), lambda s: 0.05 * (1 + math.cos(math.pi * min(s / 10, 1)))),
}


@pytest.mark.parametrize("name", RATES)
def test_rates(name):
    (rate, *rest), formula = RATES[name]
    step = tf.placeholder(tf.int64, [])
    tensor = getattr(tf.train, name)(rate, step, *rest)
    with tf.Session() as session:
        for at in (0, 3, 10, 25):
            assert session.run(tensor, {step: at}) == pytest.approx(formula(at), abs=1e-7)


def test_rates_by_stairs_and_pieces():
    step = tf.placeholder(tf.int64, [])
    stairs = tf.train.exponential_decay(1.0, step, 10, 0.5, staircase=True)
    pieces = tf.train.piecewise_constant(step, [5, 10], [1.0, 0.5, 0.1])
    with tf.Session() as session:
        found = [session.run([stairs, pieces], {step: at}) for at in (5, 9, 10, 11)]
    np.testing.assert_allclose(found, [[1, 1], [1, 0.5], [0.5, 0.5], [0.5, 0.1]])
    with pytest.raises(ValueError, match="1 less"):
        tf.train.piecewise_constant(step, [5], [1.0])


def test_the_global_step_counts():
    step = tf.train.get_or_create_global_step()
    assert tf.train.get_or_create_global_step() is step
    with pytest.raises(ValueError, match="already exists"):
        tf.train.create_global_step()
    weight = tf.Variable(1.0)
    rate = tf.train.exponential_decay(0.5, step, 1, 0.5)
    train = tf.train.GradientDescentOptimizer(rate).minimize(weight * 1.0, global_step=step)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        for _ in range(3):
            session.run(train)
        assert session.run([step, weight]) == [3, pytest.approx(1 - 0.5 - 0.25 - 0.125)]
