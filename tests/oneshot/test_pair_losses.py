"""The losses against loops in plain NumPy, and that their gradients go the right way."""

import numpy as np
import pytest

import slipstream as tf
from slipstream.oneshot import losses

RANDOM = np.random.default_rng(5)
LABELS = np.array([0, 0, 0, 1, 1, 1, 2, 2, 2], np.int32)
EMBEDDINGS = RANDOM.normal(size=(9, 4)).astype(np.float32)
EMBEDDINGS /= np.linalg.norm(EMBEDDINGS, axis=1, keepdims=True)
DISTANCES = np.linalg.norm(EMBEDDINGS[:, None] - EMBEDDINGS[None], axis=2)
MARGIN, TEMPERATURE = 0.4, 0.2


def log_softmax(scores):
    return scores - np.log(np.exp(scores).sum())


def test_contrastive_pulls_equal_pairs_and_pushes_unequal_ones_to_the_margin():
    distances = np.float32([0.5, 0.5, 2.0])
    equal = np.float32([1, 0, 0])
    loss = float(losses.contrastive(distances, equal, 0.8))
    assert loss == pytest.approx((0.25 + 0.3**2 + 0) / 3, rel=1e-5)


def test_pair_cross_entropy_is_that_of_the_odds():
    loss = float(losses.pair_cross_entropy(np.float32([2.0, -1.0]), np.float32([1, 1])))
    assert loss == pytest.approx((np.log1p(np.exp(-2)) + np.log1p(np.exp(1))) / 2, rel=1e-5)


def test_all_pairs_weigh_equal_and_unequal_ones_the_same():
    log_odds = 3.0 - 4.0 * DISTANCES**2
    equal, unequal = [], []
    for row in range(9):
        for column in range(9):
            if LABELS[row] != LABELS[column]:
                unequal.append(np.log1p(np.exp(log_odds[row, column])))
            elif row != column:
                equal.append(np.log1p(np.exp(-log_odds[row, column])))
    loss = float(losses.all_pairs(log_odds, LABELS))
    assert loss == pytest.approx((np.mean(equal) + np.mean(unequal)) / 2, rel=1e-5)


def test_triplet_takes_the_hardest_of_each_picture():
    expected = []
    for row in range(9):
        same = LABELS[row] == LABELS
        hardest = DISTANCES[row][same].max() - DISTANCES[row][~same].min()
        expected.append(max(hardest + MARGIN, 0))
    loss = float(losses.triplet(EMBEDDINGS, LABELS, MARGIN))
    assert loss == pytest.approx(np.mean(expected), abs=1e-3)


def test_prototypical_finds_the_others_by_the_first_of_each_class():
    known = EMBEDDINGS[::3]
    expected = [
        -log_softmax(known @ EMBEDDINGS[row] / TEMPERATURE)[LABELS[row]]
        for row in range(9)
        if row % 3
    ]
    loss = float(losses.prototypical(EMBEDDINGS, 3, TEMPERATURE))
    assert loss == pytest.approx(np.mean(expected), rel=1e-5)


def test_supervised_contrastive_leaves_the_picture_itself_out():
    expected = []
    for row in range(9):
        others = np.arange(9) != row
        found = log_softmax(EMBEDDINGS[others] @ EMBEDDINGS[row] / TEMPERATURE)
        expected.append(-found[LABELS[others] == LABELS[row]].mean())
    loss = float(losses.supervised_contrastive(EMBEDDINGS, LABELS, TEMPERATURE))
    assert loss == pytest.approx(np.mean(expected), rel=1e-5)


def test_proxies_are_a_softmax_over_all_classes():
    cosines = EMBEDDINGS[:, :3]
    expected = [
        -log_softmax(row / TEMPERATURE)[label] for row, label in zip(cosines, LABELS, strict=True)
    ]
    loss = float(losses.proxies(cosines, LABELS, TEMPERATURE))
    assert loss == pytest.approx(np.mean(expected), rel=1e-5)


@pytest.mark.parametrize(
    "loss",
    [
        lambda vectors: losses.triplet(vectors, LABELS, MARGIN),
        lambda vectors: losses.prototypical(vectors, 3, TEMPERATURE),
        lambda vectors: losses.supervised_contrastive(vectors, LABELS, TEMPERATURE),
    ],
    ids=["triplet", "prototypical", "supervised_contrastive"],
)
def test_a_step_against_the_gradient_makes_it_smaller(loss):
    vectors = tf.Variable(EMBEDDINGS)
    with tf.GradientTape() as tape:
        before = loss(vectors)
    gradient = tape.gradient(before, vectors).numpy()
    assert np.isfinite(gradient).all()
    assert float(loss(tf.constant(EMBEDDINGS - 0.02 * gradient))) < float(before)


def test_equal_pictures_give_no_infinite_gradient():
    same = tf.Variable(np.repeat(EMBEDDINGS[:3], 3, axis=0))
    with tf.GradientTape() as tape:
        loss = losses.triplet(same, LABELS, MARGIN)
    assert np.isfinite(tape.gradient(loss, same).numpy()).all()
