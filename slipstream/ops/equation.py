"""`einsum`: sums of products written as an equation over labelled axes."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from itertools import combinations
from typing import Any, NamedTuple

from slipstream.primitives.base import misfit
from slipstream.primitives.contraction import contract
from slipstream.primitives.operand import scalar
from slipstream.primitives.reduction import sum_
from slipstream.primitives.structure import pad, reshape, slice_, transpose
from slipstream.runtime.convert import convert_together
from slipstream.runtime.dispatch import operation

Labels = tuple[int, ...]


class Term(NamedTuple):
    """An operand and the label of each of its axes; an ellipsis' are -1, -2, ... from the last."""

    operand: Any
    labels: Labels

    def size(self, label: int) -> int:
        return int(self.operand.shape[self.labels.index(label)])


def _labels(text: str, rank: int | None, equation: str) -> Labels:
    """The labels of one side of an equation; `rank` is how many axes there are, if known."""
    before, dots, after = text.partition("...")
    letters = before + after
    if not all(c.isalpha() for c in letters):
        raise misfit(
            "einsum", f"{text!r} is no list of labels", "letters and ...", equation=equation
        )
    hidden = rank - len(letters) if rank is not None else 0
    if hidden < 0 or (hidden and not dots):
        happened = f"{text!r} has {len(letters)} labels, its operand {rank} axes"
        raise misfit("einsum", happened, "a label an axis, or an ellipsis", equation=equation)
    return (*map(ord, before), *range(-hidden, 0), *map(ord, after))


def _parse(equation: str, operands: Sequence[Any]) -> tuple[list[Term], Labels]:
    """The terms of the equation and the labels of its result."""
    inputs, arrow, output = equation.replace(" ", "").partition("->")
    texts = inputs.split(",")
    if len(texts) != len(operands):
        happened = f"the equation has {len(texts)} terms for {len(operands)} operands"
        raise misfit("einsum", happened, "a term an operand", equation=equation)
    terms = [
        Term(operand, _labels(text, operand.ndim, equation))
        for text, operand in zip(texts, operands, strict=True)
    ]
    hidden = min((label for term in terms for label in term.labels if label < 0), default=0)
    if arrow:
        return terms, _output(output, -hidden, terms, equation)
    counts = Counter(c for c in inputs if c.isalpha())
    once = sorted(ord(c) for c, n in counts.items() if n == 1)
    return terms, (*range(hidden, 0), *once)


def _output(text: str, hidden: int, terms: list[Term], equation: str) -> Labels:
    letters = text.replace("...", "", 1)
    labels = _labels(text, len(letters) + (hidden if "..." in text else 0), equation)
    known = {label for term in terms for label in term.labels}
    for label in labels:
        if label not in known:
            happened = f"the label {chr(label)!r} of the result is in no term"
            raise misfit("einsum", happened, "labels of the terms", equation=equation)
    return labels


def _check_sizes(terms: list[Term], equation: str) -> None:
    """Equal labels have equal sizes; those of an ellipsis may also be 1."""
    sizes: dict[int, int] = {}
    for term in terms:
        for label, size in zip(term.labels, term.operand.shape, strict=True):
            known = sizes.setdefault(label, size)
            if known == 1 and label < 0:
                sizes[label] = size
            elif size != known and not (size == 1 and label < 0):
                name = repr(chr(label)) if label >= 0 else "of the ellipsis"
                shown = {f"x{i}": t.operand.type for i, t in enumerate(terms)}
                happened = f"the label {name} stands for sizes {known} and {size}"
                raise misfit("einsum", happened, "one size", equation=equation, **shown)


def _diagonal(term: Term) -> Term:
    """The term with each repeated label once: the elements where the indices are equal."""
    for label, count in Counter(term.labels).items():
        if count > 1:
            first = term.labels.index(label)
            second = term.labels.index(label, first + 1)
            return _diagonal(_one_diagonal(term, first, second))
    return term


def _one_diagonal(term: Term, first: int, second: int) -> Term:
    """Axes of size n brought last, read as one of n n, and every (n + 1)th element taken."""
    x, rest = term.operand, [i for i in range(term.operand.ndim) if i not in (first, second)]
    n, kept = x.shape[first], tuple(term.operand.shape[i] for i in rest)
    flat = reshape(transpose(x, permutation=(*rest, first, second)), shape=(*kept, n * n))
    line = slice_(
        flat,
        starts=(0,) * (len(rest) + 1),
        stops=(*kept, n * n),
        steps=(1,) * len(rest) + (n + 1,),
    )
    return Term(line, (*(term.labels[i] for i in rest), term.labels[first]))


