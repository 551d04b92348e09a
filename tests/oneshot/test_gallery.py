"""The gallery: what it answers, and that no accident destroys it."""

import errno
import json
from pathlib import Path

import numpy as np
import pytest

from slipstream.errors import (
    DataLossError,
    FailedPreconditionError,
    InvalidArgumentError,
    NotFoundError,
    PermissionDeniedError,
    ResourceExhaustedError,
)
from slipstream.oneshot.gallery import FILENAME, Gallery

PICTURE = np.linspace(0, 1, 784).reshape(28, 28)


@pytest.fixture
def gallery():
    made = Gallery(threshold=2.0, model="m1")
    made.add("hat", np.array([0.0, 0, 0]), PICTURE)
    made.add("Stiefel ü", np.array([5.0, 0, 0]), PICTURE)
    made.add("hat", np.array([0.0, 4, 0]), PICTURE)
    return made


def test_a_class_is_as_far_as_its_nearest_example(gallery):
    near_second_hat, between, far = gallery.identify(np.array([[0, 3.0, 0], [4, 0, 0], [90, 0, 0]]))
    assert near_second_hat.name == "hat"
    assert near_second_hat.distance == pytest.approx(1)
    assert [name for name, _ in near_second_hat.nearest] == ["hat", "Stiefel ü"]
    assert between.name == "Stiefel ü"
    assert between.known
    assert far.name == "unknown"
    assert not far.known
    assert far.nearest[0][0] == "Stiefel ü"
    assert far.distance == pytest.approx(85)


def test_on_the_threshold_is_known(gallery):
    assert gallery.identify(np.array([[7.0, 0, 0]]))[0].known
    assert not gallery.identify(np.array([[7.01, 0, 0]]))[0].known


def test_only_as_many_answers_as_asked(gallery):
    assert len(gallery.identify(np.zeros((1, 3)), count=1)[0].nearest) == 1


def test_comes_back_as_it_was(gallery, tmp_path):
    gallery.save(tmp_path / "new")
    found = Gallery.load(tmp_path / "new", model="m1")
    assert found.names == ["hat", "Stiefel ü", "hat"]
    assert (found.threshold, found.model, found.metric) == (2.0, "m1", "euclidean")
    np.testing.assert_array_equal(found.embeddings, gallery.embeddings)
    np.testing.assert_array_equal(found.pictures, gallery.pictures)


def test_saving_again_leaves_two_files(gallery, tmp_path):
    gallery.save(tmp_path)
    gallery.add("boot", np.ones(3), PICTURE)
    gallery.save(tmp_path)
    gallery.save(tmp_path)
    assert len(list(tmp_path.iterdir())) == 2
    assert Gallery.load(tmp_path).classes == ["hat", "Stiefel ü", "boot"]


def test_an_empty_gallery(tmp_path):
    Gallery(threshold=1.0).save(tmp_path)
    found = Gallery.load(tmp_path)
    assert len(found) == 0
    with pytest.raises(FailedPreconditionError, match="the gallery is empty"):
        found.identify(np.zeros((1, 3)))
    found.add("hat", np.zeros(3), PICTURE)
    assert found.classes == ["hat"]


def test_remove(gallery, tmp_path):
    assert gallery.remove("hat") == 2
    assert gallery.classes == ["Stiefel ü"]
    assert gallery.identify(np.array([[5.0, 0, 0]]))[0].distance == 0
    with pytest.raises(NotFoundError, match="no class 'hat'"):
        gallery.remove("hat")


@pytest.mark.parametrize(
    ("name", "embedding", "picture", "says"),
    [
        ("", np.zeros(3), PICTURE, "unusable name"),
        ("unknown", np.zeros(3), PICTURE, "unusable name"),
        ("a\nb", np.zeros(3), PICTURE, "unusable name"),
        ("a", np.zeros(4), PICTURE, "embeddings of size 3"),
        ("a", np.full(3, np.nan), PICTURE, "not finite"),
        ("a", np.zeros(3), PICTURE[:9], "expected 28x28"),
    ],
)
def test_what_cannot_be_enrolled_changes_nothing(gallery, name, embedding, picture, says):
    with pytest.raises(InvalidArgumentError, match=says):
        gallery.add(name, embedding, picture)
    assert len(gallery) == len(gallery.embeddings) == len(gallery.pictures) == 3


@pytest.mark.parametrize(
    ("code", "kind"),
    [(errno.ENOSPC, ResourceExhaustedError), (errno.EACCES, PermissionDeniedError)],
)
@pytest.mark.parametrize("during", ["write_bytes", "write_text"])
def test_a_full_disk_leaves_the_old_gallery(gallery, tmp_path, monkeypatch, code, kind, during):
    gallery.save(tmp_path)
    before = sorted(path.name for path in tmp_path.iterdir())
    gallery.add("boot", np.ones(3), PICTURE)

    def half(self, content, *arguments, **options):
        with self.open("wb") as stream:
            stream.write(b"half")
        raise OSError(code, "no")

    with monkeypatch.context() as patch:
        patch.setattr(Path, during, half)
        with pytest.raises(kind, match=r"\[save gallery\] could not write"):
            gallery.save(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    assert len(Gallery.load(tmp_path)) == 3


def test_no_gallery(tmp_path):
    with pytest.raises(NotFoundError, match="there is no gallery"):
        Gallery.load(tmp_path)


def test_another_model(gallery, tmp_path):
    gallery.save(tmp_path)
    with pytest.raises(FailedPreconditionError, match=r"another model.*gallery=m1, model=m2"):
        Gallery.load(tmp_path, model="m2")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"format": "other"}, "not a slipstream-gallery"),
        ({"names": "hat"}, "no usable names"),
        ({"names": ["hat"]}, "do not belong together"),
        ({"arrays": "../secret.npz"}, "no usable arrays"),
        ({"arrays": "gallery-0.npz"}, "it is not there"),
        ({"threshold": float("nan")}, "no usable threshold"),
        ({"threshold": None, "metric": "x"}, "no usable threshold, metric"),
    ],
)
def test_texts_from_elsewhere(gallery, tmp_path, change, says):
    gallery.save(tmp_path)
    path = tmp_path / FILENAME
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(DataLossError, match=says):
        Gallery.load(tmp_path)


def test_a_newer_version(gallery, tmp_path):
    gallery.save(tmp_path)
    path = tmp_path / FILENAME
    path.write_text(json.dumps(json.loads(path.read_text()) | {"version": 2}))
    with pytest.raises(FailedPreconditionError, match="expected 1; received version=2"):
        Gallery.load(tmp_path)


def test_damaged_files(gallery, tmp_path):
    gallery.save(tmp_path)
    arrays = next(tmp_path.glob("*.npz"))
    arrays.write_bytes(arrays.read_bytes()[:-20])
    with pytest.raises(DataLossError, match="not what was saved"):
        Gallery.load(tmp_path)
    (tmp_path / FILENAME).write_bytes(b"\xff{")
    with pytest.raises(DataLossError, match="no JSON text"):
        Gallery.load(tmp_path)
