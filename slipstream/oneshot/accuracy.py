"""N-way one-shot accuracy over many draws of the one known example, and what is confused.

In a draw, some classes show one example each (or `shots`); every other picture of these classes is
then given the class of the nearest example. One draw says little: which example is shown matters
much, so the mean over many draws is reported with its 95 % confidence interval.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from slipstream.errors import InvalidArgumentError, message
from slipstream.oneshot.distances import all_distances, prepare
from slipstream.oneshot.episodes import ClassRows

Z95 = 1.959964
RESAMPLES = 2000


@dataclass(frozen=True)
class Interval:
    """A mean with its 95 % confidence interval over draws.

    `low` and `high` by the normal approximation, `bootstrap_low` and `bootstrap_high` by
    resampling the draws; `draw_low` and `draw_high` are where 95 % of single draws lie.
    """

    mean: float
    low: float
    high: float
    bootstrap_low: float
    bootstrap_high: float
    draw_low: float
    draw_high: float

    def __str__(self) -> str:
        return f"{self.mean:.3f} [{self.low:.3f}, {self.high:.3f}]"


@dataclass(frozen=True)
class OneShotResult:
    """What `one_shot` measured.

    `draws` float64 `[draws]`: the accuracy of each; `confusion` int64 `[classes, classes]`: how
    often a picture of a class (row) was given a class (column), over all draws; `classes` the
    labels they stand for; `chance` is the accuracy of guessing.
    """

    interval: Interval
    draws: np.ndarray
    confusion: np.ndarray
    classes: np.ndarray
    ways: int
    shots: int

    @property
    def chance(self) -> float:
        return 1 / self.ways


@dataclass(frozen=True)
class Trials:
    """How one-shot accuracy is measured.

    `ways`: how many classes take part in a draw (None: all of them); `queries`: at most so many
    pictures a class are asked (None: all); `shots`: known examples a class, whose mean is used.
    """

    ways: int | None = None
    shots: int = 1
    draws: int = 200
    queries: int | None = None
    seed: int = 0
    metric: str = "euclidean"


STANDARD = Trials()


def one_shot(
    embeddings: np.ndarray,
    labels: np.ndarray,
    trials: Trials = STANDARD,
    groups: np.ndarray | None = None,
) -> OneShotResult:
    """N-way one-shot accuracy of embeddings, `[n, size]`, of pictures with `labels`, int `[n]`.

    With `groups`, int `[classes]` by label, the classes of a draw all come from one group (an
    alphabet), drawn anew each time among those with enough classes.

    Raises `InvalidArgumentError` when there are too few classes or pictures, or the embeddings are
    not finite.

    >>> far = np.repeat(np.eye(3), 4, axis=0)
    >>> result = one_shot(far, np.repeat([0, 1, 2], 4), Trials(draws=10))
    >>> result.interval.mean, result.ways
    (1.0, 3)
    """
    vectors, classes = prepare(embeddings, trials.metric), ClassRows(labels)
    classes.require(trials.shots + 1, f"{trials.shots} known and one to be found")
    random = np.random.default_rng(trials.seed)
    pools = class_pools(classes, trials.ways, groups)
    ways = trials.ways or min(len(pool) for pool in pools)
    total = len(classes.classes)
    confusion, accuracies = np.zeros((total, total), np.int64), np.empty(trials.draws)
    for draw in range(trials.draws):
        pool = pools[random.integers(len(pools))]
        chosen = random.choice(pool, ways, replace=False) if ways < len(pool) else pool
        counts = one_draw(vectors, classes, chosen, trials, random)
        confusion[np.ix_(chosen, chosen)] += counts
        accuracies[draw] = np.trace(counts) / counts.sum()
    interval = interval_of(accuracies, trials.seed)
    return OneShotResult(interval, accuracies, confusion, classes.classes, ways, trials.shots)


def class_pools(
    classes: ClassRows, ways: int | None, groups: np.ndarray | None
) -> list[np.ndarray]:
    """The sets of class positions that draws are made from."""
    every = np.arange(len(classes.classes))
    pools = [every]
    if groups is not None:
        group_of = np.asarray(groups)[classes.classes]
        pools = [every[group_of == group] for group in np.unique(group_of)]
    pools = [pool for pool in pools if len(pool) >= (ways or 2)]
    if not pools:
        where = "" if groups is None else " in any group"
        received = {"classes": len(every), "ways": ways}
        happened = f"too few classes{where}"
        expected = f"at least {ways or 2} to choose from"
        text = message("one_shot", happened, expected=expected, received=received)
        raise InvalidArgumentError(text)
    return pools


def one_draw(
    vectors: np.ndarray,
    classes: ClassRows,
    chosen: np.ndarray,
    trials: Trials,
    random: np.random.Generator,
) -> np.ndarray:
    """How often each chosen class was taken for each, int64 `[ways, ways]`, in one draw."""
    known, asked, truth = [], [], []
    for way, position in enumerate(chosen):
        rows = classes.rows(position)
        picks = random.choice(len(rows), trials.shots, replace=False)
        rest = np.delete(rows, picks)
        if trials.queries is not None and trials.queries < len(rest):
            rest = random.choice(rest, trials.queries, replace=False)
        known.append(vectors[rows[picks]].mean(0))
        asked.append(rest)
        truth.append(np.full(len(rest), way))
    answers = nearest(vectors[np.concatenate(asked)], np.stack(known))
    ways = len(chosen)
    cells = np.bincount(np.concatenate(truth) * ways + answers, minlength=ways * ways)
    return cells.reshape(ways, ways)


def nearest(queries: np.ndarray, known: np.ndarray) -> np.ndarray:
    """The position of the nearest known vector for each query; a query's own length is no help."""
    scores = queries @ known.T
    scores *= -2
    scores += (known * known).sum(1)
    return np.asarray(scores.argmin(1))


