"""Checks on tensors (`tf.debugging`): done now, or when the traced program runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from slipstream.errors import message
from slipstream.ir.dtypes import as_dtype
from slipstream.ops import comparison
from slipstream.ops.reduction import reduce_all
from slipstream.primitives.base import REGISTRY
from slipstream.runtime.convert import convert, convert_together
from slipstream.runtime.dispatch import operation
from slipstream.runtime.shape import TensorShape


def _check(condition: Any, text: str, *shown: Any) -> None:
    """Fail with InvalidArgumentError, showing tensors, unless the condition holds."""
    REGISTRY["assert"](reduce_all(condition), *shown, message=text)


def _comparison(name: str, sign: str, compare: Callable[..., Any]) -> Callable[..., Any]:
    def checked(
        x: Any, y: Any, message: str | None = None, summarize: Any = None, name: Any = None
    ) -> None:
        x, y = convert_together(x, y)
        _check(compare(x, y), message or f"Condition x {sign} y did not hold", x, y)

    checked.__name__ = checked.__qualname__ = name
    checked.__doc__ = f"InvalidArgumentError unless x {sign} y for all elements."
    return operation(checked)


assert_equal = _comparison("assert_equal", "==", comparison.equal)
assert_none_equal = _comparison("assert_none_equal", "!=", comparison.not_equal)
assert_less = _comparison("assert_less", "<", comparison.less)
assert_less_equal = _comparison("assert_less_equal", "<=", comparison.less_equal)
assert_greater = _comparison("assert_greater", ">", comparison.greater)
assert_greater_equal = _comparison("assert_greater_equal", ">=", comparison.greater_equal)


@operation
def assert_positive(
    x: Any, message: str | None = None, summarize: Any = None, name: Any = None
) -> None:
    """InvalidArgumentError unless x > 0 for all elements."""
    x = convert(x)
    _check(comparison.greater(x, 0), message or "Condition x > 0 did not hold", x)


@operation
def assert_non_negative(
    x: Any, message: str | None = None, summarize: Any = None, name: Any = None
) -> None:
    """InvalidArgumentError unless x >= 0 for all elements."""
    x = convert(x)
    _check(comparison.greater_equal(x, 0), message or "Condition x >= 0 did not hold", x)


@operation
def assert_negative(
    x: Any, message: str | None = None, summarize: Any = None, name: Any = None
) -> None:
    """InvalidArgumentError unless x < 0 for all elements."""
    x = convert(x)
    _check(comparison.less(x, 0), message or "Condition x < 0 did not hold", x)


@operation
def assert_near(
    x: Any, y: Any, rtol: Any = None, atol: Any = None, message: str | None = None,
    summarize: Any = None, name: Any = None,
) -> None:  # fmt: skip
    """InvalidArgumentError unless |x - y| <= atol + rtol |y|, by default ten precisions."""
    x, y = convert_together(x, y)
    step = 10 * 2.0 ** -(51 if x.dtype.bits == 64 else 22)
    bound = abs(y) * (step if rtol is None else rtol) + (step if atol is None else atol)
    _check(
        comparison.less_equal(abs(x - y), bound), message or "x and y not equal to tolerance", x, y
    )


@operation
def check_numerics(tensor: Any, message: str, name: str | None = None) -> Any:
    """The tensor itself; InvalidArgumentError if it holds nan or infinity."""
    tensor = convert(tensor)
    _check(comparison.is_finite(tensor), f"{message} : Tensor had Inf or NaN values", tensor)
    return tensor


assert_all_finite = check_numerics


def assert_rank(x: Any, rank: int, message: str | None = None, name: Any = None) -> None:
    """ValueError unless x has `rank` dimensions."""
    found = convert(x).ndim
    if found != int(rank):
        raise ValueError(
            f"{message or ''} Tensor must have rank {int(rank)}. Received rank {found}"
        )


def assert_shapes(
    shapes: Any,
    data: Any = None,
    summarize: Any = None,
    message: str | None = None,
    name: Any = None,
) -> None:
    """ValueError unless the tensors have their shapes; equal names stand for equal sizes."""
    sizes: dict[Any, int] = {}
    for tensor, expected in shapes.items() if hasattr(shapes, "items") else shapes:
        found = tuple((tensor.deref() if hasattr(tensor, "deref") else convert(tensor)).shape)
        wanted = tuple(expected)
        fits = len(found) == len(wanted) and all(
            w is None or sizes.setdefault(w, n) == n if isinstance(w, (str, type(None))) else w == n
            for w, n in zip(wanted, found, strict=False)
        )
        if not fits:
            raise ValueError(f"{message or ''} Specified by tensor: shape {found} is not {wanted}")


def assert_type(tensor: Any, tf_type: Any, message_: str | None = None, name: Any = None) -> None:
    """TypeError unless the tensor has the dtype."""
    if convert(tensor).dtype is not as_dtype(tf_type):
        raise TypeError(
            message(
                "assert_type",
                "another dtype",
                expected=str(as_dtype(tf_type)),
                received={"tensor": convert(tensor).type},
            )
        )


def is_numeric_tensor(tensor: Any) -> bool:
    """Whether it is a tensor of numbers."""
    dtype = getattr(tensor, "dtype", None)
    return dtype is not None and as_dtype(dtype).kind in ("int", "uint", "float", "complex")


def assert_scalar(tensor: Any, message: str | None = None, name: Any = None) -> Any:
    """The tensor; ValueError unless it has rank 0."""
    found = convert(tensor)
    if found.shape != TensorShape(()):
        raise ValueError(f"{message or 'Expected scalar shape'}, saw shape: {found.shape}")
    return found
