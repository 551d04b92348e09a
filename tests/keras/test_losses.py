"""Losses: values by hand, logits and probabilities, weights, masks, reductions, names."""

import numpy as np
import pytest

import slipstream as tf
from slipstream.keras import losses

RNG = np.random.default_rng(0)
TRUE = RNG.uniform(size=(4, 3)).astype(np.float32)
PRED = RNG.uniform(0.1, 0.9, size=(4, 3)).astype(np.float32)
YES = (TRUE > 0.5).astype(np.float32)
LABELS = np.array([2, 0, 1, 1])
HOT = np.eye(3, dtype=np.float32)[LABELS]
LOGITS = RNG.normal(size=(4, 3)).astype(np.float32)
SHARES = PRED / PRED.sum(-1, keepdims=True)
SOFT = np.exp(LOGITS) / np.exp(LOGITS).sum(-1, keepdims=True)
SIGMOID = 1 / (1 + np.exp(-LOGITS))
ERROR = PRED - TRUE
SIGNS = 2 * YES - 1
SURE = YES * PRED + (1 - YES) * (1 - PRED)


def unit(x):
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


@pytest.mark.parametrize(
    ("name", "truth", "expected"),
    [
        ("mean_squared_error", TRUE, (ERROR**2).mean(-1)),
        ("mean_absolute_error", TRUE, abs(ERROR).mean(-1)),
        ("mean_absolute_percentage_error", TRUE, 100 * abs(ERROR / TRUE).mean(-1)),
        (
            "mean_squared_logarithmic_error",
            TRUE,
            ((np.log1p(TRUE) - np.log1p(PRED)) ** 2).mean(-1),
        ),
        ("log_cosh", TRUE, np.log(np.cosh(ERROR)).mean(-1)),
        ("huber", TRUE, (ERROR**2 / 2).mean(-1)),
        ("cosine_similarity", TRUE, -(unit(TRUE) * unit(PRED)).sum(-1)),
        ("poisson", TRUE, (PRED - TRUE * np.log(PRED)).mean(-1)),
        ("kl_divergence", TRUE, (TRUE * np.log(TRUE / PRED)).sum(-1)),
        ("hinge", YES, np.maximum(1 - SIGNS * PRED, 0).mean(-1)),
        ("hinge", SIGNS, np.maximum(1 - SIGNS * PRED, 0).mean(-1)),
        ("squared_hinge", YES, (np.maximum(1 - SIGNS * PRED, 0) ** 2).mean(-1)),
        (
            "categorical_hinge",
            HOT,
            np.maximum(1 + ((1 - HOT) * PRED).max(-1) - (HOT * PRED).sum(-1), 0),
        ),
        ("binary_crossentropy", YES, -np.log(SURE).mean(-1)),
        ("binary_focal_crossentropy", YES, -((1 - SURE) ** 2 * np.log(SURE)).mean(-1)),
        ("categorical_crossentropy", HOT, -(HOT * np.log(SHARES)).sum(-1)),
        (
            "categorical_focal_crossentropy",
            HOT,
            -0.25 * (HOT * (1 - SHARES) ** 2 * np.log(SHARES)).sum(-1),
        ),
        ("sparse_categorical_crossentropy", LABELS, -np.log(SHARES[range(4), LABELS])),
    ],
)
def test_values_by_hand(name, truth, expected):
    function = losses.get(name)
    np.testing.assert_allclose(function(truth, PRED), expected, rtol=2e-5)
    traced = tf.function(function)
    np.testing.assert_allclose(traced(tf.constant(truth), tf.constant(PRED)), expected, rtol=2e-5)


def test_huber_beyond_delta():
    found = losses.huber([[0.0, 0.0]], [[0.5, -3.0]], delta=1.0)
    np.testing.assert_allclose(found, [(0.125 + 2.5) / 2])
    assert float(losses.Huber(2.0)([[0.0]], [[5.0]])) == pytest.approx(2 * (5 - 1))


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_logits_agree_with_probabilities(smoothing):
    for name, truth, probabilities in (
        ("binary_crossentropy", YES, SIGMOID),
        ("binary_focal_crossentropy", YES, SIGMOID),
        ("categorical_crossentropy", HOT, SOFT),
        ("categorical_focal_crossentropy", HOT, SOFT),
    ):
        function = losses.get(name)
        np.testing.assert_allclose(
            function(truth, LOGITS, from_logits=True, label_smoothing=smoothing),
            function(truth, probabilities, label_smoothing=smoothing),
            rtol=2e-4,
        )
    np.testing.assert_allclose(
        losses.sparse_categorical_crossentropy(LABELS, LOGITS, from_logits=True),
        losses.categorical_crossentropy(HOT, LOGITS, from_logits=True),
        rtol=1e-5,
    )


