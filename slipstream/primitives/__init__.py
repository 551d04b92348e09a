"""Every operation, whole: rule, NumPy meaning, derivative, expansion and samples on one record."""

from slipstream.primitives import (
    contraction,
    convolution,
    distributions,
    elementwise,
    random,
    reduction,
    structure,
    window,
)
from slipstream.primitives.base import REGISTRY, Primitive, apply, current, interpreting
from slipstream.primitives.operand import Operand, constant, full, ones, scalar, zeros

__all__ = [
    "REGISTRY",
    "Operand",
    "Primitive",
    "apply",
    "constant",
    "contraction",
    "convolution",
    "current",
    "distributions",
    "elementwise",
    "full",
    "interpreting",
    "ones",
    "random",
    "reduction",
    "scalar",
    "structure",
    "window",
    "zeros",
]
