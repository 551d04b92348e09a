"""`operation`: what every public function of tensors is wrapped in.

The current interpreter decides whether the function runs now (eagerly or into the trace) or is
written down as one step
of a TensorFlow 1 graph. An error leaves without the frames inside Slipstream.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from slipstream.errors import OpError
from slipstream.primitives.base import LEVEL

P = ParamSpec("P")
R = TypeVar("R")
OPERATIONS: set[Callable[..., object]] = set()  # every public operation


def operation(function: Callable[P, R]) -> Callable[P, R]:
    """Make `function`, a composition of primitives, a public operation."""

    @functools.wraps(function)
    def called(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return LEVEL.interpreter.compose(function, args, kwargs)  # type: ignore[union-attr, no-any-return]
        except (OpError, ValueError, TypeError) as error:
            raise shortened(error) from error.__cause__

    OPERATIONS.add(called)
    return called


def shortened(error: Exception) -> Exception:
    """The error without the frames it passed inside the package."""
    error.__suppress_context__ = True
    return error.with_traceback(None)