def test_label_smoothing_by_hand():
    near = HOT * 0.9 + 0.1 / 3
    np.testing.assert_allclose(
        losses.categorical_crossentropy(HOT, PRED, label_smoothing=0.1),
        -(near * np.log(SHARES)).sum(-1),
        rtol=1e-5,
    )
    near = YES * 0.8 + 0.1
    np.testing.assert_allclose(
        losses.binary_crossentropy(YES, PRED, label_smoothing=0.2),
        -(near * np.log(PRED) + (1 - near) * np.log(1 - PRED)).mean(-1),
        rtol=1e-5,
    )


def test_axis_of_classes():
    swapped = losses.categorical_crossentropy(HOT.T, PRED.T, axis=0)
    np.testing.assert_allclose(swapped, losses.categorical_crossentropy(HOT, PRED), rtol=1e-6)
    swapped = losses.binary_crossentropy(YES.T, PRED.T, axis=0)
    np.testing.assert_allclose(swapped, losses.binary_crossentropy(YES, PRED), rtol=1e-6)


def test_extreme_probabilities_and_logits_are_finite():
    sure, wrong = [[1.0, 0.0]], [[0.0, 1.0]]
    np.testing.assert_allclose(losses.binary_crossentropy(sure, wrong), [16.03], rtol=1e-3)
    np.testing.assert_allclose(losses.categorical_crossentropy(sure, wrong), [16.118], rtol=1e-3)
    far = [[-1e4, 1e4]]
    np.testing.assert_allclose(losses.binary_crossentropy(sure, far, from_logits=True), [1e4])
    np.testing.assert_allclose(losses.categorical_crossentropy(sure, far, from_logits=True), [2e4])
    np.testing.assert_allclose(losses.log_cosh([[0.0]], [[5e3]]), [5e3 - np.log(2)], rtol=1e-5)
    assert np.isfinite(losses.kl_divergence(sure, wrong)).all()
    x = tf.Variable(far)
    with tf.GradientTape() as tape:
        value = losses.BinaryFocalCrossentropy(from_logits=True)(sure, x)
    assert np.isfinite(tape.gradient(value, x)).all()


def test_class_balancing():
    balanced = losses.binary_focal_crossentropy(YES, PRED, apply_class_balancing=True, alpha=0.3)
    weights = YES * 0.3 + (1 - YES) * 0.7
    expected = -(weights * (1 - SURE) ** 2 * np.log(SURE)).mean(-1)
    np.testing.assert_allclose(balanced, expected, rtol=1e-5)
    by_class = losses.categorical_focal_crossentropy(HOT, PRED, alpha=[1.0, 2.0, 3.0], gamma=0.0)
    np.testing.assert_allclose(
        by_class, -np.log(SHARES[range(4), LABELS]) * (LABELS + 1.0), rtol=1e-5
    )


def test_overlap():
    both, all_ = (YES * PRED).sum(), YES.sum() + PRED.sum()
    assert float(losses.dice(YES, PRED)) == pytest.approx(1 - 2 * both / all_, rel=1e-5)
    rows = losses.Dice(axis=1, reduction="none")(YES, PRED)
    np.testing.assert_allclose(
        rows, 1 - 2 * (YES * PRED).sum(1) / (YES.sum(1) + PRED.sum(1)), rtol=1e-4, atol=1e-6
    )
    wrong, missed = ((1 - YES) * PRED).sum(), (YES * (1 - PRED)).sum()
    expected = 1 - both / (both + 0.3 * wrong + 0.7 * missed)
    assert float(losses.Tversky(0.3, 0.7)(YES, PRED)) == pytest.approx(expected, rel=1e-5)


def test_generalized_crossentropy():
    chosen = PRED[range(4), LABELS]
    found = losses.categorical_generalized_cross_entropy(LABELS, PRED, 0.5)
    np.testing.assert_allclose(found, (1 - chosen**0.5) / 0.5, rtol=1e-5)
    with pytest.raises(ValueError, match="interval"):
        losses.CategoricalGeneralizedCrossEntropy(q=1.0)


def test_circle_by_hand():
    points = unit(RNG.normal(size=(3, 2))).astype(np.float32)
    cosines = points @ points.T
    found = losses.circle(np.array([0, 0, 1]), points, gamma=2.0, margin=0.25).numpy()
    attract = -2 * max(1.25 - cosines[0, 1], 0) * (cosines[0, 1] - 0.75)
    repel = 2 * max(cosines[0, 2] + 0.25, 0) * (cosines[0, 2] - 0.25)
    assert found[0] == pytest.approx(np.log1p(np.exp(attract + repel)), rel=1e-5)
    assert found[2] == pytest.approx(0.0, abs=1e-6)  # nothing shares its label


EACH = (ERROR**2).mean(-1)
WEIGHTS = np.array([1.0, 2.0, 0.0, 3.0], np.float32)


