"""`TensorShape`: a tuple of sizes with TensorFlow's questions; an unknown size is None."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any


class TensorShape(tuple[Any, ...]):
    """A shape; sizes are integers, or None where not known before the program runs.

    >>> TensorShape([2, None]).as_list()
    [2, None]
    """

    __slots__ = ()

    def __new__(cls, dims: Iterable[Any] | None = ()) -> TensorShape:
        if dims is None or isinstance(dims, UnknownShape):
            return super().__new__(UnknownShape)
        return super().__new__(cls, (None if d is None else int(d) for d in dims))

    @property
    def rank(self) -> int | None:
        return len(self)

    ndims = rank

    @property
    def dims(self) -> list[Any]:
        return list(self)

    def as_list(self) -> list[Any]:
        return list(self)

    def num_elements(self) -> int | None:
        """How many elements, or None if a size is unknown."""
        return None if None in self else math.prod(self)

    def is_fully_defined(self) -> bool:
        return None not in self

    def is_compatible_with(self, other: Iterable[Any]) -> bool:
        """Whether one array could have both shapes."""
        other = tuple(other)
        return len(self) == len(other) and all(
            a is None or b is None or a == b for a, b in zip(self, other, strict=True)
        )

    def assert_is_compatible_with(self, other: Iterable[Any]) -> None:
        if not self.is_compatible_with(other):
            raise ValueError(f"Shapes {self} and {tuple(other)} are incompatible")

    def concatenate(self, other: Iterable[Any]) -> TensorShape:
        return TensorShape((*self, *other))

    def with_rank(self, rank: int) -> TensorShape:
        if len(self) != rank:
            raise ValueError(f"Shape {self} must have rank {rank}")
        return self

    def __getitem__(self, key: Any) -> Any:
        picked = super().__getitem__(key)
        return TensorShape(picked) if isinstance(key, slice) else picked

    def __add__(self, other: Iterable[Any]) -> TensorShape:  # type: ignore[override]
        return TensorShape((*self, *other))

    def __eq__(self, other: object) -> bool:
        return tuple(self) == tuple(other) if isinstance(other, (tuple, list)) else False

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return super().__hash__()

    def __str__(self) -> str:
        return "(" + ", ".join(map(str, self)) + ("," if len(self) == 1 else "") + ")"

    def __repr__(self) -> str:
        return f"TensorShape({list(self)})"


class UnknownShape(TensorShape):
    """`TensorShape(None)`: not even the rank is known. Only graphs of TensorFlow 1 have such."""

    __slots__ = ()

    @property
    def rank(self) -> None:
        return None

    ndims = rank

    @property
    def dims(self) -> Any:
        return None

    def as_list(self) -> list[Any]:
        raise ValueError("as_list() is not defined on an unknown TensorShape.")

    def num_elements(self) -> None:
        return None

    def is_fully_defined(self) -> bool:
        return False

    def is_compatible_with(self, other: Iterable[Any]) -> bool:
        return True

    def concatenate(self, other: Iterable[Any]) -> TensorShape:
        return TensorShape(None)

    def with_rank(self, rank: int) -> TensorShape:
        return TensorShape([None] * rank)

    def __len__(self) -> int:
        raise ValueError("Cannot take the length of shape with unknown rank.")

    def __str__(self) -> str:
        return "<unknown>"

    def __repr__(self) -> str:
        return "TensorShape(None)"
