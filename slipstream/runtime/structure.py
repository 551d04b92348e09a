"""Structures of users: tuples, named tuples, lists and dictionaries, flattened to a list and packed
again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any


def is_nested(structure: Any) -> bool:
    return isinstance(structure, (list, tuple, Mapping))


def flatten(structure: Any) -> list[Any]:
    """The leaves, in order; dictionaries by sorted key.

    >>> flatten({"b": 2, "a": [0, 1]})
    [0, 1, 2]
    """
    flat: list[Any] = []
    _flatten_into(structure, flat)
    return flat


def _flatten_into(structure: Any, flat: list[Any]) -> None:
    if isinstance(structure, Mapping):
        for key in sorted_keys(structure):
            _flatten_into(structure[key], flat)
    elif isinstance(structure, (list, tuple)) and not hasattr(structure, "as_list"):
        for item in structure:
            _flatten_into(item, flat)
    else:
        flat.append(structure)


def flatten_up_to(shallow: Any, structure: Any) -> list[Any]:
    """The parts of `structure` that stand where `shallow` has its leaves.

    >>> flatten_up_to((0, 0), ([1, 2], 3))
    [[1, 2], 3]
    """
    if isinstance(shallow, Mapping):
        keys = sorted_keys(shallow)
        return [part for key in keys for part in flatten_up_to(shallow[key], structure[key])]
    if not isinstance(shallow, (list, tuple)) or hasattr(shallow, "as_list"):
        return [structure]
    if not isinstance(structure, (list, tuple)) or len(shallow) != len(structure):
        raise TypeError(f"{structure!r} is not nested as {shallow!r}")
    pairs = zip(shallow, structure, strict=True)
    return [part for s, t in pairs for part in flatten_up_to(s, t)]


def sorted_keys(mapping: Mapping[Any, Any]) -> list[Any]:
    try:
        return sorted(mapping)
    except TypeError:
        return list(mapping)


def pack(structure: Any, flat: list[Any]) -> Any:
    """The leaves `flat` in the shape of `structure`."""
    leaves = iter(flat)
    packed = _pack(structure, leaves)
    if next(leaves, leaves) is not leaves:
        raise ValueError("more leaves than the structure has places")
    return packed


def _pack(structure: Any, leaves: Any) -> Any:
    if isinstance(structure, Mapping):
        found = {key: _pack(structure[key], leaves) for key in sorted_keys(structure)}
        ordered = {key: found[key] for key in structure}
        return ordered if type(structure) is dict else type(structure)(ordered)  # type: ignore[call-arg]
    if isinstance(structure, tuple) and hasattr(structure, "_fields"):
        return type(structure)(*(_pack(item, leaves) for item in structure))
    if isinstance(structure, (list, tuple)) and not hasattr(structure, "as_list"):
        return type(structure)(_pack(item, leaves) for item in structure)
    return next(leaves)


def map_structure(function: Callable[..., Any], *structures: Any) -> Any:
    """`function` of corresponding leaves, in the shape of the first structure."""
    columns = [flatten(s) for s in structures]
    if len({len(column) for column in columns}) != 1:
        raise ValueError("The structures do not have the same number of leaves")
    return pack(structures[0], [function(*leaves) for leaves in zip(*columns, strict=True)])


def assert_same_structure(first: Any, second: Any) -> None:
    """ValueError unless both have the same nesting."""
    if map_structure(lambda _: None, first) != map_structure(lambda _: None, second):
        raise ValueError(f"The two structures are not nested alike: {first!r} and {second!r}")
