"""How well distances tell equal pairs from unequal ones: ROC, threshold, accuracy.

A pair is accepted as equal when its distance is at most the threshold.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from slipstream.errors import InvalidArgumentError, message
from slipstream.oneshot.distances import pair_distances
from slipstream.oneshot.episodes import Pairs


@dataclass(frozen=True)
class Roc:
    """The curve over all thresholds, from none accepted to all.

    `thresholds`, `false_accepts` (the share of unequal pairs accepted) and `true_accepts` (the
    share of equal pairs accepted) are float64 `[points]`; `area` is the area under the curve.
    """

    thresholds: np.ndarray
    false_accepts: np.ndarray
    true_accepts: np.ndarray
    area: float


@dataclass(frozen=True)
class PairScores:
    """What a threshold does to pairs, all shares of 0 to 1."""

    threshold: float
    accuracy: float
    false_accepts: float
    false_rejects: float
    area: float


def distances_of(embeddings: np.ndarray, pairs: Pairs, metric: str = "euclidean") -> np.ndarray:
    """The distance of each pair of rows, float32 `[pairs]`."""
    return pair_distances(embeddings[pairs.first], embeddings[pairs.second], metric)


def roc(distances: np.ndarray, equal: np.ndarray) -> Roc:
    """The ROC curve of distances, `[n]`, with `equal`, bool `[n]`; equal distances count as one.

    Raises `InvalidArgumentError` unless there are both equal and unequal pairs, all finite.

    >>> round(roc(np.array([1.0, 2, 3, 4]), np.array([True, False, True, False])).area, 2)
    0.75
    """
    distances, equal = require_pairs(distances, equal)
    order = np.argsort(distances, kind="stable")
    ranked, hits = distances[order], equal[order]
    last = np.append(ranked[1:] != ranked[:-1], True)
    true_accepts = np.append(0, np.cumsum(hits)[last]) / hits.sum()
    false_accepts = np.append(0, np.cumsum(~hits)[last]) / (~hits).sum()
    thresholds = np.append(-np.inf, ranked[last])
    steps = np.diff(false_accepts)
    area = float((steps * (true_accepts[1:] + true_accepts[:-1])).sum() / 2)
    return Roc(thresholds, false_accepts, true_accepts, area)


def calibrate(
    distances: np.ndarray, equal: np.ndarray, false_accept_rate: float | None = None
) -> float:
    """The threshold to use, from pairs that were not trained on.

    Without `false_accept_rate`, the one with the best accuracy; with it, the largest at which at
    most that share of unequal pairs is accepted. Lies halfway between two of the distances.
    """
    curve = roc(distances, equal)
    if false_accept_rate is None:
        share = float(np.mean(equal))
        correct = share * curve.true_accepts + (1 - share) * (1 - curve.false_accepts)
        chosen = int(np.argmax(correct))
    else:
        chosen = int(np.flatnonzero(curve.false_accepts <= false_accept_rate)[-1])
    return between(curve.thresholds, chosen)


def between(thresholds: np.ndarray, chosen: int) -> float:
    """Halfway from a point of the curve to the next."""
    here = thresholds[chosen]
    after = thresholds[min(chosen + 1, len(thresholds) - 1)]
    if np.isinf(here):  # nothing is accepted: just below the smallest distance
        return float(np.nextafter(np.float32(after), np.float32(-np.inf)))
    return float((here + after) / 2)


def score_pairs(distances: np.ndarray, equal: np.ndarray, threshold: float) -> PairScores:
    """Accuracy and both kinds of error at a threshold, and the area under the ROC curve."""
    distances, equal = require_pairs(distances, equal)
    accepted = distances <= threshold
    return PairScores(
        threshold=float(threshold),
        accuracy=float((accepted == equal).mean()),
        false_accepts=float(accepted[~equal].mean()),
        false_rejects=float((~accepted[equal]).mean()),
        area=roc(distances, equal).area,
    )


def hardest_pairs(
    distances: np.ndarray, equal: np.ndarray, count: int = 8
) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the equal pairs farthest apart, and of the unequal pairs nearest together."""
    order = np.argsort(distances, kind="stable")
    return order[equal[order]][::-1][:count], order[~equal[order]][:count]


def require_pairs(distances: np.ndarray, equal: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Finite float64 distances and bool flags with both kinds among them."""
    distances, equal = np.asarray(distances, np.float64), np.asarray(equal, bool)
    if distances.shape != equal.shape or distances.ndim != 1:
        received = {"distances": distances.shape, "equal": equal.shape}
        refuse("distances and flags do not belong together", "one flag a distance", received)
    if not np.isfinite(distances).all():
        refuse("distances are not finite", "no NaN or infinity", {})
    if equal.all() or not equal.any():
        refuse("only one kind of pair", "equal and unequal pairs", {"equal": int(equal.sum())})
    return distances, equal


def refuse(happened: str, expected: str, received: Mapping[str, object]) -> None:
    """Raises the error of pairs that cannot be measured."""
    raise InvalidArgumentError(message("measure", happened, expected=expected, received=received))
