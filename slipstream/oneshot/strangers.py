"""Beyond which distance a picture is of no enrolled class.

`identify` does not face any pair of pictures but a picture and the nearest example: of many
unequal pairs only the nearest comes up. So the distance is calibrated on such pairs.
"""

from __future__ import annotations

import numpy as np

from slipstream.oneshot.distances import all_distances
from slipstream.oneshot.episodes import ClassRows
from slipstream.oneshot.measure import calibrate

WAYS = 10  # classes with a known example, where there are so many
DRAWS = 100  # of the known examples


def nearest_pairs(
    embeddings: np.ndarray, labels: np.ndarray, draws: int = DRAWS
) -> tuple[np.ndarray, np.ndarray]:
    """Distances of a picture from its class's example and from the nearest one of other classes.

    `embeddings` float32 `[n, size]`, `labels` int64 `[n]`. In each of the draws at most `WAYS`
    classes show one example; every other picture of them gives one equal pair and one unequal
    pair. Returns float32 `[pairs]` and bool `[pairs]`: whether a pair is equal.

    Raises `InvalidArgumentError` with fewer than two classes, or a class of a single picture.

    >>> distances, equal = nearest_pairs(np.eye(4).repeat(2, axis=0), np.arange(4).repeat(2), 1)
    >>> distances[equal].tolist(), [round(float(one), 2) for one in distances[~equal]]
    ([0.0, 0.0, 0.0, 0.0], [1.41, 1.41, 1.41, 1.41])
    """
    classes, random = ClassRows(labels), np.random.default_rng(0)
    classes.require(2, "a known one and another")
    ways = min(WAYS, len(classes.classes))
    equal, unequal = [], []
    for _ in range(draws):
        chosen = random.choice(len(classes.classes), ways, replace=False)
        known = classes.draw(chosen, random)
        rest = np.setdiff1d(np.concatenate([classes.rows(one) for one in chosen]), known)
        distances = all_distances(embeddings[rest], embeddings[known])
        own = classes.labels[rest][:, None] == classes.labels[known]
        equal.append(distances[own])
        unequal.append(np.where(own, np.float32(np.inf), distances).min(1))
    flags = np.repeat([True, False], sum(map(len, equal)))
    return np.concatenate(equal + unequal), flags


def beyond(embeddings: np.ndarray, labels: np.ndarray) -> float:
    """The distance that best tells a picture's own class from the nearest of the others."""
    return calibrate(*nearest_pairs(embeddings, labels))
