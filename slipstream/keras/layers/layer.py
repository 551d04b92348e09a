"""`Layer`: weights made by `build`, a computation in `call`, and what happens around a call."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from slipstream.ir.dtypes import DType, as_dtype
from slipstream.keras import dtype_policy, regularizers
from slipstream.keras.context import FRAME, CallContext, autocast, name_scope
from slipstream.keras.layers.arguments import asks_for_nothing
from slipstream.keras.layers.calls import Call, convert_inputs, named_error, run_step
from slipstream.keras.layers.input_spec import InputSpec, check_inputs
from slipstream.keras.layers.node import Node
from slipstream.keras.layers.signature import Signature, signature_of
from slipstream.keras.layers.state import LayerState
from slipstream.keras.naming import auto_name
from slipstream.keras.registry import deserialize_keras_object, serialize_keras_object
from slipstream.keras.symbolic import KerasTensor, of_specs, to_specs
from slipstream.runtime.abstract import infer_outputs
from slipstream.runtime.function import TensorSpec
from slipstream.runtime.shape import TensorShape
from slipstream.runtime.structure import flatten, map_structure
from slipstream.runtime.tensor import Tensor


class Layer(LayerState):
    """Base of all layers and models.

    A layer overrides `build(input_shape)`, which makes weights by `add_weight`, and
    `call(inputs)`, which may take `training` and `mask`. Public slipstream operations in `call`
    work eagerly, traced and in TensorFlow 1 graphs.

    >>> import slipstream as tf
    >>> class Scale(Layer):
    ...     def build(self, input_shape):
    ...         self.factor = self.add_weight(shape=(input_shape[-1],), initializer="ones")
    ...     def call(self, inputs):
    ...         return inputs * self.factor
    >>> Scale()([[1.0, 2.0]]).numpy().tolist()
    [[1.0, 2.0]]
    """

    converts_inputs = True  # arrays become tensors, floats the dtype computed in

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        layer = super().__new__(cls)
        layer._init_arguments = (args, kwargs)
        layer._prepared = False
        layer._inbound_nodes = []
        layer._losses = []
        layer._weights_made = []
        return layer

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "build" in vars(cls):
            cls.build = _completed(vars(cls)["build"])  # type: ignore[method-assign]

    def __init__(
        self,
        *,
        activity_regularizer: Any = None,
        trainable: bool = True,
        dtype: Any = None,
        autocast: bool = True,
        name: str | None = None,
        **options: Any,
    ) -> None:
        self._name = str(name) if name is not None else auto_name(type(self).__name__)
        if "/" in self._name:
            raise ValueError(f"Layer names hold no `/`. Received: name={name}")
        self.dtype_policy = dtype_policy.get(dtype)
        self._set_options(options)
        self.activity_regularizer = regularizers.get(activity_regularizer)
        self._trainable, self.autocast = bool(trainable), autocast
        self.built = False
        self.supports_masking = False
        self._input_spec: Any = None
        self._build_shapes: Any = None
        self._building = False
        self._prepared = True

    def _set_options(self, options: dict[str, Any]) -> None:
        """Arguments of Keras 2: the shape of the input, and weights to begin with. And one that
        every dense layer's file has since Keras 3.12, without meaning where it is None.
        """
        if options.get("quantization_config", 0) is None:
            del options["quantization_config"]
        self._initial_weights = options.pop("weights", None)
        batch = options.pop("batch_size", None)
        shape: Any = None
        if "input_dim" in options:
            shape = (batch, options.pop("input_dim"))
        if "input_shape" in options:
            given = options.pop("input_shape")
            shape = (batch, *(given if isinstance(given, (tuple, list)) else (given,)))
        for alias in ("batch_input_shape", "batch_shape"):
            shape = options.pop(alias, shape)
        self._input_shape_argument = None if shape is None else TensorShape(shape)
        options.pop("dynamic", None)
        unknown = {k: v for k, v in options.items() if not asks_for_nothing(k, v)}
        if unknown:
            raise ValueError(
                f"Unrecognized keyword arguments passed to {type(self).__name__}: {unknown}"
            )

    # what a layer is

    @property
    def name(self) -> str:
        return self._name

    @name.setter
    def name(self, value: str) -> None:
        self._name = value

    @property
    def path(self) -> str:
        return "/".join([*FRAME.names, self._name])

    @property
    def input_spec(self) -> Any:
        """What the layer asks of its inputs: an InputSpec, or a structure of them."""
        return self._input_spec

    @input_spec.setter
    def input_spec(self, value: Any) -> None:
        self._input_spec = value

    @property
    def dtype(self) -> str:
        """The dtype of the weights."""
        return self.dtype_policy.variable_dtype

    @property
    def variable_dtype(self) -> str:
        return self.dtype_policy.variable_dtype

    @property
    def compute_dtype(self) -> str:
        """The dtype floating inputs are cast to."""
        return self.dtype_policy.compute_dtype

    input_dtype = compute_dtype

    # what subclasses override

    def build(self, input_shape: Any) -> None:
        """Make the weights, for inputs of this shape (a structure of shapes for several).

        A layer that does not override this makes the weights of the layers in it, by being drawn.
        """
        self.built = True
        if _overrides(self, "build", Layer) or all(s.built for s in self._sublayers()):
            return
        self._build_shapes = {"input_shape": input_shape}
        specs = to_specs([_shapes_as_tensors(input_shape, self.compute_dtype)])
        infer_outputs(lambda inputs: self._perform(Call(self, (inputs,), {})), *specs)
        self._clear_losses()

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """The outputs for some inputs."""
        raise NotImplementedError(
            f"Layer {type(self).__name__} does not have a `call()` method implemented."
        )

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """The mask of the outputs: that of the inputs, unless overridden."""
        return previous_mask

    def compute_output_shape(self, *args: Any, **kwargs: Any) -> Any:
        """The shape of the outputs for a shape of the inputs, found by tracing the layer."""
        inputs = [_shapes_as_tensors(a, self.compute_dtype) for a in args]
        given = {k: _shapes_as_tensors(v, self.compute_dtype) for k, v in kwargs.items()}
        outputs = self.compute_output_spec(*inputs, **given)
        return map_structure(lambda t: t.shape, outputs)

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        """The outputs for KerasTensors, as KerasTensors."""
        if _overrides(self, "compute_output_shape", Layer):
            return self._declared_spec(args, kwargs)
        return self._traced_spec(args, kwargs)

    def _traced_spec(self, args: Any, kwargs: Any) -> Any:
        def outputs(args: Any, kwargs: Any) -> Any:
            call = Call(self, args, kwargs)
            self._build_once(call)
            return self._perform(call)

        specs = infer_outputs(outputs, *_cast_specs(to_specs((args, kwargs)), self))
        self._clear_losses()
        return of_specs(specs)

    def _declared_spec(self, args: Any, kwargs: Any) -> Any:
        call = Call(self, args, kwargs)
        self._build_once(call)
        shapes = call.shapes()
        names = signature_of(type(self).compute_output_shape).names
        if len(shapes) == 1 or len(names) == 1:
            result = self.compute_output_shape(next(iter(shapes.values())))
        else:
            given = {n: shapes[k] for n in names if (k := n.removesuffix("_shape")) in shapes}
            result = self.compute_output_shape(**given)
        return _tensors_of_shapes(result, self.compute_dtype)

    # calling

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if not self._prepared:
            raise RuntimeError(
                f"In layer '{type(self).__name__}', you forgot to call "
                "`super().__init__()` as the first statement in the `__init__()` method."
            )
        args, kwargs = convert_inputs(self, args, kwargs)
        call = Call(self, args, kwargs)
        if self._input_spec is not None:
            check_inputs(self._input_spec, call.first, self._name)
        symbolic = call.symbolic
        if not self.built:
            self._build_once(call)
            if self._input_spec is not None:
                check_inputs(self._input_spec, call.first, self._name)
        if symbolic:
            return self._draw(call)
        if FRAME.call is None:
            self._clear_losses()
        outputs = self._perform(call)
        if call.masked or self.supports_masking:
            call.mask_outputs(outputs)
        return outputs

    def _perform(self, call: Call) -> Any:
        """`call` of the layer, in its context; one step of a TensorFlow 1 graph."""
        outer = FRAME.call
        FRAME.call = CallContext(outer.entry if outer is not None else self, call.training)
        FRAME.names.append(self._name)
        try:
            outputs = run_step(self, call)
        except (ValueError, TypeError) as error:
            raise named_error(error, self) from error.__cause__
        finally:
            FRAME.names.pop()
            FRAME.call = outer
        if self.activity_regularizer is not None:
            for output in flatten(outputs):
                penalty = self.activity_regularizer(output)
                samples = output.shape[0] if len(output.shape) else 1
                self.add_loss(penalty / samples if samples else penalty)  # a mean over the batch
        return outputs

    def _run(self, args: Any, kwargs: Any) -> Any:
        """`call`, with float variables read in the dtype the layer computes in."""
        policy = self.dtype_policy
        if policy.compute_dtype == policy.variable_dtype:
            return self.call(*args, **kwargs)
        with autocast(as_dtype(policy.compute_dtype)):
            return self.call(*args, **kwargs)

    def _draw(self, call: Call) -> Any:
        """A call on KerasTensors: the layer becomes a node of a functional model."""
        specs = self.compute_output_spec(*call.args, **call.kwargs)
        outputs = map_structure(_fresh, specs)
        Node(self, call.args, call.kwargs, outputs)
        return outputs

    def _build_once(self, call: Call) -> None:
        """Build for the shapes of a call, if that has not happened."""
        if self.built:
            return
        if not _overrides(self, "build", Layer):
            self._build_shapes = call.build_config()
            self.built = True
            return
        with autocast(None):
            call.build()

    # configuration

    @property
    def call_signature(self) -> Signature:
        return signature_of(type(self).call)

    def get_build_config(self) -> Any:
        """The shapes the layer was built for."""
        return self._build_shapes

    def build_from_config(self, config: dict[str, Any]) -> None:
        """Build for the shapes of `get_build_config`."""
        if not config or self.built:
            return
        if "shapes_dict" in config:
            self.build(**{k: _shape_of(v) for k, v in config["shapes_dict"].items()})
        elif config.get("input_shape") is not None:
            self.build(_shape_of(config["input_shape"]))

    def get_config(self) -> dict[str, Any]:
        """The arguments the layer can be made again with.

        A subclass adds its own; one that does not override this has the plain arguments of its
        `__init__` added.
        """
        config: dict[str, Any] = {"name": self._name, "trainable": self._trainable}
        config["dtype"] = serialize_keras_object(self.dtype_policy)
        if self.activity_regularizer is not None:
            config["activity_regularizer"] = serialize_keras_object(self.activity_regularizer)
        if type(self).get_config is Layer.get_config:
            config |= self._constructor_config()
        return config

    def _constructor_config(self) -> dict[str, Any]:
        args, kwargs = self._init_arguments
        names = list(inspect.signature(type(self).__init__).parameters)[1:]
        given = dict(zip(names, args, strict=False)) | kwargs
        return {k: serialize_keras_object(v) for k, v in given.items() if k != "name"}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """The layer of a `get_config`."""
        given = dict(config)
        if cls.get_config is Layer.get_config:
            given = {k: deserialize_keras_object(v) for k, v in given.items()}
        if isinstance(given.get("dtype"), dict):
            given["dtype"] = dtype_policy.get(given["dtype"])
        return cls(**given)

    # graph

    @property
    def input(self) -> Any:
        """The KerasTensors the layer was called with, if that happened once."""
        node = self._only_node("input")
        return node.inputs[0] if len(node.inputs) == 1 else node.inputs

    @property
    def output(self) -> Any:
        """The KerasTensors the layer gave, if it was called once."""
        node = self._only_node("output")
        return node.structure

    @property
    def input_shape(self) -> Any:
        return map_structure(lambda t: tuple(t.shape), self.input)

    @property
    def output_shape(self) -> Any:
        return map_structure(lambda t: tuple(t.shape), self.output)

    def _only_node(self, what: str) -> Node:
        nodes: list[Node] = self._inbound_nodes
        if len(nodes) == 1:
            return nodes[0]
        if not nodes:
            raise AttributeError(
                f"The layer {self._name} has never been called and thus has no defined {what}."
            )
        raise AttributeError(
            f"The layer {self._name} has multiple inbound nodes with different {what}s, hence the "
            f"notion of 'layer {what}' is ill-defined."
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self._name}, built={self.built}>"

    def __hash__(self) -> int:
        return id(self)


def _completed(build: Callable[..., Any]) -> Callable[..., Any]:
    """`build`, in the layer's name scope, marking the layer as built; its shapes are kept."""

    @functools.wraps(build)
    def completed(self: Any, *args: Any, **kwargs: Any) -> Any:
        if self._building:
            return build(self, *args, **kwargs)
        self._building = True
        try:
            with name_scope(self._name):
                result = build(self, *args, **kwargs)
        finally:
            self._building = False
        self.built = True
        if self._build_shapes is None:
            self._build_shapes = _build_shapes(build, args, kwargs)
        if not self._trainable:
            self._apply_trainable()
        if self._initial_weights is not None:
            self.set_weights(self._initial_weights)
            self._initial_weights = None
        return result

    return completed


