"""`summary()`: the layers of a model as a table."""

from __future__ import annotations

from typing import Any

import numpy as np

HEADINGS = ("Layer (type)", "Output Shape", "Param #")


def print_summary(
    model: Any, line_length: int | None, print_fn: Any, show_trainable: bool = False
) -> None:
    """The table, then how many numbers the model holds and how many bytes they are."""
    from rich.console import Console
    from rich.table import Table

    headings = [*HEADINGS, *(["Trainable"] if show_trainable else [])]
    table = Table(*headings, width=line_length or 72)
    for layer in model.layers:
        row = [f"{layer.name} ({type(layer).__name__})", _output_shape(layer), _count(layer)]
        table.add_row(*row, *(["Y" if layer.trainable else "N"] if show_trainable else []))
    console = Console(highlight=False, width=line_length or 80)
    with console.capture() as captured:
        console.print(f'[bold]Model: "{model.name}"[/bold]')
        console.print(table)
        for label, weights in _groups(model):
            console.print(f" [bold]{label}:[/bold] {_size(weights)}")
    show = print_fn or (lambda text: print(text, end=""))
    show(captured.get())


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
    try:
        shape = layer.output_shape
    except (AttributeError, ValueError):
        return "?"
    return str(shape)
