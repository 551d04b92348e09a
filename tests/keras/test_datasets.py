"""keras.datasets: where files are looked for, what comes back, what is said when they are wrong."""

import shutil

import numpy as np
import pytest
from standins import write_idx, write_split

from slipstream import data_files
from slipstream.errors import DataLossError, NotFoundError, UnavailableError
from slipstream.files import checksum
from slipstream.keras.datasets import fashion_mnist, mnist


@pytest.fixture
def given(slipstream_home, shared_data, monkeypatch):
    monkeypatch.setenv("SLIPSTREAM_DATA", str(shared_data))
    return shared_data


@pytest.fixture
def no_network(monkeypatch):
    """Downloads that fail at once, whatever the machine."""
    for source in ("FASHION_MNIST", "MNIST"):
        known = getattr(data_files, source)
        closed = data_files.Source(
            known.name, ("http://127.0.0.1:9/",), known.digests, known.licence
        )
        for module in (data_files, fashion_mnist, mnist):
            if hasattr(module, source):
                monkeypatch.setattr(module, source, closed)


def test_fashion_mnist_as_keras_returns_it(given):
    (x_train, y_train), (x_test, y_test) = fashion_mnist.load_data()
    for pictures, labels in ((x_train, y_train), (x_test, y_test)):
        assert pictures.dtype == labels.dtype == np.uint8
        assert pictures.shape == (len(labels), 28, 28)
        assert set(labels) == set(range(10))
        counts = np.bincount(labels)
        assert counts.min() == counts.max()
    assert len(x_train) > len(x_test)


def test_mnist_with_only_its_test_half(given):
    pictures, labels = data_files.load_split(data_files.MNIST, "test")
    assert pictures.shape == (len(labels), 28, 28)
    with pytest.raises(NotFoundError) as caught:
        mnist.load_data()
    text = str(caught.value)
    assert "missing=train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz" in text
    assert str(given / "mnist") in text


def test_a_damaged_file_is_named(slipstream_home, tmp_path, monkeypatch):
    folder = tmp_path / "data" / "mnist"
    write_split(folder, "train", 50, seed=0, pattern_seed=0)
    write_split(folder, "t10k", 50, seed=0, pattern_seed=0)
    broken = folder / "t10k-images-idx3-ubyte.gz"
    broken.write_bytes(broken.read_bytes()[:-100])
    monkeypatch.setenv("SLIPSTREAM_DATA", str(folder.parent))
    with pytest.raises(DataLossError, match=r"t10k-images-idx3-ubyte.gz is not usable"):
        mnist.load_data()


def test_pictures_and_labels_of_other_counts(slipstream_home, tmp_path, monkeypatch):
    folder = tmp_path / "data" / "mnist"
    write_split(folder, "t10k", 50, seed=0, pattern_seed=0)
    write_idx(folder / "t10k-labels-idx1-ubyte.gz", np.zeros(49))
    monkeypatch.setenv("SLIPSTREAM_DATA", str(folder.parent))
    with pytest.raises(DataLossError, match="pictures=50, labels=49"):
        data_files.load_split(data_files.MNIST, "test")


def test_cache_is_used_without_network(slipstream_home, no_network, shared_data):
    folder = slipstream_home / "datasets" / "mnist"
    shutil.copytree(shared_data / "mnist", folder)
    pictures, labels = data_files.load_split(data_files.MNIST, "test")
    assert len(pictures) == len(labels)


def test_offline_says_where_from_where_to_and_the_switch(slipstream_home, no_network):
    with pytest.raises(UnavailableError) as caught:
        fashion_mnist.load_data()
    text = str(caught.value)
    assert "http://127.0.0.1:9/train-images-idx3-ubyte.gz" in text
    assert str(slipstream_home / "datasets" / "fashion-mnist") in text
    assert "SLIPSTREAM_DATA" in text


def test_download_is_checked_and_kept(slipstream_home, standin_data, monkeypatch):
    origin = standin_data / "mnist"
    digests = {p.name: checksum(p) for p in origin.iterdir()}
    source = data_files.Source("mnist", (origin.as_uri() + "/",), digests, "")
    first, _ = data_files.load_split(source, "test")
    nowhere = data_files.Source("mnist", ("http://127.0.0.1:9/",), digests, "")
    again, _ = data_files.load_split(nowhere, "test")
    np.testing.assert_array_equal(first, again)


def test_download_with_another_checksum_is_refused(slipstream_home, standin_data):
    site = (standin_data / "mnist").as_uri() + "/"
    source = data_files.Source("mnist", (site,), data_files.MNIST.digests, "")
    with pytest.raises(DataLossError, match="published is 8d422c7b"):
        data_files.load_split(source, "test")
    assert list((slipstream_home / "datasets" / "mnist").iterdir()) == []


def test_mnist_from_an_npz_file(slipstream_home, tmp_path):
    arrays = {name: np.arange(4, dtype=np.uint8) for name in mnist.ARRAYS}
    np.savez(tmp_path / "mine.npz", **arrays)
    (x_train, _), (_, y_test) = mnist.load_data(str(tmp_path / "mine.npz"))
    np.testing.assert_array_equal(x_train, y_test)
    np.savez(tmp_path / "half.npz", x_train=np.zeros(1))
    with pytest.raises(DataLossError, match=r"half.npz is not usable.*y_train"):
        mnist.load_data(str(tmp_path / "half.npz"))
