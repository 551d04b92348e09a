"""One call of a layer: its arguments, its shapes, its training flag, its masks."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from slipstream.ir.dtypes import as_dtype
from slipstream.keras.context import FRAME
from slipstream.keras.layers.signature import Signature, signature_of
from slipstream.keras.symbolic import KerasTensor, any_symbolic
from slipstream.ops.conversion import cast
from slipstream.primitives.base import LEVEL
from slipstream.runtime.convert import TensorLike, convert
from slipstream.runtime.shape import TensorShape
from slipstream.runtime.structure import flatten, map_structure
from slipstream.runtime.tensor import Tensor


class Call:
    """The arguments of a call, with training and masks filled in where the layer asks for them."""

    __slots__ = ("args", "kwargs", "layer", "masked", "signature", "symbolic", "training")

    def __init__(self, layer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.layer, self.args, self.kwargs = layer, args, dict(kwargs)
        self.signature: Signature = layer.call_signature
        self.symbolic = any_symbolic((args, kwargs))
        self.masked = False
        self._resolve_training()
        if not self.symbolic:
            self._fill_masks()

    @property
    def first(self) -> Any:
        """The first argument: what input specs and masks are about."""
        if self.args:
            return self.args[0]
        for name in self.signature.names:
            if name in self.kwargs:
                return self.kwargs[name]
        return next(iter(self.kwargs.values()), None)

    def bound(self) -> dict[str, Any]:
        return self.signature.bind(self.args, self.kwargs)

    def _resolve_training(self) -> None:
        """Given here, else by the call around, else by the default of the layer."""
        signature = self.signature
        training = self.bound().get("training")
        if training is None and FRAME.call is not None:
            training = FRAME.call.training
        if training is None:
            training = signature.defaults.get("training")
        self.training = training
        if not signature.has_training:
            if not signature.takes_any:
                self.kwargs.pop("training", None)
        elif self.symbolic or training is None:
            return  # a drawn call is told at each run of its model
        elif "training" not in signature.positional[: len(self.args)]:
            self.kwargs["training"] = training

    def _fill_masks(self) -> None:
        """Masks that inputs carry, as the arguments the layer takes them by."""
        tensors = self.args or tuple(self.kwargs.values())
        self.masked = any(_has_mask(leaf) for leaf in flatten(tensors))
        if not self.masked or not self.signature.mask_names:
            return
        bound = self.bound()
        for number, (name, value) in enumerate(bound.items()):
            expected = "mask" if number == 0 and "mask" in self.signature.names else f"{name}_mask"
            if expected in self.signature.names and bound.get(expected) is None:
                mask = mask_of(value)
                if any(m is not None for m in flatten(mask)):
                    self.kwargs[expected] = mask

    def mask_outputs(self, outputs: Any) -> None:
        """Give the outputs the mask that the layer computes from the first argument's."""
        previous = mask_of(self.first)
        if not self.layer.supports_masking:
            if any(m is not None for m in flatten(previous)):
                warnings.warn(
                    f"Layer '{self.layer.name}' (of type {type(self.layer).__name__}) was passed "
                    "an input with a mask attached to it. However, this layer does not support "
                    "masking and will therefore destroy the mask information. Downstream layers "
                    "will not see the mask.",
                    stacklevel=4,
                )
            return
        masks = self.layer.compute_mask(self.first, previous)
        leaves = flatten(outputs)
        given = flatten(masks) if masks is not None else [None] * len(leaves)
        for tensor, mask in zip(leaves, given, strict=False):
            if isinstance(tensor, Tensor) and mask is not None:
                tensor._keras_mask = mask

    # building

    def shapes(self) -> dict[str, Any]:
        """The shapes of the tensor arguments, by the names of the arguments."""
        found = {}
        for name, value in self.bound().items():
            leaves = flatten(value)
            if leaves and any(_is_tensor(leaf) for leaf in leaves) and "mask" not in name:
                found[name] = map_structure(_shape, value)
        return found

    def build_config(self) -> Any:
        shapes = self.shapes()
        if len(shapes) == 1:
            return {"input_shape": next(iter(shapes.values()))}
        return {"shapes_dict": {f"{k}_shape": v for k, v in shapes.items()}} if shapes else None

    def build(self) -> None:
        """Call the layer's `build` with the shapes it takes."""
        names = signature_of(type(self.layer).build).names
        shapes = self.shapes()
        if len(names) <= 1:
            self.layer.build(*list(shapes.values())[: len(names)])
            return
        given = {
            n: shapes[n.removesuffix("_shape")] for n in names if n.removesuffix("_shape") in shapes
        }
        if not given and shapes:
            given = {names[0]: next(iter(shapes.values()))}
        self.layer.build(**given)


