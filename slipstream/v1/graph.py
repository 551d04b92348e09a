"""The graph of TensorFlow 1: steps written down in the order they were called, run later by a
session.

A step is a call of a public operation, not of its primitives. So the same graph serves every batch
size: the session
traces the steps it needs for the shapes that are fed. Shapes are inferred as the steps are written;
an unknown size is
None.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from slipstream.errors import user_line
from slipstream.ir.dtypes import DType
from slipstream.ir.graph import Array, Params
from slipstream.ir.types import TensorType
from slipstream.primitives.base import LEVEL, Primitive, current, interpreting
from slipstream.primitives.operand import Operand
from slipstream.runtime.eager import EAGER
from slipstream.runtime.function import TensorSpec
from slipstream.runtime.seeds import SeedScope
from slipstream.runtime.shape import TensorShape
from slipstream.runtime.structure import flatten, map_structure
from slipstream.runtime.tensor import EagerTensor, Tensor
from slipstream.runtime.tracer import Tracer, outside_trace
from slipstream.runtime.variable import Cell, initial_array
from slipstream.v1.names import NameScopes, default_name
from slipstream.v1.sessions import require_session
from slipstream.v1.shapes import infer_step


class GraphKeys:
    """The names of the standard collections."""

    GLOBAL_VARIABLES = "variables"
    LOCAL_VARIABLES = "local_variables"
    TRAINABLE_VARIABLES = "trainable_variables"
    MODEL_VARIABLES = "model_variables"
    REGULARIZATION_LOSSES = "regularization_losses"
    LOSSES = "losses"
    UPDATE_OPS = "update_ops"
    SUMMARIES = "summaries"
    GLOBAL_STEP = "global_step"
    TRAIN_OP = "train_op"
    INIT_OP = "init_op"
    SAVERS = "savers"


class GraphTensor(Tensor):
    """A tensor of a graph: an output of a step, without a value until a session runs it."""

    __slots__ = ("index", "op", "spec")

    def __init__(self, op: Operation, index: int, spec: TensorSpec) -> None:
        self.op, self.index, self.spec = op, index, spec

    def take_over(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """An operation outside any graph met this tensor: it is written down in its graph."""
        with self.graph.as_default():
            return self.graph.recorder.compose(function, args, kwargs)

    def _operand(self) -> Any:
        interpreter = current()
        return interpreter.resolve(self) if isinstance(interpreter, Tracer) else self

    @property
    def graph(self) -> Graph:
        return self.op.graph

    @property
    def name(self) -> str:
        return f"{self.op.name}:{self.index}"

    @property
    def type(self) -> TensorType:
        resolved = self._operand()
        if resolved is not self:
            found: TensorType = resolved.type
            return found
        return TensorType(tuple(self.spec.shape or ()), self.spec.dtype)

    @property
    def dtype(self) -> DType:
        return self.spec.dtype

    @property
    def shape(self) -> TensorShape:
        if self.spec.shape is None and self._operand() is self:
            return TensorShape(None)
        return TensorShape(self.type.shape)

    def set_shape(self, shape: Any) -> None:
        """Narrow what is known of the shape."""
        if self.spec.shape is None:
            self.spec = TensorSpec(shape, self.spec.dtype)
            return
        self.shape.assert_is_compatible_with(shape)
        known = [b if a is None else a for a, b in zip(self.shape, shape, strict=True)]
        self.spec = TensorSpec(known, self.spec.dtype)

    def eval(self, feed_dict: Any = None, session: Any = None) -> Any:
        """The value, run in `session` or the default one."""
        return require_session(session, "evaluate tensor").run(self, feed_dict)

    def consumers(self) -> list[Operation]:
        return [op for op in self.graph.get_operations() if any(t is self for t in op.inputs)]

    def __iter__(self) -> Iterator[Any]:
        if self.shape.rank and self.shape[0] is not None:
            return super().__iter__()
        raise TypeError(
            "Tensor objects are only iterable when eager execution is enabled. To iterate over "
            "this tensor use tf.map_fn."
        )

    def __bool__(self) -> bool:
        raise TypeError(
            "Using a symbolic `tf.Tensor` as a Python `bool` is not allowed: it has no value "
            "before a session runs it. Use tf.cond"
        )

    def __str__(self) -> str:
        return f'Tensor("{self.name}", shape={_question(self.shape)}, dtype={self.dtype.name})'

    def __repr__(self) -> str:
        return f"<tf.Tensor '{self.name}' shape={_question(self.shape)} dtype={self.dtype.name}>"

    def __hash__(self) -> int:
        return id(self)

    def __eq__(self, other: object) -> bool:
        """The same tensor, as in TensorFlow 1; `tf.equal` compares values."""
        return self is other

    def __ne__(self, other: object) -> bool:
        return self is not other


def _question(shape: TensorShape) -> str:
    return str(shape).replace("None", "?")


class Operation:
    """One step: a function, the arguments it was called with, the tensors it gives."""

    def __init__(self, graph: Graph, name: str, type: str, control_inputs: Sequence[Any]) -> None:
        self.graph, self.name, self.type = graph, name, type
        self.control_inputs = list(control_inputs)
        self.function: Callable[..., Any] = lambda: None
        self.args: tuple[Any, ...] = ()
        self.kwargs: dict[str, Any] = {}
        self.inputs: list[GraphTensor] = []
        self.outputs: list[GraphTensor] = []
        self.cells: list[Cell] = []  # the variables it reads or writes
        self.structure: Any = None  # what the function returns, GraphTensors at its leaves
        self.number = len(graph.operations)
        self.origin = user_line()

    def run(self, feed_dict: Any = None, session: Any = None) -> None:
        """Run this operation in `session` or the default one."""
        require_session(session, "execute operation").run(self, feed_dict)

    def __repr__(self) -> str:
        return f"<tf.Operation '{self.name}' type={self.type}>"


class Graph:
    """A TensorFlow 1 graph. `with graph.as_default():` adds what is called to it."""

    def __init__(self) -> None:
        self.operations: list[Operation] = []
        self.scopes = NameScopes()
        self.seeds = SeedScope()
        self.variable_store: dict[str, Any] = {}
        self.variable_scope: Any = None
        self._by_name: dict[str, Operation] = {}
        self._collections: dict[str, list[Any]] = {}
        self._controls: list[list[Any]] = []
        self._finalized = False
        self.recorder = GraphRecorder(self)

    # building

    @contextmanager
    def as_default(self) -> Iterator[Graph]:
        """Within the block, operations are added to this graph."""
        STACK.graphs.append(self)
        try:
            with interpreting(self.recorder):
                yield self
        finally:
            STACK.graphs.pop()

    def add_step(
        self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any],
        *, type: str | None = None, name: str | None = None, specs: Any = None,
    ) -> Any:  # fmt: skip
        """Write down a call; its result, with GraphTensors in the place of tensors."""
        if self._finalized:
            raise RuntimeError("Graph is finalized and cannot be modified.")
        type = type or default_name(function)
        controls = [c for group in self._controls for c in group]
        full_name = self.scopes.unique(name or kwargs.get("name") or type)
        op = Operation(self, full_name, type, controls)
        op.function, op.args, op.kwargs = function, args, kwargs
        captured: list[Any] = []
        if specs is None:
            specs, captured, op.cells = infer_step(op)
        found = [t for t in flatten((args, kwargs)) if isinstance(t, GraphTensor)]
        op.inputs = list({id(t): t for t in (*found, *captured)}.values())
        op.structure = map_structure(lambda leaf: self._output(op, leaf), specs)
        self.operations.append(op)
        self._by_name[full_name] = op
        return op.structure

    def _output(self, op: Operation, leaf: Any) -> Any:
        if not isinstance(leaf, TensorSpec):
            return leaf
        tensor = GraphTensor(op, len(op.outputs), leaf)
        op.outputs.append(tensor)
        return tensor

    def add_operation(
        self, function: Callable[..., Any], args: tuple[Any, ...], type: str, name: str | None,
        depends: Sequence[Any] = (),
    ) -> Operation:  # fmt: skip
        """A step that is run for its effect and gives no tensor."""
        self.add_step(function, args, {}, type=type, name=name, specs=())
        op = self.operations[-1]
        op.control_inputs += list(depends)
        return op

    @contextmanager
    def control_dependencies(self, control_inputs: Sequence[Any] | None) -> Iterator[None]:
        """Within the block, steps run only after `control_inputs`; None forgets those around."""
        outer = self._controls
        self._controls = [] if control_inputs is None else [*outer, list(control_inputs)]
        try:
            yield
        finally:
            self._controls = outer

    def name_scope(self, name: str | None) -> Any:
        return self.scopes.inside(name)

    @property
    def seed(self) -> int | None:
        return self.seeds.seed

    @seed.setter
    def seed(self, seed: int) -> None:
        self.seeds.reset(seed)

    def unique_name(self, name: str, mark_as_used: bool = True) -> str:
        return self.scopes.unique(name, mark=mark_as_used)

    def finalize(self) -> None:
        """No step can be added any more."""
        self._finalized = True

    @property
    def finalized(self) -> bool:
        return self._finalized

    # looking things up

    def get_operations(self) -> list[Operation]:
        return list(self.operations)

    def get_operation_by_name(self, name: str) -> Operation:
        """KeyError if there is none."""
        if name not in self._by_name:
            raise KeyError(f"The name {name!r} refers to an Operation not in the graph.")
        return self._by_name[name]

    def get_tensor_by_name(self, name: str) -> GraphTensor:
        """The tensor 'operation:index'. ValueError for another form, KeyError if there is none."""
        operation, colon, index = name.partition(":")
        if not colon or not index.isdigit():
            raise ValueError(f"tensor names have the form 'operation:index'; {name!r} has not")
        outputs = self.get_operation_by_name(operation).outputs
        if int(index) >= len(outputs):
            raise KeyError(f"{operation!r} has {len(outputs)} outputs, and no output {index}")
        return outputs[int(index)]

    def as_graph_element(self, item: Any, **_: Any) -> Any:
        if isinstance(item, str):
            return (
                self.get_tensor_by_name(item) if ":" in item else self.get_operation_by_name(item)
            )
        return item

    # collections

    def add_to_collection(self, name: str, value: Any) -> None:
        self._collections.setdefault(name, []).append(value)

    def add_to_collections(self, names: Sequence[str] | str, value: Any) -> None:
        for name in [names] if isinstance(names, str) else names:
            self.add_to_collection(name, value)

    def get_collection(self, name: str, scope: str | None = None) -> list[Any]:
        """The collection's items, those whose name begins with `scope` if it is given."""
        items = self._collections.get(name, [])
        return [i for i in items if scope is None or getattr(i, "name", "").startswith(scope)]

    def get_collection_ref(self, name: str) -> list[Any]:
        return self._collections.setdefault(name, [])

    def clear_collection(self, name: str) -> None:
        self._collections.pop(name, None)

    def get_all_collection_keys(self) -> list[str]:
        return list(self._collections)


