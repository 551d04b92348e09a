"""`tf.math`: functions of numbers, order and segments."""

from slipstream.ops.activations import log_softmax, softmax
from slipstream.ops.math import *  # noqa: F403
from slipstream.ops.segments import (
    segment_max,
    segment_mean,
    segment_min,
    segment_prod,
    segment_sum,
    unsorted_segment_max,
    unsorted_segment_mean,
    unsorted_segment_min,
    unsorted_segment_prod,
    unsorted_segment_sqrt_n,
    unsorted_segment_sum,
)
from slipstream.ops.sorting import in_top_k, invert_permutation, top_k

__all__ = [name for name in dir() if not name.startswith("_")]
