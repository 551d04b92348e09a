"""Distances between embeddings."""

from __future__ import annotations

import numpy as np

from slipstream.errors import InvalidArgumentError, message

METRICS = ("euclidean", "cosine")


def prepare(embeddings: np.ndarray, metric: str = "euclidean") -> np.ndarray:
    """Embeddings as float32 `[n, size]` whose Euclidean distance orders as the metric does.

    For `cosine` each is scaled to length one. Raises `InvalidArgumentError` when they are not
    finite (as after a training that diverged), not a matrix, or the metric is unknown.
    """
    vectors = np.asarray(embeddings, np.float32)
    if metric not in METRICS:
        refuse("unknown metric", f"one of {METRICS}", repr(metric))
    if vectors.ndim != 2:
        refuse("embeddings are not a matrix", "shape [n, size]", vectors.shape)
    if not np.isfinite(vectors).all():
        wrong = int((~np.isfinite(vectors).all(1)).sum())
        refuse("embeddings are not finite", "no NaN or infinity", f"{wrong} rows with some")
    if metric == "cosine":
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        vectors = vectors / np.maximum(lengths, np.float32(1e-12))
    return vectors


def pair_distances(first: np.ndarray, second: np.ndarray, metric: str = "euclidean") -> np.ndarray:
    """The distance of each row of `first` from the same row of `second`: float32 `[n]`.

    `cosine` is one minus the cosine of the angle, 0 to 2.

    >>> pair_distances(np.array([[0, 3.0]]), np.array([[4, 0.0]])).tolist()
    [5.0]
    """
    straight = np.linalg.norm(prepare(first, metric) - prepare(second, metric), axis=1)
    return as_metric(straight, metric)


def all_distances(queries: np.ndarray, known: np.ndarray, metric: str = "euclidean") -> np.ndarray:
    """The distance of every query from every known: float32 `[queries, known]`."""
    one, other = prepare(queries, metric), prepare(known, metric)
    if one.shape[1] != other.shape[1]:
        refuse("embeddings of different sizes", f"size {other.shape[1]}", one.shape[1])
    squares = (one * one).sum(1)[:, None] + (other * other).sum(1) - 2 * (one @ other.T)
    return as_metric(np.sqrt(np.maximum(squares, 0)), metric)


def as_metric(straight: np.ndarray, metric: str) -> np.ndarray:
    """Euclidean distance of prepared embeddings in the units of the metric."""
    return straight * straight / 2 if metric == "cosine" else straight


def refuse(happened: str, expected: str, received: object) -> None:
    """Raises the error of embeddings that cannot be compared."""
    text = message("distances", happened, expected=expected, received={"value": received})
    raise InvalidArgumentError(text)
