"""What is common to all of Keras: floatx, epsilon, the order of axes, names."""

from slipstream.keras.config import (
    epsilon,
    floatx,
    image_data_format,
    set_epsilon,
    set_floatx,
    set_image_data_format,
)
from slipstream.keras.naming import get_uid
from slipstream.keras.naming import reset_names as clear_session


def backend() -> str:
    """The name of the engine below Keras."""
    return "slipstream"


__all__ = [
    "backend",
    "clear_session",
    "epsilon",
    "floatx",
    "get_uid",
    "image_data_format",
    "set_epsilon",
    "set_floatx",
    "set_image_data_format",
]