class GraphRecorder:
    """The interpreter that writes calls down as steps of a graph."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph

    def apply(self, primitive: Primitive, inputs: tuple[Operand, ...], params: Params) -> Any:
        return self.graph.add_step(primitive, inputs, dict(params), name=None)

    def constant(self, array: Array) -> Any:
        spec = TensorSpec(array.shape, EagerTensor(array).dtype)
        return self.graph.add_step(
            current_constant, (EagerTensor(array),), {}, type="Const", specs=spec
        )

    def compose(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return self.graph.add_step(function, args, kwargs)

    def read_cell(self, cell: Cell) -> Any:
        variable = cell.variable()
        name = "read" if variable is None else f"{variable.name.split(':')[0]}/read"
        spec = TensorSpec(cell.type.shape, cell.type.dtype)
        read = self.graph.add_step(cell.read, (), {}, type="ReadVariableOp", name=name, specs=spec)
        read.op.cells = [cell]
        return read

    def write_cell(self, cell: Cell, operand: Any) -> None:
        self.graph.add_operation(cell.write, (operand,), "AssignVariableOp", None)

    def initial_array(self, initial_value: Any, dtype: Any) -> Array:
        """For variables of today's kind, as Keras layers make: their content is made at once."""
        with outside_trace():
            return initial_array(initial_value, dtype)

    def variable_created(self, variable: Any) -> None:
        self.graph.add_to_collection(GraphKeys.GLOBAL_VARIABLES, variable)
        if variable.trainable:
            self.graph.add_to_collection(GraphKeys.TRAINABLE_VARIABLES, variable)


