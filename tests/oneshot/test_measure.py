"""Pairs measured, against hand-made cases and scikit-learn."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from slipstream.errors import InvalidArgumentError
from slipstream.oneshot.distances import all_distances, pair_distances
from slipstream.oneshot.episodes import Pairs
from slipstream.oneshot.measure import calibrate, distances_of, hardest_pairs, roc, score_pairs

RANDOM = np.random.default_rng(0)
EQUAL = np.arange(200) % 2 == 0
DISTANCES = np.where(EQUAL, RANDOM.gamma(4, 0.2, 200), RANDOM.gamma(9, 0.2, 200))


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_distances_agree_with_each_other_and_the_definition(metric):
    one, other = RANDOM.normal(size=(6, 5)), RANDOM.normal(size=(4, 5))
    table = all_distances(one, other, metric)
    assert table.shape == (6, 4)
    for i in range(6):
        for j in range(4):
            a, b = one[i], other[j]
            cosine = 1 - a @ b / np.linalg.norm(a) / np.linalg.norm(b)
            expected = np.linalg.norm(a - b) if metric == "euclidean" else cosine
            assert table[i, j] == pytest.approx(expected, abs=1e-5)
            pair = pair_distances(a[None], b[None], metric)[0]
            assert pair == pytest.approx(expected, abs=1e-5)


def test_embeddings_that_cannot_be_compared():
    good = np.zeros((2, 3))
    with pytest.raises(InvalidArgumentError, match=r"not finite.*1 rows"):
        pair_distances(np.array([[np.nan, 0, 0], [0, 0, 0]]), good)
    with pytest.raises(InvalidArgumentError, match="different sizes"):
        all_distances(good, np.zeros((2, 4)))
    with pytest.raises(InvalidArgumentError, match="not a matrix"):
        all_distances(np.zeros(3), good)
    with pytest.raises(InvalidArgumentError, match="unknown metric"):
        all_distances(good, good, "manhattan")


def test_distances_of_pairs():
    pairs = Pairs(np.array([0, 1]), np.array([1, 1]), np.array([False, True]))
    assert distances_of(np.array([[0.0, 0], [3, 4]]), pairs).tolist() == [5, 0]


@given(st.integers(2, 40), st.integers(0, 10**6))
def test_area_agrees_with_scikit_learn_even_with_ties(count, seed):
    random = np.random.default_rng(seed)
    distances = random.integers(0, 5, count).astype(float)
    equal = random.permutation(np.arange(count) % 2 == 0)
    curve = roc(distances, equal)
    assert curve.area == pytest.approx(roc_auc_score(equal, -distances))
    assert curve.false_accepts[0] == curve.true_accepts[0] == 0
    assert curve.false_accepts[-1] == curve.true_accepts[-1] == 1


def test_best_threshold_is_the_best_of_all():
    threshold = calibrate(DISTANCES, EQUAL)
    best = score_pairs(DISTANCES, EQUAL, threshold)
    tried = [score_pairs(DISTANCES, EQUAL, t).accuracy for t in np.linspace(0, 5, 2000)]
    assert best.accuracy >= max(tried)
    assert best.accuracy > 0.8
    assert threshold not in DISTANCES
    share = (best.false_accepts + best.false_rejects) / 2
    assert best.accuracy == pytest.approx(1 - share)


@pytest.mark.parametrize("rate", [0.0, 0.01, 0.05, 0.5, 1.0])
def test_threshold_at_a_false_accept_rate(rate):
    threshold = calibrate(DISTANCES, EQUAL, rate)
    assert score_pairs(DISTANCES, EQUAL, threshold).false_accepts <= rate
    if rate < 1:
        next_unequal = np.sort(DISTANCES[~EQUAL][DISTANCES[~EQUAL] > threshold])[0]
        above = score_pairs(DISTANCES, EQUAL, next_unequal)
        assert above.false_accepts > rate


def test_a_threshold_that_accepts_nothing():
    distances = np.array([1.0, 1.0, 2.0])
    threshold = calibrate(distances, np.array([False, True, True]), 0.0)
    assert score_pairs(distances, np.array([False, True, True]), threshold).false_accepts == 0


def test_hardest_pairs():
    distances = np.array([5.0, 1, 2, 9, 0.5, 7])
    equal = np.array([True, True, True, False, False, False])
    far, near = hardest_pairs(distances, equal, 2)
    assert far.tolist() == [0, 2]
    assert near.tolist() == [4, 5]


def test_pairs_that_cannot_be_measured():
    with pytest.raises(InvalidArgumentError, match="only one kind"):
        roc(np.zeros(3), np.ones(3, bool))
    with pytest.raises(InvalidArgumentError, match="not finite"):
        roc(np.array([np.nan, 1]), np.array([True, False]))
    with pytest.raises(InvalidArgumentError, match="do not belong together"):
        roc(np.zeros(3), np.ones(2, bool))
