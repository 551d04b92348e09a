"""Attention and EinsumDense against Keras 3.15.1's numbers: each case is run with the same inputs
and weights, waves, and its outputs are compared by their sums with three cosines.
"""

import zipfile

import h5py
import numpy as np
import pytest

import slipstream as tf
from slipstream.keras import layers
from slipstream.keras.layers.grouped_query_attention import GroupedQueryAttention
from slipstream.keras.saving.weights import save_state

keras = tf.keras


def wave(*shape, phase=0.0):
    return np.sin(np.arange(np.prod(shape)) * 0.7 + phase).reshape(shape).astype(np.float32)


X, M = wave(2, 4, 6), wave(2, 5, 3, phase=1)
K, V = wave(2, 5, 6, phase=3), wave(2, 5, 6, phase=1)
GRIDS = wave(2, 3, 4, 6), wave(2, 3, 4, 6, phase=1)
QUERY_MASK = np.array([[1, 1, 1, 0], [1, 1, 0, 0]], bool)
VALUE_MASK = np.array([[1, 1, 1, 1, 0], [1, 0, 1, 0, 0]], bool)
PAIR_MASK = wave(2, 4, 5, phase=2) > -0.3
ONE_BLIND = PAIR_MASK & (np.arange(4) != 2)[None, :, None]  # one position may see nothing


def filled(layer, phase=0):
    arrays = layer.get_weights()
    layer.set_weights([wave(*w.shape, phase=i + phase) * 0.8 for i, w in enumerate(arrays)])


def outputs_of(layer, *inputs, **call):
    """What the layer computes with waves as weights, eagerly and traced."""
    layer(*inputs, **call)
    filled(layer)
    found = layer(*inputs, **call)
    traced = tf.function(lambda *given: layer(*given, **call))(*inputs)
    tf.nest.map_structure(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), found, traced)
    return found


def check(outputs, expected):
    y = np.asarray(outputs, np.float64).ravel()
    found = [y @ np.cos(k * np.arange(y.size)) for k in (0.3, 1, 2)]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-4)


HEADS = {
    "self": ([X, X], {}, {}, [1.87608, 20.16645, -0.26269]),
    "cross": ([X, M], {"value_dim": 4, "use_bias": False}, {}, [-0.43701, 1.69284, 0.24131]),
    "key": ([X, M, M[..., ::-1].copy()], {"output_shape": 7}, {}, [6.84412, -4.48742, -0.70307]),
    "output_shape": ([X, M], {"output_shape": (2, 3)}, {}, [1.82525, 21.05927, -0.06783]),
    "causal": ([X, X], {}, {"use_causal_mask": True}, [0.19417, 18.31573, -0.43248]),
    "pairs": ([X, M], {}, {"attention_mask": PAIR_MASK}, [1.80327, 20.72745, 0.12961]),
    "value_mask": ([X, M], {}, {"value_mask": VALUE_MASK}, [2.01898, 20.68602, -0.64516]),
    "window": ([X, X], {"sliding_window": 2}, {}, [1.97511, 20.81451, -0.43717]),
    "gate": ([X, X], {"use_gate": True, "value_dim": 2}, {}, [-1.04239, 3.08831, -0.20448]),
    "blind": ([X, M], {}, {"attention_mask": ONE_BLIND}, [1.62447, 20.42715, -0.0223]),
    "grid": (GRIDS, {}, {}, [0.90756, 4.37562, 1.9377]),
    "grid_axis": (GRIDS, {"attention_axes": 2}, {}, [1.05123, 3.95128, 2.46951]),
    "grid_axes": (GRIDS, {"attention_axes": (-3, 2)}, {}, [0.90756, 4.37562, 1.9377]),
}


@pytest.mark.parametrize("case", HEADS)
def test_multi_head_attention_is_that_of_keras(case):
    inputs, options, call, expected = HEADS[case]
    check(outputs_of(layers.MultiHeadAttention(2, 3, **options), *inputs, **call), expected)


def test_shares_are_returned_and_are_nothing_where_all_is_masked():
    layer = layers.MultiHeadAttention(2, 3)
    _, shares = outputs_of(layer, X, M, return_attention_scores=True, attention_mask=ONE_BLIND)
    check(shares, [2.82481, 0.77112, 0.85337])
    totals = shares.numpy().sum(-1)
    np.testing.assert_allclose(totals[:, :, [0, 1, 3]], 1, rtol=1e-6)
    np.testing.assert_array_equal(totals[:, :, 2], 0)


