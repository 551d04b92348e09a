"""Data sets by name and from folders."""

import zipfile

import numpy as np
import pytest
from PIL import Image

from slipstream.errors import DataLossError, InvalidArgumentError, NotFoundError, UnavailableError
from slipstream.oneshot import extras
from slipstream.oneshot.datasets import load
from slipstream.oneshot.omniglot import read_omniglot
from slipstream.oneshot.picture_set import PictureSet


@pytest.fixture
def data(slipstream_home, shared_data, monkeypatch):
    monkeypatch.setenv("SLIPSTREAM_DATA", str(shared_data))
    return shared_data


@pytest.fixture
def small_data(slipstream_home, standin_data, monkeypatch):
    monkeypatch.setenv("SLIPSTREAM_DATA", str(standin_data))
    return standin_data


def require_sound(pictures):
    assert pictures.images.dtype == np.uint8
    assert pictures.images.shape == (len(pictures), 28, 28)
    assert pictures.labels.dtype == np.int64
    assert set(pictures.labels) == set(range(pictures.classes))
    assert len(pictures.class_groups) in (0, pictures.classes)


@pytest.mark.parametrize(
    ("name", "classes"), [("fashion-mnist", 10), ("mnist", 10), ("digits", 10)]
)
def test_sets_by_name(data, name, classes):
    pictures = load(name, "test")
    require_sound(pictures)
    assert pictures.classes == classes
    assert pictures.images[:, 0].mean() < pictures.images[:, 14].mean()


def test_omniglot(data):
    one, two = load("omniglot-small1", "all"), load("omniglot-small2", "all")
    both = load("omniglot", "all")
    for pictures in (one, two, both):
        require_sound(pictures)
        assert pictures.counts().min() == pictures.counts().max()
        # white strokes on black
        assert 5 < pictures.images.mean() < 100
    assert len(one.group_names) == len(two.group_names) == 5
    assert set(both.class_names) == set(one.class_names) | set(two.class_names)
    new = two.without_groups(one.group_names)
    assert not set(new.class_names) & set(one.class_names)


def test_omniglot_is_prepared_once(small_data, slipstream_home):
    first = load("omniglot-small1", "all")
    caches = list((slipstream_home / "datasets" / "prepared").iterdir())
    assert len(caches) == 1
    before = caches[0].stat().st_mtime_ns
    np.testing.assert_array_equal(load("omniglot-small1", "all").images, first.images)
    assert caches[0].stat().st_mtime_ns == before
    caches[0].write_bytes(b"spoilt")
    np.testing.assert_array_equal(load("omniglot-small1", "all").images, first.images)


def spoil_zip(path, how):
    content = path.read_bytes()
    middle = len(content) // 2
    spoilt = {
        "truncated": content[:middle],
        "no zip": b"hello",
        "flipped": content[:5000] + bytes(b ^ 0xFF for b in content[5000:5400]) + content[5400:],
    }
    path.write_bytes(spoilt[how])


@pytest.mark.parametrize("how", ["truncated", "no zip", "flipped"])
def test_damaged_zip_is_named(slipstream_home, standin_data, tmp_path, how):
    path = tmp_path / "drawings.zip"
    path.write_bytes((standin_data / "omniglot" / "images_background_small1.zip").read_bytes())
    spoil_zip(path, how)
    with pytest.raises(DataLossError, match=r"drawings\.zip is not usable"):
        read_omniglot(path, "x")


@pytest.mark.parametrize(
    ("member", "content", "says"),
    [
        ("a/b/c.png", b"no picture", r"a/b/c\.png is no readable picture"),
        ("readme.txt", b"", "holds no drawings"),
        ("__MACOSX/a/b.png", b"", "holds no drawings"),
    ],
)
def test_zip_with_other_content(slipstream_home, tmp_path, member, content, says):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr(member, content)
    with pytest.raises(DataLossError, match=says):
        read_omniglot(tmp_path / "x.zip", "x")


def test_splits_are_apart_and_repeat(small_data):
    train, test, whole = (load("omniglot-small1", split) for split in ("train", "test", "all"))
    assert len(train) + len(test) == len(whole)
    assert test.counts().min() >= 1
    np.testing.assert_array_equal(load("omniglot-small1", "test").images, test.images)
    kept = {picture.tobytes() for picture in whole.images}
    halves = [{p.tobytes() for p in half.images} for half in (train, test)]
    assert halves[0] | halves[1] == kept


