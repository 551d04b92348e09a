"""`keras.preprocessing.sequence`: sequences of different lengths as one array."""

from slipstream.keras.utils.arrays import pad_sequences

__all__ = ["pad_sequences"]
