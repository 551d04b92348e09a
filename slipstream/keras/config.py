"""What holds for all of Keras: the default float dtype, epsilon, the order of image axes."""

from __future__ import annotations

FLOATS = ("bfloat16", "float16", "float32", "float64")
FORMATS = ("channels_last", "channels_first")

_state: dict[str, object] = {
    "floatx": "float32",
    "epsilon": 1e-7,
    "image_data_format": "channels_last",
    "dtype_policy": None,
}


def floatx() -> str:
    """The dtype of variables and of layers' computation where none is given."""
    return str(_state["floatx"])


def set_floatx(value: str) -> None:
    """ValueError unless `value` names a float dtype."""
    _state["floatx"] = _one_of("floatx", value, FLOATS)
    _state["dtype_policy"] = None


def epsilon() -> float:
    """The small number that keeps divisions and logarithms finite."""
    return float(_state["epsilon"])  # type: ignore[arg-type]


def set_epsilon(value: float) -> None:
    _state["epsilon"] = float(value)


def image_data_format() -> str:
    """'channels_last' or 'channels_first'."""
    return str(_state["image_data_format"])


def set_image_data_format(data_format: str) -> None:
    _state["image_data_format"] = _one_of("data_format", str(data_format).lower(), FORMATS)


def standardize_data_format(data_format: str | None) -> str:
    """A layer's `data_format` argument: the global one for None."""
    if data_format is None:
        return image_data_format()
    return _one_of("data_format", str(data_format).lower(), FORMATS)


def global_policy_name() -> str:
    """The name of the dtype policy of layers that are given none."""
    return str(_state["dtype_policy"] or floatx())


def set_global_policy_name(name: str) -> None:
    _state["dtype_policy"] = name


def _one_of(argument: str, value: str, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise ValueError(f"Unknown `{argument}` value: {value}. Expected one of {allowed}")
    return value
