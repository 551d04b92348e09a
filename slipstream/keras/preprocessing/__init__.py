"""`keras.preprocessing`: sequences, as programs for Keras 2 know them."""

from slipstream.keras.preprocessing import sequence

__all__ = ["sequence"]
