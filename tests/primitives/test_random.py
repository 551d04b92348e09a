"""Random bits against published vectors, and distributions against their moments and quantiles."""

import math

import numpy as np
import pytest

from slipstream.autodiff import differentiate
from slipstream.errors import InvalidArgumentError
from slipstream.ir.dtypes import (
    bfloat16,
    float16,
    float32,
    float64,
    from_numpy,
    int32,
    int64,
    uint32,
    uint64,
)
from slipstream.ir.types import TensorType
from slipstream.primitives import distributions
from slipstream.primitives.evaluate import evaluate
from slipstream.primitives.incomplete_gamma import igamma
from slipstream.primitives.random import (
    folded_state,
    next_state,
    philox,
    random_bits,
    random_gamma,
    random_permutation,
    random_poisson,
    split_states,
    state_of,
)
from slipstream.primitives.tracing import trace

COUNT = 40000


def run(function, *arrays):
    """The function's result, computed through a graph."""
    types = [TensorType(a.shape, from_numpy(a.dtype)) for a in arrays]
    return evaluate(trace(function, types), arrays)[0]


def draw(distribution, *args, seed=11, **options):
    return run(lambda state: distribution(state, *args, **options), state_of(seed))


def chi_square(counts, expected):
    return float(np.sum((counts - expected) ** 2 / expected))


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        ([0, 0, 0, 0], (0, 0), "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        ([0xFFFFFFFF] * 4, (0xFFFFFFFF,) * 2, "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        (
            [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
            (0xA4093822, 0x299F31D0),
            "d16cfe09 94fdcceb 5001e420 24126ea1",
        ),
    ],
)
def test_known_answers_of_random123(counter, key, expected):
    block = philox(np.array(counter, np.uint32).reshape(4, 1), key)
    assert " ".join(f"{int(word):08x}" for word in block[:, 0]) == expected


def test_words_of_a_draw_are_the_blocks_in_order():
    state = state_of(0x299F31D0A4093822, 0x0370734413198A2E)
    words = random_bits.meaning(state, shape=(5, 3)).reshape(-1)
    for block in range(4):
        counter = np.array([[block], [0], [0x13198A2E], [0x03707344]], np.uint32)
        expected = philox(counter, (0xA4093822, 0x299F31D0))[:, 0]
        assert words[4 * block : 4 * block + 4].tolist() == expected[: 15 - 4 * block].tolist()


def test_a_longer_draw_begins_with_the_shorter_one():
    state = state_of(3)
    long = random_bits.meaning(state, shape=(100003,))
    assert np.array_equal(long[:77], random_bits.meaning(state, shape=(7, 11)).reshape(-1))


def test_draws_of_successive_states_do_not_overlap():
    state, seen = state_of(3), []
    for _ in range(4):
        seen.append(random_bits.meaning(state, shape=(4096,)).view(np.uint64))
        state = run(next_state, state)
    both = np.concatenate(seen)
    assert len(np.unique(both)) == len(both)


def test_next_state_carries_into_the_high_word():
    state = state_of(5, 0xFFFFFFFF)
    assert run(next_state, state).tolist() == [5, 0, 0, 1]
    assert run(lambda s: next_state(s, 6), state).tolist() == [5, 0, 5, 1]
    assert run(next_state, state_of(5, 2**64 - 1)).tolist() == [5, 0, 0, 0]


def test_split_and_folded_states_are_distinct_streams():
    states = run(lambda s: split_states(s, 5), state_of(9))
    assert states.shape == (5, 4) and len(np.unique(states[:, :2], axis=0)) == 5
    folded = [
        run(folded_state, state_of(9), np.array(number, np.int32)).tolist() for number in range(5)
    ]
    assert len({tuple(f) for f in folded}) == 5
    assert folded[0] != folded[1]


def test_bits_are_balanced_and_uncorrelated():
    words = random_bits.meaning(state_of(21), shape=(COUNT,))
    ones = np.unpackbits(words.view(np.uint8)).reshape(COUNT, 32)
    assert np.abs(ones.mean(0) - 0.5).max() < 5 * 0.5 / math.sqrt(COUNT)
    numbers = words / 2.0**32 - 0.5
    for lag in (1, 2, 3, 4, 8):
        assert abs(np.mean(numbers[lag:] * numbers[:-lag]) * 12) < 5 / math.sqrt(COUNT)


@pytest.mark.parametrize(("dtype", "mantissa"), [(float32, 23), (float64, 52), (float16, 10),
                                                (bfloat16, 7)])  # fmt: skip
