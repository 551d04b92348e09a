"""Optimizers, schedules: steps by the papers' formulas, convergence, averages, configurations."""

import math

import numpy as np
import pytest

import slipstream as tf
from slipstream.keras import constraints, layers, models, optimizers
from slipstream.keras.optimizers import schedules
from slipstream.keras.variables import KerasVariable
from slipstream.runtime.slices import IndexedSlices

START = np.array([1.0, 2.0, -3.0], np.float64)
GRADIENTS = [np.array(g) for g in ([0.1, -0.2, 3.0], [0.3, 0.4, -1.0], [-0.5, 0.0, 2.0])]
RATE = 0.1


def taken(optimizer, traced=False, start=START, gradients=GRADIENTS):
    w = tf.Variable(start, dtype="float64")
    optimizer.build([w])

    def step(gradient):
        optimizer.apply([gradient], [w])

    step = tf.function(step) if traced else step
    for gradient in gradients:
        step(tf.constant(gradient))
    return w.numpy()


def sgd():
    w = START.copy()
    for g in GRADIENTS:
        w -= RATE * g
    return w


def momentum(nesterov):
    w, m = START.copy(), 0
    for g in GRADIENTS:
        m = 0.9 * m - RATE * g
        w += 0.9 * m - RATE * g if nesterov else m
    return w


def rmsprop(centered, momentum):
    w, v, a, m = START.copy(), 0, 0, 0
    for g in GRADIENTS:
        v, a = 0.8 * v + 0.2 * g * g, 0.8 * a + 0.2 * g
        m = momentum * m + RATE * g / np.sqrt(v - (a * a if centered else 0) + 1e-3)
        w -= m
    return w


def adagrad():
    w, total = START.copy(), 0.1
    for g in GRADIENTS:
        total = total + g * g
        w -= RATE * g / np.sqrt(total + 1e-7)
    return w


def adadelta():
    w, v, d = START.copy(), 0, 0
    for g in GRADIENTS:
        v = 0.9 * v + 0.1 * g * g
        step = g * np.sqrt(d + 1e-3) / np.sqrt(v + 1e-3)
        d = 0.9 * d + 0.1 * step * step
        w -= RATE * step
    return w


def adam(amsgrad=False, decay=0.0):
    w, m, v, top = START.copy(), 0, 0, 0
    for t, g in enumerate(GRADIENTS, 1):
        w -= RATE * decay * w
        m, v = 0.9 * m + 0.1 * g, 0.99 * v + 0.01 * g * g
        top = np.maximum(top, v) if amsgrad else v
        rate = RATE * math.sqrt(1 - 0.99**t) / (1 - 0.9**t)
        w -= rate * m / (np.sqrt(top) + 1e-7)
    return w


def adamax():
    w, m, u = START.copy(), 0, 0
    for t, g in enumerate(GRADIENTS, 1):
        m, u = 0.9 * m + 0.1 * g, np.maximum(0.99 * u, abs(g))
        w -= RATE / (1 - 0.9**t) * m / (u + 1e-7)
    return w


def nadam():
    w, m, v, product = START.copy(), 0, 0, 1
    for t, g in enumerate(GRADIENTS, 1):
        now, soon = (0.9 * (1 - 0.5 * 0.96**n) for n in (t, t + 1))
        product *= now
        m, v = 0.9 * m + 0.1 * g, 0.99 * v + 0.01 * g * g
        ahead = soon * m / (1 - product * soon) + (1 - now) * g / (1 - product)
        w -= RATE * ahead / (np.sqrt(v / (1 - 0.99**t)) + 1e-7)
    return w


def lion():
    w, m = START.copy(), 0
    for g in GRADIENTS:
        w -= RATE * np.sign(0.9 * m + 0.1 * g)
        m = 0.99 * m + 0.01 * g
    return w


def ftrl():
    w, n, z, l1, l2 = START.copy(), 0.1, 0, 0.2, 0.3
    for g in GRADIENTS:
        grown = n + g * g
        z = z + g - (np.sqrt(grown) - np.sqrt(n)) / RATE * w
        n = grown
        w = np.where(abs(z) > l1, -(z - np.sign(z) * l1) / (np.sqrt(n) / RATE + 2 * l2), 0)
    return w


