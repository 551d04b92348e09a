"""Weights in HDF5, laid out as Keras 3 does: a group a layer, `vars/0`, `vars/1`, ... within.

Layers in a list are named by their class in snake case, with a number from the second of a class
on; layers in attributes
by the attribute.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from slipstream.keras.layers.layer import Layer
from slipstream.keras.layers.tracking import named_parts
from slipstream.keras.metrics import Metric
from slipstream.keras.naming import to_snake_case
from slipstream.keras.optimizers import Optimizer
from slipstream.keras.seeds import SeedGenerator

OF_DRAWN = frozenset({"_functional", "_operations", "_calls", "_layers"})
OF_MODEL = OF_DRAWN | {"_loss_tracker"}


def children(item: Any) -> Iterator[tuple[str, Any]]:
    """What an object holds that has variables, by the names of its groups.

    The layers of a drawn model come first; then attributes, in the order of the alphabet and those
    with an underscore last. What two of them hold is in the group of the first, as in Keras.
    """
    held = {n: v for n, v in named_parts(item) if n not in OF_MODEL and _holds_state(v)}
    if isinstance(item, Layer) and hasattr(item, "optimizer"):
        held["layers"] = list(item.layers)
        if item.optimizer is not None:
            held["optimizer"] = item.optimizer
        if not OF_DRAWN.isdisjoint(vars(item)):
            yield "layers", held.pop("layers")
    yield from sorted(held.items(), key=lambda entry: (entry[0].startswith("_"), entry[0]))


def _holds_state(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return any(_holds_state(part) for part in value)
    if isinstance(value, dict):
        return any(_holds_state(part) for part in value.values())
    return isinstance(value, (Layer, Metric, Optimizer, SeedGenerator))


def named_items(values: Any) -> Iterator[tuple[str, Any]]:
    """The parts of a list or dictionary, by the names of their groups."""
    parts = list(values.values()) if isinstance(values, dict) else list(values)
    used: dict[str, int] = {}
    for part in parts:
        if not _holds_state(part):
            continue
        name = to_snake_case(type(part).__name__)
        number = used.get(name, 0)
        used[name] = number + 1
        yield (f"{name}_{number}" if number else name), part


def save_state(item: Any, group: Any, seen: set[int] | None = None) -> None:
    """Write the variables of an object and of what it holds into an HDF5 group."""
    seen = set() if seen is None else seen
    if isinstance(item, (list, tuple, dict)):
        for name, part in named_items(item):
            save_state(part, group.require_group(name), seen)
        return
    if id(item) in seen:
        return
    seen.add(id(item))
    _save_own(item, group.require_group("vars"))
    for name, child in children(item):
        if isinstance(child, (list, tuple, dict)) or id(child) not in seen:
            save_state(child, group.require_group(name), seen)


def _save_own(item: Any, store: Any) -> None:
    if isinstance(item, SeedGenerator):
        store["0"] = item.state.numpy()
    elif isinstance(item, Metric):
        for number, variable in enumerate(item.variables):
            store[str(number)] = variable.numpy()
    else:
        item.save_own_variables(_Writing(store))


class _Writing:
    """An HDF5 group that takes arrays by name."""

    def __init__(self, group: Any) -> None:
        self._group = group

    def __setitem__(self, name: str, array: Any) -> None:
        self._group.create_dataset(name, data=array)


def load_state(
    item: Any, group: Any, skip_mismatch: bool = False, seen: set[int] | None = None
) -> None:
    """Take the variables of an object and of what it holds from an HDF5 group."""
    seen = set() if seen is None else seen
    if isinstance(item, (list, tuple, dict)):
        for name, part in named_items(item):
            if name in group:
                load_state(part, group[name], skip_mismatch, seen)
        return
    if id(item) in seen:
        return
    seen.add(id(item))
    try:
        _load_own(item, group.get("vars", {}))
    except ValueError:
        if not skip_mismatch:
            raise
    for name, child in children(item):
        if name in group:
            load_state(child, group[name], skip_mismatch, seen)


def _load_own(item: Any, store: Any) -> None:
    if isinstance(item, SeedGenerator):
        if "0" in store:
            item.state.assign(store["0"][()])
    elif isinstance(item, Metric):
        for number, variable in enumerate(item.variables):
            if str(number) in store:
                variable.assign(store[str(number)][()])
    else:
        item.load_own_variables(_Reading(store))


class _Reading:
    """An HDF5 group that gives arrays by name."""

    def __init__(self, group: Any) -> None:
        self._group = group

    def keys(self) -> list[str]:
        return list(self._group)

    def __getitem__(self, name: str) -> Any:
        return self._group[name][()]
