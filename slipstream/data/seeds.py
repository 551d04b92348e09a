"""Random generators of pipelines: by the seeds that the program sets, else different each time."""

from __future__ import annotations

import numpy as np

from slipstream.runtime.seeds import GLOBAL


def generator(seed: int | None) -> np.random.Generator:
    """A generator that is the same for the same global seed, own seed and place in the program."""
    return np.random.Generator(np.random.Philox(key=GLOBAL.pipeline_key(seed)))