@pytest.mark.parametrize(
    ("reduction", "plain", "weighted"),
    [
        ("sum_over_batch_size", EACH.mean(), (EACH * WEIGHTS).sum() / 4),
        ("mean", EACH.mean(), (EACH * WEIGHTS).sum() / 4),
        ("sum", EACH.sum(), (EACH * WEIGHTS).sum()),
        ("mean_with_sample_weight", EACH.mean(), (EACH * WEIGHTS).sum() / WEIGHTS.sum()),
        ("none", EACH, EACH * WEIGHTS),
        (None, EACH, EACH * WEIGHTS),
    ],
)
def test_reductions(reduction, plain, weighted):
    loss = losses.MeanSquaredError(reduction=reduction)
    np.testing.assert_allclose(loss(TRUE, PRED), plain, rtol=1e-5)
    np.testing.assert_allclose(loss(TRUE, PRED, sample_weight=WEIGHTS), weighted, rtol=1e-5)
    column = loss(TRUE, PRED, sample_weight=WEIGHTS[:, None])
    np.testing.assert_allclose(np.sum(column), np.sum(weighted), rtol=1e-5)


def test_weights_of_time_steps():
    x, y = RNG.normal(size=(2, 3, 4)), RNG.normal(size=(2, 3, 4))
    weights = np.array([[1.0, 0, 2], [0, 1, 1]])
    found = losses.MeanAbsoluteError(reduction="sum")(x, y, sample_weight=weights)
    assert float(found) == pytest.approx((abs(x - y).mean(-1) * weights).sum(), rel=1e-5)
    by_example = losses.MeanAbsoluteError(reduction="sum")(x, y, sample_weight=[1.0, 0.0])
    assert float(by_example) == pytest.approx(abs(x - y).mean(-1)[0].sum(), rel=1e-5)


def test_masks_leave_examples_out():
    prediction = tf.constant(PRED)
    prediction._keras_mask = tf.constant([True, False, True, False])
    found = losses.MeanSquaredError()(TRUE, prediction)
    assert float(found) == pytest.approx(EACH[[0, 2]].mean(), rel=1e-5)


def test_ignored_classes_leave_the_mean():
    labels = np.array([2, -1, 1, -1])
    each = -np.log(SOFT[range(4), labels]) * (labels >= 0)
    loss = losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=-1)
    assert float(loss(labels, LOGITS)) == pytest.approx(each.sum() / 2, rel=1e-5)
    traced = tf.function(lambda y, p: loss(y, p))
    assert float(traced(tf.constant(labels), tf.constant(LOGITS))) == pytest.approx(
        each.sum() / 2, rel=1e-5
    )
    weighted = loss(labels, LOGITS, sample_weight=[3.0, 5.0, 1.0, 1.0])
    assert float(weighted) == pytest.approx((3 * each[0] + each[2]) / 2, rel=1e-5)


def test_shapes_that_do_not_fit():
    with pytest.raises(ValueError, match="must have the same shape"):
        losses.categorical_crossentropy(np.ones((2, 4)), np.ones((2, 3)))
    with pytest.raises(ValueError, match="must have the same shape"):
        losses.binary_crossentropy(np.ones((2, 2)), np.ones((2, 3)))
    with pytest.warns(SyntaxWarning, match="binary_crossentropy"):
        losses.categorical_crossentropy(np.ones((2, 1)), np.ones((2, 1)))


def test_one_column_or_none_is_the_same():
    p, y = PRED[:, :1], YES[:, 0]
    loss = losses.BinaryCrossentropy()
    assert float(loss(y, p)) == pytest.approx(float(loss(y[:, None], p)))


@pytest.mark.parametrize("kind", losses.CLASSES, ids=lambda kind: kind.__name__)
def test_configuration_round_trip(kind):
    if kind is losses.LossFunctionWrapper:
        made = kind(losses.huber, name="wrapped", delta=0.5)
    elif kind is losses.Loss:
        made = kind(name="base", reduction="sum")
    else:
        made = kind(reduction="sum")
    again = losses.deserialize(losses.serialize(made))
    assert type(again) is kind
    assert again.get_config() == made.get_config()
    if kind is losses.LossFunctionWrapper:
        assert again.fn is losses.huber


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        ("mse", "mean_squared_error"),
        ("MAE", "mean_absolute_error"),
        ("mape", "mean_absolute_percentage_error"),
        ("MSLE", "mean_squared_logarithmic_error"),
        ("kld", "kl_divergence"),
        ("bce", "binary_crossentropy"),
        ("logcosh", "log_cosh"),
    ],
)
def test_aliases(alias, name):
    assert losses.get(alias) is getattr(losses, name)
    assert getattr(losses, alias) is getattr(losses, name)


def test_unknown_loss():
    with pytest.raises(ValueError, match="Could not interpret loss identifier: nope"):
        losses.get("nope")
    with pytest.raises(ValueError, match="Invalid value for argument `reduction`"):
        losses.MeanSquaredError(reduction="median")
