"""`tf.function`: a Python function traced once a signature, and run as one program."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from slipstream.errors import message
from slipstream.ir.dtypes import DType, as_dtype
from slipstream.ir.graph import Array
from slipstream.ir.types import TensorType
from slipstream.primitives.base import interpreting
from slipstream.runtime.convert import convert
from slipstream.runtime.dispatch import shortened
from slipstream.runtime.program import Program, is_eager
from slipstream.runtime.shape import TensorShape
from slipstream.runtime.structure import (
    flatten,
    flatten_up_to,
    map_structure,
    pack,
    sorted_keys,
)
from slipstream.runtime.tensor import EagerTensor, Tensor
from slipstream.runtime.tracer import Tracer
from slipstream.runtime.variable import Variable


class TensorSpec:
    """The shape (None where any size will do), dtype and name of a tensor to come."""

    __slots__ = ("dtype", "name", "shape")

    def __init__(self, shape: Any, dtype: Any = "float32", name: str | None = None) -> None:
        self.shape = None if shape is None else TensorShape(shape)
        self.dtype: DType = as_dtype(dtype)
        self.name = name

    @staticmethod
    def from_tensor(tensor: Any, name: str | None = None) -> TensorSpec:
        return TensorSpec(tensor.shape, tensor.dtype, name)

    def is_compatible_with(self, tensor: Any) -> bool:
        fits = self.shape is None or self.shape.is_compatible_with(tensor.shape)
        return fits and tensor.dtype is self.dtype

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TensorSpec) and (self.shape, self.dtype) == (
            other.shape,
            other.dtype,
        )

    def __hash__(self) -> int:
        return hash((self.shape, self.dtype))

    def __repr__(self) -> str:
        return f"TensorSpec(shape={self.shape}, dtype=tf.{self.dtype.name}, name={self.name!r})"


class ConcreteFunction:
    """A function traced for one signature. `graph` is the program; calling it runs it."""

    def __init__(self, program: Program, structure: Any, template: Any) -> None:
        self.program, self.structured_outputs, self._template = program, structure, template

    @property
    def graph(self) -> Any:
        return self.program.graph

    @property
    def inputs(self) -> list[TensorType]:
        return list(self.graph.input_types)

    @property
    def outputs(self) -> list[TensorType]:
        return list(self.graph.output_types[: self.program.results])

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        leaves = [convert(leaf) for leaf in flatten((args, kwargs)) if _is_tensor_like(leaf)]
        return self.run(leaves)

    def run(self, tensors: Sequence[EagerTensor]) -> Any:
        return self._packed(self.program(tensors))

    def repeat(self, arrays: Sequence[Array], moving: int) -> Any:
        """A run for each element of `arrays[moving]`, which is that argument in it; what the last
        returned. No tape sees it.
        """
        try:
            return self._packed(map(EagerTensor, self.program.repeat(arrays, moving)))
        except Exception as error:
            raise shortened(error) from error.__cause__

    def _packed(self, tensors: Iterable[Any]) -> Any:
        results = iter(tensors)
        if self.structured_outputs is _RESULT:
            return next(results)
        return map_structure(
            lambda leaf: next(results) if leaf is _RESULT else leaf, self.structured_outputs
        )


RUN_EAGERLY = [False]  # set by tf.config.run_functions_eagerly
_RESULT = object()  # marks where a tensor stands in the structure of what a function returns


class Function:
    """A callable that traces `python_function` once for each signature of its arguments.

    A signature is the shapes and dtypes of tensors and arrays, and the values of all other
    arguments. With an
    `input_signature`, arguments are converted to it and unknown sizes are filled by those that
    come.
    """

    def __init__(
        self, python_function: Callable[..., Any], name: str, input_signature: Any = None
    ) -> None:
        functools.update_wrapper(self, python_function)
        self.python_function = python_function
        self.function_name = name
        self.input_signature = input_signature
        self._programs: dict[Any, ConcreteFunction] = {}
        self._made_variables = False
        self._methods: dict[int, Function] = {}

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        """A method: one Function an instance, kept with it."""
        if instance is None:
            return self
        held = instance.__dict__.setdefault("_traced_methods", {})
        if self.function_name not in held:
            bound = self.python_function.__get__(instance, owner)
            held[self.function_name] = Function(bound, self.function_name, self.input_signature)
        return held[self.function_name]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if RUN_EAGERLY[0] or not is_eager():
            return self.python_function(*args, **kwargs)
        args, kwargs = self._prepared(args, kwargs)
        try:
            concrete, tensors = self._concrete(args, kwargs)
            return concrete.run(tensors)
        except Exception as error:
            raise shortened(error) from error.__cause__

    def get_concrete_function(self, *args: Any, **kwargs: Any) -> ConcreteFunction:
        """The traced function for a signature given as tensors, arrays or TensorSpecs with known
        sizes.
        """
        if self.input_signature is not None and not args and not kwargs:
            args = tuple(self.input_signature)
        args, kwargs = map_structure(_stand_in, (args, kwargs))
        return self._concrete(args, kwargs)[0]

    def experimental_get_tracing_count(self) -> int:
        """How many signatures have been traced."""
        return len(self._programs)

    def pretty_printed_concrete_signatures(self) -> str:
        return "\n".join(str(c.graph).split("\n")[0] for c in self._programs.values())

    def _prepared(self, args: Any, kwargs: Any) -> tuple[Any, Any]:
        if self.input_signature is None:
            return args, kwargs
        if kwargs:
            bound = inspect.signature(self.python_function).bind(*args, **kwargs)
            args = tuple(bound.arguments.values())
        if len(args) != len(self.input_signature):
            raise TypeError(
                f"{self.function_name} takes {len(self.input_signature)} arguments by its "
                f"input_signature, and received {len(args)}"
            )
        signature = list(self.input_signature)
        specs, given = flatten(signature), flatten_up_to(signature, list(args))
        converted = [convert(a, s.dtype) for a, s in zip(given, specs, strict=True)]
        for tensor, spec in zip(converted, specs, strict=True):
            if not spec.is_compatible_with(tensor):
                raise TypeError(
                    message(
                        self.function_name,
                        "an argument does not fit the input_signature",
                        expected=str(spec),
                        received={"argument": tensor.type},
                    )
                )
        return tuple(pack(signature, converted)), {}

    def _concrete(self, args: Any, kwargs: Any) -> tuple[ConcreteFunction, list[Any]]:
        """The traced function for these arguments, and the tensors among them."""
        tensors: list[Any] = []
        key = _signature(args, tensors), _signature(kwargs, tensors)
        known = self._programs.get(key)
        if known is None:
            known = self._programs[key] = self._trace(args, kwargs, tensors)
        return known, tensors

    def _trace(self, args: Any, kwargs: Any, tensors: list[Any]) -> ConcreteFunction:
        tracer = Tracer(self.function_name)
        tracer.variables = None if self._made_variables else []

        def called(*given: Any) -> Any:
            symbols = iter(given)
            args_, kwargs_ = map_structure(
                lambda leaf: next(symbols) if _is_tensor_like(leaf) else leaf, (args, kwargs)
            )
            return self.python_function(*args_, **kwargs_)

        made = _drawn(tracer, called, [t.type for t in tensors])
        self._made_variables = self._made_variables or bool(tracer.variables)
        return made


def traced(
    python_function: Callable[..., Any], name: str, types: Sequence[TensorType]
) -> ConcreteFunction:
    """A function of tensors of these types, traced; variables it makes are made now."""
    tracer = Tracer(name)
    tracer.variables = []
    return _drawn(tracer, python_function, types)


def _drawn(
    tracer: Tracer, python_function: Callable[..., Any], types: Sequence[TensorType]
) -> ConcreteFunction:
    symbols = [tracer.argument(type) for type in types]
    with interpreting(tracer):
        returned = python_function(*symbols)
        results = [convert(leaf) for leaf in flatten(returned) if _is_result(leaf)]
    structure = map_structure(lambda leaf: _RESULT if _is_result(leaf) else leaf, returned)
    return ConcreteFunction(Program(tracer, len(types), results), structure, returned)


def _is_tensor_like(leaf: Any) -> bool:
    return isinstance(leaf, (Tensor, np.ndarray, np.generic))


def _is_result(leaf: Any) -> bool:
    numbers = isinstance(leaf, (bool, int, float, complex))
    return numbers or _is_tensor_like(leaf) or isinstance(leaf, Variable)


def _stand_in(leaf: Any) -> Any:
    """A tensor of a spec's type, to trace with."""
    if not isinstance(leaf, TensorSpec):
        return leaf
    if leaf.shape is None or not leaf.shape.is_fully_defined():
        raise ValueError(
            message(
                "get_concrete_function",
                "a concrete function has concrete sizes",
                expected="a TensorSpec whose sizes are all known",
                received={"spec": leaf},
                hint="calling the function, which is traced for the sizes that come",
            )
        )
    return EagerTensor(np.zeros(tuple(leaf.shape), leaf.dtype.numpy))