GROUPED = {
    "plain": ([X, M], (3, 4, 2), {}, {}, [1.529, 23.27415, 0.15727]),
    "causal": (
        [X, X], (3, 4, 1), {"use_gate": True}, {"use_causal_mask": True},
        [2.38217, 0.49618, 0.01229],
    ),
    "masked": (
        [X, M], (3, 4, 4), {"use_bias": False}, {"value_mask": VALUE_MASK},
        [-0.46247, 0.52795, 0.05222],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", GROUPED)
def test_group_query_attention_is_that_of_keras(case):
    inputs, sizes, options, call, expected = GROUPED[case]
    check(outputs_of(layers.GroupQueryAttention(*sizes, **options), *inputs, **call), expected)


DOT, ADD = layers.Attention, layers.AdditiveAttention
PLAIN = {
    "dot": (DOT, [X, V], {}, {}, [-3.904, 2.15407, -0.32935]),
    "key": (DOT, [X, V, K], {"use_scale": True}, {}, [0.39376, 0.49095, -0.39025]),
    "masks": (DOT, [X, V], {}, {"mask": [QUERY_MASK, VALUE_MASK]}, [-0.10072, -2.45031, 0.84496]),
    "causal": (
        DOT, [X, V, K], {}, {"mask": [None, VALUE_MASK], "use_causal_mask": True},
        [4.55096, -4.93394, 2.76443],
    ),
    "concat": (
        DOT, [X, V, K], {"score_mode": "concat", "use_scale": True}, {},
        [0.39376, 0.49095, -0.39025],
    ),
    "additive": (ADD, [X, V, K], {}, {}, [-0.59495, -9.7568, -0.44996]),
    "additive_masks": (
        ADD, [X, V], {"use_scale": False},
        {"mask": [QUERY_MASK, VALUE_MASK], "use_causal_mask": True}, [2.96646, -2.56107, 1.0054],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", PLAIN)
def test_attention_without_heads_is_that_of_keras(case):
    kind, inputs, options, call, expected = PLAIN[case]
    layer = kind(**options)
    layer(inputs, **call)
    filled(layer)
    check(layer(inputs, **call), expected)


def test_shares_of_attention():
    _, shares = layers.Attention()([X, V], return_attention_scores=True)
    check(shares, [-0.55692, 0.40933, 3.35439])


EINSUM = {
    "ab,bc->ac": (X[:, 0], 5, "c", [(6, 5), (5,)], (2, 5), [1.41151, 3.14176, 0.09703]),
    "abc,cd->abd": (
        X, (None, 5), "d", [(6, 5), (5,)], (2, 4, 5), [-2.28474, 3.18709, 0.03025]),
    "...x,xy->...y": (X, 5, "y", [(6, 5), (5,)], (2, 4, 5), [-2.28474, 3.18709, 0.03025]),
    "ab...,bc->ac...": (
        wave(2, 4, 6, 3), 5, "c", [(4, 5), (5, 1, 1)], (2, 5, 6, 3),
        [-5.05125, -2.46661, -0.24186]),
    "abc,bcd->adb": (
        X, (3, 4), "db", [(4, 6, 3), (3, 4)], (2, 3, 4), [-1.45309, -1.43445, 0.20723]),
}  # fmt: skip


@pytest.mark.parametrize("equation", EINSUM)
def test_einsum_dense_is_that_of_keras(equation):
    x, sizes, axes, weights, shape, expected = EINSUM[equation]
    layer = layers.EinsumDense(equation, sizes, bias_axes=axes)
    y = outputs_of(layer, x)
    assert [tuple(w.shape) for w in layer.weights] == weights
    assert y.shape == layer.compute_output_shape(x.shape) == shape
    check(y, expected)


@pytest.mark.parametrize(
    ("equation", "sizes", "axes", "said"),
    [
        ("ab,bc->ac->", 5, None, "Invalid einsum equation"),
        ("...ab...,bc->...ac...", 5, None, "Invalid einsum equation"),
        ("ab,bc->ad", 5, None, "has no corresponding dim"),
        ("ab,cd->ad", 5, None, "did not have a match"),
        ("ab,bc->ac", 5, "b", "not part of the output spec"),
        ("ab,bc->abc", (4, 5), "c", "do not match at shared dimension 'b'"),
        ("abc,cd->abd", (None, 5), "d", "names 3 dimensions"),
    ],
)
def test_einsum_dense_says_what_does_not_fit(equation, sizes, axes, said):
    with pytest.raises(ValueError, match=said):
        layers.EinsumDense(equation, sizes, bias_axes=axes).build((2, 6))


def test_fans_of_an_einsum_are_those_of_its_axes():
    layer = layers.EinsumDense("abc,cde->abde", (None, 40, 60), kernel_initializer="glorot_uniform")
    layer.build((None, 3, 50))
    limit = np.sqrt(6 / (50 + 40 * 60))
    assert 0.99 * limit < np.abs(layer.kernel.numpy()).max() <= limit


def test_projections_begin_with_weights_of_their_own():
    layer = layers.MultiHeadAttention(2, 3)
    layer.build((None, 4, 6), (None, 4, 6))
    kernels = [w.numpy() for w in layer.weights if w.name == "kernel"]
    assert not np.array_equal(kernels[0], kernels[1])


def test_a_mask_of_zeros_goes_through():
    words = tf.constant([[1, 2, 0], [3, 0, 0]])
    x = layers.Embedding(5, 6, mask_zero=True)(words)
    layer = layers.MultiHeadAttention(2, 3)
    y = layer(x, x)
    np.testing.assert_array_equal(y._keras_mask, [[True, True, False], [True, False, False]])
    shorter = layer(x[1:, :1], x[1:, :1])
    np.testing.assert_allclose(y[1:, :1], shorter, rtol=1e-5, atol=1e-6)
    plain = layers.Attention()([x, x])
    np.testing.assert_array_equal(plain[1, 1:], np.zeros((2, 6)))
    np.testing.assert_array_equal(plain._keras_mask, y._keras_mask)


@pytest.mark.parametrize("kind", ["heads", "plain"])
def test_dropout_acts_on_the_shares_in_training_only(kind):
    plain, heads = layers.Attention(dropout=0.5), layers.MultiHeadAttention(2, 3, dropout=0.5)

    def call(x, **options):
        return plain([x, x], **options) if kind == "plain" else heads(x, x, **options)

    calm = call(X, training=False)
    np.testing.assert_array_equal(calm, call(X))
    first, second = call(X, training=True), call(X, training=True)
    assert not np.allclose(first, calm)
    assert not np.allclose(first, second)


def test_float16_masks_do_not_overflow():
    layer = layers.MultiHeadAttention(2, 3, dtype="float16")
    y, shares = layer(X, X, use_causal_mask=True, return_attention_scores=True)
    assert y.dtype is tf.float16
    assert np.isfinite(y).all()
    np.testing.assert_array_equal(shares[..., 0, 1:], np.zeros((2, 2, 3)))
    assert np.isfinite(layer(X, X, attention_mask=np.zeros((2, 4, 4)))).all()


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: layers.MultiHeadAttention(0, 3), "`num_heads`"),
        (lambda: layers.MultiHeadAttention(2, 3.0), "`key_dim`"),
        (lambda: layers.MultiHeadAttention(2, 3, value_dim=-1), "`value_dim`"),
        (lambda: layers.MultiHeadAttention(2, 3, attention_axes="1"), "`attention_axes`"),
        (lambda: layers.MultiHeadAttention(2, 3, output_shape="7"), "`output_shape`"),
        (lambda: layers.MultiHeadAttention(2, 3, sliding_window=0), "`sliding_window`"),
        (lambda: layers.GroupQueryAttention(3, 4, 3), "must be divisible"),
        (lambda: layers.Attention(score_mode="sum"), "score_mode"),
        (lambda: layers.Attention()(X), "list of inputs"),
        (lambda: layers.Attention()([X, X], mask=QUERY_MASK), "mask must be a list"),
        (lambda: layers.MultiHeadAttention(2, 3)(X, X, M), "must be equal"),
    ],
)
def test_arguments_that_do_not_fit_are_told(make, said):
    with pytest.raises(ValueError, match=said):
        make()


def reader():
    """A small transformer: one branch masked and causal, the other with shared heads."""
    words = keras.Input((6,), dtype="int32")
    x = layers.Embedding(9, 8, mask_zero=True, name="embedding")(words)
    x = layers.MultiHeadAttention(2, 4, name="multi_head_attention")(x, x, use_causal_mask=True)
    x = layers.LayerNormalization(name="layer_normalization")(x)
    y = layers.Embedding(9, 8, name="embedding_1")(words)
    heads = layers.GroupQueryAttention(4, 4, 2, name="grouped_query_attention")
    y = layers.Add(name="add")([y, heads(y, y)])
    both = [layers.GlobalAveragePooling1D()(x), layers.GlobalAveragePooling1D()(y)]
    logits = layers.Dense(3, name="dense")(layers.Concatenate(name="concatenate")(both))
    model = keras.Model(words, logits)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.1), loss)
    return model


