"""How the choices of a training matter: one is changed at a time, everything else kept."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from slipstream.errors import DataLossError, InvalidArgumentError, message
from slipstream.files import write_text
from slipstream.oneshot.accuracy import Trials, one_shot
from slipstream.oneshot.api import calibrated, quiet
from slipstream.oneshot.episodes import draw_pairs
from slipstream.oneshot.evaluate import at_most, new_pictures, prepare
from slipstream.oneshot.measure import distances_of, score_pairs
from slipstream.oneshot.models import Embedder
from slipstream.oneshot.picture_set import PictureSet
from slipstream.oneshot.recipe import LOSSES, Recipe
from slipstream.oneshot.report import ReportData, Sweep, write_report
from slipstream.oneshot.training import Say, train_siamese

# What a sweep varies when nothing is asked for. A margin matters only to losses that have one.
STANDARD: Mapping[str, Sequence[Any]] = {
    "loss": LOSSES,
    "margin": (0.25, 0.5, 1.0),
    "embedding": (16, 64, 128),
    "augmentation": (0.0, 0.5, 1.0),
    "learning_rate": (0.0005, 0.002, 0.008),
    "each": (2, 5, 10),
}
WITH_MARGIN = ("contrastive", "triplet")
QUERIES = 3000  # pictures of new classes, at most
PAIRS = 5000
LONGEST = {"epochs": 10, "steps": 100}  # of each of many trainings
RESULTS, PAGE = "sweep.json", "sweep.html"


@dataclass(frozen=True)
class Outcome:
    """One run: what was changed, the whole recipe, and what came of it.

    `one_shot` is the accuracy on the new classes and `pairs` that on held-out pairs; both are None
    when the training diverged.
    """

    changed: str
    recipe: Recipe
    one_shot: float | None
    pairs: float | None


@dataclass
class Sweeper:
    """Trains recipes on one set and scores each on held-out pairs and on classes never trained."""

    trained: PictureSet
    held_out: PictureSet
    new: PictureSet
    trials: Trials = field(default_factory=lambda: Trials(draws=100))
    say: Say = quiet

    def run(self, recipes: Mapping[str, Recipe], out: Path) -> list[Outcome]:
        """Every recipe, by what it changes; the results so far are kept after each."""
        found: list[Outcome] = []
        for place, (changed, recipe) in enumerate(recipes.items()):
            outcome = self.outcome(changed, recipe)
            found.append(outcome)
            self.say(f"{place + 1}/{len(recipes)} {line(outcome)}\n")
            write_text(out / RESULTS, as_json(found), "save sweep")
        return found

    def outcome(self, changed: str, recipe: Recipe) -> Outcome:
        """One training and its scores."""
        try:
            network, _ = train_siamese(self.trained, self.held_out, recipe, say=self.progress)
        except DataLossError:
            return Outcome(changed, recipe, None, None)
        embed = Embedder(network.tower, recipe.views)
        new = at_most(self.new, QUERIES)
        score = one_shot(embed(new.images), new.labels, self.trials, new.group_of_class())
        known = at_most(self.held_out, QUERIES)
        pairs = draw_pairs(known.labels, PAIRS)
        distances = distances_of(embed(known.images), pairs)
        right = score_pairs(distances, pairs.equal, calibrated(embed, known)[0]).accuracy
        return Outcome(changed, recipe, score.interval.mean, right)

    def progress(self, text: str) -> None:
        """Passes on the line that counts, and no epoch's summary."""
        if text.endswith("\r"):
            self.say(text)


def shortened(recipe: Recipe) -> Recipe:
    """The recipe with no more epochs and steps than a sweep has time for."""
    return replace(
        recipe, **{name: min(getattr(recipe, name), most) for name, most in LONGEST.items()}
    )


def one_at_a_time(base: Recipe, varied: Mapping[str, Sequence[Any]]) -> dict[str, Recipe]:
    """Recipes that differ from the base in one choice each, by what they change; the base first.

    Raises `InvalidArgumentError` for a name that is no choice, or a value it cannot have.

    >>> list(one_at_a_time(Recipe(), {"embedding": [64, 16]}))
    ['base', 'embedding=16']
    """
    known = {one.name for one in fields(Recipe)}
    if unknown := sorted(set(varied) - known):
        text = message("sweep", f"{unknown} cannot be varied", expected=f"some of {sorted(known)}")
        raise InvalidArgumentError(text)
    recipes = {"base": base}
    for name, values in varied.items():
        marginless = name == "margin" and base.loss not in WITH_MARGIN
        start = replace(base, loss=WITH_MARGIN[0]) if marginless else base
        for value in values:
            recipe = replace(start, **{name: value})
            if recipe not in recipes.values():
                recipes[f"{name}={value}"] = recipe
    return recipes


def sweep(
    data: str | Path,
    out: Path | str,
    base: Recipe,
    varied: Mapping[str, Sequence[Any]] = STANDARD,
    classes: Sequence[int | str] = (),
    new: PictureSet | None = None,
    say: Say = quiet,
) -> list[Outcome]:
    """Trains a recipe and its variations on a data set; writes `sweep.json` and `sweep.html`.

    `classes` are those to train on. Scores are on `new`, or without it on the classes left out, or
    else those of another data set.
    """
    recipes = one_at_a_time(base, varied)
    trained, held_out, origin = prepare(data, classes)
    sweeper = Sweeper(trained, held_out, new_pictures(origin) if new is None else new, say=say)
    outcomes = sweeper.run(recipes, Path(out))
    write_page(outcomes, sweeper, base, Path(out))
    return outcomes


def line(outcome: Outcome) -> str:
    """One run as text."""
    if outcome.one_shot is None:
        return f"{outcome.changed:32s} diverged"
    scores = f"one-shot {outcome.one_shot:.3f}  held-out pairs {outcome.pairs:.3f}"
    return f"{outcome.changed:32s} {scores}"


def as_json(outcomes: Sequence[Outcome]) -> str:
    """The runs as JSON text."""
    runs = [
        {
            "changed": one.changed,
            "one_shot": one.one_shot,
            "pairs": one.pairs,
            "recipe": one.recipe.to_json(),
        }
        for one in outcomes
    ]
    return json.dumps({"format": "slipstream-sweep", "version": 1, "runs": runs}, indent=1) + "\n"


def for_report(outcomes: Sequence[Outcome]) -> Sweep:
    """The runs that did not diverge, as the report shows them."""
    good = [one for one in outcomes if one.one_shot is not None]
    names = [one.name for one in fields(Recipe)]
    settings = {name: [getattr(one.recipe, name) for one in good] for name in names}
    changing = {name: values for name, values in settings.items() if len(set(values)) > 1}
    scores = [one.one_shot for one in good if one.one_shot is not None]
    return Sweep(changing, scores)


def write_page(outcomes: Sequence[Outcome], sweeper: Sweeper, base: Recipe, out: Path) -> Path:
    """The table and the plots as one HTML page."""
    failed = [one.changed for one in outcomes if one.one_shot is None]
    data = ReportData(
        title=f"What matters in training on {sweeper.trained.name}",
        summary=(
            f"{len(outcomes)} trainings on {sweeper.trained.classes} classes of "
            f"{sweeper.trained.name}, each with one choice changed, scored by one-shot accuracy on "
            f"{sweeper.new.classes} classes of {sweeper.new.name} that none of them saw."
        ),
        facts={
            **{name.replace("_", " "): str(value) for name, value in base.to_json().items()},
            "diverged": ", ".join(failed) or "none",
        },
        sweep=for_report(outcomes),
    )
    return write_report(data, out / PAGE)
