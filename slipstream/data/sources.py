"""Where elements come from: arrays in memory, ranges, generators."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from slipstream.data.elements import Row, array_of, lists_to_arrays, spec_of
from slipstream.data.indices import IndexStream, counted
from slipstream.data.stage import Stage
from slipstream.errors import message
from slipstream.ir.dtypes import as_dtype
from slipstream.runtime.convert import as_array
from slipstream.runtime.function import TensorSpec
from slipstream.runtime.structure import flatten, flatten_up_to, map_structure
from slipstream.runtime.tensor import EagerTensor


class Slices(Stage):
    """One element for each index of the first dimension."""

    label = "TensorSlice"

    def __init__(self, tensors: Any) -> None:
        structure = lists_to_arrays(tensors)
        self._arrays = tuple(flatten(structure))
        if not self._arrays:
            raise ValueError("Invalid `tensors`. `tensors` must not be empty.")
        if any(a.ndim == 0 for a in self._arrays):
            raise ValueError(
                message(
                    "from_tensor_slices",
                    "a scalar has no slices",
                    expected="arrays of at least one dimension",
                    hint="Dataset.from_tensors",
                )
            )
        lengths = {len(a) for a in self._arrays}
        if len(lengths) > 1:
            raise ValueError(
                message(
                    "from_tensor_slices",
                    "the arrays differ in their first dimension",
                    received={"lengths": sorted(lengths)},
                )
            )
        self._spec = spec_of(map_structure(lambda a: a[:0].reshape(0, *a.shape[1:]), structure))
        self._spec = map_structure(lambda s: TensorSpec(s.shape[1:], s.dtype), self._spec)

    @property
    def element_spec(self) -> Any:
        return self._spec

    def size(self) -> int:
        return len(self._arrays[0])

    def rows(self) -> Iterator[Row]:
        return (tuple(np.asarray(a[i]) for a in self._arrays) for i in range(self.size()))

    def index_stream(self) -> IndexStream:
        return IndexStream(self._arrays, counted(self.size()))


class Single(Stage):
    """The tensors themselves, as one element."""

    label = "Tensor"

    def __init__(self, tensors: Any) -> None:
        structure = lists_to_arrays(tensors)
        self._row, self._spec = tuple(flatten(structure)), spec_of(structure)

    @property
    def element_spec(self) -> Any:
        return self._spec

    def size(self) -> int:
        return 1

    def rows(self) -> Iterator[Row]:
        return iter([self._row])


class Range(Stage):
    """Numbers from a start to before a stop, by steps."""

    label = "Range"

    def __init__(self, *args: Any, output_type: Any = "int64") -> None:
        self._range = range(*(int(a) for a in args))
        self._dtype = as_dtype(output_type)

    @property
    def element_spec(self) -> TensorSpec:
        return TensorSpec((), self._dtype)

    def size(self) -> int:
        return len(self._range)

    def rows(self) -> Iterator[Row]:
        numpy = self._dtype.numpy
        return ((np.asarray(i, numpy),) for i in self._range)

    def index_stream(self) -> IndexStream | None:
        if len(self._range) > 1 << 24:
            return None
        return IndexStream((np.array(self._range, self._dtype.numpy),), counted(self.size()))


class Generated(Stage):
    """What a Python generator yields."""

    label = "FlatMap"  # which is how TensorFlow builds and prints it

    def __init__(self, generator: Callable[..., Any], args: Any, signature: Any) -> None:
        if not callable(generator):
            raise TypeError("`generator` must be a Python callable.")
        self._generator, self._args, self._spec = generator, args, signature

    @property
    def element_spec(self) -> Any:
        return self._spec

    def rows(self) -> Iterator[Row]:
        specs = flatten(self._spec)
        for element in self._generator(*(EagerTensor(array_of(a)) for a in self._args)):
            leaves = flatten_up_to(self._spec, element)
            yield tuple(_fitted(v, s) for v, s in zip(leaves, specs, strict=True))


def _fitted(value: Any, spec: TensorSpec) -> Any:
    array = value.array if isinstance(value, EagerTensor) else as_array(value, spec.dtype)
    if spec.shape is not None and not spec.shape.is_compatible_with(array.shape):
        raise TypeError(
            message(
                "from_generator",
                "the generator yielded an array of another shape than its signature says",
                expected=str(spec.shape),
                received={"shape": array.shape},
            )
        )
    return array


def signature_of(output_types: Any, output_shapes: Any, output_signature: Any) -> Any:
    """One structure of TensorSpecs from either way of saying it."""
    if output_signature is not None:
        return output_signature
    if output_types is None:
        raise TypeError("from_generator needs output_signature, or output_types")
    if output_shapes is None:
        return map_structure(lambda dtype: TensorSpec(None, dtype), output_types)
    return _paired(output_types, output_shapes)


def _paired(types: Any, shapes: Any) -> Any:
    if isinstance(types, dict):
        return {key: _paired(types[key], shapes[key]) for key in types}
    if isinstance(types, (tuple, list)):
        return tuple(_paired(t, s) for t, s in zip(types, shapes, strict=True))
    return TensorSpec(shapes, types)
