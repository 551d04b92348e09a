"""Small pictures and recipes, for trainings of a second."""

from dataclasses import replace

import numpy as np
import standins

from slipstream.oneshot.picture_set import PictureSet
from slipstream.oneshot.recipe import Recipe

RECIPE = Recipe(
    epochs=2, steps=8, ways=5, each=4, channels=(4, 8), embedding=8, views=1, augmentation=0.3
)
PAIRS = replace(RECIPE, loss="contrastive")


def pictures(classes=6, each=12, seed=0):
    labels = np.arange(classes).repeat(each)
    images = standins.examples(standins.shapes(classes, 3), labels, seed)
    names = tuple(f"class {number}" for number in range(classes))
    return PictureSet("small", images, labels, names)
