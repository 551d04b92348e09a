"""Pairs, episodes and batches: balanced, apart, repeatable."""

from itertools import islice

import numpy as np
import pytest

from slipstream.errors import InvalidArgumentError
from slipstream.oneshot.episodes import (
    ClassRows,
    draw_class_batch,
    draw_episode,
    draw_known,
    draw_pairs,
    episodes,
)

LABELS = np.random.default_rng(0).permutation(np.repeat([3, 5, 6, 9], [2, 7, 20, 400]))


def test_pairs_are_balanced_and_true():
    pairs = draw_pairs(LABELS, 4000, seed=1)
    assert pairs.equal.mean() == 0.5
    np.testing.assert_array_equal(LABELS[pairs.first] == LABELS[pairs.second], pairs.equal)
    assert (pairs.first != pairs.second).all()
    for kind in (pairs.equal, ~pairs.equal):
        _, counts = np.unique(LABELS[pairs.first[kind]], return_counts=True)
        assert counts.tolist() == [500] * 4


def test_pairs_use_every_picture_and_class_combination():
    pairs = draw_pairs(LABELS, 40000, seed=1)
    assert len(set(pairs.first) | set(pairs.second)) == len(LABELS)
    unequal = {
        (LABELS[a], LABELS[b])
        for a, b in zip(pairs.first[~pairs.equal], pairs.second[~pairs.equal], strict=True)
    }
    assert len(unequal) == 12
    equal_of_two = pairs.equal & (LABELS[pairs.first] == 3)
    assert set(pairs.second[equal_of_two]) == set(np.flatnonzero(LABELS == 3))


@pytest.mark.parametrize("count", [0, 1, 7])
def test_odd_counts(count):
    pairs = draw_pairs(LABELS, count)
    assert len(pairs) == len(pairs.second) == len(pairs.equal) == count


def test_draws_repeat_with_the_seed():
    one, same, other = (draw_pairs(LABELS, 100, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.second, same.second)
    assert (one.second != other.second).any()
    first, again = (next(episodes(LABELS, 2, 1, 1, seed=4)) for _ in range(2))
    np.testing.assert_array_equal(first.support, again.support)


def test_labels_that_cannot_be_drawn_from():
    with pytest.raises(InvalidArgumentError, match="single class"):
        draw_pairs(np.zeros(5, int), 2)
    with pytest.raises(InvalidArgumentError, match="class 7 has too few pictures for equal pairs"):
        draw_pairs(np.array([1, 1, 7]), 2)


def test_episodes_hold_apart_known_and_asked():
    seen = set()
    for episode in islice(episodes(LABELS, 3, 1, 1, seed=0), 50):
        assert episode.support.shape == episode.queries.shape == (3, 1)
        assert len(set(episode.classes)) == 3
        np.testing.assert_array_equal(LABELS[episode.support], episode.classes[:, None])
        np.testing.assert_array_equal(LABELS[episode.queries], episode.classes[:, None])
        assert not set(episode.support.flat) & set(episode.queries.flat)
        seen |= set(episode.classes)
    assert seen == {3, 5, 6, 9}


def test_episodes_that_cannot_be():
    classes, random = ClassRows(LABELS), np.random.default_rng(0)
    with pytest.raises(InvalidArgumentError, match="expected at most 4 ways"):
        draw_episode(classes, 5, 1, 1, random)
    with pytest.raises(InvalidArgumentError, match="too few pictures for 1 shots and 2 queries"):
        draw_episode(classes, 4, 1, 2, random)


def test_class_batches():
    classes = ClassRows(LABELS)
    rows, ways = draw_class_batch(classes, 9, 5, np.random.default_rng(0))
    assert ways.tolist() == [0] * 5 + [1] * 5 + [2] * 5 + [3] * 5
    for way in range(4):
        assert len(set(LABELS[rows[ways == way]])) == 1
    large = rows[LABELS[rows] == 9]
    assert len(set(large)) == 5


def test_known_examples_are_one_a_class_and_uniform():
    classes, random = ClassRows(LABELS), np.random.default_rng(0)
    draws = np.stack([draw_known(classes, random) for _ in range(2000)])
    np.testing.assert_array_equal(LABELS[draws], np.tile([3, 5, 6, 9], (2000, 1)))
    _, counts = np.unique(draws[:, 1], return_counts=True)
    assert len(counts) == 7
    assert counts.min() > 220
    assert counts.max() < 350
    chosen = draw_known(classes, random, np.array([2, 0]))
    assert LABELS[chosen].tolist() == [6, 3]
