"""Arrays of labels, sequences and vectors."""

from __future__ import annotations

from typing import Any

import numpy as np

from slipstream.ir.graph import Array


def to_categorical(x: Any, num_classes: int | None = None) -> Array:
    """Class numbers as rows with a one: [...] -> [..., num_classes].

    >>> to_categorical([0, 2]).tolist()
    [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    """
    classes = np.asarray(x, np.int64)
    if classes.ndim > 1 and classes.shape[-1] == 1:
        classes = classes[..., 0]
    count = int(classes.max(initial=-1)) + 1 if num_classes is None else int(num_classes)
    return np.eye(count, dtype=np.float32)[classes]


def normalize(x: Any, axis: int = -1, order: int = 2) -> Array:
    """Vectors along an axis divided by their norm; zeros stay."""
    array = np.asarray(x)
    norm = np.atleast_1d(np.linalg.norm(array, order, axis))
    norm[norm == 0] = 1
    return np.asarray(array / np.expand_dims(norm, axis))


def pad_sequences(
    sequences: Any,
    maxlen: int | None = None,
    dtype: str = "int32",
    padding: str = "pre",
    truncating: str = "pre",
    value: float = 0.0,
) -> Array:
    """Lists of several lengths as one array, cut and filled at their beginning or end.

    >>> pad_sequences([[1], [2, 3]]).tolist()
    [[0, 1], [2, 3]]
    """
    if not hasattr(sequences, "__len__"):
        raise ValueError("`sequences` must be iterable.")
    listed = [np.asarray(s) for s in sequences]
    size = max((len(s) for s in listed), default=0) if maxlen is None else maxlen
    rest = next((s.shape[1:] for s in listed if len(s)), ())
    out = np.full((len(listed), size, *rest), value, dtype=object if dtype == "str" else dtype)
    for row, sequence in zip(out, listed, strict=True):
        if truncating not in ("pre", "post") or padding not in ("pre", "post"):
            raise ValueError(f'"{truncating}", "{padding}": use "pre" or "post"')
        cut = sequence[-size:] if truncating == "pre" and size else sequence[:size]
        if len(cut) and padding == "post":
            row[: len(cut)] = cut
        elif len(cut):
            row[-len(cut) :] = cut
    return out
