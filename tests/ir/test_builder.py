"""The builder: types as it goes, folds constants, shares equal nodes, keeps effects."""

import numpy as np
import pytest

from slipstream.errors import InvalidArgumentError
from slipstream.ir.builder import FOLD_LIMIT, Builder, frozen
from slipstream.ir.dtypes import float32, int32
from slipstream.ir.graph import Constant
from slipstream.ir.types import TensorType
from slipstream.primitives import REGISTRY
from slipstream.primitives.base import Primitive

VECTOR = TensorType((3,), float32)
ADD, SUM, SIN, CAST = (REGISTRY[name] for name in ("add", "sum", "sin", "cast"))
ANNOUNCE = Primitive("announce", "host", lambda x: x, lambda x: x, effect=True)


def start():
    builder = Builder()
    return builder, builder.input(VECTOR)


def test_a_node_has_the_types_of_its_rule():
    builder, x = start()
    (y,) = builder.add(SUM, (x,), {"axes": (0,)}, "program.py:3")
    assert y.type == TensorType((), float32)
    assert builder.nodes[0].origin == "program.py:3"


def test_what_does_not_fit_is_refused_and_not_added():
    builder, x = start()
    y = builder.input(TensorType((4,), float32))
    with pytest.raises(InvalidArgumentError, match="do not broadcast"):
        builder.add(ADD, (x, y), {})
    assert not builder.nodes


def test_operations_on_constants_are_folded():
    builder = Builder()
    one, two = (builder.constant(np.array([1, n], np.float32)) for n in (1, 2))
    (three,) = builder.add(ADD, (one, two), {})
    assert isinstance(three, Constant)
    assert three.array.tolist() == [2.0, 3.0]
    assert not builder.nodes


def test_a_large_result_is_computed_by_the_program_instead():
    builder = Builder()
    small = builder.constant(np.float32(1).reshape(()))
    (large,) = builder.add(REGISTRY["broadcast_to"], (small,), {"shape": (FOLD_LIMIT + 1,)})
    assert not isinstance(large, Constant)
    (limit,) = builder.add(REGISTRY["broadcast_to"], (small,), {"shape": (FOLD_LIMIT,)})
    assert isinstance(limit, Constant)


def test_an_operation_without_inputs_is_not_folded():
    builder = Builder()
    params = {"shape": (3,), "axis": 0, "dtype": int32}
    (first,) = builder.add(REGISTRY["iota"], (), params)
    (second,) = builder.add(REGISTRY["iota"], (), params)
    assert not isinstance(first, Constant)
    assert first is second


def test_equal_nodes_are_shared():
    builder, x = start()
    (one,) = builder.add(SIN, (x,), {})
    (other,) = builder.add(SIN, (x,), {})
    assert one is other
    assert len(builder.nodes) == 1


def test_nodes_that_differ_in_a_parameter_are_not_shared():
    builder, x = start()
    (one,) = builder.add(CAST, (x,), {"dtype": int32})
    (other,) = builder.add(CAST, (x,), {"dtype": float32})
    assert one is not other


def test_nodes_that_differ_in_the_order_of_their_inputs_are_not_shared():
    builder, x = start()
    y = builder.input(VECTOR)
    assert builder.add(ADD, (x, y), {}) != builder.add(ADD, (y, x), {})


def test_operations_of_one_name_are_not_taken_for_each_other():
    """Sub-programs wrapped as primitives all have the name of their function."""
    builder, x = start()
    twins = [Primitive("twin", "host", lambda t: t, lambda a: a) for _ in range(2)]
    outputs = [builder.add(twin, (x,), {})[0] for twin in twins]
    assert outputs[0] is not outputs[1]


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64])
def test_zero_and_minus_zero_are_different_constants(dtype):
    builder = Builder()
    plus, minus = (builder.constant(np.array(z, dtype)) for z in (0.0, -0.0))
    assert plus is not minus
    assert np.signbit(minus.array.real)
    assert not np.signbit(plus.array.real)


def test_equal_small_constants_are_one_value_and_large_ones_are_not_compared():
    builder = Builder()
    small = [builder.constant(np.array([1.0, 2.0], np.float32)) for _ in range(2)]
    large = [builder.constant(np.zeros(1000, np.float32)) for _ in range(2)]
    assert small[0] is small[1]
    assert large[0] is not large[1]


def test_constants_that_differ_in_dtype_or_shape_are_not_shared():
    builder = Builder()
    arrays = [
        *(np.zeros(2, np.float32), np.zeros(2, np.int32), np.zeros((1, 2), np.float32)),
        *(np.zeros(1, np.int64), np.array([b"a"], object), np.array([b"b"], object)),
    ]
    values = [builder.constant(a) for a in arrays]
    assert len(set(values)) == len(values)


def test_a_small_constant_does_not_change_with_the_array_it_was_made_of():
    builder = Builder()
    array = np.zeros(2, np.float32)
    value = builder.constant(array)
    array[0] = 7
    assert value.array.tolist() == [0.0, 0.0]


def test_a_constant_that_is_gone_is_not_taken_for_one_in_its_place():
    """The memory of a dropped constant is used again; its address must not name the new one."""
    builder = Builder()
    for index in range(200):
        array = np.full(100, index, np.float32)
        (total,) = builder.add(SUM, (builder.constant(array),), {"axes": (0,)})
        assert total.array == index * 100


@pytest.mark.parametrize(
    ("one", "other"),
    [(1, 1.0), (1, True), (0.0, -0.0), ((1,), (1.0,)), (np.zeros(1), np.zeros(1, np.int64)),
     ({"a": 0.0}, {"a": -0.0}), (1j * 0.0, -0.0 * 1j)],
)  # fmt: skip
def test_parameters_python_calls_equal_are_told_apart(one, other):
    assert frozen(one) != frozen(other)


def test_equal_parameters_are_equal():
    assert frozen({"b": [1, 2], "a": np.ones(2)}) == frozen({"a": np.ones(2), "b": [1, 2]})
    assert frozen(float("nan")) == frozen(float("nan"))


def test_effects_are_never_shared_folded_or_pruned():
    builder, x = start()
    builder.add(ANNOUNCE, (x,), {})
    builder.add(ANNOUNCE, (x,), {})
    builder.add(ANNOUNCE, (builder.constant(np.ones(3, np.float32)),), {})
    builder.add(SIN, (x,), {})
    graph = builder.graph([x])
    assert [node.operation.name for node in graph.nodes] == ["announce"] * 3


def test_pruning_leaves_what_the_outputs_need_in_order():
    builder, x = start()
    (a,) = builder.add(SIN, (x,), {})
    builder.add(REGISTRY["cos"], (x,), {})
    (c,) = builder.add(REGISTRY["exp"], (a,), {})
    assert [n.operation.name for n in builder.graph([c]).nodes] == ["sin", "exp"]
    assert len(builder.graph([c], prune=False).nodes) == 3
