"""The whole way on small data: train, evaluate, enroll, identify, report; and what goes wrong."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from small import RECIPE

from slipstream.errors import (
    DataLossError,
    FailedPreconditionError,
    InvalidArgumentError,
    NotFoundError,
)
from slipstream.oneshot import api, evaluate, reporting
from slipstream.oneshot.accuracy import Trials
from slipstream.oneshot.batches import Batches
from slipstream.oneshot.datasets import load
from slipstream.oneshot.evaluate import new_pictures
from slipstream.oneshot.letters import LETTERS
from slipstream.oneshot.recipe import CLOTHES, DRAWINGS, GENERAL, recipe_for
from slipstream.oneshot.storage import Model, Origin

TRAINED = ("1", "Pullover", 3, 8, 9)
TRIALS = Trials(draws=20)


@pytest.fixture(autouse=True)
def data(standin_data, slipstream_home, monkeypatch):
    monkeypatch.setenv("SLIPSTREAM_DATA", str(standin_data))


@pytest.fixture(scope="module")
def trained(standin_data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLIPSTREAM_DATA", str(standin_data))
        lines = []
        api.train("fashion-mnist", folder, RECIPE, TRAINED, lines.append)
        assert sum(line.startswith("epoch 1/2  loss") for line in lines) == 1
        api.evaluate(folder, trials=TRIALS)
    return folder


@pytest.fixture
def folder(trained, tmp_path):
    return Path(shutil.copytree(trained, tmp_path / "model"))


def png(path, image):
    Image.fromarray(image).save(path)
    return path


@pytest.fixture
def photos(tmp_path):
    """One picture of each new class, and others to find."""
    new = load("fashion-mnist", "test").of_classes([0, 4, 5, 6, 7])
    first = [np.flatnonzero(new.labels == label) for label in range(new.classes)]
    known = [png(tmp_path / f"known{n}.png", new.images[rows[0]]) for n, rows in enumerate(first)]
    others = [png(tmp_path / f"other{n}.png", new.images[rows[1]]) for n, rows in enumerate(first)]
    return known, others


def test_the_folder_is_a_model_and_nothing_else(trained):
    names = sorted(path.name.split("-")[0] for path in trained.iterdir())
    assert names == ["classifier", "model.json", "weights"]
    model = Model.load(trained)
    expected = ("Trouser", "Pullover", "Dress", "Bag", "Ankle boot")
    assert model.origin == Origin("fashion-mnist", expected)
    assert 0 < model.threshold < 2


def test_evaluation_is_on_classes_left_out_beside_three_baselines(trained, monkeypatch):
    def never(*_):
        raise AssertionError("the classifier is kept, not trained again")

    monkeypatch.setattr(evaluate, "train_classifier", never)
    found = api.evaluate(trained, trials=TRIALS)
    assert found.new.class_names == ("T-shirt/top", "Coat", "Sandal", "Shirt", "Sneaker")
    assert len(found.methods) == 4
    assert found.result.interval.mean > 0.5 > found.result.chance
    assert found.pairs.accuracy > 0.8
    lines = found.lines()
    assert "5-way 1-shot" in lines[1]
    assert len(lines) == 2 + 4


def test_new_classes_can_come_from_elsewhere_and_be_chosen(trained):
    found = api.evaluate(trained, "mnist", ("1", "7", "8"), Trials(draws=5), quick=True)
    assert len(found.methods) == 3
    assert found.new.class_names == ("1", "7", "8")
    assert found.result.ways == 3


def test_trained_classes_are_never_new():
    assert new_pictures(Origin("digits", tuple("0123456789"))).class_names == tuple(LETTERS)
    some = Origin("omniglot-small1", ("a",), ("Alpha2", "Beta2"))
    fresh = new_pictures(some, "omniglot-small2")
    assert fresh.group_names == ("Delta2", "Epsilon2", "Gamma2")
    assert len(new_pictures(some, "omniglot-small2", keep_trained=True).group_names) == 5
    with pytest.raises(InvalidArgumentError, match="no two classes that were not trained"):
        new_pictures(Origin("mnist", tuple("0123456789")), "digits")


def test_enrolled_classes_are_identified(folder, photos):
    known, others = photos
    for number, path in enumerate(known):
        gallery = api.enroll(folder, f"new {number}", [path])
    assert gallery.classes == [f"new {number}" for number in range(5)]
    exact = api.identify(folder, known)
    assert [answer.name for answer in exact] == gallery.classes
    assert max(answer.distance for answer in exact) < 1e-3
    found = api.identify(folder, others, count=2, threshold=9.0)
    assert sum(one.name == f"new {number}" for number, one in enumerate(found)) >= 3
    assert all(len(one.nearest) == 2 for one in found)
    assert {one.name for one in api.identify(folder, others, threshold=0.0)} == {"unknown"}


def test_an_unreadable_picture_leaves_the_gallery(folder, photos, tmp_path):
    api.enroll(folder, "hat", photos[0][:1])
    before = contents(folder)
    bad = tmp_path / "bad.png"
    bad.write_bytes(photos[0][0].read_bytes()[:60])
    with pytest.raises(DataLossError, match=r"bad\.png cannot be read"):
        api.enroll(folder, "boot", [photos[0][1], bad])
    with pytest.raises(NotFoundError, match=r"no picture .*none\.png"):
        api.identify(folder, [tmp_path / "none.png"])
    assert contents(folder) == before


def contents(folder):
    return {
        path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def test_a_gallery_belongs_to_its_model(folder, photos):
    api.enroll(folder, "hat", photos[0][:1])
    model = Model.load(folder)
    model.network.set_weights([one * 0.9 for one in model.network.get_weights()])
    model.save(folder)
    with pytest.raises(FailedPreconditionError, match="another model"):
        api.identify(folder, photos[1])
    with pytest.raises(FailedPreconditionError, match="--anew"):
        api.enroll(folder, "boot", photos[0][:1])
    assert api.enroll(folder, "boot", photos[0][:1], anew=True).classes == ["boot"]


def test_nothing_enrolled(folder, photos):
    with pytest.raises(NotFoundError, match="enroll, to make one"):
        api.identify(folder, photos[1])


def test_a_failed_training_leaves_the_model(folder, monkeypatch):
    before = contents(folder)
    nothing = np.full((20, 28, 28, 1), np.nan, np.float32)
    monkeypatch.setattr(Batches, "pictures", lambda self, rows: nothing[: len(rows)])
    with pytest.raises(DataLossError, match="epoch 1, step 1"):
        api.train("fashion-mnist", folder, RECIPE)
    assert contents(folder) == before


def test_a_checkpoint_is_a_model_while_training_goes_on(tmp_path, monkeypatch):
    seen = []

    def interrupted(line):
        if line.startswith("epoch 2/2 step 1/"):
            seen.append(Model.load(tmp_path / "checkpoint"))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        api.train("fashion-mnist", tmp_path, RECIPE, say=interrupted)
    assert len(seen[0].history["loss"]) == 1
    assert not (tmp_path / "model.json").exists()


def test_the_report_is_one_page(folder, monkeypatch):
    monkeypatch.setattr(reporting, "MAPPED", 40)
    path = api.report(folder, trials=TRIALS)
    page = path.read_text(encoding="utf-8")
    assert path == folder / "report.html"
    for text in ("Known or unknown", "Sneaker", "distance of pixels", "ROC", "Confusion", "seed"):
        assert text in page


def test_recipes_suit_the_data():
    assert recipe_for("omniglot-small1") == recipe_for("omniglot") == DRAWINGS
    assert recipe_for("fashion-mnist") == CLOTHES
    assert recipe_for("some/folder") == GENERAL