def current_constant(tensor: Any) -> Any:
    """A known tensor, as an operand of the program being traced."""
    return current().constant(tensor.array)


class _Stack(threading.local):
    """The default graphs of a thread, innermost last."""

    def __init__(self) -> None:
        self.graphs: list[Graph] = []
        self.bottom: Graph | None = None


STACK = _Stack()


def get_default_graph() -> Graph:
    """The innermost `as_default` graph, or the thread's own."""
    if STACK.graphs:
        return STACK.graphs[-1]
    if STACK.bottom is None:
        STACK.bottom = Graph()
    return STACK.bottom


def reset_default_graph() -> None:
    """Begin the default graph anew. AssertionError inside an `as_default` block."""
    if STACK.graphs:
        raise AssertionError(
            "Do not use tf.reset_default_graph() to clear nested graphs. If you need a cleared "
            "graph, exit the nesting and create a new graph."
        )
    STACK.bottom = Graph()


@contextmanager
def in_graph() -> Iterator[Graph]:
    """Within the block operations are written down: in the default graph, unless one is entered.

    A trace stays a trace, so that the functions of this face can be called while a step runs.
    """
    if LEVEL.interpreter is not EAGER:
        yield get_default_graph()
        return
    graph = get_default_graph()
    with interpreting(graph.recorder):
        yield graph
