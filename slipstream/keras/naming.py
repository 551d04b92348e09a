"""Names: snake case, and a number behind a name that is used again."""

from __future__ import annotations

import re
from collections import Counter

_used: Counter[str] = Counter()


def to_snake_case(name: str) -> str:
    """'Conv2DTranspose' as 'conv2d_transpose'.

    >>> to_snake_case("BatchNormalization")
    'batch_normalization'
    """
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def auto_name(prefix: str) -> str:
    """`dense`, then `dense_1`, `dense_2`, ..."""
    prefix = to_snake_case(prefix)
    number = _used[prefix]
    _used[prefix] += 1
    return f"{prefix}_{number}" if number else prefix


def get_uid(prefix: str = "") -> int:
    """1, 2, 3, ... for each prefix."""
    _used[prefix] += 1
    return _used[prefix]


def reset_names() -> None:
    """Count from the beginning again."""
    _used.clear()
