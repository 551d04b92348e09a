"""Graphs, sessions, placeholders, feeds, fetches, and what misuse is told."""

import numpy as np
import pytest

import slipstream.v1 as tf


@pytest.fixture(autouse=True)
def graph():
    with tf.Graph().as_default() as made:
        yield made


def test_constants_have_no_value_before_a_run():
    c = tf.constant(6.0) * tf.constant(7.0)
    assert str(c) == 'Tensor("mul:0", shape=(), dtype=float32)'
    with tf.Session() as session:
        result = session.run(c)
    assert result == 42.0
    assert isinstance(result, np.float32)


def test_fetches_of_any_structure():
    a, b = tf.constant(1.0), tf.constant([2, 3])
    with tf.Session() as session:
        out = session.run({"pair": (a, [b]), "again": a})
    assert out["again"] == 1.0
    assert isinstance(out["pair"], tuple)
    np.testing.assert_array_equal(out["pair"][1][0], [2, 3])


def test_unknown_batch():
    x = tf.placeholder(tf.float32, [None, 3])
    y = tf.reduce_sum(x, axis=1)
    flat = tf.reshape(x, [-1])
    assert x.shape.as_list() == [None, 3]
    assert y.shape.as_list() == [None]
    assert flat.shape.as_list() == [None]
    with tf.Session() as session:
        for batch in (1, 4, 2):
            given = np.arange(3.0 * batch).reshape(batch, 3)
            sums, flattened = session.run([y, flat], {x: given})
            np.testing.assert_allclose(sums, given.sum(1))
            assert flattened.shape == (3 * batch,)


def test_any_tensor_can_be_fed():
    a = tf.constant(1.0)
    b = a + 1.0
    c = b * 10.0
    with tf.Session() as session:
        assert session.run(c, {b: 5.0}) == 50.0
        assert session.run(c) == 20.0


def test_names(graph):
    a = tf.constant(1.0, name="one")
    with tf.name_scope("outer"), tf.name_scope("inner"):
        b = tf.add(a, 1.0, name="sum")
    again = tf.add(a, 1.0, name="one")
    assert (a.name, b.name, again.name) == ("one:0", "outer/inner/sum:0", "one_1:0")
    assert graph.get_tensor_by_name("outer/inner/sum:0") is b
    assert graph.get_operation_by_name("one") is a.op
    with pytest.raises(KeyError, match="not in the graph"):
        graph.get_tensor_by_name("missing:0")
    with tf.Session() as session:
        assert session.run("outer/inner/sum:0") == 2.0


def test_an_unfed_placeholder_is_named():
    x = tf.placeholder(tf.float32, [None, 2], name="x")
    with tf.Session() as session, pytest.raises(tf.errors.InvalidArgumentError) as error:
        session.run(x * 2.0)
    assert "You must feed a value for placeholder tensor 'x' with dtype float" in str(error.value)
    assert "[?,2]" in str(error.value)


def test_a_feed_of_another_shape_is_refused():
    x = tf.placeholder(tf.float32, [None, 2], name="x")
    expected = r"Cannot feed value of shape \(3,\) for Tensor 'x:0'"
    with tf.Session() as session, pytest.raises(ValueError, match=expected):
        session.run(x, {x: [1.0, 2.0, 3.0]})


def test_what_cannot_be_fetched_or_fed():
    with tf.Session() as session:
        with pytest.raises(TypeError, match="Fetch argument None"):
            session.run(None)
        with pytest.raises(TypeError, match="Fetch argument 3"):
            session.run(3)
        with pytest.raises(TypeError, match="Cannot interpret feed_dict key"):
            session.run(tf.constant(1.0), {1.0: 2.0})


def test_another_graph_and_a_closed_session():
    with tf.Graph().as_default():
        foreign = tf.constant(1.0)
    session = tf.Session()
    with pytest.raises(ValueError, match="not an element of this session's graph"):
        session.run(foreign)
    session.close()
    with pytest.raises(RuntimeError, match="closed Session"):
        session.run(tf.constant(1.0))


