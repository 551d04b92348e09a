"""Training: what fit, evaluate and predict do with data of all kinds, weights, callbacks, seeds."""

import numpy as np
import pytest

import slipstream as tf

keras, layers = tf.keras, tf.keras.layers


def clusters(count=300, seed=0):
    """Points in the plane around three centres."""
    random = np.random.default_rng(seed)
    y = random.integers(0, 3, count)
    centres = np.array([[0.0, 2.0], [2.0, -1.0], [-2.0, -1.0]])
    return (centres[y] + random.normal(0, 0.5, (count, 2))).astype(np.float32), y


def classifier(**options):
    model = keras.Sequential(
        [layers.Input((2,)), layers.Dense(16, activation="relu"), layers.Dense(3)]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.02), loss, metrics=["accuracy"], **options)
    return model


@pytest.fixture(autouse=True)
def seeded():
    keras.utils.set_random_seed(0)


@pytest.mark.smoke
def test_a_classifier_learns_and_its_history_says_so():
    x, y = clusters()
    model = classifier()
    history = model.fit(x, y, epochs=10, verbose=0, validation_split=0.2)
    assert set(history.history) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert history.epoch == list(range(10))
    assert history.history["loss"][-1] < history.history["loss"][0] / 3
    loss, accuracy = model.evaluate(x, y, verbose=0)
    assert accuracy > 0.95
    assert model.predict(x, verbose=0).shape == (300, 3)
    found = model.evaluate(x, y, verbose=0, return_dict=True)
    assert found == {"loss": loss, "accuracy": accuracy}


def test_runs_repeat_by_seed():
    x, y = clusters()
    runs = []
    for _ in range(2):
        keras.utils.set_random_seed(7)
        model = classifier()
        model.fit(x, y, epochs=3, verbose=0)
        runs.append(model.get_weights())
    for first, second in zip(*runs, strict=True):
        np.testing.assert_array_equal(first, second)


def test_eager_and_traced_training_agree():
    x, y = clusters(64)
    weights = []
    for eager in (False, True):
        keras.utils.set_random_seed(3)
        model = classifier(run_eagerly=eager)
        model.fit(x, y, epochs=2, shuffle=False, verbose=0)
        weights.append(model.get_weights())
    for traced, eager in zip(*weights, strict=True):
        np.testing.assert_allclose(traced, eager, rtol=1e-5, atol=1e-6)


def test_data_of_all_kinds_gives_the_same_training():
    x, y = clusters(100)

    def batches():
        for start in range(0, 100, 20):
            yield x[start : start + 20], y[start : start + 20]

    class Batches(keras.utils.Sequence):
        def __len__(self):
            return 5

        def __getitem__(self, index):
            return x[20 * index : 20 * index + 20], y[20 * index : 20 * index + 20]

    sources = {
        "arrays": ((x, y), {"batch_size": 20, "shuffle": False}),
        "lists": ((x.tolist(), y.tolist()), {"batch_size": 20, "shuffle": False}),
        "tensors": ((tf.constant(x), tf.constant(y)), {"batch_size": 20, "shuffle": False}),
        "dataset": ((tf.data.Dataset.from_tensor_slices((x, y)).batch(20),), {}),
        "generator": ((batches(),), {}),
        "sequence": ((Batches(),), {}),
    }
    results = {}
    for name, (args, options) in sources.items():
        keras.utils.set_random_seed(1)
        model = classifier()
        model.fit(*args, verbose=0, **options)
        results[name] = model.get_weights()[0]
    for name, weights in results.items():
        np.testing.assert_allclose(weights, results["arrays"], rtol=1e-6, err_msg=name)


def test_the_last_batch_may_be_smaller():
    x, y = clusters(70)
    model = classifier()
    seen = []
    callback = keras.callbacks.LambdaCallback(on_train_batch_end=lambda b, logs: seen.append(b))
    model.fit(x, y, batch_size=32, verbose=0, callbacks=[callback])
    assert seen == [0, 1, 2]


def test_steps_per_epoch_goes_on_where_it_stopped():
    x, y = clusters(60)
    seen = []

    def batches():
        number = 0
        while True:
            seen.append(number % 3)
            yield x[20 * (number % 3) :][:20], y[20 * (number % 3) :][:20]
            number += 1

    classifier().fit(batches(), steps_per_epoch=2, epochs=3, verbose=0)
    assert seen[:6] == [0, 1, 2, 0, 1, 2]
    endless = tf.data.Dataset.from_tensor_slices((x, y)).batch(20).repeat()
    with pytest.raises(ValueError, match="steps_per_epoch"):
        classifier().fit(endless, verbose=0)