def lamb():
    w, m, v = START.copy(), 0, 0
    for t, g in enumerate(GRADIENTS, 1):
        m, v = 0.9 * m + 0.1 * g, 0.99 * v + 0.01 * g * g
        r = m / (1 - 0.9**t) / (np.sqrt(v / (1 - 0.99**t)) + 1e-7)
        w = w - RATE * np.linalg.norm(w) / np.linalg.norm(r) * r
    return w


def adafactor():
    def size(x):
        return np.sqrt((x * x).mean())

    w, v = START.copy(), 0
    for t, g in enumerate(GRADIENTS, 1):
        kept = 1 - t**-0.8
        v = kept * v + (1 - kept) * (g * g + 1e-30)
        u = g / np.sqrt(v)
        rate = max(1e-3, size(w)) * min(RATE, 1 / math.sqrt(t))
        w = w - rate * u / max(1, size(u))
    return w


TWO = {"beta_1": 0.9, "beta_2": 0.99}
CASES = [
    ("SGD", {}, sgd),
    ("SGD", {"momentum": 0.9}, lambda: momentum(False)),
    ("SGD", {"momentum": 0.9, "nesterov": True}, lambda: momentum(True)),
    ("RMSprop", {"rho": 0.8, "epsilon": 1e-3}, lambda: rmsprop(False, 0)),
    ("RMSprop", {"rho": 0.8, "epsilon": 1e-3, "momentum": 0.5}, lambda: rmsprop(False, 0.5)),
    (
        "RMSprop",
        {"rho": 0.8, "epsilon": 1e-3, "momentum": 0.5, "centered": True},
        lambda: rmsprop(True, 0.5),
    ),
    ("Adagrad", {}, adagrad),
    ("Adadelta", {"rho": 0.9, "epsilon": 1e-3}, adadelta),
    ("Adam", TWO, adam),
    ("Adam", TWO | {"amsgrad": True}, lambda: adam(True)),
    ("AdamW", TWO | {"weight_decay": 0.3}, lambda: adam(decay=0.3)),
    ("Adamax", TWO, adamax),
    ("Nadam", TWO, nadam),
    ("Lion", TWO, lion),
    (
        "Ftrl",
        {"l1_regularization_strength": 0.2, "l2_regularization_strength": 0.3},
        ftrl,
    ),
    ("Lamb", TWO, lamb),
    ("Adafactor", {}, adafactor),
]


@pytest.mark.parametrize("traced", [False, True], ids=["eager", "traced"])
@pytest.mark.parametrize(("name", "arguments", "expected"), CASES)
def test_steps_follow_the_paper(name, arguments, expected, traced):
    optimizer = getattr(optimizers, name)(RATE, **arguments)
    np.testing.assert_allclose(taken(optimizer, traced), expected(), rtol=1e-5, atol=1e-7)
    assert int(optimizer.iterations) == len(GRADIENTS)


def test_adafactor_keeps_rows_and_columns_of_matrices():
    g = np.array([[1.0, -2.0, 3.0], [0.5, 0.5, -4.0]])
    squares = g * g
    rows, columns = squares.mean(1), squares.mean(0)
    u = g / np.sqrt(rows[:, None] * columns[None] / rows.mean())
    u /= max(1, np.sqrt((u * u).mean()))
    found = taken(optimizers.Adafactor(RATE), start=np.ones((2, 3)), gradients=[g])
    np.testing.assert_allclose(found, 1 - RATE * u, rtol=1e-6)
    optimizer = optimizers.Adafactor()
    optimizer.build([tf.Variable(np.ones((2, 3, 4), np.float32))])
    shapes = [tuple(v.shape) for v in optimizer.variables]
    assert shapes == [(), (), (2, 3), (2, 4), (2, 3, 4)]


