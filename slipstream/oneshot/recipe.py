"""What a training is made of: every choice in one record, and a few that are known to work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from slipstream.errors import InvalidArgumentError, message
from slipstream.oneshot.affine import AffineRange

PAIR_LOSSES = ("contrastive", "cross-entropy")
BATCH_LOSSES = ("triplet", "prototypical", "supervised-contrastive", "proxies")
LOSSES = PAIR_LOSSES + BATCH_LOSSES


@dataclass(frozen=True)
class Recipe:
    """How a network is built and trained.

    `loss` is one of `LOSSES`: the first two look at pairs, the others at whole batches of `ways`
    classes with `each` pictures (pairs: `ways * each` pictures in as many halves). `channels` are
    those of the convolutions, each followed by pooling while the picture is large enough, and by
    `residual` further ones whose result is added to what they get; `embedding` the size of what
    comes out. `pairs` is the weight, beside a batch loss, of the similarity's cross-entropy on all
    pairs of the batch. `margin` is for `contrastive` and `triplet`,
    `temperature` for the other batch losses. With `projected`, the loss sees embeddings through a
    last dense layer, and what comes before that layer is the embedding that is used: it keeps
    more of what tells classes apart that were never trained.

    `augmentation` scales how far affine views go (0: none), `erase` is the share of pictures with
    a rectangle wiped out, `thicken` how much wider strokes may become. `turns` adds classes turned
    by right angles as further classes, `halves` every upper half of one class over the lower half
    of another. Pixels are raised to the power `gamma`: below 1, faint parts count more. `views`
    pictures are averaged when embedding. With `mirrored`, right and left are the same: random views
    are mirrored, and so is every second of those averaged.

    Raises `InvalidArgumentError` for values no training can use.

    >>> Recipe(loss="triplet", margin=0.3).loss
    'triplet'
    """

    loss: str = "supervised-contrastive"
    epochs: int = 10
    steps: int = 100
    ways: int = 20
    each: int = 5
    learning_rate: float = 0.002
    channels: tuple[int, ...] = (32, 64, 128)
    residual: int = 0
    embedding: int = 64
    margin: float = 0.5
    temperature: float = 0.1
    pairs: float = 0.0
    projected: bool = False
    augmentation: float = 1.0
    erase: float = 0.0
    thicken: float = 0.0
    turns: bool = False
    halves: bool = False
    mirrored: bool = False
    gamma: float = 1.0
    views: int = 4
    seed: int = 0

    def __post_init__(self) -> None:
        for name, wrong, expected in self.faults():
            if wrong:
                received = {name: repr(getattr(self, name))}
                text = message("recipe", f"unusable {name}", expected=expected, received=received)
                raise InvalidArgumentError(text)

    def faults(self) -> list[tuple[str, bool, str]]:
        """For every checked entry: whether it is wrong, and what would be right."""
        counts = [
            (name, getattr(self, name) < least, f"at least {least}")
            for name, least in LEAST.items()
        ]
        positive = [
            (name, not 0 < getattr(self, name) < float("inf"), "a positive number")
            for name in ("learning_rate", "margin", "temperature", "gamma")
        ]
        shares = [
            ("augmentation", not 0 <= self.augmentation <= 5, "0 to 5"),
            ("erase", not 0 <= self.erase <= 1, "0 to 1"),
            ("thicken", not 0 <= self.thicken <= 1, "0 to 1"),
            ("pairs", not 0 <= self.pairs < float("inf"), "zero or a positive number"),
        ]
        return [
            ("loss", self.loss not in LOSSES, f"one of {', '.join(LOSSES)}"),
            ("channels", not self.channels or min(self.channels) < 1, "one or more, all positive"),
            *counts,
            *positive,
            *shares,
        ]

    @property
    def on_pairs(self) -> bool:
        """Whether the loss looks at pairs."""
        return self.loss in PAIR_LOSSES

    @property
    def ranges(self) -> AffineRange:
        """How far training's random views go."""
        far = self.augmentation
        return AffineRange(15 * far, 0.2 * far, 0.2 * far, 2 * far)

    def to_json(self) -> dict[str, Any]:
        """The choices as JSON can hold them."""
        return asdict(self) | {"channels": list(self.channels)}

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> Recipe:
        """The recipe of `to_json`; entries it does not know are an `InvalidArgumentError`."""
        known = {field.name for field in fields(Recipe)}
        if unknown := sorted(set(values) - known):
            text = message("recipe", f"unknown entries {unknown}", expected=f"{sorted(known)}")
            raise InvalidArgumentError(text)
        return Recipe(**{**values, "channels": tuple(values.get("channels", Recipe.channels))})


LEAST = {
    "epochs": 1,
    "steps": 1,
    "ways": 2,
    "each": 2,
    "residual": 0,
    "embedding": 1,
    "views": 1,
    "seed": 0,
}

GENERAL = Recipe()
CLOTHES = replace(
    GENERAL,
    loss="proxies",
    pairs=1.0,
    epochs=8,
    steps=500,
    ways=10,
    each=10,
    residual=1,
    mirrored=True,
    erase=0.2,
    augmentation=0.4,
)
DRAWINGS = replace(GENERAL, ways=25, each=4, thicken=1.0, turns=True)


def recipe_for(data: str) -> Recipe:
    """The choices that suit a data set, by its name."""
    if data.startswith("omniglot"):
        return DRAWINGS
    return CLOTHES if data == "fashion-mnist" else GENERAL
