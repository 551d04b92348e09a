"""`GradientTape`: writes down what happens to watched tensors, and walks it backwards."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import Enum
from typing import Any

import numpy as np

from slipstream.autodiff import Application, backward
from slipstream.ir.graph import Params
from slipstream.ir.types import TensorType
from slipstream.primitives.base import LEVEL, REGISTRY, Primitive, Pull, apply
from slipstream.primitives.operand import Operand, full, ones, zeros
from slipstream.primitives.rows import Rows
from slipstream.primitives.tracing import as_tuple
from slipstream.runtime.convert import convert
from slipstream.runtime.slices import IndexedSlices
from slipstream.runtime.structure import flatten, pack
from slipstream.runtime.tensor import Tensor
from slipstream.runtime.variable import Variable


class UnconnectedGradients(Enum):
    """What the gradient of a target by a source that it does not depend on is."""

    NONE = "none"
    ZERO = "zero"


class GradientTape:
    """Records operations for automatic differentiation.

    Trainable variables are watched when they are read; tensors after `watch`.

    >>> x = convert(3.0)
    >>> with GradientTape() as tape:
    ...     tape.watch(x)
    ...     y = x * x
    >>> float(tape.gradient(y, x))
    6.0
    """

    def __init__(self, persistent: bool = False, watch_accessed_variables: bool = True) -> None:
        self._persistent = persistent
        self._watch_accessed_variables = watch_accessed_variables
        self._spent = False
        self.reset()

    def reset(self) -> None:
        """Forget everything recorded."""
        self._applications: list[Application] = []
        self._followed: dict[int, Operand] = {}  # holds operands, so that identities stay theirs
        self._variables: dict[int, Variable] = {}
        self._reads: dict[int, dict[int, Operand]] = {}

    def __enter__(self) -> GradientTape:
        LEVEL.recorders.append(self)
        return self

    def __exit__(self, *exception: Any) -> None:
        if self in LEVEL.recorders:
            LEVEL.recorders.remove(self)

    def watch(self, tensor: Any) -> None:
        """Follow a tensor, a variable, or each of a structure of them."""
        for item in flatten(tensor):
            if isinstance(item, Variable):
                self._variables[id(item)] = item
            elif isinstance(item, Tensor):
                self._followed[item.identity] = item
            else:
                raise ValueError(
                    f"Passed in object {item!r} of type {type(item).__name__}, not Tensor"
                )

    def watched_variables(self) -> tuple[Variable, ...]:
        """The variables that were read, in the order of their first reading."""
        return tuple(self._variables.values())

    def read(self, variable: Variable, tensor: Operand) -> None:
        """A variable was read (called by the variable)."""
        watched = id(variable) in self._variables
        if watched or (self._watch_accessed_variables and variable.trainable):
            self._variables[id(variable)] = variable
            self._reads.setdefault(id(variable), {})[tensor.identity] = tensor
            self._followed[tensor.identity] = tensor

    def follows(self, operand: Operand) -> bool:
        """Whether what becomes of an operand is recorded."""
        return operand.identity in self._followed

    def record(
        self, primitive: Primitive, inputs: tuple[Operand, ...], params: Params, outputs: Any
    ) -> None:
        """An operation was applied (called by `apply`)."""
        followed = self._followed
        for operand in inputs:
            if operand.identity in followed:
                break
        else:
            return
        results = as_tuple(outputs)
        self._applications.append(Application(primitive, inputs, params, results))
        for result in results:
            if result.dtype.is_differentiable:
                followed[result.identity] = result

    @contextmanager
    def stop_recording(self) -> Iterator[None]:
        """Within the block nothing is recorded."""
        outer = LEVEL.recorders
        LEVEL.recorders = [recorder for recorder in outer if recorder is not self]
        try:
            yield
        finally:
            LEVEL.recorders = outer

    def gradient(
        self,
        target: Any,
        sources: Any,
        output_gradients: Any = None,
        unconnected_gradients: Any = UnconnectedGradients.NONE,
    ) -> Any:
        """The derivative of the sum of `target` by each of `sources`, in the structure of
        `sources`.

        Rows that a gather used come as IndexedSlices. A source the target does not depend on gives
        None, or zeros.
        RuntimeError at the second call on a tape that is not persistent.
        """
        self._spend()
        given_seeds = None if output_gradients is None else flatten(output_gradients)
        every = [_as_tensor(t) for t in flatten(target)]
        kept = [n for n, tensor in enumerate(every) if _has_derivative(tensor)]
        targets = [every[n] for n in kept]
        seeds = _seeds(targets, given_seeds and [given_seeds[n] for n in kept])
        with self.stop_recording():
            found = self._backward(targets, seeds, flatten(sources))
        zero = UnconnectedGradients(unconnected_gradients) is UnconnectedGradients.ZERO
        given = [
            _zeros_like(source) if gradient is None and zero else gradient
            for gradient, source in zip(found, flatten(sources), strict=True)
        ]
        if not self._persistent:
            self.reset()
        return pack(sources, given)

    def jacobian(
        self,
        target: Any,
        sources: Any,
        unconnected_gradients: Any = UnconnectedGradients.NONE,
        parallel_iterations: Any = None,
        experimental_use_pfor: bool = True,
    ) -> Any:
        """d target[i] / d source[j], of shape [*target.shape, *source.shape] for each source."""
        self._spend()
        tensor = _as_tensor(target)
        flat_sources = flatten(sources)
        with self.stop_recording():
            rows = [
                self._backward([tensor], [_one_hot(tensor, i)], flat_sources)
                for i in range(tensor.type.size)
            ]
            zero = UnconnectedGradients(unconnected_gradients) is UnconnectedGradients.ZERO
            given = [
                _jacobian_of(tensor, source, [row[k] for row in rows], zero)
                for k, source in enumerate(flat_sources)
            ]
        if not self._persistent:
            self.reset()
        return pack(sources, given)

    def batch_jacobian(
        self,
        target: Any,
        source: Any,
        unconnected_gradients: Any = UnconnectedGradients.NONE,
        parallel_iterations: Any = None,
        experimental_use_pfor: bool = True,
    ) -> Any:
        """d target[b, i] / d source[b, j], of shape [b, *target.shape[1:], *source.shape[1:]].

        Assumes, as TensorFlow does, that target[b] depends on source[b] alone.
        """
        self._spend()
        tensor = _as_tensor(target)
        batch, *rest = tensor.type.shape
        per_sample = TensorType(tuple(rest), tensor.dtype)
        with self.stop_recording():
            columns = []
            for i in range(per_sample.size):
                seed = REGISTRY["broadcast_to"](_one_hot_of(per_sample, i), shape=tensor.type.shape)
                gradient = self._backward([tensor], [seed], [source])[0]
                columns.append(_zeros_like(source) if gradient is None else convert(gradient))
            stacked = [REGISTRY["reshape"](c, shape=(batch, 1, *c.shape[1:])) for c in columns]
            joined = REGISTRY["concat"](*stacked, axis=1)
            result = REGISTRY["reshape"](joined, shape=(batch, *rest, *source.shape[1:]))
        if not self._persistent:
            self.reset()
        return result

    def _spend(self) -> None:
        if self._spent and not self._persistent:
            raise RuntimeError(
                "A non-persistent GradientTape can only be used to compute one set of gradients "
                "(or jacobians)"
            )
        self._spent = True

    def _backward(
        self, targets: Sequence[Operand], seeds: Sequence[Operand], sources: Sequence[Any]
    ) -> list[Any]:
        """Cotangents of tensors and variables; a variable's is the sum over its readings."""
        readings = [
            list(self._reads.get(id(s), {}).values()) if isinstance(s, Variable) else [s]
            for s in sources
        ]
        flat = [reading for group in readings for reading in group]
        found = iter(backward(self._applications, targets, seeds, flat))
        return [_total([next(found) for _ in group]) for group in readings]


