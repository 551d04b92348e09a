"""Functions whose names or arguments TensorFlow 2 changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from slipstream.ir.dtypes import float32, float64, int32, int64
from slipstream.namespaces import nn, top
from slipstream.ops import linalg, math, random
from slipstream.runtime.convert import convert


def _reduction(function: Callable[..., Any]) -> Callable[..., Any]:
    """A reduction with the arguments of TensorFlow 1."""

    def reduced(
        input_tensor: Any, axis: Any = None, keepdims: Any = None, name: Any = None,
        reduction_indices: Any = None, keep_dims: Any = None,
    ) -> Any:  # fmt: skip
        axis = reduction_indices if axis is None else axis
        return function(input_tensor, axis=axis, keepdims=bool(keepdims or keep_dims))

    reduced.__name__ = function.__name__
    reduced.__doc__ = function.__doc__
    return reduced


def _arg(function: Callable[..., Any]) -> Callable[..., Any]:
    def found(
        input: Any,
        axis: Any = None,
        name: Any = None,
        dimension: Any = None,
        output_type: Any = int64,
    ) -> Any:
        axis = axis if axis is not None else dimension
        return function(input, axis=0 if axis is None else axis, output_type=output_type)

    found.__name__ = function.__name__
    return found


def dropout(
    x: Any, keep_prob: Any = None, noise_shape: Any = None, seed: Any = None, name: Any = None,
    rate: Any = None,
) -> Any:  # fmt: skip
    """Keep elements with probability `keep_prob`, divided by it; or give `rate`, its complement."""
    if (keep_prob is None) == (rate is None):
        raise ValueError("give keep_prob, or rate")
    dropped = rate if rate is not None else 1 - convert(keep_prob, float32)
    return random.dropout(x, dropped, noise_shape, seed)


def _pooling(function: Callable[..., Any]) -> Callable[..., Any]:
    def pooled(
        value: Any = None, ksize: Any = None, strides: Any = None, padding: Any = None,
        data_format: str = "NHWC", name: Any = None, input: Any = None,
    ) -> Any:  # fmt: skip
        given = value if value is not None else input
        return function(given, ksize, strides, padding, data_format=data_format)

    pooled.__name__ = function.__name__
    return pooled


def conv2d(
    input: Any, filter: Any = None, strides: Any = None, padding: Any = None,
    use_cudnn_on_gpu: bool = True, data_format: str = "NHWC", dilations: Any = (1, 1, 1, 1),
    name: Any = None, filters: Any = None,
) -> Any:  # fmt: skip
    """The convolution of pictures, with the filter under its older name."""
    kernel = filter if filter is not None else filters
    return nn.conv2d(input, kernel, strides, padding, data_format=data_format, dilations=dilations)


def softmax_cross_entropy(
    _sentinel: Any = None, labels: Any = None, logits: Any = None, dim: int = -1, name: Any = None,
    axis: Any = None,
) -> Any:  # fmt: skip
    """Cross-entropy of logits and label distributions, a number a row."""
    if _sentinel is not None:
        raise ValueError("Only call with named arguments (labels=..., logits=..., ...)")
    chosen = dim if axis is None else axis
    return nn.softmax_cross_entropy_with_logits(labels, logits, axis=chosen)


def _named_losses(function: Callable[..., Any]) -> Callable[..., Any]:
    def loss(
        _sentinel: Any = None, labels: Any = None, logits: Any = None, name: Any = None
    ) -> Any:
        if _sentinel is not None:
            raise ValueError("Only call with named arguments (labels=..., logits=..., ...)")
        return function(labels=labels, logits=logits)

    loss.__name__ = function.__name__
    return loss


def _casting(dtype: Any) -> Callable[..., Any]:
    def cast(x: Any, name: Any = None) -> Any:
        return top.cast(x, dtype)

    cast.__name__ = f"to_{dtype.name}"
    return cast


def div(x: Any, y: Any, name: Any = None) -> Any:
    """x / y; of integers the largest integer not above it."""
    x, y = convert(x), convert(y)
    return math.floordiv(x, y) if x.dtype.is_integer else math.divide(x, y)


def while_loop(cond: Any, body: Any, loop_vars: Any, *args: Any, **options: Any) -> Any:
    """As in TensorFlow 2, but a single loop variable comes back by itself."""
    found = top.while_loop(cond, body, loop_vars, *args, **options)
    alone = isinstance(found, (list, tuple)) and len(found) == 1
    return found[0] if alone else found


TOP: dict[str, Any] = {
    "while_loop": while_loop,
    "py_func": top.numpy_function,
    "mul": math.multiply,
    "sub": math.subtract,
    "neg": math.negative,
    "pack": top.stack,
    "unpack": top.unstack,
    **{f"reduce_{n}": _reduction(getattr(math, f"reduce_{n}"))
       for n in ("sum", "mean", "max", "min", "prod", "any", "all", "logsumexp")},
    "argmax": _arg(math.argmax),
    "argmin": _arg(math.argmin),
    "log": math.log,
    "log1p": math.log1p,
    "log_sigmoid": math.log_sigmoid,
    "ceil": math.ceil,
    "div": div,
    "mod": math.floormod,
    "floor_div": math.floordiv,
    "floordiv": math.floordiv,
    "truediv": math.truediv,
    "realdiv": math.divide,
    "erf": math.erf,
    "lgamma": math.lgamma,
    "is_nan": math.is_nan,
    "is_inf": math.is_inf,
    "is_finite": math.is_finite,
    "reciprocal": math.reciprocal,
    "rsqrt": math.rsqrt,
    "squared_difference": math.squared_difference,
    "logical_xor": math.logical_xor,
    "count_nonzero": math.count_nonzero,
    "random_normal": random.normal,
    "random_uniform": random.uniform,
    "truncated_normal": random.truncated_normal,
    "random_shuffle": random.shuffle,
    "multinomial": random.categorical,
    "random_poisson": random.poisson,
    "random_gamma": random.gamma,
    "matrix_inverse": linalg.inv,
    "matrix_determinant": linalg.det,
    "matrix_solve": linalg.solve,
    "cholesky": linalg.cholesky,
    "qr": linalg.qr,
    "svd": linalg.svd,
    "to_float": _casting(float32),
    "to_double": _casting(float64),
    "to_int32": _casting(int32),
    "to_int64": _casting(int64),
}  # fmt: skip
NN: dict[str, Any] = {
    "dropout": dropout,
    "max_pool": _pooling(nn.max_pool2d),
    "avg_pool": _pooling(nn.avg_pool2d),
    "conv2d": conv2d,
    "softmax_cross_entropy_with_logits": softmax_cross_entropy,
    "softmax_cross_entropy_with_logits_v2": softmax_cross_entropy,
    "sparse_softmax_cross_entropy_with_logits": _named_losses(
        nn.sparse_softmax_cross_entropy_with_logits
    ),
    "sigmoid_cross_entropy_with_logits": _named_losses(nn.sigmoid_cross_entropy_with_logits),
}
