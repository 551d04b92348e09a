"""Files of models: what goes in comes out, bit for bit; what is none is said to be none."""

import json
import zipfile

import numpy as np
import pytest

import slipstream as tf
from slipstream.keras.layers.operation import OperationLayer

keras, layers = tf.keras, tf.keras.layers


def trained():
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            layers.Input((6, 6, 1)),
            layers.Conv2D(4, 3, activation="relu"),
            layers.BatchNormalization(),
            layers.Dropout(0.2),
            layers.Flatten(),
            layers.Dense(3),
        ]
    )
    model.compile(
        keras.optimizers.Adam(0.01),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    random = np.random.default_rng(0)
    x = random.normal(size=(40, 6, 6, 1)).astype(np.float32)
    y = random.integers(0, 3, 40)
    model.fit(x, y, epochs=2, verbose=0)
    return model, x, y


def functional():
    a, b = keras.Input((3,), name="a"), keras.Input((3,), name="b")
    tower = keras.Sequential([layers.Input((3,)), layers.Dense(4, activation="tanh")], name="tower")
    joined = tf.abs(tower(a) - tower(b)) * 2.0
    return keras.Model([a, b], layers.Dense(1)(layers.concatenate([joined, joined[:, :1]])))


def test_a_model_comes_back_whole(tmp_path):
    model, x, y = trained()
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), model.predict(x, verbose=0))
    for first, second in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(first, second)
    assert int(loaded.optimizer.iterations.numpy()) == int(model.optimizer.iterations.numpy())
    model.fit(x, y, verbose=0, shuffle=False)
    loaded.fit(x, y, verbose=0, shuffle=False)
    for first, second in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(first, second)  # the optimizer and the dropout went on alike


def test_functional_models_with_shared_and_nested_layers(tmp_path):
    model = functional()
    model.save(tmp_path / "two.keras")
    loaded = keras.models.load_model(tmp_path / "two.keras")
    x = np.random.default_rng(0).normal(size=(2, 5, 3)).astype(np.float32)
    np.testing.assert_array_equal(loaded([x[0], x[1]]), model([x[0], x[1]]))
    assert len(loaded.weights) == 4


def test_recurrent_and_embedding_models(tmp_path):
    model = keras.Sequential(
        [
            layers.Input((5,), dtype="int32"),
            layers.Embedding(10, 4),
            layers.Bidirectional(layers.LSTM(3)),
            layers.Dense(1),
        ]
    )
    model.save(tmp_path / "text.keras")
    loaded = keras.models.load_model(tmp_path / "text.keras")
    x = np.arange(10).reshape(2, 5)
    np.testing.assert_array_equal(loaded(x), model(x))


def test_the_layout_is_that_of_keras_3(tmp_path):
    import h5py

    model, _, _ = trained()
    model.save(tmp_path / "model.keras")
    with zipfile.ZipFile(tmp_path / "model.keras") as archive:
        assert sorted(archive.namelist()) == ["config.json", "metadata.json", "model.weights.h5"]
        config = json.loads(archive.read("config.json"))
        assert config["module"] == "keras"
        assert config["class_name"] == "Sequential"
        assert "keras_version" in json.loads(archive.read("metadata.json"))
        archive.extract("model.weights.h5", tmp_path)
    with h5py.File(tmp_path / "model.weights.h5") as file:
        assert file["layers/conv2d/vars/0"].shape == (3, 3, 1, 4)
        assert file["layers/batch_normalization/vars/3"].shape == (4,)
        assert file["layers/dense/vars/1"].shape == (3,)
        assert "optimizer/vars/0" in file


def test_weights_alone(tmp_path):
    model, x, _ = trained()
    model.save_weights(tmp_path / "m.weights.h5")
    other = keras.models.clone_model(model)
    assert not np.array_equal(other(x), model(x))
    other.load_weights(tmp_path / "m.weights.h5")
    np.testing.assert_array_equal(other(x), model(x))
    with pytest.raises(ValueError, match=r"must end in `\.weights\.h5`"):
        model.save_weights(tmp_path / "m.h5")
    with pytest.raises(ValueError, match=r"`\.keras` extension"):
        model.save(tmp_path / "model.h5")


def test_weights_of_another_model_are_refused(tmp_path):
    model, _, _ = trained()
    model.save_weights(tmp_path / "m.weights.h5")
    other = keras.Sequential([layers.Input((6, 6, 1)), layers.Conv2D(5, 3), layers.Dense(2)])
    with pytest.raises(ValueError):
        other.load_weights(tmp_path / "m.weights.h5")


