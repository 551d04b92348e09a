"""Elements of a pipeline: flat lists of arrays inside, structures of tensors outside."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from slipstream.ir.dtypes import from_numpy
from slipstream.ir.graph import Array
from slipstream.runtime.convert import TensorLike, as_array, convert
from slipstream.runtime.function import TensorSpec
from slipstream.runtime.structure import flatten, map_structure, pack
from slipstream.runtime.tensor import EagerTensor

Row = tuple[Array, ...]  # the leaves of one element


class NestedDatasets:
    """The spec of an element that is itself a dataset, as `window` gives them."""

    def __init__(self, element_spec: Any) -> None:
        self.element_spec = element_spec

    def __repr__(self) -> str:
        return f"DatasetSpec({self.element_spec!r}, TensorShape([]))"


def array_of(value: Any) -> Array:
    """One leaf as an array, by the rules of `convert`."""
    if isinstance(value, EagerTensor):
        return value.array
    if isinstance(value, TensorLike):
        tensor = convert(value)
        found: Array = tensor.array
        return found
    return value if isinstance(value, np.ndarray) and _plain(value) else as_array(value, None)


def _plain(array: Array) -> bool:
    return array.dtype.kind in "biufc"


def lists_to_arrays(structure: Any) -> Any:
    """A user's structure in which lists are data, as `from_tensor_slices` takes them."""
    if isinstance(structure, dict):
        return {key: lists_to_arrays(value) for key, value in structure.items()}
    if isinstance(structure, tuple):
        made = [lists_to_arrays(value) for value in structure]
        return type(structure)(*made) if hasattr(structure, "_fields") else tuple(made)
    return array_of(structure)


def spec_of(structure: Any) -> Any:
    """The TensorSpecs of a structure of arrays."""
    return map_structure(lambda leaf: TensorSpec(leaf.shape, from_numpy(leaf.dtype)), structure)


def row_of(structure: Any) -> Row:
    """The leaves of a user's element as arrays."""
    return tuple(array_of(leaf) for leaf in flatten(structure))


def wrap(spec: Any, row: Sequence[Any]) -> Any:
    """A row as the structure of tensors that users see."""
    leaves = [EagerTensor(a) if isinstance(a, np.ndarray) else a for a in row]
    return pack(spec, leaves)


def stack(rows: Sequence[Row]) -> Row:
    """One row that holds several, with a first dimension more."""
    return tuple(np.stack(column) for column in zip(*rows, strict=True))


def merged_sizes(first: TensorSpec, second: TensorSpec) -> TensorSpec:
    """The spec of arrays of either spec."""
    a, b = first.shape, second.shape
    if a is None or b is None or len(a) != len(b):
        return TensorSpec(None, first.dtype)
    sizes = [n if n == m else None for n, m in zip(a, b, strict=True)]
    return TensorSpec(sizes, first.dtype)
