"""`tf.dtypes`: element types and conversions between them."""

from slipstream.ir.dtypes import (
    DType,
    as_dtype,
    bfloat16,
    complex64,
    complex128,
    float16,
    float32,
    float64,
    int8,
    int16,
    int32,
    int64,
    string,
    uint8,
    uint16,
    uint32,
    uint64,
)
from slipstream.ir.dtypes import bool_ as bool
from slipstream.ops.conversion import (
    cast,
    complex,
    saturate_cast,
)

__all__ = [name for name in dir() if not name.startswith("_")]
