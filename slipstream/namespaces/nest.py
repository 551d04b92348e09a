"""`tf.nest`: structures of tuples, lists and dictionaries."""

from slipstream.runtime.structure import (
    assert_same_structure,
    flatten,
    is_nested,
    map_structure,
)
from slipstream.runtime.structure import pack as pack_sequence_as

__all__ = ["assert_same_structure", "flatten", "is_nested", "map_structure", "pack_sequence_as"]
