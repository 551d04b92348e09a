"""Questions answered in booleans, logic, bits, and the choice between two operands."""

from __future__ import annotations

from typing import Any

import numpy as np

from slipstream.ir.dtypes import FLOATS, INTEGERS, bool_
from slipstream.ir.types import TensorType
from slipstream.primitives.base import Primitive, Pull, define, misfit
from slipstream.primitives.families import (
    PAIR,
    REAL,
    broadcast,
    elementwise,
    predicate,
    same_dtype,
    sum_to,
    where,
)
from slipstream.primitives.operand import zeros
from slipstream.primitives.samples import booleans, integers, reals, sample

equal = predicate(
    "equal", np.equal, (*PAIR, sample(integers(0, 3, 4), integers(0, 3, 4))), "x == y"
)
not_equal = predicate("not_equal", np.not_equal, PAIR, "x != y; nan differs from itself")
less = predicate("less", np.less, PAIR, "x < y", dtypes=REAL)
less_equal = predicate("less_equal", np.less_equal, PAIR, "x <= y", dtypes=REAL)
greater = predicate("greater", np.greater, PAIR, "x > y", dtypes=REAL)
greater_equal = predicate("greater_equal", np.greater_equal, PAIR, "x >= y", dtypes=REAL)


def _magnitude(x: Any) -> Any:
    return where(less(x, x.coerce(0)), -x, x)


_SOME = (sample(reals(3, 5)),)
is_nan = predicate(
    "is_nan", np.isnan, _SOME, "Whether x is not a number",
    dtypes=FLOATS, expand=lambda x: not_equal(x, x),
)  # fmt: skip
is_inf = predicate(
    "is_inf", np.isinf, _SOME, "Whether x is infinite",
    dtypes=FLOATS, expand=lambda x: equal(_magnitude(x), x.coerce(np.inf)),
)  # fmt: skip
is_finite = predicate(
    "is_finite", np.isfinite, _SOME, "Whether x is neither infinite nor nan",
    dtypes=FLOATS, expand=lambda x: less(_magnitude(x), x.coerce(np.inf)),
)  # fmt: skip

_TRUTHS = (sample(booleans(3, 5), booleans(5)),)
_BITS = (sample(integers(0, 100, 3, 5, dtype=None), integers(0, 100, 5, dtype=None)),)
_SHIFTS = (sample(integers(0, 100, 3, 5, dtype=None), integers(0, 7, 5, dtype=None)),)
logical_and = elementwise("logical_and", np.logical_and, _TRUTHS, dtypes=(bool_,), doc="x and y")
logical_or = elementwise("logical_or", np.logical_or, _TRUTHS, dtypes=(bool_,), doc="x or y")
logical_xor = elementwise(
    "logical_xor", np.logical_xor, _TRUTHS, dtypes=(bool_,), doc="One of the two, not both"
)
logical_not = elementwise(
    "logical_not", np.logical_not, (sample(booleans(7)),), dtypes=(bool_,), doc="not x"
)
bitwise_and = elementwise(
    "bitwise_and", np.bitwise_and, _BITS, dtypes=INTEGERS, doc="The bits set in both"
)
bitwise_or = elementwise(
    "bitwise_or", np.bitwise_or, _BITS, dtypes=INTEGERS, doc="The bits set in one"
)
bitwise_xor = elementwise(
    "bitwise_xor", np.bitwise_xor, _BITS, dtypes=INTEGERS, doc="The bits that differ"
)
invert = elementwise(
    "invert", np.invert, (sample(integers(0, 100, 7, dtype=None)),), dtypes=INTEGERS,
    doc="Every bit flipped",
)  # fmt: skip
left_shift = elementwise(
    "left_shift", np.left_shift, _SHIFTS, dtypes=INTEGERS, doc="The bits of x moved y up"
)
right_shift = elementwise(
    "right_shift", np.right_shift, _SHIFTS, dtypes=INTEGERS,
    doc="The bits of x moved y down; the sign of a signed integer is kept",
)  # fmt: skip


def _select_rule(condition: TensorType, x: TensorType, y: TensorType) -> TensorType:
    if not condition.dtype.is_bool:
        raise misfit("select", "the condition is not boolean", condition=condition)
    shape = broadcast("select", (condition, x, y))
    return TensorType(shape, same_dtype("select", (x, y)))


def _select_derivative(pull: Pull) -> list[Any]:
    condition, x, y = pull.inputs
    nothing = zeros(TensorType((), pull.g.dtype))
    return [
        None,
        sum_to(select(condition, pull.g, nothing), x.shape) if pull.wanted[1] else None,
        sum_to(select(condition, nothing, pull.g), y.shape) if pull.wanted[2] else None,
    ]


select: Primitive = define(
    Primitive(
        "select",
        "elementwise",
        _select_rule,
        np.where,
        _select_derivative,
        samples=(
            sample(booleans(3, 5), reals(3, 5), reals(3, 5)),
            sample(booleans(4, 1), reals(3), reals(2, 1, 3)),
        ),
        doc="x where the condition holds, else y",
    )
)
