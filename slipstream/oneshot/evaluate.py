"""How good a trained network is: pairs of held-out pictures, and new classes by one example."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from slipstream.errors import DataLossError, InvalidArgumentError, message
from slipstream.files import write_bytes
from slipstream.oneshot.accuracy import OneShotResult, Trials, one_shot
from slipstream.oneshot.datasets import load
from slipstream.oneshot.episodes import draw_pairs
from slipstream.oneshot.measure import PairScores, distances_of, score_pairs
from slipstream.oneshot.models import Classifier, Embedder, Siamese, build
from slipstream.oneshot.picture_set import PictureSet
from slipstream.oneshot.recipe import Recipe
from slipstream.oneshot.storage import Model, Origin, pack, set_weights, unpack
from slipstream.oneshot.training import Say, train_classifier
from slipstream.ops.random import set_seed

PAIRS = 20_000
MOST_HELD_OUT = 10_000
HELD_OUT = 0.1  # of each class in the trained half: the threshold is calibrated on these
PUBLISHED_HALVES = ("fashion-mnist", "mnist")
OTHER_DATA = {
    "fashion-mnist": "letters",
    "mnist": "letters",
    "digits": "letters",
    "letters": "digits",
}
OURS, CLASSIFIER, UNTRAINED, PIXELS = (
    "this network",
    "features of a classifier",
    "the untrained tower",
    "distance of pixels",
)


@dataclass(frozen=True)
class Evaluation:
    """What was measured.

    `pairs` scores held-out pairs of the trained classes at the model's threshold, `distances`
    float32 `[n]` and `equal` bool `[n]` are those pairs. `methods` holds the N-way one-shot results
    on the classes of `new`, the network's first, then the baselines; all saw the same draws.
    """

    pairs: PairScores
    distances: np.ndarray
    equal: np.ndarray
    held_out: PictureSet
    held_out_embeddings: np.ndarray
    new: PictureSet
    new_embeddings: np.ndarray
    methods: tuple[tuple[str, OneShotResult], ...]
    trials: Trials

    @property
    def result(self) -> OneShotResult:
        """The network's own one-shot result."""
        return self.methods[0][1]

    def lines(self) -> list[str]:
        """The results as lines of text."""
        result, shots = self.result, self.trials.shots
        head = (
            f"{self.new.name}: {result.ways}-way {shots}-shot accuracy, {len(result.draws)} draws"
        )
        rows = [f"  {name:26s} {found.interval}" for name, found in self.methods]
        pairs = (
            f"held-out pairs of {self.held_out.name}: accuracy {self.pairs.accuracy:.4f}, "
            f"area under the ROC curve {self.pairs.area:.4f}, threshold {self.pairs.threshold:.3f}"
        )
        return [pairs, f"{head} (chance {result.chance:.2f})", *rows]


def prepare(
    data: str | Path, classes: Sequence[int | str] = ()
) -> tuple[PictureSet, PictureSet, Origin]:
    """The pictures to train on, those of the same half kept out to calibrate on, and their origin.

    `classes` are names or numbers; without any, all are trained.
    """
    whole = load(data, "train")
    chosen = pick(whole, classes)
    trained, held_out = keep_out(chosen)
    groups = tuple(sorted(set(chosen.class_groups)))
    return trained, held_out, Origin(str(data), chosen.class_names, groups)


def keep_out(pictures: PictureSet) -> tuple[PictureSet, PictureSet]:
    """(the rest, kept out): a tenth of each class, but a pair at least where that leaves one.

    The same pictures each time.
    """
    random, kept = np.random.default_rng(0), np.zeros(len(pictures), bool)
    for label in range(pictures.classes):
        rows = random.permutation(np.flatnonzero(pictures.labels == label))
        kept[rows[: max(round(HELD_OUT * len(rows)), min(2, len(rows) - 2), 0)]] = True
    return pictures.rows(~kept), pictures.rows(kept)


def pick(pictures: PictureSet, classes: Sequence[int | str]) -> PictureSet:
    """Only some classes; a text that is no name may be a number. All without any."""
    names = pictures.class_names
    keys = [
        int(one) if isinstance(one, str) and one not in names and one.isdigit() else one
        for one in classes
    ]
    return pictures.of_classes(keys) if keys else pictures


def held_out_pictures(model: Model) -> PictureSet:
    """Pictures of the trained classes that training never saw.

    Those of the other half, or in a folder too small for pairs of these, those calibrated on.
    """
    found = load(model.origin.data, "test").of_classes(model.origin.classes)
    if found.counts().min() < 2:
        found = prepare(model.origin.data, model.origin.classes)[1]
    return at_most(found, MOST_HELD_OUT)


