"""Functions that build TensorFlow 1 graphs: placeholders, groups, assignments, initialisers,
collections.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

from slipstream.ir.dtypes import as_dtype
from slipstream.runtime.convert import convert
from slipstream.runtime.function import TensorSpec
from slipstream.runtime.structure import flatten
from slipstream.v1.graph import GraphKeys, GraphTensor, Operation, get_default_graph, in_graph
from slipstream.v1.session import unfed_placeholder


def placeholder(dtype: Any, shape: Any = None, name: str | None = None) -> GraphTensor:
    """A tensor whose value is fed when a session runs; sizes that are None may be any.

    Without a shape, values of any shape are; what is built on it must then fit some rank up to 4.
    """
    spec = TensorSpec(shape, as_dtype(dtype))
    with in_graph() as graph:

        def unfed() -> Any:
            raise unfed_placeholder(tensor.op.name, spec)

        tensor: GraphTensor = graph.add_step(
            unfed, (), {}, type="Placeholder", name=name or "Placeholder", specs=spec
        )
        return tensor


def placeholder_with_default(input: Any, shape: Any, name: str | None = None) -> GraphTensor:
    """A tensor that is `input` unless another value is fed."""
    with in_graph() as graph:
        tensor = convert(input)
        spec = TensorSpec(shape, tensor.dtype)
        made: GraphTensor = graph.add_step(
            convert, (tensor,), {}, type="PlaceholderWithDefault", name=name, specs=spec
        )
        return made


def group(*inputs: Any, name: str | None = None) -> Operation:
    """An operation that runs all of `inputs`."""
    with in_graph() as graph:
        return graph.add_operation(_nothing, (), "NoOp", name or "group_deps", flatten(inputs))


def no_op(name: str | None = None) -> Operation:
    """An operation that does nothing."""
    with in_graph() as graph:
        return graph.add_operation(_nothing, (), "NoOp", name or "NoOp")


def _nothing() -> None:
    return None


def tuple_(
    tensors: Sequence[Any], name: str | None = None, control_inputs: Any = None
) -> list[Any]:
    """The tensors again, none of which is there before all are."""
    with in_graph() as graph, graph.control_dependencies([*tensors, *(control_inputs or [])]):
        return [graph.add_step(convert, (t,), {}, type="tuple", name=name) for t in tensors]


def assign(
    ref: Any, value: Any, validate_shape: bool = True, name: str | None = None, **_: Any
) -> Any:
    """A tensor that sets the variable `ref` when it is run."""
    return ref.assign(value, name=name)


def assign_add(ref: Any, value: Any, use_locking: bool = False, name: str | None = None) -> Any:
    return ref.assign_add(value, name=name)


def assign_sub(ref: Any, value: Any, use_locking: bool = False, name: str | None = None) -> Any:
    return ref.assign_sub(value, name=name)


def control_dependencies(control_inputs: Sequence[Any] | None) -> AbstractContextManager[None]:
    """Within the block, steps of the default graph run only after `control_inputs`."""
    return get_default_graph().control_dependencies(control_inputs)


def name_scope(name: str | None, default_name: str | None = None, values: Any = None) -> Any:
    """Within the block, names of operations begin with that of the scope."""
    return get_default_graph().name_scope(name if name is not None else default_name)


def set_random_seed(seed: int) -> None:
    """Draw the default graph's random numbers from this seed."""
    get_default_graph().seed = seed


def add_to_collection(name: str, value: Any) -> None:
    get_default_graph().add_to_collection(name, value)


def get_collection(key: str, scope: str | None = None) -> list[Any]:
    return get_default_graph().get_collection(key, scope)


def get_collection_ref(key: str) -> list[Any]:
    return get_default_graph().get_collection_ref(key)


def global_variables(scope: str | None = None) -> list[Any]:
    return get_collection(GraphKeys.GLOBAL_VARIABLES, scope)


def local_variables(scope: str | None = None) -> list[Any]:
    return get_collection(GraphKeys.LOCAL_VARIABLES, scope)


def variables_initializer(var_list: Sequence[Any], name: str = "init") -> Operation:
    """An operation that runs the initialisers of the variables."""
    found = [v.initializer for v in var_list if hasattr(v, "initializer")]
    return group(*found, name=name)


def global_variables_initializer() -> Operation:
    """An operation that gives every variable of the default graph its initial content."""
    return variables_initializer(global_variables())


def local_variables_initializer() -> Operation:
    return variables_initializer(local_variables())


def report_uninitialized_variables(session: Any) -> list[str]:
    """The names of the variables without a content in `session`."""
    names = [v for v in global_variables() if not session.is_initialized(v)]
    return [v.name.split(":")[0] for v in names]


def get_global_step(graph: Any = None) -> Any:
    """The variable that counts steps, or None."""
    found = (graph or get_default_graph()).get_collection(GraphKeys.GLOBAL_STEP)
    return found[0] if found else None
