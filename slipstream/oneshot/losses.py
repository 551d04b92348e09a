"""What is made small in training: losses on pairs, and losses over whole batches of classes.

Embeddings are float32 `[n, size]` of length one; every loss is a scalar and a graph of public
operations, so it works eagerly and in a traced step.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from slipstream.ir.dtypes import float32
from slipstream.ops.arithmetic import maximum, sqrt, square
from slipstream.ops.comparison import equal as equal_to
from slipstream.ops.conversion import cast
from slipstream.ops.linear import matmul
from slipstream.ops.losses import (
    sigmoid_cross_entropy_with_logits,
    sparse_softmax_cross_entropy_with_logits,
)
from slipstream.ops.reduction import (
    reduce_logsumexp,
    reduce_max,
    reduce_mean,
    reduce_min,
    reduce_sum,
)
from slipstream.ops.shaping import expand_dims, reshape

FAR = 1e9  # what is added to keep a place out of a minimum or a softmax
TINY = 1e-9


def contrastive(distances: Any, equal: Any, margin: float) -> Any:
    """Equal pairs are drawn together, unequal ones pushed beyond the margin.

    `distances` and `equal` (1 or 0) are float32 `[pairs]`. Hadsell, Chopra and LeCun,
    "Dimensionality reduction by learning an invariant mapping", 2006.

    >>> float(contrastive(np.float32([0.3, 0.1]), np.float32([1, 0]), 0.5))  # doctest: +ELLIPSIS
    0.125...
    """
    near = equal * square(distances)
    far = (1.0 - equal) * square(maximum(margin - distances, 0.0))
    return reduce_mean(near + far)


def pair_cross_entropy(log_odds: Any, equal: Any) -> Any:
    """Binary cross-entropy of the log-odds, float32 `[pairs]`, that pairs are equal.

    Koch, Zemel and Salakhutdinov, "Siamese neural networks for one-shot image recognition", 2015.
    """
    return reduce_mean(sigmoid_cross_entropy_with_logits(labels=equal, logits=log_odds))


def all_pairs(log_odds: Any, labels: Any) -> Any:
    """Binary cross-entropy on all pairs of a batch, equal and unequal ones weighing the same.

    `log_odds` are float32 `[n, n]`, of each picture with each, `labels` int32 `[n]` of at least two
    classes, one of them twice. A picture is no pair with itself.
    """
    same = same_class(labels)
    partners = same - np.eye(int(log_odds.shape[0]), dtype=np.float32)
    found = sigmoid_cross_entropy_with_logits(labels=same, logits=log_odds)
    equal = reduce_sum(partners * found) / reduce_sum(partners)
    unequal = reduce_sum((1.0 - same) * found) / reduce_sum(1.0 - same)
    return 0.5 * (equal + unequal)


def triplet(embeddings: Any, labels: Any, margin: float) -> Any:
    """Each picture's farthest equal one shall be nearer, by the margin, than its nearest other.

    `labels` are int32 `[n]`. Hermans, Beyer and Leibe, "In defense of the triplet loss", 2017
    ("batch hard").
    """
    products = matmul(embeddings, embeddings, transpose_b=True)
    distances = sqrt(maximum(2.0 - 2.0 * products, 0.0) + TINY)
    same = same_class(labels)
    farthest = reduce_max(distances * same, axis=1)
    nearest = reduce_min(distances + FAR * same, axis=1)
    return reduce_mean(maximum(farthest - nearest + margin, 0.0))


def prototypical(embeddings: Any, ways: int, temperature: float) -> Any:
    """An episode: the first picture of every class is known, all the others are to be found.

    The batch holds `ways` classes one after the other, of equally many pictures. Cross-entropy of a
    softmax over cosines divided by the temperature. Snell, Swersky and Zemel, "Prototypical
    networks for few-shot learning", 2017.
    """
    count, size = (int(length) for length in embeddings.shape)
    each = count // ways
    by_class = reshape(embeddings, [ways, each, size])
    known = by_class[:, 0]
    queries = reshape(by_class[:, 1:], [ways * (each - 1), size])
    truth = np.eye(ways, dtype=np.float32).repeat(each - 1, axis=0)
    scores = matmul(queries, known, transpose_b=True) / temperature
    return -reduce_mean(reduce_sum(truth * log_softmax(scores), axis=1))


def supervised_contrastive(embeddings: Any, labels: Any, temperature: float) -> Any:
    """Each picture shall find those of its class among all the others of the batch.

    `labels` are int32 `[n]`, each at least twice. Khosla and others, "Supervised contrastive
    learning", 2020 (the sum outside the logarithm).
    """
    self_pairs = np.eye(int(embeddings.shape[0]), dtype=np.float32)
    scores = matmul(embeddings, embeddings, transpose_b=True) / temperature - FAR * self_pairs
    partners = same_class(labels) - self_pairs
    found = reduce_sum(partners * log_softmax(scores), axis=1) / reduce_sum(partners, axis=1)
    return -reduce_mean(found)


def proxies(cosines: Any, labels: Any, temperature: float) -> Any:
    """Each picture shall find the proxy of its class among those of all classes.

    `cosines` are float32 `[n, classes]`, `labels` int32 `[n]`.
    """
    logits = cosines / temperature
    return reduce_mean(sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits))


def same_class(labels: Any) -> Any:
    """1 where row and column are of one class, else 0: float32 `[n, n]`."""
    return cast(equal_to(expand_dims(labels, 1), expand_dims(labels, 0)), float32)


def log_softmax(scores: Any) -> Any:
    """Along the last axis."""
    return scores - reduce_logsumexp(scores, axis=-1, keepdims=True)
