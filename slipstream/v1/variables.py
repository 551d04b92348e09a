"""Variables of TensorFlow 1: they belong to a graph, and their contents live in sessions."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any

from slipstream.errors import message
from slipstream.ir.types import TensorType
from slipstream.primitives.base import REGISTRY
from slipstream.runtime.convert import TensorLike, convert
from slipstream.runtime.shape import TensorShape
from slipstream.runtime.variable import Cell
from slipstream.runtime.variable import Variable as EagerVariable
from slipstream.v1.graph import Graph, GraphKeys, Operation, in_graph
from slipstream.v1.sessions import require_session


class Variable(EagerVariable):
    """A variable of a graph; its content begins to exist when its `initializer` is run.

    `initial_value` is a tensor, anything one can be made of, or a function without arguments that
    gives it.
    """

    def __init__(
        self,
        initial_value: Any = None,
        trainable: bool = True,
        collections: Sequence[str] | None = None,
        validate_shape: bool = True,
        caching_device: Any = None,
        name: str | None = None,
        dtype: Any = None,
        **_options: Any,
    ) -> None:
        if initial_value is None:
            raise ValueError("initial_value must be specified.")
        with in_graph() as graph, graph.control_dependencies(None):
            self._graph = graph
            self._name = graph.unique_name(name or "Variable")
            with graph.name_scope(self._name + "/"):
                initial = _initial_tensor(initial_value, dtype)
            if not TensorShape(initial.shape).is_fully_defined():
                raise ValueError(f"initial_value must have a shape specified: {initial!r}")
            self.cell = Cell(None, TensorType(tuple(initial.shape), initial.dtype))
            self.cell.variable = weakref.ref(self)
            self._trainable = bool(trainable)
            self._initial = initial
            self.initializer: Operation = graph.add_operation(
                self.cell.write, (initial,), "Assign", f"{self._name}/Assign"
            )
        self._enter_collections(collections)

    def _enter_collections(self, collections: Sequence[str] | None) -> None:
        names = list(collections) if collections is not None else [GraphKeys.GLOBAL_VARIABLES]
        if self._trainable and GraphKeys.TRAINABLE_VARIABLES not in names:
            names.append(GraphKeys.TRAINABLE_VARIABLES)
        self._graph.add_to_collections(names, self)

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        """The same variable, as in TensorFlow 1."""
        return self is other

    def __ne__(self, other: object) -> bool:
        return self is not other

    @property
    def graph(self) -> Graph:
        return self._graph

    @property
    def op(self) -> Operation:
        return self.initializer

    @property
    def initial_value(self) -> Any:
        return self._initial

    def initialized_value(self) -> Any:
        """A tensor to initialise another variable from."""
        return self._initial

    def _operand(self) -> Any:
        with in_graph():
            return super()._operand()

    def assign(
        self, value: Any, use_locking: bool = False, name: Any = None, read_value: bool = True
    ) -> Any:
        """A tensor that assigns when it is run, and gives the new content."""
        with in_graph() as graph:
            return graph.add_step(_assign, (self, value), {}, type="Assign", name=name)

    def assign_add(
        self, delta: Any, use_locking: bool = False, name: Any = None, read_value: bool = True
    ) -> Any:
        with in_graph() as graph:
            return graph.add_step(_assign_add, (self, delta), {}, type="AssignAdd", name=name)

    def assign_sub(
        self, delta: Any, use_locking: bool = False, name: Any = None, read_value: bool = True
    ) -> Any:
        with in_graph() as graph:
            return graph.add_step(_assign_sub, (self, delta), {}, type="AssignSub", name=name)

    def _scattered(self, name: str, indices: Any, updates: Any) -> Any:
        with in_graph() as graph:
            return graph.add_step(_scatter, (self, name, indices, updates), {}, type="Scatter")

    def eval(self, session: Any = None) -> Any:
        """The content in `session` or the default one."""
        return require_session(session, "evaluate variable").run(self)

    def load(self, value: Any, session: Any = None) -> None:
        """Set the content in `session` or the default one."""
        require_session(session, "load variable").load(self, value)

    def numpy(self) -> Any:
        raise AttributeError("a TensorFlow 1 variable has no value of its own; use session.run")

    def __bool__(self) -> bool:
        raise TypeError("a TensorFlow 1 variable has no truth value before a session runs it")

    def __repr__(self) -> str:
        return f"<tf.Variable '{self.name}' shape={self.shape} dtype={self.dtype.name}_ref>"


def _initial_tensor(initial_value: Any, dtype: Any) -> Any:
    if callable(initial_value) and not isinstance(initial_value, TensorLike):
        initial_value = initial_value()
    return convert(initial_value, dtype)


def _assign(variable: Variable, value: Any) -> Any:
    tensor = convert(value, variable.dtype)
    if tuple(tensor.type.shape) != tuple(variable.shape):
        raise ValueError(
            message(
                f"assign to {variable.name}", "the value has another shape than the variable",
                expected=str(variable.shape), received={"value": tensor.shape},
            )
        )  # fmt: skip
    variable.cell.write(tensor)
    return variable.cell.read()


def _assign_add(variable: Variable, delta: Any) -> Any:
    return _assign(variable, REGISTRY["add"](variable.value(), convert(delta, variable.dtype)))


def _assign_sub(variable: Variable, delta: Any) -> Any:
    return _assign(variable, REGISTRY["subtract"](variable.value(), convert(delta, variable.dtype)))


def _scatter(variable: Variable, name: str, indices: Any, updates: Any) -> Any:
    updates = convert(updates, variable.dtype)
    return _assign(variable, REGISTRY[name](variable.value(), convert(indices), updates))
