"""The report's figures: matplotlib drawings as SVG text that takes its colours from the page.

Every colour drawn here is a placeholder that becomes a CSS variable, so that one drawing serves
light and dark pages. The series colours are those of Okabe and Ito, told apart by people with any
colour vision; line styles and direct labels carry the same meaning without colour.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from slipstream.oneshot.extras import require_extra
from slipstream.oneshot.measure import roc

INK, RULE, PAPER, MUTED = "#010203", "#020304", "#030405", "#040506"
SERIES = tuple(f"#a1b2c{number}" for number in range(7))
VARIABLES = {INK: "ink", RULE: "rule", PAPER: "paper", MUTED: "muted"} | {
    colour: f"series-{number}" for number, colour in enumerate(SERIES)
}
LEARNING_RATES = {"lr", "learning_rate"}  # Keras's callbacks put them into the history
MARKERS = "osD^vPX*"
MOST_NAMED = 24  # classes named in a map; with more, names would cover it
POINTS = 1500  # a map shows at most so many of each kind
STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "slipstream",
    "font.size": 9.5,
    "font.family": "DejaVu Sans",
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": RULE,
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "xtick.color": RULE,
    "ytick.color": RULE,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "lines.linewidth": 1.8,
}


def draw(
    name: str,
    description: str,
    paint: Callable[[Any], None],
    size: tuple[float, float] = (7.4, 2.9),
) -> str:
    """An SVG element: `paint` gets an empty matplotlib figure; `description` is read aloud."""
    matplotlib = require_extra("matplotlib")
    figure_module = require_extra("matplotlib.figure")
    with matplotlib.rc_context(STYLE):
        figure = figure_module.Figure(figsize=size, layout="constrained")
        paint(figure)
        stream = io.StringIO()
        metadata = {"Date": None, "Creator": None, "Format": None, "Type": None}
        figure.savefig(stream, format="svg", transparent=True, metadata=metadata)
    return embed(stream.getvalue(), name, description)


def embed(svg: str, name: str, description: str) -> str:
    """SVG text to stand inside a page: colours as variables, ids of its own, a spoken label."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r'(id="|href="#|url\(#)', rf"\g<1>{name}-", svg)
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    # The page's own letters; matplotlib writes the font in one property or in several.
    svg = re.sub(r"font: [^;\"]*?([\d.]+px)[^;\"]*", r"font-size: \1", svg)
    svg = re.sub(r"font-family: [^;\"]*;? ?", "", svg)
    for colour, variable in VARIABLES.items():
        svg = svg.replace(colour, f"var(--{variable})")
    svg = re.sub(r'(<svg [^>]*?)height="[\d.]+pt"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg [^>]*?)width="[\d.]+pt"', r"\1", svg, count=1)
    return svg.replace("<svg ", f'<svg role="img" aria-label="{escape(description)}" ', 1)


def curves(history: Mapping[str, Sequence[float]]) -> str:
    """Loss and the other measures over epochs; `val_` curves dashed in the same colour."""
    losses = {name: values for name, values in history.items() if "loss" in name}
    beside = losses.keys() | LEARNING_RATES
    others = {name: values for name, values in history.items() if name not in beside}
    panels = [(title, part) for title, part in (("Loss", losses), ("Accuracy", others)) if part]

    def paint(figure: Any) -> None:
        axes = figure.subplots(1, len(panels), squeeze=False)[0]
        for axis, (title, part) in zip(axes, panels, strict=True):
            paint_curves(axis, title, part)

    shown = {**losses, **others}
    ends = ", ".join(f"{name} {values[-1]:.3f}" for name, values in shown.items() if len(values))
    return draw("curves", f"Curves over the epochs; at the end {ends}.", paint)


def paint_curves(axis: Any, title: str, part: Mapping[str, Sequence[float]]) -> None:
    """One panel of curves."""
    bases = list(dict.fromkeys(name.removeprefix("val_") for name in part))
    for name, values in part.items():
        held_out = name.startswith("val_")
        colour = SERIES[bases.index(name.removeprefix("val_")) % len(SERIES)]
        label = readable(name.removeprefix("val_")) + (", held out" if held_out else "")
        epochs = np.arange(1, len(values) + 1)
        marker = "o" if len(values) == 1 else None
        axis.plot(
            epochs, values, "--" if held_out else "-", color=colour, marker=marker, label=label
        )
    axis.set_title(title)
    axis.set_xlabel("epoch")
    axis.xaxis.get_major_locator().set_params(integer=True)
    axis.legend()


