"""What `slipstream oneshot` does, for Python programs: train, evaluate, enroll, identify, report.

A model is a folder. Every function here reads or writes one, and leaves what was there before as
it was when it fails.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from slipstream.errors import FailedPreconditionError, NotFoundError
from slipstream.oneshot.accuracy import STANDARD, Trials
from slipstream.oneshot.episodes import draw_pairs
from slipstream.oneshot.evaluate import (
    Evaluation,
    at_most,
    evaluate_model,
    new_pictures,
    prepare,
)
from slipstream.oneshot.gallery import Answer, Gallery
from slipstream.oneshot.measure import calibrate, distances_of
from slipstream.oneshot.models import Embedder, Siamese
from slipstream.oneshot.picture_set import PictureSet
from slipstream.oneshot.pictures import DEFAULT, PictureOptions, read_picture
from slipstream.oneshot.recipe import Recipe, recipe_for
from slipstream.oneshot.report import write_report
from slipstream.oneshot.reporting import report_data
from slipstream.oneshot.storage import Model, Origin
from slipstream.oneshot.strangers import beyond
from slipstream.oneshot.training import History, Say, some, train_siamese

CALIBRATION_PAIRS = 10_000
CALIBRATION_PICTURES = 3000
REPORT = "report.html"


def quiet(line: str) -> None:
    """Says nothing: the default of every `say`."""


def train(
    data: str | Path,
    out: Path | str,
    recipe: Recipe | None = None,
    classes: Sequence[int | str] = (),
    say: Say = quiet,
) -> Model:
    """Trains a siamese network on a data set (`datasets.load`) and writes it into the folder `out`.

    `classes` are those to train on, by name or number; without them, all. The recipe is by default
    the one that suits the data. After each epoch the network so far is kept in `out/checkpoint`,
    itself a model folder, until the training ends.

    Raises the errors of `datasets.load`; `DataLossError` when the training diverges;
    `ResourceExhaustedError` on a full disk. A model that was in `out` before is then unchanged.
    """
    out = Path(out)
    recipe = recipe or recipe_for(str(data))
    trained, held_out, origin = prepare(data, classes)
    keeper = Keeper(out, recipe, origin, held_out)
    say(
        f"{len(trained)} pictures of {trained.classes} classes; {recipe.loss}, seed {recipe.seed}\n"
    )
    network, history = train_siamese(trained, held_out, recipe, keeper.keep, say)
    model = keeper.model(network, history)
    model.save(out)
    shutil.rmtree(out / "checkpoint", ignore_errors=True)
    return model


@dataclass
class Keeper:
    """Makes models of networks in training, and keeps them as checkpoints."""

    out: Path
    recipe: Recipe
    origin: Origin
    held_out: PictureSet

    def __post_init__(self) -> None:
        self.began = time.perf_counter()

    def keep(self, network: Siamese, history: History) -> None:
        """Writes a checkpoint; its thresholds are rough ones, from a few pictures."""
        self.calibrated_on(some(self.held_out), network, history).save(self.out / "checkpoint")

    def model(self, network: Siamese, history: History) -> Model:
        """The network with its thresholds, calibrated on held-out pictures, and its history."""
        known = at_most(self.held_out, CALIBRATION_PICTURES)
        return self.calibrated_on(known, network, history)

    def calibrated_on(self, known: PictureSet, network: Siamese, history: History) -> Model:
        seconds = time.perf_counter() - self.began
        thresholds = calibrated(Embedder(network.tower, self.recipe.views), known)
        return Model(network, self.recipe, self.origin, *thresholds, dict(history), seconds)


def calibrated(embed: Embedder, held_out: PictureSet) -> tuple[float, float]:
    """Two distances, calibrated on held-out pictures.

    That which best tells equal from unequal pairs, and that which best tells a picture's own class
    from the nearest of the others.
    """
    counts = held_out.counts()
    pictures = held_out.rows(np.flatnonzero(counts[held_out.labels] >= 2))
    embeddings, pairs = embed(pictures.images), draw_pairs(pictures.labels, CALIBRATION_PAIRS)
    threshold = calibrate(distances_of(embeddings, pairs), pairs.equal)
    return threshold, beyond(embeddings, pictures.labels)


def evaluate(
    folder: Path | str,
    data: str | None = None,
    classes: Sequence[int | str] = (),
    trials: Trials = STANDARD,
    say: Say = quiet,
    keep_trained: bool = False,
    quick: bool = False,
) -> Evaluation:
    """Measures a trained network: held-out pairs, and new classes by one example, with baselines.

    The new classes are those of `data`, or without it the ones left out in training, or else those
    of another data set; those with a trained name or group only if `keep_trained`. `quick` leaves
    out the baseline that has to be trained. Raises `InvalidArgumentError` when there are no two new
    classes.
    """
    model = Model.load(folder)
    new = new_pictures(model.origin, data, classes, keep_trained)
    return evaluate_model(model, new, trials, Path(folder), say, quick)


def enroll(
    folder: Path | str,
    name: str,
    pictures: Sequence[Path | str],
    options: PictureOptions = DEFAULT,
    anew: bool = False,
) -> Gallery:
    """Shows a class to the model by one picture or more; it is known from then on.

    With `anew` an existing gallery is replaced. Raises `DataLossError` or `NotFoundError` naming
    the picture that cannot be read, `FailedPreconditionError` when the gallery is another model's;
    the gallery on disk is then unchanged.
    """
    model = Model.load(folder)
    gallery = fresh_gallery(model) if anew else open_gallery(folder, model)
    images = np.stack([read_picture(path, options) for path in pictures])
    for image, embedding in zip(images, model.embedder()(images), strict=True):
        gallery.add(name, embedding, image)
    gallery.save(folder)
    return gallery


def fresh_gallery(model: Model) -> Gallery:
    """An empty gallery of a model."""
    return Gallery(model.unknown_beyond, model.identity)


def open_gallery(folder: Path | str, model: Model) -> Gallery:
    """The gallery in a model's folder; an empty one when there is none yet."""
    try:
        return Gallery.load(folder, model.identity)
    except NotFoundError:
        return fresh_gallery(model)
    except FailedPreconditionError as problem:
        raise FailedPreconditionError(f"{problem}\n  (--anew begins a new gallery)") from problem


def identify(
    folder: Path | str,
    pictures: Sequence[Path | str],
    options: PictureOptions = DEFAULT,
    count: int = 3,
    threshold: float | None = None,
) -> list[Answer]:
    """The nearest enrolled classes of each picture, or unknown beyond a threshold.

    It is the one calibrated for this (see `strangers`) unless another is given. Raises as `enroll`
    does, and `NotFoundError` when nothing was enrolled.
    """
    model = Model.load(folder)
    gallery = Gallery.load(folder, model.identity)
    if threshold is not None:
        gallery = replace(gallery, threshold=threshold)
    images = np.stack([read_picture(path, options) for path in pictures])
    return gallery.identify(model.embedder()(images), count)


def report(
    folder: Path | str,
    data: str | None = None,
    classes: Sequence[int | str] = (),
    trials: Trials = STANDARD,
    say: Say = quiet,
    keep_trained: bool = False,
) -> Path:
    """Evaluates the model and writes `report.html` into its folder; returns the path."""
    model = Model.load(folder)
    new = new_pictures(model.origin, data, classes, keep_trained)
    found = evaluate_model(model, new, trials, Path(folder), say)
    return write_report(report_data(model, found), Path(folder) / REPORT)
