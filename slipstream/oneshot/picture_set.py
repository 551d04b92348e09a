"""Labelled 28x28 pictures: what every data set becomes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from slipstream.errors import InvalidArgumentError, message
from slipstream.oneshot.pictures import to_floats


@dataclass(frozen=True)
class PictureSet:
    """Pictures with their classes.

    `images` is uint8 `[n, 28, 28]`, light ink on dark; `labels` int64 `[n]`, indexes into
    `class_names`; `class_groups` names the group of each class (for Omniglot its alphabet), and is
    empty for sets without groups.

    >>> drawings = PictureSet("two", np.zeros((3, 28, 28), np.uint8), np.array([0, 1, 1]),
    ...                       ("dot", "line"))
    >>> len(drawings), drawings.counts().tolist(), drawings.of_classes(["line"]).labels.tolist()
    (3, [1, 2], [0, 0])
    """

    name: str
    images: np.ndarray
    labels: np.ndarray
    class_names: tuple[str, ...]
    class_groups: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.images)

    @property
    def classes(self) -> int:
        """How many classes there are."""
        return len(self.class_names)

    @property
    def group_names(self) -> tuple[str, ...]:
        """The groups, sorted."""
        return tuple(sorted(set(self.class_groups)))

    def group_of_class(self) -> np.ndarray | None:
        """For each class the index of its group in `group_names`, int64; None without groups."""
        if not self.class_groups:
            return None
        order = {name: index for index, name in enumerate(self.group_names)}
        return np.array([order[name] for name in self.class_groups], np.int64)

    def counts(self) -> np.ndarray:
        """How many pictures each class has, int64 `[classes]`."""
        return np.bincount(self.labels, minlength=self.classes)

    def floats(self) -> np.ndarray:
        """The pictures as float32 `[n, 28, 28]` in 0 to 1."""
        return to_floats(self.images)

    def rows(self, rows: np.ndarray) -> PictureSet:
        """Some of the pictures, with all the classes."""
        return replace(self, images=self.images[rows], labels=self.labels[rows])

    def of_classes(self, wanted: Iterable[int | str]) -> PictureSet:
        """Only these classes, by index or name, numbered anew in the order given."""
        old = [self.class_index(one) for one in wanted]
        new = np.full(self.classes, -1, np.int64)
        new[old] = np.arange(len(old))
        keep = new[self.labels] >= 0
        return replace(
            self,
            images=self.images[keep],
            labels=new[self.labels[keep]],
            class_names=tuple(self.class_names[index] for index in old),
            class_groups=tuple(self.class_groups[index] for index in old if self.class_groups),
        )

    def without_classes(self, unwanted: Iterable[int | str]) -> PictureSet:
        """All classes but these."""
        dropped = {self.class_index(one) for one in unwanted}
        return self.of_classes(index for index in range(self.classes) if index not in dropped)

    def of_groups(self, wanted: Sequence[str]) -> PictureSet:
        """Only the classes of these groups; a name that is no group raises."""
        unknown = sorted(set(wanted) - set(self.class_groups))
        if unknown:
            self.refuse("unknown groups", ", ".join(unknown), f"some of {self.group_names}")
        kept = [index for index, group in enumerate(self.class_groups) if group in set(wanted)]
        return self.of_classes(kept)

    def without_groups(self, unwanted: Iterable[str]) -> PictureSet:
        """The classes of all groups but these, which need not be there."""
        dropped = set(unwanted)
        return self.of_groups([name for name in self.group_names if name not in dropped])

    def hold_out(self, fraction: float, seed: int = 0) -> tuple[PictureSet, PictureSet]:
        """(the rest, the held out): of each class, `fraction` of its pictures at random."""
        random = np.random.default_rng(seed)
        held = np.zeros(len(self), bool)
        for label in range(self.classes):
            rows = random.permutation(np.flatnonzero(self.labels == label))
            held[rows[: round(fraction * len(rows))]] = True
        return self.rows(~held), self.rows(held)

    def merge(self, other: PictureSet, name: str) -> PictureSet:
        """Both sets' classes; of a class that both have, only this set's pictures."""
        added = other.without_classes(n for n in self.class_names if n in set(other.class_names))
        return PictureSet(
            name,
            np.concatenate([self.images, added.images]),
            np.concatenate([self.labels, added.labels + self.classes]),
            self.class_names + added.class_names,
            self.class_groups + added.class_groups,
        )

    def class_index(self, wanted: int | str) -> int:
        """The index of a class given by index or name."""
        if isinstance(wanted, str) and wanted in self.class_names:
            return self.class_names.index(wanted)
        if not isinstance(wanted, str) and 0 <= wanted < self.classes:
            return int(wanted)
        return self.refuse("unknown class", repr(wanted), f"one of {self.class_names}")

    def refuse(self, happened: str, received: str, expected: str) -> int:
        """Raises the error of a class or group that is not in the set."""
        text = message(
            "PictureSet",
            f"{happened} in {self.name}",
            expected=expected,
            received={"wanted": received},
        )
        raise InvalidArgumentError(text)
