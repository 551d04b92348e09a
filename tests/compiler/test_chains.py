"""Chains: kernels that take a part of the samples at a time through all of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from comparison import check, check_bits, compare, short_chains, types_of

from slipstream.compiler import guards
from slipstream.compiler.bounds import check_plan
from slipstream.compiler.kernels import (
    Access,
    Chain,
    Contraction,
    Counter,
    Load,
    Loop,
    LoopNest,
    Store,
)
from slipstream.compiler.pipeline import KernelStep, schedule
from slipstream.compiler.portions import portion
from slipstream.compiler.program import Program
from slipstream.errors import InternalError
from slipstream.ir.dtypes import float32, int64
from slipstream.ir.types import TensorType
from slipstream.primitives import REGISTRY
from slipstream.primitives.evaluate import evaluate
from slipstream.primitives.tracing import trace

apply = REGISTRY.__getitem__
PRODUCT = {"x_labels": (0, 1), "y_labels": (1, 2), "out_labels": (0, 2)}
BY_WEIGHTS = {"x_labels": (1, 0), "y_labels": (1, 2), "out_labels": (0, 2)}


def numbers(*shape):
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(np.float32)


def layers(x, w, v):
    """Two products with something between that needs whole rows; one more sums over samples."""
    hidden = apply("contract")(x, w, **PRODUCT)
    largest = apply("reshape")(apply("max")(hidden, axes=(1,)), shape=(x.shape[0], 1))
    lower = apply("tanh")(hidden - apply("broadcast_to")(largest, shape=hidden.shape))
    return apply("contract")(lower, v, **PRODUCT), apply("contract")(x, lower, **BY_WEIGHTS)


def arrays(samples=12, width=40):
    return [numbers(samples, 9), numbers(9, width), numbers(width, 17)]


def drawn(function=layers, given=None):
    given = given or arrays()
    return trace(function, types_of(given), "drawn"), given


def chains_of(graph, in_place=()):
    steps = [s for s in schedule(graph, in_place).steps if isinstance(s, KernelStep)]
    return [kernel for s in steps for kernel, _ in s.calls if isinstance(kernel, Chain)]


def test_what_only_a_chain_reads_has_a_place_a_thread():
    graph, given = drawn()
    with short_chains():
        (chain,) = chains_of(graph)
        check(graph, given)
    products = [kernel for kernel, _ in chain.calls if isinstance(kernel, Contraction)]
    assert len(products) == 2
    assert {product.rows.size for product in products} == {12 // chain.length}
    assert chain.own  # the largest of each row, and what is lower
    assert all(chain.entries[number].step for number in chain.own)


def test_a_sum_over_all_samples_waits_for_the_chain():
    graph, _ = drawn()
    with short_chains():
        steps = [step for step in schedule(graph, ()).steps if isinstance(step, KernelStep)]
    kinds = [isinstance(step.calls[0][0], Chain) for step in steps]
    assert kinds == [True, False]
    assert steps[1].calls[0][0].inner[0].size == 12


def test_little_is_not_chained():
    assert not chains_of(drawn()[0])


def test_much_is_chained_so_that_a_part_fits_the_cache():
    def wide(x, w):
        y = apply("tanh")(apply("contract")(x, w, **PRODUCT))
        return y - apply("broadcast_to")(
            apply("reshape")(apply("max")(y, axes=(1,)), shape=(x.shape[0], 1)), shape=y.shape
        )

    graph = trace(wide, [TensorType((2048, 64), float32), TensorType((64, 512), float32)], "wide")
    (chain,) = chains_of(graph)
    assert chain.length >= 8
    assert chain.entries[chain.own[0]].step <= 1 << 20


@pytest.mark.parametrize("samples", [2, 7, 12, 30])
def test_any_number_of_threads_gives_the_same_bits(samples, monkeypatch):
    graph, given = drawn(given=arrays(samples, 65))
    with short_chains():
        assert chains_of(graph)
        check_bits(graph, given, monkeypatch)


def test_a_variable_is_written_in_place_though_a_chain_reads_it():
    def step(x, w, v):
        y, gradient = layers(x, w, v)
        return y, w - gradient

    graph, given = drawn(step)
    with short_chains():
        planned = schedule(graph, ((1, 1),))
        assert chains_of(graph, ((1, 1),))
        assert planned.places.written == {planned.graph.outputs[1]: planned.graph.inputs[1]}
        mine = [a.copy() for a in given]
        found = Program(planned, ((1, 1),))(mine)
    wanted = evaluate(graph, given)
    compare(np.asarray(found[0]), np.asarray(wanted[0]))
    compare(mine[1], np.asarray(wanted[1]))


# --- the debug mode ---


def test_a_chain_keeps_to_its_memory():
    graph, given = drawn()
    with short_chains():
        for one, other in zip(guards.load(graph)(given), evaluate(graph, given), strict=True):
            compare(one, np.asarray(other))


@pytest.mark.parametrize(
    "change",
    [lambda e: replace(e, step=2 * e.step), lambda e: replace(e, offset=e.offset - 4)],
)
def test_an_address_that_leaves_its_buffer_in_some_part_is_found(change):
    graph, _ = drawn()
    with short_chains():
        planned = schedule(graph, ())
    check_plan(planned)
    (chain, values), *_ = planned.steps[0].calls
    entries = tuple(change(e) if e.step else e for e in chain.entries)
    planned.steps[0] = replace(planned.steps[0], calls=((replace(chain, entries=entries), values),))
    with pytest.raises(InternalError, match=r"kernel 1 \(chain: .* in turn \d+, step \d+"):
        check_plan(planned)


# --- parts of kernels ---


def nest(shape, load, store, reduced=None, extra=()):
    loads = (Load(Access(0, *load), float32), *extra)
    stores = (Store(Access(1, *store), 0, float32),)
    return LoopNest(shape, reduced or (False,) * len(shape), loads, stores)


def test_a_nest_is_cut_along_its_samples():
    found = portion(nest((8, 5), (0, (5, 1)), (0, (5, 1))), (40, 40), 4)
    assert found.kernel.shape == (2, 5)
    assert found.steps == (10, 10)
    assert found.apart == {0, 1}


def test_what_reads_beyond_its_part_does_not_have_it_apart():
    found = portion(nest((8, 5), (1, (5, 1)), (0, (5, 1))), (41, 40), 4)
    assert found.apart == {1}


@pytest.mark.parametrize(
    ("made", "sizes", "parts"),
    [
        (nest((8, 5), (0, (5, 1)), (0, (5, 1))), (40, 40), 3),  # no whole parts
        (nest((5, 8), (0, (1, 5)), (0, (1, 5))), (40, 80), 4),  # half of what is made
        (nest((8, 5), (0, (5, 1)), (0, (0, 1)), (True, False)), (40, 5), 4),  # summed over
        (
            nest((8,), (0, (1,)), (0, (1,)), extra=(Counter(Access(-1, 0, (1,)), int64),)),
            (8, 8),
            4,
        ),  # counts its samples
    ],
)
def test_what_cannot_be_cut_is_not(made, sizes, parts):
    assert portion(made, sizes, parts) is None


def test_two_accesses_of_one_buffer_move_together_or_not_at_all():
    apart = Load(Access(0, 0, (0, 1)), float32)
    assert portion(nest((8, 5), (0, (5, 1)), (0, (5, 1)), extra=(apart,)), (40, 40), 4) is None


def product(rows, columns, inner, outer=()):
    strides = tuple(loop.out for loop in outer)
    store = Store(Access(2, 0, (*strides, columns, 1)), 0, float32)
    loops = Loop(rows, inner, 0, columns), Loop(columns, 0, 1, 1), (Loop(inner, 1, columns, 0),)
    return Contraction(outer, *loops, (0, 0), float32, (), (store,))


def test_few_rows_that_read_much_are_not_worth_a_part():
    sizes = (256 * 64, 64 * 128, 256 * 128)
    many = portion(product(256, 128, 64), sizes, 8)
    assert many.kernel.rows.size == 32
    assert many.steps == (32 * 64, 0, 32 * 128)
    assert many.apart == {0, 2}
    assert portion(product(256, 128, 64), sizes, 64) is None


def test_a_loop_of_one_turn_goes():
    outer = (Loop(8, 40 * 16, 0, 40 * 24),)
    found = portion(product(40, 24, 16, outer), (8 * 640, 16 * 24, 8 * 960), 8)
    assert found.kernel.outer == ()
    assert found.kernel.stores[0].access.strides == (24, 1)
