"""Counting: bincount, histograms and confusion matrices.

How many bins there are is part of a result's shape. Where it follows from the data, the data must
be known: inside a traced function the number has to be given.
"""

from __future__ import annotations

from typing import Any

from slipstream.ir.dtypes import as_dtype, int32, int64
from slipstream.ir.types import TensorType
from slipstream.ops.axes import axis_of, known
from slipstream.primitives import elementwise as p
from slipstream.primitives.base import misfit
from slipstream.primitives.operand import ones, zeros
from slipstream.primitives.scattering import scatter_add
from slipstream.primitives.structure import iota, reshape, slice_along
from slipstream.runtime.convert import convert, convert_together
from slipstream.runtime.dispatch import operation
from slipstream.runtime.tensor import constant_value


def _bins(name: str, size: str, *tensors: Any) -> int:
    """One more than the largest index; an error where it is not known yet."""
    arrays = [constant_value(t) for t in tensors]
    largest = -1
    for array in arrays:
        if array is None:
            raise misfit(
                name, "the number of bins is only known when the program runs", f"{size} given"
            )
        largest = max(largest, int(array.max()) if array.size else -1)
    return largest + 1


def _not_negative(name: str, tensor: Any) -> None:
    array = constant_value(tensor)
    if array is not None and array.size and array.min() < 0:
        raise misfit(name, "an index is negative", "0 or more", index=int(array.min()))


def _counted(indices: Any, weights: Any, size: int) -> Any:
    """The sum of the weights of each index in [0, size), row by row; others are left out."""
    rows = indices.type.shape[0]
    if not size:
        return zeros(TensorType((rows, 0), weights.dtype))
    indices = p.cast(indices, dtype=int64)
    inside = _is_class(indices, size)
    row = iota(shape=indices.type.shape, axis=0, dtype=int64)
    place = p.where(inside, p.add(indices, p.multiply(row, row.coerce(size))), 0)
    empty = zeros(TensorType((rows * size,), weights.dtype))
    flat = (indices.type.size,)
    weights = reshape(p.where(inside, weights, 0), shape=flat)
    return reshape(scatter_add(empty, reshape(place, shape=flat), weights), shape=(rows, size))


def _size(name: str, arr: Any, minlength: Any, maxlength: Any) -> int:
    low = 0 if minlength is None else int(known(minlength, name, "minlength"))
    high = None if maxlength is None else int(known(maxlength, name, "maxlength"))
    if high is not None and low >= high:
        return high
    size = max(_bins(name, "minlength equal to maxlength", arr), low)
    return size if high is None else min(size, high)


@operation
def bincount(
    arr: Any,
    weights: Any = None,
    minlength: Any = None,
    maxlength: Any = None,
    dtype: Any = int32,
    name: str | None = None,
    axis: Any = None,
    binary_output: bool = False,
) -> Any:
    """How often each of 0, 1, 2, ... occurs in `arr`, or the sum of its `weights`.

    The result has as many bins as the largest number needs, at least `minlength` and at most
    `maxlength`; numbers beyond are left out. With `axis=-1` each row of a matrix is counted by
    itself. `binary_output` tells whether a number occurs at all, as 1 or 0. The dtype is `dtype`,
    or that of the weights.

    Raises InvalidArgumentError for negative numbers, and where the number of bins is not known.

    >>> import slipstream as tf
    >>> tf.math.bincount([1, 3, 3]).numpy().tolist()
    [0, 1, 0, 2]
    """
    arr = convert(arr)
    _not_negative("bincount", arr)
    size = _size("bincount", arr, minlength, maxlength)
    values = (
        ones(TensorType(arr.type.shape, as_dtype(dtype))) if weights is None else convert(weights)
    )
    by_row = axis is not None and len(arr.shape) == 2 and axis_of(axis, 2, "bincount") == 1
    shape = tuple(arr.type.shape) if by_row else (1, arr.type.size)
    found = _counted(reshape(arr, shape=shape), reshape(values, shape=shape), size)
    if binary_output:
        found = p.cast(p.not_equal(found, found.coerce(0)), dtype=found.dtype)
    return found if by_row else reshape(found, shape=(size,))


