"""The errors users see, and how they find the user's own line.

Every user error reads `[operation] what happened; expected ...; received ...; try ...`, and ends
with the file and line of the program that asked. The classes and their codes are those of
`tf.errors`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

PACKAGE = str(Path(__file__).absolute().parent) + os.sep


class OpError(Exception):
    """Base class of `tf.errors`: an operation could not be carried out.

    Made of a message, or as in TensorFlow of (node, operation, message).
    """

    code = 2
    node_def: object = None
    op: object = None

    def __init__(self, *args: object) -> None:
        if len(args) == 3:
            self.node_def, self.op, *rest = args
            args = tuple(rest)
        super().__init__(*args)

    @property
    def message(self) -> str:
        """What happened."""
        return str(self)

    @property
    def error_code(self) -> int:
        """The number of this class of errors."""
        return self.code


class CancelledError(OpError):
    code = 1


class UnknownError(OpError):
    code = 2


class InvalidArgumentError(OpError, ValueError):
    """An operation received shapes, dtypes or values it cannot work with."""

    code = 3


class NotWhileTracing(InvalidArgumentError, TypeError):
    """An operation needs values that a traced program has only when it runs."""


class DeadlineExceededError(OpError):
    code = 4


class NotFoundError(OpError):
    code = 5


class AlreadyExistsError(OpError):
    code = 6


class PermissionDeniedError(OpError):
    code = 7


class ResourceExhaustedError(OpError):
    code = 8


class FailedPreconditionError(OpError):
    """The program is not in the state the operation needs, as for an uninitialised variable."""

    code = 9


class AbortedError(OpError):
    code = 10


class OutOfRangeError(OpError):
    """An iteration went past the end of its input."""

    code = 11


class UnimplementedError(OpError):
    code = 12


class InternalError(OpError):
    """A defect of Slipstream's own: the message asks the user to report it."""

    code = 13


class UnavailableError(OpError):
    code = 14


class DataLossError(OpError):
    """A file is truncated or corrupt."""

    code = 15


class UnauthenticatedError(OpError):
    code = 16


def user_line() -> str | None:
    """The `file:line` of the nearest calling frame outside this package, or None."""
    frame = sys._getframe(1)
    while frame is not None:
        path = frame.f_code.co_filename
        if not path.startswith(PACKAGE) and not path.startswith("<frozen"):
            return f"{path}:{frame.f_lineno}"
        frame = frame.f_back  # type: ignore[assignment]
    return None


def message(
    operation: str,
    happened: str,
    *,
    expected: str = "",
    received: Mapping[str, object] | None = None,
    hint: str = "",
    line: str | None = None,
) -> str:
    """One error text: `[operation] happened; expected ...; received a=..., b=...; try ...`."""
    parts = [f"[{operation}] {happened}"]
    if expected:
        parts.append(f"expected {expected}")
    if received:
        parts.append("received " + ", ".join(f"{name}={value}" for name, value in received.items()))
    if hint:
        parts.append(f"try {hint}")
    line = line or user_line()
    return "; ".join(parts) + (f"\n  at {line}" if line else "")


def located(error: Exception, origin: str | None) -> Exception:
    """The error of a node of a program, with the line of the user's program that asked for it."""
    text = str(error).split("\n  at ")[0]
    moved = type(error)(text + (f"\n  at {origin}" if origin else ""))
    moved.__suppress_context__ = True
    return moved
