"""What is drawn from labelled pictures: pairs, episodes, class-balanced batches. Only row numbers.

Everything here works on labels alone and returns indexes into them, so that it serves pictures and
embeddings alike; every draw follows from its generator.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from slipstream.errors import InvalidArgumentError, message


@dataclass(frozen=True)
class Pairs:
    """Pairs of rows: `first` and `second` int64 `[n]`, `equal` bool `[n]`: of the same class."""

    first: np.ndarray
    second: np.ndarray
    equal: np.ndarray

    def __len__(self) -> int:
        return len(self.first)


@dataclass(frozen=True)
class Episode:
    """An N-way K-shot task.

    `support` int64 `[ways, shots]` and `queries` int64 `[ways, queries]` are rows, none in both;
    `classes` int64 `[ways]` the labels they have.
    """

    support: np.ndarray
    queries: np.ndarray
    classes: np.ndarray


class ClassRows:
    """The rows of each class, ready to draw from.

    `labels` is an integer array `[n]`; classes are the labels that occur, in ascending order.
    Raises `InvalidArgumentError` with fewer than two classes: there is nothing to compare.
    """

    def __init__(self, labels: np.ndarray) -> None:
        self.labels = np.asarray(labels)
        self.order = np.argsort(self.labels, kind="stable")
        self.place = np.empty_like(self.order)
        self.place[self.order] = np.arange(len(self.order))
        self.classes, self.starts, self.counts = np.unique(
            self.labels[self.order], return_index=True, return_counts=True
        )
        if len(self.classes) < 2:
            self.refuse("pictures of a single class", "two classes or more", len(self.classes))

    def rows(self, position: int) -> np.ndarray:
        """The rows of the class at a position of `classes`."""
        start = self.starts[position]
        return self.order[start : start + self.counts[position]]

    def draw(self, positions: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """One row of each class position, with replacement."""
        offsets = (random.random(positions.shape) * self.counts[positions]).astype(np.int64)
        drawn: np.ndarray = self.order[self.starts[positions] + offsets]
        return drawn

    def require(self, least: int, purpose: str) -> None:
        """Raises unless every class has at least so many pictures."""
        smallest = int(np.argmin(self.counts))
        if self.counts[smallest] < least:
            happened = f"class {self.classes[smallest]} has too few pictures for {purpose}"
            self.refuse(happened, f"at least {least} a class", int(self.counts[smallest]))

    def refuse(self, happened: str, expected: str, received: int) -> None:
        """Raises the error of labels that cannot be drawn from."""
        text = message("episodes", happened, expected=expected, received={"count": received})
        raise InvalidArgumentError(text)


def draw_pairs(labels: np.ndarray, count: int, seed: int = 0) -> Pairs:
    """`count` pairs, alternately equal and unequal, each class equally often first.

    An equal pair never holds the same row twice. Raises `InvalidArgumentError` with one class, or
    with a class that has a single picture.

    >>> pairs = draw_pairs(np.array([0, 0, 1, 1, 2, 2]), 6, seed=1)
    >>> pairs.equal.tolist(), len(pairs)
    ([True, False, True, False, True, False], 6)
    """
    return draw_pairs_from(ClassRows(labels), count, np.random.default_rng(seed))


def draw_pairs_from(classes: ClassRows, count: int, random: np.random.Generator) -> Pairs:
    """`draw_pairs` from prepared classes and a generator that goes on: for batches in training."""
    classes.require(2, "equal pairs")
    equal = np.arange(count) % 2 == 0
    ways = len(classes.classes)
    # Equal and unequal pairs each run through all the classes before one comes again.
    one = balanced(ways, (count + 1) // 2, random).repeat(2)[:count]
    other = (one + random.integers(1, ways, count)) % ways
    first = classes.draw(one, random)
    second = np.where(equal, another(classes, one, first, random), classes.draw(other, random))
    return Pairs(first, second, equal)


def balanced(ways: int, count: int, random: np.random.Generator) -> np.ndarray:
    """`count` positions below `ways`: each occurs equally often, up to one, in random order."""
    rounds = -(-count // ways)
    return random.permuted(np.tile(np.arange(ways), (rounds, 1)), axis=1).reshape(-1)[:count]


def another(
    classes: ClassRows, positions: np.ndarray, rows: np.ndarray, random: np.random.Generator
) -> np.ndarray:
    """A row of the same class that is not the given one."""
    counts, starts = classes.counts[positions], classes.starts[positions]
    step = 1 + (random.random(len(rows)) * (counts - 1)).astype(np.int64)
    drawn: np.ndarray = classes.order[starts + (classes.place[rows] - starts + step) % counts]
    return drawn


def draw_episode(
    classes: ClassRows, ways: int, shots: int, queries: int, random: np.random.Generator
) -> Episode:
    """`ways` random classes, of each `shots` known pictures and `queries` others to be found.

    Raises `InvalidArgumentError` when there are fewer classes, or too few pictures in one.
    """
    if ways > len(classes.classes):
        classes.refuse(f"{ways} ways asked for", f"at most {len(classes.classes)} ways", ways)
    classes.require(shots + queries, f"{shots} shots and {queries} queries")
    positions = random.choice(len(classes.classes), ways, replace=False)
    size = shots + queries
    rows = np.stack([random.choice(classes.rows(p), size, replace=False) for p in positions])
    return Episode(rows[:, :shots], rows[:, shots:], classes.classes[positions])


def episodes(
    labels: np.ndarray, ways: int, shots: int, queries: int, seed: int = 0
) -> Iterator[Episode]:
    """Episodes without end, from a seed."""
    classes, random = ClassRows(labels), np.random.default_rng(seed)
    while True:
        yield draw_episode(classes, ways, shots, queries, random)


def draw_class_batch(
    classes: ClassRows, ways: int, each: int, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """`each` pictures of `ways` random classes, for losses within a batch.

    Returns rows int64 `[ways * each]`, class by class, and which of the drawn classes each belongs
    to, int64 `[ways * each]`. Classes with fewer pictures repeat some.
    """
    ways = min(ways, len(classes.classes))
    positions = random.choice(len(classes.classes), ways, replace=False)
    rows = [
        random.choice(classes.rows(position), each, replace=classes.counts[position] < each)
        for position in positions
    ]
    return np.concatenate(rows), np.arange(ways).repeat(each)


def draw_known(
    classes: ClassRows, random: np.random.Generator, positions: np.ndarray | None = None
) -> np.ndarray:
    """One known example of each class (or of those at `positions`): rows int64 `[ways]`."""
    every = np.arange(len(classes.classes))
    return classes.draw(every if positions is None else positions, random)
