"""Compiled programs beside the meanings of their graphs."""

from contextlib import contextmanager
from dataclasses import replace
from unittest import mock

import ml_dtypes  # noqa: F401  NumPy knows bfloat16 from here on
import numpy as np

from slipstream.compiler import kernels, pipeline, portions, recipe
from slipstream.compiler.passes import block, chain
from slipstream.compiler.program import Program, load
from slipstream.compiler.target import target
from slipstream.ir.dtypes import from_numpy
from slipstream.ir.types import TensorType
from slipstream.primitives.evaluate import evaluate

TOLERANCE = {"float16": 2e-3, "bfloat16": 2e-2, "float32": 2e-6, "complex64": 2e-6}


@contextmanager
def small_caches(first=512, second=512, far=8):
    """Small contractions are cut into blocks, as if the caches held so few bytes.

    Programs are not found again by their graphs, which may have been compiled without this.
    """
    small = replace(target(), first_cache=first, second_cache=second)
    few = {"FEWEST_ROWS": 2, "FEWEST_COLUMNS": 1, "FAR": far}
    few["FEWEST_USES"] = {"left": 3, "right": 3}
    with (
        mock.patch.object(pipeline, "target", lambda: small),
        mock.patch.multiple(block, **few),
        mock.patch.object(recipe, "key_of", lambda *_: None),
    ):
        yield


@contextmanager
def short_chains():
    """Kernels are chained though hardly a byte is kept, in as few as two parts."""
    with (
        mock.patch.multiple(chain, WORTH=1, FEWEST_PARTS=2),
        mock.patch.multiple(portions, WORTH=0, WORTH_NEAR=0, FEWEST_ROWS=1),
    ):
        yield


def types_of(arrays):
    return [TensorType(a.shape, from_numpy(a.dtype)) for a in arrays]


def check(graph, arrays):
    """The compiled program gives what the meaning gives, twice, and leaves its inputs alone."""
    before = [a.copy() for a in arrays]
    program = load(graph, ())
    expected = evaluate(graph, arrays)
    for _ in range(2):
        for found, wanted in zip(program(arrays), expected, strict=True):
            compare(np.asarray(found), np.asarray(wanted))
    for array, old in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(array, old)


def check_bits(graph, arrays, monkeypatch):
    """Any number of threads gives the same bits, and the meaning; small kernels are shared."""
    monkeypatch.setattr(kernels, "WORTH_SHARING", 1)
    results = []
    for threads in (1, 2, 3, 8):
        monkeypatch.setenv("SLIPSTREAM_THREADS", str(threads))
        program = Program(pipeline.schedule(graph, ()), ())
        results.append([np.array(a) for a in program(arrays)])
    for others in results[1:]:
        for one, other in zip(results[0], others, strict=True):
            assert one.tobytes() == other.tobytes()
    for found, wanted in zip(results[0], evaluate(graph, arrays), strict=True):
        compare(found, np.asarray(wanted))


def compare(found, wanted):
    assert found.shape == wanted.shape
    assert found.dtype == wanted.dtype
    name = wanted.dtype.name
    if wanted.dtype.kind not in "fcV":
        np.testing.assert_array_equal(found, wanted)
        return
    tolerance = TOLERANCE.get(name, 1e-13)
    wide = complex if wanted.dtype.kind == "c" else float
    finite = np.abs(wanted.astype(wide)[np.isfinite(wanted.astype(wide))])
    scale = max(1.0, float(np.max(finite, initial=0)))
    np.testing.assert_allclose(
        found.astype(wide), wanted.astype(wide), rtol=4 * tolerance, atol=tolerance * scale
    )
