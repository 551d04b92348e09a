"""Programs as text: what `print(graph)` shows, and what rebuilds the graph.

The text is Python, so that editors colour it, but it is only parsed and never run:

    def graph(a: "float32[64,784]", b: "float32[784,10]"):
        c = contract(a, b, x_labels=(0, 1), y_labels=(1, 2), out_labels=(0, 2))  # float32[64,10]
        return c

A sub-program held as a parameter is a nested `def`, referred to by its name. Arrays are
`array(dtype, shape, elements)` and keep every bit. The comments are for the reader.
"""

from slipstream.ir.literals import parse_type
from slipstream.ir.parser import parse_graph
from slipstream.ir.printer import print_graph

__all__ = ["parse_graph", "parse_type", "print_graph"]
