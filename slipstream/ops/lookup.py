"""Small functions of networks: rows of a table, biases of channels."""

from __future__ import annotations

from typing import Any

from slipstream.errors import InvalidArgumentError, message
from slipstream.primitives.base import REGISTRY
from slipstream.primitives.structure import reshape
from slipstream.runtime.convert import convert
from slipstream.runtime.dispatch import operation


@operation
def embedding_lookup(
    params: Any, ids: Any, max_norm: float | None = None, name: str | None = None
) -> Any:
    """Row ids[...] of params [n, ...]: [*ids.shape, ...]. Its gradient is a list of rows."""
    table, ids = convert(params), convert(ids)
    rows = REGISTRY["gather"](table, ids, axis=0, batch_dims=0)
    if max_norm is None:
        return rows
    axes = tuple(range(len(ids.shape), len(rows.shape)))
    square = REGISTRY["sum"](rows * rows, axes=axes)
    norm = REGISTRY["sqrt"](reshape(square, shape=(*ids.shape, *(1 for _ in axes))))
    return rows * (max_norm / REGISTRY["maximum"](norm, norm.coerce(max_norm)))


@operation
def bias_add(value: Any, bias: Any, data_format: str | None = None, name: str | None = None) -> Any:
    """value + bias [channels], along the last axis, or axis 1 where data_format begins with NC."""
    value, bias = convert(value), convert(bias)
    first = data_format is not None and data_format.startswith("NC")
    axis = 1 if first else value.ndim - 1
    if bias.ndim != 1 or bias.shape[0] != value.shape[axis]:
        raise InvalidArgumentError(
            message(
                "bias_add",
                "the bias does not have one number a channel",
                received={"value": value.type, "bias": bias.type},
            )
        )
    sizes = tuple(bias.shape[0] if i == axis else 1 for i in range(value.ndim))
    return value + reshape(bias, shape=sizes)
