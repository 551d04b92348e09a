"""R²: which part of the variance is explained."""

from __future__ import annotations

from typing import Any

from slipstream.ir.dtypes import as_dtype
from slipstream.keras.metrics.metric import Metric
from slipstream.ops.arithmetic import divide_no_nan, square
from slipstream.ops.comparison import equal
from slipstream.ops.conversion import cast
from slipstream.ops.indexing import where
from slipstream.ops.reduction import reduce_mean, reduce_sum
from slipstream.ops.shaping import expand_dims
from slipstream.runtime.convert import convert

AGGREGATIONS = (None, "uniform_average", "variance_weighted_average")


class R2Score(Metric):
    """1 - sum((y_true - y_pred)²) / sum((y_true - mean)²) of each column, averaged over them.

    `num_regressors` corrects it for the number of variables that explain.

    >>> round(float(R2Score()([[1.0], [4.0], [3.0]], [[2.0], [4.0], [4.0]])), 4)
    0.5714
    """

    def __init__(
        self, class_aggregation: str | None = "uniform_average", num_regressors: int = 0,
        name: str = "r2_score", dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(name=name, dtype=dtype)
        if class_aggregation not in AGGREGATIONS:
            raise ValueError(
                "Invalid value for argument `class_aggregation`. Expected one of "
                f"{AGGREGATIONS}. Received: class_aggregation={class_aggregation}"
            )
        if num_regressors < 0:
            raise ValueError(
                "Invalid value for argument `num_regressors`. Expected a value >= 0. "
                f"Received: num_regressors={num_regressors}"
            )
        self.class_aggregation, self.num_regressors = class_aggregation, num_regressors
        self.num_samples = self.add_variable((), "zeros", name="num_samples")
        self._built = False

    def _build(self, y_true: Any, y_pred: Any) -> None:
        if len(y_pred.shape) != 2 or len(y_true.shape) != 2:
            raise ValueError(
                "R2Score expects 2D inputs with shape (batch_size, output_dim). Received input "
                f"shapes: y_pred.shape={tuple(y_pred.shape)} and "
                f"y_true.shape={tuple(y_true.shape)}."
            )
        shape = (int(y_pred.shape[1]),)
        self.squared_sum = self.add_variable(shape, "zeros", name="squared_sum")
        self.sum = self.add_variable(shape, "zeros", name="sum")
        self.total_mse = self.add_variable(shape, "zeros", name="residual")
        self.count = self.add_variable(shape, "zeros", name="count")
        self._built = True

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        kind = as_dtype(self.dtype)
        truth, found = cast(convert(y_true), kind), cast(convert(y_pred), kind)
        if not self._built:
            self._build(truth, found)
        weight = 1.0 if sample_weight is None else cast(convert(sample_weight), kind)
        if sample_weight is not None and len(weight.shape) == 1:
            weight = expand_dims(weight, 1)
        self.squared_sum.assign_add(reduce_sum(square(truth) * weight, axis=0))
        self.sum.assign_add(reduce_sum(truth * weight, axis=0))
        self.total_mse.assign_add(reduce_sum(square(truth - found) * weight, axis=0))
        self.count.assign_add(reduce_sum(truth * 0 + weight, axis=0))
        self.num_samples.assign_add(float(truth.shape.num_elements()))

    def result(self) -> Any:
        mean = divide_no_nan(self.sum, self.count)
        total = self.squared_sum - self.sum * mean
        flat = equal(total, 0)  # nothing to explain
        raw = where(flat, 0, 1 - self.total_mse / where(flat, 1, total))
        score = raw
        if self.class_aggregation == "uniform_average":
            score = reduce_mean(raw)
        elif self.class_aggregation is not None:
            score = divide_no_nan(reduce_sum(raw * total), reduce_sum(total))
        return self._adjusted(score) if self.num_regressors else score

    def _adjusted(self, score: Any) -> Any:
        free = self.num_samples - self.num_regressors - 1
        return 1 - (1 - score) * divide_no_nan(self.num_samples - 1, free)

    def get_config(self) -> dict[str, Any]:
        own = {"class_aggregation": self.class_aggregation, "num_regressors": self.num_regressors}
        return super().get_config() | own