def at_most(pictures: PictureSet, count: int) -> PictureSet:
    """Some of the pictures, at random but the same each time."""
    if len(pictures) <= count:
        return pictures
    return pictures.rows(np.random.default_rng(0).permutation(len(pictures))[:count])


def new_pictures(
    origin: Origin,
    data: str | None = None,
    classes: Sequence[int | str] = (),
    keep_trained: bool = False,
) -> PictureSet:
    """Pictures of classes the network never saw.

    Of `data`; without it, of the classes of the trained data that were left out, or else of another
    data set. Classes with a trained name, or of a trained group, are left out, unless
    `keep_trained`. Raises `InvalidArgumentError` when there are no two.
    """
    chosen = data or (origin.data if left_out(origin) else other_data(origin))
    found = pick(load(chosen, "test" if chosen in PUBLISHED_HALVES else "all"), classes)
    fresh = found if keep_trained else without_trained(found, origin)
    if fresh.classes < 2:
        happened = f"{chosen} has no two classes that were not trained"
        hint = "--data with another data set"
        raise InvalidArgumentError(message("evaluate", happened, hint=hint))
    return fresh


def without_trained(found: PictureSet, origin: Origin) -> PictureSet:
    """The classes that have neither a trained name nor a trained group."""
    groups = set(origin.groups) & set(found.group_names)
    if groups:
        found = found.without_groups(groups)
    trained = set(origin.classes)
    return found.without_classes(name for name in found.class_names if name in trained)


def left_out(origin: Origin) -> bool:
    """Whether classes of the trained data were kept from training."""
    return load(origin.data, "test").classes - len(origin.classes) >= 2


def other_data(origin: Origin) -> str:
    """The data set whose classes are new to a network, by the name of the trained one."""
    name = origin.data
    if name.startswith("omniglot"):
        return "mnist"
    if name in OTHER_DATA:
        return OTHER_DATA[name]
    hint = "--data NAME or --data FOLDER, with classes that were not trained"
    happened = f"all the classes of {name} were trained: there are none to evaluate on"
    raise InvalidArgumentError(message("evaluate", happened, hint=hint))


def evaluate_model(
    model: Model,
    new: PictureSet,
    trials: Trials,
    folder: Path | None = None,
    say: Say = lambda line: None,
    quick: bool = False,
) -> Evaluation:
    """Measures pairs of held-out pictures, and one-shot accuracy on `new` beside three baselines.

    The classifier among these is trained here, and kept in `folder` when one is given; `quick`
    leaves it out. With classes in groups, each draw is of one group.
    """
    embed = model.embedder()
    held_out = held_out_pictures(model)
    pairs = draw_pairs(held_out.labels, PAIRS)
    embedded = embed(held_out.images)
    distances = distances_of(embedded, pairs)
    known = embed(new.images)
    trained = {} if quick else {CLASSIFIER: classifier_features(model, new, folder, say)}
    methods = {
        OURS: known,
        **trained,
        UNTRAINED: untrained_features(model.recipe, new),
        PIXELS: new.floats().reshape(len(new), -1),
    }
    results = tuple(
        (name, one_shot(vectors, new.labels, trials, new.group_of_class()))
        for name, vectors in methods.items()
    )
    scores = score_pairs(distances, pairs.equal, model.threshold)
    return Evaluation(
        scores, distances, pairs.equal, held_out, embedded, new, known, results, trials
    )


def untrained_features(recipe: Recipe, new: PictureSet) -> np.ndarray:
    """Embeddings by a tower as it is before training."""
    set_seed(recipe.seed)
    return Embedder(build(Siamese(recipe)).tower, recipe.views)(new.images)


def classifier_features(model: Model, new: PictureSet, folder: Path | None, say: Say) -> np.ndarray:
    """Embeddings by a classifier of the same data; views averaged and scaled as the network's."""
    path = folder / f"classifier-{model.identity}.npz" if folder is not None else None
    network = build(Classifier(model.recipe, len(model.origin.classes)))
    if path is None or not restore(network, path):
        say("training the baseline, a classifier of the same pictures\n")
        trained, _, _ = prepare(model.origin.data, model.origin.classes)
        network = train_classifier(trained, model.recipe, say)
        if path is not None:
            for old in path.parent.glob("classifier-*.npz"):
                old.unlink()
            write_bytes(path, pack(network.get_weights()), "save classifier")
    return Embedder(network.tower, model.recipe.views)(new.images)


def restore(network: Classifier, path: Path) -> bool:
    """Puts a kept classifier's weights into the network; False when there are none usable."""
    if not path.is_file():
        return False
    try:
        set_weights(network, unpack(path.read_bytes(), path), path)
    except DataLossError:  # it costs only another training
        return False
    return True
