"""Products of matrices and tensors: matmul, matvec, tensordot, einsum.

All of them are the primitive `contract`, which sums the products over the labels that two operands
share.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from slipstream.ir.dtypes import as_dtype
from slipstream.ops.equation import einsum
from slipstream.primitives.base import misfit
from slipstream.primitives.contraction import contract
from slipstream.primitives.elementwise import cast, conj
from slipstream.primitives.structure import reshape
from slipstream.runtime.convert import convert_together
from slipstream.runtime.dispatch import operation
from slipstream.runtime.operators import Operators


def _aligned(name: str, x: Any, y: Any) -> tuple[Any, Any, Any, Any, Any]:
    """Both operands without the batch axes of size 1 that the other repeats; all batch labels."""
    a, b = x.type.shape[:-2], y.type.shape[:-2]
    if a == b:
        labels = tuple(range(len(a)))
        return x, y, labels, labels, labels
    rank = max(len(a), len(b))
    a, b = (None,) * (rank - len(a)) + a, (None,) * (rank - len(b)) + b
    if any(None not in (n, m) and n != m and 1 not in (n, m) for n, m in zip(a, b, strict=True)):
        raise misfit(
            name, "the batch sizes do not broadcast", "equal sizes, or 1", a=x.type, b=y.type
        )
    left = [i for i in range(rank) if a[i] is not None and (a[i] != 1 or b[i] in (None, 1))]
    right = [i for i in range(rank) if b[i] is not None and (b[i] != 1 or a[i] in (None, 1))]
    return _only(x, a, left), _only(y, b, right), left, right, range(rank)


def _only(x: Any, sizes: tuple[Any, ...], labels: list[int]) -> Any:
    """x with its last two axes and those of its batch axes that have a label."""
    shape = (*(sizes[i] for i in labels), *x.type.shape[-2:])
    return x if shape == x.type.shape else reshape(x, shape=shape)


def _product(name: str, x: Any, y: Any, transpose_x: bool, transpose_y: bool) -> Any:
    x, y, left, right, out = _aligned(name, x, y)
    m, k, n = len(out), len(out) + 1, len(out) + 2
    return contract(
        x,
        y,
        x_labels=(*left, k, m) if transpose_x else (*left, m, k),
        y_labels=(*right, n, k) if transpose_y else (*right, k, n),
        out_labels=(*out, m, n),
    )


def _are_matrices(a: Any, b: Any) -> bool:
    """Whether both have rank 2 and inner sizes that are equal, as most have."""
    left, right = a.type.shape, b.type.shape
    return len(left) == 2 == len(right) and left[1] == right[0]


def _check_matrices(name: str, a: Any, b: Any, turned_a: bool, turned_b: bool) -> None:
    """InvalidArgumentError unless both are matrices whose inner sizes are equal."""
    left, right = a.type.shape, b.type.shape
    if len(left) < 2 or len(right) < 2:
        happened = f"an operand of rank {min(len(left), len(right))} is no matrix"
        raise misfit(name, happened, "rank 2 or more", a=a.type, b=b.type)
    inner, other = left[-2 if turned_a else -1], right[-1 if turned_b else -2]
    if inner != other:
        flags = {k: True for k, v in (("transpose_a", turned_a), ("transpose_b", turned_b)) if v}
        raise misfit(
            name,
            f"the inner sizes differ: {inner} of a, {other} of b",
            "[..., m, k] and [..., k, n]",
            a=a.type,
            b=b.type,
            **flags,
        )


@operation
def matmul(
    a: Any,
    b: Any,
    transpose_a: bool = False,
    transpose_b: bool = False,
    adjoint_a: bool = False,
    adjoint_b: bool = False,
    a_is_sparse: bool = False,
    b_is_sparse: bool = False,
    output_type: Any = None,
    name: str | None = None,
) -> Any:
    """The matrix product of `a` [..., m, k] and `b` [..., k, n], as `tf.linalg.matmul`.

    Leading axes broadcast. Each operand may be transposed, or transposed and conjugated
    (`adjoint`). The result has the operands' dtype, or `output_type`, in which the products are
    then formed. `a_is_sparse` and `b_is_sparse` are hints without an effect.

    Raises InvalidArgumentError where an operand is no matrix or the inner sizes differ.

    >>> import slipstream as tf
    >>> tf.matmul([[1, 2]], [[3], [4]]).numpy().tolist()
    [[11]]
    """
    a, b = convert_together(a, b)
    if output_type is not None:
        a, b = cast(a, dtype=as_dtype(output_type)), cast(b, dtype=as_dtype(output_type))
    if not (transpose_a or transpose_b or adjoint_a or adjoint_b) and _are_matrices(a, b):
        return contract(a, b, x_labels=(0, 1), y_labels=(1, 2), out_labels=(0, 2))
    if (transpose_a and adjoint_a) or (transpose_b and adjoint_b):
        raise misfit("matmul", "an operand is both transposed and adjoint", "only one of them")
    turned_a, turned_b = transpose_a or adjoint_a, transpose_b or adjoint_b
    _check_matrices("matmul", a, b, turned_a, turned_b)
    a, b = conj(a) if adjoint_a else a, conj(b) if adjoint_b else b
    return _product("matmul", a, b, turned_a, turned_b)


@operation
def matvec(
    a: Any,
    b: Any,
    transpose_a: bool = False,
    adjoint_a: bool = False,
    a_is_sparse: bool = False,
    b_is_sparse: bool = False,
    name: str | None = None,
) -> Any:
    """The matrices `a` [..., m, k] times the vectors `b` [..., k], as `tf.linalg.matvec`.

    Leading axes broadcast; the result is [..., m]. Raises InvalidArgumentError where the inner
    sizes differ.

    >>> import slipstream as tf
    >>> tf.linalg.matvec([[1, 2], [3, 4]], [1, 1]).numpy().tolist()
    [3, 7]
    """
    a, b = convert_together(a, b)
    if b.ndim < 1:
        raise misfit("matvec", "b is no vector", "[..., m, k] and [..., k]", a=a.type, b=b.type)
    turned = transpose_a or adjoint_a
    column = reshape(b, shape=(*b.shape, 1))
    _check_matrices("matvec", a, column, turned, False)
    product = _product("matvec", conj(a) if adjoint_a else a, column, turned, False)
    return reshape(product, shape=tuple(product.shape[:-1]))


def _tensordot_axes(a: Any, b: Any, axes: Any) -> tuple[list[int], list[int]]:
    """The axes of `a` and of `b` that are summed over, counted from 0."""
    if isinstance(axes, (int, np.integer)):
        pairs: tuple[Any, Any] = (range(a.ndim - int(axes), a.ndim), range(int(axes)))
    else:
        first, second = axes
        pairs = (np.atleast_1d(first).tolist(), np.atleast_1d(second).tolist())
    found = [
        [i + t.ndim if i < 0 else i for i in map(int, group)]
        for t, group in zip((a, b), pairs, strict=True)
    ]
    fits = len(found[0]) == len(found[1]) and all(
        len(set(group)) == len(group) and all(0 <= i < t.ndim for i in group)
        for t, group in zip((a, b), found, strict=True)
    )
    if not fits:
        expected = "as many distinct axes of a as of b"
        raise misfit("tensordot", "the axes do not fit", expected, a=a.type, b=b.type, axes=axes)
    return found[0], found[1]


@operation
def tensordot(a: Any, b: Any, axes: Any, name: str | None = None) -> Any:
    """The sum of products of `a` and `b` over pairs of axes, as `tf.tensordot`.

    `axes` is a number n (the last n axes of `a` with the first n of `b`; 0 gives the outer
    product), or two lists of axes. The result has the other axes of `a`, then those of `b`.
    Raises InvalidArgumentError where the axes or their sizes do not fit.

    >>> import slipstream as tf
    >>> tf.tensordot([1, 2], [3, 4], axes=1).numpy()
    np.int32(11)
    """
    a, b = convert_together(a, b)
    left, right = _tensordot_axes(a, b, axes)
    for i, j in zip(left, right, strict=True):
        if a.shape[i] != b.shape[j]:
            raise misfit(
                "tensordot",
                f"axis {i} of a has size {a.shape[i]}, axis {j} of b {b.shape[j]}",
                "equal sizes",
                a=a.type,
                b=b.type,
                axes=axes,
            )
    x_labels = tuple(range(a.ndim))
    y_labels = [a.ndim + i for i in range(b.ndim)]
    for i, j in zip(left, right, strict=True):
        y_labels[j] = i
    out = tuple(i for i in (*x_labels, *y_labels) if (i in x_labels) != (i in y_labels))
    return contract(a, b, x_labels=x_labels, y_labels=tuple(y_labels), out_labels=out)


Operators.hooks["matmul"] = matmul

__all__ = ["einsum", "matmul", "matvec", "tensordot"]
