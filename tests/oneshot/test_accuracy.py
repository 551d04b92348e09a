"""One-shot accuracy against the plain definition, its intervals, and real pixels."""

import numpy as np
import pytest

from slipstream.errors import InvalidArgumentError
from slipstream.oneshot.accuracy import (
    Trials,
    compare,
    interval_of,
    nearest_and_worst,
    one_shot,
)
from slipstream.oneshot.datasets import load
from slipstream.oneshot.episodes import ClassRows
from slipstream.oneshot.projection import principal_components, project


def clusters(classes=6, each=12, spread=1.0, size=8, seed=0):
    random = np.random.default_rng(seed)
    labels = np.repeat(np.arange(classes), each)
    middles = random.normal(size=(classes, size))
    return middles[labels] + spread * random.normal(size=(len(labels), size)), labels


def plain_accuracy(vectors, labels, known):
    """Nearest known example, one picture at a time."""
    rest = [row for row in range(len(labels)) if row not in set(known)]
    hits = 0
    for row in rest:
        distances = [np.linalg.norm(vectors[row] - vectors[k]) for k in known]
        hits += labels[known[int(np.argmin(distances))]] == labels[row]
    return hits / len(rest)


def test_agrees_with_the_plain_definition():
    vectors, labels = clusters()
    result = one_shot(vectors, labels, Trials(draws=300))
    random = np.random.default_rng(1)
    classes = ClassRows(labels)
    plain = [
        plain_accuracy(vectors, labels, classes.draw(np.arange(6), random)) for _ in range(300)
    ]
    assert result.interval.mean == pytest.approx(np.mean(plain), abs=0.03)
    assert np.std(result.draws) == pytest.approx(np.std(plain), abs=0.02)
    assert result.confusion.sum() == 300 * (72 - 6)
    assert result.chance == pytest.approx(1 / 6)


def test_perfect_and_blind_embeddings():
    labels = np.repeat(np.arange(5), 20)
    assert one_shot(np.eye(5)[labels], labels).interval.mean == 1
    blind = np.random.default_rng(0).normal(size=(100, 4))
    assert one_shot(blind, labels, Trials(draws=400)).interval.mean == pytest.approx(0.2, abs=0.03)


def test_fewer_ways_more_shots_and_fewer_queries():
    vectors, labels = clusters(spread=1.5)
    six, two = (one_shot(vectors, labels, Trials(ways=n)).interval.mean for n in (6, 2))
    assert two > six + 0.1
    five_shots = one_shot(vectors, labels, Trials(shots=5)).interval.mean
    assert five_shots > six + 0.05
    few = one_shot(vectors, labels, Trials(draws=10, queries=3, ways=4))
    assert few.confusion.sum() == 10 * 4 * 3


def test_within_groups_only_classes_of_one_group_meet():
    vectors, labels = clusters(classes=7)
    groups = np.array([0, 0, 0, 1, 1, 1, 2])
    result = one_shot(vectors, labels, Trials(ways=3, draws=100), groups)
    assert result.confusion[:3, 3:].sum() == result.confusion[3:, :3].sum() == 0
    assert result.confusion[6].sum() == 0
    assert (result.confusion[:6].sum(1) > 0).all()
    with pytest.raises(InvalidArgumentError, match="too few classes in any group"):
        one_shot(vectors, labels, Trials(ways=4), groups)


def test_cosine_ignores_length():
    vectors, labels = clusters(spread=0.3)
    stretched = vectors * np.random.default_rng(0).uniform(0.1, 10, (len(labels), 1))
    trials = Trials(metric="cosine")
    expected = one_shot(vectors, labels, trials).interval.mean
    assert one_shot(stretched, labels, trials).interval.mean == pytest.approx(expected)


def test_draws_repeat_and_are_the_same_for_other_embeddings():
    vectors, labels = clusters()
    first, again = (one_shot(vectors, labels, Trials(seed=3)) for _ in range(2))
    np.testing.assert_array_equal(first.draws, again.draws)
    worse = one_shot(vectors[:, :2], labels, Trials(seed=3))
    gain = compare(first, worse)
    assert gain.low > 0
    assert gain.high - gain.low < (first.interval.high - first.interval.low) * 2
    assert compare(first, again).mean == 0


