"""`MultiHeadAttention`: every head compares and mixes in a space of its own."""

from __future__ import annotations

from string import ascii_lowercase, ascii_uppercase
from typing import Any

from slipstream.keras.layers.einsum_dense import EinsumDense
from slipstream.keras.layers.heads import HeadAttention, check_positive
from slipstream.ops.equation import einsum

# labels: lower case an axis of the query, upper case one of the sources; y the heads, z a head's
# features, x the features before the heads
FREE = ascii_lowercase[: ascii_lowercase.index("x")]


class MultiHeadAttention(HeadAttention):
    """Attention with several heads (Vaswani and others 2017).

    Called as layer(query, value, key=value): query [batch, targets, features], value and key
    [batch, sources, features]; the result is [batch, targets, features], or has `output_shape` in
    the place of the features. `key_dim` and `value_dim` are the features of a head. There may be
    more axes between batch and features: `attention_axes` are those attended over, by default all.
    The other arguments are described at `HeadAttention`, those of a call at its `call`.

    >>> import slipstream as tf
    >>> x = tf.ones([2, 5, 8])
    >>> y, shares = MultiHeadAttention(num_heads=2, key_dim=4)(x, x, return_attention_scores=True)
    >>> y.shape, shares.shape
    (TensorShape([2, 5, 8]), TensorShape([2, 2, 5, 5]))
    """

    def __init__(
        self,
        num_heads: int,
        key_dim: int,
        value_dim: int | None = None,
        dropout: float = 0.0,
        use_bias: bool = True,
        output_shape: Any = None,
        attention_axes: Any = None,
        sliding_window: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__(
            dropout=dropout, use_bias=use_bias, sliding_window=sliding_window, **options
        )
        self.num_heads = check_positive("num_heads", num_heads)
        self.key_dim = self.scale_by = check_positive("key_dim", key_dim)
        self.value_dim = key_dim if value_dim is None else check_positive("value_dim", value_dim)
        self._output_shape = None if output_shape is None else _sizes("output_shape", output_shape)
        self.attention_axes = (
            None if attention_axes is None else _sizes("attention_axes", attention_axes)
        )

    def build(self, query_shape: Any, value_shape: Any, key_shape: Any = None) -> None:
        key_shape = self._checked(value_shape, key_shape)
        self._set_equations(len(query_shape))
        self.query_dense = self._to_heads("query", query_shape, self.key_dim)
        self.key_dense = self._to_heads("key", key_shape, self.key_dim)
        if self.use_gate:
            self._gate_dense = self._to_heads("gate", query_shape, self.value_dim, "sigmoid")
        self.value_dense = self._to_heads("value", value_shape, self.value_dim)
        self.output_dense = self._from_heads(query_shape)

    def _checked(self, value_shape: Any, key_shape: Any) -> Any:
        """The shape of the key, which fits the value's."""
        key_shape = value_shape if key_shape is None else key_shape
        if tuple(value_shape[1:-1]) != tuple(key_shape[1:-1]):
            raise ValueError(
                "All dimensions of `value` and `key`, except the last one, must be equal. "
                f"Received: value_shape={value_shape} and key_shape={key_shape}"
            )
        return key_shape

    def _set_equations(self, rank: int) -> None:
        """How to multiply inputs of this rank, whose heads have an axis of their own."""
        axes = range(1, rank - 1) if self.attention_axes is None else self.attention_axes
        attended = [FREE[axis % rank] for axis in axes]
        targets = FREE[: rank - 1]
        sources = "".join(n.upper() if n in attended else n for n in targets)
        batch = "".join(n for n in targets if n not in attended)
        seen = "".join(attended)
        scores = f"{batch}y{seen}{seen.upper()}"
        self._compare = f"{targets}yz,{sources}yz->{scores}"
        self._mix = f"{scores},{sources}yz->{targets}yz"
        self._make_shares(len(attended))

    def _to_heads(
        self, name: str, shape: Any, features: int, activation: Any = None
    ) -> EinsumDense:
        free = FREE[: len(shape) - 1]
        sizes = (*shape[1:-1], self.num_heads, features)
        made = self._projection(name, f"{free}x,xyz->{free}yz", sizes, "yz", activation)
        made.build(shape)
        return made

    def _from_heads(self, query_shape: Any) -> EinsumDense:
        free, inner = FREE[: len(query_shape) - 1], query_shape[1:-1]
        last = self._output_shape or (query_shape[-1],)
        out = ascii_uppercase[: len(last)]
        equation = f"{free}yz,yz{out}->{free}{out}"
        made = self._projection("attention_output", equation, (*inner, *last), out)
        made.build((*query_shape[:-1], self.num_heads, self.value_dim))
        return made

    def _projections(self) -> tuple[EinsumDense, EinsumDense, EinsumDense, EinsumDense]:
        return self.query_dense, self.key_dense, self.value_dense, self.output_dense

    def _scores(self, query: Any, key: Any) -> Any:
        return einsum(self._compare, query, key)

    def _mixed(self, shares: Any, value: Any) -> Any:
        return einsum(self._mix, shares, value)

    def compute_output_shape(
        self, query_shape: Any, value_shape: Any, key_shape: Any = None
    ) -> tuple[Any, ...]:
        self._checked(value_shape, key_shape)
        return (*query_shape[:-1], *(self._output_shape or query_shape[-1:]))

    def get_config(self) -> dict[str, Any]:
        names = ("num_heads", "key_dim", "value_dim", "attention_axes")
        config = super().get_config() | {name: getattr(self, name) for name in names}
        return config | {"output_shape": self._output_shape}


def _sizes(name: str, value: Any) -> tuple[int, ...]:
    """Integers from one or several; ValueError for anything else."""
    found = (value,) if isinstance(value, int) else value
    if not isinstance(found, (tuple, list)) or not all(isinstance(n, int) for n in found):
        raise ValueError(f"`{name}` must be an int, list, or tuple. Received: {name}={value}")
    return tuple(found)
