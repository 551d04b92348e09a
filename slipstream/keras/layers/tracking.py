"""Finding what belongs to a layer: the variables, layers, metrics and seeds in its attributes.

Nothing is registered when an attribute is set. Attributes, and the lists and dictionaries in them,
are walked when somebody asks, in the order in which they were first set.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from slipstream.runtime.variable import Variable

# what belongs to the engine, not to the model
ENGINE = frozenset(
    {"_inbound_nodes", "_init_arguments", "_losses", "_metrics_of_compile", "_traced_methods",
     "_input_spec", "_compiled", "_functions", "optimizer", "_metrics_tracker", "_build_shapes"}
)  # fmt: skip


def parts(item: Any) -> Iterator[Any]:
    """The values of an object's attributes, with lists, tuples and dictionaries taken apart."""
    for name, value in vars(item).items():
        if name not in ENGINE:
            if _holds_others(type(value)):
                yield from _leaves(value)
            else:
                yield value


@lru_cache(maxsize=1024)
def _holds_others(kind: type) -> bool:
    """Whether values of a type are taken apart."""
    return issubclass(kind, (list, tuple, set, Mapping))


def named_parts(item: Any) -> Iterator[tuple[str, Any]]:
    """The attributes of an object by name, with the engine's left out."""
    return ((name, value) for name, value in vars(item).items() if name not in ENGINE)


def _leaves(value: Any) -> Iterator[Any]:
    if not _holds_others(type(value)):
        yield value
        return
    for part in value.values() if isinstance(value, Mapping) else value:
        yield from _leaves(part)


def distinct(items: Any) -> list[Any]:
    """Each object once, in the order in which it comes first."""
    return list({id(item): item for item in items}.values())


def is_variable(item: Any) -> bool:
    return isinstance(item, Variable)
