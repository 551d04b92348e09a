"""How often while loops turn."""

import numpy as np
import pytest

from slipstream.ir.dtypes import float64, int32
from slipstream.ir.types import TensorType
from slipstream.primitives.elementwise import cast, less
from slipstream.primitives.tracing import trace
from slipstream.primitives.turns import MOST, turns

NUMBER, REAL = TensorType((), int32), TensorType((), float64)
TYPES = (NUMBER, REAL, NUMBER, REAL)  # a counter and a state; a bound and a factor


def drawn(step):
    cond = trace(lambda i, x, n, w: less(i, n), TYPES, "goes_on")
    return cond, trace(step, TYPES, "body")


def numbers(*values):
    return [None if v is None else np.asarray(v) for v in values]


COUNTING = drawn(lambda i, x, n, w: (i + 2, x * w))


@pytest.mark.parametrize(("bound", "count"), [(7, 4), (8, 4), (0, 0), (-3, 0)])
def test_a_counter_decides(bound, count):
    known = numbers(np.int32(0), None, np.int32(bound), None)
    assert turns(*COUNTING, known) == count
    assert turns(*COUNTING, known, maximum=3) == min(count, 3)


def test_what_is_not_known_may_decide():
    assert turns(*COUNTING, numbers(np.int32(0), 1.0, None, 2.0)) is None
    state = trace(lambda i, x, n, w: less(x, w), TYPES, "goes_on")
    assert turns(state, COUNTING[1], numbers(np.int32(0), None, np.int32(3), 2.0)) is None


def test_a_state_that_others_lead_to_decides():
    """The condition looks at x, which grows by i, which counts: all must be known."""
    cond = trace(lambda i, x, n, w: less(x, w), TYPES, "goes_on")
    body = trace(lambda i, x, n, w: (i + 1, x + cast(i, dtype=float64)), TYPES, "body")
    assert turns(cond, body, numbers(np.int32(1), 0.0, None, 6.0)) == 3
    assert turns(cond, body, numbers(None, 0.0, None, 6.0)) is None


def test_many_turns_are_not_tried():
    known = numbers(np.int32(0), None, np.int32(2 * MOST + 2), None)
    assert turns(*COUNTING, known) is None
    assert turns(*COUNTING, known, maximum=MOST + 1) is None
    assert turns(*COUNTING, known, maximum=MOST) == MOST
