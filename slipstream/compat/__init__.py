"""`tf.compat`: older faces under the names that programs know them by."""

from __future__ import annotations

from typing import Any

from slipstream import v1

__all__ = ["as_bytes", "as_str", "as_text", "v1"]


def as_text(value: Any, encoding: str = "utf-8") -> str:
    """Bytes or text, as text."""
    return value.decode(encoding) if isinstance(value, bytes) else str(value)


as_str = as_text


def as_bytes(value: Any, encoding: str = "utf-8") -> bytes:
    """Bytes or text, as bytes."""
    return value if isinstance(value, bytes) else str(value).encode(encoding)
