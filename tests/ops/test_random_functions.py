"""tf.random: what seeds promise, eagerly and in traced programs, and the public distributions."""

import numpy as np
import pytest

from slipstream.errors import InvalidArgumentError
from slipstream.ops import random as tf
from slipstream.runtime.convert import convert
from slipstream.runtime.function import function
from slipstream.runtime.tape import GradientTape


def drawn(count, **options):
    return [tf.uniform([3], **options).numpy().tolist() for _ in range(count)]


def test_a_global_seed_repeats_the_whole_program():
    tf.set_seed(7)
    first = drawn(3)
    tf.set_seed(7)
    assert drawn(3) == first
    tf.set_seed(8)
    assert drawn(3) != first
    assert len({tuple(d) for d in first}) == 3


def test_without_seeds_programs_differ():
    tf.set_seed(None)
    first = drawn(2)
    tf.set_seed(None)
    assert drawn(2) != first


def test_an_operation_seed_is_a_stream_of_its_own():
    tf.set_seed(7)
    first = drawn(2, seed=1)
    other = drawn(2, seed=2)
    tf.set_seed(7)
    drawn(5)
    assert drawn(2, seed=1) == first and first != other
    tf.set_seed(9)
    assert drawn(2, seed=1) != first
    tf.set_seed(None)
    again = drawn(2, seed=1)
    tf.set_seed(None)
    assert drawn(2, seed=1) == again


def test_traced_programs_advance_and_are_reset_by_the_seed():
    @function
    def f():
        return tf.normal([4]), tf.normal([4], seed=3)

    tf.set_seed(5)
    first = [np.stack([t.numpy() for t in f()]) for _ in range(3)]
    tf.set_seed(5)
    again = [np.stack([t.numpy() for t in f()]) for _ in range(3)]
    np.testing.assert_array_equal(first, again)
    assert len(np.unique(first)) == 24
    tf.set_seed(5)
    eager = np.stack([tf.normal([4]).numpy(), tf.normal([4], seed=3).numpy()])
    np.testing.assert_allclose(first[0], eager, 1e-6)


@pytest.mark.parametrize(
    "call",
    [
        lambda seed: tf.stateless_uniform([50], seed),
        lambda seed: tf.stateless_uniform([50], seed, -9, 9, "int64"),
        lambda seed: tf.stateless_uniform([50], seed, None, None, "int32"),
        lambda seed: tf.stateless_normal([50], seed, 2.0, 3.0, "float64"),
        lambda seed: tf.stateless_truncated_normal([50], seed),
        lambda seed: tf.stateless_categorical([[0.0, 1.0, 0.5]], 50, seed),
        lambda seed: tf.stateless_gamma([50], seed, 2.0),
        lambda seed: tf.stateless_poisson([50], seed, 4.0),
        lambda seed: tf.stateless_shuffle(convert(np.arange(50)), seed),
    ],
)
def test_stateless_numbers_are_a_function_of_the_seed(call):
    one, same, other = (call(s).numpy() for s in ([1, 2], [1, 2], [2, 1]))
    np.testing.assert_array_equal(one, same)
    assert np.any(one != other)
    traced = function(call)
    for seed in ([1, 2], [2, 1]):
        np.testing.assert_allclose(traced(convert(seed)).numpy(), call(seed).numpy(), 1e-6)


def test_seeds_are_split_and_folded():
    split = tf.stateless_split([1, 2], 3).numpy()
    assert split.shape == (3, 2) and len(np.unique(split, axis=0)) == 3
    folded = {tuple(tf.stateless_fold_in([1, 2], n).numpy()) for n in range(5)}
    assert len(folded) == 5
    with pytest.raises(InvalidArgumentError, match=r"shape \[2\]"):
        tf.stateless_uniform([3], [1, 2, 3])