def interval_of(values: np.ndarray, seed: int = 0) -> Interval:
    """The mean of draws, float `[draws]`, with its 95 % confidence intervals."""
    values = np.asarray(values, np.float64)
    mean = float(values.mean())
    error = float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else 0.0
    picks = np.random.default_rng(seed).integers(0, len(values), (RESAMPLES, len(values)))
    low, high = np.percentile(values[picks].mean(1), [2.5, 97.5])
    draw_low, draw_high = np.percentile(values, [2.5, 97.5])
    reach = Z95 * error
    bounds = (mean - reach, mean + reach, low, high, draw_low, draw_high)
    return Interval(mean, *(float(bound) for bound in bounds))


def compare(first: OneShotResult, second: OneShotResult, seed: int = 0) -> Interval:
    """How much better the first is, draw by draw.

    Both must come from the same labels and trials, so that draw for draw the same examples are
    known: the difference is then far better known than either accuracy.
    """
    return interval_of(first.draws - second.draws, seed)


@dataclass(frozen=True)
class Match:
    """One picture identified: rows of the picture, of the example it was given to, and of the
    example of its own class, with the distances from both."""

    query: int
    answer: int
    truth: int
    distance: float
    true_distance: float

    @property
    def right(self) -> bool:
        return self.answer == self.truth


def nearest_and_worst(
    embeddings: np.ndarray,
    labels: np.ndarray,
    count: int = 8,
    seed: int = 0,
    metric: str = "euclidean",
) -> tuple[list[Match], list[Match]]:
    """From one draw: right answers with the smallest distances, and the most mistaken ones.

    Mistakes are ranked by how much nearer the wrong example was than the right one. The first of
    each class come before the second of any, so that all classes are seen.
    """
    classes = ClassRows(labels)
    known = classes.draw(np.arange(len(classes.classes)), np.random.default_rng(seed))
    rows = np.setdiff1d(np.arange(len(classes.labels)), known)
    distances = all_distances(embeddings[rows], embeddings[known], metric)
    truth = np.searchsorted(classes.classes, classes.labels[rows])
    answers, every = distances.argmin(1), np.arange(len(rows))
    found, true_distances = distances[every, answers], distances[every, truth]
    right = answers == truth

    def matches(order: np.ndarray) -> list[Match]:
        return [
            Match(
                int(rows[i]),
                int(known[answers[i]]),
                int(known[truth[i]]),
                float(found[i]),
                float(true_distances[i]),
            )
            for i in order[:count]
        ]

    best = spread(np.flatnonzero(right), found, truth)
    worst = spread(np.flatnonzero(~right), found - true_distances, truth)
    return matches(best), matches(worst)


def spread(rows: np.ndarray, values: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Rows in the order of their values, the first of every class before the second of any."""
    ordered = rows[np.argsort(values[rows], kind="stable")]
    rank = np.zeros(len(ordered), np.int64)
    for label in np.unique(classes[ordered]):
        same = classes[ordered] == label
        rank[same] = np.arange(same.sum())
    return ordered[np.argsort(rank, kind="stable")]
