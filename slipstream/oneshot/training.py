"""The training loop: traced steps, a line of progress, an error when it diverges, checkpoints."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from slipstream.errors import DataLossError, message
from slipstream.keras.optimizers import Adam
from slipstream.oneshot import losses
from slipstream.oneshot.batches import Batch, Batches, LabelledBatches
from slipstream.oneshot.episodes import draw_pairs
from slipstream.oneshot.measure import calibrate, distances_of, score_pairs
from slipstream.oneshot.models import Classifier, Embedder, Proxies, Siamese, build
from slipstream.oneshot.picture_set import PictureSet
from slipstream.oneshot.recipe import Recipe
from slipstream.ops.losses import sparse_softmax_cross_entropy_with_logits
from slipstream.ops.random import set_seed
from slipstream.ops.reduction import reduce_mean
from slipstream.ops.shaping import expand_dims
from slipstream.runtime.function import function
from slipstream.runtime.tape import GradientTape

WATCHED = 500  # pictures looked at after each epoch, trained and held out
WATCHED_PAIRS = 2000
FINAL_SHARE = 0.01  # of the learning rate, at the end of its half cosine

History = dict[str, list[float]]
Say = Callable[[str], None]


class Source(Protocol):
    """Where batches come from."""

    def draw(self) -> Batch:
        """Pictures and targets."""


@dataclass
class Run:
    """A training: a network, its loss on a batch, and where batches come from.

    `watch` measures more after each epoch, name to value; `keep` is called with the network and
    the history after each epoch, for checkpoints.
    """

    network: Any
    loss: Callable[[Any, Any, bool], Any]
    source: Source
    recipe: Recipe
    watch: Callable[[], dict[str, float]] = dict
    keep: Callable[[History], None] = field(default=lambda history: None)
    say: Say = field(default=lambda line: None)
    beside: Any = None  # a layer that is trained with the network

    def go(self) -> History:
        """Trains for the epochs of the recipe; returns one value an epoch for every measure.

        Raises `DataLossError` naming epoch and step when the loss is no longer finite.
        """
        build(self.network)
        optimizer = Adam(self.recipe.learning_rate)
        step = traced_step(self.weights, self.loss, optimizer)
        history: History = {}
        for epoch in range(self.recipe.epochs):
            mean = self.epoch(epoch, step, optimizer)
            for name, value in {"loss": mean, **self.watch()}.items():
                history.setdefault(name, []).append(value)
            self.say(summary(epoch, self.recipe.epochs, history) + "\n")
            self.keep(history)
        return history

    def weights(self) -> list[Any]:
        """What is trained."""
        more = [] if self.beside is None else self.beside.trainable_variables
        return [*self.network.trainable_variables, *more]

    def epoch(self, epoch: int, step: Callable[..., Any], optimizer: Adam) -> float:
        """One epoch; the mean loss."""
        total, began = 0.0, time.perf_counter()
        for number in range(self.recipe.steps):
            optimizer.learning_rate = self.rate(epoch * self.recipe.steps + number)
            pictures, targets = self.source.draw()
            loss = float(step(pictures, targets).numpy())
            if not math.isfinite(loss):
                raise diverged(loss, epoch + 1, number + 1, self.recipe)
            total += loss
            pace = (time.perf_counter() - began) / (number + 1)
            self.say(progress(epoch, number, self.recipe, total / (number + 1), pace))
        return total / self.recipe.steps

    def rate(self, step: int) -> float:
        """The learning rate of a step: half a cosine, from whole to almost nothing.

        Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts", 2017.
        """
        share = step / (self.recipe.epochs * self.recipe.steps)
        height = 0.5 * (1 + math.cos(math.pi * share))
        return self.recipe.learning_rate * (FINAL_SHARE + (1 - FINAL_SHARE) * height)


def traced_step(
    trained: Callable[[], list[Any]], loss: Callable[[Any, Any, bool], Any], optimizer: Adam
) -> Callable[..., Any]:
    """One step of training as one traced program: (pictures, targets) to the loss."""

    @function
    def step(pictures: Any, targets: Any) -> Any:
        with GradientTape() as tape:
            value = loss(pictures, targets, True)
        # Only weights the loss depends on: the similarity is no part of a loss over classes.
        weights = trained()
        gradients = tape.gradient(value, weights)
        known = [pair for pair in zip(gradients, weights, strict=True) if pair[0] is not None]
        optimizer.apply_gradients(known)
        return value

    chosen: Callable[..., Any] = step
    return chosen


def siamese_loss(
    network: Siamese, recipe: Recipe, ways: int, compare: Proxies | None
) -> Callable[[Any, Any, bool], Any]:
    """The recipe's loss of a batch; `compare` has the proxies of a loss that needs them."""

    def on_pairs(pictures: Any, equal: Any, training: bool) -> Any:
        distances, log_odds = network(pictures, training=training)
        if recipe.loss == "contrastive":
            return losses.contrastive(distances, equal, recipe.margin)
        return losses.pair_cross_entropy(log_odds, equal)

    def on_batch(pictures: Any, labels: Any, training: bool) -> Any:
        embeddings = network.judged(pictures, training)
        found = by_classes(embeddings, labels)
        if not recipe.pairs:
            return found
        _, log_odds = network.similarity([expand_dims(embeddings, 1), expand_dims(embeddings, 0)])
        return found + recipe.pairs * losses.all_pairs(log_odds, labels)

    def by_classes(embeddings: Any, labels: Any) -> Any:
        if compare is not None:
            return losses.proxies(compare(embeddings), labels, recipe.temperature)
        if recipe.loss == "triplet":
            return losses.triplet(embeddings, labels, recipe.margin)
        if recipe.loss == "prototypical":
            return losses.prototypical(embeddings, ways, recipe.temperature)
        return losses.supervised_contrastive(embeddings, labels, recipe.temperature)

    return on_pairs if recipe.on_pairs else on_batch


