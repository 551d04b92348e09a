"""The report: one HTML page with everything inside, from arrays and numbers.

`write_report(ReportData(...), path)` is all. A part whose data is not given is left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

import numpy as np

from slipstream.files import write_text
from slipstream.oneshot import figures
from slipstream.oneshot.accuracy import Interval
from slipstream.oneshot.measure import score_pairs
from slipstream.oneshot.page import (
    definitions,
    figure,
    image,
    interval_bar,
    page,
    section,
    table,
)

MOST_CONFUSION_CLASSES = 20


@dataclass(frozen=True)
class PairDistances:
    """Distances of pairs, float `[n]` each, and the threshold calibrated on others."""

    equal: np.ndarray
    unequal: np.ndarray
    threshold: float


@dataclass(frozen=True)
class Comparison:
    """One-shot accuracy of several methods on one task, best described first.

    `rows` holds (method, accuracy); `chance` the accuracy of guessing; `task` and `text` say what
    was measured.
    """

    task: str
    rows: Sequence[tuple[str, Interval]]
    chance: float
    text: str = ""


@dataclass(frozen=True)
class EmbeddingMap:
    """`places` float `[n, 2]`, `labels` int `[n]` into `names`; `new` bool `[classes]`: classes
    that were not trained; `method` made the map."""

    places: np.ndarray
    labels: np.ndarray
    names: Sequence[str]
    new: np.ndarray
    method: str


@dataclass(frozen=True)
class Confusion:
    """`counts` int `[classes, classes]`: how often a class (row) was taken for a class (column)."""

    counts: np.ndarray
    names: Sequence[str]


@dataclass(frozen=True)
class Example:
    """A picture `[28, 28]` beside the one it was compared with, and their names and distance."""

    picture: np.ndarray
    name: str
    other: np.ndarray
    other_name: str
    distance: float


@dataclass(frozen=True)
class Sweep:
    """Runs with different hyper-parameters: `settings` name to one value a run, `scores`."""

    settings: Mapping[str, Sequence[object]]
    scores: Sequence[float]
    score_name: str = "one-shot accuracy"


@dataclass(frozen=True)
class ReportData:
    """Everything the page shows.

    `numbers` are the few results to see first, `facts` how they came about (data, seed, network,
    time), both name to text; `history` measure to one value an epoch, as Keras keeps it; `pairs`
    are held-out pairs of trained classes, `nearest_pairs` those of `strangers` of new ones.
    """

    title: str
    summary: str
    numbers: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)
    comparisons: Sequence[Comparison] = ()
    history: Mapping[str, Sequence[float]] = field(default_factory=dict)
    pairs: PairDistances | None = None
    nearest_pairs: PairDistances | None = None
    map: EmbeddingMap | None = None
    confusion: Confusion | None = None
    nearest: Sequence[Example] = ()
    worst: Sequence[Example] = ()
    sweep: Sweep | None = None


def write_report(data: ReportData, path: Path | str) -> Path:
    """Writes the page, whole or not at all; returns its path.

    Raises `UnavailableError` when matplotlib is not installed, `ResourceExhaustedError` on a full
    disk.
    """
    write_text(path, render(data), "write report")
    return Path(path)


def render(data: ReportData) -> str:
    """The page as HTML text."""
    parts = [
        ("results", "Results", comparison_part(data)),
        ("training", "Training", training_part(data)),
        ("pairs", "Pairs and threshold", pairs_part(data)),
        ("map", "Map", map_part(data)),
        ("confusion", "Confusion", confusion_part(data)),
        ("examples", "Examples", examples_part(data)),
        ("sweep", "Hyper-parameters", sweep_part(data)),
        ("setup", "Setup", facts_part(data)),
    ]
    present = [part for part in parts if part[2]]
    links = "".join(f'<a href="#{name}">{title}</a>' for name, title, _ in present)
    head = (
        f'<header>\n<h1>{escape(data.title)}</h1>\n<p class="lead">{escape(data.summary)}</p>\n'
        f"{definitions('numbers', list(data.numbers.items()))}\n"
        f'<nav aria-label="Parts of this report">{links}</nav>\n</header>'
    )
    foot = (
        "<footer>Made by slipstream. This page holds all its pictures; nothing is loaded.</footer>"
    )
    return page(data.title, "\n".join([head, *(text for _, _, text in present), foot]))


def comparison_part(data: ReportData) -> str:
    """Accuracy on each task, beside the baselines."""
    if not data.comparisons:
        return ""
    text = (
        "One example of each new class is shown, nothing is trained; every other picture is given "
        "the class of the nearest example. Means over many draws of that example, with 95 % "
        "confidence intervals; the dashed tick is guessing."
    )
    return section("results", "Results", text, *map(comparison_table, data.comparisons))


def comparison_table(comparison: Comparison) -> str:
    """One task's methods, with their intervals drawn."""
    best = max(interval.mean for _, interval in comparison.rows)
    rows = "".join(
        f"<tr{' class=best' if interval.mean == best else ''}>"
        f'<th scope="row">{escape(method)}</th><td class="number">{interval.mean:.3f}</td>'
        f'<td class="number">{interval.low:.3f} – {interval.high:.3f}</td><td class="interval">'
        f"{interval_bar(interval.mean, interval.low, interval.high, comparison.chance, method)}"
        "</td></tr>"
        for method, interval in comparison.rows
    )
    head = (
        '<thead><tr><th scope="col">method</th><th scope="col" class="number">accuracy</th>'
        '<th scope="col" class="number">95 % interval</th>'
        '<th scope="col" class="interval">0 to 1</th></tr></thead>'
    )
    note = f"<p>{escape(comparison.text)}</p>" if comparison.text else ""
    return (
        f"<h3>{escape(comparison.task)}</h3>{note}"
        f'<div class="scroll"><table class="wide">{head}<tbody>{rows}</tbody></table></div>'
    )


