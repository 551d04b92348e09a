"""Which positions may see which: masks of attention, bool[..., targets, sources]."""

from __future__ import annotations

from typing import Any

import numpy as np

from slipstream.ir.dtypes import bool_
from slipstream.ops.comparison import logical_and
from slipstream.ops.conversion import cast
from slipstream.ops.shaping import expand_dims
from slipstream.runtime.convert import convert


def causal_mask(targets: int, sources: int) -> Any:
    """No position sees a later one: bool[1, targets, sources]."""
    return convert(np.tri(targets, sources, dtype=np.bool_)[None])


def window_mask(targets: int, sources: int, width: int) -> Any:
    """A position sees the width - 1 before it and after it: bool[1, targets, sources]."""
    distance = np.arange(targets)[:, None] - np.arange(sources)
    return convert((abs(distance) < width)[None])


def merged(*masks: Any) -> Any:
    """Where all masks that are given hold; None without any."""
    found = None
    for mask in masks:
        if mask is not None:
            found = mask if found is None else logical_and(found, mask)
    return found


def of_sequences(query: Any, value: Any, key: Any = None) -> Any:
    """The masks bool[batch, positions] of what is attended from and to, merged; each may be None.

    What is asked at a masked position finds nothing, and nothing finds a masked position.
    """
    rows = None if query is None else expand_dims(cast(query, bool_), -1)
    columns = [None if m is None else expand_dims(cast(m, bool_), -2) for m in (value, key)]
    return merged(rows, *columns)


def with_rank(mask: Any, rank: int, attended: int) -> Any:
    """The mask with axes of size 1 (the heads, and further batch axes) before those attended to.

    `attended` counts the axes of targets, which those of sources follow.
    """
    while len(mask.shape) < rank:
        mask = expand_dims(mask, -2 * attended - 1)
    return mask
