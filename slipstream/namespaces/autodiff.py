"""`tf.autodiff`: the tape under its other name."""

from slipstream.runtime.tape import GradientTape

__all__ = ["GradientTape"]
