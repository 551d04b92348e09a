"""The registry walk: every primitive, compiled, agrees with its NumPy meaning."""

import pytest
from comparison import check, types_of

from slipstream.ir.dtypes import float32
from slipstream.primitives import REGISTRY
from slipstream.primitives.tracing import trace

CASES = [
    pytest.param(primitive, sample, dtype, id=f"{name}-{index}-{dtype.name}")
    for name, primitive in sorted(REGISTRY.items())
    for index, sample in enumerate(primitive.samples)
    for dtype in primitive.facts.get("dtypes", (float32,))
]


@pytest.mark.parametrize(("primitive", "sample", "dtype"), CASES)
def test_compiled_is_the_meaning(primitive, sample, dtype):
    arrays = list(sample.arrays(dtype))
    graph = trace(lambda *xs: primitive(*xs, **sample.params), types_of(arrays), primitive.name)
    check(graph, arrays)
