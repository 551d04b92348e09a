"""Functional models: the calls of layers between inputs and outputs, run again on tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from slipstream.keras.layers.inputs import InputLayer
from slipstream.keras.layers.node import Node, node_of
from slipstream.keras.models.model import FUNCTIONAL, Model
from slipstream.keras.registry import deserialize_keras_object, serialize_keras_object
from slipstream.keras.symbolic import KerasTensor
from slipstream.ops.conversion import cast
from slipstream.ops.shaping import expand_dims
from slipstream.runtime.convert import convert
from slipstream.runtime.shape import TensorShape
from slipstream.runtime.structure import flatten, map_structure


class Functional(Model):
    """A model of the layers between KerasTensors; made by `Model(inputs, outputs)`.

    >>> import slipstream as tf
    >>> x = tf.keras.Input((3,))
    >>> model = tf.keras.Model(x, tf.keras.layers.Dense(2)(x))
    >>> model(tf.zeros([4, 3])).shape
    TensorShape([4, 2])
    """

    # Keras has no public name for the class, and finds it in its files by this one
    saved_as: ClassVar[dict[str, str]] = {
        "module": "keras.src.models.functional", "registered_name": "Functional"
    }  # fmt: skip

    def __init__(self, inputs: Any, outputs: Any, name: str | None = None, **options: Any) -> None:
        trainable = options.pop("trainable", None)
        super(Model, self).__init__(name=name, **options)
        self._prepare_training()
        for tensor in (*flatten(inputs), *flatten(outputs)):
            if not isinstance(tensor, KerasTensor):
                raise ValueError(
                    "All `inputs` and `outputs` values must be KerasTensors. Received: "
                    f"{tensor!r} of type {type(tensor).__name__}"
                )
        self._inputs_structure, self._outputs_structure = inputs, outputs
        self._calls = ordered_nodes(flatten(inputs), flatten(outputs))
        self._operations = ordered_layers(self._calls, flatten(outputs))
        self.built = True
        self.supports_masking = True
        if trainable is not None:
            self.trainable = trainable

    @property
    def inputs(self) -> list[Any]:
        return flatten(self._inputs_structure)

    @property
    def outputs(self) -> list[Any]:
        return flatten(self._outputs_structure)

    @property
    def input(self) -> Any:
        return self._inputs_structure

    @property
    def output(self) -> Any:
        return self._outputs_structure

    @property
    def layers(self) -> list[Any]:
        return list(self._operations)

    @property
    def input_names(self) -> list[str]:
        return [tensor.name for tensor in self.inputs]

    @property
    def output_names(self) -> list[str]:
        return [tensor._keras_history.operation.name for tensor in self.outputs]

    def build(self, input_shape: Any = None) -> None:
        """A functional model is built from the beginning."""

    def call(self, inputs: Any, training: Any = None, mask: Any = None) -> Any:
        values = self._placed(inputs, mask)
        for node in self._calls:
            if node.is_input:
                continue
            args, kwargs = node.arguments(values)
            if training is not None and node.operation.call_signature.has_training:
                kwargs = {"training": training} | kwargs
            found = node.operation(*args, **kwargs)
            for tensor, value in zip(node.outputs, flatten(found), strict=True):
                values[id(tensor)] = value
        return map_structure(lambda t: values[id(t)], self._outputs_structure)

    def _placed(self, inputs: Any, mask: Any) -> dict[int, Any]:
        """The tensors of a call in the place of the model's inputs."""
        given = self._in_order(inputs)
        values = {}
        for tensor, value in zip(self.inputs, given, strict=True):
            values[id(tensor)] = self._fitting(tensor, value)
        return values

    def _in_order(self, inputs: Any) -> list[Any]:
        structure = self._inputs_structure
        if isinstance(inputs, dict) and not isinstance(structure, dict):
            missing = [name for name in self.input_names if name not in inputs]
            if missing:
                raise ValueError(
                    f"Missing data for input {missing[0]!r}. You passed a data dictionary with "
                    f"keys {list(inputs)}. Expected the following keys: {self.input_names}"
                )
            return [inputs[name] for name in self.input_names]
        if isinstance(structure, dict) and isinstance(inputs, dict):
            inputs = {key: inputs[key] for key in structure}
        leaves = flatten(inputs)
        if len(leaves) != len(self.inputs):
            raise ValueError(
                f'Layer "{self.name}" expects {len(self.inputs)} input(s), but it received '
                f"{len(leaves)} input tensors."
            )
        return leaves

    def _fitting(self, tensor: KerasTensor, value: Any) -> Any:
        """A value of the input's rank and dtype; ValueError if its sizes do not fit."""
        if isinstance(value, KerasTensor):
            return value
        value = convert(value)
        if len(value.shape) == len(tensor.shape) - 1 and tensor.shape[-1] == 1:
            value = expand_dims(value, -1)
        self.check_shape(tensor, value.shape)
        if value.dtype is tensor.dtype:
            return value
        mask = getattr(value, "_keras_mask", None)
        value = cast(value, tensor.dtype)
        if mask is not None:
            value._keras_mask = mask
        return value

    def check_shape(self, tensor: KerasTensor, shape: Any) -> None:
        """ValueError where an input cannot take a value of this shape."""
        free = (None, *tensor.shape[1:])  # the last batch is often smaller
        if not TensorShape(free).is_compatible_with(shape):
            raise ValueError(
                f'Input {self.inputs.index(tensor)} of layer "{self.name}" is incompatible with '
                f"the layer: expected shape={tensor.shape}, found shape={TensorShape(shape)}"
            )

    # configuration

    def get_config(self) -> dict[str, Any]:
        """The layers, and which call takes what."""
        if type(self) not in (Functional, Model):
            return super().get_config()
        numbers = _call_numbers(self._calls)
        config: dict[str, Any] = {"name": self.name, "trainable": self.trainable, "layers": []}
        for layer in self._operations:
            nodes = [n for n in self._calls if n.operation is layer and not n.is_input]
            data = serialize_keras_object(layer)
            data["name"] = layer.name
            data["inbound_nodes"] = [_serialized_call(node, numbers) for node in nodes]
            config["layers"].append(data)
        config["input_layers"] = _references(self._inputs_structure, numbers)
        config["output_layers"] = _references(self._outputs_structure, numbers)
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        return functional_from_config(cls, config, custom_objects)


