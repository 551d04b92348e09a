"""A node: one call of a layer on KerasTensors, and what it gave."""

from __future__ import annotations

from typing import Any, NamedTuple

from slipstream.keras.symbolic import KerasTensor
from slipstream.runtime.structure import flatten, map_structure


class History(NamedTuple):
    """Where a KerasTensor comes from."""

    operation: Any
    node_index: int
    tensor_index: int


class Node:
    """`layer(*args, **kwargs)` gave `outputs`; KerasTensors stand among the arguments."""

    def __init__(
        self, layer: Any, args: tuple[Any, ...], kwargs: dict[str, Any], outputs: Any
    ) -> None:
        self.operation, self.args, self.kwargs = layer, args, kwargs
        self.outputs: list[KerasTensor] = [t for t in flatten(outputs) if _symbolic(t)]
        self.structure = outputs
        self.inputs: list[KerasTensor] = [t for t in flatten((args, kwargs)) if _symbolic(t)]
        self.index = len(layer._inbound_nodes)
        layer._inbound_nodes.append(self)
        for number, tensor in enumerate(self.outputs):
            tensor._keras_history = History(layer, self.index, number)
            if number == 0 and tensor.name.startswith("keras_tensor"):
                tensor.name = layer.name if self.index == 0 else tensor.name

    @property
    def parents(self) -> list[Node]:
        """The nodes that give the inputs."""
        found = [node_of(tensor) for tensor in self.inputs]
        return list({id(node): node for node in found}.values())

    @property
    def is_input(self) -> bool:
        return not self.inputs

    def arguments(self, values: dict[int, Any]) -> tuple[Any, Any]:
        """The arguments, with what `values` holds by identity in the place of KerasTensors."""

        def leaf(item: Any) -> Any:
            return values[id(item)] if isinstance(item, KerasTensor) else item

        return map_structure(leaf, (self.args, self.kwargs))  # type: ignore[no-any-return]


def _symbolic(item: Any) -> bool:
    return isinstance(item, KerasTensor)


def node_of(tensor: KerasTensor) -> Node:
    """The call that gave a KerasTensor."""
    layer, index, _ = tensor._keras_history
    node: Node = layer._inbound_nodes[index]
    return node
