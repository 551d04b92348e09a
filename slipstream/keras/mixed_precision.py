"""`keras.mixed_precision`: the dtype layers compute in, apart from that of their weights."""

from slipstream.keras.dtype_policy import DTypePolicy
from slipstream.keras.dtype_policy import DTypePolicy as Policy
from slipstream.keras.dtype_policy import dtype_policy as global_policy
from slipstream.keras.dtype_policy import set_dtype_policy as set_global_policy

dtype_policy, set_dtype_policy = global_policy, set_global_policy
__all__ = [
    "DTypePolicy", "Policy", "dtype_policy", "global_policy", "set_dtype_policy",
    "set_global_policy",
]  # fmt: skip
