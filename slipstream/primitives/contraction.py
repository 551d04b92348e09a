"""Contraction: sums of products of two operands, the general form of matmul, tensordot and einsum.

`wide` and `blas_ready` are shared with convolution, which is a contraction over windows.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from slipstream.ir.graph import Array
from slipstream.ir.types import Shape, TensorType
from slipstream.primitives.base import Primitive, Pull, define, misfit
from slipstream.primitives.elementwise import NUMERIC, conj
from slipstream.primitives.families import same_dtype
from slipstream.primitives.samples import reals, sample

Labels = tuple[int, ...]


class Plan(NamedTuple):
    """How a contraction becomes one matrix product.

    The permutations bring the operands to [batch, rows, contracted] and [batch, contracted,
    columns], and the product [batch, rows, columns] to the wanted order; None leaves the order.
    """

    swapped: bool
    left: Labels | None
    right: Labels | None
    out: Labels | None
    batch: int
    rows: int
    contracted: int
    columns: int


def _permutation(wanted: Labels, labels: Labels) -> Labels | None:
    found = tuple(labels.index(label) for label in wanted)
    return None if found == tuple(range(len(found))) else found


@lru_cache(maxsize=4096)
def plan(x_labels: Labels, y_labels: Labels, out_labels: Labels) -> Plan:
    """The matrix product for a contraction; operands swap where that keeps the result in order."""
    batch = tuple(i for i in out_labels if i in x_labels and i in y_labels)
    free = [i for i in out_labels if i not in batch]
    swapped = bool(free) and free[0] in y_labels
    left, right = (y_labels, x_labels) if swapped else (x_labels, y_labels)
    rows = tuple(i for i in left if i not in right)
    contracted = tuple(i for i in left if i in right and i not in batch)
    columns = tuple(i for i in right if i not in left)
    return Plan(
        swapped,
        _permutation(batch + rows + contracted, left),
        _permutation(batch + contracted + columns, right),
        _permutation(out_labels, batch + rows + columns),
        len(batch),
        len(rows),
        len(contracted),
        len(columns),
    )


MATRICES = ((0, 1), (1, 2), (0, 2))  # the labels of a product of two matrices


def wide(x: Array) -> Array:
    """The array in the dtype its products are added up in: 16-bit floats in float32."""
    return x.astype(np.float32) if x.itemsize == 2 and x.dtype.kind not in "iu" else x


def blas_ready(x: Array) -> Array:
    """The array, copied where its last two strides are none BLAS can read (NumPy would loop)."""
    if x.flags.c_contiguous:
        return x
    (m, n), (down, across), item = x.shape[-2:], x.strides[-2:], x.itemsize
    by_rows = across == item and down >= n * item and down % item == 0
    by_columns = down == item and across >= m * item and across % item == 0
    return x if by_rows or by_columns else np.ascontiguousarray(x)


def _outer(x: Array, y: Array, step: Plan) -> Array:
    """A product without a contracted label: [batch, rows, 1...] * [batch, 1..., columns]."""
    apart = x.reshape(x.shape + (1,) * step.columns)
    return np.asarray(
        apart * y.reshape(y.shape[: step.batch] + (1,) * step.rows + y.shape[step.batch :])
    )


def _matrices(x: Array, y: Array, step: Plan) -> Array:
    """The product of [batch, rows, contracted] and [batch, contracted, columns]."""
    if step.rows == step.contracted == step.columns == 1:
        return np.asarray(np.matmul(blas_ready(x), blas_ready(y)))
    batch, end = x.shape[: step.batch], step.batch + step.rows
    rows, contracted = x.shape[step.batch : end], x.shape[end:]
    columns = y.shape[step.batch + step.contracted :]
    inner = int(np.prod(contracted))
    a = blas_ready(x.reshape(*batch, int(np.prod(rows)), inner))
    b = blas_ready(y.reshape(*batch, inner, int(np.prod(columns))))
    return np.asarray(np.matmul(a, b)).reshape(batch + rows + columns)


def _contract(
    x: Array, y: Array, *, x_labels: Labels, y_labels: Labels, out_labels: Labels
) -> Array:
    if (x_labels, y_labels, out_labels) == MATRICES and x.itemsize > 2:  # most of them
        return np.asarray(np.matmul(blas_ready(x), blas_ready(y)))
    step = plan(x_labels, y_labels, out_labels)
    dtype, left, right = x.dtype, wide(x), wide(y)
    if step.swapped:
        left, right = right, left
    left = left if step.left is None else left.transpose(step.left)
    right = right if step.right is None else right.transpose(step.right)
    if not step.contracted:
        out = _outer(left, right, step)
    elif step.batch and not step.rows and not step.columns:
        out = np.einsum("...i,...i->...", *_flat_pair(left, right, step.batch))
    else:
        out = _matrices(left, right, step)
    out = out if step.out is None else out.transpose(step.out)
    return out if out.dtype == dtype else out.astype(dtype)


def _flat_pair(x: Array, y: Array, batch: int) -> tuple[Array, Array]:
    shape = (*x.shape[:batch], int(np.prod(x.shape[batch:])))
    return x.reshape(shape), y.reshape(shape)


@lru_cache(maxsize=4096)
def _fitting(x_labels: Labels, y_labels: Labels, out_labels: Labels) -> bool:
    """Whether each label occurs once in an operand, and is nowhere left out or made up."""
    groups = (x_labels, y_labels, out_labels)
    x, y, out = map(set, groups)
    return all(len(g) == len(set(g)) for g in groups) and x ^ y <= out <= x | y


def _contract_rule(
    x: TensorType, y: TensorType, *, x_labels: Labels, y_labels: Labels, out_labels: Labels
) -> TensorType:
    dtype = same_dtype("contract", (x, y))
    if dtype not in NUMERIC:
        raise misfit("contract", "the dtype cannot be multiplied", "a number", x=x, y=y)
    if (len(x_labels), len(y_labels)) != (x.rank, y.rank) or not _fitting(
        x_labels, y_labels, out_labels
    ):
        raise misfit(
            "contract",
            "the labels are no contraction",
            "a label an axis, once an operand; those of one operand only in the output too",
            x=x,
            y=y,
            labels=(x_labels, y_labels, out_labels),
        )
    sizes = dict(zip(x_labels, x.shape, strict=True))
    for axis, (label, size) in enumerate(zip(y_labels, y.shape, strict=True)):
        if sizes.setdefault(label, size) != size:
            first = x_labels.index(label)
            raise misfit(
                "contract",
                f"axis {first} of x has size {sizes[label]}, but axis {axis} of y has {size}",
                "equal sizes on axes that go together",
                x=x,
                y=y,
            )
    return TensorType(tuple(sizes[label] for label in out_labels), dtype)


def _contract_derivative(pull: Pull) -> list[Any]:
    (x, y), p = pull.inputs, pull.params
    a, b, c = p["x_labels"], p["y_labels"], p["out_labels"]
    return [
        contract(pull.g, conj(y), x_labels=c, y_labels=b, out_labels=a) if pull.wanted[0] else None,
        contract(conj(x), pull.g, x_labels=a, y_labels=c, out_labels=b) if pull.wanted[1] else None,
    ]


def _labelled(x: Shape, y: Shape, text: str) -> Any:
    """A sample of two shapes with its labels written as letters: "ij,jk->ik"."""
    inputs, out = text.split("->")
    a, b, c = (tuple(map(ord, part)) for part in (*inputs.split(","), out))
    return sample(reals(*x), reals(*y), x_labels=a, y_labels=b, out_labels=c)


contract = define(
    Primitive(
        "contract",
        "contraction",
        _contract_rule,
        _contract,
        _contract_derivative,
        samples=(
            _labelled((3, 17), (17, 5), "ij,jk->ik"),
            _labelled((17, 3), (5, 17), "ji,kj->ki"),
            _labelled((2, 1, 3), (3, 1), "abi,ij->abj"),
            _labelled((2, 5, 3, 4), (2, 7, 3, 4), "bthd,bshd->bhts"),
            _labelled((3, 2, 4), (4, 5, 2, 3), "abc,cdba->d"),
            _labelled((3, 4), (3, 4), "ij,ij->i"),
            _labelled((3, 4), (3, 4), "ij,ij->"),
            _labelled((3, 2), (2, 5), "ij,jk->kji"),
            _labelled((3,), (4,), "i,j->ji"),
            _labelled((), (3, 2), ",ij->ij"),
            _labelled((3, 0), (0, 2), "ij,jk->ik"),
            _labelled((0, 3), (3, 2), "ij,jk->ik"),
        ),
        facts={"dtypes": NUMERIC},
        doc="Sums of products over the labels that both inputs have and the output has not",
    )
)


def matrix_product(x: Any, y: Any, transpose_x: bool = False, transpose_y: bool = False) -> Any:
    """x y of operands [..., m, k] and [..., k, n] with equal leading axes, or their transposes."""
    batch = tuple(range(len(x.shape) - 2))
    m, k, n = len(batch), len(batch) + 1, len(batch) + 2
    return contract(
        x,
        y,
        x_labels=(*batch, k, m) if transpose_x else (*batch, m, k),
        y_labels=(*batch, n, k) if transpose_y else (*batch, k, n),
        out_labels=(*batch, m, n),
    )