def test_variables_need_their_initialiser_in_each_session():
    v = tf.Variable([1.0, 2.0], name="v")
    doubled = v * 2.0
    init = tf.global_variables_initializer()
    with tf.Session() as first:
        with pytest.raises(tf.errors.FailedPreconditionError, match="uninitialized value v"):
            first.run(doubled)
        first.run(init)
        first.run(v.assign_add([1.0, 1.0]))
        np.testing.assert_array_equal(first.run(doubled), [4.0, 6.0])
    with tf.Session() as second:
        with pytest.raises(tf.errors.FailedPreconditionError):
            second.run(v)
        second.run(init)
        np.testing.assert_array_equal(second.run(v), [1.0, 2.0])


def test_assignments_and_control_dependencies():
    v = tf.Variable(1.0)
    add = tf.assign(v, v + 1.0)
    with tf.control_dependencies([add]):
        after = tf.identity(v) * 10.0
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        assert session.run(after) == 20.0
        assert session.run(add) == 3.0
        assert v.eval() == 3.0


def test_eval_and_interactive_session():
    x = tf.placeholder(tf.float32, [])
    with pytest.raises(ValueError, match="No default session"):
        (x * 2.0).eval()
    session = tf.InteractiveSession()
    assert (x * 2.0).eval({x: 4.0}) == 8.0
    session.close()
    assert tf.get_default_session() is None


def test_collections(graph):
    tf.add_to_collection("mine", 1)
    tf.add_to_collection("mine", 2)
    assert tf.get_collection("mine") == [1, 2]
    v = tf.Variable(1.0, trainable=False)
    w = tf.Variable(1.0)
    assert tf.global_variables() == [v, w]
    assert tf.trainable_variables() == [w]


def test_a_finished_graph_takes_no_more(graph):
    graph.finalize()
    with pytest.raises(RuntimeError, match="finalized"):
        tf.constant(1.0)


def test_gradients():
    x = tf.placeholder(tf.float32, [None])
    w = tf.Variable(3.0)
    unused = tf.Variable(1.0)
    y = tf.reduce_sum(w * x * x)
    by_x, by_w, by_unused = tf.gradients(y, [x, w, unused])
    assert by_unused is None
    (second,) = tf.gradients(by_x, x)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        found = session.run([by_x, by_w, second], {x: [1.0, 2.0]})
    np.testing.assert_allclose(found[0], [6.0, 12.0])
    assert found[1] == 5.0
    np.testing.assert_allclose(found[2], [6.0, 6.0])


@pytest.mark.parametrize(
    ("optimizer", "steps"),
    [
        (lambda: tf.train.GradientDescentOptimizer(0.1), 100),
        (lambda: tf.train.MomentumOptimizer(0.05, 0.9), 200),
        (lambda: tf.train.MomentumOptimizer(0.05, 0.9, use_nesterov=True), 200),
        (lambda: tf.train.AdagradOptimizer(1.0), 200),
        (lambda: tf.train.AdadeltaOptimizer(10.0), 1500),
        (lambda: tf.train.RMSPropOptimizer(0.05), 400),
        (lambda: tf.train.RMSPropOptimizer(0.05, centered=True), 400),
        (lambda: tf.train.AdamOptimizer(0.1), 300),
    ],
    ids=["sgd", "momentum", "nesterov", "adagrad", "adadelta", "rmsprop", "centered", "adam"],
)
def test_optimizers_find_the_minimum(optimizer, steps):
    v = tf.Variable([5.0, -3.0])
    loss = tf.reduce_sum(tf.square(v - tf.constant([1.0, 2.0])))
    train = optimizer().minimize(loss)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        for _ in range(steps):
            session.run(train)
        np.testing.assert_allclose(session.run(v), [1.0, 2.0], atol=0.1)


def test_one_step_of_adam_is_the_paper_s():
    v = tf.Variable(1.0)
    train = tf.train.AdamOptimizer(0.5).minimize(v * 4.0)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        session.run(train)
        np.testing.assert_allclose(session.run(v), 0.5, rtol=1e-5)


def test_compute_and_apply_gradients_and_the_global_step():
    v = tf.Variable(1.0)
    count = tf.Variable(0, trainable=False)
    optimizer = tf.train.GradientDescentOptimizer(1.0)
    ((gradient, variable),) = optimizer.compute_gradients(v * 3.0)
    train = optimizer.apply_gradients([(gradient * 2.0, variable)], global_step=count)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        session.run(train)
        assert session.run([v, count]) == [-5.0, 1]


