"""`tf.layers`: functions that make a layer in the current variable scope and apply it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from slipstream.keras import layers
from slipstream.ops.control import cond
from slipstream.ops.conversion import cast
from slipstream.ops.random import dropout as dropped
from slipstream.v1.graph import in_graph
from slipstream.v1.scopes import get_variable_scope, variable_scope

Options = dict[str, Any]


def _applied(kind: type, default_name: str, inputs: Any, options: Options) -> Any:
    """A layer's output. Layers of one name are shared where the scope reuses variables."""
    name, reuse = options.pop("name", None), options.pop("reuse", None)
    call = {k: options.pop(k) for k in ("training",) if k in options}
    with in_graph() as graph, variable_scope(name, default_name, reuse=reuse) as scope:
        store = graph.__dict__.setdefault("layer_store", {})
        shared = get_variable_scope().reuse and scope.name in store
        if not shared:
            store[scope.name] = kind(name=scope.name.replace("/", "_"), **options)
        layer = store[scope.name]
        outputs = layer(inputs, **call)
        if not shared:
            for variable in layer.weights:
                variable._name = f"{scope.name}/{variable.name}:0"
        return outputs


def _making(kind: type, default_name: str, *names: str) -> Callable[..., Any]:
    """The function of a layer class; `names` are its arguments after the inputs, in order."""

    def function(inputs: Any, *args: Any, **options: Any) -> Any:
        given = dict(zip(names, args, strict=False)) | options
        return _applied(kind, default_name, inputs, given)

    function.__name__ = function.__qualname__ = default_name
    function.__doc__ = f"`keras.layers.{kind.__name__}`, applied to `inputs`."
    return function


CONVOLUTION = ("filters", "kernel_size", "strides", "padding")
POOLING = ("pool_size", "strides", "padding")
dense = _making(layers.Dense, "dense", "units", "activation", "use_bias")
conv1d = _making(layers.Conv1D, "conv1d", *CONVOLUTION)
conv2d = _making(layers.Conv2D, "conv2d", *CONVOLUTION)
conv3d = _making(layers.Conv3D, "conv3d", *CONVOLUTION)
conv2d_transpose = _making(layers.Conv2DTranspose, "conv2d_transpose", *CONVOLUTION)
separable_conv2d = _making(layers.SeparableConv2D, "separable_conv2d", *CONVOLUTION)
max_pooling1d = _making(layers.MaxPooling1D, "max_pooling1d", *POOLING)
max_pooling2d = _making(layers.MaxPooling2D, "max_pooling2d", *POOLING)
average_pooling1d = _making(layers.AveragePooling1D, "average_pooling1d", *POOLING)
average_pooling2d = _making(layers.AveragePooling2D, "average_pooling2d", *POOLING)
batch_normalization = _making(layers.BatchNormalization, "batch_normalization", "axis", "momentum")


def flatten(inputs: Any, name: str | None = None) -> Any:
    """[batch, ...] as [batch, everything else]."""
    with in_graph():
        return layers.Flatten()(inputs)


def dropout(
    inputs: Any, rate: float = 0.5, noise_shape: Any = None, seed: Any = None,
    training: Any = False, name: str | None = None,
) -> Any:  # fmt: skip
    """Dropout where `training` is true, which may be a tensor that is fed."""
    with in_graph():
        if isinstance(training, bool):
            return dropped(inputs, rate, noise_shape, seed) if training else inputs * 1.0
        test = cast(training, "bool")
        return cond(test, lambda: dropped(inputs, rate, noise_shape, seed), lambda: inputs * 1.0)
