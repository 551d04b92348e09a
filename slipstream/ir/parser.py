"""Parsing the text of a graph, without running it; the form is described in `text`."""

from __future__ import annotations

import ast
import keyword
from collections.abc import Callable
from typing import Any

from slipstream.ir.graph import Constant, Graph, Node, Operation, Value
from slipstream.ir.literals import array_of, fail, name_of, parse_type, plain
from slipstream.ir.printer import DTYPES
from slipstream.ir.types import TensorType


def parse_graph(text: str, lookup: Callable[[str], Operation]) -> Graph:
    """The graph that `text` describes; `lookup` finds an operation by name or raises KeyError.

    Nothing is executed. Raises InvalidArgumentError with the line of the text that is wrong.
    """
    try:
        module = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = getattr(error, "lineno", None)
        fail(f"the text is not Python: {error.args[0]}", line)
    if len(module.body) != 1 or not isinstance(module.body[0], ast.FunctionDef):
        fail("the text is not one function definition", 1)
    return _Parser(lookup).graph(module.body[0])


class _Parser:
    """One function definition at a time; nested ones have parsers of their own."""

    def __init__(self, lookup: Callable[[str], Operation]) -> None:
        self.lookup = lookup
        self.values: dict[str, Value] = {}
        self.graphs: dict[str, Graph] = {}
        self.nodes: list[Node] = []
        self.known: dict[str, Constant] = {}  # equal texts of arrays are one value

    def graph(self, definition: ast.FunctionDef) -> Graph:
        inputs = tuple(self.input(argument) for argument in definition.args.args)
        *body, last = definition.body
        for statement in body:
            self.statement(statement)
        if not isinstance(last, ast.Return) or last.value is None:
            fail(f"{definition.name} does not end with a return", last.lineno)
        outputs = last.value.elts if isinstance(last.value, ast.Tuple) else [last.value]
        return Graph(inputs, tuple(self.nodes), tuple(map(self.value, outputs)), definition.name)

    def input(self, argument: ast.arg) -> Value:
        note = argument.annotation
        if not isinstance(note, ast.Constant) or not isinstance(note.value, str):
            fail(f"argument {argument.arg} has no type", argument.lineno, '"dtype[sizes]"')
        value = Value(parse_type(note.value, argument.lineno))
        self.bind(argument.arg, value, argument.lineno)
        return value

    def bind(self, name: str, value: Value, line: int) -> None:
        if name in self.values:
            fail(f"{name} is defined twice", line)
        self.values[name] = value

    def statement(self, statement: ast.stmt) -> None:
        if isinstance(statement, ast.FunctionDef):
            self.graphs[statement.name] = _Parser(self.lookup).graph(statement)
        elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
            self.node(statement.value, [])
        elif isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Call):
            target = statement.targets[0]
            self.node(statement.value, target.elts if isinstance(target, ast.Tuple) else [target])
        else:
            fail("this is no application of an operation", statement.lineno, "y = operation(x)")

    def node(self, call: ast.Call, targets: list[ast.expr]) -> None:
        name = name_of(call.func)
        if name == "array":
            outputs: tuple[Value, ...] = (self.constant(call),)
        else:
            operation = self.operation(name, call.lineno)
            inputs = tuple(map(self.value, call.args))
            params = {k.arg or fail("** is not understood", call.lineno): self.parameter(k.value)
                      for k in call.keywords}  # fmt: skip
            types = self.infer(operation, inputs, params, call.lineno)
            outputs = tuple(map(Value, types))
            self.nodes.append(Node(operation, inputs, params, outputs))
        if len(outputs) != len(targets):
            fail(f"{name} has {len(outputs)} outputs, not {len(targets)}", call.lineno)
        for target, value in zip(targets, outputs, strict=True):
            self.bind(name_of(target), value, call.lineno)

    def operation(self, name: str, line: int) -> Operation:
        try:
            return self.lookup(name[:-1] if keyword.iskeyword(name[:-1]) else name)
        except KeyError:
            fail(f"there is no operation {name}", line)

    def infer(
        self, operation: Operation, inputs: tuple[Value, ...], params: dict[str, Any], line: int
    ) -> tuple[TensorType, ...]:
        try:
            return operation.infer(tuple(v.type for v in inputs), params)
        except TypeError as error:  # the rule has other parameters
            fail(f"{operation.name} is not called so: {error}", line)

    def value(self, expression: ast.expr) -> Value:
        if isinstance(expression, ast.Call) and name_of(expression.func) == "array":
            return self.constant(expression)
        name = name_of(expression)
        if name not in self.values:
            fail(f"{name} is used before it is defined", expression.lineno)
        return self.values[name]

    def constant(self, call: ast.Call) -> Constant:
        text = ast.unparse(call)
        if text not in self.known:
            self.known[text] = Constant.of(array_of(call))
        return self.known[text]

    def parameter(self, expression: ast.expr) -> Any:
        if isinstance(expression, ast.Tuple):
            return tuple(map(self.parameter, expression.elts))
        if isinstance(expression, ast.List):
            return list(map(self.parameter, expression.elts))
        if isinstance(expression, ast.Dict):
            keys = (self.parameter(k) for k in expression.keys if k is not None)
            return dict(zip(keys, map(self.parameter, expression.values), strict=True))
        if isinstance(expression, ast.Name) and expression.id in self.graphs:
            return self.graphs[expression.id]
        if isinstance(expression, ast.Name) and expression.id in DTYPES:
            return DTYPES[expression.id]
        return plain(expression)