@pytest.mark.parametrize(
    "optimizer",
    [
        optimizers.SGD(0.1, momentum=0.9),
        optimizers.RMSprop(0.05),
        optimizers.Adagrad(1.0),
        optimizers.Adadelta(30.0),
        optimizers.Adam(0.1),
        optimizers.AdamW(0.1, weight_decay=1e-4),
        optimizers.Adamax(0.2),
        optimizers.Nadam(0.1),
        optimizers.Ftrl(1.0),
        optimizers.Lion(0.03, beta_2=0.9),
        optimizers.Lamb(0.02),
        optimizers.Adafactor(0.1),
    ],
    ids=lambda o: type(o).__name__,
)
def test_convergence(optimizer):
    """All find the minimum of an elongated bowl."""
    w = tf.Variable([3.0, -2.0])
    scale = tf.constant([1.0, 0.2])

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(scale * tf.square(w - 1.0))
        optimizer.apply_gradients([(tape.gradient(loss, w), w)])
        return loss

    optimizer.build([w])
    first = float(step())
    for _ in range(200):
        last = float(step())
    assert last < 0.02 * first


def test_slots_are_in_the_order_of_files():
    def shapes_and_names(optimizer):
        optimizer.build([tf.Variable(np.ones((2, 3))), tf.Variable(np.ones(2))])
        return [(v.name.split("_", 1)[-1], tuple(v.shape)) for v in optimizer.variables[2:]]

    found = shapes_and_names(optimizers.Adam(amsgrad=True, use_ema=True))
    shapes = [(2, 3), (2,), (2, 3), (2, 3), (2,), (2,), (2, 3), (2,)]
    assert [shape for _, shape in found] == shapes
    assert found[0][0].endswith("average")
    assert found[-1][0].endswith("velocity_hat")


def test_clipping():
    long = [np.array([3.0, 0.0, 4.0])]
    clipped = taken(optimizers.SGD(1.0, clipnorm=1.0), gradients=long)
    np.testing.assert_allclose(clipped, START - [0.6, 0, 0.8])
    clipped = taken(optimizers.SGD(1.0, clipvalue=2.0), gradients=long)
    np.testing.assert_allclose(clipped, START - [2, 0, 2])
    a, b = tf.Variable([0.0]), tf.Variable([0.0])
    optimizers.SGD(1.0, global_clipnorm=1.0).apply([tf.constant([3.0]), tf.constant([4.0])], [a, b])
    np.testing.assert_allclose([a.numpy()[0], b.numpy()[0]], [-0.6, -0.8], rtol=1e-6)


def test_weight_decay_and_what_it_leaves_out():
    kernel, bias = tf.Variable([2.0], name="kernel"), tf.Variable([2.0], name="bias")
    optimizer = optimizers.SGD(0.1, weight_decay=0.5)
    optimizer.build([kernel, bias])
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    optimizer.apply([tf.constant([1.0]), tf.constant([1.0])], [kernel, bias])
    np.testing.assert_allclose(kernel, [2 - 0.1 * 0.5 * 2 - 0.1])
    np.testing.assert_allclose(bias, [1.9])


def test_moving_averages():
    w = tf.Variable([1.0])
    optimizer = optimizers.SGD(1.0, use_ema=True, ema_momentum=0.5)
    optimizer.build([w])
    for _ in range(3):
        optimizer.apply([tf.constant([1.0])], [w])
    assert float(w[0]) == -2.0
    optimizer.finalize_variable_values([w])
    assert float(w[0]) == pytest.approx(((0 - 1) / 2 - 2) / 2)


def test_averages_overwrite_the_variables():
    found = taken(
        optimizers.SGD(1.0, use_ema=True, ema_momentum=0.5, ema_overwrite_frequency=2),
        traced=True,
        start=np.array([1.0]),
        gradients=[np.array([1.0])] * 3,
    )
    assert found[0] == pytest.approx(-0.5 - 1)  # after two steps (0 - 1) / 2, then a step


