"""Vector mathematics against a wider reference, in units of last place (ulp), and special values.

    python tests/compiler/test_compiled_math.py [--step N] [name ...]

measures float32 at every Nth bit pattern, by default at every one of the 2^32: about two minutes a
function, with little memory.
"""

from __future__ import annotations

import argparse
import math

import numpy as np
import pytest

from slipstream.compiler.passes.expand import expand
from slipstream.compiler.program import load
from slipstream.ir.dtypes import float32, float64
from slipstream.ir.types import TensorType
from slipstream.primitives import REGISTRY
from slipstream.primitives.tracing import trace

WIDER = {"float32": np.float64, "float64": np.longdouble}
ERRORS = {  # the stated errors in ulp, in float32 and float64
    "exp": (1.0, 1.0),
    "expm1": (2.0, 2.5),
    "log": (1.0, 1.5),
    "log1p": (1.6, 2.0),
    "sigmoid": (2.6, 2.5),
    "tanh": (2.6, 3.0),
    "softplus": (2.1, 2.5),
    "sin": (2.0, 2.0),
    "cos": (2.0, 2.0),
    "tan": (3.0, 3.0),
    "arctan": (2.1, 2.0),
    "arcsin": (3.0, 2.6),
    "arccos": (2.6, 2.6),
    "sinh": (2.5, 2.5),
    "cosh": (1.8, 1.8),
    "arcsinh": (2.5, 2.5),
    "arccosh": (2.5, 2.5),
    "arctanh": (2.5, 2.5),
    "erf": (3.4, None),
    "erfc": (3.9, None),
    "sqrt": (0.5, 0.5),
    "rsqrt": (1.5, 1.5),
}
BINARY = {"arctan2": (2.0, 2.0), "power": (0.6, 1.0)}
DTYPES = {"float32": float32, "float64": float64}
STATED = [
    (name, dtype)
    for name, stated in {**ERRORS, **BINARY}.items()
    for dtype, error in zip(DTYPES, stated, strict=True)
    if error is not None
]
ENDS = [0.0, 1.0, 0.5, 2.0, 3.0, 1.5, 0.625, 2 / 3, 1 / 3, 20.0, np.inf]
NUMBERS = {
    "float32": [1e-45, 1.17549435e-38, 1e-38, 1e-20, 3.4028235e38, 88.72, 88.73, 103.9, 104.1, 87.4,
                9.1, 3.93, 10.06, 0.99999994, 16777215.0, 16777216.0, 2.0**17, 2.0**72 * 16367173],
    "float64": [5e-324, 2.2250738585072014e-308, 1e-308, 1e-20, 1e308, 709.7, 709.8, 745.1, 746.0,
                1 - 2.0**-53, 2.0**53, 2.0**53 - 1, 2.0**30],
}  # fmt: skip


def special(dtype):
    """Numbers at which something happens, of either sign, and nan."""
    sizes = np.array([*ENDS, *NUMBERS[dtype]], dtype)
    return np.concatenate([sizes, -sizes, np.array([np.nan], dtype)])


def wide(name, *arrays):
    """The function in the wider float, by other means than its NumPy meaning where there are."""
    with np.errstate(all="ignore"):  # signalling nans among them
        arrays = tuple(a.astype(WIDER[a.dtype.name]) for a in arrays)
        if name == "sigmoid":
            decayed = np.exp(-np.abs(arrays[0]))
            return np.where(arrays[0] < 0, decayed, 1) / (1 + decayed)
        if name == "softplus":
            return np.maximum(arrays[0], 0) + np.log1p(np.exp(-np.abs(arrays[0])))
        if name == "rsqrt":
            return 1 / np.sqrt(arrays[0])
        if name in ("erf", "erfc"):
            return np.vectorize(getattr(math, name), otypes=[np.float64])(*arrays)
        return getattr(np, name)(*arrays)


def compiled(name, shape, dtype):
    """The function of so many numbers, as machine code."""
    arguments = [TensorType(shape, dtype)] * (2 if name in BINARY else 1)
    return load(trace(REGISTRY[name], arguments, name))


def rounded(exact, dtype):
    """In a narrower float: infinite or 0 beyond its range."""
    with np.errstate(all="ignore"):
        return exact.astype(dtype)


def errors(found, exact):
    """Errors in ulp, after all that is not finite, and all signs of zeros, were found to agree."""
    wanted = rounded(exact, found.dtype)
    finite = np.isfinite(wanted)
    np.testing.assert_array_equal(found[~finite], wanted[~finite])
    with np.errstate(all="ignore"):
        unit = np.spacing(np.abs(wanted)).astype(exact.dtype)
        off = np.abs(found.astype(exact.dtype) - exact) / unit
    zero = (wanted == 0) & (found == 0)
    np.testing.assert_array_equal(np.signbit(found[zero]), np.signbit(wanted[zero]))
    return np.where(finite, off, 0)


def worst(name, *arrays):
    """The largest error in ulp."""
    dtype = arrays[0].dtype
    program = compiled(name, arrays[0].shape, DTYPES[dtype.name])
    (found,) = program([*arrays])
    return errors(found, wide(name, *arrays)).max()


