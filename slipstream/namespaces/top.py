"""The functions that stand at the top of TensorFlow 2: `tf.reshape`, `tf.matmul`, ..."""

from slipstream.ops.activations import (
    softmax,
)
from slipstream.ops.array import (
    constant,
    convert_to_tensor,
    ensure_shape,
    eye,
    fill,
    get_static_value,
    identity,
    identity_n,
    linspace,
    meshgrid,
    ones,
    ones_like,
    range,
    rank,
    shape,
    shape_n,
    size,
    stop_gradient,
    zeros,
    zeros_like,
)
from slipstream.ops.blocks import (
    batch_to_space,
    space_to_batch,
    space_to_batch_nd,
)
from slipstream.ops.control import (
    case,
    cond,
    foldl,
    foldr,
    map_fn,
    scan,
    switch_case,
    vectorized_map,
    while_loop,
)
from slipstream.ops.conversion import (
    cast,
    complex,
    saturate_cast,
)
from slipstream.ops.debugging import (
    assert_equal,
    assert_greater,
    assert_less,
    assert_rank,
)
from slipstream.ops.encoding import one_hot, sequence_mask
from slipstream.ops.equation import (
    einsum,
)
from slipstream.ops.host import numpy_function, print, py_function
from slipstream.ops.indexing import (
    boolean_mask,
    gather,
    gather_nd,
    slice,
    strided_slice,
    where,
)
from slipstream.ops.linalg import (
    norm,
)
from slipstream.ops.linear import (
    matmul,
    tensordot,
)
from slipstream.ops.math import (
    abs,
    acos,
    acosh,
    add,
    add_n,
    argmax,
    argmin,
    asin,
    asinh,
    atan,
    atan2,
    atanh,
    clip_by_value,
    cos,
    cosh,
    cumsum,
    divide,
    equal,
    exp,
    floor,
    greater,
    greater_equal,
    less,
    less_equal,
    logical_and,
    logical_not,
    logical_or,
    maximum,
    minimum,
    multiply,
    negative,
    not_equal,
    pow,
    reduce_all,
    reduce_any,
    reduce_logsumexp,
    reduce_max,
    reduce_mean,
    reduce_min,
    reduce_prod,
    reduce_sum,
    round,
    scalar_mul,
    sigmoid,
    sign,
    sin,
    sinh,
    sqrt,
    square,
    subtract,
    tan,
    tanh,
    truediv,
)
from slipstream.ops.normalization import (
    clip_by_global_norm,
    clip_by_norm,
)
from slipstream.ops.partition import (
    dynamic_partition,
    dynamic_stitch,
    setdiff1d,
    unravel_index,
)
from slipstream.ops.scattering import (
    scatter_nd,
    tensor_scatter_nd_add,
    tensor_scatter_nd_max,
    tensor_scatter_nd_min,
    tensor_scatter_nd_sub,
    tensor_scatter_nd_update,
)
from slipstream.ops.shaping import (
    broadcast_dynamic_shape,
    broadcast_static_shape,
    broadcast_to,
    concat,
    expand_dims,
    pad,
    repeat,
    reshape,
    reverse,
    reverse_sequence,
    roll,
    split,
    squeeze,
    stack,
    tile,
    transpose,
    unstack,
)
from slipstream.ops.sorting import (
    argsort,
    searchsorted,
    sort,
    unique,
    unique_with_counts,
)
from slipstream.ops.statistics import (
    histogram_fixed_width,
    histogram_fixed_width_bins,
)

newaxis = None

__all__ = [name for name in dir() if not name.startswith("_")]