@pytest.mark.parametrize("traced", [False, True], ids=["eager", "traced"])
def test_several_batches_make_one_step(traced):
    optimizer = optimizers.Adam(RATE, gradient_accumulation_steps=3)
    once = taken(optimizers.Adam(RATE), gradients=[np.mean(GRADIENTS, axis=0)])
    np.testing.assert_allclose(taken(optimizer, traced), once, rtol=1e-6)
    assert int(optimizer.iterations) == 1
    before = taken(optimizers.SGD(1.0, gradient_accumulation_steps=4), traced)
    np.testing.assert_array_equal(before, START)


def test_scaled_losses():
    optimizer = optimizers.SGD(1.0, loss_scale_factor=8.0)
    w = tf.Variable(3.0)
    with tf.GradientTape() as tape:
        loss = optimizer.scale_loss(w * w)
    assert float(loss) == 72.0
    optimizer.apply([tape.gradient(loss, w)], [w])
    assert float(w) == -3.0


def test_constraints_hold_after_each_step():
    w = KerasVariable(np.ones(2, np.float32), constraint=constraints.NonNeg())
    optimizers.SGD(1.0).apply([tf.constant([5.0, 0.5])], [w])
    np.testing.assert_allclose(w, [0.0, 0.5])


def test_averages_and_several_batches_in_fit():
    x = np.linspace(-1, 1, 32, dtype=np.float32)[:, None]
    model = models.Sequential([layers.Dense(1, kernel_initializer="zeros")])
    optimizer = optimizers.SGD(
        0.2, use_ema=True, ema_momentum=0.5, gradient_accumulation_steps=2, loss_scale_factor=4.0
    )
    model.compile(optimizer, "mse")
    history = model.fit(x, 3 * x + 1, batch_size=8, epochs=40, verbose=0)
    assert history.history["loss"][-1] < 0.01 * history.history["loss"][0]
    assert int(optimizer.iterations) == 40 * 4 // 2
    averages = [v.numpy() for v in optimizer.variables if v.name.endswith("average")]
    for average, weight in zip(averages, model.get_weights(), strict=True):
        np.testing.assert_array_equal(average, weight)


@pytest.mark.parametrize("name", ["SGD", "Adam", "Adagrad"])
def test_rows_of_a_table(name):
    rows = IndexedSlices(tf.constant([[1.0], [2.0], [4.0]]), tf.constant([0, 2, 0]), (3, 1))
    table, whole = (tf.Variable(np.ones((3, 1), np.float32)) for _ in range(2))
    getattr(optimizers, name)(0.1).apply([rows], [table])
    getattr(optimizers, name)(0.1).apply([tf.constant([[5.0], [0.0], [2.0]])], [whole])
    np.testing.assert_allclose(table, whole, rtol=1e-6)


