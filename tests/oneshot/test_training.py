"""Training: it learns, it repeats, and it says when it diverges."""

import io
from dataclasses import replace

import numpy as np
import pytest
from small import PAIRS, RECIPE, pictures

from slipstream.errors import DataLossError, InvalidArgumentError
from slipstream.oneshot import training
from slipstream.oneshot.batches import (
    Batches,
    LabelledBatches,
    random_view,
    wipe,
    with_halves,
)
from slipstream.oneshot.models import Siamese, build
from slipstream.oneshot.recipe import LOSSES
from slipstream.oneshot.training import Console, Run, some, train_classifier, train_siamese

TRAINED, HELD_OUT = pictures(), pictures(each=6, seed=1)


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_learns_to_tell_pairs(loss):
    recipe = replace(RECIPE, loss=loss, steps=20)
    _, history = train_siamese(TRAINED, HELD_OUT, recipe)
    assert history["loss"][1] < history["loss"][0]
    assert history["val_accuracy"][-1] > 0.7
    assert set(history) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert {len(values) for values in history.values()} == {2}


@pytest.mark.parametrize("loss", ["proxies", "supervised-contrastive"])
def test_pairs_beside_a_batch_loss_train_the_similarity(loss):
    recipe = replace(RECIPE, loss=loss, pairs=1.0, residual=1, mirrored=True, steps=20)
    network, history = train_siamese(TRAINED, HELD_OUT, recipe)
    assert history["loss"][1] < history["loss"][0]
    assert history["val_accuracy"][-1] > 0.7
    alone, _ = train_siamese(TRAINED, HELD_OUT, replace(recipe, pairs=0.0, epochs=1, steps=1))
    start = build(Siamese(recipe)).similarity.get_weights()
    assert alone.similarity.get_weights() == start
    assert network.similarity.get_weights() != start


def test_the_same_seed_gives_the_same_network_and_another_another():
    first, again, other = (
        train_siamese(TRAINED, HELD_OUT, replace(RECIPE, seed=seed))[0] for seed in (4, 4, 5)
    )
    pairs = zip(first.get_weights(), again.get_weights(), strict=True)
    assert all(np.array_equal(one, two) for one, two in pairs)
    assert not np.array_equal(first.get_weights()[0], other.get_weights()[0])


def test_pairs_are_what_their_targets_say():
    batches = Batches(TRAINED, PAIRS, 0, augment=False)
    shown, equal = batches.draw()
    by_picture = {
        image.tobytes(): label for image, label in zip(images(), TRAINED.labels, strict=True)
    }
    labels = [by_picture[one.tobytes()] for one in shown]
    half = len(shown) // 2
    assert shown.shape == (20, 28, 28, 1)
    assert [a == b for a, b in zip(labels[:half], labels[half:], strict=True)] == list(equal)
    assert 0 < equal.sum() < len(equal)


def images():
    return TRAINED.floats()[..., None]


def test_turned_classes_are_further_classes():
    plain, turned = (
        Batches(TRAINED, replace(RECIPE, turns=one, ways=24), 0, augment=False)
        for one in (False, True)
    )
    assert (plain.ways, turned.ways) == (6, 24)
    assert turned.draw()[1].tolist() == np.arange(24).repeat(4).tolist()


def test_halves_are_further_classes():
    joined = with_halves(pictures(classes=3, each=5))
    assert joined.classes == 3 + 3 * 2
    assert joined.counts().tolist() == [5] * 9
    assert joined.class_names[3] == "class 0 over class 1"
    upper, lower = (
        joined.images[joined.labels == 3][0][:14],
        joined.images[joined.labels == 3][0][14:],
    )
    assert any((upper == one[:14]).all() for one in joined.images[joined.labels == 0])
    assert any((lower == one[14:]).all() for one in joined.images[joined.labels == 1])
    both = Batches(pictures(classes=3), replace(RECIPE, turns=True, halves=True, ways=99), 0, True)
    assert both.ways == 36