def test_interval_covers_the_mean_about_as_often_as_it_says():
    random = np.random.default_rng(0)
    hits = boots = 0
    for trial in range(200):
        interval = interval_of(random.normal(0.7, 0.1, 60), trial)
        hits += interval.low <= 0.7 <= interval.high
        boots += interval.bootstrap_low <= 0.7 <= interval.bootstrap_high
        assert interval.draw_low < interval.low < interval.mean < interval.high
    assert 0.9 <= hits / 200 <= 0.99
    assert 0.9 <= boots / 200 <= 0.99
    assert str(interval_of(np.array([0.5, 0.5]))) == "0.500 [0.500, 0.500]"


def test_what_cannot_be_measured():
    vectors, labels = clusters()
    with pytest.raises(InvalidArgumentError, match="at least 7 to choose from"):
        one_shot(vectors, labels, Trials(ways=7))
    with pytest.raises(InvalidArgumentError, match="too few pictures for 12 known"):
        one_shot(vectors, labels, Trials(shots=12))
    vectors[3, 2] = np.nan
    with pytest.raises(InvalidArgumentError, match="not finite"):
        one_shot(vectors, labels)


def test_nearest_and_worst():
    vectors, labels = clusters(spread=1.2)
    best, worst = nearest_and_worst(vectors, labels, 5)
    assert len(best) == len(worst) == 5
    assert len({labels[match.query] for match in best}) == 5
    for match in best + worst:
        distance = np.linalg.norm(vectors[match.query] - vectors[match.answer])
        assert match.distance == pytest.approx(distance, rel=1e-3, abs=1e-3)
        assert match.right == (labels[match.answer] == labels[match.query])
        assert labels[match.truth] == labels[match.query]
    assert all(match.right for match in best)
    assert not any(match.right for match in worst)
    assert [m.distance for m in best] == sorted(m.distance for m in best)
    margins = [m.distance - m.true_distance for m in worst]
    assert margins == sorted(margins)
    assert max(margins) < 0


def test_principal_components_keep_most_variance():
    random = np.random.default_rng(0)
    flat = random.normal(size=(50, 2)) @ random.normal(size=(2, 6)) + 3
    plane = principal_components(flat)
    gaps = np.linalg.norm(flat[:, None] - flat[None], axis=-1)
    np.testing.assert_allclose(
        np.linalg.norm(plane[:, None] - plane[None], axis=-1), gaps, atol=1e-4
    )
    assert plane[:, 0].var() >= plane[:, 1].var()
    assert principal_components(flat[:, :1]).shape == (50, 2)


def test_projection_keeps_clusters_together_and_repeats():
    vectors, labels = clusters(spread=0.1, each=8)
    for method in ("tsne", "pca"):
        places, name = project(vectors, method)
        again, _ = project(vectors, method)
        assert name in ("t-SNE", "principal components")
        np.testing.assert_array_equal(places, again)
        gaps = np.linalg.norm(places[:, None] - places[None], axis=-1)
        same = labels[:, None] == labels[None]
        assert gaps[same].mean() < 0.3 * gaps[~same].mean()
    assert project(vectors[:3])[1] == "principal components"
    with pytest.raises(InvalidArgumentError, match="unknown method"):
        project(vectors, "umap")


def test_pixels_tell_something_but_not_much(slipstream_home, shared_data, monkeypatch):
    """The baseline every network must beat, on the five classes that are held out."""
    monkeypatch.setenv("SLIPSTREAM_DATA", str(shared_data))
    new = load("fashion-mnist", "test").of_classes([0, 4, 5, 6, 7])
    pixels = new.floats().reshape(len(new), -1)
    result = one_shot(pixels, new.labels, Trials(draws=30, queries=50))
    assert 0.4 < result.interval.mean < 1
    assert result.interval.low < result.interval.mean < result.interval.high