@operation
def histogram_fixed_width_bins(
    values: Any, value_range: Any, nbins: Any = 100, dtype: Any = int32, name: str | None = None
) -> Any:
    """The bin of each value, of `nbins` equal ones over `value_range` = [low, high].

    Values below fall into the first bin, values above into the last.

    >>> import slipstream as tf
    >>> tf.histogram_fixed_width_bins([-1., 0., 2., 5., 15.], [0., 5.], nbins=5).numpy().tolist()
    [0, 0, 2, 4, 4]
    """
    values, ends = convert_together(values, value_range)
    count = int(known(nbins, "histogram_fixed_width_bins", "nbins"))
    _check_range(ends, count)
    low, high = (reshape(slice_along(ends, 0, i, i + 1), shape=()) for i in range(2))
    place = p.divide(p.subtract(values, low), p.subtract(high, low))
    scaled = p.floor(p.multiply(place, place.coerce(count)))
    last = scaled.coerce(count - 1)
    inside = p.minimum(p.maximum(scaled, scaled.coerce(0)), last)
    return p.cast(inside, dtype=as_dtype(dtype))


def _check_range(ends: Any, count: int) -> None:
    array = constant_value(ends)
    if tuple(ends.shape) != (2,) or count < 1 or (array is not None and not array[0] < array[1]):
        raise misfit(
            "histogram_fixed_width",
            "these are no bins",
            "value_range [low, high] with low < high, and nbins > 0",
            value_range=ends.type if array is None else array.tolist(),
            nbins=count,
        )


@operation
def histogram_fixed_width(
    values: Any, value_range: Any, nbins: Any = 100, dtype: Any = int32, name: str | None = None
) -> Any:
    """How many values fall into each of `nbins` equal bins over `value_range` = [low, high].

    >>> import slipstream as tf
    >>> tf.histogram_fixed_width([-1., 0., 2., 5., 15.], [0., 5.], nbins=5).numpy().tolist()
    [2, 0, 1, 0, 2]
    """
    count = int(known(nbins, "histogram_fixed_width", "nbins"))
    bins = histogram_fixed_width_bins(values, value_range, count)
    return bincount(bins, minlength=count, maxlength=count, dtype=dtype)


@operation
def confusion_matrix(
    labels: Any,
    predictions: Any,
    num_classes: Any = None,
    weights: Any = None,
    dtype: Any = int32,
    name: str | None = None,
) -> Any:
    """The matrix whose entry [i, j] counts the examples of class i that were taken for class j.

    `num_classes` is one more than the largest class where it is not given; with `weights` the
    examples count so much each. One last axis of size 1 is taken away where only one operand has
    it. Raises InvalidArgumentError for classes outside [0, num_classes).

    >>> import slipstream as tf
    >>> tf.math.confusion_matrix([0, 1, 1], [0, 1, 0]).numpy().tolist()
    [[1, 0], [1, 1]]
    """
    name_, wanted = "confusion_matrix", as_dtype(dtype)
    labels, predictions = _paired(convert(labels), convert(predictions))
    given = num_classes is not None
    classes = (
        int(known(num_classes, name_, "num_classes"))
        if given
        else _bins(name_, "num_classes", labels, predictions)
    )
    for tensor in (labels, predictions):
        _not_negative(name_, tensor)
        if given and constant_value(tensor) is not None:
            _check_classes(name_, tensor, classes)
    values = ones(TensorType(labels.type.shape, wanted)) if weights is None else convert(weights)
    inside = p.logical_and(_is_class(labels, classes), _is_class(predictions, classes))
    index = p.add(p.multiply(labels, labels.coerce(classes)), predictions)
    index = p.where(inside, index, -1)  # not counted; where the classes are known, an error
    shape = (1, index.type.size)
    values = p.cast(values, dtype=wanted)
    found = _counted(reshape(index, shape=shape), reshape(values, shape=shape), classes**2)
    return reshape(found, shape=(classes, classes))


def _paired(labels: Any, predictions: Any) -> tuple[Any, Any]:
    """Both as int64 of one shape."""

    def whole(tensor: Any, other: Any) -> Any:
        shape = tuple(tensor.type.shape)
        if len(shape) == len(other.shape) + 1 and shape[-1] == 1:
            tensor = reshape(tensor, shape=shape[:-1])
        return p.cast(tensor, dtype=int64)

    labels, predictions = whole(labels, predictions), whole(predictions, labels)
    if labels.shape != predictions.shape:
        raise misfit(
            "confusion_matrix",
            "the shapes differ",
            labels=labels.type,
            predictions=predictions.type,
        )
    return labels, predictions


def _is_class(tensor: Any, classes: int) -> Any:
    """Whether each index is in [0, classes)."""
    positive = p.greater_equal(tensor, tensor.coerce(0))
    return p.logical_and(positive, p.less(tensor, tensor.coerce(classes)))


def _check_classes(name: str, tensor: Any, classes: int) -> None:
    largest = _bins(name, "num_classes", tensor) - 1
    if largest >= classes:
        raise misfit(name, f"{largest} is no class", f"in [0, {classes})", num_classes=classes)
