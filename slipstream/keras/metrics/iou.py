"""Intersection over union: how well areas of classes agree."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from slipstream.ir.dtypes import float32, int64
from slipstream.keras.metrics.metric import Metric
from slipstream.ops.arithmetic import divide_no_nan
from slipstream.ops.array import ones_like
from slipstream.ops.comparison import greater, greater_equal, not_equal
from slipstream.ops.conversion import cast
from slipstream.ops.diagonal import diag_part
from slipstream.ops.indexing import gather, where
from slipstream.ops.reduction import argmax, reduce_sum
from slipstream.ops.shaping import broadcast_to, expand_dims, reshape, squeeze
from slipstream.ops.statistics import confusion_matrix
from slipstream.runtime.convert import convert


class _ConfusionMatrix(Metric):
    """[classes, classes]: how much of each true class was taken for each class."""

    def __init__(
        self, num_classes: int, name: str | None = None, dtype: Any = None,
        ignore_class: int | None = None, sparse_y_true: bool = True, sparse_y_pred: bool = True,
        axis: int = -1,
    ) -> None:  # fmt: skip
        super().__init__(name=name, dtype=None if dtype in ("int32", "int64") else dtype)
        self.num_classes, self.ignore_class = num_classes, ignore_class
        self.sparse_y_true, self.sparse_y_pred, self.axis = sparse_y_true, sparse_y_pred, axis
        self.total_confusion_matrix = self.add_variable(
            (num_classes, num_classes), "zeros", name="total_confusion_matrix"
        )

    def _as_classes(self, y_true: Any, y_pred: Any) -> tuple[Any, Any]:
        y_true, y_pred = convert(y_true), convert(y_pred)
        y_true = y_true if self.sparse_y_true else argmax(y_true, axis=self.axis)
        y_pred = y_pred if self.sparse_y_pred else argmax(y_pred, axis=self.axis)
        return cast(y_true, int64), cast(y_pred, int64)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        truth, found = self._as_classes(y_true, y_pred)
        weights = _weights(truth, sample_weight)
        if self.ignore_class is not None:
            kept = not_equal(truth, self.ignore_class)
            truth, weights = where(kept, truth, 0), where(kept, weights, 0)
            found = where(reshape(kept, [int(n) for n in found.shape]), found, 0)
        flat = [reshape(t, [-1]) for t in (truth, found, weights)]
        counts = confusion_matrix(
            flat[0], flat[1], self.num_classes, weights=flat[2], dtype=float32
        )
        self.total_confusion_matrix.assign_add(cast(counts, self.total_confusion_matrix.dtype))

    def _mean_over(self, classes: Any) -> Any:
        """The mean of the classes that occur at all."""
        matrix = self.total_confusion_matrix.value()
        both = diag_part(matrix)
        either = reduce_sum(matrix, axis=0) + reduce_sum(matrix, axis=1) - both
        both, either = gather(both, classes), gather(either, classes)
        occurring = reduce_sum(cast(greater(either, 0), matrix.dtype))
        return divide_no_nan(reduce_sum(divide_no_nan(both, either)), occurring)

    def get_config(self) -> dict[str, Any]:
        names = ("num_classes", "ignore_class", "sparse_y_true", "sparse_y_pred", "axis")
        return super().get_config() | {name: getattr(self, name) for name in names}


def _weights(truth: Any, sample_weight: Any) -> Any:
    """A weight for each label."""
    if sample_weight is None:
        return ones_like(truth, dtype=float32)
    weights = cast(convert(sample_weight), float32)
    if len(weights.shape) == len(truth.shape) + 1 and weights.shape[-1] == 1:
        weights = squeeze(weights, axis=-1)
    while 0 < len(weights.shape) < len(truth.shape):
        weights = expand_dims(weights, axis=-1)
    return broadcast_to(weights, [int(n) for n in truth.shape])


class IoU(_ConfusionMatrix):
    """true positives / (true + false positives + false negatives), the mean over some classes.

    Labels and predictions are classes, or scores along `axis` if `sparse_...` is False. Labels of
    `ignore_class` do not count. ValueError for a class outside [0, num_classes).

    >>> round(float(IoU(2, [0])([0, 0, 1, 1], [0, 1, 0, 1])), 4)
    0.3333
    """

    def __init__(
        self, num_classes: int, target_class_ids: Sequence[int], name: str | None = None,
        dtype: Any = None, ignore_class: int | None = None, sparse_y_true: bool = True,
        sparse_y_pred: bool = True, axis: int = -1,
    ) -> None:  # fmt: skip
        super().__init__(num_classes, name, dtype, ignore_class, sparse_y_true, sparse_y_pred, axis)
        if max(target_class_ids) >= num_classes:
            raise ValueError(
                f"Target class id {max(target_class_ids)} is out of range, which is "
                f"[0, {num_classes})."
            )
        self.target_class_ids = list(target_class_ids)

    def result(self) -> Any:
        return self._mean_over(self.target_class_ids)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"target_class_ids": self.target_class_ids}


class BinaryIoU(IoU):
    """`IoU` of two classes, a score of at least `threshold` being class 1."""

    def __init__(
        self, target_class_ids: Sequence[int] = (0, 1), threshold: float = 0.5,
        name: str | None = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(2, target_class_ids, name, dtype)
        self.threshold = threshold

    def _as_classes(self, y_true: Any, y_pred: Any) -> tuple[Any, Any]:
        return super()._as_classes(y_true, greater_equal(convert(y_pred), self.threshold))

    def get_config(self) -> dict[str, Any]:
        own = {"target_class_ids": self.target_class_ids, "threshold": self.threshold}
        return {"name": self.name, "dtype": self.dtype} | own


class MeanIoU(_ConfusionMatrix):
    """`IoU`, the mean over all classes that occur."""

    def result(self) -> Any:
        return self._mean_over(list(range(self.num_classes)))


class OneHotIoU(IoU):
    """`IoU` of one-hot labels, and of scores of the classes unless `sparse_y_pred`."""

    def __init__(
        self, num_classes: int, target_class_ids: Sequence[int], name: str | None = None,
        dtype: Any = None, ignore_class: int | None = None, sparse_y_pred: bool = False,
        axis: int = -1,
    ) -> None:  # fmt: skip
        super().__init__(
            num_classes, target_class_ids, name, dtype, ignore_class, False, sparse_y_pred, axis
        )

    def get_config(self) -> dict[str, Any]:
        return _without_truth(super().get_config())


class OneHotMeanIoU(MeanIoU):
    """`MeanIoU` of one-hot labels, and of scores of the classes unless `sparse_y_pred`."""

    def __init__(
        self, num_classes: int, name: str | None = None, dtype: Any = None,
        ignore_class: int | None = None, sparse_y_pred: bool = False, axis: int = -1,
    ) -> None:  # fmt: skip
        super().__init__(num_classes, name, dtype, ignore_class, False, sparse_y_pred, axis)

    def get_config(self) -> dict[str, Any]:
        return _without_truth(super().get_config())


def _without_truth(config: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in config.items() if name != "sparse_y_true"}