def _build_shapes(build: Any, args: Any, kwargs: Any) -> Any:
    given = signature_of(build).bind(args, kwargs)
    if len(given) == 1:
        return {"input_shape": next(iter(given.values()))}
    return {"shapes_dict": given} if given else None


def _overrides(layer: Layer, method: str, base: type) -> bool:
    return getattr(type(layer), method) is not getattr(base, method)


def _fresh(spec: Any) -> Any:
    return KerasTensor(spec.shape, spec.dtype) if isinstance(spec, KerasTensor) else spec


def _is_shape(value: Any) -> bool:
    return isinstance(value, (tuple, list)) and all(
        n is None or (isinstance(n, int) and not isinstance(n, bool)) for n in value
    )


def _shapes_as_tensors(value: Any, dtype: str) -> Any:
    if _is_shape(value):
        return KerasTensor(value, dtype)
    if isinstance(value, dict):
        return {k: _shapes_as_tensors(v, dtype) for k, v in value.items()}
    return (
        [_shapes_as_tensors(v, dtype) for v in value] if isinstance(value, (list, tuple)) else value
    )


def _tensors_of_shapes(value: Any, dtype: str) -> Any:
    """As `_shapes_as_tensors`; the kind of sequence stays."""
    if _is_shape(value):
        return KerasTensor(value, dtype)
    if isinstance(value, dict):
        return {k: _tensors_of_shapes(v, dtype) for k, v in value.items()}
    return type(value)(_tensors_of_shapes(v, dtype) for v in value)


def _shape_of(value: Any) -> Any:
    """A shape of a file: lists of numbers as tuples, in any structure."""
    if _is_shape(value):
        return tuple(value)
    if isinstance(value, dict):
        return {k: _shape_of(v) for k, v in value.items()}
    return [_shape_of(v) for v in value] if isinstance(value, (list, tuple)) else value


def _cast_specs(specs: Any, layer: Layer) -> Any:
    """Floating specs in the dtype the layer computes in."""
    kind: DType = as_dtype(layer.compute_dtype)

    def cast(spec: Any) -> Any:
        if not isinstance(spec, TensorSpec) or not spec.dtype.is_floating or not layer.autocast:
            return spec
        return spec if spec.dtype is kind else TensorSpec(spec.shape, kind)

    return map_structure(cast, specs)


__all__ = ["InputSpec", "Layer", "Tensor"]
