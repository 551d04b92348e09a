"""`summary()` is the table people know from Keras."""

import numpy as np
import pytest

import slipstream as tf

keras, layers = tf.keras, tf.keras.layers


def shown(model, **options):
    lines = []
    model.summary(print_fn=lines.append, **options)
    return "".join(lines)


def two_branches():
    a, b = keras.Input((8,), name="a"), keras.Input((4,), name="b")
    tower = keras.Sequential([keras.Input((4,)), layers.Dense(3, name="inside")], name="tower")
    joined = layers.Concatenate(name="joined")([layers.Dense(2, name="left")(a), tower(b)])
    return keras.Model([a, b], tf.multiply(joined, 2.0, name="double"), name="two")


def test_a_chain_of_layers():
    model = keras.Sequential(
        [keras.Input((3,)), layers.Dense(2, name="first"), layers.Dense(1000, name="last")],
        name="chain",
    )
    assert shown(model) == (
        'Model: "chain"\n'
        "┏━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━┓\n"
        "┃ Layer (type)                    ┃ Output Shape           ┃       Param # ┃\n"
        "┡━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━┩\n"
        "│ first (Dense)                   │ (None, 2)              │             8 │\n"
        "├─────────────────────────────────┼────────────────────────┼───────────────┤\n"
        "│ last (Dense)                    │ (None, 1000)           │         3,000 │\n"
        "└─────────────────────────────────┴────────────────────────┴───────────────┘\n"
        " Total params: 3,008 (11.75 KB)\n"
        " Trainable params: 3,008 (11.75 KB)\n"
        " Non-trainable params: 0 (0.00 B)\n"
    )


def test_branches_say_what_they_take():
    lines = shown(two_branches()).splitlines()
    rows = [[part.strip() for part in line.split("│")[1:-1]] for line in lines if "│" in line]
    assert ["left (Dense)", "(None, 2)", "18", "a[0][0]"] in rows
    assert ["joined", "(None, 5)", "0", "left[0][0]"] in rows
    assert ["(Concatenate)", "", "", "tower[0][0]"] in rows
    assert ["double (Multiply)", "(None, 5)", "0", "joined[0][0]"] in rows


def test_layers_within_and_ranges():
    model = two_branches()
    assert "inside" not in shown(model)
    text = shown(model, expand_nested=True, show_trainable=True)
    assert "└ inside" in text
    assert "Y" in text
    part = shown(model, layer_range=("left", "tower"))
    assert "left" in part
    assert "double" not in part
    with pytest.raises(ValueError, match="layer_range does not match"):
        model.summary(layer_range=("none", "such"))


def test_shapes_of_the_layers_of_a_class():
    class Two(keras.Model):
        def __init__(self):
            super().__init__()
            self.first, self.second = layers.Dense(3), layers.Dense(1)

        def call(self, inputs):
            return self.second(self.first(inputs))

    model = Two()
    assert shown(model).count("?") == 2
    model(np.zeros((5, 2), np.float32))
    assert "(None, 3)" in shown(model)
