"""Two-dimensional maps of embeddings."""

from __future__ import annotations

import warnings

import numpy as np

from slipstream.errors import InvalidArgumentError, UnavailableError, message
from slipstream.oneshot.distances import prepare
from slipstream.oneshot.extras import require_extra

METHODS = ("auto", "pca", "tsne")
LEAST_FOR_TSNE = 10


def principal_components(embeddings: np.ndarray, size: int = 2) -> np.ndarray:
    """The coordinates along the `size` directions of most variance, float32 `[n, size]`.

    The sign of each direction is chosen so that its largest weight is positive: maps repeat.
    """
    vectors = prepare(embeddings)
    centred = vectors - vectors.mean(0)
    _, directions = np.linalg.eigh((centred.T @ centred).astype(np.float64))
    directions = directions[:, ::-1][:, :size]
    strongest = np.abs(directions).argmax(0)
    directions = directions * np.sign(directions[strongest, np.arange(directions.shape[1])])
    coordinates = (centred @ directions).astype(np.float32)
    return np.pad(coordinates, ((0, 0), (0, size - coordinates.shape[1])))


def neighbour_map(embeddings: np.ndarray, seed: int = 0) -> np.ndarray:
    """t-SNE in two dimensions, float32 `[n, 2]`, by scikit-learn.

    van der Maaten and Hinton, "Visualizing data using t-SNE", 2008. Distances between far clusters
    mean little in it; neighbourhoods do.
    """
    vectors = prepare(embeddings)
    perplexity = min(30.0, (len(vectors) - 1) / 3)
    method = require_extra("sklearn.manifold").TSNE(
        2, perplexity=perplexity, init="pca", random_state=seed, n_jobs=1
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return np.asarray(method.fit_transform(vectors), np.float32)


def project(embeddings: np.ndarray, method: str = "auto", seed: int = 0) -> tuple[np.ndarray, str]:
    """A map float32 `[n, 2]` and the name of the method that made it.

    `auto` takes t-SNE where scikit-learn is installed and there are enough points, else the two
    principal components.
    """
    if method not in METHODS:
        received = {"method": repr(method)}
        text = message("project", "unknown method", expected=f"one of {METHODS}", received=received)
        raise InvalidArgumentError(text)
    if method == "tsne" or (method == "auto" and len(embeddings) >= LEAST_FOR_TSNE):
        try:
            return neighbour_map(embeddings, seed), "t-SNE"
        except UnavailableError:
            if method == "tsne":
                raise
    return principal_components(embeddings), "principal components"
