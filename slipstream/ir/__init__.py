"""What a program is: dtypes, shapes, values, nodes, graphs. Knows no operation by name."""

from slipstream.ir.builder import Builder
from slipstream.ir.dtypes import DType, as_dtype
from slipstream.ir.graph import Array, Constant, Graph, Node, Operation, Params, Value
from slipstream.ir.types import Shape, TensorType
from slipstream.ir.verifier import verify

__all__ = [
    "Array",
    "Builder",
    "Constant",
    "DType",
    "Graph",
    "Node",
    "Operation",
    "Params",
    "Shape",
    "TensorType",
    "Value",
    "as_dtype",
    "verify",
]