def singles():
    """Every 4099th float32, of either sign, those next to multiples of pi / 2, and others."""
    every = np.arange(0, 2**32, 4099, dtype=np.uint64).astype(np.uint32).view("float32")
    near = np.linspace(-20, 20, 100_001)
    nearer = np.linspace(-1, 1, 100_001)
    turns = np.arange(100_000) * 7 * (math.pi / 2)
    return np.concatenate([every, special("float32"), *map(np.float32, (near, nearer, turns))])


def doubles():
    """Random bits, and numbers where the functions differ from 0, 1 and infinity."""
    random = np.random.default_rng(0)
    every = random.integers(0, 2**64, 100_000, dtype=np.uint64).view("float64")
    near = np.linspace(-40, 40, 100_001)
    nearer = np.linspace(-1, 1, 100_001)
    far = random.uniform(-750, 750, 50_000)
    turns = np.arange(50_000) * 7 * (math.pi / 2)
    return np.concatenate([every, special("float64"), near, nearer, far, turns])


@pytest.mark.parametrize(("name", "dtype"), [case for case in STATED if case[0] in ERRORS])
def test_errors_are_as_stated(name, dtype):
    stated = ERRORS[name][dtype == "float64"]
    assert worst(name, singles() if dtype == "float32" else doubles()) <= stated <= 4


@pytest.mark.parametrize(("name", "dtype"), STATED)
def test_special_values_are_exact(name, dtype):
    """Whatever the exact result is, if it is a float and the argument special, it is found."""
    arrays = [special(dtype)]
    if name in BINARY:
        arrays = [np.ravel(a) for a in np.meshgrid(*arrays, *arrays)]
    (found,) = compiled(name, arrays[0].shape, DTYPES[dtype])(arrays)
    exact = wide(name, *arrays)
    wanted = rounded(exact, dtype)
    kept = (wanted == exact) | np.isnan(wanted)
    np.testing.assert_array_equal(found[kept], wanted[kept])
    zero = kept & (wanted == 0)
    np.testing.assert_array_equal(np.signbit(found[zero]), np.signbit(wanted[zero]))


def pairs(dtype, count=200_000):
    """Random bits, ordinary numbers, and powers of numbers near and far that are finite."""
    random = np.random.default_rng(1)
    bits = {"float32": np.uint32, "float64": np.uint64}[dtype]
    largest = np.log(np.finfo(dtype).max)
    for _ in range(2):
        yield tuple(
            random.integers(0, 2 ** (8 * bits().itemsize), count, bits).view(dtype)
            for _ in range(2)
        )
    yield tuple(random.normal(size=(2, count)).astype(dtype))
    for x in (
        np.exp(random.uniform(-20, 20, count)),
        1 + random.uniform(-0.5, 0.5, count) * 2.0 ** -random.integers(1, 23, count),
    ):
        logarithm = np.log(x.astype(dtype).astype(float))
        y = random.uniform(-1.2, 1, count) * largest / np.where(logarithm == 0, 1, logarithm)
        yield x.astype(dtype), y.astype(dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", BINARY)
def test_functions_of_two_numbers(name, dtype):
    stated = BINARY[name][dtype == "float64"]
    assert max(worst(name, *arrays) for arrays in pairs(dtype)) <= stated <= 4


@pytest.mark.parametrize("dtype", [float32, float64])
@pytest.mark.parametrize("name", [*ERRORS, *BINARY])
def test_vectors_of_every_width_give_the_same_bits(name, dtype):
    """A few numbers make short vectors, and masked ones."""
    x = np.linspace(-3, 200_000, 37).astype(dtype.numpy)
    count = 2 if name in BINARY else 1
    (long,) = compiled(name, x.shape, dtype)([x] * count)
    for size in (1, 2, 3, 5, 8, 13):
        (short,) = compiled(name, (size,), dtype)([x[:size]] * count)
        np.testing.assert_array_equal(short, long[:size])


def test_what_has_vector_code_is_not_expanded():
    for name in ("sigmoid", "softplus", "tan", "erf", "erfc"):
        graph = trace(REGISTRY[name], [TensorType((4,), float32)], name)
        assert [node.operation.name for node in expand(graph).nodes] == [name]


def measure(name, step):
    """The largest error over every `step`th float32, and where it is."""
    size = 1 << 20
    program, most = compiled(name, (size,), float32), (0.0, np.float32(0))
    for start in range(0, 2**32, size * step):
        bits = np.arange(start, start + size * step, step, dtype=np.uint64) % 2**32
        x = bits.astype(np.uint32).view("float32")
        (found,) = program([x])
        off = errors(found, wide(name, x))
        most = max(most, (float(off.max()), x[off.argmax()]))
    return most


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=[*ERRORS], help="functions (default: all)")
    parser.add_argument("--step", type=int, default=1, help="look at every so many bit patterns")
    options = parser.parse_args()
    for chosen in options.names:
        error, place = measure(chosen, options.step)
        print(f"{chosen:9} {error:.3f} ulp at {place!r}", flush=True)
