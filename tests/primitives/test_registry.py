"""The registry walk: every primitive is tested from its own record.

Its shape rule against its NumPy meaning, on every dtype it allows; its derivative against central
differences, to second order; its expansion against its meaning.
"""

import ml_dtypes
import numpy as np
import pytest

from slipstream.autodiff import differentiate
from slipstream.ir.dtypes import as_dtype, float32, float64, from_numpy
from slipstream.ir.types import TensorType
from slipstream.ir.verifier import verify
from slipstream.primitives import REGISTRY
from slipstream.primitives.evaluate import evaluate
from slipstream.primitives.families import no_gradient
from slipstream.primitives.tracing import trace

CASES = [
    pytest.param(primitive, sample, id=f"{name}-{index}")
    for name, primitive in sorted(REGISTRY.items())
    for index, sample in enumerate(primitive.samples)
]
SMOOTH = [
    case
    for case in CASES
    if case.values[1].smooth
    and case.values[0].derivative is not no_gradient
    and (case.values[0].derivative or case.values[0].expand)
]


def types_of(arrays):
    return [TensorType(a.shape, from_numpy(a.dtype)) for a in arrays]


def working_dtype(primitive):
    """float64 or complex128, so that finite differences have digits."""
    allowed = primitive.facts.get("dtypes", (float64,))
    return float64 if float64 in allowed else as_dtype("complex128")


def graph_of(primitive, sample, arrays):
    return trace(lambda *xs: primitive(*xs, **sample.params), types_of(arrays), primitive.name)


def directional(arrays, generator):
    """A random direction a floating input; zeros for the others."""
    steps = []
    for array in arrays:
        step = np.zeros_like(array)
        if array.dtype.kind in "fc":
            step = generator.normal(size=array.shape).astype(array.dtype)
        if array.dtype.kind == "c":
            step = step + 1j * generator.normal(size=array.shape)
        steps.append(step)
    return steps


def change(before, after):
    """after - before; zero where both are the same infinity."""
    return np.subtract(after, before, where=after != before, out=np.zeros_like(after))


def check_pullback(graph, arrays, seed, tolerance):
    """<g, f(x + hd) - f(x - hd)> / 2h against <pullback(g), d>, for random g and d."""
    generator = np.random.default_rng(seed)
    wanted = tuple(a.dtype.kind in "fc" for a in arrays)
    outputs = evaluate(graph, arrays)
    cotangents = directional(outputs, generator)
    found = evaluate(verify(differentiate(graph, wanted)), [*arrays, *cotangents])
    steps = directional(arrays, generator)
    h = 1e-5
    above = evaluate(
        graph, [a + h * s if w else a for a, s, w in zip(arrays, steps, wanted, strict=True)]
    )
    below = evaluate(
        graph, [a - h * s if w else a for a, s, w in zip(arrays, steps, wanted, strict=True)]
    )
    numeric = sum(
        np.sum(np.conj(g) * change(m, p)).real / (2 * h)
        for g, p, m in zip(cotangents, above, below, strict=True)
        if g.dtype.kind in "fc"
    )
    moving = [s for s, w in zip(steps, wanted, strict=True) if w]
    exact = sum(np.sum(np.conj(f) * s).real for f, s in zip(found, moving, strict=True))
    scale = sum(np.sum(np.abs(f) * np.abs(s)) for f, s in zip(found, moving, strict=True)) + 1
    assert abs(numeric - exact) <= tolerance * scale, (numeric, exact)


@pytest.mark.parametrize(("primitive", "sample"), CASES)
def test_rule_agrees_with_meaning(primitive, sample):
    for dtype in primitive.facts.get("dtypes", (float32, float64)):
        arrays = tuple(sample.arrays(dtype))
        inferred = primitive.infer(tuple(types_of(arrays)), sample.params)
        computed = primitive.compute(arrays, sample.params)
        assert tuple(types_of(computed)) == inferred, dtype


@pytest.mark.parametrize(("primitive", "sample"), SMOOTH)
def test_first_derivative(primitive, sample):
    arrays = list(sample.arrays(working_dtype(primitive)))
    check_pullback(graph_of(primitive, sample, arrays), arrays, seed=1, tolerance=1e-6)


@pytest.mark.parametrize(("primitive", "sample"), SMOOTH)
def test_second_derivative(primitive, sample):
    arrays = list(sample.arrays(working_dtype(primitive)))
    graph = graph_of(primitive, sample, arrays)
    wanted = tuple(a.dtype.kind in "fc" for a in arrays)
    cotangents = directional(evaluate(graph, arrays), np.random.default_rng(2))
    pullback = differentiate(graph, wanted)
    check_pullback(pullback, [*arrays, *cotangents], seed=3, tolerance=1e-5)


EXPANDED = [case for case in CASES if case.values[0].expand]


@pytest.mark.parametrize(("primitive", "sample"), EXPANDED)
def test_expansion_agrees_with_meaning(primitive, sample):
    """Composed of other primitives it means the same, within the rounding of the dtype."""
    for dtype in primitive.facts.get("dtypes", (float32, float64)):
        if dtype.is_complex:  # complex programs are not compiled, so nothing expands them
            continue
        arrays = list(sample.arrays(dtype))
        graph = trace(lambda *xs: primitive.expand(*xs, **sample.params), types_of(arrays))
        assert primitive.name not in {node.operation.name for node in graph.nodes}
        expected = primitive.compute(arrays, sample.params)
        for found, wanted in zip(evaluate(verify(graph), arrays), expected, strict=True):
            assert found.dtype == wanted.dtype, dtype
            floating = from_numpy(wanted.dtype).is_floating
            step = float(ml_dtypes.finfo(wanted.dtype).eps) if floating else 0
            np.testing.assert_allclose(
                found.astype(np.float64), wanted.astype(np.float64), 8 * step, 8 * step
            )


@pytest.mark.parametrize("primitive", REGISTRY.values(), ids=list(REGISTRY))
def test_every_record_is_whole(primitive):
    assert primitive.samples, "a primitive without samples is not tested"
    assert primitive.derivative or primitive.expand, "say no_gradient where none flows"