def test_proxies_are_asked_for_classes_of_the_whole_set():
    recipe = replace(RECIPE, loss="proxies", ways=2)
    batches = Batches(TRAINED, recipe, 0, augment=False)
    assert {label for _ in range(20) for label in batches.draw()[1]} == set(range(6))


def test_augmentation_changes_pictures_and_repeats():
    recipe = replace(RECIPE, erase=0.5, thicken=1.0)
    first, again = (Batches(TRAINED, recipe, 3, augment=True).draw()[0] for _ in range(2))
    plain = Batches(TRAINED, recipe, 3, augment=False).draw()[0]
    assert np.array_equal(first, again)
    assert not np.array_equal(first, plain)
    assert first.min() >= 0
    assert first.max() <= 1.0001


def test_mirrored_views_are_left_for_right_about_half_the_time():
    recipe = replace(RECIPE, augmentation=0.0, mirrored=True)
    chosen = images()[..., 0]
    views = random_view(TRAINED.images, recipe, np.random.default_rng(0))
    turned = (views == chosen[:, :, ::-1]).all((1, 2))
    assert ((views == chosen).all((1, 2)) | turned).all()
    assert 0.3 < turned.mean() < 0.7


def test_wiping_leaves_a_rectangle_of_ground():
    views = wipe(np.ones((50, 28, 28), np.float32), 0.5, np.random.default_rng(0))
    wiped = (views == 0).sum((1, 2))
    assert 10 < (wiped > 0).sum() < 40
    assert wiped[wiped > 0].min() >= 16


def test_the_classifier_learns_its_classes():
    recipe = replace(RECIPE, steps=40, learning_rate=0.01)
    network = train_classifier(TRAINED, recipe)
    answers = network(images()).numpy().argmax(1)
    assert (answers == TRAINED.labels).mean() > 0.6
    shown, labels = LabelledBatches(TRAINED, recipe, 0, augment=True).draw()
    assert shown.shape == (20, 28, 28, 1)
    assert labels.max() < 6


def test_nan_stops_the_training_and_says_where(monkeypatch):
    draw, calls = Batches.draw, []

    def poisoned(self):
        calls.append(1)
        shown, targets = draw(self)
        return (shown * np.nan if len(calls) == 12 else shown), targets

    monkeypatch.setattr(Batches, "draw", poisoned)
    with pytest.raises(DataLossError, match=r"nan in epoch 2, step 3.*learning_rate"):
        # one of the draws is for the held-out loss
        train_siamese(TRAINED, HELD_OUT, RECIPE)


def test_one_class_cannot_be_trained():
    with pytest.raises(InvalidArgumentError, match="single class"):
        train_siamese(TRAINED.of_classes([2]), HELD_OUT, RECIPE)


def test_the_rate_falls_along_half_a_cosine():
    run = Run(None, lambda *_: None, None, RECIPE)
    rates = [run.rate(step) for step in range(16)]
    assert rates[0] == pytest.approx(RECIPE.learning_rate)
    assert rates[8] == pytest.approx(RECIPE.learning_rate * 0.505)
    assert rates == sorted(rates, reverse=True)


def test_watched_pictures_come_in_pairs(monkeypatch):
    monkeypatch.setattr(training, "WATCHED", 9)
    chosen = some(pictures(classes=8, each=5))
    assert len(chosen) <= 9
    assert set(chosen.counts()) <= {0, 2}


@pytest.mark.parametrize("live", [True, False])
def test_the_console_counts_on_a_terminal_only(live):
    stream = io.StringIO()
    stream.isatty = lambda: live
    console = Console(stream)
    for line in ("step 1\r", "step 2\r", "epoch 1\n"):
        console(line)
    assert stream.getvalue().endswith("epoch 1\n")
    assert ("step 2" in stream.getvalue()) == live
