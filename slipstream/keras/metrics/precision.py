"""Which part of what was found is right, and which part of what is right was found."""

from __future__ import annotations

from typing import Any

from slipstream.keras.metrics.confusion import NOTHING, checked_thresholds, for_each, outcomes
from slipstream.keras.metrics.metric import Metric
from slipstream.ops.arithmetic import divide_no_nan


class _Share(Metric):
    """The true positives as a part of them and of another kind of outcome."""

    other: str

    def __init__(
        self, thresholds: Any = None, top_k: int | None = None, class_id: int | None = None,
        name: str | None = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(name=name, dtype=dtype)
        self.init_thresholds, self.top_k, self.class_id = thresholds, top_k, class_id
        self.thresholds = checked_thresholds(thresholds, 0.5 if top_k is None else NOTHING)
        shape = (len(self.thresholds),)
        self.true_positives = self.add_variable(shape, "zeros", name="true_positives")
        setattr(self, self.other, self.add_variable(shape, "zeros", name=self.other))

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        found = outcomes(y_true, y_pred, self.thresholds, sample_weight, self.top_k, self.class_id)
        for name in ("true_positives", self.other):
            getattr(self, name).assign_add(getattr(found, name))

    def result(self) -> Any:
        right = self.true_positives.value()
        return for_each(divide_no_nan(right, right + getattr(self, self.other)))

    def get_config(self) -> dict[str, Any]:
        own = {"thresholds": self.init_thresholds, "top_k": self.top_k, "class_id": self.class_id}
        return super().get_config() | own


class Precision(_Share):
    """True positives / (true positives + false positives): of what was found, how much is right.

    `top_k` takes the k best scores of each example for yes, `class_id` looks at one class only.

    >>> float(Precision()([0, 1, 1, 1], [0.9, 0.8, 0.3, 0.4]))
    0.5
    """

    other = "false_positives"


class Recall(_Share):
    """True positives / (true positives + false negatives): of what is right, how much was found."""

    other = "false_negatives"
