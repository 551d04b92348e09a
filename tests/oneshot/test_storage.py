"""A model's folder: it round-trips, and what is not a sound model is refused by name."""

import errno
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small import RECIPE, pictures

from slipstream.errors import (
    DataLossError,
    FailedPreconditionError,
    NotFoundError,
    PermissionDeniedError,
    ResourceExhaustedError,
)
from slipstream.oneshot.models import Siamese, build
from slipstream.oneshot.storage import FILENAME, Model, Origin

ORIGIN = Origin("somewhere", ("a", "b"), ("x",))


def made(seed=0, recipe=RECIPE):
    network = build(Siamese(recipe))
    random = np.random.default_rng(seed)
    network.set_weights([random.random(one.shape) for one in network.get_weights()])
    return Model(network, recipe, ORIGIN, 0.7, 0.6, {"loss": [2.0, 1.0]}, 3.5)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved")
    made().save(folder)
    return folder


@pytest.fixture
def copy(saved, tmp_path):
    return Path(shutil.copytree(saved, tmp_path / "copy"))


def test_a_model_round_trips(saved):
    first, again = made(), Model.load(saved)
    assert again.identity == first.identity
    assert (again.recipe, again.origin, again.threshold) == (RECIPE, ORIGIN, 0.7)
    assert again.unknown_beyond == 0.6
    assert (again.history, again.seconds) == ({"loss": [2.0, 1.0]}, 3.5)
    images = pictures(2, 3).images
    np.testing.assert_array_equal(first.embedder()(images), again.embedder()(images))


def test_saving_again_leaves_only_the_newest(copy):
    made(seed=1).save(copy)
    assert len(list(copy.iterdir())) == 2
    assert Model.load(copy).identity == made(seed=1).identity


def test_no_model(tmp_path):
    with pytest.raises(NotFoundError, match="there is no model"):
        Model.load(tmp_path)


def edit(folder, **changes):
    path = folder / FILENAME
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def weights(folder):
    return next(folder.glob("weights-*.npz"))


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        (lambda f: (f / FILENAME).write_text("{"), "no JSON"),
        (lambda f: (f / FILENAME).write_bytes(b"\x89HDF\r\n\xff"), "no JSON"),
        (lambda f: (f / FILENAME).write_text('{"class_name": "Functional"}'), "not a slipstream"),
        (lambda f: edit(f, threshold="near"), "no usable threshold"),
        (lambda f: edit(f, unknown_beyond="far"), "no usable unknown_beyond"),
        (lambda f: edit(f, weights="../other.npz"), "no usable weights"),
        (lambda f: edit(f, recipe={"loss": "magic"}), "recipe is not usable"),
        (lambda f: edit(f, recipe={"epochs": "many"}), "recipe is not usable"),
        (lambda f: edit(f, recipe=replace(RECIPE, embedding=5).to_json()), "do not fit"),
        (lambda f: weights(f).unlink(), "it is not there"),
        (lambda f: weights(f).write_bytes(weights(f).read_bytes()[:-50]), "not what was saved"),
    ],
)
def test_what_is_no_sound_model_is_refused(copy, harm, says):
    harm(copy)
    with pytest.raises(DataLossError, match=says):
        Model.load(copy)


def test_a_newer_version_is_named(copy):
    edit(copy, version=9)
    with pytest.raises(FailedPreconditionError, match="version=9"):
        Model.load(copy)


@pytest.mark.parametrize(
    ("code", "kind"),
    [(errno.ENOSPC, ResourceExhaustedError), (errno.EACCES, PermissionDeniedError)],
)
@pytest.mark.parametrize("during", ["write_bytes", "write_text"])
def test_a_full_disk_leaves_the_old_model(copy, monkeypatch, code, kind, during):
    before = sorted(path.name for path in copy.iterdir())

    def half(self, content, *arguments, **options):
        with self.open("wb") as stream:
            stream.write(b"half")
        raise OSError(code, "no")

    with monkeypatch.context() as patch:
        patch.setattr(Path, during, half)
        with pytest.raises(kind, match=r"\[save model\] could not write"):
            made(seed=1).save(copy)
    assert sorted(path.name for path in copy.iterdir()) == before
    assert Model.load(copy).identity == made().identity