def test_unknown_name_and_split(slipstream_home):
    with pytest.raises(NotFoundError, match="expected one of fashion-mnist, mnist"):
        load("fashion")
    with pytest.raises(InvalidArgumentError, match="unknown split"):
        load("digits", "validation")


def test_missing_package_says_how_to_get_it(monkeypatch):
    def absent(name):
        raise ImportError(f"No module named {name!r}")

    monkeypatch.setattr(extras.importlib, "import_module", absent)
    with pytest.raises(UnavailableError, match=r"scikit-learn.*slipstream\[oneshot\]"):
        load("digits")


def write_pictures(folder, count=3, light=200):
    folder.mkdir(parents=True)
    for number in range(count):
        picture = np.zeros((30 + number, 40), np.uint8)
        picture[5:20, 5:30] = light
        Image.fromarray(picture).save(folder / f"{number}.png")


def test_folder_of_class_folders(tmp_path):
    write_pictures(tmp_path / "set" / "hat", 4)
    write_pictures(tmp_path / "set" / "boot", 6)
    (tmp_path / "set" / "hat" / "notes.txt").write_text("not a picture")
    write_pictures(tmp_path / "set" / ".hidden")
    pictures = load(tmp_path / "set", "all")
    require_sound(pictures)
    assert pictures.class_names == ("boot", "hat")
    assert pictures.counts().tolist() == [6, 4]
    assert pictures.class_groups == ()
    assert len(load(tmp_path / "set", "test")) == 2


def test_folder_of_groups(tmp_path):
    for name in ("hats/top", "hats/straw", "shoes/boot"):
        write_pictures(tmp_path / name)
    pictures = load(tmp_path, "all")
    assert pictures.class_names == ("hats/straw", "hats/top", "shoes/boot")
    assert pictures.group_of_class().tolist() == [0, 0, 1]


def test_folder_errors(tmp_path):
    write_pictures(tmp_path / "one" / "hat")
    with pytest.raises(InvalidArgumentError, match="only one class, hat"):
        load(tmp_path / "one")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InvalidArgumentError, match="holds no pictures"):
        load(tmp_path / "empty")
    with pytest.raises(InvalidArgumentError, match=r"3 pictures of .*hat lie in no class folder"):
        load(tmp_path / "one" / "hat")
    write_pictures(tmp_path / "one" / "boot")
    broken = tmp_path / "one" / "boot" / "zz.png"
    broken.write_bytes(b"no picture")
    with pytest.raises(DataLossError, match=r"boot/zz\.png cannot be read"):
        load(tmp_path / "one")


@pytest.fixture
def letters():
    images = np.arange(12, dtype=np.uint8)[:, None, None] * np.ones((1, 28, 28), np.uint8)
    names, groups = ("a", "b", "c", "d"), ("x", "x", "y", "y")
    return PictureSet("letters", images, np.arange(12) % 4, names, groups)


def test_choosing_classes_numbers_them_anew(letters):
    chosen = letters.of_classes(["d", 0])
    assert chosen.class_names == ("d", "a")
    assert chosen.class_groups == ("y", "x")
    assert chosen.labels.tolist() == [1, 0, 1, 0, 1, 0]
    assert letters.without_classes(["a"]).class_names == ("b", "c", "d")
    assert letters.of_groups(["y"]).class_names == ("c", "d")
    with pytest.raises(InvalidArgumentError, match="unknown class in letters"):
        letters.of_classes(["e"])
    with pytest.raises(InvalidArgumentError, match="unknown class"):
        letters.of_classes([4])
    with pytest.raises(InvalidArgumentError, match="unknown groups"):
        letters.of_groups(["z"])


def test_merge_keeps_shared_classes_once(letters):
    other = letters.of_classes(["c", "d"])
    merged = letters.of_classes(["a", "c"]).merge(other, "both")
    assert merged.class_names == ("a", "c", "d")
    assert merged.counts().tolist() == [3, 3, 3]
    assert set(merged.images[merged.labels == 2][:, 0, 0]) == {3, 7, 11}


def test_hold_out_takes_a_share_of_every_class(letters):
    rest, held = letters.hold_out(1 / 3, seed=5)
    assert held.counts().tolist() == [1, 1, 1, 1]
    assert rest.counts().tolist() == [2, 2, 2, 2]
    again, _ = letters.hold_out(1 / 3, seed=5)
    np.testing.assert_array_equal(rest.images, again.images)