def test_unit_is_uniform_below_one(dtype, mantissa):
    x = draw(distributions.unit, (COUNT,), dtype)
    assert x.dtype == dtype.numpy
    wide = x.astype(np.float64)
    assert wide.min() >= 0 and wide.max() < 1
    assert np.array_equal(wide * 2.0**mantissa, np.floor(wide * 2.0**mantissa))
    cells = np.bincount((wide * 64).astype(int), minlength=64)
    assert 20 < chi_square(cells, COUNT / 64) < 130  # 63 degrees of freedom


def test_unit_is_the_documented_function_of_the_bits():
    words = random_bits.meaning(state_of(11), shape=(6,))
    assert np.array_equal(
        draw(distributions.unit, (6,)), (words >> 9).astype(np.float32) * np.float32(2.0**-23)
    )
    exact = (words[::2] >> 12) * 2.0**-20 + words[1::2] * 2.0**-52
    assert np.array_equal(draw(distributions.unit, (3,), float64), exact)


def test_uniform_takes_bounds_as_numbers_and_operands():
    x = draw(distributions.uniform, (COUNT,), float32, -3.0, 5.0)
    assert x.min() >= -3 and x.max() < 5 and abs(x.mean() - 1) < 0.05
    low, high = np.array([0.0, 10.0]), np.array([1.0, 30.0])
    y = run(
        lambda s, a, b: distributions.uniform(s, (COUNT, 2), float64, a, b), state_of(1), low, high
    )
    assert np.all((y >= low) & (y < high)) and np.abs(y.mean(0) - [0.5, 20]).max() < 0.15


@pytest.mark.parametrize("dtype", [int32, int64, uint32, uint64])
def test_uniform_integers_are_equally_likely(dtype):
    low = 0 if dtype.is_unsigned else -5
    x = draw(distributions.uniform_integers, (COUNT,), dtype, low, low + 12)
    assert x.dtype == dtype.numpy and x.min() == low and x.max() == low + 11
    counts = np.bincount((x - x.min()).astype(int), minlength=12)
    assert 0.5 < chi_square(counts, COUNT / 12) < 45  # 11 degrees of freedom


def test_uniform_integers_of_operands_and_wide_ranges():
    x = run(
        lambda s, a, b: distributions.uniform_integers(s, (1000,), int32, a, b),
        state_of(4), np.array(-7, np.int32), np.array(3, np.int32),
    )  # fmt: skip
    assert set(x) == set(range(-7, 3))
    wide = draw(distributions.uniform_integers, (1000,), int64, -(2**40), 2**40)
    assert wide.min() < -(2**39) and wide.max() > 2**39
    assert wide.min() >= -(2**40) and wide.max() < 2**40


def test_an_empty_range_is_an_error():
    with pytest.raises(InvalidArgumentError, match="range is empty"):
        draw(distributions.uniform_integers, (3,), int32, 4, 4)


@pytest.mark.parametrize("dtype", [float32, float64, float16, bfloat16])
@pytest.mark.parametrize("shape", [(COUNT,), (COUNT - 1,), (200, 3, 67)])
def test_normal_has_its_moments(dtype, shape):
    x = draw(distributions.normal, shape, dtype)
    assert x.shape == shape and x.dtype == dtype.numpy
    x = x.astype(np.float64)
    error = 5 / math.sqrt(x.size)
    assert abs(x.mean()) < error
    assert abs((x**2).mean() - 1) < error * math.sqrt(2)
    assert abs((x**3).mean()) < error * math.sqrt(15)
    assert abs((x**4).mean() - 3) < error * math.sqrt(96)


def test_normal_quantiles():
    x = np.sort(draw(distributions.normal, (COUNT,), float64))
    for z in (-2.0, -1.0, 0.0, 0.5, 1.5, 2.5):
        share = 0.5 * (1 + math.erf(z / math.sqrt(2)))
        error = 5 * math.sqrt(share * (1 - share) / COUNT)
        assert abs(np.searchsorted(x, z) / COUNT - share) < error


@pytest.mark.parametrize("dtype", [float32, float64])
def test_truncated_normal_is_the_normal_between_two_deviations(dtype):
    x = np.sort(draw(distributions.truncated_normal, (COUNT,), dtype)).astype(np.float64)
    assert x[0] >= -2 and x[-1] <= 2 and x[0] < -1.99 and x[-1] > 1.99
    inside = math.erf(math.sqrt(2))
    for z in (-1.5, -0.5, 0.0, 1.0, 1.9):
        share = 0.5 + 0.5 * math.erf(z / math.sqrt(2)) / inside
        error = 5 * math.sqrt(share * (1 - share) / COUNT)
        assert abs(np.searchsorted(x, z) / COUNT - share) < error
    assert abs(x.std() - 0.87963) < 0.015