def _as_tensor(target: Any) -> Any:
    return target if isinstance(target, Tensor) else convert(target)


def _has_derivative(target: Any) -> bool:
    """False, with a warning, for integers and the like: their gradients are None."""
    if target.dtype.is_differentiable:
        return True
    warnings.warn(
        "The dtype of the target tensor must be floating (e.g. tf.float32) when calling "
        f"GradientTape.gradient, got tf.{target.dtype.name}",
        stacklevel=3,
    )
    return False


def _seeds(targets: Sequence[Any], output_gradients: Sequence[Any] | None) -> list[Any]:
    given = output_gradients if output_gradients is not None else [None] * len(targets)
    return [
        ones(target.type) if seed is None else convert(seed, target.dtype)
        for target, seed in zip(targets, given, strict=True)
    ]


def _total(cotangents: list[Any]) -> Any:
    present = [c for c in cotangents if c is not None]
    if not present:
        return None
    total = present[0]
    for cotangent in present[1:]:
        both_rows = isinstance(total, Rows) and isinstance(cotangent, Rows)
        total = total.joined(cotangent) if both_rows else _dense(total) + _dense(cotangent)
    return IndexedSlices.of(total) if isinstance(total, Rows) else total


def _dense(cotangent: Any) -> Any:
    return cotangent.dense() if isinstance(cotangent, Rows) else cotangent


