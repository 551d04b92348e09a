"""One seed for everything."""

from __future__ import annotations

import random

import numpy as np

from slipstream.runtime.seeds import GLOBAL


def set_random_seed(seed: int) -> None:
    """Seed Python's, NumPy's and Slipstream's random numbers, so that a program repeats."""
    if not isinstance(seed, int):
        raise ValueError(f"Expected `seed` argument to be an integer. Received: seed={seed}")
    random.seed(seed)
    np.random.seed(seed % 2**32)
    GLOBAL.reset(seed)
