"""Putting values into tensors by index vectors: scatter_nd and the tensor_scatter functions."""

from __future__ import annotations

from typing import Any

from slipstream.ir.types import TensorType
from slipstream.ops.array import sizes_of
from slipstream.primitives.base import REGISTRY
from slipstream.primitives.operand import zeros
from slipstream.runtime.convert import convert, convert_together
from slipstream.runtime.dispatch import operation


@operation
def scatter_nd(indices: Any, updates: Any, shape: Any, name: str | None = None) -> Any:
    """Zeros of a shape with updates added at index vectors."""
    updates = convert(updates)
    empty = zeros(TensorType(sizes_of("scatter_nd", shape), updates.dtype))
    return REGISTRY["scatter_nd_add"](empty, convert(indices), updates)


def _scattered(primitive: str, tensor: Any, indices: Any, updates: Any) -> Any:
    tensor, updates = convert_together(tensor, updates)
    return REGISTRY[primitive](tensor, convert(indices), updates)


@operation
def tensor_scatter_nd_update(tensor: Any, indices: Any, updates: Any, name: Any = None) -> Any:
    """The tensor with updates in place at index vectors."""
    return _scattered("scatter_nd_update", tensor, indices, updates)


@operation
def tensor_scatter_nd_add(tensor: Any, indices: Any, updates: Any, name: Any = None) -> Any:
    """The tensor with updates added at index vectors."""
    return _scattered("scatter_nd_add", tensor, indices, updates)


@operation
def tensor_scatter_nd_sub(tensor: Any, indices: Any, updates: Any, name: Any = None) -> Any:
    """The tensor with updates subtracted at index vectors."""
    tensor, updates = convert_together(tensor, updates)
    return REGISTRY["scatter_nd_add"](tensor, convert(indices), -updates)


@operation
def tensor_scatter_nd_max(tensor: Any, indices: Any, updates: Any, name: Any = None) -> Any:
    """The larger of the tensor and the updates at index vectors."""
    return _scattered("scatter_nd_max", tensor, indices, updates)


@operation
def tensor_scatter_nd_min(tensor: Any, indices: Any, updates: Any, name: Any = None) -> Any:
    """The smaller of the tensor and the updates at index vectors."""
    return _scattered("scatter_nd_min", tensor, indices, updates)
