"""`tf.random`: random numbers from seeded streams, generators, or seeds in each call."""

from slipstream.ops.random import (
    Generator,
    categorical,
    gamma,
    get_global_generator,
    normal,
    poisson,
    set_global_generator,
    set_seed,
    shuffle,
    stateless_categorical,
    stateless_gamma,
    stateless_normal,
    stateless_poisson,
    stateless_shuffle,
    stateless_truncated_normal,
    stateless_uniform,
    truncated_normal,
    uniform,
)
from slipstream.ops.random import stateless_fold_in as fold_in
from slipstream.ops.random import stateless_split as split

__all__ = [name for name in dir() if not name.startswith("_")]
