"""Printing a graph as text that rebuilds it; the form is described in `text`."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from slipstream.ir.dtypes import ALL, DType, from_numpy
from slipstream.ir.graph import Array, Constant, Graph, Node, Value, subgraphs
from slipstream.ir.types import TensorType

DTYPES = {d.name: d for d in ALL}
UNSIGNED = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}  # by item size


def print_graph(graph: Graph) -> str:
    """The text of a graph. `parse_graph` makes an equal graph of it, except for origins."""
    return "\n".join(_Printer(graph).lines()) + "\n"


def value_names(graph: Graph) -> dict[Value, str]:
    """The names that the text of a graph gives its values; numbers that stand in it have none."""
    printer = _Printer(graph)
    for _ in printer.lines():
        pass
    return printer.values


def _names() -> Iterator[str]:
    """a, b, ..., z, aa, ab, ... without Python's keywords."""
    index = 0
    while True:
        name, rest = "", index
        while rest >= 0:
            name, rest = chr(ord("a") + rest % 26) + name, rest // 26 - 1
        if not keyword.iskeyword(name):
            yield name
        index += 1


def element_text(element: Any, dtype: DType) -> str:
    """One element of an array, so that parsing gives the same bits."""
    if dtype.is_complex:
        part = dtype.real_dtype
        return f"complex({element_text(element.real, part)}, {element_text(element.imag, part)})"
    if dtype.is_floating:
        return _float_text(element, dtype)
    return repr(element.item() if isinstance(element, np.generic) else element)


def _float_text(element: Any, dtype: DType) -> str:
    if np.isnan(element):
        unsigned = UNSIGNED[dtype.size]
        same = np.asarray(element, dtype.numpy).view(unsigned) == _usual_nan(dtype).view(unsigned)
        return "nan" if same else f"bits({int(np.asarray(element, dtype.numpy).view(unsigned)):#x})"
    shortest = str(np.asarray(element, dtype.numpy).astype(_printable(dtype))[()])
    exact = np.asarray(float(shortest), dtype.numpy) == element
    return shortest if exact else repr(float(element))


def _usual_nan(dtype: DType) -> Array:
    return np.asarray(float("nan"), dtype.numpy)


def _printable(dtype: DType) -> Any:
    return np.float32 if dtype.name == "bfloat16" else dtype.numpy


def array_text(array: Array) -> str:
    """`array("float32", (2,), [1.0, 2.0])`: the elements in row-major order."""
    dtype = from_numpy(array.dtype)
    with np.errstate(all="ignore"):  # signalling nans are elements like others
        elements = [element_text(e, dtype) for e in array.reshape(-1)]
    if len(elements) > 1 and len(set(elements)) == 1:
        listed = f"[{elements[0]}] * {len(elements)}"
    else:
        listed = f"[{', '.join(elements)}]"
    return f'array("{dtype.name}", {array.shape!r}, {listed})'


def _python_float(number: float) -> str:
    return f"{number!r}"  # nan, inf and -inf are names the parser knows


def _plain_text(value: Any) -> str:
    """A parameter that holds no other: a number, a text, a dtype, an array."""
    if isinstance(value, DType):
        return value.name
    if isinstance(value, np.ndarray):
        return array_text(value)
    if isinstance(value, np.generic):
        dtype = from_numpy(value.dtype)
        return f'scalar("{dtype.name}", {element_text(value, dtype)})'
    if isinstance(value, complex):
        return f"complex({_python_float(value.real)}, {_python_float(value.imag)})"
    if value is None or value is ... or isinstance(value, (bool, int, float, str, bytes)):
        return "..." if value is ... else repr(value)
    return f"opaque({repr(value)!r})"


class _Printer:
    """The lines of one graph; nested graphs are printed by printers of their own."""

    def __init__(self, graph: Graph, name: str | None = None) -> None:
        self.graph = graph
        self.name = name or _identifier(graph.name)
        self.fresh = _names()
        self.values: dict[Value, str] = {}
        self.graphs: dict[Graph, str] = {}

    def lines(self) -> Iterator[str]:
        arguments = ", ".join(f'{self.bound(v)}: "{v.type}"' for v in self.graph.inputs)
        yield f"def {self.name}({arguments}):"
        for node in self.graph.nodes:
            for line in (*self.nested(node), *self.constants(node), self.statement(node)):
                yield f"    {line}"
        outputs = ", ".join(map(self.used, self.graph.outputs))
        yield f"    return {outputs or '()'}"

    def bound(self, value: Value) -> str:
        self.values[value] = next(self.fresh)
        return self.values[value]

    def used(self, value: Value) -> str:
        if isinstance(value, Constant) and value not in self.values:
            return array_text(value.array)
        return self.values[value]

    def nested(self, node: Node) -> Iterator[str]:
        for graph in subgraphs(node.params):
            if graph not in self.graphs:
                self.graphs[graph] = self.free_name(_identifier(graph.name))
                yield from _Printer(graph, self.graphs[graph]).lines()

    def free_name(self, wanted: str) -> str:
        taken, name, count = set(self.graphs.values()), wanted, 2
        while name in taken:
            name, count = f"{wanted}_{count}", count + 1
        return name

    def constants(self, node: Node) -> Iterator[str]:
        """Arrays get a line of their own; numbers stand where they are used."""
        for value in node.inputs:
            if isinstance(value, Constant) and value.type.shape and value not in self.values:
                text = array_text(value.array)
                yield f"{self.bound(value)} = {text}  # {value.type}"

    def statement(self, node: Node) -> str:
        arguments = [self.used(v) for v in node.inputs]
        arguments += [f"{name}={self.parameter(p)}" for name, p in node.params.items()]
        call = f"{operation_text(node.operation.name)}({', '.join(arguments)})"
        if not node.outputs:
            return call
        targets = ", ".join(map(self.bound, node.outputs))
        return f"{targets} = {call}  # {', '.join(str(v.type) for v in node.outputs)}"

    def parameter(self, value: Any) -> str:
        if isinstance(value, Graph):
            return self.graphs[value]
        if isinstance(value, TensorType):
            return f'type("{value}")'
        if isinstance(value, tuple):
            inner = ", ".join(map(self.parameter, value))
            return f"({inner},)" if len(value) == 1 else f"({inner})"
        if isinstance(value, list):
            return f"[{', '.join(map(self.parameter, value))}]"
        if isinstance(value, dict):
            pairs = (f"{self.parameter(k)}: {self.parameter(v)}" for k, v in value.items())
            return f"{{{', '.join(pairs)}}}"
        return _plain_text(value)


def operation_text(name: str) -> str:
    """The name of an operation; a keyword of Python, as `assert`, gets an underscore."""
    return f"{name}_" if keyword.iskeyword(name) else name


def _identifier(name: str) -> str:
    """The name of a graph as Python allows it, and no name that means something else here."""
    word = re.sub(r"\W", "_", name) or "graph"
    reserved = keyword.iskeyword(word) or word in DTYPES or word in ("nan", "inf")
    return f"_{word}" if reserved or word[0].isdigit() else word