def test_a_fed_learning_rate():
    v, rate = tf.Variable(1.0), tf.placeholder(tf.float32, [])
    train = tf.train.GradientDescentOptimizer(rate).minimize(v * 1.0)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        session.run(train, {rate: 0.25})
        assert session.run(v) == 0.75


def test_nothing_to_optimise():
    v = tf.Variable(1.0)
    with pytest.raises(ValueError, match="No gradients provided"):
        tf.train.GradientDescentOptimizer(1.0).minimize(tf.constant(2.0), var_list=[v])


def test_scopes_share_variables():
    with tf.variable_scope("a"):
        w = tf.get_variable("w", [2])
    with tf.variable_scope("a", reuse=True):
        assert tf.get_variable("w", [2]) is w
        with pytest.raises(ValueError, match="does not exist"):
            tf.get_variable("other", [1])
        with pytest.raises(ValueError, match="specified shape"):
            tf.get_variable("w", [3])
    with tf.variable_scope("a"), pytest.raises(ValueError, match="already exists"):
        tf.get_variable("w", [2])
    with tf.variable_scope("b", reuse=tf.AUTO_REUSE):
        assert tf.get_variable("w", [2]) is tf.get_variable("w", [2])
    assert w.name == "a/w:0"


def test_while_loop_over_graph_tensors():
    limit = tf.placeholder(tf.int32, [])
    step = tf.constant(3)
    _, total = tf.while_loop(
        lambda i, s: i < limit, lambda i, s: (i + 1, s + step), [tf.constant(0), tf.constant(0)]
    )
    with tf.Session() as session:
        assert session.run(total, {limit: 5}) == 15
        assert session.run(total, {limit: 0}) == 0


def test_cond_chooses_at_run_time():
    x = tf.placeholder(tf.float32, [])
    y = tf.cond(x > 0.0, lambda: x * 2.0, lambda: -x)
    with tf.Session() as session:
        assert session.run(y, {x: 3.0}) == 6.0
        assert session.run(y, {x: -3.0}) == 3.0


def test_random_numbers_change_from_run_to_run_and_repeat_by_seed():
    tf.set_random_seed(7)
    r = tf.random_normal([3], seed=1)
    with tf.Session() as session:
        first, second = session.run(r), session.run(r)
    with tf.Session() as session:
        again = session.run(r)
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(first, again)


def test_saver_keeps_and_restores(tmp_path):
    v, w = tf.Variable([1.0, 2.0], name="v"), tf.Variable(3, name="scope/w")
    saver = tf.train.Saver(max_to_keep=2)
    path = str(tmp_path / "model")
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        session.run(v.assign([5.0, 6.0]))
        for step in range(3):
            saved = saver.save(session, path, global_step=step)
    assert tf.train.latest_checkpoint(str(tmp_path)) == saved == f"{path}-2"
    assert not (tmp_path / "model-0.npz").exists()
    with tf.Session() as session:
        saver.restore(session, saved)
        np.testing.assert_array_equal(session.run(v), [5.0, 6.0])
        assert session.run(w) == 3


def test_a_corrupt_checkpoint_changes_nothing(tmp_path):
    v = tf.Variable(1.0)
    saver = tf.train.Saver()
    with tf.Session() as session:
        session.run(v.initializer)
        saved = saver.save(session, str(tmp_path / "model"))
        whole = (tmp_path / "model.npz").read_bytes()
        (tmp_path / "model.npz").write_bytes(whole[: len(whole) // 2])
        with pytest.raises(tf.errors.DataLossError):
            saver.restore(session, saved)
        with pytest.raises(tf.errors.NotFoundError):
            saver.restore(session, str(tmp_path / "nothing"))
        assert session.run(v) == 1.0


def test_today_s_layers_work_in_a_graph():
    x = tf.placeholder(tf.float32, [None, 4])
    y = tf.layers.dense(x, 3, activation=tf.nn.relu, name="hidden")
    assert y.shape.as_list() == [None, 3]
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        assert session.run(y, {x: np.ones((5, 4))}).shape == (5, 3)
    assert [v.name for v in tf.trainable_variables()] == ["hidden/kernel:0", "hidden/bias:0"]
