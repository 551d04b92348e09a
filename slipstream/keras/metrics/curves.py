"""Areas under curves over all thresholds, and points on these curves."""

from __future__ import annotations

from typing import Any

import numpy as np

from slipstream.keras import config
from slipstream.keras.metrics.confusion import outcomes
from slipstream.keras.metrics.metric import Metric
from slipstream.ops.arithmetic import clip_by_value, divide_no_nan, maximum, minimum
from slipstream.ops.comparison import greater, greater_equal, logical_and
from slipstream.ops.elementary import log, sigmoid
from slipstream.ops.indexing import where
from slipstream.ops.reduction import reduce_max, reduce_mean, reduce_sum
from slipstream.runtime.convert import convert

COUNTS = ("true_positives", "false_positives", "true_negatives", "false_negatives")
CURVES = ("ROC", "PR", "PRGAIN")
SUMMATIONS = ("interpolation", "majoring", "minoring")


def spread_thresholds(count: int) -> list[float]:
    """`count` - 2 thresholds that divide (0, 1) evenly."""
    return [(i + 1) / (count - 1) for i in range(count - 2)]


class _Counting(Metric):
    """The four counts at each threshold."""

    def __init__(self, name: str | None, dtype: Any) -> None:
        super().__init__(name=name, dtype=dtype)
        self._built = False

    def _make(self, shape: tuple[int, ...]) -> None:
        for name in COUNTS:
            setattr(self, name, self.add_variable(shape, "zeros", name=name))
        self._built = True

    def _add(self, found: Any) -> None:
        for name in COUNTS:
            getattr(self, name).assign_add(getattr(found, name))

    def _counts(self) -> tuple[Any, ...]:
        return tuple(getattr(self, name).value() for name in COUNTS)


def _between(values: Any, method: str) -> Any:
    """The height of each piece between two points."""
    left, right = values[:-1], values[1:]
    if method == "minoring":
        return minimum(left, right)
    return maximum(left, right) if method == "majoring" else (left + right) / 2


