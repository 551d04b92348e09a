"""The default sessions: what `tensor.eval()` and `operation.run()` use."""

from __future__ import annotations

from typing import Any

SESSIONS: list[Any] = []  # innermost last


def get_default_session() -> Any:
    """The innermost default session, or None."""
    return SESSIONS[-1] if SESSIONS else None


def require_session(session: Any, what: str) -> Any:
    """`session`, or the default one; ValueError where there is none."""
    found = session or get_default_session()
    if found is None:
        raise ValueError(
            f"Cannot {what} using `eval()` or `run()`: No default session is registered. Use "
            "`with sess.as_default()` or pass an explicit session"
        )
    return found