def test_sample_weights_choose_what_is_learnt():
    x, _ = clusters(200)
    y = (x[:, 0] > 0).astype(np.float32)[:, None]
    wrong = np.where(np.arange(200) % 2 == 0, y[:, 0], 1 - y[:, 0])[:, None]
    weights = (np.arange(200) % 2 == 0).astype(np.float32)
    model = keras.Sequential([layers.Input((2,)), layers.Dense(1, activation="sigmoid")])
    model.compile(keras.optimizers.Adam(0.1), "mse")
    model.fit(x, wrong, sample_weight=weights, epochs=20, verbose=0)
    assert ((model.predict(x, verbose=0) > 0.5) == (y > 0.5)).mean() > 0.95


def test_class_weights_weigh_examples_by_their_class():
    x, y = clusters(90)
    model = classifier()
    plain = model.train_on_batch(x, y, return_dict=True)["loss"]
    again = classifier()
    again.set_weights(classifier().get_weights())
    doubled = classifier()
    doubled.build((None, 2))
    reference = doubled.get_weights()
    other = classifier()
    other.set_weights(reference)
    loss = doubled.train_on_batch(x, y, return_dict=True)["loss"]
    weighted = other.train_on_batch(x, y, class_weight={0: 2.0, 1: 2.0, 2: 2.0}, return_dict=True)[
        "loss"
    ]
    assert abs(weighted - 2 * loss) < 1e-4
    assert plain > 0


def test_several_inputs_and_outputs_by_name():
    x, _ = clusters(100)
    a, b = keras.Input((2,), name="a"), keras.Input((2,), name="b")
    shared = layers.Dense(4)
    joined = layers.concatenate([shared(a), shared(b)])
    outputs = {"sum": layers.Dense(1, name="sum")(joined), "first": layers.Dense(2)(joined)}
    model = keras.Model({"a": a, "b": b}, outputs)
    model.compile(
        keras.optimizers.Adam(0.05),
        {"sum": "mse", "first": "mse"},
        loss_weights={"sum": 1.0, "first": 0.5},
        metrics={"sum": ["mse"]},
    )
    targets = {"sum": x.sum(1, keepdims=True), "first": x}
    history = model.fit({"a": x, "b": x[::-1].copy()}, targets, epochs=30, verbose=0).history
    assert set(history) == {"loss", "sum_loss", "first_loss", "sum_mse"}
    total = history["sum_loss"][-1] + 0.5 * history["first_loss"][-1]
    assert abs(history["loss"][-1] - total) < 1e-4
    assert history["loss"][-1] < 0.3 * history["loss"][0]
    assert set(model.predict({"a": x, "b": x}, verbose=0)) == {"sum", "first"}


