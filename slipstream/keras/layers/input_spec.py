"""`InputSpec`: what a layer asks of its inputs, and the error where they do not fit."""

from __future__ import annotations

from typing import Any

from slipstream.ir.dtypes import as_dtype
from slipstream.runtime.shape import TensorShape
from slipstream.runtime.structure import flatten


class InputSpec:
    """The dtype, rank, and sizes along some axes of one input.

    >>> InputSpec(ndim=4, axes={-1: 3})
    InputSpec(ndim=4, axes={-1: 3})
    """

    def __init__(
        self,
        dtype: Any = None,
        shape: Any = None,
        ndim: int | None = None,
        max_ndim: int | None = None,
        min_ndim: int | None = None,
        axes: dict[int, int | None] | None = None,
        allow_last_axis_squeeze: bool = False,
        name: str | None = None,
        optional: bool = False,
    ) -> None:
        self.dtype = None if dtype is None else as_dtype(dtype).name
        self.shape = None if shape is None else TensorShape(shape)
        self.ndim = len(self.shape) if self.shape is not None else ndim
        self.max_ndim, self.min_ndim = max_ndim, min_ndim
        self.axes = {int(k): v for k, v in (axes or {}).items()}
        self.allow_last_axis_squeeze = allow_last_axis_squeeze
        self.name, self.optional = name, optional

    def get_config(self) -> dict[str, Any]:
        return {
            "dtype": self.dtype,
            "shape": self.shape,
            "ndim": self.ndim,
            "max_ndim": self.max_ndim,
            "min_ndim": self.min_ndim,
            "axes": self.axes,
        }

    def __repr__(self) -> str:
        given = [f"{name}={value}" for name, value in self.get_config().items() if value]
        return f"InputSpec({', '.join(given)})"

    def misfit(self, shape: TensorShape, dtype: Any) -> str | None:
        """What does not fit, in words, or None."""
        if self.allow_last_axis_squeeze and self.shape is not None and shape and shape[-1] == 1:
            shape = shape[:-1] if len(shape) == len(self.shape) + 1 else shape
        rank, full = len(shape), f"Full shape received: {shape}"
        if self.ndim is not None and rank != self.ndim and not self.allow_last_axis_squeeze:
            return f"expected ndim={self.ndim}, found ndim={rank}. {full}"
        if self.max_ndim is not None and rank > self.max_ndim:
            return f"expected max_ndim={self.max_ndim}, found ndim={rank}"
        if self.min_ndim is not None and rank < self.min_ndim:
            return f"expected min_ndim={self.min_ndim}, found ndim={rank}. {full}"
        if self.dtype is not None and as_dtype(dtype).name != self.dtype:
            return f"expected dtype={self.dtype}, found dtype={as_dtype(dtype).name}"
        return self._misfit_of_sizes(shape)

    def _misfit_of_sizes(self, shape: TensorShape) -> str | None:
        for axis, size in self.axes.items():
            found = shape[axis] if -len(shape) <= axis < len(shape) else -1
            if size is not None and found is not None and found != size:
                return (
                    f"expected axis {axis} of input shape to have value {size}, "
                    f"but received input with shape {shape}"
                )
        if self.shape is not None and not self.shape.is_compatible_with(shape):
            return f"expected shape={self.shape}, found shape={shape}"
        return None


def check_inputs(input_spec: Any, inputs: Any, layer_name: str) -> None:
    """ValueError unless the inputs of a layer are what its `input_spec` asks for."""
    specs = flatten(input_spec)
    if isinstance(inputs, dict) and isinstance(input_spec, dict):
        missing = [name for name in input_spec if name not in inputs]
        if missing:
            raise ValueError(f'Missing data for input "{missing[0]}" of layer "{layer_name}".')
    values = flatten(inputs)
    if len(values) != len(specs):
        raise ValueError(
            f'Layer "{layer_name}" expects {len(specs)} input(s), but it received {len(values)} '
            f"input tensors. Inputs received: {values}"
        )
    for index, (value, spec) in enumerate(zip(values, specs, strict=True)):
        if spec is None or (value is None and spec.optional):
            continue
        if not hasattr(value, "shape"):
            raise ValueError(
                f"Inputs to a layer should be tensors. Got '{value}' "
                f"(of type {type(value)}) as input for layer '{layer_name}'."
            )
        problem = spec.misfit(TensorShape(value.shape), value.dtype)
        if problem is not None:
            raise ValueError(
                f'Input {index} of layer "{layer_name}" is incompatible with the layer: {problem}'
            )