def _inflated(x: Any, labels: Labels, wanted: Labels) -> Any:
    """x with each axis as often as `wanted` repeats its label: zero off the diagonal."""
    for label, count in Counter(wanted).items():
        if count > labels.count(label):
            axis, n = labels.index(label), x.shape[labels.index(label)]
            gaps = tuple(n if i == axis else 0 for i in range(x.ndim))
            none = (0,) * x.ndim
            wide = pad(x, scalar(0, x.dtype), low=none, high=none, interior=gaps)
            shape = (*x.shape[:axis], n, n, *x.shape[axis + 1 :])
            return _inflated(
                reshape(wide, shape=shape), (*labels[: axis + 1], *labels[axis:]), wanted
            )
    return _ordered(x, labels, wanted)


def _ordered(x: Any, labels: Labels, wanted: Labels) -> Any:
    """x with its axes in the wanted order."""
    places: dict[int, list[int]] = {}
    for axis, label in enumerate(labels):
        places.setdefault(label, []).append(axis)
    order = tuple(places[label].pop(0) for label in wanted)
    return x if order == tuple(range(len(order))) else transpose(x, permutation=order)


def _without(term: Term, axes: Sequence[int]) -> Term:
    """The term without some of its axes, which have size 1."""
    kept = [i for i in range(len(term.labels)) if i not in axes]
    shape = tuple(term.operand.shape[i] for i in kept)
    return Term(reshape(term.operand, shape=shape), tuple(term.labels[i] for i in kept))


def _summed(term: Term, needed: set[int]) -> Term:
    """The term summed over its labels that nothing else needs."""
    axes = tuple(i for i, label in enumerate(term.labels) if label not in needed)
    if not axes:
        return term
    return Term(sum_(term.operand, axes=axes), tuple(i for i in term.labels if i in needed))


def _squeezed(terms: list[Term]) -> list[Term]:
    """The terms without the ellipsis axes of size 1 that another term repeats."""
    wide = {i for t in terms for i, n in zip(t.labels, t.operand.shape, strict=True) if n != 1}
    found = []
    for term in terms:
        sizes = enumerate(zip(term.labels, term.operand.shape, strict=True))
        axes = [i for i, (label, n) in sizes if n == 1 and label < 0 and label in wide]
        found.append(_without(term, axes) if axes else term)
    return found


def _joined(x: Term, y: Term, needed: Labels) -> Term:
    """The product of two terms, summed over the labels that are not needed."""
    x, y = _summed(x, {*needed, *y.labels}), _summed(y, {*needed, *x.labels})
    out = tuple(i for i in needed if i in x.labels or i in y.labels)
    product = contract(x.operand, y.operand, x_labels=x.labels, y_labels=y.labels, out_labels=out)
    return Term(product, out)


def _needed(terms: list[Term], pair: tuple[int, int], output: Labels) -> Labels:
    """The labels of the result, then those of the terms beside the pair."""
    others = (label for i, t in enumerate(terms) if i not in pair for label in t.labels)
    return tuple(dict.fromkeys((*output, *others)))


def _cost(terms: list[Term], pair: tuple[int, int], output: Labels) -> tuple[int, int]:
    """How much larger the product of a pair is than the pair; then how many multiplications."""
    x, y = (terms[i] for i in pair)
    sizes = {label: t.size(label) for t in (x, y) for label in t.labels}
    result = math.prod(sizes.get(label, 1) for label in _needed(terms, pair, output))
    return result - x.operand.type.size - y.operand.type.size, math.prod(sizes.values())


def _contracted(terms: list[Term], output: Labels) -> Term:
    """All terms as one: the pair whose product shrinks the most first."""
    while len(terms) > 1:
        costs = {p: _cost(terms, p, output) for p in combinations(range(len(terms)), 2)}
        pair = min(costs, key=costs.__getitem__)
        joined = _joined(terms[pair[0]], terms[pair[1]], _needed(terms, pair, output))
        terms = [*(t for i, t in enumerate(terms) if i not in pair), joined]
    return _summed(terms[0], set(output))


@operation
def einsum(equation: str, *inputs: Any, **options: Any) -> Any:
    """Sums of products of tensors by an equation of labels, as `tf.einsum`.

    The terms before `->` label the axes of the operands. A label that the result lacks is summed
    over. A label twice in a term takes the diagonal; twice in the result it makes one. `...`
    stands for further axes, which broadcast. Without `->` the result has the labels that occur
    once, in alphabetical order, after those of the ellipsis. Of three and more operands, the
    pair whose product shrinks the most is multiplied first; `optimize` and `name` are accepted.

    Raises InvalidArgumentError where the equation does not fit the operands.

    >>> import slipstream as tf
    >>> tf.einsum("ij,jk->ik", [[1, 2]], [[3], [4]]).numpy().tolist()
    [[11]]
    """
    unknown = set(options) - {"optimize", "name"}
    if unknown:
        raise TypeError(f"einsum() got an unexpected keyword argument {min(unknown)!r}")
    operands = convert_together(*inputs)
    terms, output = _parse(equation, operands)
    _check_sizes(terms, equation)
    terms = _squeezed([_diagonal(term) for term in terms])
    found = _contracted(terms, tuple(dict.fromkeys(output)))
    return _inflated(found.operand, found.labels, output)
