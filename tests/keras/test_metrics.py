"""Metrics: values by hand over several batches, weights, eager and traced, configurations."""

import numpy as np
import pytest

import slipstream as tf
from slipstream.keras import layers, losses, metrics, models

RNG = np.random.default_rng(0)
TRUE = RNG.uniform(size=(6, 3)).astype(np.float32)
PRED = RNG.uniform(0.1, 0.9, size=(6, 3)).astype(np.float32)
YES = (TRUE > 0.5).astype(np.float32)
LABELS = np.array([2, 0, 1, 1, 2, 0])
HOT = np.eye(3, dtype=np.float32)[LABELS]
WEIGHTS = np.array([1, 2, 0, 0.5, 1, 3], np.float32)


def in_two_batches(metric, y_true, y_pred, weights=None, traced=False):
    update = tf.function(metric.update_state) if traced else metric.update_state
    for part in (slice(0, 4), slice(4, None)):
        some = [tf.constant(y_true[part]), tf.constant(y_pred[part])]
        if weights is None:
            update(*some)
        else:
            update(*some, tf.constant(weights[part]))
    return np.asarray(metric.result())


@pytest.mark.parametrize(
    "name",
    [
        "mean_squared_error",
        "mean_absolute_error",
        "mean_squared_logarithmic_error",
        "mean_absolute_percentage_error",
        "kl_divergence",
        "poisson",
        "hinge",
        "squared_hinge",
        "categorical_hinge",
        "binary_crossentropy",
        "categorical_crossentropy",
    ],
)
def test_means_of_losses(name):
    truth = HOT if name.startswith("categorical") else TRUE
    each = losses.get(name)(truth, PRED).numpy()
    np.testing.assert_allclose(
        in_two_batches(metrics.get(name), truth, PRED), each.mean(), rtol=1e-5
    )
    found = in_two_batches(metrics.get(name), truth, PRED, WEIGHTS, traced=True)
    np.testing.assert_allclose(found, (each * WEIGHTS).sum() / WEIGHTS.sum(), rtol=1e-5)


def test_root_of_the_mean_square():
    found = in_two_batches(metrics.RootMeanSquaredError(), TRUE, PRED)
    assert found == pytest.approx(((TRUE - PRED) ** 2).mean() ** 0.5, rel=1e-5)


def test_cosine_similarity_is_positive():
    cosines = (TRUE * PRED).sum(1) / np.linalg.norm(TRUE, axis=1) / np.linalg.norm(PRED, axis=1)
    assert in_two_batches(metrics.CosineSimilarity(), TRUE, PRED) == pytest.approx(cosines.mean())
    by_name = in_two_batches(metrics.get("cosine_similarity"), TRUE, PRED)
    assert by_name == pytest.approx(cosines.mean())


def test_logcosh_and_sparse_crossentropy():
    expected = np.log(np.cosh(TRUE - PRED)).mean()
    assert in_two_batches(metrics.LogCoshError(), TRUE, PRED) == pytest.approx(expected, rel=1e-5)
    shares = PRED / PRED.sum(1, keepdims=True)
    each = -np.log(shares[range(6), LABELS])
    found = in_two_batches(metrics.SparseCategoricalCrossentropy(), LABELS, PRED)
    assert found == pytest.approx(each.mean(), rel=1e-5)
    kept = LABELS != 1
    found = in_two_batches(metrics.SparseCategoricalCrossentropy(ignore_class=1), LABELS, PRED)
    assert found == pytest.approx(each[kept].mean(), rel=1e-5)


def test_correlations():
    expected = np.mean([np.corrcoef(t, p)[0, 1] for t, p in zip(TRUE, PRED, strict=True)])
    assert in_two_batches(metrics.PearsonCorrelation(), TRUE, PRED) == pytest.approx(
        expected, abs=1e-5
    )
    apart = (TRUE.mean(1) - PRED.mean(1)) ** 2
    covariance = ((TRUE - TRUE.mean(1)[:, None]) * (PRED - PRED.mean(1)[:, None])).mean(1)
    expected = (2 * covariance / (TRUE.var(1) + PRED.var(1) + apart)).mean()
    assert in_two_batches(metrics.ConcordanceCorrelation(), TRUE, PRED) == pytest.approx(
        expected, abs=1e-5
    )


