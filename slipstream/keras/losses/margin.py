"""Losses that want the right answer ahead of the others by a margin."""

from __future__ import annotations

from typing import Any

from slipstream.ir.dtypes import bool_
from slipstream.keras.losses.loss import LossFunctionWrapper, mean_over_last
from slipstream.keras.losses.regression import pair
from slipstream.ops.activations import relu
from slipstream.ops.arithmetic import square
from slipstream.ops.array import eye
from slipstream.ops.comparison import equal, logical_and, logical_not, logical_or
from slipstream.ops.conversion import cast
from slipstream.ops.elementary import softplus
from slipstream.ops.indexing import where
from slipstream.ops.linear import matmul
from slipstream.ops.reduction import reduce_all, reduce_logsumexp, reduce_max, reduce_sum
from slipstream.ops.shaping import reshape, transpose
from slipstream.runtime.convert import convert


def signs(labels: Any) -> Any:
    """Labels of -1 and 1: those of 0 and 1 are changed into them, where all of them are such."""
    binary = reduce_all(logical_or(equal(labels, 0), equal(labels, 1)))
    return where(binary, labels * 2 - 1, labels)


def shortfall(y_true: Any, y_pred: Any) -> Any:
    """max(1 - y_true y_pred, 0), with labels -1 and 1 (or 0 and 1)."""
    y_true, y_pred = pair(y_true, y_pred)
    return relu(1 - signs(y_true) * y_pred)


def hinge(y_true: Any, y_pred: Any) -> Any:
    """mean(max(1 - y_true y_pred, 0)) along the last axis; labels -1 and 1, or 0 and 1.

    >>> hinge([[0.0, 1.0]], [[-2.0, 0.5]]).numpy().tolist()
    [0.25]
    """
    return mean_over_last(shortfall(y_true, y_pred))


def squared_hinge(y_true: Any, y_pred: Any) -> Any:
    """mean(max(1 - y_true y_pred, 0)²) along the last axis; labels -1 and 1, or 0 and 1."""
    return mean_over_last(square(shortfall(y_true, y_pred)))


def categorical_hinge(y_true: Any, y_pred: Any) -> Any:
    """max(1 + the largest score of a wrong class - the score of the right one, 0)."""
    y_true, y_pred = pair(y_true, y_pred)
    right = reduce_sum(y_true * y_pred, axis=-1)
    wrong = reduce_max((1 - y_true) * y_pred, axis=-1)
    return relu(wrong - right + 1)


def circle(
    y_true: Any, y_pred: Any, ref_labels: Any = None, ref_embeddings: Any = None,
    remove_diagonal: bool = True, gamma: float = 80, margin: float = 0.4,
) -> Any:  # fmt: skip
    """Circle loss of unit vectors `y_pred` [batch, n] with integer labels (Sun and others 2020).

    Each vector is compared with the reference vectors (the batch itself without any): those of its
    label should have cosine 1, the others 0. `remove_diagonal` leaves out the comparison with
    itself.
    """
    embeddings, labels = convert(y_pred), reshape(convert(y_true), [-1])
    itself = ref_embeddings is None or (remove_diagonal and ref_labels is None)
    others = embeddings if ref_embeddings is None else convert(ref_embeddings)
    other_labels = labels if ref_labels is None else reshape(convert(ref_labels), [-1])
    cosines = matmul(embeddings, transpose(others))
    same = equal(reshape(labels, [-1, 1]), cast(reshape(other_labels, [1, -1]), labels.dtype))
    positive, negative = same, logical_not(same)
    if itself or remove_diagonal:
        diagonal = cast(eye(int(same.shape[0]), int(same.shape[1])), bool_)
        positive = logical_and(positive, logical_not(diagonal))
    attract = relu(1 + margin - cosines) * (cosines - (1 - margin)) * -gamma
    repel = relu(cosines + margin) * (cosines - margin) * gamma
    return softplus(_strength(attract, positive) + _strength(repel, negative))


def _strength(logits: Any, chosen: Any) -> Any:
    """log of the sum of exp of the chosen ones along the last axis."""
    return reduce_logsumexp(where(chosen, logits, -1e9), axis=-1)


class Hinge(LossFunctionWrapper):
    """`hinge`, reduced over the examples."""

    def __init__(
        self, reduction: str | None = "sum_over_batch_size", name: str = "hinge", dtype: Any = None
    ) -> None:
        super().__init__(hinge, reduction=reduction, name=name, dtype=dtype)


class SquaredHinge(LossFunctionWrapper):
    """`squared_hinge`, reduced over the examples."""

    def __init__(
        self, reduction: str | None = "sum_over_batch_size", name: str = "squared_hinge",
        dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(squared_hinge, reduction=reduction, name=name, dtype=dtype)


class CategoricalHinge(LossFunctionWrapper):
    """`categorical_hinge`, reduced over the examples."""

    def __init__(
        self, reduction: str | None = "sum_over_batch_size", name: str = "categorical_hinge",
        dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(categorical_hinge, reduction=reduction, name=name, dtype=dtype)


class Circle(LossFunctionWrapper):
    """`circle`, reduced over the batch."""

    def __init__(
        self, gamma: float = 80.0, margin: float = 0.4, remove_diagonal: bool = True,
        reduction: str | None = "sum_over_batch_size", name: str = "circle", dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(
            circle, reduction=reduction, name=name, dtype=dtype,
            gamma=gamma, margin=margin, remove_diagonal=remove_diagonal,
        )  # fmt: skip

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return self.fn(y_true, y_pred, **self.arguments)
