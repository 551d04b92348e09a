"""`EinsumDense`: a dense layer whose product is any `einsum` of the inputs with a kernel."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from slipstream.keras import activations, constraints, initializers, regularizers
from slipstream.keras.initializers import VarianceScaling
from slipstream.keras.layers.input_spec import InputSpec
from slipstream.keras.layers.layer import Layer
from slipstream.ops.equation import einsum

FORMS = r"(\.\.\.)?([a-zA-Z]+)(\.\.\.)?,([a-zA-Z]+)->(\.\.\.)?([a-zA-Z]+)(\.\.\.)?"


class Equation(NamedTuple):
    """The labels of an equation "x,k->y"; an ellipsis stands before or after those of x and y."""

    inputs: str
    kernel: str
    outputs: str
    before: bool = False
    after: bool = False


def parsed(equation: str) -> Equation:
    """The parts of an equation; ValueError unless it has the form that a layer can take."""
    found = re.fullmatch(FORMS, equation.replace(" ", ""))
    parts = found.groups() if found is not None else (None,) * 7
    before, inputs, after, kernel, leading, outputs, trailing = parts
    if inputs is None or before != leading or after != trailing or (before and after):
        raise ValueError(
            f"Invalid einsum equation '{equation}'. Equations must be in the form "
            "[X],[Y]->[Z], ...[X],[Y]->...[Z], or [X]...,[Y]->[Z]...."
        )
    return Equation(inputs, kernel, outputs, bool(before), bool(after))


class Sizes:
    """What an equation makes of the shape of inputs: the shapes of kernel, bias and outputs.

    `declared` has the sizes of the outputs after the batch, without those under an ellipsis.
    """

    def __init__(self, equation: str, input_shape: Any, declared: tuple[Any, ...]) -> None:
        self.labels = labels = parsed(equation)
        shape = tuple(input_shape)
        hidden = max(len(shape) - len(labels.inputs), 0)
        self.left, self.right = hidden * labels.before, hidden * labels.after
        outer, inner = shape[: self.left], shape[len(shape) - self.right :]
        self.of_inputs = self._named(labels.inputs, shape, "input")
        full = (*(outer or shape[:1]), *declared, *inner)
        self.of_outputs = {
            label: self.of_inputs.get(label) if size is None else size
            for label, size in self._named(labels.outputs, full, "output").items()
        }
        self.outputs = (*outer, *self.of_outputs.values(), *inner)
        self._check()

    def _named(self, labels: str, shape: tuple[Any, ...], what: str) -> dict[str, Any]:
        """The size of each label; ValueError unless there are as many."""
        sizes = shape[self.left : len(shape) - self.right]
        if len(sizes) != len(labels):
            raise ValueError(
                f"The {what} spec '{labels}' names {len(labels)} dimensions, and the {what} shape "
                f"is {shape}."
            )
        return dict(zip(labels, sizes, strict=True))

    def _check(self) -> None:
        for label, size in self.of_inputs.items():
            other = self.of_outputs.get(label)
            if other is not None and other != size:
                raise ValueError(
                    "Input shape and output shape do not match at shared dimension "
                    f"'{label}'. Input shape is {size}, and output shape is {other}."
                )
        for label in self.labels.outputs:
            if label not in self.labels.inputs + self.labels.kernel:
                raise ValueError(
                    f"Dimension '{label}' was specified in the output '{self.labels.outputs}' but "
                    f"has no corresponding dim in the input spec '{self.labels.inputs}' or weight "
                    f"spec '{self.labels.kernel}'"
                )
        for label in self.labels.kernel:
            if label not in self.labels.inputs + self.labels.outputs:
                raise ValueError(
                    f"Weight dimension '{label}' did not have a match in either the input spec "
                    f"'{self.labels.inputs}' or the output spec '{self.labels.outputs}'. For this "
                    "layer, the weight must be fully specified."
                )

    @property
    def kernel(self) -> tuple[Any, ...]:
        sizes = self.of_inputs | self.of_outputs
        return tuple(sizes[label] for label in self.labels.kernel)

    @property
    def output_axes(self) -> list[int]:
        """The axes of the kernel that the outputs have."""
        return [i for i, label in enumerate(self.labels.kernel) if label in self.of_outputs]

    @property
    def input_axes(self) -> list[int]:
        """The axes of the kernel that are summed over."""
        return [i for i, label in enumerate(self.labels.kernel) if label not in self.of_outputs]

    def bias(self, axes: str) -> tuple[Any, ...]:
        """A shape that broadcasts to the outputs: 1 along the axes that are not asked for."""
        outputs = self.labels.outputs
        for label in axes:
            if label not in outputs:
                raise ValueError(
                    f"Bias dimension '{label}' was requested, but is not part of the output spec "
                    f"'{outputs}'"
                )
        first = min(outputs.index(label) for label in axes)
        sizes = [self.of_outputs[n] if n in axes else 1 for n in outputs[first:]]
        return (*sizes, *(1,) * self.right)


class EinsumDense(Layer):
    """activation(einsum(equation, inputs, kernel) + bias).

    `output_shape` has the sizes after the batch, None where they follow from the inputs.
    `bias_axes` are the labels of the outputs along which there is a bias.

    >>> import slipstream as tf
    >>> layer = EinsumDense("abc,cd->abd", output_shape=(None, 64), bias_axes="d")
    >>> layer(tf.zeros([2, 32, 128])).shape
    TensorShape([2, 32, 64])
    """

    def __init__(
        self,
        equation: str,
        output_shape: Any,
        activation: Any = None,
        bias_axes: str | None = None,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.equation, self.bias_axes = equation, bias_axes
        several = isinstance(output_shape, (tuple, list))
        self.partial_output_shape = tuple(output_shape) if several else (output_shape,)
        self.activation = activations.get(activation)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)

    def build(self, input_shape: Any) -> None:
        sizes = self._sizes(input_shape)
        self.input_spec = InputSpec(ndim=len(input_shape))
        self.kernel = self.add_weight(
            shape=sizes.kernel,
            initializer=self._fitted(sizes),
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
            name="kernel",
        )
        self.bias = None
        if self.bias_axes is not None:
            self.bias = self.add_weight(
                shape=sizes.bias(self.bias_axes),
                initializer=self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
                name="bias",
            )

    def _sizes(self, input_shape: Any) -> Sizes:
        return Sizes(self.equation, input_shape, self.partial_output_shape)

    def _fitted(self, sizes: Sizes) -> Any:
        """The initializer; one that scales by fans is told which axes these are."""
        given = self.kernel_initializer
        known = getattr(given, "input_axes", None), getattr(given, "output_axes", None)
        if not isinstance(given, VarianceScaling) or None not in known:
            return given
        axes = {"input_axes": sizes.input_axes, "output_axes": sizes.output_axes}
        return type(given).from_config(given.get_config() | {"seed": given.seed} | axes)

    def call(self, inputs: Any, training: Any = None) -> Any:
        outputs = einsum(self.equation, inputs, self.kernel)
        return self.activation(outputs if self.bias is None else outputs + self.bias)

    def compute_output_shape(self, input_shape: Any) -> tuple[Any, ...]:
        return self._sizes(input_shape).outputs

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "output_shape": self.partial_output_shape,
            "equation": self.equation,
            "activation": activations.serialize(self.activation),
            "bias_axes": self.bias_axes,
            "kernel_initializer": initializers.serialize(self.kernel_initializer),
            "bias_initializer": initializers.serialize(self.bias_initializer),
            "kernel_regularizer": regularizers.serialize(self.kernel_regularizer),
            "bias_regularizer": regularizers.serialize(self.bias_regularizer),
            "kernel_constraint": constraints.serialize(self.kernel_constraint),
            "bias_constraint": constraints.serialize(self.bias_constraint),
        }
