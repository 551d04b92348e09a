"""bincount, histograms and confusion matrices."""

import numpy as np
import pytest

from slipstream.errors import InvalidArgumentError
from slipstream.ops import statistics as s
from slipstream.runtime.convert import convert
from slipstream.runtime.function import function
from slipstream.runtime.tape import GradientTape


def test_bincount():
    assert s.bincount([1, 3, 3]).numpy().tolist() == [0, 1, 0, 2]
    assert s.bincount([1, 3, 3]).dtype.name == "int32"
    assert s.bincount([1, 3], dtype="int64").dtype.name == "int64"
    assert s.bincount([[1], [1]]).numpy().tolist() == [0, 2]
    assert s.bincount([1, 1], weights=[0.5, 2.0]).numpy().tolist() == [0, 2.5]
    assert s.bincount([1], minlength=4).numpy().tolist() == [0, 1, 0, 0]
    assert s.bincount([1, 5], maxlength=3).numpy().tolist() == [0, 1, 0]
    assert s.bincount([1, 1], binary_output=True).numpy().tolist() == [0, 1]
    assert s.bincount(np.zeros(0, int)).shape == (0,)
    rows = s.bincount([[1, 1], [0, 2]], axis=-1).numpy().tolist()
    assert rows == [[0, 2, 0], [1, 0, 1]]
    with pytest.raises(InvalidArgumentError, match="negative"):
        s.bincount([-1])


def test_the_derivative_of_bincount_is_by_the_weights():
    weights = convert([1.0, 2.0, 3.0])
    with GradientTape() as tape:
        tape.watch(weights)
        y = s.bincount([1, 0, 1], weights, maxlength=1)
    assert tape.gradient(y, weights).numpy().tolist() == [0, 1, 0]


def test_bincount_of_what_comes_later_needs_its_size():
    counts = function(lambda x: s.bincount(x, minlength=3, maxlength=3))
    assert counts(np.array([2, 2, 7])).numpy().tolist() == [0, 0, 2]
    with pytest.raises(InvalidArgumentError, match="minlength equal to maxlength"):
        function(lambda x: s.bincount(x))(np.array([1]))


def test_histograms():
    values = [-1.0, 0.0, 1.5, 2.0, 5.0, 15.0]
    assert s.histogram_fixed_width_bins(values, [0.0, 5.0], 5).numpy().tolist() == [
        0,
        0,
        1,
        2,
        4,
        4,
    ]
    assert s.histogram_fixed_width(values, [0.0, 5.0], nbins=5).numpy().tolist() == [2, 1, 1, 0, 2]
    assert s.histogram_fixed_width(values, [0.0, 5.0], dtype="int64").shape == (100,)
    for ends, bins in [([1.0, 1.0], 5), ([0.0, 1.0], 0), ([0.0], 3)]:
        with pytest.raises(InvalidArgumentError, match="no bins"):
            s.histogram_fixed_width(values, ends, bins)


def test_confusion_matrix():
    assert s.confusion_matrix([0, 1, 1], [0, 1, 0]).numpy().tolist() == [[1, 0], [1, 1]]
    assert s.confusion_matrix([1], [0], num_classes=3).numpy().tolist() == [
        [0, 0, 0],
        [1, 0, 0],
        [0] * 3,
    ]
    weighted = s.confusion_matrix([0, 0], [1, 1], weights=[0.5, 1.0], dtype="float32")
    assert weighted.numpy().tolist() == [[0, 1.5], [0, 0]]
    assert s.confusion_matrix([[1], [0]], [1, 1]).numpy().tolist() == [[0, 1], [0, 1]]
    with pytest.raises(InvalidArgumentError, match="3 is no class"):
        s.confusion_matrix([3], [0], num_classes=3)
    with pytest.raises(InvalidArgumentError, match="negative"):
        s.confusion_matrix([-1], [0])
    with pytest.raises(InvalidArgumentError, match="shapes differ"):
        s.confusion_matrix([1, 2], [1])


def test_confusion_matrix_in_a_program():
    matrix = function(lambda x, y: s.confusion_matrix(x, y, num_classes=2))
    assert matrix(convert([0, 1]), convert([1, 1])).numpy().tolist() == [[0, 1], [0, 1]]
    assert matrix(convert([0, 1]), convert([2, -1])).numpy().tolist() == [[0, 0], [0, 0]]
    with pytest.raises(InvalidArgumentError, match="num_classes given"):
        function(lambda x: s.confusion_matrix(x, x))(np.array([0]))
