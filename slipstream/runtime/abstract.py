"""What a function would return, found without numbers: by tracing it and throwing the program away.

An unknown size is found by tracing twice with different sizes in its place: an output size that
differs is unknown.
Keras' symbolic models and TensorFlow 1 graphs learn their shapes so.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from slipstream.ir.types import TensorType
from slipstream.primitives.base import interpreting
from slipstream.runtime.convert import convert
from slipstream.runtime.function import TensorSpec
from slipstream.runtime.structure import flatten, map_structure, pack
from slipstream.runtime.tensor import Tensor
from slipstream.runtime.tracer import Tracer
from slipstream.runtime.variable import Variable

STAND_INS = (83, 89)  # two primes: no arithmetic on sizes that is likely makes them equal


def infer_outputs(function: Callable[..., Any], *specs: Any, **fixed: Any) -> Any:
    """The TensorSpecs of what `function(*tensors, **fixed)` returns, in its structure.

    `specs` are structures of TensorSpecs, one an argument, whose sizes may be None. What is not a
    tensor in the result
    stays as it is. Variables the function creates exist afterwards; assignments it makes do not
    happen.
    """
    flat = flatten(list(specs))
    first = _traced(function, specs, fixed, STAND_INS[0])
    if not any(isinstance(s, TensorSpec) and None in (s.shape or ()) for s in flat):
        return specs_of(first)
    return merged_specs(first, _traced(function, specs, fixed, STAND_INS[1]))


def _traced(function: Callable[..., Any], specs: Any, fixed: dict[str, Any], size: int) -> Any:
    tracer = Tracer("abstract")
    tracer.variables = []

    def argument(spec: Any) -> Any:
        if not isinstance(spec, TensorSpec):
            return spec
        shape = tuple(size if n is None else n for n in spec.shape or ())
        return tracer.argument(TensorType(shape, spec.dtype))

    with interpreting(tracer):
        arguments = [pack(s, [argument(leaf) for leaf in flatten(s)]) for s in specs]
        return map_structure(_as_tensor, function(*arguments, **fixed))


def _as_tensor(leaf: Any) -> Any:
    return convert(leaf) if isinstance(leaf, (Variable, bool, int, float)) else leaf


def specs_of(result: Any) -> Any:
    """A result with TensorSpecs in the place of tensors."""
    return map_structure(
        lambda leaf: TensorSpec(leaf.type.shape, leaf.dtype) if isinstance(leaf, Tensor) else leaf,
        result,
    )


def merged_specs(first: Any, second: Any) -> Any:
    """The same of two results; a size in which they differ is None."""
    return map_structure(_merged, first, second)


def _merged(first: Any, second: Any) -> Any:
    if not isinstance(first, Tensor):
        return first
    pairs = zip(first.type.shape, second.type.shape, strict=True)
    return TensorSpec([a if a == b else None for a, b in pairs], first.dtype)