def ordered_nodes(inputs: Sequence[KerasTensor], outputs: Sequence[KerasTensor]) -> list[Node]:
    """The calls that lead from inputs to outputs, each after those it needs.

    ValueError where an output depends on an input that is not given.
    """
    begin = {id(tensor) for tensor in inputs}
    found: dict[int, Node] = {id(node_of(t)): node_of(t) for t in inputs}
    done: set[int] = set(found)
    stack: list[tuple[Node, bool]] = [(node_of(t), False) for t in reversed(outputs)]
    while stack:
        node, ready = stack.pop()
        if id(node) in done:
            continue
        if ready:
            done.add(id(node))
            found[id(node)] = node
            continue
        if node.is_input:
            raise ValueError(
                "`inputs` not connected to `outputs`: the outputs depend on "
                f"{node.outputs[0].name!r}, which is not among the inputs"
            )
        stack.append((node, True))
        needed = [node_of(t) for t in node.inputs if id(t) not in begin]
        stack.extend((parent, False) for parent in reversed(needed))
    inner = [node for node in found.values() if not all(id(t) in begin for t in node.outputs)]
    heads = [node_of(t) for t in inputs]
    return [*heads, *(n for n in inner if all(n is not h for h in heads))]


def ordered_layers(calls: Sequence[Node], outputs: Sequence[KerasTensor]) -> list[Any]:
    """The layers of the calls in Keras' order, which decides that of weights and names in files.

    The farther from the outputs the earlier; equally far ones as a walk back from the outputs meets
    them.
    """
    distances = _distances(calls)
    inside = {id(node) for node in calls}
    met: dict[int, Any] = {}
    seen: set[int] = set()
    waiting = [node_of(t) for t in reversed(outputs)]
    while waiting:
        node = waiting.pop()
        if id(node) not in seen and id(node) in inside:
            seen.add(id(node))
            met.setdefault(id(node.operation), node.operation)
            waiting.extend(node_of(t) for t in reversed(node.inputs))
    unused = [node.operation for node in calls if id(node.operation) not in met]
    return sorted([*unused, *met.values()], key=lambda layer: -distances[id(layer)])


def _distances(calls: Sequence[Node]) -> dict[int, int]:
    """How many calls lie between each layer and the outputs, at most."""
    of_node: dict[int, int] = {}
    of_layer: dict[int, int] = {}
    for node in reversed(calls):
        far = max(of_node.get(id(node), 0), of_layer.get(id(node.operation), 0))
        of_layer[id(node.operation)] = of_node[id(node)] = far
        for parent in node.parents:
            of_node[id(parent)] = max(of_node.get(id(parent), 0), far + 1)
    return of_layer


