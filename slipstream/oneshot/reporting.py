"""From a model and its evaluation to the data of the report page."""

from __future__ import annotations

import numpy as np

from slipstream.oneshot.accuracy import Match, nearest_and_worst
from slipstream.oneshot.evaluate import Evaluation
from slipstream.oneshot.projection import project
from slipstream.oneshot.report import (
    Comparison,
    Confusion,
    EmbeddingMap,
    Example,
    PairDistances,
    ReportData,
)
from slipstream.oneshot.storage import Model
from slipstream.oneshot.strangers import nearest_pairs
from slipstream.oneshot.training import clock

MAPPED = 700  # pictures in the map, trained and new each: t-SNE takes seconds for these
SHOWN = 8
DRAWS = 20  # of known examples, in the part on what is unknown


def report_data(model: Model, found: Evaluation) -> ReportData:
    """Everything the page of `report.write_report` shows."""
    nearest, worst = nearest_and_worst(found.new_embeddings, found.new.labels, SHOWN)
    own = found.result
    return ReportData(
        title=f"One-shot classification: {model.origin.data}",
        summary=summary(model, found),
        numbers=numbers(model, found),
        facts=facts(model, found),
        comparisons=[comparison(found)],
        history=model.history,
        pairs=PairDistances(
            found.distances[found.equal], found.distances[~found.equal], model.threshold
        ),
        nearest_pairs=known_or_not(model, found),
        map=embedding_map(found, model.recipe.seed),
        confusion=Confusion(own.confusion, [found.new.class_names[one] for one in own.classes]),
        nearest=[example(found, match) for match in nearest],
        worst=[example(found, match) for match in worst],
    )


def known_or_not(model: Model, found: Evaluation) -> PairDistances:
    """How far pictures of new classes are from the example of their own, and of the others."""
    distances, own = nearest_pairs(found.new_embeddings, found.new.labels, DRAWS)
    return PairDistances(distances[own], distances[~own], model.unknown_beyond)


def summary(model: Model, found: Evaluation) -> str:
    """The page's first sentences."""
    own = found.result
    best_name, best = max(found.methods[1:], key=lambda one: one[1].interval.mean)
    return (
        f"A siamese network trained on {len(model.origin.classes)} classes of {model.origin.data} "
        f"tells {own.ways} classes it never saw apart from one example each: "
        f"{own.interval.mean:.1%} right, where {best_name} come to {best.interval.mean:.1%} "
        f"and guessing to {own.chance:.1%}."
    )


def numbers(model: Model, found: Evaluation) -> dict[str, str]:
    """The few results to see first."""
    own = found.result
    return {
        f"{own.ways}-way one-shot accuracy": f"{own.interval.mean:.1%}",
        "held-out pairs told right": f"{found.pairs.accuracy:.1%}",
        "area under the ROC curve": f"{found.pairs.area:.4f}",
        "training": f"{clock(model.seconds)} min",
    }


def facts(model: Model, found: Evaluation) -> dict[str, str]:
    """How the results came about."""
    weights = sum(int(array.size) for array in model.network.tower.get_weights())
    return {
        "trained on": f"{model.origin.data}: {', '.join(model.origin.classes[:12])}"
        + (f" and {len(model.origin.classes) - 12} more" * (len(model.origin.classes) > 12)),
        "new classes": f"{found.new.name}: {', '.join(found.new.class_names[:12])}"
        + (f" and {found.new.classes - 12} more" * (found.new.classes > 12)),
        **{name.replace("_", " "): str(value) for name, value in model.recipe.to_json().items()},
        "weights of the tower": f"{weights:,}",
        "draws of the known example": str(found.trials.draws),
        "model": model.identity,
    }


def comparison(found: Evaluation) -> Comparison:
    """The network beside its baselines."""
    own = found.result
    task = f"{found.new.name}: {own.ways}-way, {own.shots}-shot"
    rows = [(name, result.interval) for name, result in found.methods]
    text = f"{len(found.new):,} pictures of {found.new.classes} classes; {len(own.draws)} draws."
    return Comparison(task, rows, own.chance, text)


def embedding_map(found: Evaluation, seed: int) -> EmbeddingMap:
    """Trained and new classes in two dimensions."""
    random = np.random.default_rng(seed)
    old = random.permutation(len(found.held_out))[:MAPPED]
    new = random.permutation(len(found.new))[:MAPPED]
    vectors = np.concatenate([found.held_out_embeddings[old], found.new_embeddings[new]])
    places, method = project(vectors, seed=seed)
    labels = [found.held_out.labels[old], found.new.labels[new] + found.held_out.classes]
    names = found.held_out.class_names + found.new.class_names
    fresh = np.arange(len(names)) >= found.held_out.classes
    return EmbeddingMap(places, np.concatenate(labels), names, fresh, method)


def example(found: Evaluation, match: Match) -> Example:
    """A picture beside the known one it was given to."""
    images, labels, names = found.new.images, found.new.labels, found.new.class_names
    return Example(
        images[match.query],
        names[labels[match.query]],
        images[match.answer],
        names[labels[match.answer]],
        match.distance,
    )