def training_part(data: ReportData) -> str:
    """Loss and accuracy over the epochs."""
    if not any(len(values) for values in data.history.values()):
        return ""
    drawing = figures.curves(data.history)
    text = (
        "How loss and accuracy went from epoch to epoch, on the trained and on held-out pictures."
    )
    return section("training", "Training", text, figure(drawing, "Dashed: held out."))


def pairs_part(data: ReportData) -> str:
    """Histogram and ROC of held-out pairs."""
    if data.pairs is None:
        return ""
    pairs = data.pairs
    distances = np.concatenate([pairs.equal, pairs.unequal])
    equal = np.arange(len(distances)) < len(pairs.equal)
    scores = score_pairs(distances, equal, pairs.threshold)
    text = (
        f"A pair nearer than {pairs.threshold:.3g} is taken for the same class. "
        f"On {len(distances):,} held-out pairs that is right {scores.accuracy:.1%} of the time: "
        f"{scores.false_accepts:.1%} of unequal pairs are accepted, "
        f"{scores.false_rejects:.1%} of equal ones refused."
    )
    drawings = (
        figure(figures.histogram(*astuple(pairs)), "Distances of equal and unequal pairs."),
        figure(figures.roc_figure(*astuple(pairs)), "ROC curve over all thresholds."),
    )
    beside = f'<div class="beside">{"".join(drawings)}</div>'
    return section("pairs", "Pairs and threshold", text, beside + unknown_part(data))


def unknown_part(data: ReportData) -> str:
    """Where `identify` says that a picture is of no enrolled class, and what that does."""
    if data.nearest_pairs is None:
        return ""
    own, others, beyond = astuple(data.nearest_pairs)
    text = (
        f"Identifying, a picture farther than {beyond:.3g} from every known example is called "
        f"unknown. Of pictures of new classes {(own > beyond).mean():.1%} are that far from the "
        f"example of their own class, and {(others > beyond).mean():.1%} from the examples of all "
        "others: these would be unknown if their own class were not enrolled."
    )
    drawing = figures.histogram(own, others, beyond, "nearest-pairs")
    caption = "New classes: distances from the example of the own class, and the nearest of others."
    beside = f'<div class="beside">{figure(drawing, caption)}</div>'
    return f"<h3>Known or unknown</h3><p>{text}</p>{beside}"


def astuple(pairs: PairDistances) -> tuple[np.ndarray, np.ndarray, float]:
    """The three fields, in order."""
    return pairs.equal, pairs.unequal, pairs.threshold


def map_part(data: ReportData) -> str:
    """The two-dimensional map."""
    if data.map is None:
        return ""
    shown = data.map
    drawing = figures.embedding_map(
        shown.places, shown.labels, shown.names, np.asarray(shown.new, bool)
    )
    text = (
        "Every dot is a picture; near dots are alike to the network. Trained classes are grey, "
        "classes it never saw are coloured: the better they keep together, the better one example "
        "is enough."
    )
    return section("map", "Map of the embeddings", text, figure(drawing, f"By {shown.method}."))


