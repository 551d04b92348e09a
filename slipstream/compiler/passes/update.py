"""Products that end in an update of large arrays: the update is a kernel of its own.

An optimizer's update reads and writes a variable and its moments. After the totals of a tile, it
touches a few lines of some rows of each: no order that the processor sees, so each line is waited
for, and a tile is short. And where threads divide columns, each row has lines of both, and the
processor fetches more than it is asked for. By itself the update goes through memory in order.
Where registers are few it stays: tiles are smaller, and walk along rows (`block.py`).
"""

from __future__ import annotations

import math
from dataclasses import replace

from slipstream.compiler.kernels import Access, Contraction, Load, Store, Total
from slipstream.compiler.passes.made import Made, made, only_call
from slipstream.compiler.passes.partial import after
from slipstream.ir.graph import Value
from slipstream.ir.types import TensorType

FEWEST_ARRAYS = 2  # that are read beside the totals
LARGE = 1 << 18  # bytes read and written


def update_apart(one: Made) -> list[Made]:
    """The product, then what follows it, if that is an update; else the step as it is."""
    record, values = only_call(one) or (None, ())
    if one.step is None or not isinstance(record, Contraction) or not _is_update(record):
        return [one]
    total = Value(TensorType((math.prod(n.size for n in record.walked),), record.dtype))
    outs = tuple(n.out for n in record.walked)
    store = Store(Access(2, 0, outs), 0, record.dtype)
    product = replace(record, body=(Total(record.dtype),), stores=(store,))
    return [
        made(((product, (*values[:2], total)),), (), one.step.group, (total,)),
        after(one, record, (total, *values[2:])),
    ]


def _is_update(record: Contraction) -> bool:
    """Whether what follows the totals goes through some large arrays."""
    sizes = [n.size for n in record.walked]

    def is_whole(access: Access) -> bool:
        return all(stride or size == 1 for stride, size in zip(access.strides, sizes, strict=True))

    loads = {i.access: i.dtype.size for i in record.body if isinstance(i, Load)}
    read = [size for access, size in loads.items() if is_whole(access)]
    bytes_ = math.prod(sizes) * (sum(read) + sum(store.dtype.size for store in record.stores))
    return record.is_dense and len(read) >= FEWEST_ARRAYS and bytes_ >= LARGE
