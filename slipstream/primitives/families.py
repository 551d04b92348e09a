"""How most records are made: helpers for a family's rule and its derivative's broadcasting."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from slipstream.ir.dtypes import ALL, COMPLEX, FLOATS, INTEGERS, DType, bool_
from slipstream.ir.types import Shape, TensorType
from slipstream.primitives.base import REGISTRY, Primitive, Pull, define, misfit
from slipstream.primitives.operand import Operand
from slipstream.primitives.samples import Sample, Spec, reals, sample

Local = Callable[..., Any]

REAL = FLOATS + INTEGERS
NUMERIC = REAL + COMPLEX
CONTINUOUS = FLOATS + COMPLEX
PAIR = (sample(reals(3, 17), reals(3, 17)), sample(reals(4, 1, 3), reals(5, 1)))


def no_gradient(pull: Pull) -> list[None]:
    """The derivative of a function that is constant almost everywhere, or of discrete values."""
    return [None] * len(pull.inputs)


def same_dtype(name: str, types: Sequence[TensorType]) -> DType:
    """The dtype all inputs share; an error that shows them where they differ."""
    first = types[0].dtype
    if any(t.dtype is not first for t in types):
        raise misfit(
            name,
            "the inputs have different dtypes, and none is converted silently",
            expected="one dtype",
            **{"xyzw"[i] if len(types) < 5 else f"input{i}": t for i, t in enumerate(types)},
        )
    return first


def broadcast(name: str, types: Sequence[TensorType]) -> Shape:
    """The shape that all inputs broadcast to, by NumPy's rules."""
    shapes = {t.shape for t in types}
    if len(shapes) == 1:
        return types[0].shape
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError:
        named = {"xyzw"[i] if i < 4 else f"input{i}": t for i, t in enumerate(types)}
        raise misfit(
            name,
            "the shapes do not broadcast",
            expected="sizes that are equal or 1, from the last dimension on",
            **named,
        ) from None


def sum_to(operand: Any, shape: Shape) -> Any:
    """The sum of `operand` over the dimensions that broadcasting `shape` to it repeated."""
    if operand.shape == shape:
        return operand
    extra = len(operand.shape) - len(shape)
    axes = tuple(range(extra)) + tuple(
        i + extra for i, n in enumerate(shape) if n == 1 and operand.shape[i + extra] != 1
    )
    summed = REGISTRY["sum"](operand, axes=axes) if axes else operand
    return summed if summed.shape == shape else REGISTRY["reshape"](summed, shape=shape)


def _elementwise_derivative(locals_: Sequence[Local | None]) -> Callable[[Pull], list[Any]]:
    def derivative(pull: Pull) -> list[Any]:
        y = pull.outputs[0]
        return [
            sum_to(local(pull.g, *pull.inputs, y), x.shape) if local and wanted else None
            for local, wanted, x in zip(locals_, pull.wanted, pull.inputs, strict=True)
        ]

    return derivative


def elementwise(
    name: str,
    meaning: Callable[..., Any],
    samples: Sequence[Spec | Sample],
    *,
    derivative: Local | Sequence[Local | None] | None = None,
    expand: Callable[..., Any] | None = None,
    result: DType | None = None,
    dtypes: Sequence[DType] = ALL,
    cost: int = 1,
    doc: str = "",
) -> Primitive:
    """A function of corresponding elements, which broadcast.

    `derivative` is one function (g, inputs..., output) -> cotangent an input; None means that no
    gradient flows. `result` is the output's dtype where it is not the inputs'; `dtypes` are those
    the inputs may have. `cost` is how many additions or so an element takes.
    """
    locals_ = derivative if isinstance(derivative, Sequence) else [derivative]

    def rule(*types: TensorType) -> TensorType:
        dtype = same_dtype(name, types)
        if dtype not in dtypes:
            allowed = ", ".join(d.name for d in dtypes)
            raise misfit(name, "the dtype has no such operation", f"one of {allowed}", x=types[0])
        return TensorType(broadcast(name, types), result or dtype)

    return define(
        Primitive(
            name,
            "elementwise",
            rule,
            meaning,
            no_gradient if derivative is None else _elementwise_derivative(locals_),
            expand,
            tuple(s if isinstance(s, Sample) else Sample((s,)) for s in samples),
            facts={"dtypes": tuple(dtypes), "cost": cost},
            doc=doc,
        )
    )


def predicate(
    name: str, meaning: Callable[..., Any], samples: Sequence[Sample], doc: str = "", **options: Any
) -> Primitive:
    """An element-wise question, answered in booleans."""
    return elementwise(name, meaning, samples, result=bool_, doc=doc, **options)


def where(condition: Operand, yes: Any, no: Any) -> Any:
    """`yes` where the condition holds, else `no`; one of the two may be a Python number."""
    if isinstance(yes, Operand):
        return REGISTRY["select"](condition, yes, yes.coerce(no))
    return REGISTRY["select"](condition, no.coerce(yes), no)
