"""The distance beyond which a picture is of no enrolled class, against loops."""

import numpy as np
import pytest

from slipstream.errors import InvalidArgumentError
from slipstream.oneshot import strangers
from slipstream.oneshot.episodes import draw_pairs
from slipstream.oneshot.measure import calibrate, distances_of
from slipstream.oneshot.strangers import beyond, nearest_pairs

RANDOM = np.random.default_rng(2)
LABELS = np.arange(6).repeat(8)
# Classes on a line, as far apart as the two nearest of them are: most pairs are easy.
EMBEDDINGS = RANDOM.normal(size=(48, 2)).astype(np.float32) + LABELS[:, None] * np.float32([4, 0])


def test_each_picture_gives_an_equal_pair_and_its_nearest_unequal_one(monkeypatch):
    monkeypatch.setattr(strangers, "WAYS", 3)
    distances, equal = nearest_pairs(EMBEDDINGS, LABELS, draws=5)
    assert len(distances) == 2 * 5 * 3 * 7
    assert equal.sum() == len(equal) / 2
    every = np.linalg.norm(EMBEDDINGS[:, None] - EMBEDDINGS, axis=2)
    same = LABELS[:, None] == LABELS
    for kind in (True, False):
        off = np.abs(distances[equal == kind][:, None] - every[same == kind])
        assert off.min(1).max() < 1e-3


def test_the_nearest_of_many_is_nearer_than_any():
    distances, equal = nearest_pairs(EMBEDDINGS, LABELS)
    pairs = draw_pairs(LABELS, 2000)
    usual = distances_of(EMBEDDINGS, pairs)
    assert distances[~equal].mean() < 0.7 * usual[~pairs.equal].mean()
    assert distances[equal].mean() == pytest.approx(usual[pairs.equal].mean(), rel=0.1)
    assert beyond(EMBEDDINGS, LABELS) < calibrate(usual, pairs.equal)


def test_the_same_pictures_give_the_same_distance():
    assert beyond(EMBEDDINGS, LABELS) == beyond(EMBEDDINGS, LABELS)


@pytest.mark.parametrize("labels", [np.zeros(4, int), np.array([0, 0, 0, 1])])
def test_too_few_pictures_are_refused(labels):
    with pytest.raises(InvalidArgumentError, match="class"):
        beyond(EMBEDDINGS[:4], labels)
