"""The demonstration: train, show ten new classes one picture each, recognise the rest, report."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from slipstream.errors import OpError, UnavailableError
from slipstream.files import write_aside
from slipstream.oneshot import api
from slipstream.oneshot.accuracy import Trials
from slipstream.oneshot.datasets import load
from slipstream.oneshot.distances import all_distances
from slipstream.oneshot.episodes import ClassRows, draw_known
from slipstream.oneshot.evaluate import Evaluation, at_most, evaluate_model
from slipstream.oneshot.extras import require_extra
from slipstream.oneshot.gallery import Gallery
from slipstream.oneshot.picture_set import PictureSet
from slipstream.oneshot.recipe import GENERAL, Recipe
from slipstream.oneshot.report import write_report
from slipstream.oneshot.reporting import report_data
from slipstream.oneshot.storage import Model
from slipstream.oneshot.training import Say, clock

# Minutes, not hours: what this trains is good, not the best there is.
RECIPE = replace(GENERAL, epochs=5, steps=80, turns=True, ways=20, each=5, views=2)
TRIALS = Trials(draws=100)
NEW_PICTURES = 1050  # of the new classes, at most


def data_to_train_on(say: Say) -> str:
    """Fashion-MNIST where it is or can be had, else scikit-learn's digits."""
    return "fashion-mnist" if available("fashion-mnist", say) else "digits"


def new_classes() -> PictureSet:
    """Ten letters in many typefaces: they need no network, and are like nothing trained on."""
    return at_most(load("letters", "all"), NEW_PICTURES)


def available(name: str, say: Say) -> bool:
    """Whether a published data set is here or can be downloaded."""
    try:
        load(name, "test")
    except UnavailableError as problem:
        say(f"{name} is not here and cannot be downloaded now ({first_line(problem)})\n")
        return False
    return True


def first_line(problem: OpError) -> str:
    """What happened, without the details."""
    return str(problem).partition(";")[0]


def demo(out: Path | str, say: Say, recipe: Recipe = RECIPE) -> str:
    """Runs the whole job in the folder `out`; returns a summary to print."""
    began, out = time.perf_counter(), Path(out)
    data, new = data_to_train_on(say), new_classes()
    say(f"1/4  training on {data}\n")
    model = api.train(data, out, recipe, say=say)
    say(f"2/4  showing {new.classes} new classes of {new.name}, one picture each\n")
    known = draw_known(ClassRows(new.labels), np.random.default_rng(recipe.seed))
    enroll_all(out, new, known)
    say("3/4  recognising the rest, and measuring\n")
    rest = new.rows(np.setdiff1d(np.arange(len(new)), known))
    counts = count(api.open_gallery(out, model), model.embedder()(rest.images), rest)
    found = evaluate_model(model, new, TRIALS, out, say)
    say("4/4  writing the report\n")
    page = write_report(report_data(model, found), out / api.REPORT)
    seconds = time.perf_counter() - began
    return "\n".join(summary(model, found, counts, page, seconds))


def enroll_all(out: Path, new: PictureSet, known: np.ndarray) -> None:
    """Writes the known picture of every class as PNG, and enrolls it from there."""
    for place, row in enumerate(known):
        name = new.class_names[new.labels[row]]
        path = out / "enrolled" / f"{name}.png"
        save_picture(path, new.images[row])
        api.enroll(out, name, [path], anew=place == 0)


def save_picture(path: Path, image: np.ndarray) -> None:
    """A picture as PNG, whole or not at all."""
    make: Callable[..., object] = require_extra("PIL.Image").fromarray
    with write_aside(path, "save picture") as aside:
        make(image).save(aside, format="PNG")  # type: ignore[attr-defined]


@dataclass(frozen=True)
class Counts:
    """How many of the rest were named rightly, wrongly, or called unknown; how often the nearest
    class was right, whatever its distance; and how many would be called unknown if their class were
    not in the gallery."""

    right: int
    wrong: int
    unknown: int
    nearest_right: int
    strangers: int


def count(gallery: Gallery, embeddings: np.ndarray, rest: PictureSet) -> Counts:
    """What came of the pictures that were not enrolled."""
    answers = gallery.identify(embeddings)
    truth = [rest.class_names[label] for label in rest.labels]
    named = [(one.name, name) for one, name in zip(answers, truth, strict=True) if one.known]
    right = sum(one == name for one, name in named)
    nearest = sum(one.nearest[0][0] == name for one, name in zip(answers, truth, strict=True))
    unknown = len(answers) - len(named)
    strangers = int((from_others(gallery, embeddings, truth) > gallery.threshold).sum())
    return Counts(right, len(named) - right, unknown, nearest, strangers)


def from_others(gallery: Gallery, embeddings: np.ndarray, truth: list[str]) -> np.ndarray:
    """How far each picture is from the nearest example of any class but its own, `[n]`."""
    own = np.array(truth)[:, None] == np.array(gallery.names)
    distances = all_distances(embeddings, gallery.embeddings)
    return np.asarray(np.where(own, np.inf, distances).min(1))


def summary(
    model: Model, found: Evaluation, counts: Counts, page: Path, seconds: float
) -> list[str]:
    """What a person wants to know at the end."""
    total = counts.right + counts.wrong + counts.unknown
    own = found.result
    return [
        "",
        f"Trained on {model.origin.data} in {clock(model.seconds)} min, seed {model.recipe.seed}; "
        f"{found.pairs.accuracy:.1%} of held-out pairs are told right.",
        f"Then {found.new.classes} new classes of {found.new.name} were shown, one picture each, "
        "with no further training.",
        f"Of {total} other pictures of these, the nearest class is right for "
        f"{counts.nearest_right / total:.1%} (guessing: {own.chance:.0%}).",
        f"With 'unknown' beyond distance {model.unknown_beyond:.2f}: {counts.right} right, "
        f"{counts.wrong} wrong, {counts.unknown} unknown; were their own class not enrolled, "
        f"{counts.strangers} would be unknown.",
        "",
        f"One-shot accuracy over {len(own.draws)} draws of the known pictures, 95 % interval:",
        *(f"  {name:26s} {result.interval}" for name, result in found.methods),
        "",
        f"Everything took {clock(seconds)} min. The report: {page}",
        f"Try: slipstream oneshot identify {page.parent} {page.parent / 'enrolled'}/*.png",
    ]
