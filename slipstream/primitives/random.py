"""Random bits from a counter: the Philox4x32-10 generator, and the state it is read with.

Bits are a pure function of a state, so that NumPy, native code and any later backend draw the same
numbers. A state is uint32[4]: key (low word, high word) and base counter (low word, high word).
Word i of a draw is word i % 4 of the Philox block whose counter is

    (i // 4 low word, i // 4 high word, base counter low word, base counter high word)

so draws of different base counters never overlap. Who draws adds 1 to the base counter.

J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw, "Parallel random numbers: as easy as 1, 2, 3",
SC 2011.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from slipstream.ir.dtypes import DType, float32, float64, int32, int64, uint32, uint64
from slipstream.ir.graph import Array
from slipstream.ir.types import Shape, TensorType
from slipstream.primitives.base import REGISTRY, Primitive, Pull, define, misfit
from slipstream.primitives.elementwise import cast, exp, less, log
from slipstream.primitives.families import no_gradient, sum_to
from slipstream.primitives.operand import constant, full
from slipstream.primitives.samples import Spec, between, integers, sample
from slipstream.primitives.structure import broadcast_to, concat, pad, reshape, slice_

STATE_SHAPE = (4,)
MASK = np.uint64(0xFFFFFFFF)
HALF = np.uint64(32)
MULTIPLIERS = np.array([[0xD2511F53], [0xCD9E8D57]], np.uint64)
KEY_STEPS = (0x9E3779B9, 0xBB67AE85)
ROUNDS = 10
CHUNK = 8192  # blocks: the working arrays of one chunk stay in the first cache levels


def philox(counters: Array, key: tuple[int, int]) -> Array:
    """The blocks of `counters` uint32[4, n] under a key of two words, as uint32[4, n]."""
    words = counters.astype(np.uint64)
    even, odd = np.ascontiguousarray(words[::2]), np.ascontiguousarray(words[1::2])
    product, high = np.empty_like(even), np.empty_like(even)
    for number in range(ROUNDS):
        keys = [[(k + number * s) & 0xFFFFFFFF] for k, s in zip(key, KEY_STEPS, strict=True)]
        np.multiply(even, MULTIPLIERS, out=product)
        np.right_shift(product[::-1], HALF, out=high)
        np.bitwise_xor(high, odd, out=even)
        np.bitwise_xor(even, np.array(keys, np.uint64), out=even)
        np.bitwise_and(even, MASK, out=even)
        odd, product = product[::-1], odd  # the upper halves of odd words are never looked at
    out = np.empty(counters.shape, np.uint32)
    out[::2], out[1::2] = even, odd & MASK
    return out


def _random_bits(state: Array, *, shape: Shape) -> Array:
    """The words of a draw, by chunks of blocks."""
    key = int(state[0]), int(state[1])
    count = int(np.prod(shape, dtype=np.int64))
    blocks = -(-count // 4)
    out = np.empty((blocks, 4), np.uint32)
    for start in range(0, blocks, CHUNK):
        numbers = np.arange(start, min(start + CHUNK, blocks), dtype=np.uint64)
        counters = np.empty((4, len(numbers)), np.uint64)
        counters[0], counters[1] = numbers & MASK, numbers >> HALF
        counters[2], counters[3] = state[2], state[3]
        out[start : start + CHUNK] = philox(counters, key).T
    return out.reshape(-1)[:count].reshape(shape)


def _expand_bits(state: Any, *, shape: Shape) -> Any:
    """All blocks at once: four words each, side by side in the last axis."""
    count = int(np.prod(shape, dtype=np.int64))
    blocks = max(1, -(-count // 4))
    key = [_everywhere(state, i, blocks) for i in (0, 1)]
    numbers = REGISTRY["iota"](shape=(blocks,), axis=0, dtype=uint64)
    words = [cast(numbers, dtype=uint32), _upper(numbers)]
    words += [_everywhere(state, i, blocks) for i in (2, 3)]
    for number in range(ROUNDS):
        first, second = (cast(words[i], dtype=uint64) * int(MULTIPLIERS[i // 2, 0]) for i in (0, 2))
        keys = [k + (number * step & 0xFFFFFFFF) for k, step in zip(key, KEY_STEPS, strict=True)]
        words = [
            _xor(_xor(_upper(second), words[1]), keys[0]),
            cast(second, dtype=uint32),
            _xor(_xor(_upper(first), words[3]), keys[1]),
            cast(first, dtype=uint32),
        ]
    columns = concat(*(reshape(word, shape=(blocks, 1)) for word in words), axis=1)
    flat = reshape(columns, shape=(4 * blocks,))
    return reshape(slice_(flat, starts=(0,), stops=(count,), steps=(1,)), shape=shape)


def _everywhere(state: Any, index: int, size: int) -> Any:
    word = slice_(state, starts=(index,), stops=(index + 1,), steps=(1,))
    return broadcast_to(word, shape=(size,))


def _upper(x: Any) -> Any:
    shift = broadcast_to(x.coerce(32), shape=x.shape)
    return cast(REGISTRY["right_shift"](x, shift), dtype=uint32)


def _xor(x: Any, y: Any) -> Any:
    return REGISTRY["bitwise_xor"](x, y)


def check_state(name: str, state: TensorType) -> None:
    """Raise unless `state` is the type of a random state."""
    if state.shape != STATE_SHAPE or state.dtype is not uint32:
        raise misfit(name, "that is no random state", "uint32[4]: key and counter", state=state)


def _random_bits_rule(state: TensorType, *, shape: Shape) -> TensorType:
    check_state("random_bits", state)
    return TensorType(shape, uint32)


STATE = integers(0, 1 << 32, 4, dtype=uint32)

random_bits = define(
    Primitive(
        "random_bits",
        "random",
        _random_bits_rule,
        _random_bits,
        no_gradient,
        _expand_bits,
        samples=(sample(STATE, shape=(3, 17)), sample(STATE, shape=()), sample(STATE, shape=(0,))),
        facts={"dtypes": (uint32,)},
        doc="Uniform 32-bit words, a pure function of the state (Philox4x32-10)",
    )
)


def state_of(seed: int, counter: int = 0) -> Array:
    """The state whose key and counter are 64-bit integers (taken modulo 2^64).

    >>> state_of(7).tolist()
    [7, 0, 0, 0]
    """
    words = [part >> shift & 0xFFFFFFFF for part in (seed, counter) for shift in (0, 32)]
    return np.array(words, np.uint32)


def next_state(state: Any, steps: int = 1) -> Any:
    """The state whose base counter is `steps` (below 2^32) higher; inside programs too."""
    added = state + constant(np.array([0, 0, steps, 0], np.uint32))
    carry = cast(less(added, state), dtype=uint32)
    return added + pad(carry, carry.coerce(0), low=(1,), high=(-1,), interior=(0,))


def split_states(state: Any, count: int) -> Any:
    """uint32[count, 4]: states with keys of their own, drawn from `state`."""
    keys = random_bits(state, shape=(count, 2))
    return concat(keys, full(keys.type, 0), axis=1)


def folded_state(state: Any, number: Any) -> Any:
    """The state for one of many uses of `state`, told apart by an integer operand of rank 0."""
    word = reshape(cast(number, dtype=uint32), shape=(1,))
    counter = pad(word, word.coerce(0), low=(3,), high=(0,), interior=(0,))
    keys = random_bits(state + counter, shape=(2,))
    return concat(keys, full(keys.type, 0), axis=0)


def _numpy_generator(state: Array) -> np.random.Generator:
    """NumPy's own generator for distributions that need a varying number of draws each."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(state.tolist())))


