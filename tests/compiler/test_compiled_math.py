"""Vector mathematics in float32 against float64 over the whole range, in units of last place."""

from __future__ import annotations

import numpy as np
import pytest

from slipstream.compiler.program import load
from slipstream.ir.dtypes import float32
from slipstream.ir.types import TensorType
from slipstream.primitives import REGISTRY
from slipstream.primitives.tracing import trace

MOST_ULP = 4
SPECIAL = np.array(
    [0.0, -0.0, 1, -1, np.inf, -np.inf, np.nan, 1e-45, -1e-45, 1e-38, 3e38, -3e38, 88.72, 88.73,
     -87.4, -103.9, -104.1, 0.6249, 0.625, 9.1, 1 / 3, np.nextafter(np.float32(1), 0)],
    "float32",
)  # fmt: skip


def points():
    """Every 4099th float32, of either sign, and the special ones."""
    every = np.arange(0, 2**32, 4099, dtype=np.uint64).astype(np.uint32).view("float32")
    near = np.linspace(-20, 20, 100_001).astype("float32")
    return np.concatenate([every, near, SPECIAL])


@pytest.mark.parametrize("name", ["exp", "expm1", "log", "log1p", "tanh", "sin", "cos", "arctan"])
def test_within_a_few_units_of_last_place(name):
    primitive, x = REGISTRY[name], points()
    program = load(trace(primitive, [TensorType(x.shape, float32)], name), ())
    with np.errstate(all="ignore"):
        (found,) = program([x])
        exact = primitive.meaning(x.astype("float64"))
        wanted = exact.astype("float32")
        unit = np.spacing(np.abs(wanted)).astype("float64")
        off = np.abs(found.astype("float64") - exact) / unit
    finite = np.isfinite(wanted)
    np.testing.assert_array_equal(found[~finite], wanted[~finite])
    assert off[finite].max() <= MOST_ULP, (name, off[finite].max(), x[finite][off[finite].argmax()])
    zero = wanted == 0
    np.testing.assert_array_equal(np.signbit(found[zero]), np.signbit(wanted[zero]))


def test_powers_of_float32():
    x, y = np.meshgrid(SPECIAL, SPECIAL)
    types = [TensorType(x.shape, float32)] * 2
    (found,) = load(trace(REGISTRY["power"], types, "power"), ())([x, y])
    with np.errstate(all="ignore"):
        wanted = np.power(x.astype("float64"), y.astype("float64")).astype("float32")
    np.testing.assert_allclose(found, wanted, rtol=5e-7, atol=1e-45)