def readable(name: str) -> str:
    """A measure's name as words."""
    return name.replace("_", " ")


def histogram(
    equal: np.ndarray, unequal: np.ndarray, threshold: float, name: str = "histogram"
) -> str:
    """Distances of equal and of unequal pairs, with the threshold between.

    A second one on a page needs a name of its own.
    """
    top = float(np.percentile(np.concatenate([equal, unequal]), 99.7))
    bins = np.linspace(0, max(top, threshold * 1.1, 1e-9), 49)

    def paint(figure: Any) -> None:
        axis = figure.subplots()
        kinds = (("same class", equal, SERIES[0]), ("different classes", unequal, SERIES[1]))
        for label, values, colour in kinds:
            clipped = np.clip(values, None, bins[-1])
            weights = np.full(len(values), 100 / max(len(values), 1))
            options: dict[str, Any] = {"bins": bins, "weights": weights}
            axis.hist(clipped, color=colour, alpha=0.45, label=label, **options)
            axis.hist(clipped, histtype="step", color=colour, linewidth=1.4, **options)
        axis.axvline(threshold, color=INK, linewidth=1.2, linestyle=(0, (5, 3)))
        note: dict[str, Any] = {
            "xy": (threshold, 0.98),
            "xycoords": ("data", "axes fraction"),
            "va": "top",
        }
        note |= {"xytext": (5, 0), "textcoords": "offset points", "fontsize": 9}
        axis.annotate(f"threshold {threshold:.3g}", **note)
        axis.margins(y=0.14)
        axis.set_xlabel("distance between the two pictures of a pair")
        axis.set_ylabel("% of pairs")
        axis.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderpad=0)

    accepted, wrong = (float((part <= threshold).mean()) for part in (equal, unequal))
    text = (
        f"Histogram of distances. At the threshold {threshold:.3g}, {accepted:.1%} of pairs of the "
        f"same class and {wrong:.1%} of pairs of different classes are accepted."
    )
    return draw(name, text, paint, (5.8, 3.3))


def roc_figure(equal: np.ndarray, unequal: np.ndarray, threshold: float) -> str:
    """The ROC curve, with the point the threshold chooses."""
    distances = np.concatenate([equal, unequal])
    curve = roc(distances, np.arange(len(distances)) < len(equal))
    chosen = int(np.searchsorted(curve.thresholds, threshold, side="right")) - 1
    here = curve.false_accepts[chosen], curve.true_accepts[chosen]

    def paint(figure: Any) -> None:
        axis = figure.subplots()
        axis.plot([0, 1], [0, 1], ":", color=MUTED, linewidth=1)
        x, y = thin_out(curve.false_accepts, curve.true_accepts)
        axis.plot(x, y, color=SERIES[0])
        axis.fill_between(x, y, color=SERIES[0], alpha=0.1, linewidth=0)
        axis.plot(*here, "o", color=SERIES[3], markersize=7)
        axis.annotate("threshold", here, (10, -12), textcoords="offset points", fontsize=9)
        axis.text(0.97, 0.06, f"area {curve.area:.3f}", ha="right", fontsize=11)
        axis.set(xlabel="unequal pairs accepted", ylabel="equal pairs accepted")
        axis.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.02), aspect="equal")

    text = (
        f"ROC curve with area {curve.area:.3f}; the threshold accepts {here[1]:.1%} of equal and "
        f"{here[0]:.1%} of unequal pairs."
    )
    return draw("roc", text, paint, (3.6, 3.4))