def _call_numbers(nodes: list[Node]) -> dict[int, int]:
    """For each call, which of its layer's calls within the model it is."""
    counts: dict[int, int] = {}
    numbers = {}
    for node in nodes:
        key = id(node.operation)
        numbers[id(node)] = counts.get(key, 0)
        counts[key] = counts.get(key, 0) + 1
    return numbers


def _reference(tensor: KerasTensor, numbers: dict[int, int]) -> list[Any]:
    node = node_of(tensor)
    return [node.operation.name, numbers[id(node)], tensor._keras_history.tensor_index]


def _references(structure: Any, numbers: dict[int, int]) -> Any:
    if isinstance(structure, KerasTensor):
        return _reference(structure, numbers)
    if isinstance(structure, dict):
        return {key: _references(value, numbers) for key, value in structure.items()}
    return [_references(value, numbers) for value in structure]


def _serialized_call(node: Node, numbers: dict[int, int]) -> dict[str, Any]:
    def leaf(value: Any) -> Any:
        if isinstance(value, KerasTensor):
            history = _reference(value, numbers)
            facts = {"shape": list(value.shape), "dtype": value.dtype.name}
            facts["keras_history"] = history
            return {"class_name": "__keras_tensor__", "config": facts}
        if isinstance(value, (list, tuple)):
            return [leaf(part) for part in value]
        if isinstance(value, dict):
            return {key: leaf(part) for key, part in value.items()}
        return serialize_keras_object(value)

    args = [leaf(argument) for argument in node.args]
    return {"args": args, "kwargs": {k: leaf(v) for k, v in node.kwargs.items()}}


def functional_from_config(cls: Any, config: dict[str, Any], custom_objects: Any = None) -> Any:
    """The model of a `get_config`: its layers made, then called in an order that works."""
    layers: dict[str, Any] = {}
    waiting: list[tuple[Any, int, dict[str, Any]]] = []
    tensors: dict[tuple[str, int, int], KerasTensor] = {}
    for data in config["layers"]:
        layer = deserialize_keras_object(data, custom_objects=custom_objects)
        layers[data["name"]] = layer
        if isinstance(layer, InputLayer):
            tensors[data["name"], 0, 0] = layer.output
        calls = data.get("inbound_nodes", [])
        waiting += [(layer, number, call) for number, call in enumerate(calls)]
    while waiting:
        left = [item for item in waiting if not _called(*item, tensors)]
        if len(left) == len(waiting):
            raise ValueError("the configuration of the model has calls whose inputs never come")
        waiting = left
    inputs = _tensors_of(config["input_layers"], tensors)
    outputs = _tensors_of(config["output_layers"], tensors)
    return cls(inputs, outputs, name=config.get("name"), trainable=config.get("trainable"))


def _called(layer: Any, number: int, call: dict[str, Any], tensors: dict[Any, KerasTensor]) -> bool:
    """Whether the inputs of a call are there; then it is made."""
    try:
        args = [_with_tensors(a, tensors) for a in call["args"]]
        kwargs = {k: _with_tensors(v, tensors) for k, v in call["kwargs"].items()}
    except KeyError:
        return False
    outputs = flatten(layer(*args, **kwargs))
    for index, tensor in enumerate(outputs):
        tensors[layer.name, number, index] = tensor
    return True


def _with_tensors(value: Any, tensors: dict[Any, KerasTensor]) -> Any:
    if isinstance(value, dict) and value.get("class_name") == "__keras_tensor__":
        return tensors[tuple(value["config"]["keras_history"])]  # type: ignore[index]
    if isinstance(value, dict) and value.get("class_name") == "__tuple__":
        return tuple(_with_tensors(part, tensors) for part in value["items"])
    if isinstance(value, list):
        return [_with_tensors(part, tensors) for part in value]
    if isinstance(value, dict) and "class_name" not in value:
        return {key: _with_tensors(part, tensors) for key, part in value.items()}
    return deserialize_keras_object(value)


def _tensors_of(structure: Any, tensors: dict[Any, KerasTensor]) -> Any:
    if isinstance(structure, dict):
        return {key: _tensors_of(value, tensors) for key, value in structure.items()}
    if len(structure) == 3 and isinstance(structure[0], str):
        return tensors[structure[0], structure[1], structure[2]]
    return [_tensors_of(value, tensors) for value in structure]


FUNCTIONAL.append(Functional)