WORDS = np.array([[1, 2, 3, 4, 0, 0], [5, 6, 7, 8, 1, 2], [3, 1, 0, 0, 0, 0], [8, 8, 2, 5, 6, 0]])
# the phases of the waves that are the weights: the places of the layers by name
PHASES = {
    "dense": 2, "embedding": 3, "embedding_1": 4, "grouped_query_attention": 7,
    "layer_normalization": 9, "multi_head_attention": 10,
}  # fmt: skip


def test_a_transformer_trains_as_in_keras():
    model = reader()
    for name, phase in PHASES.items():
        filled(model.get_layer(name), phase)
    classes = np.array([0, 1, 2, 1])
    history = model.fit(WORDS, classes, epochs=5, batch_size=4, verbose=0, shuffle=False)
    expected = [1.03599, 2.3327, 0.88502, 0.52419, 0.54061]
    np.testing.assert_allclose(history.history["loss"], expected, rtol=1e-4)
    row = model.predict(WORDS, verbose=0)[0]
    np.testing.assert_allclose(row, [-1.9324, -4.1783, 3.5112], rtol=1e-3)


def test_a_transformer_is_saved_and_loaded(tmp_path):
    model = reader()
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.predict(WORDS, verbose=0), model.predict(WORDS, verbose=0))
    with zipfile.ZipFile(tmp_path / "model.keras") as archive:
        config = archive.read("config.json").decode()
    assert '"class_name": "GroupQueryAttention"' in config  # Keras' public name


