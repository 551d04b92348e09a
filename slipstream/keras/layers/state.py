"""What a layer holds: its weights, its sub-layers', its losses, and how they are set and saved."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from slipstream.ir.dtypes import as_dtype
from slipstream.keras import constraints, initializers, regularizers
from slipstream.keras.context import name_scope
from slipstream.keras.layers.tracking import distinct, is_variable, parts
from slipstream.keras.metrics.metric import Metric
from slipstream.keras.seeds import SeedGenerator
from slipstream.keras.variables import KerasVariable
from slipstream.runtime.module import Module
from slipstream.runtime.variable import Variable

ORDER = ("shape", "initializer", "dtype", "trainable", "autocast", "regularizer", "constraint",
         "name")  # fmt: skip
LEGACY_ORDER = ("name", "shape", "dtype", "initializer", "regularizer", "trainable", "constraint")


class LayerState(Module):
    """The variables of a layer and of the layers in it."""

    _name: str
    _trainable: bool
    built: bool

    # parts

    def _sublayers(self) -> list[LayerState]:
        """The layers directly in this one's attributes."""
        found = distinct(p for p in parts(self) if isinstance(p, LayerState))
        return [layer for layer in found if layer is not self]

    def _flatten_layers(
        self, recursive: bool = True, include_self: bool = True
    ) -> Iterator[LayerState]:
        """This layer, then those in it, outer ones first."""
        seen = {id(self)}
        waiting = self._sublayers()
        if include_self:
            yield self
        while waiting:
            layer = waiting.pop(0)
            if id(layer) in seen:
                continue
            seen.add(id(layer))
            yield layer
            if recursive:
                waiting = layer._sublayers() + waiting

    def _own_variables(self) -> list[Variable]:
        """The layer's own weights: those made trainable first, in the order they were made."""
        own = distinct(p for p in parts(self) if is_variable(p))
        return [v for v in own if _born_trainable(v)] + [v for v in own if not _born_trainable(v)]

    @property
    def weights(self) -> list[Any]:
        """Every weight, the layer's own first, without the state of seeds and metrics."""
        layers = self._flatten_layers()
        return distinct(v for layer in layers for v in layer._own_variables())

    @property
    def variables(self) -> list[Any]:  # type: ignore[override]
        """The weights, and the states of seeds and metrics."""
        found: list[Any] = []
        for layer in self._flatten_layers():
            found += layer._own_variables()
            found += [p.state for p in parts(layer) if isinstance(p, SeedGenerator)]
        found += [v for metric in self._own_metrics() for v in metric.variables]
        return distinct(found)

    @property
    def trainable_weights(self) -> list[Any]:
        """The weights that training changes; none if the layer is not trainable."""
        return [v for v in self.weights if v.trainable] if self._trainable else []

    @property
    def non_trainable_weights(self) -> list[Any]:
        """The other weights."""
        return [v for v in self.weights if not (self._trainable and v.trainable)]

    @property
    def trainable_variables(self) -> list[Any]:  # type: ignore[override]
        return self.trainable_weights

    @property
    def non_trainable_variables(self) -> list[Any]:  # type: ignore[override]
        return [v for v in self.variables if not (self._trainable and v.trainable)]

    @property
    def metrics_variables(self) -> list[Any]:
        """The variables of the metrics."""
        return [v for metric in self._own_metrics() for v in metric.variables]

    def _own_metrics(self) -> list[Metric]:
        layers = self._flatten_layers()
        return distinct(p for layer in layers for p in parts(layer) if isinstance(p, Metric))

    @property
    def trainable(self) -> bool:
        """Whether training changes the layer; setting it sets it for the layers inside."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        for layer in self._flatten_layers():
            layer._trainable = bool(value)
            layer._apply_trainable()

    def _apply_trainable(self) -> None:
        for variable in self._own_variables():
            if _born_trainable(variable):
                variable.trainable = self._trainable

    # making

    def add_weight(self, *args: Any, **options: Any) -> KerasVariable:
        """A new weight, tracked by the layer.

        `add_weight(shape=(), initializer=None, dtype=None, trainable=True, autocast=True,
        regularizer=None, constraint=None, name=None)`: Glorot uniform for floats and zeros for
        others without an initializer. `add_weight("kernel", shape=(3, 4))`, as for Keras 2, means
        the same.
        """
        legacy = bool(args) and isinstance(args[0], str)
        given = dict(zip(LEGACY_ORDER if legacy else ORDER, args, strict=False)) | options
        unknown = set(given) - {*ORDER, "aggregation", "overwrite_with_gradient", "layout"}
        if unknown:
            raise TypeError(f"add_weight() got unexpected arguments {sorted(unknown)}")
        variable = self._new_weight(given)
        variable.trainable = variable.trainable and self._trainable
        self._weights_made.append(variable)
        return variable

    def _new_weight(self, given: dict[str, Any]) -> KerasVariable:
        kind = as_dtype(given.get("dtype") or self.variable_dtype)  # type: ignore[attr-defined]
        initializer = given.get("initializer")
        if initializer is None:
            initializer = "glorot_uniform" if kind.is_floating else "zeros"
        shape = given.get("shape")
        return KerasVariable(
            initializers.get(initializer),
            shape=() if shape is None else _sizes(shape),
            dtype=kind,
            trainable=given.get("trainable", True),
            autocast=given.get("autocast", True),
            name=given.get("name") or "variable",
            regularizer=regularizers.get(given.get("regularizer")),
            constraint=constraints.get(given.get("constraint")),
        )

    _weights_made: list[KerasVariable]

    # values

    def get_weights(self) -> list[Any]:
        """The values of `weights`, as NumPy arrays."""
        return [v.numpy() for v in self.weights]

    def set_weights(self, weights: Any) -> None:
        """Set `weights` from as many arrays of the same shapes. ValueError otherwise."""
        given, own = list(weights), self.weights
        if len(given) != len(own):
            raise ValueError(
                f"You called `set_weights(weights)` on layer '{self._name}' with a weight list of "
                f"length {len(given)}, but the layer was expecting {len(own)} weights."
            )
        for variable, value in zip(own, given, strict=True):
            if tuple(np.shape(value)) != tuple(variable.shape):
                raise ValueError(
                    f"Layer {self._name} weight shape {variable.shape} is not compatible with "
                    f"provided weight shape {np.shape(value)}."
                )
        for variable, value in zip(own, given, strict=True):
            variable.assign(np.asarray(value, variable.dtype.numpy))

    def count_params(self) -> int:
        """How many numbers the weights hold. ValueError before the layer is built."""
        if not self.built:
            raise ValueError(
                f"You tried to call `count_params` on layer '{self._name}', but the layer isn't "
                "built. You can build it manually via: `layer.build(input_shape)`."
            )
        return sum(int(np.prod(tuple(v.shape), dtype=np.int64)) for v in self.weights)

    def save_own_variables(self, store: Any) -> None:
        """Put the layer's own weights into `store`, by their number."""
        for number, variable in enumerate(self._own_variables()):
            store[str(number)] = variable.numpy()

    def load_own_variables(self, store: Any) -> None:
        """Take the layer's own weights from `store`. ValueError if there are more or fewer."""
        own = self._own_variables()
        if len(store.keys()) != len(own):
            state = "" if own else (
                " The layer has not been built: its weights come to exist when it is called or "
                "its build() method is."
            )  # fmt: skip
            raise ValueError(
                f"Layer '{self._name}' expected {len(own)} variables, but received "
                f"{len(store.keys())} variables during loading. "
                f"Expected: {[v.name for v in own]}.{state}"
            )
        for number, variable in enumerate(own):
            variable.assign(np.asarray(store[str(number)], variable.dtype.numpy))

    # losses

    _losses: list[Any]

    def add_loss(self, loss: Any) -> None:
        """Add a scalar, or several, to what training makes small. Called in `call`."""
        losses = loss if isinstance(loss, (list, tuple)) else [loss]
        self._losses += [item() if callable(item) else item for item in losses if item is not None]

    @property
    def losses(self) -> list[Any]:
        """The scalars added in the last call, then the penalties of regularised weights."""
        found = [loss for layer in self._flatten_layers() for loss in layer._losses]
        for variable in self.trainable_weights:
            if getattr(variable, "regularizer", None) is not None:
                found.append(variable.regularizer(variable))
        return found

    def _clear_losses(self) -> None:
        for layer in self._flatten_layers():
            layer._losses.clear()

    def _scoped(self) -> Any:
        return name_scope(self._name)


def _sizes(shape: Any) -> tuple[Any, ...]:
    return (int(shape),) if isinstance(shape, (int, np.integer)) else tuple(shape)


def _born_trainable(variable: Any) -> bool:
    return bool(getattr(variable, "born_trainable", variable.trainable))