def test_public_distributions_have_their_parameters():
    tf.set_seed(1)
    n = 20000
    assert abs(tf.normal([n], 3.0, 2.0).numpy().mean() - 3) < 0.08
    assert abs(tf.normal([n], 3.0, 2.0).numpy().std() - 2) < 0.06
    x = tf.truncated_normal([n], 1.0, 0.5).numpy()
    assert 0 <= x.min() < 0.05 and 1.95 < x.max() <= 2
    i = tf.uniform([n], 2, 5, "int32").numpy()
    assert set(i) == {2, 3, 4}
    assert abs(tf.gamma([n], 4.0, 2.0).numpy().mean() - 2) < 0.05
    g = tf.gamma([n], [1.0, 3.0]).numpy()
    assert g.shape == (n, 2) and np.abs(g.mean(0) - [1, 3]).max() < 0.1
    assert abs(tf.poisson([n], 6.0).numpy().mean() - 6) < 0.1
    c = tf.categorical(np.log([[0.2, 0.8]]).astype(np.float32), n).numpy()
    assert c.dtype == np.int64 and abs(c.mean() - 0.8) < 0.02
    with pytest.raises(ValueError, match="maxval"):
        tf.uniform([3], dtype="int32")
    with pytest.raises(InvalidArgumentError, match="two dimensions"):
        tf.categorical([0.0, 1.0], 3)


def test_shuffle_keeps_rows():
    x = np.arange(30).reshape(10, 3)
    tf.set_seed(2)
    found = tf.shuffle(x).numpy()
    assert np.any(found != x)
    np.testing.assert_array_equal(found[np.argsort(found[:, 0])], x)


def test_gradients_flow_to_parameters():
    mean, form = convert([1.0, 2.0]), convert([2.0, 3.0])
    with GradientTape() as tape:
        tape.watch([mean, form])
        y = tf.stateless_normal([2], [1, 2], mean), tf.stateless_gamma([2], [1, 2], form)
    by_mean, by_form = tape.gradient(y, [mean, form])
    assert by_mean.numpy().tolist() == [1, 1] and np.all(by_form.numpy() > 0)


def test_generators():
    one, two = tf.Generator.from_seed(3), tf.Generator.from_seed(3)
    assert one.normal([3]).numpy().tolist() == two.normal([3]).numpy().tolist()
    two.skip(1)
    one.normal([1])
    assert one.uniform([3]).numpy().tolist() == two.uniform([3]).numpy().tolist()
    kept = tf.Generator.from_state(one.state)
    assert kept.uniform_full_int([2]).numpy().dtype == np.uint64
    children = one.split(3)
    assert len({tuple(c.uniform([2]).numpy()) for c in children}) == 3
    one.reset_from_seed(3)
    two.reset_from_seed(3)
    traced = function(lambda: one.truncated_normal([4]))
    for _ in range(2):
        np.testing.assert_allclose(traced().numpy(), two.truncated_normal([4]).numpy(), 1e-6)
    free = [tf.Generator.from_non_deterministic_state() for _ in range(2)]
    assert np.any(free[0].uniform([4]).numpy() != free[1].uniform([4]).numpy())


def test_dropout_scales_what_it_keeps():
    x = np.ones((100, 50), np.float32)
    tf.set_seed(3)
    found = tf.dropout(x, 0.25).numpy()
    assert abs((found == 0).mean() - 0.25) < 0.03
    np.testing.assert_allclose(found[found != 0], 1 / 0.75, 1e-6)
    rows = tf.dropout(x, 0.5, noise_shape=[100, 1]).numpy()
    assert np.all(rows.std(1) == 0) and 0 < (rows[:, 0] == 0).mean() < 1
    np.testing.assert_array_equal(tf.dropout(x, 0).numpy(), x)
    for rate, text in ((1.0, "rate must be"), (-0.1, "rate must be")):
        with pytest.raises(ValueError, match=text):
            tf.dropout(x, rate)
    with pytest.raises(ValueError, match="floating"):
        tf.dropout(np.ones(3, np.int32), 0.5)