@pytest.mark.parametrize(
    ("layer", "groups"),
    [
        (layers.MultiHeadAttention(2, 3, use_gate=True), ["query_dense", "key_dense",
            "_gate_dense", "value_dense", "output_dense"]),
        (GroupedQueryAttention(3, 4, 2, use_gate=True), ["_query_dense", "_key_dense",
            "_gate_dense", "_value_dense", "_output_dense"]),
    ],
    ids=["heads", "grouped"],
)  # fmt: skip
def test_weights_lie_in_files_where_keras_has_them(layer, groups, tmp_path):
    layer(X, X)
    paths = [w.path.partition("/")[2] for w in layer.weights]
    parts = ["query", "key", "gate", "value", "attention_output"]
    assert paths == [f"{part}/{name}" for part in parts for name in ("kernel", "bias")]
    with h5py.File(tmp_path / "weights.h5", "w") as file:
        save_state(layer, file)
        kept = [file[f"{group}/vars/{number}"][()] for group in groups for number in (0, 1)]
    for array, weight in zip(kept, layer.weights, strict=True):
        np.testing.assert_array_equal(array, weight.numpy())


def test_what_is_drawn_is_products_sums_and_element_wise():
    """The compiler makes views of what only orders elements; nothing else may be between."""
    layer = layers.MultiHeadAttention(2, 3)
    layer(X, X)

    @tf.function
    def step(x):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(layer(x, x, use_causal_mask=True) ** 2)
        return tape.gradient(loss, layer.trainable_variables)

    nodes = step.get_concrete_function(X).graph.nodes
    products = sum(node.operation.name == "contract" for node in nodes)
    assert products == 6 + 4 + 5  # forward, gradients by kernels, and what leads to these
    views = {"reshape", "broadcast_to", "transpose", "stop_gradient"}
    families = {n.operation.family for n in nodes if n.operation.name not in views}
    assert families <= {"elementwise", "reduction", "contraction"}, families
    for node in nodes:
        if node.operation.name == "reshape":  # axes of size 1 come and go: no element moves
            sizes = [[n for n in v.type.shape if n != 1] for v in (*node.inputs, *node.outputs)]
            assert sizes[0] == sizes[1], node