def test_accuracies():
    best = PRED.argmax(1)
    hits = best == LABELS
    assert in_two_batches(metrics.SparseCategoricalAccuracy(), LABELS, PRED) == pytest.approx(
        hits.mean()
    )
    assert in_two_batches(metrics.CategoricalAccuracy(), HOT, PRED) == pytest.approx(hits.mean())
    weighted = in_two_batches(metrics.CategoricalAccuracy(), HOT, PRED, WEIGHTS)
    assert weighted == pytest.approx((hits * WEIGHTS).sum() / WEIGHTS.sum())
    found = in_two_batches(metrics.BinaryAccuracy(threshold=0.4), YES, PRED)
    assert found == pytest.approx(((PRED > 0.4) == YES).mean())
    found = in_two_batches(metrics.Accuracy(), LABELS[:, None], best[:, None])
    assert found == pytest.approx(hits.mean())


@pytest.mark.parametrize("k", [1, 2, 3])
def test_top_k(k):
    ranks = (PRED[range(6), LABELS][:, None] < PRED).sum(1)
    expected = (ranks < k).mean()
    assert in_two_batches(metrics.TopKCategoricalAccuracy(k), HOT, PRED) == pytest.approx(expected)
    found = in_two_batches(metrics.SparseTopKCategoricalAccuracy(k), LABELS, PRED, traced=True)
    assert found == pytest.approx(expected)
    ids = np.argsort(-PRED, axis=1)
    sparse = metrics.SparseTopKCategoricalAccuracy(k, from_sorted_ids=True)
    assert in_two_batches(sparse, LABELS, ids) == pytest.approx(expected)


def test_top_k_of_time_steps():
    found = metrics.sparse_top_k_categorical_accuracy(
        LABELS.reshape(2, 3), PRED.reshape(2, 3, 3), k=1
    )
    np.testing.assert_array_equal(found, (PRED.argmax(1) == LABELS).reshape(2, 3))


Y = np.array([0, 1, 1, 0, 1, 0, 0, 1], np.float32)
P = np.array([0.1, 0.4, 0.35, 0.8, 0.9, 0.5, 0.2, 0.5], np.float32)
W = np.array([1, 2, 1, 0, 3, 1, 0.5, 1], np.float32)


def counts(threshold, weights):
    found = threshold < P
    truth = Y > 0
    return [
        (weights * hit).sum()
        for hit in (found & truth, found & ~truth, ~found & ~truth, ~found & truth)
    ]


KINDS = (
    metrics.TruePositives,
    metrics.FalsePositives,
    metrics.TrueNegatives,
    metrics.FalseNegatives,
)


@pytest.mark.parametrize("weights", [None, W], ids=["plain", "weighted"])
@pytest.mark.parametrize("thresholds", [None, 0.3, [0.2, 0.85, 0.5]], ids=str)
def test_counts_at_thresholds(thresholds, weights):
    amounts = np.ones(8) if weights is None else weights
    several = isinstance(thresholds, list)
    for place, kind in enumerate(KINDS):
        wanted = [
            counts(t, amounts)[place] for t in (thresholds if several else [thresholds or 0.5])
        ]
        found = in_two_batches(kind(thresholds), Y, P, weights, traced=several)
        np.testing.assert_allclose(found, wanted if several else wanted[0], rtol=1e-6)


def test_precision_and_recall():
    tp, fp, _, fn = counts(0.3, W)
    assert in_two_batches(metrics.Precision(0.3), Y, P, W) == pytest.approx(tp / (tp + fp))
    assert in_two_batches(metrics.Recall(0.3), Y, P, W) == pytest.approx(tp / (tp + fn))
    both = [counts(t, W) for t in (0.3, 0.85)]
    found = in_two_batches(metrics.Recall([0.3, 0.85]), Y, P, W)
    np.testing.assert_allclose(found, [c[0] / (c[0] + c[3]) for c in both], rtol=1e-6)
    assert float(metrics.Precision()([0, 1], [0.1, 0.2])) == 0.0


