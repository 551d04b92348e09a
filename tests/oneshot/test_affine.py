"""Random affine views against a plain implementation, and right angles as classes."""

import time

import numpy as np
import pytest

from slipstream.oneshot.affine import (
    AffineRange,
    quarter_turns,
    random_affine,
    random_maps,
    warp,
    with_rotated_classes,
)
from slipstream.oneshot.picture_set import PictureSet


def read_plainly(image, row, column):
    """Bilinear, zero outside, one pixel at a time."""
    height, width = image.shape
    total = 0.0
    top, left = int(np.floor(row)), int(np.floor(column))
    for y in (top, top + 1):
        for x in (left, left + 1):
            if 0 <= y < height and 0 <= x < width:
                total += image[y, x] * (1 - abs(row - y)) * (1 - abs(column - x))
    return total


def warp_plainly(image, matrix, shift):
    height, width = image.shape
    middle = np.array([(height - 1) / 2, (width - 1) / 2])
    result = np.zeros(image.shape)
    for y in range(height):
        for x in range(width):
            row, column = matrix @ (np.array([y, x]) - middle) + middle + shift
            result[y, x] = read_plainly(image, row, column)
    return result


@pytest.mark.parametrize("shape", [(28, 28), (9, 14)])
def test_agrees_with_the_plain_reading(shape):
    random = np.random.default_rng(3)
    images = random.random((70, *shape)).astype(np.float32)  # more than one block
    wide = AffineRange(rotation=180, scale=0.5, shear=0.5, translation=8)
    matrices, shifts = random_maps(70, random, wide)
    found = warp(images, matrices, shifts)
    for index in (0, 1, 63, 64, 69):
        expected = warp_plainly(images[index], matrices[index], shifts[index])
        np.testing.assert_allclose(found[index], expected, atol=2e-4)


def test_no_range_changes_nothing():
    images = np.random.default_rng(0).integers(0, 256, (5, 28, 28)).astype(np.uint8)
    same = random_affine(images, np.random.default_rng(1), AffineRange(0, 0, 0, 0))
    np.testing.assert_allclose(same, images / 255, atol=1e-5)


def test_a_shift_moves_and_a_turn_turns():
    image = np.zeros((1, 28, 28), np.float32)
    image[0, 10, 20] = 1
    eye = np.eye(2, dtype=np.float32)[None]
    moved = warp(image, eye, np.array([[2.0, -3.0]], np.float32))
    assert moved[0, 8, 23] == 1
    turn = np.array([[[0, 1], [-1, 0]]], np.float32)
    turned = warp(image, turn, np.zeros((1, 2), np.float32))
    assert np.argmax(turned) in (np.argmax(np.rot90(image[0], k)) for k in (1, 3))


def test_ranges_are_kept_and_used():
    random = np.random.default_rng(0)
    matrices, shifts = random_maps(4000, random, AffineRange(30, 0, 0, 3))
    angles = np.rad2deg(np.arctan2(matrices[:, 1, 0], matrices[:, 0, 0]))
    assert 29 < np.abs(angles).max() <= 30.001
    assert 2.9 < np.abs(shifts).max() <= 3
    scales, _ = random_maps(4000, random, AffineRange(0, 0.25, 0, 0))
    assert 0.8 - 1e-6 <= scales[:, 0, 0].min() < 0.81
    assert 1.24 < scales[:, 1, 1].max() <= 1.25 + 1e-6


def test_views_repeat_with_the_seed():
    images = np.random.default_rng(0).random((10, 28, 28))
    first, again, other = (random_affine(images, np.random.default_rng(s)) for s in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.1


def test_ten_thousand_pictures_a_second():
    images = np.zeros((2000, 28, 28), np.uint8)
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        random_affine(images, np.random.default_rng(0))
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 0.2


def test_quarter_turns():
    images = np.random.default_rng(0).random((5, 6, 6))
    turned = quarter_turns(images, np.array([0, 1, 2, 3, 4]))
    for index, turn in enumerate([0, 1, 2, 3, 0]):
        np.testing.assert_array_equal(turned[index], np.rot90(images[index], turn))


def test_rotated_classes():
    images = np.random.default_rng(0).integers(0, 256, (3, 28, 28)).astype(np.uint8)
    original = PictureSet("p", images, np.array([0, 1, 1]), ("a", "b"), ("g", "g"))
    more = with_rotated_classes(original)
    assert len(more) == 12
    assert more.classes == 8
    assert len(more.class_groups) == 8
    assert more.labels.tolist() == [0, 1, 1, 2, 3, 3, 4, 5, 5, 6, 7, 7]
    assert more.class_names[2] == "a turned 90°"
    np.testing.assert_array_equal(more.images[3], np.rot90(images[0]))
    np.testing.assert_array_equal(more.images[11], np.rot90(images[2], 3))
