"""Acting outside a program: calling Python, printing, asserting. In order, and never left out."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from slipstream.errors import NotWhileTracing, message
from slipstream.ir.dtypes import from_numpy, string
from slipstream.ir.graph import Array
from slipstream.ir.types import TensorType
from slipstream.primitives import host
from slipstream.primitives.tracing import as_tuple
from slipstream.runtime.convert import TensorLike, convert
from slipstream.runtime.dispatch import operation
from slipstream.runtime.function import TensorSpec
from slipstream.runtime.structure import flatten, map_structure
from slipstream.runtime.tape import GradientTape
from slipstream.runtime.tensor import EagerTensor
from slipstream.runtime.tracer import is_tracing, outside_trace

Function = Callable[..., Any]


class ShapesUnknown(NotWhileTracing):
    """A traced program calls Python, and nothing says which shapes that returns."""


class WrongCount(ValueError):
    """A Python function returns another number of values than was announced."""


# --- calling Python ---


def _listed(Tout: Any) -> tuple[list[TensorSpec], bool]:
    """The specs of the results, and whether there is one by itself."""
    several = isinstance(Tout, (list, tuple))
    kinds = list(Tout) if several else [Tout]
    specs = [k if isinstance(k, TensorSpec) else TensorSpec(None, k) for k in kinds]
    return specs, not several


def _arrays(returned: Any, specs: Sequence[TensorSpec], name: str) -> list[Array]:
    """What a function returned, as arrays of the announced dtypes."""
    several = isinstance(returned, (list, tuple)) and len(specs) != 1
    values = [] if not specs else list(returned) if several else [returned]
    if specs and len(specs) == 1 and isinstance(returned, (list, tuple)) and len(returned) == 1:
        values = list(returned)
    if len(values) != len(specs):
        raise WrongCount(f"[{name}] the function returned {len(values)} values, not {len(specs)}")
    return [_array(value, spec) for value, spec in zip(values, specs, strict=True)]


def _array(value: Any, spec: TensorSpec) -> Array:
    if isinstance(value, TensorLike) or spec.dtype is string:
        tensor = convert(value)
        found: Array = tensor.array
        return found if tensor.dtype is spec.dtype else found.astype(spec.dtype.numpy)
    return np.asarray(value, spec.dtype.numpy)


def _types(run: Function, tensors: Sequence[Any], specs: Sequence[TensorSpec]) -> tuple[Any, ...]:
    """The types of the results: those announced, or what the function returns for zeros."""
    known = [s.shape for s in specs if s.shape is not None and s.shape.is_fully_defined()]
    if len(known) == len(specs):
        return tuple(
            TensorType(tuple(shape), s.dtype) for shape, s in zip(known, specs, strict=True)
        )
    try:
        found = run(*(_example(t.type) for t in tensors))
    except WrongCount:
        raise
    except Exception as error:
        text = "the shapes of the results are not known, and the function fails for zeros"
        raise ShapesUnknown(
            message("py_function", text, hint="a TensorSpec with its shape in Tout")
        ) from error
    return tuple(TensorType(a.shape, from_numpy(a.dtype)) for a in found)


def _example(type: TensorType) -> Array:
    empty: Any = b"" if type.dtype is string else 0
    return np.full(type.shape, empty, type.dtype.numpy)


def _tensors(inp: Any) -> list[Any]:
    return [convert(x) for x in (inp if isinstance(inp, (list, tuple)) else [inp])]


def _called(run: Function, inp: Any, Tout: Any, pullback: Function | None) -> Any:
    specs, alone = _listed(Tout)
    tensors = _tensors(inp)
    types = _types(run, tensors, specs)
    outputs = as_tuple(
        host.py_function(
            *tensors, function=lambda *arrays: tuple(run(*arrays)), types=types, pullback=pullback
        )
    )
    return outputs[0] if alone else list(outputs)


@operation
def numpy_function(
    func: Function, inp: Any, Tout: Any, stateful: bool = True, name: str | None = None
) -> Any:
    """What `func` returns for the inputs as NumPy arrays, as tensors of the dtypes `Tout`.

    `Tout` is a dtype or a list of them. No derivative flows through it. While a program is traced
    the function is called once with zeros, to learn the shapes of what it returns; a TensorSpec
    with its shape in the place of a dtype avoids that.

    >>> import slipstream as tf
    >>> float(tf.numpy_function(np.sinh, [tf.constant(0.0)], tf.float32))
    0.0
    """
    specs, alone = _listed(Tout)

    def run(*arrays: Array) -> list[Array]:
        with outside_trace():
            return _arrays(func(*arrays), specs, "numpy_function")

    if not is_tracing():
        found = [EagerTensor(array) for array in run(*(t.array for t in _tensors(inp)))]
        return found[0] if alone else found
    return _called(run, inp, Tout, None)


@operation
def py_function(func: Function, inp: Any, Tout: Any, name: str | None = None) -> Any:
    """What `func` returns for the inputs as eager tensors; see `numpy_function`.

    Derivatives flow: the function is called once more, under a tape, when they are asked for. A
    traced program's derivative through it cannot be derived again.

    >>> import slipstream as tf
    >>> int(tf.py_function(lambda x: x * x, [tf.constant(3)], tf.int32))
    9
    """
    if not is_tracing():
        return _called_now(func, inp, Tout)
    specs, _ = _listed(Tout)

    def run(*arrays: Array) -> list[Array]:
        with outside_trace():
            return _arrays(func(*map(EagerTensor, arrays)), specs, "py_function")

    def pullback(*arrays: Array) -> list[Array]:
        with outside_trace():
            return _cotangents(func, arrays[: len(arrays) - len(specs)], arrays, specs)

    return _called(run, inp, Tout, pullback)


def _called_now(func: Function, inp: Any, Tout: Any) -> Any:
    """Called directly, so that tapes see what the function does."""
    specs, alone = _listed(Tout)
    tensors = _tensors(inp)
    returned = func(*tensors)
    values = returned if isinstance(returned, (list, tuple)) else [returned]
    if not specs:
        return []
    if len(values) != len(specs):
        raise ValueError(f"[py_function] returned {len(values)} values, not {len(specs)}")
    found = [convert(v, s.dtype) for v, s in zip(values, specs, strict=True)]
    return found[0] if alone else found


def _cotangents(
    func: Function, inputs: Sequence[Array], arrays: Sequence[Array], specs: Sequence[TensorSpec]
) -> list[Array]:
    tensors = [EagerTensor(a) for a in inputs]
    moving = [t for t in tensors if t.dtype.is_differentiable]
    with GradientTape() as tape:
        tape.watch(moving)
        returned = func(*tensors)
    values = list(returned) if isinstance(returned, (list, tuple)) else [returned]
    pairs = [
        (v, EagerTensor(g))
        for v, g, s in zip(values, arrays[len(inputs) :], specs, strict=True)
        if s.dtype.is_differentiable
    ]
    targets, seeds = [v for v, _ in pairs], [g for _, g in pairs]
    found = tape.gradient(targets, moving, output_gradients=seeds, unconnected_gradients="zero")
    return [convert(g).array for g in found]


# --- printing ---


def _float_text(number: Any) -> str:
    """The fewest of 6 or 9 digits (15 or 17 in float64) that give the number back."""
    few, many = (15, 17) if number.dtype == np.float64 else (6, 9)
    short = f"{float(number):.{few}g}"
    return short if type(number)(float(short)) == number else f"{float(number):.{many}g}"


def _element_text(element: Any, quoted: bool) -> str:
    if isinstance(element, (bytes, str)):
        text = element.decode(errors="replace") if isinstance(element, bytes) else element
        return f'"{text}"' if quoted else text
    if isinstance(element, (bool, np.bool_)):
        return "1" if element else "0"
    if isinstance(element, np.floating):
        return _float_text(element)
    return str(element)


def array_text(array: Array, summarize: int = 3) -> str:
    """An array as `tf.print` writes it: `summarize` elements from each end, or all of it for -1."""
    if not array.shape:
        return _element_text(array[()], False)
    return _nested_text(array, summarize, 1)


def _nested_text(array: Array, summarize: int, indent: int) -> str:
    size = len(array)
    short = summarize < 0 or size <= 2 * summarize
    rows: list[Any] = (
        list(range(size)) if short else [*range(summarize), None, *range(size - summarize, size)]
    )
    if array.ndim == 1:
        texts = ["..." if i is None else _element_text(array[i], True) for i in rows]
        return f"[{' '.join(texts)}]"
    texts = ["..." if i is None else _nested_text(array[i], summarize, indent + 1) for i in rows]
    return "[" + ("\n" * (array.ndim - 1) + " " * indent).join(texts) + "]"


class _Place:
    """Stands for a tensor in a structure whose text is made."""

    def __repr__(self) -> str:
        return "\0"


def _writer(output_stream: Any) -> Callable[[str], Any]:
    if isinstance(output_stream, str) and output_stream.startswith("file://"):
        path = Path(output_stream[len("file://") :])

        def append(text: str) -> None:
            with path.open("a", encoding="utf-8") as file:
                file.write(text)

        return append
    if output_stream is None or hasattr(output_stream, "write"):
        return lambda text: (output_stream or sys.stderr).write(text)
    raise ValueError(
        f"[print] output_stream must be a stream or 'file://path'; received {output_stream!r}"
    )


@operation
def print(*inputs: Any, **kwargs: Any) -> None:
    """Write tensors, structures of them and other objects, as `tf.print`.

    Options: `output_stream` (default sys.stderr; or "file://path"), `summarize` (elements shown
    from each end of an axis, default 3; -1 for all), `sep` (default " "), `end` (default newline).
    A traced program writes when it runs.

    >>> import sys
    >>> import slipstream as tf
    >>> tf.print("x:", tf.constant([1.0, 2.5]), output_stream=sys.stdout)
    x: [1 2.5]
    """
    options: dict[str, Any] = {
        "output_stream": None,
        "summarize": 3,
        "sep": " ",
        "end": "\n",
        "name": None,
    }
    for key in kwargs:
        if key not in options:
            raise ValueError(f"Unrecognized keyword arguments for tf.print: {key}")
    options |= kwargs
    write, summarize = _writer(options["output_stream"]), options["summarize"]
    template = str(options["sep"]).join(map(_shape_text, inputs)) + str(options["end"])
    tensors = [
        convert(leaf) for item in inputs for leaf in flatten(item) if isinstance(leaf, TensorLike)
    ]

    def show(*arrays: Array) -> None:
        first, *rest = template.split("\0")
        texts = (array_text(a, int(summarize)) + t for a, t in zip(arrays, rest, strict=True))
        write(first + "".join(texts))

    host.print_(*tensors, write=show)


def _shape_text(item: Any) -> str:
    """The text of an argument, with a mark where its tensors stand."""
    if isinstance(item, str):
        return item
    return str(map_structure(lambda x: _Place() if isinstance(x, TensorLike) else x, item))


# --- asserting ---


@operation
def Assert(condition: Any, data: Any, summarize: int = 3, name: str | None = None) -> None:
    """InvalidArgumentError, with the tensors `data`, unless the condition holds: now, or when the
    traced program runs."""
    shown = [convert(leaf) for leaf in flatten(list(data))]
    host.assert_(
        convert(condition), *shown, message="assertion failed: the condition does not hold; data:"
    )
