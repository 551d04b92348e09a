"""Public functions composed of primitives. Importing one makes eager execution the default."""

from slipstream.runtime import eager

__all__ = ["eager"]