STEPS = (0, 4, 5, 6, 10, 13, 20)


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (schedules.ExponentialDecay(0.1, 10, 0.5), lambda s: 0.1 * 0.5 ** (s / 10)),
        (schedules.ExponentialDecay(0.1, 10, 0.5, True), lambda s: 0.1 * 0.5 ** (s // 10)),
        (schedules.InverseTimeDecay(0.1, 10, 0.5), lambda s: 0.1 / (1 + 0.05 * s)),
        (schedules.InverseTimeDecay(0.1, 10, 0.5, True), lambda s: 0.1 / (1 + 0.5 * (s // 10))),
        (
            schedules.PiecewiseConstantDecay([5, 12], [1.0, 0.5, 0.1]),
            lambda s: 1.0 if s <= 5 else 0.5 if s <= 12 else 0.1,
        ),
        (
            schedules.PolynomialDecay(0.1, 10, 0.01, 2.0),
            lambda s: 0.09 * (1 - min(s, 10) / 10) ** 2 + 0.01,
        ),
        (
            schedules.PolynomialDecay(0.1, 10, 0.01, cycle=True),
            lambda s: 0.09 * (1 - s / (10 * max(math.ceil(s / 10), 1))) + 0.01,
        ),
        (
            schedules.CosineDecay(0.1, 10, alpha=0.2),
            lambda s: 0.1 * (0.4 * (1 + math.cos(math.pi * min(s, 10) / 10)) + 0.2),
        ),
        (
            schedules.CosineDecay(0.1, 10, warmup_target=0.5, warmup_steps=5),
            lambda s: (
                0.1 + 0.08 * s if s < 5 else 0.25 * (1 + math.cos(math.pi * min(s - 5, 10) / 10))
            ),
        ),
        (
            schedules.CosineDecayRestarts(0.1, 4, t_mul=1.0, m_mul=0.5),
            lambda s: 0.05 * 0.5 ** (s // 4) * (1 + math.cos(math.pi * (s % 4) / 4)),
        ),
        (
            schedules.CosineDecayRestarts(0.1, 5),
            lambda s: 0.05 * (1 + math.cos(math.pi * (s / 5 if s < 5 else (s - 5) / 10 % 1))),
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_schedules(schedule, expected):
    traced = tf.function(schedule)
    for step in STEPS[:-1] if "Restarts" in type(schedule).__name__ else STEPS:
        assert float(schedule(step)) == pytest.approx(expected(step), rel=1e-5, abs=1e-8)
        found = traced(tf.constant(step, "int64"))
        assert found.dtype == tf.float32
        assert float(found) == pytest.approx(expected(step), rel=1e-5, abs=1e-8)
    config = schedules.serialize(schedule)
    assert config["module"] == "keras.optimizers.schedules"
    assert schedules.deserialize(config).get_config() == schedule.get_config()


def test_an_optimizer_follows_its_schedule():
    optimizer = optimizers.SGD(schedules.PiecewiseConstantDecay([1], [1.0, 0.1]))
    ones = [np.ones(1)] * 4
    found = taken(optimizer, traced=True, start=np.zeros(1), gradients=ones)
    np.testing.assert_allclose(found, [-2.2], rtol=1e-6)
    with pytest.raises(TypeError, match="not settable"):
        optimizer.learning_rate = 0.5


@pytest.mark.parametrize("kind", optimizers.CLASSES, ids=lambda kind: kind.__name__)
def test_configuration_round_trip(kind):
    made = kind(schedules.CosineDecay(0.1, 10), clipnorm=1.0, use_ema=True, ema_momentum=0.5)
    again = optimizers.deserialize(optimizers.serialize(made))
    assert type(again) is kind
    assert again.get_config() == made.get_config()
    assert isinstance(optimizers.get(kind.__name__.upper()), kind)
    assert isinstance(optimizers.get(kind.__name__), kind)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: optimizers.SGD(momentum=2.0), "`momentum` must be"),
        (lambda: optimizers.SGD(gradient_accumulation_steps=1), "integer >= 2"),
        (lambda: optimizers.SGD(ema_momentum=2.0), "`ema_momentum` must be in the range"),
        (lambda: optimizers.SGD(ema_overwrite_frequency=0), "`ema_overwrite_frequency`"),
        (lambda: optimizers.SGD(clipnorm=1.0, clipvalue=1.0), "Only one of"),
        (lambda: optimizers.Adam(jit=True), "not recognized"),
        (lambda: optimizers.AdamW(weight_decay=None), "`weight_decay` must be a float"),
        (lambda: optimizers.Lion(beta_1=0.0), "degenerates to SignSGD"),
        (lambda: optimizers.Ftrl(learning_rate_power=1.0), "negative or zero"),
        (lambda: optimizers.Ftrl(l1_regularization_strength=-1.0), "positive or zero"),
        (lambda: schedules.CosineDecay(0.1, 0), "`decay_steps` must be > 0"),
        (lambda: schedules.PiecewiseConstantDecay([1], [1.0]), "length of boundaries"),
        (lambda: optimizers.get("nope"), "Could not interpret optimizer identifier"),
    ],
)
def test_what_is_wrong(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_decay_of_keras_2():
    """rate / (1 + decay * steps done)"""
    optimizer = optimizers.SGD(lr=0.5, decay=1.0)
    variable = tf.Variable(0.0)
    for done in range(3):
        before = float(variable)
        optimizer.apply_gradients([(tf.constant(1.0), variable)])
        assert before - float(variable) == pytest.approx(0.5 / (1 + done))