def train_siamese(
    trained: PictureSet,
    held_out: PictureSet,
    recipe: Recipe,
    keep: Callable[[Siamese, History], None] = lambda network, history: None,
    say: Say = lambda line: None,
) -> tuple[Siamese, History]:
    """Trains a siamese network; watches pair accuracy on trained and on held-out pictures.

    The same seed gives the same network, bit for bit, on one machine.
    """
    set_seed(recipe.seed)
    network = build(Siamese(recipe))
    batches = Batches(trained, recipe, recipe.seed, augment=True)
    compare = proxies_of(recipe, len(batches.classes.classes))
    loss = siamese_loss(network, recipe, batches.ways, compare)
    others = Batches(held_out, recipe, recipe.seed, augment=False)
    watch = Watch(network, trained, held_out, held_out_loss(loss, others))
    run = Run(network, loss, batches, recipe, watch, lambda history: keep(network, history), say)
    run.beside = compare
    return network, run.go()


def proxies_of(recipe: Recipe, classes: int) -> Proxies | None:
    """The proxies, where the loss needs them: trained with the network, not part of it."""
    if recipe.loss != "proxies":
        return None
    made = Proxies(classes)
    made(np.zeros((1, recipe.embedding), np.float32))
    return made


def held_out_loss(loss: Callable[[Any, Any, bool], Any], batches: Batches) -> Callable[[], float]:
    """Measures the loss on one batch of held-out pictures, always the same."""
    measured = function(loss)
    pictures, targets = batches.draw()
    return lambda: float(measured(pictures, targets, False).numpy())


class Watch:
    """After each epoch: how many pairs the network tells right, trained and held out."""

    def __init__(
        self,
        network: Siamese,
        trained: PictureSet,
        held_out: PictureSet,
        loss: Callable[[], float],
    ) -> None:
        self.embed, self.loss = Embedder(network.tower), loss
        self.sets = {"accuracy": some(trained), "val_accuracy": some(held_out)}

    def __call__(self) -> dict[str, float]:
        found = {name: pair_accuracy(self.embed, one) for name, one in self.sets.items()}
        return {"accuracy": found["accuracy"], "val_loss": self.loss()} | found


