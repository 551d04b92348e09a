"""Variable scopes: they name variables, and share them where `reuse` says so."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from slipstream.ir.dtypes import as_dtype
from slipstream.runtime.convert import TensorLike, convert
from slipstream.runtime.shape import TensorShape
from slipstream.v1.graph import GraphKeys, get_default_graph, in_graph
from slipstream.v1.initializers import glorot_uniform_initializer, zeros_initializer
from slipstream.v1.variables import Variable

AUTO_REUSE = "AUTO_REUSE"


@dataclass(frozen=True)
class VariableScope:
    """What `get_variable` does inside: the prefix of names, sharing, defaults."""

    name: str = ""
    reuse: Any = False
    initializer: Any = None
    regularizer: Any = None
    dtype: Any = None
    original_name_scope: str = field(default="", compare=False)

    def reuse_variables(self) -> None:
        """From here on, `get_variable` in this scope gives the variables that exist."""
        graph = get_default_graph()
        graph.variable_scope = replace(graph.variable_scope or self, reuse=True)

    def set_initializer(self, initializer: Any) -> None:
        graph = get_default_graph()
        graph.variable_scope = replace(graph.variable_scope or self, initializer=initializer)

    def global_variables(self) -> list[Any]:
        return get_default_graph().get_collection(GraphKeys.GLOBAL_VARIABLES, self.name)

    def trainable_variables(self) -> list[Any]:
        return get_default_graph().get_collection(GraphKeys.TRAINABLE_VARIABLES, self.name)


def get_variable_scope() -> VariableScope:
    """The scope entered now."""
    return get_default_graph().variable_scope or VariableScope()


@contextmanager
def variable_scope(
    name_or_scope: Any = None,
    default_name: str | None = None,
    values: Any = None,
    initializer: Any = None,
    regularizer: Any = None,
    reuse: Any = None,
    dtype: Any = None,
    **_options: Any,
) -> Iterator[VariableScope]:
    """Within the block, names of variables begin with that of the scope; `reuse` shares those that
    exist.
    """
    graph = get_default_graph()
    outer = graph.variable_scope or VariableScope()
    if isinstance(name_or_scope, VariableScope):
        full, entered = name_or_scope.name, name_or_scope
    else:
        name = name_or_scope or graph.scopes.unique(default_name or "scope").split("/")[-1]
        full, entered = (f"{outer.name}/{name}" if outer.name else name), outer
    with graph.name_scope(full.split("/")[-1] if full else None) as prefix:
        graph.variable_scope = VariableScope(
            full,
            reuse if reuse is not None else entered.reuse or outer.reuse,
            initializer or entered.initializer,
            regularizer or entered.regularizer,
            dtype or entered.dtype,
            prefix,
        )
        try:
            yield graph.variable_scope
        finally:
            graph.variable_scope = outer


def get_variable(
    name: str,
    shape: Any = None,
    dtype: Any = None,
    initializer: Any = None,
    regularizer: Any = None,
    trainable: bool = True,
    collections: Sequence[str] | None = None,
    **_options: Any,
) -> Variable:
    """The variable of this name in the current scope: made, or shared where the scope reuses.

    Without an initializer floats begin with Glorot's uniform distribution, integers with zeros.
    ValueError if the
    variable exists and is not to be shared, or is to be shared and does not exist.
    """
    with in_graph() as graph:
        scope = get_variable_scope()
        full = f"{scope.name}/{name}" if scope.name else name
        known = graph.variable_store.get(full)
        if known is None and scope.reuse is True:
            raise ValueError(
                f"Variable {full} does not exist, or was not created with tf.get_variable(). "
                "Did you mean to set reuse=tf.AUTO_REUSE in VarScope?"
            )
        if known is not None:
            return _shared(known, full, scope, shape)
        dtype = as_dtype(dtype or scope.dtype or "float32")
        make = _initializer(initializer or scope.initializer, shape, dtype)
        with graph.name_scope(None):
            variable = Variable(make, trainable, collections, name=full, dtype=dtype)
        graph.variable_store[full] = variable
        regularizer = regularizer or scope.regularizer
        if regularizer is not None:
            graph.add_to_collection(GraphKeys.REGULARIZATION_LOSSES, regularizer(variable))
        return variable


def _shared(known: Variable, name: str, scope: VariableScope, shape: Any) -> Variable:
    if not scope.reuse:
        raise ValueError(
            f"Variable {name} already exists, disallowed. Did you mean to set reuse=True or "
            "reuse=tf.AUTO_REUSE in VarScope?"
        )
    if shape is not None and not TensorShape(_as_sizes(shape)).is_compatible_with(known.shape):
        raise ValueError(
            f"Trying to share variable {name}, but specified shape {tuple(_as_sizes(shape))} and "
            f"found shape {known.shape}."
        )
    return known


def _as_sizes(shape: Any) -> Sequence[int]:
    return [shape] if isinstance(shape, int) else list(shape)


def _initializer(initializer: Any, shape: Any, dtype: Any) -> Callable[[], Any]:
    if initializer is not None and (
        isinstance(initializer, TensorLike) or not callable(initializer)
    ):
        return lambda: convert(initializer, dtype)
    if shape is None:
        raise ValueError("get_variable needs a shape, or an initializer that has one")
    sizes = _as_sizes(shape)
    if initializer is None:
        initializer = (glorot_uniform_initializer if dtype.is_floating else zeros_initializer)()
    if isinstance(initializer, type):
        initializer = initializer()
    return lambda: initializer(sizes, dtype=dtype)