def confusion_part(data: ReportData) -> str:
    """What the new classes are taken for, as shares of each row."""
    if data.confusion is None:
        return ""
    counts, names = np.asarray(data.confusion.counts), data.confusion.names
    totals = counts.sum(1)
    right = np.diag(counts) / np.maximum(totals, 1)
    chosen = np.arange(len(names))
    text = "Each row: pictures of one new class, and the share in % that was taken for each class."
    if len(names) > MOST_CONFUSION_CLASSES:
        chosen = np.sort(np.argsort(right, kind="stable")[:MOST_CONFUSION_CLASSES])
        text += f" Of {len(names)} classes, the {len(chosen)} hardest."
    shares = counts[np.ix_(chosen, chosen)] / np.maximum(totals[chosen], 1)[:, None]
    grid = confusion_table(shares, [names[index] for index in chosen.tolist()])
    return section("confusion", "Confusion of the new classes", text, grid)


def confusion_table(shares: np.ndarray, names: Sequence[str]) -> str:
    """A table whose cells are the darker the larger their share."""
    heads = "".join(f'<th scope="col">{escape(name)}</th>' for name in names)
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th>{"".join(map(confusion_cell, row))}</tr>'
        for name, row in zip(names, shares, strict=True)
    )
    corner = '<td aria-hidden="true"></td>'
    return (
        f'<div class="scroll"><table class="confusion"><thead><tr>{corner}{heads}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def confusion_cell(share: float) -> str:
    """One share, in percent; nothing for less than half a percent."""
    strong = ' class="strong"' if share > 0.55 else ""
    text = f"{100 * share:.0f}" if share >= 0.005 else ""
    return f'<td{strong} style="background: rgb(var(--accent) / {share:.3f})">{text}</td>'


def examples_part(data: ReportData) -> str:
    """Pictures with the example they were given to: the surest and the most mistaken."""
    lists = [
        ("Nearest", "Recognised with the smallest distance.", data.nearest),
        (
            "Worst",
            "Most mistaken: the wrong example was much nearer than the right one.",
            data.worst,
        ),
    ]
    parts = [
        f"<h3>{title}</h3><p>{text}</p>"
        f'<ul class="examples">{"".join(map(example_item, examples))}</ul>'
        for title, text, examples in lists
        if examples
    ]
    text = "Left the picture, right the one known example it was given to."
    return section("examples", "Nearest and worst examples", text, *parts) if parts else ""


def example_item(example: Example) -> str:
    """Two pictures side by side and what they were taken for."""
    left = image(example.picture, f"picture of {example.name}")
    right = image(example.other, f"known example of {example.other_name}")
    same = example.name == example.other_name
    verdict = example.name if same else f"{example.name} taken for {example.other_name}"
    return (
        f'<li><div class="pair">{left}{right}</div>{escape(verdict)}<br>'
        f"<small>distance {example.distance:.3g}</small></li>"
    )


def sweep_part(data: ReportData) -> str:
    """The runs of a sweep, as a plot and a table, best first."""
    if data.sweep is None or not len(data.sweep.scores):
        return ""
    sweep, scores = data.sweep, np.asarray(data.sweep.scores, float)
    order = np.argsort(-scores, kind="stable")
    names = figures.varied_settings(sweep.settings)
    heads = ["run", *map(figures.readable, names), sweep.score_name]
    rows = [
        [
            str(run + 1),
            *(str(sweep.settings[name][run]) for name in names),
            f"{scores[run]:.3f}",
        ]
        for run in order
    ]
    plot = []
    if names:
        drawing = figures.sweep_figure(sweep.settings, scores, sweep.score_name)
        plot = [figure(drawing, "Every dot a run; the line joins the means.")]
    text = f"{len(scores)} runs; the best in bold."
    grid = table("Runs, best first", heads, rows, best=0)
    return section("sweep", "Hyper-parameters", text, *plot, grid)


def facts_part(data: ReportData) -> str:
    """How the results came about."""
    if not data.facts:
        return ""
    text = "What was run, so that it can be run again."
    return section("setup", "Setup", text, definitions("facts", list(data.facts.items())))
