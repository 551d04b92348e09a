"""The sweep's table and page, and the demonstration with and without published data."""

import json
from dataclasses import replace

import numpy as np
import pytest
from small import RECIPE

from slipstream.errors import InvalidArgumentError, UnavailableError
from slipstream.oneshot import demo as demonstration
from slipstream.oneshot import reporting
from slipstream.oneshot.accuracy import Trials
from slipstream.oneshot.batches import Batches
from slipstream.oneshot.datasets import load
from slipstream.oneshot.gallery import Gallery
from slipstream.oneshot.recipe import CLOTHES, Recipe
from slipstream.oneshot.storage import Model
from slipstream.oneshot.sweep import STANDARD, one_at_a_time, shortened, sweep

QUICK = replace(RECIPE, epochs=1, steps=4)


@pytest.fixture(autouse=True)
def data(standin_data, slipstream_home, monkeypatch):
    monkeypatch.setenv("SLIPSTREAM_DATA", str(standin_data))


def test_one_choice_is_changed_at_a_time():
    recipes = one_at_a_time(Recipe(), STANDARD)
    assert next(iter(recipes)) == "base"
    assert len(set(recipes.values())) == len(recipes)
    assert recipes["margin=0.25"].loss == "contrastive"
    assert recipes["embedding=16"] == replace(Recipe(), embedding=16)
    with pytest.raises(InvalidArgumentError, match="speed"):
        one_at_a_time(Recipe(), {"speed": [1]})


def test_a_sweep_trains_shortly_whatever_suits_the_data():
    assert shortened(CLOTHES) == replace(CLOTHES, steps=100)
    assert shortened(QUICK) == QUICK


def test_a_sweep_writes_its_table_and_page(tmp_path, monkeypatch):
    draw = Batches.draw

    def poisoned(self):  # one of the three recipes diverges
        shown, targets = draw(self)
        return (shown * np.nan if self.recipe.embedding == 5 else shown), targets

    monkeypatch.setattr(Batches, "draw", poisoned)
    lines = []
    outcomes = sweep(
        "fashion-mnist",
        tmp_path,
        QUICK,
        {"embedding": [4, 5]},
        (1, 2, 3, 8, 9),
        say=lines.append,
    )
    assert [one.changed for one in outcomes] == ["base", "embedding=4", "embedding=5"]
    assert 0.2 < outcomes[0].one_shot <= 1
    assert outcomes[2].one_shot is None
    assert any("embedding=5" in line and "diverged" in line for line in lines)
    kept = json.loads((tmp_path / "sweep.json").read_text())["runs"]
    assert [one["one_shot"] for one in kept] == [one.one_shot for one in outcomes]
    page = (tmp_path / "sweep.html").read_text(encoding="utf-8")
    assert "2 runs" in page
    assert "<dd>embedding=5</dd>" in page


@pytest.mark.parametrize("online", [True, False])
def test_the_demonstration(tmp_path, monkeypatch, online):
    monkeypatch.setattr(reporting, "MAPPED", 40)
    monkeypatch.setattr(demonstration, "TRIALS", Trials(draws=5))
    monkeypatch.setattr(demonstration, "NEW_PICTURES", 200)
    if not online:
        monkeypatch.setattr(demonstration, "load", offline)
    said = []
    text = demonstration.demo(tmp_path, said.append, QUICK)
    trained = "fashion-mnist" if online else "digits"
    model = Model.load(tmp_path)
    assert model.origin.data == trained
    assert "10 new classes of letters" in text
    assert "of held-out pairs are told right" in text
    assert f"'unknown' beyond distance {model.unknown_beyond:.2f}" in text
    assert str(tmp_path / "report.html") in text
    assert (tmp_path / "report.html").is_file()
    gallery = Gallery.load(tmp_path, model.identity)
    assert (
        len(gallery) == len(gallery.classes) == len(list((tmp_path / "enrolled").iterdir())) == 10
    )
    assert [line[:3] for line in said if line[1:2] == "/"] == ["1/4", "2/4", "3/4", "4/4"]
    assert any("cannot be downloaded" in line for line in said) != online


def offline(data, split="train"):
    """`load` on a machine without a network."""
    if data not in ("digits", "letters"):
        raise UnavailableError("[download] could not; received nothing")
    return load(data, split)


def test_letters_need_no_file_of_ours():
    letters = load("letters", "all")
    assert letters.class_names == tuple("ABCDEFGHIJ")
    assert letters.counts().tolist() == [105] * 10
    assert (letters.images.max((1, 2)) > 128).all()
    np.testing.assert_array_equal(letters.images, load("letters", "all").images)