def test_precision_of_the_best_and_of_a_class():
    best = np.argsort(-PRED, axis=1)[:, :2]
    chosen = np.zeros_like(PRED)
    np.put_along_axis(chosen, best, 1, axis=1)
    found = in_two_batches(metrics.Precision(top_k=2), YES, PRED)
    assert found == pytest.approx((chosen * YES).sum() / chosen.sum())
    found = in_two_batches(metrics.Recall(top_k=2, class_id=1), YES, PRED, traced=True)
    assert found == pytest.approx((chosen * YES)[:, 1].sum() / YES[:, 1].sum())
    over = PRED[:, 2] > 0.5
    found = in_two_batches(metrics.Precision(class_id=2), YES, PRED, WEIGHTS)
    hits = (over * YES[:, 2] * WEIGHTS).sum()
    assert found == pytest.approx(hits / (over * WEIGHTS).sum())


def exact_area(y, p):
    """The part of pairs in the right order; equal scores count half."""
    pairs = p[y > 0][:, None] - p[y == 0][None]
    return ((pairs > 0) + 0.5 * (pairs == 0)).mean()


def test_area_under_roc():
    assert in_two_batches(metrics.AUC(), Y, P) == pytest.approx(exact_area(Y, P), abs=1e-6)
    y = (RNG.uniform(size=500) < 0.3).astype(np.float32)
    p = np.clip(0.3 * y + 0.7 * RNG.uniform(size=500), 0, 1).astype(np.float32)
    fine = metrics.AUC(num_thresholds=5000)
    assert in_two_batches(fine, y, p, traced=True) == pytest.approx(exact_area(y, p), abs=1e-4)
    low = in_two_batches(metrics.AUC(20, summation_method="minoring"), y, p)
    middle = in_two_batches(metrics.AUC(20), y, p)
    high = in_two_batches(metrics.AUC(20, summation_method="majoring"), y, p)
    assert low < middle < high
    assert middle == pytest.approx((low + high) / 2, abs=1e-6)
    logits = np.log(p + 1e-9) - np.log1p(1e-9 - p)
    found = in_two_batches(metrics.AUC(from_logits=True), y, logits)
    assert found == pytest.approx(exact_area(y, p), abs=5e-3)


@pytest.mark.parametrize(
    ("arguments", "plain", "weighted"),
    [
        ({"curve": "PR"}, 0.672267, 0.916159),
        ({"curve": "PR", "summation_method": "majoring"}, 0.691667, 0.941326),
        ({"curve": "PR", "summation_method": "minoring"}, 0.400000, 0.465306),
        ({"curve": "PRGAIN"}, 0.250000, 0.486667),
        ({"thresholds": [0.3, 0.5, 0.9]}, 0.687500, 0.885714),
        ({"num_thresholds": 7, "curve": "PR"}, 0.709505, 0.952971),
    ],
)
def test_other_curves(arguments, plain, weighted):
    """Constants of Keras 3.15 for these eight examples."""
    assert in_two_batches(metrics.AUC(**arguments), Y, P) == pytest.approx(plain, abs=1e-5)
    assert in_two_batches(metrics.AUC(**arguments), Y, P, W) == pytest.approx(weighted, abs=1e-5)


def test_area_of_each_label():
    areas = np.array([exact_area(YES[:, n], PRED[:, n]) for n in range(3)])
    found = in_two_batches(metrics.AUC(2000, multi_label=True), YES, PRED, traced=True)
    assert found == pytest.approx(areas.mean(), abs=1e-3)
    weighted = metrics.AUC(2000, multi_label=True, num_labels=3, label_weights=[1.0, 2.0, 3.0])
    expected = (areas * [1, 2, 3]).sum() / 6
    assert in_two_batches(weighted, YES, PRED) == pytest.approx(expected, abs=1e-3)