def thin_out(x: np.ndarray, y: np.ndarray, points: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """A curve with at most so many points."""
    keep = np.unique(np.linspace(0, len(x) - 1, points).astype(int))
    return x[keep], y[keep]


def embedding_map(
    places: np.ndarray, labels: np.ndarray, names: Sequence[str], new: np.ndarray
) -> str:
    """The two-dimensional map: trained classes quiet, new classes in colour."""

    def paint(figure: Any) -> None:
        axis = figure.subplots()
        paint_trained(axis, places, labels, names, ~new)
        paint_new(axis, places, labels, names, new)
        axis.set(xticks=[], yticks=[])
        axis.spines[:].set_visible(False)
        if 0 < new.sum() <= MOST_NAMED:
            beside = {"bbox_to_anchor": (1, 1), "loc": "upper left", "title": "new classes"}
            axis.legend(**beside, ncols=1 + (int(new.sum()) - 1) // 18, markerscale=1.3)

    text = (
        f"Map of the embeddings of {int((~new).sum())} trained and {int(new.sum())} new classes; "
        "pictures that the network finds alike lie together."
    )
    return draw("map", text, paint, (7.4, 5.0))


def paint_trained(
    axis: Any, places: np.ndarray, labels: np.ndarray, names: Sequence[str], trained: np.ndarray
) -> None:
    """Pictures of trained classes as small quiet dots, named in their middle when they are few."""
    rows = some_rows(np.flatnonzero(trained[labels]))
    axis.scatter(*places[rows].T, s=6, color=MUTED, alpha=0.4, linewidth=0)
    chosen = np.flatnonzero(trained)
    if len(chosen) > MOST_NAMED:
        return
    box = {"boxstyle": "round,pad=0.15", "facecolor": PAPER, "edgecolor": "none", "alpha": 0.75}
    for label in chosen.tolist():
        if (labels == label).any():
            middle = np.median(places[labels == label], axis=0)
            place = {"ha": "center", "va": "center", "fontsize": 8.5, "color": MUTED}
            axis.text(*middle, names[label], **place, bbox=box)


def paint_new(
    axis: Any, places: np.ndarray, labels: np.ndarray, names: Sequence[str], new: np.ndarray
) -> None:
    """Pictures of new classes, each class with its own colour and marker."""
    shown = np.zeros(len(labels), bool)
    shown[some_rows(np.flatnonzero(new[labels]))] = True
    for place, label in enumerate(np.flatnonzero(new).tolist()):
        rows = shown & (labels == label)
        kind = {"color": SERIES[place % len(SERIES)], "marker": MARKERS[place % len(MARKERS)]}
        axis.scatter(*places[rows].T, s=17, alpha=0.8, linewidth=0, label=names[label], **kind)


def some_rows(rows: np.ndarray) -> np.ndarray:
    """At most `POINTS` of the rows, evenly."""
    return rows[np.unique(np.linspace(0, len(rows) - 1, POINTS).astype(int))] if len(rows) else rows


def sweep_figure(
    settings: Mapping[str, Sequence[object]], scores: np.ndarray, score_name: str
) -> str:
    """One panel a hyper-parameter: every run a dot, the mean at each value a line."""
    varied = varied_settings(settings)
    columns = 2 if len(varied) == 4 else min(3, len(varied))
    rows = -(-len(varied) // columns)

    def paint(figure: Any) -> None:
        axes = figure.subplots(rows, columns, sharey=True, squeeze=False).reshape(-1)
        for axis, name in zip(axes, varied, strict=False):
            paint_influence(axis, name, settings[name], scores)
        for axis in axes[len(varied) :]:
            axis.set_visible(False)
        for axis in axes[::columns]:
            axis.set_ylabel(score_name)

    text = f"Influence of {', '.join(map(readable, varied))} on {score_name}."
    return draw("sweep", text, paint, (7.4, 2.4 * rows))


def varied_settings(settings: Mapping[str, Sequence[object]]) -> list[str]:
    """The hyper-parameters that are not the same in every run."""
    return [name for name, values in settings.items() if len(set(map(str, values))) > 1]


def paint_influence(axis: Any, name: str, values: Sequence[object], scores: np.ndarray) -> None:
    """The runs at each value of one hyper-parameter."""
    levels = sorted(set(values), key=lambda value: (isinstance(value, str), value))
    places = np.array([levels.index(value) for value in values])
    means = [scores[places == place].mean() for place in range(len(levels))]
    axis.plot(range(len(levels)), means, color=SERIES[0], linewidth=1.5)
    axis.plot(places, scores, "o", color=SERIES[0], markersize=5, alpha=0.7)
    axis.set_xticks(range(len(levels)), [str(level) for level in levels])
    axis.set_xlim(-0.4, len(levels) - 0.6)
    axis.set_title(readable(name))
