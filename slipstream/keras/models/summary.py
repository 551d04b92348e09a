"""`summary()`: the layers of a model as a table."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from slipstream.runtime.structure import map_structure

WIDTH = 76  # of the table, unless a line length is given
CONNECTED = "Connected to"
COLUMNS = {  # shares of the width
    "Layer (type)": 33, "Output Shape": 24, "Param #": 15,
}  # fmt: skip
COLUMNS_OF_GRAPH = {"Layer (type)": 21, "Output Shape": 19, "Param #": 12, CONNECTED: 19}


class Options(NamedTuple):
    """How `summary` was asked for."""

    line_length: int | None = None
    print_fn: Any = None
    expand_nested: bool = False
    show_trainable: bool = False
    layer_range: Sequence[str] | None = None


def print_summary(model: Any, options: Options) -> None:
    """The table, then how many numbers the model holds and how many bytes they are."""
    from rich.console import Console

    width = options.line_length or WIDTH
    console = Console(highlight=False, width=max(width, 80))
    with console.capture() as captured:
        console.print(f'[bold]Model: "{model.name}"[/bold]')
        console.print(_table(model, width, options))
        for label, weights in _groups(model):
            console.print(f" [bold]{label}:[/bold] {_size(weights)}")
    show = options.print_fn or (lambda text: print(text, end=""))
    show(captured.get())


def _table(model: Any, width: int, options: Options) -> Any:
    from rich.table import Table

    callers = _callers(model)
    table = Table(width=width, show_lines=True)
    for heading, share in (COLUMNS if callers is None else COLUMNS_OF_GRAPH).items():
        justify: Any = "right" if heading == "Param #" else "left"
        table.add_column(heading, justify=justify, ratio=share, overflow="ellipsis")
    if options.show_trainable:
        table.add_column("Trainable", justify="center", ratio=7, overflow="ellipsis")
    for layer, depth in _rows(model, options):
        row = [_name(layer, depth), _output_shape(layer), _count(layer)]
        if callers is not None:
            row.append("\n".join(callers.get(id(layer), [])) or "-")
        if options.show_trainable:
            row.append("-" if not layer.weights else "Y" if layer.trainable else "N")
        table.add_row(*row)
    return table


def _rows(model: Any, options: Options) -> Iterator[tuple[Any, int]]:
    """The layers and how deep they are nested, within the range asked for."""
    for layer in _in_range(list(model.layers), options.layer_range):
        yield from _with_nested(layer, 0, options.expand_nested)


def _with_nested(layer: Any, depth: int, expand: bool) -> Iterator[tuple[Any, int]]:
    yield layer, depth
    if expand and hasattr(layer, "optimizer"):
        for inner in layer.layers:
            yield from _with_nested(inner, depth + 1, expand)


def _in_range(layers: list[Any], layer_range: Sequence[str] | None) -> list[Any]:
    """From the first layer whose name fits the first pattern to the last that fits the second."""
    if layer_range is None:
        return layers
    begin, end = layer_range
    first = [n for n, layer in enumerate(layers) if re.match(begin, layer.name)]
    last = [n for n, layer in enumerate(layers) if re.match(end, layer.name)]
    if not first or not last:
        raise ValueError(
            f"Passed layer_range does not match any layer of the model. Received: {layer_range}"
        )
    low, high = sorted((first[0], last[-1]))
    return layers[low : high + 1]


def _callers(model: Any) -> dict[int, list[str]] | None:
    """What the calls of each layer take, as 'name[call][output]'; None where all is one chain."""
    calls = [node for node in getattr(model, "_calls", ()) if not node.is_input]
    takes = [[t._keras_history for t in node.inputs] for node in calls]
    chain = [None, *(node.operation for node in calls)]
    follows = all(
        len(taken) == 1 and (before is None or taken[0].operation is before)
        for taken, before in zip(takes, chain, strict=False)
    )
    distinct = len({id(node.operation) for node in calls}) == len(calls)
    if not calls or (follows and distinct):
        return None
    found: dict[int, list[str]] = {}
    for node, taken in zip(calls, takes, strict=True):
        found.setdefault(id(node.operation), []).extend(
            f"{h.operation.name}[{h.node_index}][{h.tensor_index}]" for h in taken
        )
    return found


def _name(layer: Any, depth: int) -> str:
    data = getattr(layer, "serialized", None)  # an operation goes by its name in Keras
    kind = data()["class_name"] if data is not None else type(layer).__name__
    return f"{'   ' * depth}{'└ ' if depth else ''}{layer.name} ({kind})"


def _groups(model: Any) -> list[tuple[str, list[Any]]]:
    groups = [
        ("Total params", model.weights),
        ("Trainable params", model.trainable_weights),
        ("Non-trainable params", model.non_trainable_weights),
    ]
    optimizer = getattr(model, "optimizer", None)
    if optimizer is not None and optimizer.built:
        groups.append(("Optimizer params", optimizer.variables))
        groups[0] = ("Total params", [*model.weights, *optimizer.variables])
    return groups


def _size(weights: list[Any]) -> str:
    count = sum(int(np.prod(tuple(w.shape), dtype=np.int64)) for w in weights)
    size = sum(int(np.prod(tuple(w.shape), dtype=np.int64)) * w.dtype.size for w in weights)
    return f"{count:,} ({_bytes(size)})"


def _bytes(size: float) -> str:
    for unit in ("B", "KB", "MB"):
        if size < 1024:
            return f"{size:.2f} {unit}"
        size /= 1024
    return f"{size:.2f} GB"


def _count(layer: Any) -> str:
    return f"{layer.count_params():,}" if layer.built else "0 (unbuilt)"


def _output_shape(layer: Any) -> str:
    """That of the layer's last drawn call, else the one for the shape it was built for, with any
    number of samples.
    """
    nodes = layer._inbound_nodes
    if nodes:
        shapes = map_structure(lambda t: tuple(t.shape), nodes[-1].structure)
        return str(shapes)
    try:
        _, *sizes = layer.get_build_config()["input_shape"]
        return str(tuple(layer.compute_output_shape((None, *sizes))))
    except (AttributeError, KeyError, TypeError, ValueError):
        return "?"