def test_points_on_the_curves():
    thresholds = np.array([0.0, *[(i + 1) / 199 for i in range(198)], 1.0])
    table = np.array([counts(t, W) for t in thresholds])
    tp, fp, tn, fn = table.T
    recall, specificity = tp / (tp + fn), tn / (tn + fp)
    precision = np.divide(tp, tp + fp, out=np.zeros_like(tp), where=tp + fp > 0)
    for metric, expected in (
        (metrics.SensitivityAtSpecificity(0.5), recall[specificity >= 0.5].max()),
        (metrics.SpecificityAtSensitivity(0.6), specificity[recall >= 0.6].max()),
        (metrics.PrecisionAtRecall(0.5), precision[recall >= 0.5].max()),
        (metrics.RecallAtPrecision(0.8), recall[precision >= 0.8].max()),
    ):
        assert in_two_batches(metric, Y, P, W) == pytest.approx(expected, rel=1e-5), metric
    assert float(metrics.RecallAtPrecision(0.99)(1 - Y, P)) == 0


@pytest.mark.parametrize("threshold", [None, 0.45])
def test_f_scores(threshold):
    found = threshold < PRED if threshold else PRED.max(1, keepdims=True) == PRED
    tp = (found * YES).sum(0)
    precision = np.divide(tp, found.sum(0), out=np.zeros(3), where=found.sum(0) > 0)
    recall = tp / YES.sum(0)
    total = 4 * precision + recall
    scores = np.divide(5 * precision * recall, total, out=np.zeros(3), where=total > 0)
    for average, expected in (
        (None, scores),
        ("macro", scores.mean()),
        ("weighted", (scores * YES.sum(0)).sum() / YES.sum()),
        ("micro", 5 * tp.sum() / (4 * YES.sum() + found.sum())),
    ):
        metric = metrics.FBetaScore(average, beta=2.0, threshold=threshold)
        np.testing.assert_allclose(
            in_two_batches(metric, YES, PRED, traced=average is None), expected, rtol=1e-5
        )
    one = in_two_batches(metrics.F1Score("micro", threshold), YES, PRED)
    assert one == pytest.approx(2 * tp.sum() / (YES.sum() + found.sum()), rel=1e-5)


def test_intersection_over_union():
    found = np.array([2, 1, 1, 0, 2, 2])
    scores = []
    for number in range(3):
        both = ((found == number) & (number == LABELS)).sum()
        either = ((found == number) | (number == LABELS)).sum()
        scores.append(both / either)
    assert in_two_batches(metrics.MeanIoU(3), LABELS, found) == pytest.approx(np.mean(scores))
    assert in_two_batches(metrics.IoU(3, [0, 2]), LABELS, found) == pytest.approx(
        (scores[0] + scores[2]) / 2
    )
    hot = metrics.OneHotIoU(3, [1])
    assert in_two_batches(hot, HOT, np.eye(3)[found], traced=True) == pytest.approx(scores[1])
    assert in_two_batches(metrics.OneHotMeanIoU(3), HOT, np.eye(3)[found]) == pytest.approx(
        np.mean(scores)
    )


def test_overlap_with_weights_ignored_classes_and_thresholds():
    metric = metrics.IoU(2, [0])
    metric.update_state([0, 0, 1, 1], [0, 1, 0, 1], sample_weight=[0.3, 0.3, 0.3, 0.1])
    assert float(metric.result()) == pytest.approx(1 / 3, rel=1e-5)
    ignoring = metrics.MeanIoU(2, ignore_class=7)
    ignoring.update_state([0, 7, 1, 7], [0, 0, 1, 1])
    assert float(ignoring.result()) == 1.0
    binary = metrics.BinaryIoU([1], threshold=0.45)
    over = P >= 0.45
    expected = (over & (Y > 0)).sum() / (over | (Y > 0)).sum()
    assert in_two_batches(binary, Y, P) == pytest.approx(expected)


def test_explained_variance():
    residual = ((TRUE - PRED) ** 2).sum(0)
    spread = ((TRUE - TRUE.mean(0)) ** 2).sum(0)
    scores = 1 - residual / spread
    for aggregation, expected in (
        (None, scores),
        ("uniform_average", scores.mean()),
        ("variance_weighted_average", 1 - residual.sum() / spread.sum()),
    ):
        metric = metrics.R2Score(aggregation)
        np.testing.assert_allclose(
            in_two_batches(metric, TRUE, PRED, traced=aggregation is None), expected, rtol=1e-4
        )
    adjusted = in_two_batches(metrics.R2Score(num_regressors=2), TRUE[:, :1], PRED[:, :1])
    assert adjusted == pytest.approx(1 - (1 - scores[0]) * 5 / 3, rel=1e-4)


