"""What a training step sees: pictures drawn by class or in pairs, each in a random view."""

from __future__ import annotations

from itertools import permutations

import numpy as np

from slipstream.oneshot.affine import random_affine, with_rotated_classes
from slipstream.oneshot.episodes import ClassRows, draw_class_batch, draw_pairs_from
from slipstream.oneshot.picture_set import PictureSet
from slipstream.oneshot.pictures import thicken, to_floats
from slipstream.oneshot.recipe import Recipe

MOST_HALVES = 300  # pictures of each class made of halves
WIPED_SIDES = (4, 13)  # the sides of a wiped rectangle: from, and below

Batch = tuple[np.ndarray, np.ndarray]


class Batches:
    """Draws batches for a recipe: pictures float32 `[n, 28, 28, 1]` and their targets.

    For losses on pairs the second half holds the partners of the first, and targets are 1 for equal
    pairs, float32 `[n / 2]`; for the others they are classes, int32 `[n]`: for proxies by their
    number in the whole set, for the rest by their place within the batch.
    """

    def __init__(self, pictures: PictureSet, recipe: Recipe, seed: int, augment: bool) -> None:
        known = with_halves(pictures) if recipe.halves else pictures
        known = with_rotated_classes(known) if recipe.turns else known
        self.images, self.recipe, self.augment = known.images, recipe, augment
        self.classes = ClassRows(known.labels)
        self.classes.require(2, "pairs of equal pictures")
        self.ways = min(recipe.ways, len(self.classes.classes))
        self.random = np.random.default_rng(seed)

    def draw(self) -> Batch:
        """The next batch."""
        size = self.ways * self.recipe.each
        if self.recipe.on_pairs:
            pairs = draw_pairs_from(self.classes, size // 2, self.random)
            rows, targets = np.concatenate([pairs.first, pairs.second]), pairs.equal
            return self.pictures(rows), targets.astype(np.float32)
        rows, within = draw_class_batch(self.classes, self.ways, self.recipe.each, self.random)
        labels = self.classes.labels[rows] if self.recipe.loss == "proxies" else within
        return self.pictures(rows), labels.astype(np.int32)

    def pictures(self, rows: np.ndarray) -> np.ndarray:
        """The pictures of some rows, each in a view of its own."""
        chosen = self.images[rows]
        shown = random_view(chosen, self.recipe, self.random) if self.augment else to_floats(chosen)
        return shown[..., None]


class LabelledBatches:
    """Draws pictures with their labels, int32, for the classifier that is a baseline.

    Its views are the network's, but its classes are only those of the set.
    """

    def __init__(self, pictures: PictureSet, recipe: Recipe, seed: int, augment: bool) -> None:
        self.set, self.recipe, self.augment = pictures, recipe, augment
        self.random = np.random.default_rng(seed)

    def draw(self) -> Batch:
        """The next batch, of as many pictures as the network's."""
        rows = self.random.integers(0, len(self.set), self.recipe.ways * self.recipe.each)
        chosen = self.set.images[rows]
        shown = random_view(chosen, self.recipe, self.random) if self.augment else to_floats(chosen)
        return shown[..., None], self.set.labels[rows].astype(np.int32)


def with_halves(pictures: PictureSet) -> PictureSet:
    """The set with, for every two classes, the upper half of one over the lower of the other.

    As many pictures of each new class as the smallest class has, at most `MOST_HALVES`. More
    classes to learn from, as with turned ones: what matters is which parts a picture has.
    """
    random = np.random.default_rng(0)
    rows = [np.flatnonzero(pictures.labels == label) for label in range(pictures.classes)]
    count = min(MOST_HALVES, *map(len, rows))
    middle = pictures.images.shape[1] // 2
    images, names = [pictures.images], list(pictures.class_names)
    for upper, lower in permutations(range(pictures.classes), 2):
        above, below = (pictures.images[random.choice(rows[k], count)] for k in (upper, lower))
        images.append(np.concatenate([above[:, :middle], below[:, middle:]], axis=1))
        names.append(f"{pictures.class_names[upper]} over {pictures.class_names[lower]}")
    added = np.arange(pictures.classes, len(names)).repeat(count)
    labels = np.concatenate([pictures.labels, added])
    return PictureSet(f"{pictures.name} halved", np.concatenate(images), labels, tuple(names))


def random_view(images: np.ndarray, recipe: Recipe, random: np.random.Generator) -> np.ndarray:
    """One random view of each picture, float32 `[n, 28, 28]`, as far as the recipe allows."""
    views = random_affine(images, random, recipe.ranges) if recipe.augmentation else images
    views = to_floats(views)
    if recipe.mirrored:
        views = np.where(random.random((len(views), 1, 1)) < 0.5, views[:, :, ::-1], views)
    if recipe.thicken:
        amounts = random.uniform(0, recipe.thicken, (len(views), 1, 1)).astype(np.float32)
        views += amounts * (thicken(views) - views)
    return wipe(views, recipe.erase, random) if recipe.erase else views


def wipe(views: np.ndarray, share: float, random: np.random.Generator) -> np.ndarray:
    """A rectangle of some of the pictures set to ground, in place.

    DeVries and Taylor, "Improved regularization of convolutional neural networks with cutout",
    2017.
    """
    side = views.shape[1]
    for row in np.flatnonzero(random.random(len(views)) < share):
        height, width = random.integers(*WIPED_SIDES, 2)
        top, left = random.integers(0, side - height), random.integers(0, side - width)
        views[row, top : top + height, left : left + width] = 0
    return views
