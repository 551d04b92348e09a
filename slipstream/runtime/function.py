"""`tf.function`: a Python function traced once a signature, and run as one program."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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

    def __init__(self, program: Program, structure: Any) -> None:
        self.program, self._structure = program, structure

    @property
    def graph(self) -> Any:
        return self.program.graph

    @property
    def inputs(self) -> list[TensorType]:
        return list(self.graph.input_types)

    @property
    def outputs(self) -> list[TensorType]:
        return list(self.graph.output_types[: self.program.results])

    @property
    def structured_outputs(self) -> Any:
        """What it returns, with TensorSpecs in the place of tensors."""
        types = iter(self.outputs)

        def leaf(value: Any) -> Any:
            if value is not _RESULT:
                return value
            type = next(types)
            return TensorSpec(type.shape, type.dtype)

        return map_structure(leaf, self._structure)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        leaves = [convert(leaf) for leaf in flatten((args, kwargs)) if _is_tensor_like(leaf)]
        return self.run(leaves)

    def run(self, tensors: Sequence[EagerTensor]) -> Any:
        return self._packed(self.program(tensors))

    def prepare(self) -> None:
        """Begin to compile, while other programs run; the first run raises what goes wrong."""
        self.program.prepare()

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
        if self._structure is _RESULT:
            return next(results)
        return map_structure(
            lambda leaf: next(results) if leaf is _RESULT else leaf, self._structure
        )


class OpenFunction:
    """A traced function some sizes of whose arguments are open: it is traced for those that come.

    Made by `get_concrete_function` for TensorSpecs with sizes of None.
    """

    def __init__(self, function: Function, args: Any, kwargs: Any) -> None:
        self._function = function
        self.structured_input_signature = args, kwargs

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        given = iter([convert(x) for x in flatten((args, kwargs)) if _is_tensor_like(x)])
        filled, named = map_structure(
            lambda leaf: self._fitting(leaf, given) if _is_open(leaf) else leaf,
            self.structured_input_signature,
        )
        return self._function(*filled, **named)

    def _fitting(self, spec: Any, given: Iterator[Any]) -> Any:
        tensor = next(given, None)
        if tensor is None:
            raise TypeError(f"{self._function.function_name} received too few tensors")
        expected = spec if isinstance(spec, TensorSpec) else TensorSpec.from_tensor(spec)
        if not expected.is_compatible_with(tensor):
            raise TypeError(_unfit(self._function.function_name, expected, tensor.type))
        return tensor


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

    def get_concrete_function(self, *args: Any, **kwargs: Any) -> ConcreteFunction | OpenFunction:
        """The traced function for a signature given as tensors, arrays or TensorSpecs; where a
        TensorSpec leaves sizes open, one that is traced for those that come.
        """
        if self.input_signature is not None and not args and not kwargs:
            args = tuple(self.input_signature)
        if any(_has_open_sizes(leaf) for leaf in flatten((args, kwargs))):
            return OpenFunction(self, args, kwargs)
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
        converted = [self._converted(a, s) for a, s in zip(given, specs, strict=True)]
        return tuple(pack(signature, converted)), {}

    def _converted(self, argument: Any, spec: TensorSpec) -> Any:
        """An argument as a tensor of the signature; TypeError if it is none."""
        try:
            tensor = convert(argument, spec.dtype)
        except ValueError:
            tensor = convert(argument)
        if not spec.is_compatible_with(tensor):
            raise TypeError(_unfit(self.function_name, spec, tensor.type))
        return tensor

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

        types = [t.type for t in tensors]
        made = _drawn(tracer, called, types)
        if tracer.variables:  # a second trace shows whether they are made each time
            self._made_variables = True
            made = _drawn(Tracer(self.function_name), called, types)
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
    return ConcreteFunction(Program(tracer, len(types), results), structure)


def _is_tensor_like(leaf: Any) -> bool:
    return isinstance(leaf, (Tensor, np.ndarray, np.generic))


def _is_result(leaf: Any) -> bool:
    numbers = isinstance(leaf, (bool, int, float, complex))
    return numbers or _is_tensor_like(leaf) or isinstance(leaf, Variable)


def _stand_in(leaf: Any) -> Any:
    """A tensor of a spec's type, to trace with."""
    if not isinstance(leaf, TensorSpec) or leaf.shape is None:
        return leaf
    return EagerTensor(np.zeros(tuple(leaf.shape), leaf.dtype.numpy))


def _has_open_sizes(leaf: Any) -> bool:
    """Whether a leaf is a TensorSpec that does not say all sizes."""
    return isinstance(leaf, TensorSpec) and (
        leaf.shape is None or not leaf.shape.is_fully_defined()
    )


def _is_open(leaf: Any) -> bool:
    """Whether a tensor is to come in the place of a leaf."""
    return isinstance(leaf, TensorSpec) or _is_tensor_like(leaf)


def _unfit(function: str, spec: TensorSpec, type: TensorType) -> str:
    return message(
        function,
        "an argument does not fit the input_signature",
        expected=str(spec),
        received={"argument": type},
    )


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