def _signature(item: Any, tensors: list[Any]) -> Any:
    """What tells an argument from others: types of tensors, values of all else, how they are
    nested. The tensors are added to `tensors`, in the order of `flatten`.
    """
    if isinstance(item, (list, tuple)) and not hasattr(item, "as_list"):
        return (type(item).__name__, *[_signature(part, tensors) for part in item])
    if isinstance(item, Mapping):
        return tuple((key, _signature(item[key], tensors)) for key in sorted_keys(item))
    if not _is_tensor_like(item):
        return _python_key(item)
    tensor = convert(item)
    tensors.append(tensor)
    return tensor.type


def _python_key(value: Any) -> Any:
    if isinstance(value, (bool, int, float, complex, str, bytes, type(None))):
        return type(value), value
    return _ByIdentity(value)


class _ByIdentity:
    """An argument that is told apart by which object it is, and held so that it stays that one."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _ByIdentity) and other.value is self.value

    def __hash__(self) -> int:
        return id(self.value)


def function(
    func: Callable[..., Any] | None = None,
    input_signature: Any = None,
    autograph: bool = True,
    jit_compile: bool | None = None,
    reduce_retracing: bool = False,
    **_options: Any,
) -> Any:
    """Trace a Python function into one program, as decorator or call.

    >>> @function
    ... def double(x):
    ...     return x + x
    >>> int(double(convert(21)))
    42
    """

    def decorate(python_function: Callable[..., Any]) -> Function:
        name = getattr(python_function, "__name__", "function")
        return Function(python_function, name, input_signature)

    return decorate if func is None else decorate(func)