def _zeros_like(source: Any) -> Any:
    return zeros(source.type)


def _one_hot_of(type: TensorType, index: int) -> Any:
    flat = np.zeros(type.size, type.dtype.numpy)
    flat[index] = 1
    return convert(flat.reshape(type.shape))


def _one_hot(tensor: Any, index: int) -> Any:
    return _one_hot_of(tensor.type, index)


def _jacobian_of(target: Any, source: Any, rows: list[Any], zero: bool) -> Any:
    if all(row is None for row in rows):
        shape = (*target.type.shape, *source.shape)
        return full(TensorType(shape, target.dtype), 0) if zero else None
    dense = [_zeros_like(source) if row is None else convert(row) for row in rows]
    stacked = [REGISTRY["reshape"](row, shape=(1, *row.type.shape)) for row in dense]
    joined = REGISTRY["concat"](*stacked, axis=0)
    return REGISTRY["reshape"](joined, shape=(*target.type.shape, *source.shape))


@contextmanager
def unrecorded() -> Iterator[None]:
    """Within the block no tape records."""
    outer = LEVEL.recorders
    LEVEL.recorders = []
    try:
        yield
    finally:
        LEVEL.recorders = outer


def custom_gradient(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a function its own derivative: it returns (result, function from cotangents to
    cotangents).

    The second function is called with a cotangent an output, and with `variables=` if the first one
    reads variables.
    """

    def decorated(*args: Any, **kwargs: Any) -> Any:
        inputs = tuple(convert(a) for a in args)
        watcher = GradientTape()
        with unrecorded(), watcher:
            result, pullback = function(*inputs, **kwargs)
        outputs = tuple(convert(r) for r in flatten(result))
        return pack(result, list(as_tuple(_attached(inputs, outputs, pullback, watcher))))

    return decorated


def _attached(
    inputs: tuple[Any, ...], outputs: tuple[Any, ...], pullback: Any, watcher: GradientTape
) -> Any:
    """`outputs` again, as results of an operation whose derivative is `pullback`."""
    variables = watcher.watched_variables()
    readings = tuple(v.value() for v in variables)

    def derivative(pull: Pull) -> list[Any]:
        if variables:
            by_input, by_variable = pullback(*pull.cotangents, variables=list(variables))
        else:
            by_input, by_variable = pullback(*pull.cotangents), []
        found = [None if g is None else convert(g) for g in (*flatten(by_input), *by_variable)]
        return [*found, *([None] * len(outputs))]

    def last(*operands: Any) -> Any:
        kept = operands[-len(outputs) :]
        return kept[0] if len(kept) == 1 else tuple(kept)

    primitive = Primitive("custom_gradient", "view", last, last, derivative, last)
    return apply(primitive, (*inputs, *readings, *outputs), {})