def test_truncated_normal_inverts_the_distribution_exactly():
    x = draw(distributions.truncated_normal, (2000,), float64)
    u = draw(distributions.open_unit, (2000,), float64)
    back = np.array([math.erf(v / math.sqrt(2)) for v in x]) / math.erf(math.sqrt(2))
    assert np.abs(back - (2 * u - 1)).max() < 2e-15


@pytest.mark.parametrize("probability", [0.0, 0.1, 0.5, 0.93, 1.0])
def test_bernoulli_is_true_that_often(probability):
    x = draw(distributions.bernoulli, (COUNT,), probability)
    error = 5 * math.sqrt(probability * (1 - probability) / COUNT)
    assert x.dtype == bool and abs(x.mean() - probability) <= error


def test_bernoulli_of_operands():
    rates = np.array([0.0, 0.3, 1.0], np.float32)
    x = run(lambda s, p: distributions.bernoulli(s, (COUNT, 3), p), state_of(2), rates)
    assert np.abs(x.mean(0) - rates).max() < 0.015


def test_exponential_has_its_moments():
    x = draw(distributions.exponential, (COUNT,), float32).astype(np.float64)
    assert x.min() > 0 and abs(x.mean() - 1) < 0.03 and abs(x.var() - 1) < 0.08


def test_categorical_follows_the_logits():
    shares = np.array([[0.5, 0.3, 0.2], [0.0, 0.1, 0.9]])
    with np.errstate(divide="ignore"):
        logits = np.log(shares).astype(np.float32) + 3
    x = run(lambda s, z: distributions.categorical(s, z, COUNT, int64), state_of(8), logits)
    assert x.shape == (2, COUNT) and x.dtype == np.int64
    for row, expected in zip(x, shares, strict=True):
        assert np.abs(np.bincount(row, minlength=3) / COUNT - expected).max() < 0.015


def test_permutations_are_permutations_and_fair():
    first = draw(random_permutation, count=1000, dtype=int32)
    assert np.array_equal(np.sort(first), np.arange(1000))
    orders = [draw(random_permutation, seed=s, count=3, dtype=int32) for s in range(1200)]
    counts = np.unique(orders, axis=0, return_counts=True)[1]
    assert len(counts) == 6 and chi_square(counts, 200) < 30  # 5 degrees of freedom


def test_gamma_and_poisson_have_their_moments():
    shape = np.array([0.5, 4.0])
    x = run(lambda s, a: random_gamma(s, a, shape=(COUNT, 2), dtype=float64), state_of(6), shape)
    assert np.abs(x.mean(0) - shape).max() < 0.06 and np.abs(x.var(0) - shape).max() < 0.25
    n = run(lambda s, a: random_poisson(s, a, shape=(COUNT, 2), dtype=int32), state_of(6), shape)
    assert np.abs(n.mean(0) - shape).max() < 0.06 and np.abs(n.var(0) - shape).max() < 0.25


def test_gamma_is_derived_along_its_quantiles():
    shape = np.linspace(0.6, 4.0, 5)

    def draw(state, a):
        return random_gamma(state, a, shape=(400, 5), dtype=float64)

    graph = trace(draw, [TensorType((4,), uint32), TensorType((5,), float64)])
    x = evaluate(graph, [state_of(3), shape])[0]
    slopes = [
        evaluate(differentiate(graph, (False, True)), [state_of(3), shape, np.eye(1, 2000, k)
                 .reshape(400, 5)])[0][k % 5]
        for k in range(25)
    ]  # fmt: skip
    a, h = np.broadcast_to(shape, (400, 5)), 1e-5
    moved = x.reshape(-1)[:25] + h * np.array(slopes)
    before = run(igamma, np.array(a.reshape(-1)[:25]), x.reshape(-1)[:25])
    after = run(igamma, a.reshape(-1)[:25] + h, moved)
    np.testing.assert_allclose(after, before, 0, 1e-9)
    mean = evaluate(differentiate(graph, (False, True)), [state_of(3), shape, np.ones((400, 5))])
    np.testing.assert_allclose(mean[0] / 400, 1, atol=0.25)  # the mean of x is a


def test_what_is_no_state_is_an_error():
    with pytest.raises(InvalidArgumentError, match="no random state"):
        run(lambda s: random_bits(s, shape=(3,)), np.zeros(4, np.int32))