def test_a_subclassed_model_with_its_own_train_step():
    class Halving(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(1, use_bias=False)

        def call(self, inputs):
            return self.dense(inputs)

        def train_step(self, data):
            x, y = data[:2]
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean((self(x, training=True) - y) ** 2.0)
            gradients = tape.gradient(loss, self.trainable_variables)
            self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
            return {"mine": loss}

    x, _ = clusters(64)
    model = Halving()
    model.compile(keras.optimizers.SGD(0.1))
    history = model.fit(x, x.sum(1, keepdims=True), epochs=10, verbose=0).history
    assert list(history) == ["mine"]
    assert history["mine"][-1] < 1e-2


def test_losses_of_layers_are_part_of_the_loss():
    x, y = clusters(40)
    model = keras.Sequential(
        [layers.Input((2,)), layers.Dense(3, kernel_regularizer=keras.regularizers.L2(0.1))]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("sgd", loss)
    plain = float(loss(y, model(x)))
    penalty = 0.1 * float((model.get_weights()[0] ** 2).sum())
    assert abs(model.evaluate(x, y, batch_size=40, verbose=0) - plain - penalty) < 1e-4


@pytest.mark.parametrize("kind", ["sequential", "functional", "nested"])
def test_dropout_is_active_in_training_only(kind):
    begin = keras.Input((1000,))
    model = {
        "sequential": lambda: keras.Sequential([begin, layers.Dropout(0.5)]),
        "functional": lambda: keras.Model(begin, layers.Dropout(0.5)(begin)),
        "nested": lambda: keras.Sequential([begin, keras.Sequential([layers.Dropout(0.5)])]),
    }[kind]()
    x = np.ones((8, 1000), np.float32)
    trained = tf.function(lambda t: model(t, training=True))
    for output in (model(x, training=True), trained(x)):
        assert abs((output.numpy() == 0).mean() - 0.5) < 0.05
    np.testing.assert_array_equal(model(x), x)
    np.testing.assert_array_equal(model.predict(x, verbose=0), x)


def test_a_drawn_call_keeps_the_training_it_was_given():
    begin = keras.Input((1000,))
    model = keras.Model(begin, layers.Dropout(0.5)(begin, training=True))
    x = np.ones((4, 1000), np.float32)
    assert (model(x, training=False).numpy() == 0).any()


def test_frozen_layers_stay():
    x, y = clusters(50)
    model = classifier()
    model.layers[0].trainable = False
    before = model.layers[0].get_weights()
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(x, y, verbose=0)
    for first, second in zip(before, model.layers[0].get_weights(), strict=True):
        np.testing.assert_array_equal(first, second)


def test_batch_normalization_in_a_trained_model():
    x, y = clusters()
    model = keras.Sequential(
        [
            layers.Input((2,)),
            layers.Dense(8),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Dense(3),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.02), loss, metrics=["accuracy"])
    model.fit(x, y, epochs=10, verbose=0)
    assert model.evaluate(x, y, verbose=0)[1] > 0.9
    assert len(model.non_trainable_weights) == 2


# misuse


def test_misuse_is_said():
    x, y = clusters(20)
    model = keras.Sequential([layers.Input((2,)), layers.Dense(3)])
    with pytest.raises(ValueError, match=r"call `compile\(\)`"):
        model.fit(x, y)
    with pytest.raises(ValueError, match="cardinality is ambiguous"):
        classifier().fit(x, y[:5], verbose=0)
    with pytest.raises(ValueError, match="incompatible with the layer"):
        classifier().fit(np.zeros((4, 5), np.float32), np.zeros(4), verbose=0)
    with pytest.raises(ValueError, match="Could not interpret"):
        model.compile("nothing", "mse")
    with pytest.raises(ValueError, match="not sufficient to split"):
        classifier().fit(x[:1], y[:1], validation_split=0.1, verbose=0)


# what it prints


def test_the_progress_bar(capsys):
    x, y = clusters(64)
    classifier().fit(x, y, epochs=2, verbose=1)
    printed = capsys.readouterr().out
    assert "Epoch 1/2\n" in printed
    assert "2/2 ━━━━━━━━━━━━━━━━━━━━ 0s" in printed
    assert "/step - accuracy: 0." in printed
    assert " - loss: " in printed


def test_the_summary():
    lines = []
    classifier().summary(print_fn=lines.append)
    shown = "\n".join(lines)
    assert "dense" in shown
    assert "(None, 16)" in shown
    assert "Total params: 99 (396.00 B)" in shown


class InPairs(keras.Model):
    """A train step as tutorials write it: what comes is (x, y)."""

    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            predicted = self(x, training=True)
            loss = self.compute_loss(x=x, y=y, y_pred=predicted)
        variables = self.trainable_variables
        self.optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        for metric in self.metrics:
            if metric.name == "loss":
                metric.update_state(loss)
            else:
                metric.update_state(y, predicted)
        return {metric.name: metric.result() for metric in self.metrics}


class AsInKeras2(InPairs):
    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            predicted = self(x, training=True)
            loss = self.compiled_loss(y, predicted, regularization_losses=self.losses)
        variables = self.trainable_variables
        self.optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        self.compiled_metrics.update_state(y, predicted)
        return {metric.name: metric.result() for metric in self.metrics}


@pytest.mark.parametrize("kind", [InPairs, AsInKeras2])
def test_a_step_is_given_what_there_is(kind):
    random = np.random.default_rng(0)
    x = random.normal(size=(40, 3)).astype(np.float32)
    y = x.sum(1, keepdims=True)
    given = keras.Input((3,))
    model = kind(given, keras.layers.Dense(1, kernel_regularizer="l2")(given))
    model.compile(keras.optimizers.SGD(0.1), "mse", metrics=["mae"])
    history = model.fit(x, y, epochs=5, verbose=0).history
    assert history["loss"][-1] < history["loss"][0]
    assert set(history) == {"loss", "mae"}
    model.fit(tf.data.Dataset.from_tensor_slices((x, y)).batch(8), verbose=0)
    model.train_on_batch(x, y)


def test_a_step_over_inputs_alone_is_given_them():
    class Norm(keras.Model):
        def train_step(self, data):
            return {"mean": tf.reduce_mean(data)}

    given = keras.Input((3,))
    model = Norm(given, keras.layers.Dense(1)(given))
    model.compile("sgd")
    history = model.fit(np.full((8, 3), 2.0, np.float32), verbose=0).history
    assert history["mean"] == [2.0]


def test_old_names():
    x, y = np.ones((8, 3), np.float32), np.ones((8, 1), np.float32)
    model = keras.Sequential([keras.layers.Dense(1, input_shape=(3,))])
    model.compile(keras.optimizers.legacy.SGD(lr=0.1), "mse")
    pairs = [(x, y)] * 3
    assert len(model.fit_generator(iter(pairs), 3, verbose=0).epoch) == 1
    assert model.predict_generator(iter([(x, y)]), verbose=0).shape == (8, 1)
    assert model.evaluate_generator(iter(pairs), verbose=0) >= 0


def test_no_samples_is_said():
    model = keras.Sequential([keras.layers.Dense(1, input_shape=(3,))])
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match="no samples"):
        model.fit(np.zeros((0, 3)), np.zeros((0, 1)))
