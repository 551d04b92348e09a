"""Sessions: they hold the contents of variables, and run what a fetch needs of a graph."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from slipstream.errors import FailedPreconditionError, InvalidArgumentError
from slipstream.ir.types import TensorType
from slipstream.primitives.base import interpreting
from slipstream.runtime.convert import as_array, convert
from slipstream.runtime.dispatch import shortened
from slipstream.runtime.program import Program
from slipstream.runtime.structure import flatten, map_structure
from slipstream.runtime.tracer import Tracer
from slipstream.runtime.variable import Cell, Variable
from slipstream.v1.graph import STACK, Graph, GraphTensor, Operation, get_default_graph
from slipstream.v1.sessions import SESSIONS
from slipstream.v1.shapes import resolved


class Replay(Tracer):
    """Traces the steps of a graph; `known` maps each of its tensors to that of the trace."""

    def __init__(self, graph: Graph) -> None:
        super().__init__("session_run")
        self.graph = graph
        self.known: dict[int, Any] = {}
        self.variables = []

    @property
    def seed_scope(self) -> Any:
        return self.graph.seeds

    def resolve(self, operand: Any) -> Any:
        return self.known[id(operand)] if isinstance(operand, GraphTensor) else operand

    def run(self, op: Operation) -> None:
        """Trace one step."""
        args, kwargs = resolved(op)
        result = op.function(*args, **kwargs)
        if op.outputs:
            for tensor, found in zip(flatten(op.structure), flatten(result), strict=True):
                if isinstance(tensor, GraphTensor):
                    self.known[id(tensor)] = convert(found)


class Session:
    """Runs a graph. Variables have contents only in a session, once it ran their initialisers.

    >>> import slipstream.v1 as tf
    >>> with tf.Graph().as_default(), tf.Session() as session:
    ...     print(session.run(tf.constant(6.0) * tf.constant(7.0)))
    42.0
    """

    def __init__(self, target: str = "", graph: Graph | None = None, config: Any = None) -> None:
        self.graph = graph or get_default_graph()
        self._cells: dict[Cell, Cell] = {}
        self._programs: dict[Any, Program] = {}
        self._closed = False
        self._entered: list[Any] = []

    # running

    def run(
        self, fetches: Any, feed_dict: Any = None, options: Any = None, run_metadata: Any = None
    ) -> Any:
        """The values of `fetches`, in their structure: arrays for tensors, None for operations.

        `feed_dict` maps tensors to values. Raises what TensorFlow raises: InvalidArgumentError for
        a placeholder
        that is needed and not fed, ValueError for a value of another shape, FailedPreconditionError
        for a variable
        without a content, TypeError for what cannot be fetched.
        """
        if self._closed:
            raise RuntimeError("Attempted to use a closed Session.")
        try:
            return self._run(fetches, feed_dict or {})
        except Exception as error:
            raise shortened(error) from error.__cause__

    def _run(self, fetches: Any, feed_dict: dict[Any, Any]) -> Any:
        leaves = [self._fetchable(leaf) for leaf in flatten(fetches)]
        feeds = [self._feed(key, value) for key, value in feed_dict.items()]
        types = tuple(TensorType(a.shape, t.dtype) for t, a in feeds)
        key = (tuple(map(id, leaves)), tuple(id(t) for t, _ in feeds), types)
        if key not in self._programs:
            fed = [t for t, _ in feeds]
            self._programs[key] = self._trace(leaves, fed, types)
        program = self._programs[key]
        self._check_initialized(program)
        arrays = iter(program.run([a for _, a in feeds], self._storage))
        values = [
            None if isinstance(leaf, Operation) else _fetched(next(arrays)) for leaf in leaves
        ]
        found = iter(values)
        return map_structure(lambda _: next(found), fetches)

    def _fetchable(self, leaf: Any) -> Any:
        item = self.graph.as_graph_element(leaf)
        if not isinstance(item, (GraphTensor, Operation, Variable)):
            raise TypeError(
                f"Fetch argument {leaf!r} has invalid type {type(leaf).__name__}, must be a string "
                "or Tensor. (Can not convert it into a Tensor or Operation.)"
            )
        if not isinstance(item, Variable) and item.graph is not self.graph:
            raise ValueError(f"Fetch argument {leaf!r} is not an element of this session's graph")
        return item

    def _feed(self, key: Any, value: Any) -> tuple[GraphTensor, Any]:
        tensor = self.graph.as_graph_element(key)
        if not isinstance(tensor, GraphTensor):
            raise TypeError(
                f"Cannot interpret feed_dict key as Tensor: {key!r} is a {type(key).__name__}"
            )
        if isinstance(value, GraphTensor):
            raise TypeError(
                "The value of a feed cannot be a tf.Tensor object. Acceptable feed values include "
                "Python scalars, strings, lists, numpy ndarrays, or TensorHandles."
            )
        array = _fed_array(value, tensor)
        if not tensor.shape.is_compatible_with(array.shape):
            wanted = str(tensor.shape).replace("None", "?")
            raise ValueError(
                f"Cannot feed value of shape {array.shape} for Tensor {tensor.name!r}, which has "
                f"shape {wanted!r}"
            )
        return tensor, array

    def _trace(self, leaves: list[Any], fed: list[GraphTensor], types: Any) -> Program:
        replay = Replay(self.graph)
        for tensor, type in zip(fed, types, strict=True):
            replay.known[id(tensor)] = replay.argument(type)
        with interpreting(replay):
            for op in needed_operations(leaves, fed):
                replay.run(op)
            results = [
                leaf.value() if isinstance(leaf, Variable) else replay.resolve(leaf)
                for leaf in leaves
                if not isinstance(leaf, Operation)
            ]
            return Program(replay, len(fed), results)

    # variables

    def _storage(self, cell: Cell) -> Cell:
        """Where this session keeps the content of a variable."""
        if cell not in self._cells:
            self._cells[cell] = Cell(cell.array, cell.type)
        return self._cells[cell]

    def _check_initialized(self, program: Program) -> None:
        """Every cell that is read before it is written needs a content."""
        read = {v for node in program.graph.nodes for v in node.inputs} | set(program.graph.outputs)
        first = len(program.graph.inputs) - len(program.cells)
        for cell, value in zip(program.cells, program.graph.inputs[first:], strict=True):
            stored = self._storage(cell)
            if stored.array is None and value not in read:
                stored.array = np.zeros(cell.type.shape, cell.type.dtype.numpy)
            elif stored.array is None:
                variable = cell.variable()
                name = variable.name.split(":")[0] if variable is not None else "unknown"
                raise FailedPreconditionError(f"Attempting to use uninitialized value {name}")

    def make_callable(self, fetches: Any, feed_list: Iterable[Any] | None = None) -> Any:
        """A function of values for the tensors of `feed_list` that runs the fetches."""
        keys = list(feed_list or ())
        return lambda *values: self.run(fetches, dict(zip(keys, values, strict=True)))

    def is_initialized(self, variable: Variable) -> bool:
        return self._storage(variable.cell).array is not None

    def content(self, variable: Variable) -> Any:
        """The content of a variable here, as an array; None before its initialiser ran."""
        return self._storage(variable.cell).array

    def load(self, variable: Variable, value: Any) -> None:
        """Set the content of a variable."""
        array = as_array(value, variable.dtype)
        if array.shape != tuple(variable.shape):
            raise ValueError(
                f"variable {variable.name} has shape {variable.shape}, the value {array.shape}"
            )
        self._storage(variable.cell).replace(array)

    # being the default one

    def __enter__(self) -> Session:
        graph, session = self.graph.as_default(), self.as_default()
        graph.__enter__()
        session.__enter__()
        self._entered.append((graph, session))
        return self

    def __exit__(self, *exception: Any) -> None:
        graph, session = self._entered.pop()
        session.__exit__(*exception)
        graph.__exit__(*exception)
        self.close()

    @contextmanager
    def as_default(self) -> Iterator[Session]:
        """Within the block `eval` and `run` use this session."""
        SESSIONS.append(self)
        try:
            yield self
        finally:
            SESSIONS.remove(self)

    def close(self) -> None:
        """Let go of the variables."""
        self._closed = True
        self._cells.clear()
        self._programs.clear()


class InteractiveSession(Session):
    """A session that is the default one from the moment it is made until it is closed."""

    def __init__(self, target: str = "", graph: Graph | None = None, config: Any = None) -> None:
        super().__init__(target, graph, config)
        self._explicit = graph
        if graph is not None:
            STACK.graphs.append(graph)
        SESSIONS.append(self)

    def close(self) -> None:
        super().close()
        if self in SESSIONS:
            SESSIONS.remove(self)
        if self._explicit is not None and self._explicit in STACK.graphs:
            STACK.graphs.remove(self._explicit)


def needed_operations(leaves: Iterable[Any], fed: Iterable[GraphTensor]) -> list[Operation]:
    """The operations that the fetches depend on, in the order they were added to the graph.

    What is fed needs nothing. That order makes a run repeatable: a variable is read before or after
    an assignment as
    the program's text has it.
    """
    stop = {id(t) for t in fed}
    waiting = [leaf for leaf in leaves if isinstance(leaf, Operation)]
    waiting += [t.op for t in leaves if isinstance(t, GraphTensor) and id(t) not in stop]
    found: dict[int, Operation] = {}
    while waiting:
        op = waiting.pop()
        if op.number in found:
            continue
        found[op.number] = op
        waiting += [t.op for t in op.inputs if id(t) not in stop]
        waiting += [
            c if isinstance(c, Operation) else c.op for c in map(_control, op.control_inputs)
        ]
    return [found[number] for number in sorted(found)]


def _control(item: Any) -> Any:
    """A control input as an operation or a tensor of one; of a variable, its initialiser."""
    return item.initializer if isinstance(item, Variable) else item


def _fed_array(value: Any, tensor: GraphTensor) -> Any:
    array = np.asarray(value.array if hasattr(value, "array") else value)
    if array.dtype.kind in "OSU" or tensor.dtype.kind == "string":
        return as_array(value, tensor.dtype, tensor.name)
    if tensor.dtype.is_integer and array.dtype.kind == "f" and np.any(array != np.trunc(array)):
        raise TypeError(
            f"Type of feed value {value!r} with type {array.dtype} is not compatible with Tensor "
            f"type {tensor.dtype.name}. Try explicitly casting it."
        )
    return array.astype(tensor.dtype.numpy)


def _fetched(array: Any) -> Any:
    """What `run` returns for a tensor: an array of the user's own, or a NumPy scalar."""
    return np.array(array) if array.shape else array[()]


def unfed_placeholder(name: str, spec: Any) -> Exception:
    """The error of a placeholder that a fetch needs and nobody feeds."""
    sizes = "<unknown>" if spec.shape is None else str(list(spec.shape))
    shape = sizes.replace("None", "?").replace(" ", "")
    return InvalidArgumentError(
        f"You must feed a value for placeholder tensor {name!r} with dtype {spec.dtype.name} and "
        f"shape {shape}"
    )
