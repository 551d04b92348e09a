"""Seeds of layers and initializers.

An initializer is a pure function of its seed. A layer that draws at each step keeps its place in a
variable, uint32[2]: the seed and how often was drawn. Both files and programs carry that variable
like any other.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from slipstream.keras.context import name_scope
from slipstream.keras.naming import auto_name
from slipstream.keras.variables import KerasVariable
from slipstream.primitives.base import REGISTRY
from slipstream.primitives.random import state_of
from slipstream.runtime.convert import convert
from slipstream.runtime.seeds import scope


def make_default_seed() -> int:
    """A seed for what is given none: by its place in the program after `set_random_seed`."""
    return scope().pipeline_key(None) & 0x7FFFFFFF


def state_of_seed(seed: Any) -> Any:
    """The state uint32[4] that a seed stands for: an integer, or a SeedGenerator's next draw."""
    if isinstance(seed, SeedGenerator):
        return seed.draw()
    return convert(state_of(int(seed)))


class SeedGenerator:
    """The random stream of one layer: `draw()` is a state that is used once.

    >>> SeedGenerator(7).state.numpy().tolist()
    [7, 0]
    """

    def __init__(self, seed: int | None = None, name: str | None = None, **_: Any) -> None:
        if seed is not None and not isinstance(seed, (int, np.integer)):
            raise ValueError(f"Argument `seed` must be an integer. Received: seed={seed}")
        if seed is not None and seed < 0:
            raise ValueError(f"`seed` should be non-negative. Received: seed={seed}")
        self.seed = make_default_seed() if seed is None else int(seed)
        self.name = name or auto_name("seed_generator")
        with name_scope(self.name):
            self.state = KerasVariable(
                np.array([self.seed & 0xFFFFFFFF, 0], np.uint32),
                dtype="uint32",
                trainable=False,
                name="seed_generator_state",
            )

    def draw(self) -> Any:
        """A random state uint32[4]; the next one is another."""
        state = self.state.value()
        nothing = convert(np.zeros(1, np.uint32))
        one = convert(np.array([0, 1], np.uint32))
        self.state.assign(REGISTRY["add"](state, one))
        seed = REGISTRY["slice"](state, starts=(0,), stops=(1,), steps=(1,))
        count = REGISTRY["slice"](state, starts=(1,), stops=(2,), steps=(1,))
        return REGISTRY["concat"](seed, nothing, count, nothing, axis=0)

    next = draw

    def get_config(self) -> dict[str, Any]:
        return {"seed": self.seed}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> SeedGenerator:
        return cls(**config)
