"""Random numbers (`tf.random`): drawn from seeded streams, from a Generator, or from a seed given
with each call.

With a global seed (`set_seed`) or a seed of its own an operation draws the same numbers in every
run of the program.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from slipstream.errors import InvalidArgumentError, NotWhileTracing, message
from slipstream.ir.dtypes import DType, as_dtype, float32, int32, int64, uint32
from slipstream.ir.types import Shape
from slipstream.primitives import distributions
from slipstream.primitives.base import REGISTRY
from slipstream.primitives.elementwise import cast, right_shift
from slipstream.primitives.operand import full
from slipstream.primitives.random import (
    folded_state,
    next_state,
    random_bits,
    random_gamma,
    random_permutation,
    random_poisson,
    split_states,
    state_of,
)
from slipstream.primitives.structure import concat, reshape
from slipstream.runtime.convert import TensorLike, convert
from slipstream.runtime.dispatch import operation
from slipstream.runtime.seeds import GLOBAL, draw_state
from slipstream.runtime.tensor import constant_value
from slipstream.runtime.variable import Variable


def set_seed(seed: int | None) -> None:
    """Set the global seed: every stream begins anew, with the same numbers for the same seed."""
    GLOBAL.reset(None if seed is None else int(seed))


def sizes_of(shape: Any, name: str = "random") -> Shape:
    """A shape argument as integers: a number, a sequence, or a known tensor."""
    if isinstance(shape, TensorLike):
        known = constant_value(convert(shape))
        if known is None:
            raise NotWhileTracing(message(name, "the shape is not known while tracing"))
        shape = known
    flat = np.reshape([int(n) for n in np.ravel(shape)] if np.ndim(shape) else [int(shape)], -1)
    return tuple(int(n) for n in flat)


def _uniform(state: Any, shape: Shape, low: Any, high: Any, dtype: DType) -> Any:
    low = convert(low, dtype) if isinstance(low, TensorLike) else low
    high = convert(high, dtype) if isinstance(high, TensorLike) else high
    if dtype.is_integer:
        return distributions.uniform_integers(state, shape, dtype, low, high)
    return distributions.uniform(state, shape, dtype, low, 1.0 if high is None else high)


def _scaled(drawn: Any, mean: Any, stddev: Any) -> Any:
    dtype = drawn.dtype
    if not (isinstance(stddev, (int, float)) and stddev == 1):
        drawn = drawn * (convert(stddev, dtype) if not isinstance(stddev, float) else stddev)
    if isinstance(mean, (int, float)) and mean == 0:
        return drawn
    return drawn + (convert(mean, dtype) if not isinstance(mean, float) else mean)


@operation
def uniform(
    shape: Any, minval: Any = 0, maxval: Any = None, dtype: Any = "float32", seed: Any = None,
    name: str | None = None,
) -> Any:  # fmt: skip
    """Uniform numbers in [minval, maxval): floats, or integers (which need maxval).

    >>> tuple(uniform([2, 3]).shape)
    (2, 3)
    """
    dtype = as_dtype(dtype)
    if dtype.is_integer and maxval is None:
        raise ValueError(f"Must specify maxval for integer dtype {dtype.name}")
    return _uniform(draw_state(seed), sizes_of(shape), minval, maxval, dtype)


@operation
def normal(
    shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = "float32", seed: Any = None,
    name: str | None = None,
) -> Any:  # fmt: skip
    """Normally distributed numbers."""
    drawn = distributions.normal(draw_state(seed), sizes_of(shape), as_dtype(dtype))
    return _scaled(drawn, mean, stddev)


@operation
def truncated_normal(
    shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = "float32", seed: Any = None,
    name: str | None = None,
) -> Any:  # fmt: skip
    """Normally distributed numbers within two standard deviations of the mean."""
    drawn = distributions.truncated_normal(draw_state(seed), sizes_of(shape), as_dtype(dtype))
    return _scaled(drawn, mean, stddev)


@operation
def categorical(
    logits: Any, num_samples: Any, dtype: Any = None, seed: Any = None, name: str | None = None
) -> Any:
    """[batch, num_samples] classes, drawn by unnormalised log-probabilities [batch, classes]."""
    logits = convert(logits)
    if logits.ndim != 2:
        raise InvalidArgumentError(
            message("categorical", "logits have two dimensions", received={"logits": logits.type})
        )
    kind = as_dtype(dtype or int64)
    return distributions.categorical(draw_state(seed), logits, int(num_samples), kind)


@operation
def shuffle(value: Any, seed: Any = None, name: str | None = None) -> Any:
    """The slices along the first dimension in random order."""
    value = convert(value)
    order = random_permutation(draw_state(seed), count=value.shape[0], dtype=int32)
    return REGISTRY["gather"](value, order, axis=0, batch_dims=0)


def _parameter_shape(shape: Any, *parameters: Any) -> Shape:
    return (*sizes_of(shape), *np.broadcast_shapes(*(tuple(p.shape) for p in parameters)))


@operation
def poisson(
    shape: Any, lam: Any, dtype: Any = "float32", seed: Any = None, name: str | None = None
) -> Any:
    """Poisson counts of rates `lam`, of shape [*shape, *lam.shape]."""
    rate = _real(lam)
    drawn = random_poisson(
        draw_state(seed), rate, shape=_parameter_shape(shape, rate), dtype=float32
    )
    return cast(drawn, dtype=as_dtype(dtype))


@operation
def gamma(
    shape: Any, alpha: Any, beta: Any = None, dtype: Any = "float32", seed: Any = None,
    name: str | None = None,
) -> Any:  # fmt: skip
    """Gamma-distributed numbers of shape parameter `alpha` and rate `beta`."""
    kind = as_dtype(dtype)
    form = convert(alpha, kind)
    rate = convert(1.0 if beta is None else beta, kind)
    full_shape = _parameter_shape(shape, form, rate)
    return random_gamma(draw_state(seed), form, shape=full_shape, dtype=kind) / rate


def _real(value: Any) -> Any:
    tensor = convert(value)
    return tensor if tensor.dtype.is_floating else cast(tensor, dtype=float32)


# with a seed in each call


def stateless_state(seed: Any) -> Any:
    """The state of a seed of two integers: the first is the key, the second the base counter."""
    tensor = convert(seed)
    if tuple(tensor.shape) != (2,):
        raise InvalidArgumentError(
            message("stateless", "seed must have shape [2]", received={"seed": tensor.type})
        )
    wide = reshape(cast(tensor, dtype=int64), shape=(2, 1))
    low, high = cast(wide, dtype=uint32), cast(right_shift(wide, wide.coerce(32)), dtype=uint32)
    return reshape(concat(low, high, axis=1), shape=(4,))


@operation
def stateless_uniform(
    shape: Any, seed: Any, minval: Any = 0, maxval: Any = None, dtype: Any = "float32",
    name: str | None = None, alg: Any = "auto_select",
) -> Any:  # fmt: skip
    """`uniform`, the same numbers for the same seed of two integers."""
    dtype = as_dtype(dtype)
    if dtype.is_integer and maxval is None:
        return distributions.uniform_words(stateless_state(seed), sizes_of(shape), dtype)
    return _uniform(stateless_state(seed), sizes_of(shape), minval, maxval, dtype)


@operation
def stateless_normal(
    shape: Any, seed: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = "float32",
    name: str | None = None, alg: Any = "auto_select",
) -> Any:  # fmt: skip
    """`normal`, the same numbers for the same seed of two integers."""
    drawn = distributions.normal(stateless_state(seed), sizes_of(shape), as_dtype(dtype))
    return _scaled(drawn, mean, stddev)


@operation
def stateless_truncated_normal(
    shape: Any, seed: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = "float32",
    name: str | None = None, alg: Any = "auto_select",
) -> Any:  # fmt: skip
    """`truncated_normal`, the same numbers for the same seed of two integers."""
    state = stateless_state(seed)
    return _scaled(
        distributions.truncated_normal(state, sizes_of(shape), as_dtype(dtype)), mean, stddev
    )


@operation
def stateless_categorical(
    logits: Any, num_samples: int, seed: Any, dtype: Any = "int64", name: str | None = None
) -> Any:
    """`categorical`, the same classes for the same seed of two integers."""
    state = stateless_state(seed)
    return distributions.categorical(state, convert(logits), int(num_samples), as_dtype(dtype))


@operation
def stateless_gamma(
    shape: Any, seed: Any, alpha: Any, beta: Any = None, dtype: Any = "float32",
    name: str | None = None,
) -> Any:  # fmt: skip
    """`gamma`, the same numbers for the same seed; `shape` is that of the result, to which alpha
    and beta broadcast."""
    kind = as_dtype(dtype)
    form, rate = convert(alpha, kind), convert(1.0 if beta is None else beta, kind)
    return random_gamma(stateless_state(seed), form, shape=sizes_of(shape), dtype=kind) / rate


@operation
def stateless_poisson(
    shape: Any, seed: Any, lam: Any, dtype: Any = "int32", name: str | None = None
) -> Any:
    """`poisson`, the same counts for the same seed; `shape` is that of the result, to which lam
    broadcasts."""
    sizes = sizes_of(shape)
    drawn = random_poisson(stateless_state(seed), _real(lam), shape=sizes, dtype=float32)
    return cast(drawn, dtype=as_dtype(dtype))


@operation
def stateless_shuffle(value: Any, seed: Any, alg: Any = "auto_select", name: Any = None) -> Any:
    """`shuffle`, the same order for the same seed of two integers."""
    value = convert(value)
    order = random_permutation(stateless_state(seed), count=value.shape[0], dtype=int32)
    return REGISTRY["gather"](value, order, axis=0, batch_dims=0)


@operation
def stateless_split(seed: Any, num: int = 2, alg: Any = "auto_select") -> Any:
    """[num, 2] new seeds from one."""
    return cast(random_bits(stateless_state(seed), shape=(int(num), 2)), dtype=int32)


@operation
def stateless_fold_in(seed: Any, data: Any, alg: Any = "auto_select") -> Any:
    """A new seed of a seed and an integer."""
    state = folded_state(stateless_state(seed), convert(data))
    words = REGISTRY["slice"](state, starts=(0,), stops=(2,), steps=(1,))
    return cast(words, dtype=int32)


class Generator:
    """A stream of random numbers of its own, whose state is a variable.

    >>> generator = Generator.from_seed(1)
    >>> tuple(generator.normal([2]).shape)
    (2,)
    """

    def __init__(self, state: Any) -> None:
        self._state = Variable(np.asarray(state, np.uint32), trainable=False, name="StateVar")

    @staticmethod
    def from_seed(seed: int, alg: Any = None) -> Generator:
        return Generator(state_of(int(seed)))

    @staticmethod
    def from_non_deterministic_state(alg: Any = None) -> Generator:
        return Generator(state_of(int.from_bytes(os.urandom(8), "little")))

    @staticmethod
    def from_state(state: Any, alg: Any = None) -> Generator:
        return Generator(convert(state).numpy())

    @property
    def state(self) -> Variable:
        return self._state

    @property
    def key(self) -> Any:
        return REGISTRY["slice"](self._state.value(), starts=(0,), stops=(2,), steps=(1,))

    @property
    def algorithm(self) -> int:
        return 1  # Philox

    def reset_from_seed(self, seed: int) -> None:
        self._state.assign(state_of(int(seed)))

    def reset(self, state: Any) -> None:
        self._state.assign(convert(state, uint32))

    def skip(self, delta: int) -> None:
        """Go on as if `delta` draws had been made."""
        self._state.assign(next_state(self._state.value(), int(delta)))

    def _draw(self) -> Any:
        state = self._state.value()
        self._state.assign(next_state(state))
        return state

    def uniform(
        self,
        shape: Any,
        minval: Any = 0,
        maxval: Any = None,
        dtype: Any = "float32",
        name: Any = None,
    ) -> Any:
        return _uniform(self._draw(), sizes_of(shape), minval, maxval, as_dtype(dtype))

    def normal(
        self,
        shape: Any,
        mean: Any = 0.0,
        stddev: Any = 1.0,
        dtype: Any = "float32",
        name: Any = None,
    ) -> Any:
        drawn = distributions.normal(self._draw(), sizes_of(shape), as_dtype(dtype))
        return _scaled(drawn, mean, stddev)

    def truncated_normal(
        self,
        shape: Any,
        mean: Any = 0.0,
        stddev: Any = 1.0,
        dtype: Any = "float32",
        name: Any = None,
    ) -> Any:
        drawn = distributions.truncated_normal(self._draw(), sizes_of(shape), as_dtype(dtype))
        return _scaled(drawn, mean, stddev)

    def uniform_full_int(self, shape: Any, dtype: Any = "uint64", name: Any = None) -> Any:
        return distributions.uniform_words(self._draw(), sizes_of(shape), as_dtype(dtype))

    def make_seeds(self, count: int = 1) -> Any:
        """[2, count] seeds for the stateless functions."""
        return cast(random_bits(self._draw(), shape=(2, int(count))), dtype=int64)

    def split(self, count: int = 1) -> list[Generator]:
        """Generators of independent streams."""
        states = convert(split_states(self._draw(), int(count))).numpy()
        return [Generator(state) for state in states]


_global_generator: list[Generator] = []


def get_global_generator() -> Generator:
    """The generator shared by the program."""
    if not _global_generator:
        _global_generator.append(Generator.from_non_deterministic_state())
    return _global_generator[0]


def set_global_generator(generator: Generator) -> None:
    _global_generator[:] = [generator]


@operation
def dropout(
    x: Any, rate: Any, noise_shape: Sequence[Any] | None = None, seed: Any = None,
    name: str | None = None,
) -> Any:  # fmt: skip
    """Zero with probability `rate`, else x / (1 - rate) (Srivastava et al. 2014).

    Along sizes of 1 in `noise_shape` the same elements are kept.
    """
    x = convert(x)
    return dropped(x, rate, draw_state(seed), noise_shape)


def dropped(x: Any, rate: Any, state: Any, noise_shape: Sequence[Any] | None = None) -> Any:
    """`dropout` by a state that is given."""
    if not x.dtype.is_floating:
        raise ValueError(
            f"x has to be a floating point tensor since it's going to be scaled. Got {x.dtype.name}"
        )
    if isinstance(rate, (int, float)) and not 0 <= rate < 1:
        raise ValueError(f"rate must be a scalar tensor or a float in the range [0, 1). Got {rate}")
    if isinstance(rate, (int, float)) and rate == 0:
        return x
    given = x.shape if noise_shape is None else noise_shape
    sizes = tuple(n if m is None else int(m) for n, m in zip(x.shape, given, strict=True))
    keep = 1.0 - rate
    kept = distributions.bernoulli(state, sizes, keep)
    nothing = full(x.type._replace(shape=()), 0)
    return REGISTRY["select"](kept, x * (1.0 / keep), nothing)