def _is_tensor(leaf: Any) -> bool:
    return isinstance(leaf, (TensorLike, np.ndarray))


def _shape(leaf: Any) -> Any:
    return tuple(TensorShape(leaf.shape)) if _is_tensor(leaf) else None


def _has_mask(leaf: Any) -> bool:
    return isinstance(leaf, Tensor) and getattr(leaf, "_keras_mask", None) is not None


def mask_of(value: Any) -> Any:
    """The masks of tensors, in their structure."""
    if isinstance(value, Tensor):
        return getattr(value, "_keras_mask", None)
    return map_structure(lambda leaf: getattr(leaf, "_keras_mask", None), value)


def convert_inputs(layer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any]:
    """Arrays (and a list of numbers as the first argument) as tensors; floats as the layer
    computes in.
    """
    if not layer.converts_inputs:
        return args, kwargs
    kind = as_dtype(layer.compute_dtype) if layer.autocast else None

    def leaf(value: Any) -> Any:
        if isinstance(value, np.ndarray | np.generic):
            value = convert(value)
        elif not isinstance(value, Tensor):
            return value
        if kind is None or value.dtype is kind or not value.dtype.is_floating:
            return value
        mask = getattr(value, "_keras_mask", None)
        value = cast(value, kind)
        if mask is not None:
            value._keras_mask = mask
        return value

    if len(args) == 1 and not kwargs and isinstance(args[0], Tensor):
        return (leaf(args[0]),), kwargs
    if args and _is_numbers(args[0]):
        args = (convert(args[0]), *args[1:])
    return map_structure(leaf, (args, kwargs))  # type: ignore[no-any-return]


def _is_numbers(value: Any) -> bool:
    """Whether a list (or a number) holds plain numbers, and at least one."""
    if not isinstance(value, (list, tuple, int, float)):
        return False
    leaves = flatten(value)
    return bool(leaves) and all(isinstance(leaf, (bool, int, float)) for leaf in leaves)


class _Step:
    """A layer's call as one step of a TensorFlow 1 graph, replayed in its context."""

    def __init__(self, layer: Any) -> None:
        self.layer, self.context = layer, FRAME.call
        self.__name__ = self.name = layer.name

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        outer, FRAME.call = FRAME.call, self.context
        try:
            return self.layer._run(args, kwargs)
        finally:
            FRAME.call = outer


def run_step(layer: Any, call: Call) -> Any:
    """Run the layer's call now; in a graph of TensorFlow 1 write it down."""
    interpreter: Any = LEVEL.interpreter
    if getattr(interpreter, "graph", None) is None:
        return layer._run(call.args, call.kwargs)
    return interpreter.compose(_Step(layer), call.args, call.kwargs)


def named_error(error: Exception, layer: Any) -> Exception:
    """The error, saying in which layer it happened: the innermost."""
    if getattr(error, "layer_named", False) or not error.args:
        return error
    kind = type(layer).__name__
    where = f'Exception encountered when calling {kind}.call() of layer "{layer.name}".'
    error.args = (f"{where}\n\n{error.args[0]}", *error.args[1:])
    error.layer_named = True  # type: ignore[attr-defined]
    return error


def is_symbolic(item: Any) -> bool:
    return isinstance(item, KerasTensor)