def test_damaged_and_foreign_files(tmp_path):
    model, _, _ = trained()
    path = tmp_path / "model.keras"
    model.save(path)
    whole = path.read_bytes()
    for name, content in {
        "truncated": whole[: len(whole) // 2],
        "empty": b"",
        "foreign": b"no model at all",
    }.items():
        bad = tmp_path / f"{name}.keras"
        bad.write_bytes(content)
        with pytest.raises(ValueError, match=f"{name}.keras"):
            keras.models.load_model(bad)
    changed = bytearray(whole)
    changed[len(whole) // 2] ^= 0xFF
    path.write_bytes(bytes(changed))
    with pytest.raises(ValueError, match=r"model\.keras"):
        keras.models.load_model(path)
    with pytest.raises(ValueError, match="File not found"):
        keras.models.load_model(tmp_path / "nothing.keras")


def test_a_save_that_fails_leaves_the_earlier_file(tmp_path, monkeypatch):
    model, _, _ = trained()
    path = tmp_path / "model.keras"
    model.save(path)
    before = path.read_bytes()

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(zipfile.ZipFile, "writestr", full)
    with pytest.raises((OSError, tf.errors.ResourceExhaustedError)):
        model.save(path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["model.keras"]


def test_lambdas_need_trust(tmp_path):
    model = keras.Sequential([layers.Input((2,)), layers.Lambda(lambda t: t * 3.0)])
    model.save(tmp_path / "model.keras")
    with pytest.raises(ValueError, match="safe_mode"):
        keras.models.load_model(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", safe_mode=False)
    np.testing.assert_allclose(loaded(np.ones((1, 2))), [[3.0, 3.0]])


def test_classes_of_the_user(tmp_path):
    class Scaled(layers.Layer):
        def __init__(self, by=2.0, **options):
            super().__init__(**options)
            self.by = by

        def call(self, inputs):
            return inputs * self.by

        def get_config(self):
            return super().get_config() | {"by": self.by}

    model = keras.Sequential([layers.Input((2,)), Scaled(5.0)])
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", custom_objects={"Scaled": Scaled})
    np.testing.assert_allclose(loaded(np.ones((1, 2))), [[5.0, 5.0]])


def test_models_as_json():
    model = functional()
    again = keras.models.model_from_json(model.to_json())
    again.set_weights(model.get_weights())
    x = np.ones((2, 4, 3), np.float32)
    np.testing.assert_array_equal(again([x[0], x[1]]), model([x[0], x[1]]))


@pytest.mark.parametrize(
    "name", ["arithmetic.np", "control.trace", "primitive.none", "nowhere.add", "errors.message"]
)
def test_a_file_names_operations_and_nothing_else(name):
    with pytest.raises(ValueError, match="Unknown operation"):
        OperationLayer(name)
    assert OperationLayer("arithmetic.add")(tf.constant(1), tf.constant(2)).numpy() == 3


def test_what_keras_reads_in_a_file(tmp_path):
    """Names and arguments as Keras 3's loader asks for them: it refuses any other."""
    functional().save(tmp_path / "model.keras")
    with zipfile.ZipFile(tmp_path / "model.keras") as archive:
        config = json.loads(archive.read("config.json"))
    assert (config["module"], config["registered_name"]) == (
        "keras.src.models.functional",
        "Functional",
    )
    tower = next(c for c in config["config"]["layers"] if c["name"] == "tower")
    assert (tower["module"], tower["class_name"], tower["registered_name"]) == (
        "keras",
        "Sequential",
        None,
    )
    assert set(layers.SpatialDropout1D(0.5).get_config()) == {"name", "dtype", "rate", "seed"}
    assert "data_format" not in layers.Cropping1D(1).get_config()


@pytest.mark.parametrize(
    ("kind", "arguments", "absent"),
    [
        (layers.Dense, {"units": 2}, {"quantization_config": None, "lora_rank": None}),
        (layers.Embedding, {"input_dim": 3, "output_dim": 2}, {"quantization_config": None}),
        (layers.BatchNormalization, {}, {"renorm": False, "renorm_momentum": 0.99}),
    ],
)
def test_arguments_of_keras_that_ask_for_nothing(kind, arguments, absent):
    config = kind(**arguments).get_config() | absent
    assert isinstance(kind.from_config(config), kind)
    with pytest.raises(ValueError, match="Unrecognized keyword arguments"):
        kind.from_config(config | dict.fromkeys(absent, True))


@pytest.mark.parametrize("kind", [layers.Add, layers.Average, layers.Maximum, layers.Identity])
def test_layers_without_arguments_come_back(kind):
    layer = kind(name="joined", dtype="float64")
    again = kind.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    assert (again.name, again.dtype) == ("joined", "float64")


def test_operations_have_the_names_of_keras(tmp_path):
    x = keras.Input((4, 3))
    model = keras.Model(x, tf.maximum(layers.Dense(2)(x[:, 0]) * 2.0 - 1.0, 0.5))
    model.save(tmp_path / "model.keras")
    with zipfile.ZipFile(tmp_path / "model.keras") as archive:
        config = json.loads(archive.read("config.json"))
    operations = [
        (part["class_name"], part["registered_name"])
        for part in config["config"]["layers"]
        if part["module"] == "keras.src.ops.numpy"
    ]
    names = ["GetItem", "Multiply", "Subtract", "Maximum"]
    assert operations == [(name, name) for name in names]
    loaded = keras.models.load_model(tmp_path / "model.keras")
    given = np.random.default_rng(0).normal(size=(5, 4, 3)).astype(np.float32)
    np.testing.assert_array_equal(loaded(given), model(given))


def test_operations_with_options_as_keras_writes_them(tmp_path):
    x = keras.Input((4, 3))
    model = keras.Model(x, layers.Identity(name="mean")(x))
    data = model.get_config()
    mean = {"name": "mean", "axis": 1, "keepdims": True}
    data["layers"][1] |= {"module": "keras.src.ops.numpy", "class_name": "Mean", "config": mean}
    loaded = keras.Model.from_config(json.loads(json.dumps(data)))
    again = keras.Model.from_config(json.loads(json.dumps(loaded.get_config())))
    given = np.arange(24, dtype=np.float32).reshape(2, 4, 3)
    for made in (loaded, again):
        np.testing.assert_allclose(made(given), given.mean(1, keepdims=True))
    data["layers"][1]["class_name"] = "Unheard"
    with pytest.raises(TypeError, match="Could not locate operation 'Unheard'"):
        keras.Model.from_config(data)


class Parts(keras.Model):
    """Layers under public and private names, in lists, and one under two names."""

    def __init__(self, **options):
        super().__init__(**options)
        self.second, self.first, self._hidden = (layers.Dense(n) for n in (3, 2, 2))
        self.alias = self.second
        self.both = layers.Bidirectional(layers.LSTM(2))

    def call(self, inputs):
        return self._hidden(self.first(self.second(self.both(inputs))))


def test_every_layer_of_a_class_is_saved(tmp_path):
    import h5py

    given = np.random.default_rng(0).normal(size=(2, 4, 3)).astype(np.float32)
    model = Parts()
    expected = model(given)
    model.save(tmp_path / "model.keras")
    model.save_weights(tmp_path / "model.weights.h5")
    with h5py.File(tmp_path / "model.weights.h5") as file:  # Keras' places
        assert {"alias", "first", "both", "layers"} <= set(file)
        assert file["both/forward_layer/cell/vars/0"].shape == (3, 8)
        assert file["layers/dense_2/vars/0"].shape == (2, 2)
    loaded = keras.models.load_model(tmp_path / "model.keras", {"Parts": Parts})
    np.testing.assert_array_equal(loaded(given), expected)
    other = Parts()
    other.build((None, 4, 3))
    other.load_weights(tmp_path / "model.weights.h5")
    np.testing.assert_array_equal(other(given), expected)


def test_a_model_is_built_by_the_shape_of_its_input():
    model = Parts()
    model.build((None, 4, 3))
    assert len(model.weights) == 12
    assert model.count_params() == sum(w.numpy().size for w in model.weights)


def test_a_nested_model_says_what_it_takes():
    tower = keras.Sequential([keras.Input((3,)), layers.Dense(2)], name="tower")
    with pytest.raises(ValueError, match='of layer "tower" is incompatible with the layer'):
        tower(keras.Input((4,)))


def test_layers_are_in_the_order_of_keras():
    """Recorded from Keras 3: it decides the order of weights, and what files call the layers."""
    a, b, unused = (keras.Input((4,), name=name) for name in "abc")
    shared = layers.Dense(4, name="shared")
    early = layers.Dense(4, name="early")(b)
    late = shared(layers.Dense(4, name="late")(shared(a)))
    model = keras.Model([a, b, unused], layers.Add(name="sum")([early, late]))
    assert [layer.name for layer in model.layers] == [
        "a",
        "shared",
        "b",
        "late",
        "early",
        "c",
        "sum",
    ]
    assert [w.path.split("/")[0] for w in model.weights[::2]] == ["shared", "late", "early"]