def _by_host(
    name: str, draw: Any, high: float, dtypes: tuple[DType, ...], derivative: Any, doc: str
) -> Primitive:
    """A distribution NumPy draws; the parameter broadcasts to the trailing axes of `shape`."""

    def rule(state: TensorType, parameter: TensorType, *, shape: Shape, dtype: DType) -> TensorType:
        check_state(name, state)
        tail = shape[len(shape) - parameter.rank :]
        sizes = zip(parameter.shape, tail, strict=False)
        if parameter.rank > len(shape) or any(n not in (1, m) for n, m in sizes):
            raise misfit(name, "the parameter does not broadcast", parameter=parameter, shape=shape)
        return TensorType(shape, dtype)

    def meaning(state: Array, parameter: Array, *, shape: Shape, dtype: DType) -> Array:
        drawn = draw(_numpy_generator(state), parameter.astype(np.float64), shape)
        return np.asarray(drawn).astype(dtype.numpy)

    specs: tuple[Spec, ...] = (STATE, between(0.5, high, 3))
    return define(
        Primitive(
            name,
            "random",
            rule,
            meaning,
            derivative,
            samples=tuple(
                sample(*specs, smooth=False, shape=(5, 3), dtype=dtype) for dtype in dtypes
            ),
            facts={"dtypes": (float32, float64)},
            doc=doc,
        )
    )


random_poisson = _by_host(
    "random_poisson",
    lambda generator, rate, shape: generator.poisson(rate, shape),
    20.0,
    (float32, int32, int64),
    no_gradient,
    "Poisson counts of given rates",
)


def _gamma_derivative(pull: Pull) -> list[Any]:
    """By the shape parameter a, where the distribution's value P(a, x) stays: -(dP/da) / (dP/dx).

    M. Figurnov, S. Mohamed, A. Mnih, "Implicit reparameterization gradients", 2018.
    """
    x = pull.outputs[0]
    if not x.dtype.is_floating:
        return [None, None]
    a = broadcast_to(cast(pull.inputs[1], dtype=x.dtype), shape=x.shape)
    density = exp((a - 1.0) * log(x) - x - REGISTRY["lgamma"](a))
    slope = -REGISTRY["igamma_by_shape"](a, x) / density
    found = sum_to(pull.g * slope, pull.inputs[1].shape)
    return [None, cast(found, dtype=pull.inputs[1].dtype)]


random_gamma = _by_host(
    "random_gamma",
    lambda generator, shape_parameter, shape: generator.standard_gamma(shape_parameter, shape),
    5.0,
    (float32, float64),
    _gamma_derivative,
    "Gamma-distributed numbers of given shape parameters, of scale 1",
)


def _permutation_rule(state: TensorType, *, count: int, dtype: DType) -> TensorType:
    check_state("random_permutation", state)
    return TensorType((count,), dtype)


def _permutation(state: Array, *, count: int, dtype: DType) -> Array:
    return np.argsort(_random_bits(state, shape=(count,)), kind="stable").astype(dtype.numpy)


random_permutation = define(
    Primitive(
        "random_permutation",
        "random",
        _permutation_rule,
        _permutation,
        no_gradient,
        samples=(sample(STATE, count=17, dtype=int32), sample(STATE, count=0, dtype=int64)),
        facts={"dtypes": (uint32,)},
        doc="The numbers below `count` in random order: that of random words, stably sorted",
    )
)
