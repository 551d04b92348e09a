"""Base of initializers: functions of a shape and a dtype."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from slipstream.keras.seeds import make_default_seed, state_of_seed


class Initializer:
    """`initializer(shape, dtype)` gives a tensor. Subclasses override `__call__`, `get_config`."""

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> Any:
        raise NotImplementedError(f"{type(self).__name__} does not override __call__")

    def get_config(self) -> dict[str, Any]:
        """The arguments the initializer can be made again with."""
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        return cls(**config)

    def clone(self) -> Any:
        return type(self).from_config(self.get_config())


class RandomInitializer(Initializer):
    """An initializer that draws: the same numbers at every call of the same object.

    `seed` is an integer, a SeedGenerator, or None for one that `set_random_seed` determines.
    """

    def __init__(self, seed: Any = None) -> None:
        self._given_seed = seed
        self.seed = make_default_seed() if seed is None else seed

    def state(self) -> Any:
        """The random state to draw with: uint32[4]."""
        return state_of_seed(self.seed)

    def get_config(self) -> dict[str, Any]:
        return {"seed": self._given_seed}
