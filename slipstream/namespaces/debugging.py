"""`tf.debugging`: checks on tensors."""

from slipstream.ops.debugging import (
    assert_all_finite,
    assert_equal,
    assert_greater,
    assert_greater_equal,
    assert_less,
    assert_less_equal,
    assert_near,
    assert_negative,
    assert_non_negative,
    assert_none_equal,
    assert_positive,
    assert_rank,
    assert_scalar,
    assert_shapes,
    assert_type,
    check_numerics,
    is_numeric_tensor,
)

__all__ = [name for name in dir() if not name.startswith("_")]