def pair_accuracy(embed: Embedder, pictures: PictureSet) -> float:
    """The share of pairs told right with the best threshold for them."""
    pairs = draw_pairs(pictures.labels, WATCHED_PAIRS)
    distances = distances_of(embed(pictures.images), pairs)
    return score_pairs(distances, pairs.equal, calibrate(distances, pairs.equal)).accuracy


def some(pictures: PictureSet) -> PictureSet:
    """At most `WATCHED` of the pictures, whole pairs of every class among them where it goes."""
    order = np.argsort(np.random.default_rng(0).random(len(pictures)), kind="stable")
    rank = np.empty(len(order), np.int64)
    for label in range(pictures.classes):
        mine = order[pictures.labels[order] == label]
        rank[mine] = np.arange(len(mine)) // 2
    rows = np.argsort(rank, kind="stable")[:WATCHED]
    counts = np.bincount(pictures.labels[rows], minlength=pictures.classes)
    return pictures.rows(rows[counts[pictures.labels[rows]] >= 2])


def train_classifier(
    trained: PictureSet, recipe: Recipe, say: Say = lambda line: None
) -> Classifier:
    """The baseline: a plain classifier of the trained classes with the same tower and views."""
    set_seed(recipe.seed)
    network = build(Classifier(recipe, trained.classes))

    def loss(pictures: Any, labels: Any, training: bool) -> Any:
        logits = network(pictures, training=training)
        return reduce_mean(sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits))

    batches = LabelledBatches(trained, recipe, recipe.seed, augment=True)
    Run(network, loss, batches, recipe, say=say).go()
    return network


def progress(epoch: int, step: int, recipe: Recipe, loss: float, pace: float) -> str:
    """The line that counts; it ends in a carriage return."""
    left = pace * (recipe.steps - step - 1 + recipe.steps * (recipe.epochs - epoch - 1))
    place = f"epoch {epoch + 1}/{recipe.epochs} step {step + 1}/{recipe.steps}"
    return f"{place}  loss {loss:.4f}  {1000 * pace:.0f} ms a step  {clock(left)} left\r"


def summary(epoch: int, epochs: int, history: History) -> str:
    """What an epoch came to."""
    words = {"val_loss": "held-out loss", "accuracy": "pairs", "val_accuracy": "held-out pairs"}
    parts = [f"{words.get(name, name)} {values[-1]:.4f}" for name, values in history.items()]
    return f"epoch {epoch + 1}/{epochs}  " + "  ".join(parts)


def clock(seconds: float) -> str:
    """Seconds as minutes:seconds."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def diverged(loss: float, epoch: int, step: int, recipe: Recipe) -> DataLossError:
    """The error of a training that went to NaN or infinity."""
    happened = f"the loss became {loss} in epoch {epoch}, step {step}: the training diverged"
    received = {"learning_rate": recipe.learning_rate, "loss": recipe.loss}
    hint = f"a smaller learning rate, as {recipe.learning_rate / 10:g}; nothing was overwritten"
    return DataLossError(message("train", happened, received=received, hint=hint))


class Console:
    """Shows progress on the error stream: a line that counts on a terminal, else whole lines."""

    def __init__(self, stream: Any = None) -> None:
        self.stream = stream or sys.stderr
        self.live, self.width = bool(getattr(self.stream, "isatty", bool)()), 0

    def __call__(self, line: str) -> None:
        if line.endswith("\r"):
            if self.live:
                self.stream.write("\r" + line[:-1].ljust(self.width))
                self.width = len(line) - 1
        else:
            start = "\r" if self.width else ""
            self.stream.write(start + line.rstrip("\n").ljust(self.width) + "\n")
            self.width = 0
        self.stream.flush()
