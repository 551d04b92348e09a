"""A call of a traced function under a tape runs as two compiled programs: forward and backward."""

import numpy as np
import pytest

import slipstream as tf
from slipstream.primitives import control
from slipstream.runtime import executor, halves
from slipstream.runtime.program import Program

X = np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4)


@pytest.fixture
def loaded(monkeypatch):
    """The graphs that the executor was given, while NumPy may not compute any."""
    chosen, graphs = executor.executor(), []

    class Noting:
        name, in_place = chosen.name, chosen.in_place

        def load(self, graph, in_place=()):
            graphs.append(graph)
            return chosen.load(graph, in_place)

    def never(*_):
        raise AssertionError("a program was computed node by node")

    monkeypatch.setitem(executor.EXECUTORS, chosen.name, Noting())
    monkeypatch.setattr(control, "evaluate", never)
    return graphs


def network():
    random = np.random.default_rng(0)
    w, b = (tf.Variable(random.normal(size=s).astype(np.float32)) for s in ((4, 5), (5,)))

    def forward(x):
        return tf.reduce_sum(tf.tanh(tf.matmul(x, w) + b) ** 2)

    return forward, [w, b]


def test_gradients_are_those_of_eager_code(loaded):
    forward, variables = network()
    traced = tf.function(forward)
    for _ in range(2):
        with tf.GradientTape() as tape:
            loss = traced(tf.constant(X))
        found = tape.gradient(loss, variables)
    with tf.GradientTape() as tape:
        expected_loss = forward(tf.constant(X))
    expected = tape.gradient(expected_loss, variables)
    np.testing.assert_allclose(loss, expected_loss, rtol=1e-6)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5)
    assert len(loaded) == 2  # forward and backward, once


def test_backward_computes_nothing_again():
    forward, _ = network()
    concrete = tf.function(forward).get_concrete_function(tf.constant(X))
    graph = concrete.program.graph
    wanted = tuple(len(t.shape) > 0 and t.shape != X.shape for t in graph.input_types)
    names = [node.operation.name for node in halves.split(graph, wanted).backward.nodes]
    assert "tanh" not in names
    assert names.count("matmul") <= 1


def test_gradients_of_gradients():
    x = tf.Variable(2.0)
    cube = tf.function(lambda: x**3)
    with tf.GradientTape() as outer:
        with tf.GradientTape() as inner:
            y = cube()
        slope = inner.gradient(y, x)
    assert float(slope) == pytest.approx(12.0)
    assert float(outer.gradient(slope, x)) == pytest.approx(12.0)


def test_a_persistent_tape_asks_twice(loaded):
    x, y = tf.constant(3.0), tf.constant(5.0)

    @tf.function
    def both(x, y):
        return x * y, tf.sin(x), tf.cast(x, tf.int32)

    with tf.GradientTape(persistent=True) as tape:
        tape.watch([x, y])
        product, sine, whole = both(x, y)
    assert [float(g) for g in tape.gradient(product, [x, y])] == [5.0, 3.0]
    assert float(tape.gradient(sine, x)) == pytest.approx(np.cos(3.0))
    assert int(whole) == 3
    assert len(loaded) == 2


def test_variables_are_written_and_draws_go_on():
    count = tf.Variable(0.0, trainable=False)
    w = tf.Variable(np.ones(1000, np.float32))

    @tf.function
    def noisy():
        count.assign_add(1.0)
        return tf.reduce_sum(w * tf.random.uniform([1000]))

    seen = []
    for _ in range(2):
        with tf.GradientTape() as tape:
            total = noisy()
        gradient = tape.gradient(total, w)
        np.testing.assert_allclose(tf.reduce_sum(gradient), total, rtol=1e-4)
        seen.append(float(total))
    assert float(count) == 2.0
    assert seen[0] != seen[1]


def test_what_no_tape_follows_runs_as_it_is(monkeypatch):
    runs = []
    run = Program.run
    monkeypatch.setattr(Program, "run", lambda self, *a: runs.append(1) or run(self, *a))
    doubled = tf.function(lambda x: x * 2.0)
    with tf.GradientTape():
        assert float(doubled(tf.constant(2.0))) == 4.0
    assert runs == [1]
