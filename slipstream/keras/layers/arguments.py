"""Arguments that many layers read in the same way, and the sizes that follow from them."""

from __future__ import annotations

from typing import Any

# Arguments of Keras' layers that have no counterpart here, with the values that ask for nothing;
# they are in the configuration of every such layer that Keras saves.
_NEUTRAL: dict[str, tuple[Any, ...]] = {
    "quantization_config": (None,),
    "lora_rank": (None,),
    "lora_alpha": (None,),
    "renorm": (False,),
    "renorm_clipping": (None,),
    "renorm_momentum": (0.99,),
    "sparse": (None, False),
    "ragged": (None, False),
}


def asks_for_nothing(name: str, value: Any) -> bool:
    """Whether an argument is one of Keras' that is not here, and has its default."""
    return value in _NEUTRAL.get(name, ())


def window(value: Any, rank: int, name: str, least: int = 1) -> tuple[int, ...]:
    """One integer an axis, from one number or as many; ValueError otherwise."""
    sizes = (value,) * rank if isinstance(value, int) else tuple(value)
    fits = len(sizes) == rank and all(isinstance(n, int) and n >= least for n in sizes)
    if not fits:
        raise ValueError(
            f"The `{name}` argument must be a tuple of {rank} integers of at least {least}. "
            f"Received: {name}={value}"
        )
    return tuple(int(n) for n in sizes)


def padding_name(padding: str, causal: bool = False) -> str:
    """'valid', 'same', or where it has a meaning 'causal'."""
    allowed = ("valid", "same", "causal") if causal else ("valid", "same")
    name = str(padding).lower()
    if name not in allowed:
        raise ValueError(
            f"The `padding` argument must be one of {allowed}. Received: padding={padding}"
        )
    return name


def output_length(size: Any, extent: int, padding: str, stride: int, dilation: int = 1) -> Any:
    """How many windows fit along an axis; None of an unknown size."""
    if size is None:
        return None
    reach = (extent - 1) * dilation + 1
    covered = size if padding == "same" else size - reach + 1
    count = -(-covered // stride)
    if count <= 0:
        raise ValueError(
            f"Computed output size would be negative or zero: an axis of {size} holds no window of "
            f"{reach}"
        )
    return count


def transposed_length(
    size: Any, extent: int, padding: str, stride: int, dilation: int = 1, extra: Any = None
) -> Any:
    """The size that a transposed convolution gives an axis; None of an unknown one."""
    if size is None:
        return None
    reach = (extent - 1) * dilation + 1
    if extra is None:
        return size * stride + max(reach - stride, 0) if padding == "valid" else size * stride
    cut = reach // 2 if padding == "same" else 0
    return (size - 1) * stride + reach - 2 * cut + extra