def test_metrics_in_fit_and_evaluate():
    model = models.Sequential([layers.Dense(3, activation="softmax")])
    given = ["accuracy", "mse", "AUC", metrics.F1Score(name="f1"), metrics.AUC(multi_label=True)]
    model.compile("sgd", "categorical_crossentropy", metrics=given)
    history = model.fit(TRUE, HOT, batch_size=2, epochs=2, verbose=0).history
    assert set(history) == {"loss", "accuracy", "mse", "AUC", "f1", given[-1].name}
    found = model.evaluate(TRUE, HOT, batch_size=3, verbose=0, return_dict=True)
    shares = model.predict(TRUE, verbose=0)
    assert found["accuracy"] == pytest.approx((shares.argmax(1) == LABELS).mean())
    assert found["mse"] == pytest.approx(((shares - HOT) ** 2).mean(), rel=1e-5)
    assert found["AUC"] == pytest.approx(float(metrics.AUC()(HOT, shares)), rel=1e-5)
    np.testing.assert_allclose(found["f1"], metrics.F1Score()(HOT, shares), rtol=1e-5)


def test_names_are_objects():
    assert isinstance(metrics.get("mse"), metrics.MeanSquaredError)
    assert isinstance(metrics.get("root_mean_squared_error"), metrics.RootMeanSquaredError)
    assert isinstance(metrics.get("auc"), metrics.AUC)


def test_reset_begins_anew():
    for metric in (metrics.AUC(), metrics.Precision(), metrics.MeanSquaredError()):
        first = in_two_batches(metric, Y, P)
        metric.reset_state()
        assert all((v.numpy() == 0).all() for v in metric.variables)
        assert in_two_batches(metric, Y, P) == pytest.approx(first)


NEEDED = {
    "IoU": (3, [0, 2]),
    "MeanIoU": (3,),
    "OneHotIoU": (3, [1]),
    "OneHotMeanIoU": (3,),
    "PrecisionAtRecall": (0.5,),
    "RecallAtPrecision": (0.5,),
    "SensitivityAtSpecificity": (0.5,),
    "SpecificityAtSensitivity": (0.5,),
    "MeanMetricWrapper": (losses.huber,),
}


@pytest.mark.parametrize("kind", metrics.CLASSES, ids=lambda kind: kind.__name__)
def test_configuration_round_trip(kind):
    made = kind(*NEEDED.get(kind.__name__, ()), name="mine")
    again = metrics.deserialize(metrics.serialize(made))
    assert type(again) is kind
    assert again.get_config() == made.get_config()
    assert again.name == "mine"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: metrics.Precision(thresholds=[-1]), "Threshold values must be in"),
        (lambda: metrics.AUC(curve="x"), "Invalid AUC curve value"),
        (lambda: metrics.AUC(summation_method="x"), "Invalid AUC summation method"),
        (lambda: metrics.AUC(num_thresholds=1), "must be an integer > 1"),
        (lambda: metrics.F1Score(average="x"), "Invalid `average`"),
        (lambda: metrics.FBetaScore(beta=-1.0), "Invalid `beta`"),
        (lambda: metrics.FBetaScore(threshold="a"), "Invalid `threshold`"),
        (lambda: metrics.F1Score()(Y, P), "expects 2D inputs"),
        (lambda: metrics.R2Score("x"), "Invalid value for argument `class_aggregation`"),
        (lambda: metrics.IoU(2, [2]), "out of range"),
        (lambda: metrics.PrecisionAtRecall(2), "must be in the range"),
        (lambda: metrics.get("nope"), "Could not interpret metric identifier"),
    ],
)
def test_what_is_wrong(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_accuracy_weighs_each_element():
    metric = metrics.Accuracy()
    metric.update_state([0, 1, 2], [0, 1, 1], sample_weight=[0.5, 0.25, 0.25])
    assert float(metric.result()) == pytest.approx(0.75)
    np.testing.assert_array_equal(metrics.accuracy([[1, 2]], [[1, 3]]), [[1, 0]])
