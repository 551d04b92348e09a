"""`tf.nn`: layers' functions, activations, losses, windows, lookups."""

from slipstream.ops.activations import (
    crelu,
    elu,
    gelu,
    leaky_relu,
    log_softmax,
    relu,
    relu6,
    selu,
    silu,
    softmax,
    softsign,
)
from slipstream.ops.blocks import depth_to_space, space_to_batch, space_to_depth
from slipstream.ops.convolution import (
    atrous_conv2d,
    atrous_conv2d_transpose,
    conv1d,
    conv1d_transpose,
    conv2d,
    conv2d_transpose,
    conv3d,
    conv3d_transpose,
    conv_transpose,
    convolution,
    depthwise_conv2d,
    separable_conv2d,
)
from slipstream.ops.elementary import sigmoid, softplus, tanh
from slipstream.ops.lookup import bias_add, embedding_lookup
from slipstream.ops.losses import (
    log_poisson_loss,
    sigmoid_cross_entropy_with_logits,
    softmax_cross_entropy_with_logits,
    sparse_softmax_cross_entropy_with_logits,
    weighted_cross_entropy_with_logits,
)
from slipstream.ops.normalization import batch_normalization, l2_loss, l2_normalize
from slipstream.ops.pooling import (
    avg_pool,
    avg_pool1d,
    avg_pool2d,
    avg_pool3d,
    max_pool,
    max_pool1d,
    max_pool2d,
    max_pool3d,
    max_pool_with_argmax,
    pool,
)
from slipstream.ops.random import dropout
from slipstream.ops.reduction import moments, weighted_moments, zero_fraction
from slipstream.ops.sorting import in_top_k, top_k

swish = silu

__all__ = [name for name in dir() if not name.startswith("_")]
