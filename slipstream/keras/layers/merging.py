"""Several inputs into one: Add, Multiply, Concatenate, Dot, ..."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from slipstream.keras.layers.layer import Layer
from slipstream.ops import arithmetic
from slipstream.ops.comparison import logical_and, logical_or
from slipstream.ops.equation import einsum
from slipstream.ops.normalization import l2_normalize
from slipstream.ops.shaping import concat, expand_dims


class BaseMerge(Layer):
    """A function of a list of tensors whose shapes broadcast."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.supports_masking = True

    def _merge(self, x: Any, y: Any) -> Any:
        """Two inputs into one."""
        raise TypeError(f"{type(self).__name__} merges nothing; use one of its subclasses")

    def build(self, input_shape: Any) -> None:
        if not isinstance(input_shape, (list, tuple)) or not isinstance(
            input_shape[0], (list, tuple)
        ):
            raise ValueError(
                f"A merge layer should be called on a list of inputs. Received: {input_shape}"
            )
        self._check_count(len(input_shape))

    def _check_count(self, count: int) -> None:
        if count < 1:
            raise ValueError(f"A merge layer needs at least one input. Got {count} inputs.")

    def call(self, inputs: Any) -> Any:
        rank = max(len(x.shape) for x in inputs)
        result, *rest = [_with_rank(x, rank) for x in inputs]
        for x in rest:
            result = self._merge(result, x)
        return result

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        present = [m for m in previous_mask or [] if m is not None]
        if not present:
            return None
        found, *rest = present
        for mask in rest:
            found = logical_or(found, mask)
        return found


def _with_rank(x: Any, rank: int) -> Any:
    """Axes of size 1 after the batch, so that ranks agree."""
    while len(x.shape) < rank:
        x = expand_dims(x, 1)
    return x


class Add(BaseMerge):
    """The sum."""

    def _merge(self, x: Any, y: Any) -> Any:
        return arithmetic.add(x, y)


class Subtract(BaseMerge):
    """The first minus the second."""

    def _check_count(self, count: int) -> None:
        if count != 2:
            raise ValueError(
                f"A `Subtract` layer should be called on exactly 2 inputs. Got {count}"
            )

    def _merge(self, x: Any, y: Any) -> Any:
        return arithmetic.subtract(x, y)


class Multiply(BaseMerge):
    """The product."""

    def _merge(self, x: Any, y: Any) -> Any:
        return arithmetic.multiply(x, y)


class Average(BaseMerge):
    """The mean."""

    def _merge(self, x: Any, y: Any) -> Any:
        return arithmetic.add(x, y)

    def call(self, inputs: Any) -> Any:
        return super().call(inputs) * (1.0 / len(inputs))


class Maximum(BaseMerge):
    """The largest."""

    def _merge(self, x: Any, y: Any) -> Any:
        return arithmetic.maximum(x, y)


class Minimum(BaseMerge):
    """The smallest."""

    def _merge(self, x: Any, y: Any) -> Any:
        return arithmetic.minimum(x, y)


class Concatenate(BaseMerge):
    """One after the other along an axis."""

    def __init__(self, axis: int = -1, **options: Any) -> None:
        super().__init__(**options)
        self.axis = int(axis)

    def build(self, input_shape: Any) -> None:
        super().build(input_shape)
        ranks = {len(shape) for shape in input_shape}
        axis = self.axis % max(ranks)
        rest = {tuple(s[:axis]) + tuple(s[axis + 1 :]) for s in map(tuple, input_shape)}
        known = {shape for shape in rest if None not in shape}
        if len(ranks) > 1 or len(known) > 1:
            raise ValueError(
                "A `Concatenate` layer requires inputs with matching shapes except for the "
                f"concatenation axis. Received: input_shape={input_shape}"
            )

    def call(self, inputs: Any) -> Any:
        return concat(inputs, self.axis)

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """Where no input is masked: the masks of other axes than time agree."""
        present = [m for m in previous_mask or [] if m is not None]
        if not present:
            return None
        rank = len(inputs[0].shape)
        if self.axis % rank == 1 and len(present) == len(inputs):
            return concat(present, 1)
        found, *rest = present
        for mask in rest:
            found = logical_and(found, mask)
        return found

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"axis": self.axis}


class Dot(BaseMerge):
    """Products of two inputs summed along an axis of each; of unit vectors with `normalize`."""

    def __init__(self, axes: Any, normalize: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self.axes = axes if isinstance(axes, int) else tuple(axes)
        self.normalize = normalize
        if not isinstance(self.axes, int) and len(self.axes) != 2:
            raise ValueError(
                f"Invalid format for argument `axes`: it should have two elements. Received: {axes}"
            )

    def _check_count(self, count: int) -> None:
        if count != 2:
            raise ValueError(f"A `Dot` layer should be called on exactly 2 inputs. Got {count}")

    def call(self, inputs: Any) -> Any:
        x, y = inputs
        both = (self.axes, self.axes) if isinstance(self.axes, int) else self.axes
        a, b = both[0] % len(x.shape), both[1] % len(y.shape)
        if self.normalize:
            x, y = l2_normalize(x, axis=a), l2_normalize(y, axis=b)
        left = ["b", *"cdefg"[: len(x.shape) - 1]]
        right = ["b", *"hijkl"[: len(y.shape) - 1]]
        right[b] = left[a]
        out = [n for n in left if n != left[a]] + [n for n in right[1:] if n != left[a]]
        product = einsum(f"{''.join(left)},{''.join(right)}->{''.join(out)}", x, y)
        return expand_dims(product, -1) if len(out) == 1 else product

    def compute_mask(self, inputs: Any, previous_mask: Any) -> None:
        return None

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"axes": self.axes, "normalize": self.normalize}


def _function(kind: Callable[..., Layer], name: str) -> Callable[..., Any]:
    def merged(inputs: Any, **options: Any) -> Any:
        return kind(**options)(inputs)

    merged.__name__ = merged.__qualname__ = name
    merged.__doc__ = f"`{kind.__name__}` as a function of a list of tensors."
    return merged


add = _function(Add, "add")
subtract = _function(Subtract, "subtract")
multiply = _function(Multiply, "multiply")
average = _function(Average, "average")
maximum = _function(Maximum, "maximum")
minimum = _function(Minimum, "minimum")
concatenate = _function(Concatenate, "concatenate")


def dot(inputs: Any, axes: Any = -1, **options: Any) -> Any:
    """`Dot` as a function of two tensors."""
    return Dot(axes, **options)(inputs)
