"""The verifier: each way a pass could break a graph is caught and named."""

import numpy as np
import pytest

from slipstream.errors import InternalError
from slipstream.ir.dtypes import float32, int32
from slipstream.ir.graph import Constant, Graph, Node, Value
from slipstream.ir.types import TensorType
from slipstream.ir.verifier import verify
from slipstream.primitives import REGISTRY
from slipstream.primitives.base import Primitive
from slipstream.primitives.tracing import trace

VECTOR = TensorType((3,), float32)
SIN, ADD = REGISTRY["sin"], REGISTRY["add"]
CALL = Primitive("call", "control", lambda x, body: x, lambda x, body: x)


def unary(x, y, operation=SIN, **params):
    return Node(operation, (x,), params, (y,))


def values(count):
    return [Value(VECTOR) for _ in range(count)]


def test_a_sound_graph_is_given_back():
    graph = trace(lambda x: SIN(x) + 1, [VECTOR])
    assert verify(graph) is graph


def test_constants_need_no_definition():
    one = Constant.of(np.ones(3, np.float32))
    x, y = values(2)
    assert verify(Graph((x,), (Node(ADD, (x, one), {}, (y,)),), (y, one)))


def test_use_before_definition():
    x, y, z = values(3)
    graph = Graph((x,), (unary(y, z), unary(x, y)), (z,))
    with pytest.raises(InternalError, match=r"sin uses a float32\[3\] before it is defined"):
        verify(graph)


def test_an_output_nobody_defines():
    x, y = values(2)
    with pytest.raises(InternalError, match="return uses"):
        verify(Graph((x,), (), (y,)))


def test_a_value_defined_by_two_nodes():
    x, y = values(2)
    with pytest.raises(InternalError, match="a value of loss is defined twice"):
        verify(Graph((x,), (unary(x, y), unary(x, y)), (y,), "loss"))


def test_a_node_that_defines_an_input_again():
    x, y = values(2)
    with pytest.raises(InternalError, match="defined twice"):
        verify(Graph((x, y), (unary(x, y),), (y,)))


def test_an_input_given_twice():
    (x,) = values(1)
    with pytest.raises(InternalError, match="defined twice"):
        verify(Graph((x, x), (), (x,)))


@pytest.mark.parametrize("type", [TensorType((4,), float32), TensorType((3,), int32)])
def test_a_type_that_is_not_that_of_the_rule(type):
    (x,) = values(1)
    y = Value(type)
    with pytest.raises(InternalError, match=r"after fusion: sin gives float32\[3\], not"):
        verify(Graph((x,), (unary(x, y),), (y,)), after="fusion")


def test_a_missing_output():
    (x,) = values(1)
    with pytest.raises(InternalError, match="sin gives"):
        verify(Graph((x,), (Node(SIN, (x,), {}, ()),), (x,)))


def test_breakage_inside_a_sub_program():
    inner_x, nowhere = values(2)
    body = Graph((inner_x,), (), (nowhere,), "body")
    x, y = values(2)
    with pytest.raises(InternalError, match="before it is defined"):
        verify(Graph((x,), (unary(x, y, CALL, body=body),), (y,)))


def test_breakage_inside_one_of_several_branches():
    inner_x, nowhere = values(2)
    sound = Graph((inner_x,), (), (inner_x,))
    broken = Graph((inner_x,), (), (nowhere,))
    x, y = values(2)
    with pytest.raises(InternalError, match="before it is defined"):
        verify(Graph((x,), (unary(x, y, CALL, body=(sound, broken)),), (y,)))


def test_a_sub_program_does_not_see_the_values_around_it():
    x, y = values(2)
    body = Graph((), (), (x,), "body")
    with pytest.raises(InternalError, match="before it is defined"):
        verify(Graph((x,), (unary(x, y, CALL, body=body),), (y,)))


def test_the_rule_is_asked_once_about_a_node_that_goes_through_passes():
    x, y = values(2)
    known = set()
    graph = Graph((x,), (unary(x, y),), (y,))
    verify(graph, known=known)
    assert known == set(graph.nodes)
    wrong = unary(x, Value(TensorType((4,), float32)))
    verify(Graph((x,), (wrong,), ()), known={wrong})
    with pytest.raises(InternalError, match="gives"):
        verify(Graph((x,), (wrong,), ()), known=known)
