"""What convolution and pooling are told: the layout, strides, dilations and padding of a window.

`Layout` reads the arguments as TensorFlow writes them (a number, one a spatial axis, or one an axis
of the tensor in its data format) and brings tensors to channels last, [n, *spatial, c], and back.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from slipstream.ir.types import Shape
from slipstream.primitives.base import misfit
from slipstream.primitives.structure import reshape, transpose

FORMATS = {1: ("NWC", "NCW"), 2: ("NHWC", "NCHW"), 3: ("NDHWC", "NCDHW")}
Pairs = tuple[tuple[int, int], ...]


class Layout(NamedTuple):
    """How the tensors of an operation are laid out; `rank` counts the spatial axes."""

    operation: str
    rank: int
    channels_first: bool

    def numbers(self, value: Any, name: str) -> Shape:
        """One number a spatial axis, from a number, a list of them, or one of all axes; or 1."""
        spatial = (1,) * self.rank if value is None else self._spatial(value, name)
        if min(spatial) < 1:
            raise misfit(self.operation, f"{name} below 1", "at least 1", **{name: value})
        return spatial

    def _spatial(self, value: Any, name: str) -> Shape:
        items = _integers(value) or ()
        if len(items) == 1:
            return items * self.rank
        if len(items) == self.rank:
            return items
        if len(items) != self.rank + 2:
            expected = f"an integer, or a list of {self.rank} or {self.rank + 2}"
            raise misfit(self.operation, f"{name} cannot be read", expected, **{name: value})
        outside = (items[0], items[1] if self.channels_first else items[-1])
        if outside != (1, 1):
            happened = f"{name} over the batch or the channels is not possible"
            raise misfit(self.operation, happened, "1 there", **{name: value})
        return items[2:] if self.channels_first else items[1:-1]

    def padding(self, padding: Any, sizes: Shape, extents: Shape, strides: Shape) -> Pairs:
        """How much is added before and after each spatial axis.

        With "SAME" an axis of n becomes one of ceil(n / stride), the odd element after it.
        """
        if isinstance(padding, str):
            kind = padding.upper()
            if kind == "VALID":
                return ((0, 0),) * self.rank
            if kind == "SAME":
                axes = zip(sizes, extents, strides, strict=True)
                return tuple(_same(n, extent, stride) for n, extent, stride in axes)
        elif (pairs := self._explicit(padding)) is not None:
            return pairs
        raise misfit(
            self.operation,
            "the padding cannot be read",
            f'"SAME", "VALID" or {self.rank + 2} pairs, those of the batch and the channels zero',
            padding=repr(padding),
        )

    def _explicit(self, padding: Any) -> Pairs | None:
        try:
            pairs = tuple((int(a), int(b)) for a, b in padding)
        except (TypeError, ValueError):
            return None
        if len(pairs) != self.rank + 2:
            return None
        spatial = pairs[2:] if self.channels_first else pairs[1:-1]
        outside = pairs[0] + (pairs[1] if self.channels_first else pairs[-1])
        return None if any(outside) or min(map(min, spatial)) < 0 else spatial

    def to_last(self, x: Any) -> Any:
        """x with its channels last."""
        if not self.channels_first:
            return x
        axes = x.ndim
        first = axes - self.rank - 1
        return transpose(x, permutation=(*range(first), *range(first + 1, axes), first))

    def from_last(self, x: Any) -> Any:
        """x, whose channels are last, as the data format has it."""
        if not self.channels_first:
            return x
        axes = x.ndim
        first = axes - self.rank - 1
        return transpose(x, permutation=(*range(first), axes - 1, *range(first, axes - 1)))

    def shape_to_last(self, shape: Sequence[int]) -> Shape:
        """A shape in the data format as one with the channels last."""
        shape = tuple(shape)
        return (shape[0], *shape[2:], shape[1]) if self.channels_first else shape

    def one_batch_axis(self, x: Any) -> tuple[Any, Shape]:
        """x with its leading axes as one, and their sizes."""
        shape = x.type.shape
        lead = shape[: len(shape) - self.rank - 1]
        if len(lead) == 1:
            return x, lead
        return reshape(x, shape=(math.prod(lead), *shape[len(lead) :])), lead

    def check_rank(self, x: Any, name: str = "input") -> None:
        """InvalidArgumentError if `x` lacks axes for a batch, the space and the channels."""
        if x.ndim < self.rank + 2:
            expected = f"rank {self.rank + 2}: {FORMATS[self.rank][self.channels_first]}"
            happened = f"the {name} has rank {x.ndim}"
            raise misfit(self.operation, happened, expected, **{name: x.type})


def layout(operation: str, rank: int, data_format: str | None) -> Layout:
    """The layout a data format stands for; None is channels last."""
    if rank not in FORMATS:
        raise misfit(operation, f"there is no window over {rank} axes", "1, 2 or 3 spatial axes")
    last, first = FORMATS[rank]
    if data_format not in (None, last, first):
        expected = f"{last} or {first}"
        raise misfit(operation, "there is no such data format", expected, data_format=data_format)
    return Layout(operation, rank, data_format == first)


def _integers(value: Any) -> Shape | None:
    """A number or a list of numbers as a tuple; None if it is neither."""
    try:
        items = tuple(value) if hasattr(value, "__len__") else (value,)
        return tuple(item.__index__() for item in items)
    except (TypeError, AttributeError):
        return None


def _same(size: int, extent: int, stride: int) -> tuple[int, int]:
    total = max((-(-size // stride) - 1) * stride + extent - size, 0)
    return total // 2, total - total // 2


def extents(window: Shape, dilation: Shape) -> Shape:
    """How far a dilated window reaches."""
    return tuple((k - 1) * d + 1 for k, d in zip(window, dilation, strict=True))
