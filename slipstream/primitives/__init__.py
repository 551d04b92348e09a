"""Every operation, whole: rule, NumPy meaning, derivative, expansion and samples on one record."""

from slipstream.primitives import (
    bessel,
    contraction,
    convolution,
    distributions,
    elementwise,
    error_functions,
    gamma,
    incomplete_gamma,
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
    "bessel",
    "constant",
    "contraction",
    "convolution",
    "current",
    "distributions",
    "elementwise",
    "error_functions",
    "full",
    "gamma",
    "incomplete_gamma",
    "interpreting",
    "ones",
    "random",
    "reduction",
    "scalar",
    "structure",
    "window",
    "zeros",
]