class AUC(_Counting):
    """The area under the ROC curve (recall over the rate of false alarms), the PR curve (precision
    over recall) or the PRGAIN curve (both as gains over chance; Flach and Kull 2015).

    The curve is drawn by `num_thresholds`. PR is interpolated as Davis and Goadrich (2006) do.
    With `multi_label` it is the (weighted) mean of the areas of the labels.

    >>> float(AUC(num_thresholds=3)([0, 0, 1, 1], [0.0, 0.5, 0.3, 0.9]))
    0.75
    """

    def __init__(
        self, num_thresholds: int = 200, curve: str = "ROC",
        summation_method: str = "interpolation", name: str | None = None, dtype: Any = None,
        thresholds: Any = None, multi_label: bool = False, num_labels: int | None = None,
        label_weights: Any = None, from_logits: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(name, dtype)
        _check("curve", curve, CURVES)
        _check("summation method", summation_method, SUMMATIONS)
        self._given = None if thresholds is None else sorted(float(t) for t in thresholds)
        inner = self._inner(num_thresholds)
        self.num_thresholds = len(inner) + 2
        tiny = config.epsilon()
        self.thresholds = [0.0 - tiny, *inner, 1.0 + tiny]
        self.curve, self.summation_method = curve, summation_method
        self.multi_label, self.num_labels = multi_label, num_labels
        self.label_weights, self.from_logits = label_weights, from_logits
        if num_labels and not multi_label:
            raise ValueError("`num_labels` is needed only when `multi_label` is True.")
        if not multi_label or num_labels:
            self._build_for(num_labels)

    def _inner(self, num_thresholds: int) -> list[float]:
        """The thresholds between both ends."""
        if self._given is None:
            if not isinstance(num_thresholds, int) or num_thresholds <= 1:
                raise ValueError(
                    "Argument `num_thresholds` must be an integer > 1. "
                    f"Received: num_thresholds={num_thresholds}"
                )
            return spread_thresholds(num_thresholds)
        if any(not 0 <= t <= 1 for t in self._given):
            raise ValueError(f"Threshold values must be in [0, 1]. Received: {self._given}")
        return self._given

    def _build_for(self, labels: int | None) -> None:
        self._make((self.num_thresholds, labels) if self.multi_label else (self.num_thresholds,))

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        scores = convert(y_pred)
        if not self._built:
            if len(scores.shape) != 2:
                raise ValueError(
                    "`y_pred` must have rank 2 when `multi_label=True`. "
                    f"Found rank {len(scores.shape)}. Full shape received for `y_pred`: "
                    f"{scores.shape}"
                )
            self._build_for(int(scores.shape[1]))
        weights = None if self.multi_label else self.label_weights
        scores = sigmoid(scores) if self.from_logits else clip_by_value(scores, 0, 1)
        self._add(
            outcomes(
                y_true, scores, self.thresholds, sample_weight,
                by_label=self.multi_label, label_weights=weights,
            )
        )  # fmt: skip

    def result(self) -> Any:
        if self.curve == "PR" and self.summation_method == "interpolation":
            areas = self._interpolated()
        else:
            x, y = self._points()
            areas = reduce_sum((x[:-1] - x[1:]) * _between(y, self.summation_method), axis=0)
        if not self.multi_label:
            return areas
        if self.label_weights is None:
            return reduce_mean(areas)
        weights = convert(self.label_weights, areas.dtype)
        return divide_no_nan(reduce_sum(areas * weights), reduce_sum(weights))

    def _points(self) -> tuple[Any, Any]:
        """The curve: across and up, at each threshold."""
        tp, fp, tn, fn = self._counts()
        recall = divide_no_nan(tp, tp + fn)
        if self.curve == "ROC":
            return divide_no_nan(fp, fp + tn), recall
        if self.curve == "PR":
            return recall, divide_no_nan(tp, tp + fp)
        odds = divide_no_nan(tp + fn, fp + tn)
        return _gain(odds, fn, tp), _gain(odds, fp, tp)

    def _interpolated(self) -> Any:
        """Between two thresholds true positives grow with all positives; their integral."""
        tp, fp, _, fn = self._counts()
        found = tp + fp
        gained = tp[:-1] - tp[1:]
        slope = divide_no_nan(gained, maximum(found[:-1] - found[1:], 0))
        start = tp[1:] - slope * found[1:]
        both = logical_and(greater(found[:-1], 0), greater(found[1:], 0))
        ratio = where(both, divide_no_nan(found[:-1], maximum(found[1:], 0)), 1)
        pieces = slope * (gained + start * log(where(both, ratio, 1)))
        return reduce_sum(divide_no_nan(pieces, maximum(tp[1:] + fn[1:], 0)), axis=0)

    def get_config(self) -> dict[str, Any]:
        own = {
            "num_thresholds": self.num_thresholds,
            "curve": self.curve,
            "summation_method": self.summation_method,
            "multi_label": self.multi_label,
            "num_labels": self.num_labels,
            "label_weights": self.label_weights,
            "from_logits": self.from_logits,
        }
        given = {} if self._given is None else {"thresholds": self._given}
        return super().get_config() | own | given


def _gain(odds: Any, errors: Any, right: Any) -> Any:
    """How much better than chance, in [0, 1]: 1 - odds errors / right; 0 where nothing is right."""
    gain = maximum(1 - odds * divide_no_nan(errors, right), 0)
    return where(greater(right, 0), gain, 0)


def _check(what: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ValueError(
            f'Invalid AUC {what} value: "{value}". Expected values are {sorted(allowed)}'
        )


class _PointOnCurve(_Counting):
    """The largest of one rate at thresholds where another rate is at least a given value."""

    bound: str

    def __init__(
        self, value: float, num_thresholds: int, class_id: int | None, name: str | None, dtype: Any
    ) -> None:
        super().__init__(name, dtype)
        if not 0 <= value <= 1:
            raise ValueError(
                f"Argument `{self.bound}` must be in the range [0, 1]. "
                f"Received: {self.bound}={value}"
            )
        if num_thresholds <= 0:
            raise ValueError(
                "Argument `num_thresholds` must be an integer > 0. "
                f"Received: num_thresholds={num_thresholds}"
            )
        self.value, self.class_id, self.num_thresholds = value, class_id, num_thresholds
        setattr(self, self.bound, value)
        inner = [0.5] if num_thresholds == 1 else [0.0, *spread_thresholds(num_thresholds), 1.0]
        self.thresholds = inner
        self._make((len(inner),))

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        self._add(outcomes(y_true, y_pred, self.thresholds, sample_weight, class_id=self.class_id))

    def _rates(self, tp: Any, fp: Any, tn: Any, fn: Any) -> tuple[Any, Any]:
        """The bounded rate and the wanted one."""
        raise NotImplementedError(f"{type(self).__name__} does not override _rates")

    def result(self) -> Any:
        bounded, wanted = self._rates(*self._counts())
        return reduce_max(where(greater_equal(bounded, np.float32(self.value)), wanted, 0))

    def get_config(self) -> dict[str, Any]:
        own = {"num_thresholds": self.num_thresholds, "class_id": self.class_id}
        return super().get_config() | own | {self.bound: self.value}


def _share(part: Any, rest: Any) -> Any:
    return divide_no_nan(part, part + rest)


class SensitivityAtSpecificity(_PointOnCurve):
    """The largest tp / (tp + fn) with tn / (tn + fp) >= specificity."""

    bound = "specificity"

    def __init__(
        self, specificity: float, num_thresholds: int = 200, class_id: int | None = None,
        name: str | None = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(specificity, num_thresholds, class_id, name, dtype)

    def _rates(self, tp: Any, fp: Any, tn: Any, fn: Any) -> tuple[Any, Any]:
        return _share(tn, fp), _share(tp, fn)


class SpecificityAtSensitivity(_PointOnCurve):
    """The largest tn / (tn + fp) with tp / (tp + fn) >= sensitivity."""

    bound = "sensitivity"

    def __init__(
        self, sensitivity: float, num_thresholds: int = 200, class_id: int | None = None,
        name: str | None = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(sensitivity, num_thresholds, class_id, name, dtype)

    def _rates(self, tp: Any, fp: Any, tn: Any, fn: Any) -> tuple[Any, Any]:
        return _share(tp, fn), _share(tn, fp)


class PrecisionAtRecall(_PointOnCurve):
    """The largest precision with a recall >= `recall`."""

    bound = "recall"

    def __init__(
        self, recall: float, num_thresholds: int = 200, class_id: int | None = None,
        name: str | None = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(recall, num_thresholds, class_id, name, dtype)

    def _rates(self, tp: Any, fp: Any, tn: Any, fn: Any) -> tuple[Any, Any]:
        return _share(tp, fn), _share(tp, fp)


class RecallAtPrecision(_PointOnCurve):
    """The largest recall with a precision >= `precision`; 0 if none is as precise."""

    bound = "precision"

    def __init__(
        self, precision: float, num_thresholds: int = 200, class_id: int | None = None,
        name: str | None = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(precision, num_thresholds, class_id, name, dtype)

    def _rates(self, tp: Any, fp: Any, tn: Any, fn: Any) -> tuple[Any, Any]:
        return _share(tp, fp), _share(tp, fn)
